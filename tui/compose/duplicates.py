"""Finding ids that occur twice, in a memory that does not grow with the file."""

from __future__ import annotations

from array import array
from collections.abc import Iterable

_SMALLEST = 1 << 14
_LARGEST = 1 << 21


_IN_A_SET = 300_000
"""Ids up to which a set of hashes is kept, which is three times as fast and takes 66 bytes each."""


class DuplicateFinder:
    """The hashes of ids: in a set at first, and for many in a table with two places for each.

    The table holds 8 bytes a place, at most 16 MB. Hashes that find both places taken go to an
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
        self._size = size
        self._few: set[int] | None = set()
        self._mask = size - 1
        self._table: array[int] = array("q")
        self._overflow: set[int] = set()

    def add(self, ids: Iterable[str | None]) -> list[int]:
        """Take in more ids; the answer holds the positions of those that were there before."""
        keys = list(map(hash, ids))
        few = self._few
        if few is None:
            return [place for place, key in enumerate(keys) if not self._is_new(key)]
        new = set(keys)
        if len(new) == len(keys) and few.isdisjoint(new):
            few |= new
            suspects: list[int] = []
        else:
            suspects = []
            for place, key in enumerate(keys):
                if key in few:
                    suspects.append(place)
                few.add(key)
        if len(few) > _IN_A_SET:
            self._spread()
        return suspects

    def are_new(self, ids: Iterable[str]) -> bool:
        """Take in ids of which surely none was there before; else false, and none is taken in."""
        few = self._few
        if few is None:
            return False
        keys = list(map(hash, ids))
        new = set(keys)
        if len(new) != len(keys) or not few.isdisjoint(new):
            return False
        few |= new
        if len(few) > _IN_A_SET:
            self._spread()
        return True

    def is_new(self, key: str) -> bool:
        """Take in one more id; false when it was there before, or may have been."""
        hashed = hash(key)
        few = self._few
        if few is None:
            return self._is_new(hashed)
        if hashed in few:
            return False
        few.add(hashed)
        if len(few) > _IN_A_SET:
            self._spread()
        return True

    def _spread(self) -> None:
        """Go over from the set to the table."""
        few, self._few = self._few or set(), None
        self._table = array("q", bytes(8 * self._size))
        for key in few:
            self._is_new(key)

    def _is_new(self, hashed: int) -> bool:
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
