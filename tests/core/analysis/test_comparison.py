"""When two answers are the same, and what of them differs."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from tests.core.test_summary import row
from tui.core.analysis.comparison import (
    Change,
    CompareOptions,
    RowComparison,
    changes_between,
    compare_rows,
    is_json,
    text_changes,
    word_diff,
)
from tui.core.rows import Outcome

PLAIN = CompareOptions()


@pytest.mark.parametrize(
    ("left", "right", "options", "kind"),
    [
        ("a b", "a b", PLAIN, RowComparison.SAME),
        ("a b", "a  b", PLAIN, RowComparison.DIFFERENT),
        ("a b", " a\n b ", CompareOptions(ignore_space=True), RowComparison.SAME),
        ("a b", "ab", CompareOptions(ignore_space=True), RowComparison.DIFFERENT),
        ('{"a": 1, "b": [2]}', '{ "b":[2.0],"a":1 }', PLAIN, RowComparison.SAME),
        (
            '{"a": 1, "b": [2]}',
            '{"b":[2],"a":1}',
            CompareOptions(as_data=False),
            RowComparison.DIFFERENT,
        ),
        ('{"a": 1}', '{"a": true}', PLAIN, RowComparison.DIFFERENT),
        ('{"a": [1, 2]}', '{"a": [2, 1]}', PLAIN, RowComparison.DIFFERENT),
        ('{"a": 1}', '{"a": 1, "b": null}', PLAIN, RowComparison.DIFFERENT),
        (
            '{"a": "x y"}',
            '{"a": "x  y"}',
            CompareOptions(ignore_space=True),
            RowComparison.DIFFERENT,
        ),
        ('{"a": 1}', "a: 1", PLAIN, RowComparison.DIFFERENT),
    ],
)
def test_when_answers_are_the_same(
    left: str, right: str, options: CompareOptions, kind: RowComparison
) -> None:
    assert compare_rows(row(left), row(right), options) is kind
    assert compare_rows(row(right), row(left), options) is kind


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.PENDING, Outcome.MISSING])
def test_without_an_answer_there_is_nothing_to_compare(outcome: Outcome) -> None:
    assert compare_rows(row("", outcome), row("", outcome), PLAIN) is RowComparison.UNANSWERED
    assert compare_rows(row("a"), row("", outcome), PLAIN) is RowComparison.UNANSWERED
    assert is_json(row("{}", outcome)) is None


def test_a_truncated_answer_is_one() -> None:
    assert compare_rows(row("a", Outcome.TRUNCATED), row("a"), PLAIN) is RowComparison.SAME


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


def test_words_that_differ() -> None:
    assert word_diff("the good end", "the bad end") == [
        ("same", "the"),
        ("removed", " good"),
        ("added", " bad"),
        ("same", " end"),
    ]
    assert word_diff("", "x") == [("added", "x")]
    assert word_diff("", "") == []


texts = st.text(st.sampled_from("ab \n\t"), max_size=60) | st.text(max_size=30)


@given(texts, texts)
def test_the_pieces_make_both_texts(left: str, right: str) -> None:
    pieces = word_diff(left, right)
    assert pieces is not None
    assert "".join(text for which, text in pieces if which != "added") == left
    assert "".join(text for which, text in pieces if which != "removed") == right


def test_long_texts_are_compared_by_lines_and_giants_not_at_all() -> None:
    left = "\n".join(f"line {n} of it" for n in range(1000))
    pieces = word_diff("x\n" + left + "\ny", "z\n" + left.replace("of it", "of that") + "\ny")
    assert pieces is not None and pieces[-1] == ("same", "y")
    assert word_diff("a\n" * 5000, "b\n" * 5000) is None


@given(texts, texts)
def test_short_texts_are_told_whole(before: str, after: str) -> None:
    assert text_changes(before, after, context=10_000) == word_diff(before, after)


def test_what_is_shared_is_shortened() -> None:
    pieces = text_changes("a " * 100 + "x" + " b" * 100, "a " * 100 + "y" + " b" * 100, context=3)
    assert pieces == [("same", "…a a"), ("removed", " x"), ("added", " y"), ("same", " b …")]
    middle = text_changes("x" + " m" * 50 + " y", "u" + " m" * 50 + " v", context=4)
    assert middle[2] == ("same", " m m… m m")


def test_texts_too_long_to_compare_go_and_come_as_wholes() -> None:
    before, after = "a\n" * 5000, "b\n" * 5000
    assert text_changes(before, after) == [("removed", before), ("added", after)]
