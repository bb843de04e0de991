"""Money has one form, wherever it is shown."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.compose.estimate import Estimate
from tui.core.jobs import Cost
from tui.core.money import cost_words, money
from tui.engine.budgeting import cost_range


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
    assert cost_words(Cost()) == "-"
    assert cost_words(Cost(estimated=1.0)) == "~$1.00"
    assert cost_words(Cost(estimated=1.0, actual=2.0)) == "$2.00"
    assert cost_words(Cost(told=0.25)) == "~$0.25"


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
    )
    if not calibrated or low is None:
        assert cost_range(estimate) == words
        return
    expected = "<$0.0001" if low < 0.0001 else "about $" + f"{low:.2f}"
    assert cost_range(estimate).startswith(expected)
    if high == 4.8:
        assert cost_range(estimate) == f"{expected}, at most $4.80"
