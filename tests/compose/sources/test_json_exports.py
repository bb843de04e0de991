"""JSON as other programs write it: no cell is lost, and what is doubtful is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.compose.rows import written
from tests.compose.sources.test_kinds import opened, rows
from tui.compose.requests.recognition import recognize
from tui.errors import InputError

ROWS = [{"id": 1, "t": "a"}, {"id": 2, "t": "b"}]
NAMED = [{"key": "007", "t": "a", "n": 1.5}, {"key": "x9", "t": "b", "n": 2}]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS)


@pytest.mark.parametrize(
    "value",
    [
        {"t": {"007": "a", "x9": "b"}, "n": {"007": 1.5, "x9": 2}},
        {"columns": ["t", "n"], "index": ["007", "x9"], "data": [["a", 1.5], ["b", 2]]},
        {"007": {"t": "a", "n": 1.5}, "x9": {"t": "b", "n": 2}},
    ],
)
@pytest.mark.parametrize("indent", [None, 1])
def test_the_names_of_rows_are_kept(tmp_path: Path, value: Any, indent: int | None) -> None:
    source = opened(tmp_path, "t.json", json.dumps(value, indent=indent))
    assert rows(source) == NAMED
    assert "column 'key'" in source.notes[0]
    found = recognize(tmp_path / "t.json")
    assert "compose" in found.can
    assert "not rows" not in found.what


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"t": {"5": "a", "7": "b"}}, [{"key": "5", "t": "a"}, {"key": "7", "t": "b"}]),
        ({"t": {"0": "a", "1": "b"}}, [{"t": "a"}, {"t": "b"}]),
        ({"0": {"t": "a"}}, [{"key": "0", "t": "a"}]),
        ({"007": "a", "008": "b"}, [{"key": "007", "value": "a"}, {"key": "008", "value": "b"}]),
        (
            {"name": "t", "index": ["x", "y"], "data": ["a", "b"]},
            [{"key": "x", "t": "a"}, {"key": "y", "t": "b"}],
        ),
        (
            {"columns": ["t", "key"], "index": ["x"], "data": [["a", "b"]]},
            [{"index": "x", "t": "a", "key": "b"}],
        ),
        (
            {"columns": ["key", "index", "row_name"], "index": ["x"], "data": [["a", "b", "c"]]},
            [{"row_name-2": "x", "key": "a", "index": "b", "row_name": "c"}],
        ),
        ({"a": "x", "b": "y"}, [{"a": "x", "b": "y"}]),
    ],
)
def test_series_and_tables_of_pandas(tmp_path: Path, value: Any, expected: Any) -> None:
    assert rows(opened(tmp_path, "t.json", json.dumps(value))) == expected


def test_a_table_of_pandas_without_rows(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no rows"):
        opened(tmp_path, "t.json", '{"columns":["a"],"index":[],"data":[]}')


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.json", '// made today\n[\n {"id":1,"t":"a"}, // first\n /* x */ {"id":2,"t":"b"},\n]'),
        ("t.json", '[{"id":1,"t":"a",},{"id":2,"t":"b"},]'),
        ("t.jsonc", '/* c */\n{"data":[{"id":1,"t":"a"},{"id":2,"t":"b"},],}\n'),
        ("t.json", '{"data":[{"id":1,"t":"a"},\n{"id":2,"t":"b"},],}\n'),
        ("t.jsonl", '{"id":1,"t":"a",}\n{"id":2,"t":"b"}\n'),
        ("t.jsonl", f"# made today\n{LINES}// end\n"),
        ("t.jsonl", LINES + "\0" * 300),
        ("t.jsonl", LINES.replace("\n", "\n" + "\0" * 40 + "\n", 1)),
    ],
)
def test_what_is_not_strict_is_read(tmp_path: Path, name: str, content: str) -> None:
    assert rows(opened(tmp_path, name, content)) == ROWS


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("t.json", '[{"id":1},{"id":2,}]', "commas before a closing bracket, left out"),
        ("t.jsonl", f"# made today\n{LINES}", "1 comment skipped"),
        ("t.jsonl", LINES + "\0" * 300, "300 NUL bytes (first: line 3)"),
        ("t.jsonl", '{"id":1,"t":"a","t":"b"}\n' + LINES, "an object has a name twice ('t')"),
        ("t.json", '[{"id":1,"id":2}]', "an object has a name twice ('id')"),
    ],
)
def test_what_is_not_strict_is_said(tmp_path: Path, name: str, content: str, said: str) -> None:
    source = opened(tmp_path, name, content)
    rows(source)
    assert any(said in doubt for doubt in (*source.doubts, *source.late_doubts()))


def test_a_comment_far_inside_an_array(tmp_path: Path) -> None:
    table = [{"id": n, "t": "https://a.org/*x*/,]"} for n in range(3000)]
    lines = [json.dumps(row) + ("," if row["id"] < 2999 else ", // the last") for row in table]
    source = opened(tmp_path, "t.json", "[\n" + "\n".join(lines) + "\n]")
    assert rows(source) == table
    assert "left out" in source.late_doubts()[0]


def test_utf_32_is_text(tmp_path: Path) -> None:
    assert rows(opened(tmp_path, "t.jsonl", LINES.encode("utf-32"))) == ROWS


def test_a_file_that_was_cut_off(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"line 3 of 't\.jsonl'") as caught:
        rows(opened(tmp_path, "t.jsonl", LINES + '{"id":3,"t":"c'))
    assert "cut off" in caught.value.hint


@pytest.mark.parametrize("start", ["var data = ", "window.YTD.tweets.part0 = ", "callback("])
def test_javascript_is_named(tmp_path: Path, start: str) -> None:
    with pytest.raises(InputError, match="is JavaScript") as caught:
        opened(tmp_path, "t.json", start + json.dumps(ROWS))
    assert "before the first [" in caught.value.hint


@pytest.mark.parametrize(
    "row",
    [
        {"id": 1, "url": "https://a.org", "title": "T", "text": "x"},
        {"title": "T", "body": "it fails"},
        {"url": "https://a.org", "body": "the article"},
        {"custom_id": "a", "text": "x"},
    ],
)
def test_columns_with_the_names_of_a_request_make_no_request(tmp_path: Path, row: Any) -> None:
    found = recognize(written(tmp_path, (json.dumps(row) + "\n").encode() * 3, "t.jsonl"))
    assert (found.kind, "compose" in found.can) == ("rows", True)


@pytest.mark.parametrize(
    "row",
    [
        {"custom_id": "a", "body": "{}"},
        {"body": {"model": "m"}},
        {"method": "POST", "url": "/v1/chat/completions"},
    ],
)
def test_what_was_meant_as_a_request_is_checked_as_one(tmp_path: Path, row: Any) -> None:
    found = recognize(written(tmp_path, (json.dumps(row) + "\n").encode() * 3, "t.jsonl"))
    assert found.kind == "requests"
