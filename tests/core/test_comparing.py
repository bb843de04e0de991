"""When two answers are the same, and what of them differs."""

from __future__ import annotations

import pytest

from tests.core.test_summary import row
from tui.core.comparing import CompareOptions, Kind, is_json, kind_of
from tui.core.outcome import Outcome

PLAIN = CompareOptions()


@pytest.mark.parametrize(
    ("left", "right", "options", "kind"),
    [
        ("a b", "a b", PLAIN, Kind.SAME),
        ("a b", "a  b", PLAIN, Kind.DIFFERENT),
        ("a b", " a\n b ", CompareOptions(ignore_space=True), Kind.SAME),
        ("a b", "ab", CompareOptions(ignore_space=True), Kind.DIFFERENT),
        ('{"a": 1, "b": [2]}', '{ "b":[2.0],"a":1 }', PLAIN, Kind.SAME),
        ('{"a": 1, "b": [2]}', '{"b":[2],"a":1}', CompareOptions(as_data=False), Kind.DIFFERENT),
        ('{"a": 1}', '{"a": true}', PLAIN, Kind.DIFFERENT),
        ('{"a": [1, 2]}', '{"a": [2, 1]}', PLAIN, Kind.DIFFERENT),
        ('{"a": 1}', '{"a": 1, "b": null}', PLAIN, Kind.DIFFERENT),
        ('{"a": "x y"}', '{"a": "x  y"}', CompareOptions(ignore_space=True), Kind.DIFFERENT),
        ('{"a": 1}', "a: 1", PLAIN, Kind.DIFFERENT),
    ],
)
def test_when_answers_are_the_same(
    left: str, right: str, options: CompareOptions, kind: Kind
) -> None:
    assert kind_of(row(left), row(right), options) is kind
    assert kind_of(row(right), row(left), options) is kind


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.PENDING, Outcome.MISSING])
def test_without_an_answer_there_is_nothing_to_compare(outcome: Outcome) -> None:
    assert kind_of(row("", outcome), row("", outcome), PLAIN) is Kind.UNANSWERED
    assert kind_of(row("a"), row("", outcome), PLAIN) is Kind.UNANSWERED
    assert is_json(row("{}", outcome)) is None


def test_a_truncated_answer_is_one() -> None:
    assert kind_of(row("a", Outcome.TRUNCATED), row("a"), PLAIN) is Kind.SAME
