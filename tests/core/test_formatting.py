"""Numbers, money, sizes and times have one form, wherever they are shown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.compose.estimate import Estimate
from tui.core import formatting
from tui.core.formatting import describe_cost, format_cost, money
from tui.core.jobs import Cost
from tui.engine.costs.budget import cost_text


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        (None, "-"),
        (0, "$0.00"),
        (12.345, "$12.35"),
        (1234.5, "$1,234.50"),
        (0.5, "$0.50"),
        (0.05, "$0.05"),
        (0.004, "$0.004"),
        (0.0012345, "$0.0012"),
        (0.99999, "$1.00"),
        (0.00000123, "<$0.0001"),
    ],
)
def test_dollars(amount: float | None, words: str) -> None:
    assert money(amount) == words


def test_other_currencies() -> None:
    assert money(1234.5, "EUR") == "€1,234.50"
    assert money(2, "CHF") == "2.00 CHF"
    assert money(0.00001, "CHF") == "<0.0001 CHF"


@given(st.floats(min_value=0, max_value=1e9, allow_nan=False))
def test_what_costs_something_never_looks_free(amount: float) -> None:
    words = money(amount)
    assert re.fullmatch(r"<?\$[\d,]+\.\d{2,4}", words)
    shown = float(words.lstrip("<$").replace(",", ""))
    assert (shown > 0) == (amount > 0)
    assert shown == pytest.approx(amount, abs=0.0001 if amount < 1 else 0.0051)


def test_costs_of_jobs() -> None:
    assert format_cost(Cost()) == "-"
    assert format_cost(Cost(estimated=1.0)) == "~$1.00"
    assert format_cost(Cost(estimated=1.0, actual=2.0)) == "$2.00"
    assert format_cost(Cost(told=0.25)) == "~$0.25"
    assert describe_cost(Cost()) == ""
    assert describe_cost(Cost(estimated=0.5, told=0.25)) == "~$0.50; provider quote $0.25"
    assert describe_cost(Cost(estimated=0.5, actual=0.25)) == "$0.25"


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (None, None, "unknown"),
        (0.2, 4.8, "$0.20 to $4.80"),
        (0.00001, 4.8, "up to $4.80"),
        (0.5, 0.5, "$0.50"),
        (0.00001, 0.00002, "<$0.0001"),
        (0.5, None, "at least $0.50, with no upper bound"),
        (0.00001, None, "unknown, with no upper bound"),
    ],
)
@pytest.mark.parametrize("calibrated", [False, True])
def test_ranges(low: float | None, high: float | None, words: str, calibrated: bool) -> None:
    estimate = Estimate(
        currency="USD",
        low=low,
        high=high,
        input_tokens=1,
        output_tokens_low=1,
        output_tokens_high=1,
        exact_prices=True,
        models=(),
        notes=(),
        calibrated=calibrated,
        usual=low,
    )
    if not calibrated or low is None:
        assert cost_text(estimate) == words
        return
    expected = "<$0.0001" if low < 0.0001 else "about $" + f"{low:.2f}"
    assert cost_text(estimate).startswith(expected)
    if high == 4.8:
        assert cost_text(estimate) == f"{expected}, at most $4.80"


@pytest.mark.parametrize(
    ("seconds", "long", "short", "words", "exact"),
    [
        (0.4, "0s", "now", "0 s", "0 s"),
        (59, "59s", "59s", "59 s", "59 s"),
        (61, "1m", "1m", "1 min", "1 min"),
        (3700, "1h 1m", "1h", "1 h", "1 h 1 min"),
        (7200, "2h", "2h", "2 h", "2 h"),
        (90_000, "1d 1h", "1d", "1 day", "1 day 1 h"),
        (1e6, "11d", "11d", "11 days", "11 days 13 h"),
        (-5, "0s", "now", "0 s", "0 s"),
    ],
)
def test_durations(seconds: float, long: str, short: str, words: str, exact: str) -> None:
    assert formatting.duration(seconds) == long
    assert formatting.age(seconds) == short
    assert formatting.span(seconds) == words
    assert formatting.span(seconds, exact=True) == exact


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (950, "950"), (9_500, "9.5k"), (999_960, "1.0M"), (120_000, "120k")],
)
def test_short_numbers_have_at_most_five_characters(value: float, text: str) -> None:
    assert formatting.short_number(value) == text


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [(0, 10, "0%"), (1, 1000, "<1%"), (999, 1000, "99%"), (10, 10, "100%"), (1, 0, "0%")],
)
def test_a_share_is_whole_only_when_it_is(part: int, whole: int, text: str) -> None:
    assert formatting.percent(part, whole) == text


@pytest.mark.parametrize(
    ("octets", "text"),
    [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (2_500_000, "2.5 MB"), (3e9, "3.0 GB")],
)
def test_sizes(octets: float, text: str) -> None:
    assert formatting.size(octets) == text


def test_numbers_and_nouns() -> None:
    assert formatting.number(None) == "-"
    assert formatting.number(1204) == "1,204"
    assert formatting.counted(1, "row") == "1 row"
    assert formatting.counted(1204, "row") == "1,204 rows"
    assert formatting.counted(2, "fix", "fixes") == "2 fixes"


def test_times() -> None:
    assert formatting.relative_time(None, 0) == ""
    assert formatting.relative_time(0, 7200) == "1970-01-01T00:00:00Z (2 h ago)"
    assert formatting.relative_time(60, 0) == "1970-01-01T00:01:00Z (in 1 min)"
    assert formatting.local_time(None) == ""
    assert len(formatting.local_time(0)) == 16
    assert len(formatting.local_time(0, seconds=True)) == 19


def test_paths_are_cut_at_the_start() -> None:
    assert formatting.short_path(Path.home() / "a" / "b", 20) == "~/a/b"
    assert formatting.short_path(Path("/one/two/three"), 6) == "…three"
