from __future__ import annotations

import csv
import json
import tracemalloc
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.compose.rows import chat, lines, written
from tui.compose.build import build
from tui.compose.checks.scan import check_file
from tui.compose.requests.custom_ids import IdMaker
from tui.compose.requests.rules import RequestLimits
from tui.compose.samples import DOCUMENTS, FOLDER, MARKETING, PRODUCTS, SUMMARIZE
from tui.compose.sources.base import Source
from tui.compose.sources.open import open_source
from tui.compose.templates.model import Template, with_overrides
from tui.compose.templates.saved import list_templates, load_template
from tui.errors import InputError, UsageError
from tui.progress import Progress

STRICT = RequestLimits(custom_id_max=64, custom_id_pattern="^[a-zA-Z0-9_-]{1,64}$")
PROMPT = Template(model="m", user="{text}", id="id")


def source_of(rows: list[dict[str, Any]]) -> Source:
    columns = tuple(dict.fromkeys(name for row in rows for name in row))
    return Source("rows", "table", columns, lambda: iter(rows), count=len(rows))


def built(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]


def test_a_table_becomes_requests(tmp_path: Path) -> None:
    table = written(tmp_path, b"id,text\na,one\nb,two\n", "t.csv")
    out = tmp_path / "out.jsonl"
    report = build(open_source(str(table)), PROMPT, out)
    assert (report.rows, report.size, report.ids.changed) == (2, out.stat().st_size, 0)
    assert [row["custom_id"] for row in built(out)] == ["a", "b"]
    assert out.stat().st_mode & 0o777 == 0o600
    assert check_file(out, limits=STRICT).ok


def test_ids_are_mended_and_counted(tmp_path: Path) -> None:
    wanted = ["a", "a", "b c!", "", "ü", "x" * 80, "x" * 80, "a-2"]
    out = tmp_path / "out.jsonl"
    report = build(source_of([{"id": w, "text": "t"} for w in wanted]), PROMPT, out)
    ids = [row["custom_id"] for row in built(out)]
    assert ids == ["a", "a-2", "b-c", "row-4", "row-5", "x" * 64, "x" * 62 + "-7", "a-2-8"]
    assert (report.ids.illegal, report.ids.repeated, report.ids.empty) == (3, 3, 2)
    assert report.ids.examples[0] == ("a", "a-2")
    assert check_file(out, limits=STRICT).ok


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.text(max_size=70) | st.sampled_from("ab"), st.text()), min_size=1))
def test_what_is_built_passes_the_check(rows: list[tuple[str, str]]) -> None:
    with TemporaryDirectory() as folder:
        out = Path(folder, "out.jsonl")
        build(source_of([{"id": i, "text": t} for i, t in rows]), PROMPT, out)
        report = check_file(out, limits=STRICT)
        assert report.ok and report.rows == len(rows)
        for row, (_, text) in zip(built(out), rows, strict=True):
            assert row["body"]["messages"][0]["content"] == text


def test_ready_made_requests_in_three_forms(tmp_path: Path) -> None:
    rows = [
        chat("a"),
        {"custom_id": "b", "body": {"model": "m", "messages": [], "metadata": {"k": 1}}},
        {"custom_id": "c", "params": {"model": "claude", "max_tokens": 3, "messages": []}},
        {"custom_id": "d", "model": "classify", "text": "x", "labels": [], "system_prompt": None},
    ]
    source = open_source(str(written(tmp_path, lines(*rows))))
    out = tmp_path / "out.jsonl"
    build(source, None, out)
    made = built(out)
    assert made[0] == rows[0]
    assert made[1]["url"] == "/v1/chat/completions" and made[1]["method"] == "POST"
    assert made[2] == {
        "custom_id": "c",
        "method": "POST",
        "url": "/v1/messages",
        "body": rows[2]["params"],
    }
    assert made[3]["body"] == {"model": "classify", "text": "x", "labels": []}
    build(source, None, out, model="n", settings={"metadata.k": 2})
    assert {row["body"]["model"] for row in built(out)} == {"n"}
    assert built(out)[1]["body"]["metadata"] == {"k": 2}


