"""Columns get the type that has room for all of their values, whatever the pages are."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui.client.frames.columns import (
    INTEGER,
    NOTHING,
    NUMBER,
    TEXT,
    ColumnType,
    TypedColumn,
    joined_type,
    schema_columns,
    type_of,
)
from tui.client.frames.libraries import Arrow, Dicts, FrameLibrary, Pandas, Polars

TYPES = [
    (None, NOTHING), ("a", TEXT), (1, INTEGER), (2**63, TEXT), (1.5, NUMBER),
    (True, ColumnType("boolean")), ({"a": 1}, TEXT), ([], ColumnType("null", True)),
    ([None, "a"], ColumnType("text", True)), ([1, 2.5], ColumnType("number", True)),
    ([1, "a"], TEXT), ([[1]], TEXT), ([{"a": 1}], TEXT), ([2**63], TEXT), ([True, 1], TEXT),
]  # fmt: skip


@pytest.mark.parametrize(("value", "kind"), TYPES, ids=lambda one: repr(one)[:30])
def test_a_value_has_a_type(value: Any, kind: ColumnType) -> None:
    assert type_of(value) == kind


def test_types_are_joined() -> None:
    texts, numbers = ColumnType("text", True), ColumnType("number", True)
    assert joined_type(INTEGER, NUMBER) == NUMBER
    assert joined_type(NOTHING, texts) == texts
    assert joined_type(ColumnType("null", True), texts) == texts
    assert joined_type(ColumnType("integer", True), numbers) == numbers
    assert joined_type(texts, numbers) == joined_type(texts, TEXT) == TEXT


LIBRARIES = [Polars, Pandas, Arrow, Dicts]
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.just(2**64) | st.just(0.5)
    | st.text("aé\0", max_size=2),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.just("k"), inner, max_size=1),
    max_leaves=4,
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(JSON_VALUES, min_size=1, max_size=3), max_size=3))
def test_every_column_can_be_made_and_no_value_is_lost(pages: list[list[Any]]) -> None:
    whole = [value for page in pages for value in page]
    for make in LIBRARIES:
        library: FrameLibrary = make()
        column = TypedColumn(library)
        for page in pages:
            column.add(page)
        found = library.values(column.finish())
        assert len(found) == len(whole)
        assert [one is None for one in found] == [one is None for one in whole]
        if all(isinstance(value, str | None) for value in whole):
            assert found == whole


@pytest.mark.parametrize("make", LIBRARIES)
def test_what_came_as_numbers_becomes_text_when_a_text_follows(make: type[Any]) -> None:
    library = make()
    column = TypedColumn(library, rows=1)
    for page in ([1, None], ["a"], [[1, 2]], [{"k": True}]):
        column.add(page)
    found = library.values(column.finish())
    assert found == [None, "1", None, "a", "[1,2]", '{"k":true}']


def test_a_schema_gives_columns_and_types() -> None:
    schema = {
        "type": "object",
        "properties": {
            "label": {"enum": ["a"]},
            "score": {"type": ["integer", "null"]},
            "tags": {"type": "array", "items": {"type": "string"}},
            "at": {"type": "object", "properties": {"city": {"type": "string"}}},
            "grid": {"type": "array", "items": {"type": "array"}},
            "odd": True,
        },
    }
    assert schema_columns(schema) == {
        "label": NOTHING,
        "score": INTEGER,
        "tags": ColumnType("text", True),
        "at.city": TEXT,
        "grid": NOTHING,
        "odd": NOTHING,
    }
    column = TypedColumn(Polars(), schema_columns(schema)["score"])
    assert column.finish().dtype == pl.Int64
    assert schema_columns(None) == schema_columns({"properties": []}) == {}
