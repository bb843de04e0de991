"""Finding ids that occur twice, in a memory that does not grow with the file."""

from __future__ import annotations

from array import array
from collections.abc import Iterable

_SMALLEST = 1 << 14
_LARGEST = 1 << 21


class DuplicateFinder:
    """A table of 64-bit hashes with two places for each id.

    It holds 8 bytes a place, at most 16 MB. Hashes that find both places taken go to an
    overflow, which stays small up to a million rows (and holds what is beyond). Equal hashes
    of different ids are as good as impossible, and yet the caller looks at the suspects
    again, so that the answer is exact.

    Args:
        rows: How many ids to expect, about.
    """

    def __init__(self, rows: int) -> None:
        size = _SMALLEST
        while size < 4 * rows and size < _LARGEST:
            size *= 2
        self._mask = size - 1
        self._table = array("q", bytes(8 * size))
        self._overflow: set[int] = set()

    def add(self, ids: Iterable[str | None]) -> list[int]:
        """Take in more ids; the answer holds the positions of those that were there before."""
        table, mask, overflow = self._table, self._mask, self._overflow
        suspects: list[int] = []
        for position, key in enumerate(map(hash, ids)):
            place = key & mask
            taken = table[place]
            if not taken:
                table[place] = key
                continue
            if taken != key:
                place = (key >> 32) & mask
                taken = table[place]
                if not taken:
                    table[place] = key
                    continue
                if taken != key and key not in overflow:
                    overflow.add(key)
                    continue
            suspects.append(position)
        return suspects

    def is_new(self, key: str) -> bool:
        """Take in one more id; false when it was there before, or may have been."""
        hashed = hash(key)
        table, mask = self._table, self._mask
        place = hashed & mask
        taken = table[place]
        if not taken:
            table[place] = hashed
            return True
        if taken != hashed:
            place = (hashed >> 32) & mask
            taken = table[place]
            if not taken:
                table[place] = hashed
                return True
        if taken == hashed or hashed in self._overflow:
            return False
        self._overflow.add(hashed)
        return True
