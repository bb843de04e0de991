"""Counters in bounded memory: frequent values, histograms, words of texts."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import msgspec


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of values, the most frequent first.

    ``total`` is the number of all values. ``distinct`` is the number of different values, of
    which only the most frequent are in ``items``; ``rest`` is the number of values that are
    not in ``items``. When ``exact`` is false, there were too many different values to count
    all: the counts and ``distinct`` are lower bounds.
    """

    items: tuple[tuple[str, int], ...] = ()
    total: int = 0
    distinct: int = 0
    exact: bool = True

    @property
    def rest(self) -> int:
        """Number of values that are not in ``items``."""
        return self.total - sum(count for _, count in self.items)


class BoundedCounter:
    """Counts values, keeping a bounded number of different ones.

    When there are more, the rarest are dropped; they stay in the total.

    Args:
        most: The number of different values to keep.
    """

    def __init__(self, most: int = 10_000) -> None:
        self._most = most
        self._counts: dict[str, int] = {}
        self._total = 0
        self._dropped = 0

    def add(self, values: Iterable[str]) -> None:
        """Count values."""
        counts = self._counts
        for value in values:
            counts[value] = counts.get(value, 0) + 1
            self._total += 1
            if len(counts) > 2 * self._most:
                self._drop_rarest()

    def _drop_rarest(self) -> None:
        kept = sorted(self._counts.items(), key=lambda item: -item[1])[: self._most]
        self._dropped += len(self._counts) - len(kept)
        self._counts.clear()
        self._counts.update(kept)

    @property
    def distinct(self) -> int:
        """Number of different values kept."""
        return len(self._counts)

    def tally(self, most: int) -> Tally:
        """The counts, with only the ``most`` most frequent values in ``items``."""
        ordered = sorted(self._counts.items(), key=lambda item: (-item[1], item[0]))
        return Tally(
            items=tuple(ordered[:most]),
            total=self._total,
            distinct=len(ordered),
            exact=not self._dropped,
        )


class Distribution(msgspec.Struct, frozen=True, kw_only=True):
    """Distribution of numbers: a histogram, and summary statistics.

    ``bars`` are (lower edge, exclusive upper edge, count); the last one includes everything
    above. ``median`` and ``p95`` are accurate to 3 %. Without numbers everything is ``None``
    or empty.
    """

    bars: tuple[tuple[int, int, int], ...] = ()
    count: int = 0
    total: int = 0
    least: int | None = None
    most: int | None = None
    median: int | None = None
    p95: int | None = None


_FINE_BITS = 5
_FINE = 1 << _FINE_BITS


def _slot(value: int) -> int:
    """The slot of a value; small values have a slot each, large values share one."""
    shift = max(0, value.bit_length() - _FINE_BITS - 1)
    return shift * _FINE + (value >> shift)


def _edge(slot: int) -> int:
    """The smallest value of a slot."""
    if slot < 2 * _FINE:
        return slot
    shift = slot // _FINE - 1
    return (slot - shift * _FINE) << shift


class DistributionBuilder:
    """Collects the approximate distribution of non-negative integers."""

    def __init__(self) -> None:
        self._slots: dict[int, int] = {}
        self._count = self._total = 0
        self._least: int | None = None
        self._most: int | None = None

    def add(self, value: int) -> None:
        """Add a number; negative numbers count as 0."""
        value = max(0, value)
        slot = _slot(value)
        self._slots[slot] = self._slots.get(slot, 0) + 1
        self._count += 1
        self._total += value
        self._least = value if self._least is None else min(self._least, value)
        self._most = value if self._most is None else max(self._most, value)

    def spread(self, bars: int = 24) -> Distribution:
        """The distribution, with at most ``bars`` bars."""
        if self._least is None or self._most is None:
            return Distribution()
        # A few outliers must not squeeze all others into the first bar.
        top = min(self._most, 2 * self._quantile(0.98))
        width = max(1, -(-(top - self._least + 1) // bars))
        number = -(-(top - self._least + 1) // width)
        heights = [0] * number
        for slot, count in self._slots.items():
            place = (max(_edge(slot), self._least) - self._least) // width
            heights[min(place, number - 1)] += count
        edges = [self._least + width * place for place in range(number + 1)]
        edges[-1] = max(edges[-1], self._most + 1)
        return Distribution(
            bars=tuple(zip(edges, edges[1:], heights, strict=False)),
            count=self._count,
            total=self._total,
            least=self._least,
            most=self._most,
            median=self._quantile(0.5),
            p95=self._quantile(0.95),
        )

    def _quantile(self, share: float) -> int:
        assert self._least is not None and self._most is not None
        wanted = share * self._count
        seen = 0
        for slot in sorted(self._slots):
            seen += self._slots[slot]
            if seen >= wanted:
                return min(max(_edge(slot), self._least), self._most)
        return self._most


def label_text(value: Any) -> str:
    """A JSON scalar as a label."""
    if isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()


_WORD = re.compile(r"[^\W\d_]+(?:['’\-][^\W\d_]+)*")

_COMMON_WORDS = (
    "a about after all also an and any are as at be because been but by can could did do does"
    " for from had has have he her his how i if in into is it its just may more most my no not"
    " of on one or other our out over own she should so some such than that the their them then"
    " there these they this those to too up very was we were what when which who will with would"
    " you your"
)

STOP_WORDS = frozenset(_COMMON_WORDS.split())
"""Common English words, left out of counts only on request."""


def words_of(text: str, stop: frozenset[str] = frozenset()) -> list[str]:
    """The words of a text, case-folded, without the stop words."""
    found = _WORD.findall(text.casefold())
    return [word for word in found if word not in stop] if stop else found
