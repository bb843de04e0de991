"""Rows that are far larger than the others, found in one pass and a memory that stays small."""

from __future__ import annotations

import heapq
from collections import Counter

ODD = 50
"""How many times the median a row has to be to look like a mistake."""

_KEPT = 20
_FEWEST = 5
_DISTINCT = 4096
_BLANK = 2
"""Lines up to this length, with their end, hold no row."""


class Sizes:
    """Takes in the lengths of all lines and keeps the largest ones with their numbers.

    Lengths are counted exactly as long as there are few different ones, and to within two
    per cent from there on.
    """

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()
        self._largest: list[tuple[int, int]] = []
        self._least = 0

    def add(self, lengths: list[int], first_line: int) -> None:
        """Take in the lengths, in bytes, of lines that follow each other."""
        self._counts.update(lengths)
        if len(self._counts) > _DISTINCT:
            self._round()
        if max(lengths) > self._least:
            for number, length in enumerate(lengths, first_line):
                if length > self._least:
                    self._keep(length, number)

    def odd(self) -> tuple[int, int, list[tuple[int, int]]]:
        """The median, how many rows are ``ODD`` times as large, and the largest of these.

        The rows come as line numbers and lengths, in the order of the lines.
        """
        median = self._median()
        most = median * ODD
        if not median:
            return 0, 0, []
        listed = sorted((number, size) for size, number in self._largest if size > most)
        count = sum(times for size, times in self._counts.items() if size > most)
        return median, max(count, len(listed)), listed

    def _keep(self, length: int, number: int) -> None:
        # Of rows of the same size, the first ones are kept.
        if len(self._largest) < _KEPT:
            heapq.heappush(self._largest, (length, number))
        else:
            heapq.heapreplace(self._largest, (length, number))
        if len(self._largest) == _KEPT:
            self._least = self._largest[0][0]

    def _round(self) -> None:
        rounded: Counter[int] = Counter()
        for size, times in self._counts.items():
            low_bits = max(size.bit_length() - 7, 0)
            rounded[size >> low_bits << low_bits] += times
        self._counts = rounded

    def _median(self) -> int:
        """The lower median of the rows; 0 when there are too few to speak of one."""
        sizes = sorted((size, times) for size, times in self._counts.items() if size > _BLANK)
        rows = sum(times for _, times in sizes)
        if rows < _FEWEST:
            return 0
        left = (rows + 1) // 2
        for size, times in sizes:
            left -= times
            if left <= 0:
                return size
        return 0
