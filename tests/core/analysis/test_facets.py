"""The distribution of numbers against the standard library."""

from __future__ import annotations

import math
import statistics
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tui.core.analysis.facets import distribution

NUMBERS = st.lists(
    st.floats(allow_nan=True, allow_infinity=True) | st.integers(-5, 5).map(float), max_size=40
)


@given(NUMBERS)
@example([1.7976931348623157e308] * 3)
@example([1.7976931348623157e308, -1.7976931348623157e308, 5e-324])
def test_the_distribution_of_numbers(numbers: list[float]) -> None:
    found = distribution((number, 1) for number in numbers)
    finite = sorted(number for number in numbers if math.isfinite(number))
    if not finite:
        assert found is None
        return
    assert found is not None
    assert found.count == len(finite)
    assert (found.minimum, found.maximum) == (finite[0], finite[-1])
    assert found.median == statistics.median_low(finite)
    assert found.minimum <= found.lower_quartile <= found.median <= found.upper_quartile
    mean = float(sum(map(Fraction, finite)) / len(finite))
    assert math.isclose(found.mean, mean, rel_tol=1e-9, abs_tol=max(map(abs, finite)) * 1e-12)
    assert sum(one.rows for one in found.bins) == len(finite)
    assert found.bins[0].low == finite[0]
    assert found.bins[-1].high == finite[-1]


def test_numbers_that_occur_often() -> None:
    found = distribution([(1, 3), (5, 1)])
    assert found is not None
    assert (found.count, found.lower_quartile, found.median, found.mean) == (4, 1, 1, 2)
    assert [(one.low, one.rows) for one in found.bins if one.rows] == [
        (1, 3),
        (pytest.approx(1 + 4 * 11 / 12), 1),
    ]


@given(st.lists(st.integers(0, 2500).map(lambda number: number / 1000), min_size=2))
def test_a_bar_counts_what_lies_between_its_bounds(numbers: list[float]) -> None:
    found = distribution((number, 1) for number in numbers)
    assert found is not None
    *bars, last = found.bins
    for one in bars:
        assert one.rows == sum(one.low <= number < one.high for number in numbers)
    assert last.rows == sum(last.low <= number <= last.high for number in numbers)


def test_a_bar_is_that_of_its_bounds_though_a_division_rounds() -> None:
    numbers = [0.14, 9.46, 1.6933333333333342, *(number / 10 for number in range(2, 94))]
    for low in range(-30, 30):
        found = distribution((low / 7 + number, 1) for number in numbers)
        assert found is not None
        for one in found.bins[:-1]:
            assert one.rows == sum(one.low <= low / 7 + number < one.high for number in numbers)
