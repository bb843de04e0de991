from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.core.grouping import pattern_of


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Limit 20000, used 19,500. Try again in 1.2s", "Limit 30, used 7. Try again in 600s"),
        ("Request req_011CSHo failed", "Request req_9XYZ-a failed"),
        ("row 6ba7b810-9dad-11d1-80b4-00c04fd430c8", "row 00000000-0000-0000-0000-000000000000"),
        ("hash 0123456789abcdef", "hash fedcba98765432100"),
        ("at 12:03:44", "at 7"),
    ],
)
def test_numbers_and_ids_do_not_part_messages(one: str, other: str) -> None:
    assert pattern_of(one) == pattern_of(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("max_tokens is required", "messages is required"),
        ("defaced facade", "defaced decade"),
        ("The model `a` does not exist", "The model `b` does not exist"),
    ],
)
def test_words_part_messages(one: str, other: str) -> None:
    assert pattern_of(one) != pattern_of(other)


def test_long_messages_are_compared_by_their_beginning() -> None:
    assert pattern_of("x" * 400 + "a") == pattern_of("x" * 400 + "b")


@given(st.text(max_size=600))
def test_any_message_has_a_short_pattern(message: str) -> None:
    assert len(pattern_of(message)) <= 400


def test_hostile_messages_take_no_time() -> None:
    for message in ("a" * 100_000, "1" * 100_000, "req_" * 30_000, "0a" * 50_000, "-" * 100_000):
        assert len(pattern_of(message)) <= 400
