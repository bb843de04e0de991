from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.compose.rows import chat, lines, without, written
from tui.compose.checks.fixes import Fixes, apply_fixes
from tui.compose.checks.scan import check_file
from tui.compose.requests.rules import RequestLimits
from tui.errors import InputError, UsageError


def fixed(path: Path, **fixes: Any) -> list[dict[str, Any]]:
    apply_fixes(path, path.with_name("out.jsonl"), Fixes(**fixes))
    content = path.with_name("out.jsonl").read_bytes()
    return [json.loads(line) for line in content.split(b"\n")[:-1]]


def test_only_the_layout_is_mended_by_default(tmp_path: Path) -> None:
    odd = b'{"custom_id":"a",  "n": 1.10, "big": 1e999}'
    path = written(tmp_path, b"\xef\xbb\xbf" + odd + b"\r\n\n \n" + odd)
    report = apply_fixes(path, path, Fixes())
    assert path.read_bytes() == odd + b"\n" + odd + b"\n"
    assert (report.rows, report.blank_dropped, report.ids_changed) == (2, 2, 0)


def test_ids(tmp_path: Path) -> None:
    rows = [chat("a"), chat("a"), chat("b c"), without(chat(), "custom_id"), chat(7)]
    path = written(tmp_path, lines(*rows))
    assert [row["custom_id"] for row in fixed(path, ids="bad")] == ["a", "a-2", "b-c", "row-4", "7"]
    assert [row["custom_id"] for row in fixed(path, ids="all")] == [f"row-{n}" for n in range(1, 6)]
    assert next(iter(fixed(path, ids="all")[3])) == "custom_id"
    kept = fixed(path, ids="bad", drop_duplicates=True)
    assert [row["custom_id"] for row in kept] == ["a", "b-c", "row-4", "7"]
    report = apply_fixes(path, tmp_path / "o", Fixes(drop_duplicates=True))
    assert (report.rows, report.repeated_dropped) == (4, 1)


def test_bodies(tmp_path: Path) -> None:
    rows = [
        chat("a", max_tokens=5),
        chat("b", max_completion_tokens=5000),
        {"custom_id": "c", "params": {"model": "c", "max_tokens": 50}},
        chat("d"),
    ]
    path = written(tmp_path, lines(*rows))
    made = fixed(
        path, max_tokens_at_least=10, max_tokens_at_most=100, model="n", settings={"x.y": 1}
    )
    assert [made[0]["body"]["max_tokens"], made[1]["body"]["max_completion_tokens"]] == [10, 100]
    assert made[2]["params"] == {"model": "n", "max_tokens": 50, "x": {"y": 1}}
    assert "max_tokens" not in made[3]["body"]
    assert made[0]["body"]["model"] == "n"
    report = apply_fixes(path, tmp_path / "o", Fixes(max_tokens_at_least=10))
    assert report.bodies_changed == 1


def test_what_is_not_changed_keeps_its_bytes(tmp_path: Path) -> None:
    path = written(tmp_path, b'{"body": {"n":  1.10, "m": 1e999}, "custom_id": "x y"}\n')
    apply_fixes(path, path, Fixes(ids="bad"))
    assert path.read_bytes() == b'{"custom_id":"x-y","body":{"n":  1.10, "m": 1e999}}\n'


def test_faults(tmp_path: Path) -> None:
    path = written(tmp_path, lines(chat("a")) + b"[1]\n")
    with pytest.raises(InputError, match="line 2") as caught:
        apply_fixes(path, path, Fixes(ids="all"))
    assert caught.value.line == 2
    assert path.read_bytes() == lines(chat("a")) + b"[1]\n"
    with pytest.raises(UsageError, match="minimum max_tokens is above"):
        apply_fixes(path, path, Fixes(max_tokens_at_least=5, max_tokens_at_most=4))
    with pytest.raises(InputError, match="does not exist"):
        apply_fixes(tmp_path / "none", path, Fixes())
    assert list(tmp_path.iterdir()) == [path]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.text(max_size=4), st.sampled_from([b"\n", b"\r\n", b"\n\n"]))))
def test_mended_ids_pass_the_check(rows: list[tuple[str, bytes]]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, "in.jsonl")
        path.write_bytes(b"".join(lines(chat(i))[:-1] + end for i, end in rows) or b"\n")
        apply_fixes(path, path, Fixes(ids="bad"))
        report = check_file(path, limits=RequestLimits(custom_id_pattern="[a-zA-Z0-9_-]{1,64}"))
        assert report.rows == len(rows)
        assert report.ok or not rows


def test_fields_are_taken_out_and_empty_rows_left_out(tmp_path: Path) -> None:
    rows = [
        chat("a", temperature=1, top_p=0.5),
        chat("b", " "),
        {"custom_id": "c", "params": chat("c", metadata={"x": 1, "y": 2})["body"]},
        chat("d", messages=[{"role": "system", "content": "Be brief."},
                            {"role": "user", "content": ""}]),
    ]  # fmt: skip
    path = written(tmp_path, lines(*rows))
    made = fixed(path, drop_empty=True, unset=("temperature", "top_p", "metadata.x", "no.where"))
    assert [row["custom_id"] for row in made] == ["a", "c"]
    assert set(made[0]["body"]) == {"model", "messages"}
    assert made[1]["params"]["metadata"] == {"y": 2}
    report = apply_fixes(path, tmp_path / "o", Fixes(drop_empty=True, unset=("temperature",)))
    assert (report.rows, report.empty_dropped, report.bodies_changed) == (2, 2, 1)
    with pytest.raises(UsageError, match="is not a valid path"):
        apply_fixes(path, tmp_path / "o", Fixes(unset=("a..b",)))
