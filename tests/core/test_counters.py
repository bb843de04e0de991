"""Counting in a bounded memory, against counting with all the room there is."""

from __future__ import annotations

from collections import Counter as Exact

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.core.counters import (
    STOP_WORDS,
    BoundedCounter,
    DistributionBuilder,
    _edge,
    _slot,
    words_of,
)


@given(st.lists(st.text(max_size=2)))
def test_few_values_are_counted_exactly(values: list[str]) -> None:
    counter = BoundedCounter(1000)
    counter.add(values)
    tally = counter.tally(1000)
    assert dict(tally.items) == Exact(values)
    assert (tally.total, tally.exact, tally.rest) == (len(values), True, 0)


@given(st.lists(st.integers(0, 30).map(str), max_size=300))
def test_many_values_are_never_counted_too_often(values: list[str]) -> None:
    counter = BoundedCounter(3)
    counter.add(values)
    tally = counter.tally(2)
    exact = Exact(values)
    assert tally.total == len(values)
    assert all(count <= exact[value] for value, count in tally.items)
    assert tally.rest == len(values) - sum(count for _, count in tally.items) >= 0
    if tally.exact:
        assert tally.distinct == len(exact)
    assert counter.distinct <= 6


def test_what_is_frequent_outlives_what_is_rare() -> None:
    counter = BoundedCounter(10)
    counter.add(["often"] * 50)
    counter.add(str(number) for number in range(1000))
    tally = counter.tally(1)
    assert tally.items == (("often", 50),)
    assert not tally.exact and tally.rest == 1000


@given(st.integers(0, 2**70))
def test_a_slot_holds_its_numbers(value: int) -> None:
    slot = _slot(value)
    assert _edge(slot) <= value < _edge(slot + 1)
    assert value < 64 or _edge(slot) >= value * 31 // 32


@given(st.lists(st.integers(0, 100_000), min_size=1))
def test_a_spread_holds_every_number_once(values: list[int]) -> None:
    numbers = DistributionBuilder()
    for value in values:
        numbers.add(value)
    spread = numbers.spread(10)
    assert sum(count for _, _, count in spread.bars) == spread.count == len(values)
    assert (spread.least, spread.most) == (min(values), max(values))
    assert spread.total == sum(values)
    assert len(spread.bars) <= 10
    edges = [low for low, _, _ in spread.bars] + [spread.bars[-1][1]]
    assert edges == sorted(edges) and edges[0] == min(values) and edges[-1] > max(values)
    median = sorted(values)[(len(values) - 1) // 2]
    assert spread.median is not None and spread.median <= median
    assert spread.median >= median * 31 // 32


def test_no_number_is_unknown_and_not_zero() -> None:
    spread = DistributionBuilder().spread()
    assert (spread.bars, spread.median) == ((), None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("It's GOOD, very-good! 12 times", ["it's", "good", "very-good", "times"]),
        ("Straße naïve 日本語", ["strasse", "naïve", "日本語"]),
        ("a_b 3x", ["a", "b", "x"]),
        ("", []),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert words_of(text) == words


def test_stop_words_are_left_out_only_when_asked() -> None:
    assert words_of("the good and the bad", STOP_WORDS) == ["good", "bad"]