def test_rows_need_a_template(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="are not requests"):
        build(source_of([{"a": 1}]), None, tmp_path / "out.jsonl")
    source = Source("rows", "requests", (), lambda: iter([chat("a"), {"a": 1}]))
    with pytest.raises(InputError, match="row 2 is not a request"):
        build(source, None, tmp_path / "out.jsonl")
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_of_a_build_that_fails(tmp_path: Path) -> None:
    out = written(tmp_path, b"old", "out.jsonl")
    rows = [{"id": "a", "text": "x"}] * 5000
    with pytest.raises(InputError, match="row 5001"):
        build(source_of([*rows, {"id": "b"}]), PROMPT, out)
    with pytest.raises(InputError, match="stopped"):
        build(source_of(rows), PROMPT, out, progress=Progress(stop=lambda: True))
    with pytest.raises(InputError, match="no rows"):
        build(source_of([]), PROMPT, out)
    assert out.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [out]
    with pytest.raises(InputError, match="cannot be written"):
        build(source_of(rows), PROMPT, tmp_path / "none" / "out.jsonl")
    with pytest.raises(InputError, match="is a folder"):
        build(source_of(rows), PROMPT, tmp_path)


def test_limit_and_progress(tmp_path: Path) -> None:
    rows = [{"id": str(n), "text": "x"} for n in range(2500)]
    told: list[tuple[int, int | None]] = []
    out = tmp_path / "out.jsonl"
    progress = Progress(lambda done, total: told.append((done, total)), seconds=0)
    build(source_of(rows), PROMPT, out, progress=progress)
    assert told[-1] == (2500, 2500) and {total for _, total in told} == {2500}
    assert all(before <= later for (before, _), (later, _) in pairwise(told))
    assert build(source_of(rows), PROMPT, out, limit=7).rows == 7
    assert len(built(out)) == 7


def test_the_memory_is_flat(tmp_path: Path) -> None:
    def rows(count: int) -> Iterator[dict[str, Any]]:
        return ({"id": f"r{n}", "text": "word " * 1000} for n in range(count))

    def peak(count: int) -> int:
        source = Source("rows", "table", ("id", "text"), lambda: rows(count), count=count)
        tracemalloc.start()
        try:
            build(source, PROMPT, tmp_path / "out.jsonl")
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    small, large = peak(300), peak(4000)
    assert (tmp_path / "out.jsonl").stat().st_size > 20_000_000
    assert large < small + 1_000_000


def test_the_samples_can_be_built(tmp_path: Path) -> None:
    assert [saved.trouble for saved in list_templates(FOLDER)] == [""] * 5
    for spec, template, rows in (
        (f"{DOCUMENTS}::paragraphs", SUMMARIZE, 5),
        (str(PRODUCTS), MARKETING, 10),
    ):
        out = tmp_path / "out.jsonl"
        report = build(open_source(spec), with_overrides(load_template(template), model="m"), out)
        assert (report.rows, report.ids.changed) == (rows, 0)
        assert check_file(out, limits=STRICT).problems == ()


@given(st.lists(st.text(max_size=3) | st.text(alphabet="ab-1", max_size=70), max_size=60))
def test_ids_are_legal_and_different(wanted: list[str]) -> None:
    maker = IdMaker(1)
    made = [maker.make(text, number) for number, text in enumerate(wanted, 1)]
    assert len(set(made)) == len(made)
    assert all(
        (1 <= len(i) <= 64 and i.replace("-", "").replace("_", "").isalnum())
        or set(i) <= {"-", "_"}
        for i in made
    )
    assert all(i.isascii() for i in made)
    assert sum(old != new for old, new in zip(wanted, made, strict=True)) <= maker.report().changed


def test_a_csv_of_many_rows_streams(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text"])
        writer.writerows([f"r{n}", f'say "{n}",\nplease'] for n in range(3000))
    out = tmp_path / "out.jsonl"
    report = build(open_source(str(path)), PROMPT, out)
    assert report.rows == 3000
    assert built(out)[2999]["body"]["messages"][0]["content"] == 'say "2999",\nplease'
