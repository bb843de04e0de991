"""Samples of rows that are the same each time: a seed and the row numbers decide."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from tui.errors import UsageError

MAX_STRATA = 1000
"""Most different values of a column that a sample can be stratified by."""


@dataclass(frozen=True)
class Stratum:
    """The rows with one value of the column that a sample is stratified by.

    Attributes:
        value: The value.
        rows: How many rows have it.
        chosen: How many of them are in the sample.
    """

    value: str
    rows: int
    chosen: int


def sample_rows(seqs: Iterable[int], size: int, seed: int) -> list[int]:
    """Choose rows at random, in random order.

    The place of a row in the order depends on the seed and its number alone. So each beginning of
    a sample is a sample, and a larger one begins with the smaller one.

    Args:
        seqs: Row numbers.
        size: How many to choose; all of them if there are fewer.
        seed: Another number gives another sample.
    """
    return [seq for _, seq in heapq.nsmallest(size, ((_place(seed, seq), seq) for seq in seqs))]


def sample_strata(
    rows: Iterable[tuple[int, str]], size: int, seed: int
) -> tuple[list[int], list[Stratum]]:
    """Choose the same number of rows with each value, as far as there are so many.

    What rare values cannot fill is left to the others.

    Args:
        rows: Row numbers, each with the value of the column.
        size: How many rows to choose.
        seed: Another number gives another sample.

    Returns:
        The chosen rows in random order, and the values, the most frequent first.

    Raises:
        UsageError: The column has too many different values.
    """
    counts: dict[str, int] = {}
    # The rows that come first, as a heap with the last of them on top.
    first: dict[str, list[tuple[int, int]]] = {}
    for seq, value in rows:
        if value not in counts and len(counts) == MAX_STRATA:
            raise UsageError(
                f"the column has more than {MAX_STRATA:,} different values",
                "Choose a column with fewer values.",
            )
        counts[value] = counts.get(value, 0) + 1
        heap = first.setdefault(value, [])
        entry = (-_place(seed, seq), seq)
        if len(heap) < size:
            heapq.heappush(heap, entry)
        else:
            heapq.heappushpop(heap, entry)
    chosen: list[tuple[int, int]] = []
    quotas = _quotas(counts, size)
    for value, heap in first.items():
        best = sorted(((-place, seq) for place, seq in heap))
        chosen += best[: quotas[value]]
    strata = [Stratum(value, count, quotas[value]) for value, count in counts.items()]
    strata.sort(key=lambda stratum: (-stratum.rows, stratum.value))
    return [seq for _, seq in sorted(chosen)], strata


def _quotas(counts: dict[str, int], size: int) -> dict[str, int]:
    """How many rows of each value: equal shares, the rarest values first."""
    quotas: dict[str, int] = {}
    left = size
    values: Sequence[str] = sorted(counts, key=lambda value: (counts[value], value))
    for index, value in enumerate(values):
        quotas[value] = min(counts[value], left // (len(values) - index))
        left -= quotas[value]
    return quotas


def _place(seed: int, seq: int) -> int:
    return int.from_bytes(blake2b(b"%d:%d" % (seed, seq), digest_size=8).digest(), "big")
