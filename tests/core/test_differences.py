from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from tui.core.differences import Change, changes_between, text_changes

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 2, "b": 3}, [Change("a", 1, 2), Change("b", UNSET, 3)]),
        ({"a": 1, "b": 2}, {"b": 2}, [Change("a", 1, UNSET)]),
        ({"a": [1, {"x": 2}]}, {"a": [1, {"x": 3}]}, [Change("a.1.x", 2, 3)]),
        ({"a": ["u"]}, {"a": ["s", "u"]}, [Change("a.0", UNSET, "s")]),
        ({"a": ["s", "u"]}, {"a": ["u"]}, [Change("a.0", "s", UNSET)]),
        ({"a": 1}, {"a": True}, [Change("a", 1, True)]),
        (1, {"a": 1}, [Change("", 1, {"a": 1})]),
    ],
)
def test_places_that_differ(before: Any, after: Any, changes: list[Change]) -> None:
    assert changes_between(before, after) == changes


@given(JSON, JSON)
def test_there_are_changes_just_when_values_differ(before: Any, after: Any) -> None:
    same = repr(before) == repr(after)
    assert (changes_between(before, after) == []) == same or before == after
    assert changes_between(before, before) == []


def test_values_as_deep_as_can_be_are_compared() -> None:
    deep: Any = 1
    other: Any = 2
    for _ in range(500):
        deep, other = [deep], [other]
    assert len(changes_between(deep, other)) == 1


@given(st.text(), st.text())
def test_both_texts_can_be_read_from_their_changes(before: str, after: str) -> None:
    pieces = text_changes(before, after, context=10_000)
    assert "".join(text for side, text in pieces if side != "added") == before
    assert "".join(text for side, text in pieces if side != "removed") == after


def test_what_is_shared_is_shortened() -> None:
    pieces = text_changes("a" * 100 + "x" + "b" * 100, "a" * 100 + "y" + "b" * 100, context=3)
    assert pieces == [("same", "…aaa"), ("removed", "x"), ("added", "y"), ("same", "bbb…")]
