"""Facets: how often each value of a column occurs, and how its numbers are distributed."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence

import msgspec

from tui.core.analysis.columns import as_number
from tui.core.formatting import counted

MOST_VALUES = 200
"""Values that a facet lists; the others are counted together."""

_BINS = 12
"""Bars of a histogram."""

_FEW_VALUES = 20
"""Numbers with more different values than this are shown as ranges."""


class FacetValue(msgspec.Struct, frozen=True):
    """A value of a column, and the number of rows that have it."""

    value: str
    rows: int


class Bin(msgspec.Struct, frozen=True):
    """A bar of a histogram: ``low`` is included, ``high`` only in the last bar."""

    low: float
    high: float
    rows: int


class Numbers(msgspec.Struct, frozen=True, kw_only=True):
    """The distribution of the numbers of a column.

    Attributes:
        count: Rows whose value is a number, or a text that is one.
        minimum: The smallest.
        lower_quartile: A quarter of the numbers are at most this.
        median: Half of the numbers are at most this.
        upper_quartile: Three quarters of the numbers are at most this.
        maximum: The largest.
        mean: The arithmetic mean.
        bins: A histogram of bars of equal width.
    """

    count: int
    minimum: float
    lower_quartile: float
    median: float
    upper_quartile: float
    maximum: float
    mean: float
    bins: tuple[Bin, ...] = ()


class Facet(msgspec.Struct, frozen=True, kw_only=True):
    """The values of a column among the rows of a selection.

    Attributes:
        column: The name of the column.
        rows: Rows of the selection.
        filled: Rows with a value.
        distinct: Number of different values; a lower bound if ``is_exact`` is false.
        is_exact: Whether every value was told apart.
        values: The commonest values, the most frequent first.
        others: Rows with a value that is not listed.
        types: Number of rows of each JSON type, such as ``{"string": 40, "number": 2}``.
        numbers: The distribution, if most of the values are numbers.
        is_whole: Whether all rows were read.
        failed: Rows of the whole job whose value could not be computed.
        problem: Why that of the first of them could not.
    """

    column: str
    rows: int
    filled: int
    distinct: int
    is_exact: bool = True
    values: tuple[FacetValue, ...] = ()
    others: int = 0
    types: dict[str, int] = {}
    numbers: Numbers | None = None
    is_whole: bool = True
    failed: int = 0
    problem: str = ""

    @property
    def missing(self) -> int:
        """Rows without a value."""
        return self.rows - self.filled

    @property
    def ranges(self) -> tuple[Bin, ...]:
        """The bars of the histogram if they say more than the values, which are too many."""
        if self.numbers is None or len(self.numbers.bins) < 2 or self.distinct <= _FEW_VALUES:
            return ()
        return self.numbers.bins

    @property
    def shown_values(self) -> tuple[FacetValue, ...]:
        """The values that are shown one by one: all that are listed, or those in no range."""
        if not self.ranges:
            return self.values
        return tuple(value for value in self.values if as_number(value.value) is None)

    def rest(self, most: int = MOST_VALUES) -> int:
        """Rows with a value that is not in the ranges nor among the first shown values."""
        in_ranges = sum(one.rows for one in self.ranges)
        return self.filled - in_ranges - sum(value.rows for value in self.shown_values[:most])

    def rest_name(self, most: int = MOST_VALUES) -> str:
        """What those values are called, such as ``(12 other values)``."""
        if not self.is_exact or self.ranges:
            return "(other values)"
        return f"({counted(self.distinct - len(self.values[:most]), 'other value')})"


class ColumnInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A column that the rows of a job have.

    Attributes:
        column: Its name.
        kind: ``fact``, ``input``, ``field`` or ``derived``.
        filled: Share of the sampled rows that have a value, from 0 to 1; ``None`` if not sampled.
        help: A line about it; may be empty.
    """

    column: str
    kind: str
    filled: float | None = None
    help: str = ""


def distribution(pairs: Iterable[tuple[float, int]]) -> Numbers | None:
    """The distribution of numbers; ``None`` without any.

    Args:
        pairs: Numbers, and how often each occurs; not-a-number and infinity are left out.
    """
    ordered = sorted((number, rows) for number, rows in pairs if math.isfinite(number) and rows)
    if not ordered:
        return None
    count = sum(rows for _, rows in ordered)
    low, high = ordered[0][0], ordered[-1][0]
    quartiles = _quantiles(ordered, [_place(count, part) for part in (0.25, 0.5, 0.75)])
    return Numbers(
        count=count,
        minimum=low,
        lower_quartile=quartiles[0],
        median=quartiles[1],
        upper_quartile=quartiles[2],
        maximum=high,
        mean=_mean(ordered, count),
        bins=_histogram(ordered, low, high),
    )


def _mean(ordered: Sequence[tuple[float, int]], count: int) -> float:
    # Divided first, and halved, so that no sum of large numbers overflows.
    half = math.fsum(number / 2 * (rows / count) for number, rows in ordered)
    return min(max(2 * half, ordered[0][0]), ordered[-1][0])


def _place(count: int, part: float) -> int:
    """The place of a quantile among sorted numbers, from 1."""
    return max(1, math.ceil(count * part))


def _quantiles(ordered: Sequence[tuple[float, int]], places: list[int]) -> list[float]:
    found: list[float] = []
    passed = 0
    for number, rows in ordered:
        passed += rows
        while len(found) < len(places) and passed >= places[len(found)]:
            found.append(number)
    return found


def _histogram(ordered: Sequence[tuple[float, int]], low: float, high: float) -> tuple[Bin, ...]:
    width = (high - low) / _BINS
    if not math.isfinite(width) or low + width == low:
        return (Bin(low, high, sum(rows for _, rows in ordered)),)
    # Compared with the bounds themselves, as a filter by them does.
    edges = [low, *(low + width * place for place in range(1, _BINS))]
    rows_of = [0] * _BINS
    for number, rows in ordered:
        rows_of[bisect_right(edges, number) - 1] += rows
    return tuple(map(Bin, edges, [*edges[1:], high], rows_of))
