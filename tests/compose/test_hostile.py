"""Files that mean harm, or are cut, or no text: every step takes them or refuses in words."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.compose.rows import chat, lines
from tui.compose.build import build
from tui.compose.checks.clean import clean_requests
from tui.compose.checks.fixes import Fixes, apply_fixes
from tui.compose.checks.scan import check_file, scan_file
from tui.compose.checks.split import split_file
from tui.compose.estimate import estimate_of
from tui.compose.prices import PriceSource
from tui.compose.requests.rules import RequestLimits
from tui.compose.sources.open import open_source
from tui.compose.templates.model import Template
from tui.core.text import visible
from tui.errors import BatchdeckError, InputError

GOOD = lines(chat("good"))
ROW = lines(chat("a"))[:-1]
DEEP = 100_000

HOSTILE: dict[str, bytes] = {
    "deep arrays": b'{"custom_id":"a","body":' + b"[" * DEEP + b"]" * DEEP + b"}",
    "deep objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "deep and cut": b'{"custom_id":"a","body":{"x":' + b"[" * DEEP,
    "deep inside a good row": ROW[:-2] + b',"x":' + b"[" * DEEP + b"]" * DEEP + b"}}",
    "keys twice": b'{"custom_id":"a","custom_id":"b",' + ROW[1:],
    "a body twice": ROW[:-1] + b',"body":5}',
    "nan": ROW[:-2] + b',"temperature":NaN}}',
    "infinity": ROW[:-2] + b',"temperature":-Infinity}}',
    "a number too large": ROW[:-2] + b',"seed":1e99999}}',
    "a number of many digits": ROW[:-2] + b',"seed":' + b"9" * 9000 + b"}}",
    "half a pair": ROW.replace(b"Hello", b"\\ud800"),
    "half a pair in the id": ROW.replace(b'"a"', b'"\\udfff"', 1),
    "half a pair, raw": ROW.replace(b"Hello", b"\xed\xa0\x80"),
    "no utf-8": ROW.replace(b"Hello", b"\xff\xfe"),
    "zeros": b"\x00" * 500,
    "line ends of others": ROW.replace(b"Hello", "\u2028\u0085\x0c".encode()),
    "a line of 11 MB": ROW.replace(b"Hello", b"x" * 11_000_000),
    "a line of 11 MB that is no JSON": b"x" * 11_000_000,
    "an id of a megabyte": ROW.replace(b'"a"', b'"' + b"i" * 1_000_000 + b'"', 1),
    "escapes": ROW.replace(b"Hello", b"\\u001b]0;x\\u0007").replace(b'"m"', b'"\\u001b[2J"'),
}

TEMPLATE = Template(user="{{ row|string }}", model="m", syntax="jinja")


def steps(path: Path, folder: Path) -> dict[str, Callable[[], object]]:
    """Everything that reads a file of requests, or of rows."""
    out = folder / "out.jsonl"
    return {
        "check": lambda: check_file(path),
        "clean": lambda: list(clean_requests(path, fix=True)),
        "fix": lambda: apply_fixes(
            path, out, Fixes(ids="bad", drop_duplicates=True, drop_empty=True, settings={"x": 1},
                             unset=("y",), max_tokens_at_least=1)
        ),
        "split": lambda: split_file(path, folder / "parts", rows=1),
        "estimate": lambda: estimate_of(scan_file(path).costs, PriceSource()),
        "compose, ready-made": lambda: build(open_source(str(path)), None, out),
        "compose, template": lambda: build(open_source(str(path)), TEMPLATE, out),
    }  # fmt: skip


def tried(step: Callable[[], object]) -> BatchdeckError | None:
    """Take a step; only the errors that a person can be told of may come out of it."""
    try:
        step()
    except BatchdeckError as error:
        assert visible(error.message) == error.message and len(error.message) < 1000
        return error
    return None


@pytest.mark.parametrize("kind", list(HOSTILE))
def test_every_step_takes_or_refuses_it(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes(GOOD + HOSTILE[kind] + b"\n")
    for step in steps(path, tmp_path).values():
        tried(step)
    report = check_file(path)
    # Zeros are a part of the file that was not written.
    assert report.rows == 2 - (kind == "zeros")
    assert report.found or kind in (
        "keys twice", "a number too large", "a number of many digits", "line ends of others",
        "an id of a megabyte", "escapes",
    )  # fmt: skip


def test_a_line_over_the_limit_is_passed_over_without_being_held(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes(GOOD + (b"x" * 60_000_000 + b"\n") * 2 + lines(chat("b")))
    tracemalloc.start()
    try:
        report = check_file(path)
        assert tracemalloc.get_traced_memory()[1] < 50_000_000
    finally:
        tracemalloc.stop()
    assert report.found["line_too_long"] == 2 and report.rows == 4


def test_a_row_whose_id_readers_take_for_different_ones_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes(GOOD + HOSTILE["keys twice"] + b"\n")
    with pytest.raises(InputError, match="line 2: an object has a name twice: 'custom_id'"):
        list(clean_requests(path, fix=False))


FRAGMENTS = st.sampled_from(
    [ROW, b"{", b"}", b"[", b"]", b'"', b"\\", b"\n", b"\r\n", b"\xef\xbb\xbf", b"\xff", b"\x00",
     b"NaN", b"1e999", b"\\ud800", b",", b":", b"null", b'"custom_id":', b'"params":', b'"body":',
     b"id,text\n", b'a,"b', b"\t", b";", b" "]
)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(st.lists(FRAGMENTS | st.binary(max_size=5), max_size=12))
def test_any_bytes_are_taken_or_refused_by_every_step(pieces: list[bytes]) -> None:
    with TemporaryDirectory() as name:
        for ending in (".jsonl", ".json", ".csv", ".txt", ""):
            path = Path(name, f"in{ending}")
            path.write_bytes(b"".join(pieces))
            for what, step in steps(path, Path(name)).items():
                if ending == ".jsonl" or what.startswith("compose"):
                    tried(step)


PATTERN = RequestLimits(custom_id_pattern="[a-zA-Z0-9_-]{1,64}", custom_id_max=64)
CELLS = st.text(max_size=8) | st.sampled_from(["", " ", "a", "a", '"', "{x}", "{{", "\ud7ff", "é"])


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.fixed_dictionaries({"id": CELLS, "text": CELLS, "lang": CELLS}), min_size=1,
             max_size=20),
    st.sampled_from(["Say {text}", "{{ text }}", "{text}",
                     "{% if lang %}{{ lang|upper }}: {% endif %}{{ text }}"]),
    st.sampled_from(["id", "", "{id}-{lang}", "{{ id }}{{ row_number }}"]),
    st.sampled_from(["chat", "messages", "responses", "embeddings", "completions"]),
)  # fmt: skip
def test_what_is_composed_never_fails_the_check(
    rows: list[dict[str, str]], prompt: str, custom_id: str, kind: str
) -> None:
    with TemporaryDirectory() as name:
        source, out = Path(name, "in.jsonl"), Path(name, "out.jsonl")
        source.write_bytes(b"".join(json.dumps(row).encode() + b"\n" for row in rows))
        template = Template(kind=kind, user=prompt, model="m", id=custom_id)  # type: ignore[arg-type]
        report = build(open_source(str(source)), template, out)
        check = check_file(out, limits=PATTERN)
        assert check.ok and check.rows == report.rows == len(rows), check.problems
        assert set(check.found) <= {"empty_prompt", "odd_size"}
        parts = split_file(out, Path(name, "parts"), rows=3, size=0)
        assert b"".join(part.path.read_bytes() for part in parts) == out.read_bytes()
