"""Cutting a job into batches that a provider takes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class PartLimits:
    """How much goes into one batch; 0 means as much as there is."""

    rows: int = 0
    size: int = 0


@dataclass(frozen=True)
class Part:
    """A run of rows that fits into one batch, both ends inclusive."""

    first_seq: int
    last_seq: int
    rows: int
    size: int


def plan_parts(places: Iterable[tuple[int, int]], limits: PartLimits) -> list[Part]:
    """Cut rows into parts, greedily and in order.

    Args:
        places: Sequence number and length in bytes of each request, in order.
        limits: Rows and bytes of a part.
    """
    parts: list[Part] = []
    first = last = -1
    rows = size = 0
    for seq, length in places:
        line = length + 1
        full = (limits.rows and rows >= limits.rows) or (
            limits.size and rows and size + line > limits.size
        )
        if full:
            parts.append(Part(first, last, rows, size))
            rows = size = 0
        if rows == 0:
            first = seq
        last = seq
        rows += 1
        size += line
    if rows:
        parts.append(Part(first, last, rows, size))
    return parts
