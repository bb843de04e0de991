from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui.core.results.json_stream import ArraySplitter


def split(document: bytes, size: int, *keys: str) -> tuple[list[Any], ArraySplitter]:
    splitter = ArraySplitter(*(keys or ("results",)))
    lines = [
        line
        for start in range(0, len(document), size)
        for line in splitter.feed(document[start : start + size])
    ]
    assert all(b"\n" not in line and b"\r" not in line for line in lines)
    return [json.loads(line) for line in lines], splitter


TRICKY = {
    "id": "b",
    "note": 'a "results":[{"not": 1}] in text \\',
    "inner": {"results": [{"not": 2}]},
    "request_counts": {"total": 2},
    "results": [
        {"custom_id": "a", "x": '}]{["\\"', "deep": [[{"y": {}}], []]},
        {"custom_id": "b", "results": [1, 2], "z": "é\u2028\n"},
    ],
    "after": ["results", [1]],
}


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 10_000])
def test_rows_are_cut_out_and_the_rest_is_kept(indent: int | None, size: int) -> None:
    document = json.dumps(TRICKY, indent=indent, ensure_ascii=False).encode()
    rows, splitter = split(document, size)
    assert rows == TRICKY["results"]
    assert json.loads(splitter.rest) == {**TRICKY, "results": []}
    assert splitter.complete
    assert splitter.found


def test_a_bare_array_and_other_keys() -> None:
    rows, splitter = split(b' [ {"a": 1}, null, 3, "x", {"b": 2} ] ', 4)
    assert rows == [{"a": 1}, {"b": 2}]
    assert splitter.complete
    assert split(b'{"outputs": [{"a": 1}]}', 5, "results", "outputs")[0] == [{"a": 1}]


@pytest.mark.parametrize(
    "document", [b'{"results": null}', b'{"results": {"a": [1]}}', b'{"x": 1}', b"{}"]
)
def test_no_array(document: bytes) -> None:
    rows, splitter = split(document, 3)
    assert rows == []
    assert not splitter.found
    assert splitter.complete
    assert json.loads(splitter.rest) == json.loads(document)


def test_an_empty_array_is_found() -> None:
    rows, splitter = split(b'{"results":[]}', 3)
    assert rows == []
    assert splitter.found


@pytest.mark.parametrize("end", [5, 20, 40])
def test_a_document_that_breaks_off_is_not_complete(end: int) -> None:
    document = json.dumps({"id": "b", "results": [{"a": 1}, {"b": 2}], "x": 1}).encode()
    assert not split(document[:end], 3)[1].complete


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(st.dictionaries(st.text(), json_values, max_size=3), max_size=4),
    around=st.dictionaries(st.text().filter(lambda key: key != "results"), json_values, max_size=3),
    size=st.integers(1, 40),
    indent=st.sampled_from([None, 1]),
)
def test_any_document(
    rows: list[Any], around: dict[str, Any], size: int, indent: int | None
) -> None:
    value = {**around, "results": rows, "end": 1}
    found, splitter = split(json.dumps(value, indent=indent).encode(), size)
    assert found == rows
    assert json.loads(splitter.rest) == {**value, "results": []}
