"""Counting without end in a memory that has one: values by number, numbers by size."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """How often which value came up, the most frequent first.

    ``total`` is the number of all values. ``distinct`` is how many different ones are known,
    of which only the first are in ``items``; ``rest`` is the number of values that are not in
    ``items``. When ``exact`` is false there were too many different ones to count each from
    its first: counts are then at least what they say, and so is ``distinct``.
    """

    items: tuple[tuple[str, int], ...] = ()
    total: int = 0
    distinct: int = 0
    exact: bool = True

    @property
    def rest(self) -> int:
        """How many values are not among ``items``."""
        return self.total - sum(count for _, count in self.items)


class Counter:
    """Counts values, of which it holds a bounded number.

    When there are more, the rare ones are forgotten; they are still in the total.

    Args:
        most: How many different values are held.
    """

    def __init__(self, most: int = 10_000) -> None:
        self._most = most
        self._counts: dict[str, int] = {}
        self._total = 0
        self._forgotten = 0

    def add(self, values: Iterable[str]) -> None:
        """Count some values."""
        counts = self._counts
        for value in values:
            counts[value] = counts.get(value, 0) + 1
            self._total += 1
            if len(counts) > 2 * self._most:
                self._forget()

    def _forget(self) -> None:
        kept = sorted(self._counts.items(), key=lambda item: -item[1])[: self._most]
        self._forgotten += len(self._counts) - len(kept)
        self._counts.clear()
        self._counts.update(kept)

    @property
    def distinct(self) -> int:
        """How many different values are held."""
        return len(self._counts)

    def tally(self, most: int) -> Tally:
        """What was counted, with the ``most`` most frequent values named."""
        ordered = sorted(self._counts.items(), key=lambda item: (-item[1], item[0]))
        return Tally(
            items=tuple(ordered[:most]),
            total=self._total,
            distinct=len(ordered),
            exact=not self._forgotten,
        )


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """How numbers are spread: bars of equal width, and the usual figures.

    ``bars`` are lower edge, upper edge (exclusive) and number; the last one also holds
    everything above. ``median`` and ``p95`` are right to 3 %. All is ``None`` or empty
    without a number.
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
    """The number of the slot of a value; small values have one each, large ones share."""
    shift = max(0, value.bit_length() - _FINE_BITS - 1)
    return shift * _FINE + (value >> shift)


def _edge(slot: int) -> int:
    """The smallest value of a slot."""
    if slot < 2 * _FINE:
        return slot
    shift = slot // _FINE - 1
    return (slot - shift * _FINE) << shift


class Numbers:
    """Takes whole numbers from 0 on, and remembers about how they are spread."""

    def __init__(self) -> None:
        self._slots: dict[int, int] = {}
        self._count = self._total = 0
        self._least: int | None = None
        self._most: int | None = None

    def add(self, value: int) -> None:
        """Take a number; one below 0 counts as 0."""
        value = max(0, value)
        slot = _slot(value)
        self._slots[slot] = self._slots.get(slot, 0) + 1
        self._count += 1
        self._total += value
        self._least = value if self._least is None else min(self._least, value)
        self._most = value if self._most is None else max(self._most, value)

    def spread(self, bars: int = 24) -> Spread:
        """How the numbers are spread, in so many bars at the most."""
        if self._least is None or self._most is None:
            return Spread()
        # A few giants must not press all others into the first bar.
        top = min(self._most, 2 * self._quantile(0.98))
        width = max(1, -(-(top - self._least + 1) // bars))
        number = -(-(top - self._least + 1) // width)
        heights = [0] * number
        for slot, count in self._slots.items():
            place = (max(_edge(slot), self._least) - self._least) // width
            heights[min(place, number - 1)] += count
        edges = [self._least + width * place for place in range(number + 1)]
        edges[-1] = max(edges[-1], self._most + 1)
        return Spread(
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


def as_text(value: Any) -> str:
    """A scalar of JSON as the name of a label."""
    if isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()
