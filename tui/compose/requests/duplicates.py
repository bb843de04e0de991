"""Find duplicate ids and repeated requests in bounded memory."""

from __future__ import annotations

from array import array
from collections.abc import Hashable, Sequence

_SMALLEST = 1 << 14
_LARGEST = 1 << 21


_MAX_IN_SET = 300_000
"""Up to this many ids are kept in a set: three times as fast, at 66 bytes per id."""


class DuplicateFinder:
    """Remembers the hashes of ids: in a set at first, in a hash table for many ids.

    The table has 8 bytes per slot, at most 16 MB, and two possible slots per hash. A hash
    that finds both slots taken goes to an overflow set, which stays small up to a million
    rows. Equal hashes of different ids are extremely unlikely but possible, so the caller
    verifies the suspects.

    Args:
        rows: The approximate number of ids.
    """

    def __init__(self, rows: int) -> None:
        size = _SMALLEST
        while size < 4 * rows and size < _LARGEST:
            size *= 2
        self._size = size
        self._set: set[int] | None = set()
        self._mask = size - 1
        self._table: array[int] = array("q")
        self._overflow: set[int] = set()

    def add(self, ids: Sequence[Hashable]) -> list[int]:
        """Add ids and return the positions of those that may have been added before."""
        if self._set is None:
            return [slot for slot, key in enumerate(map(hash, ids)) if not self._add_to_table(key)]
        if self.add_if_all_new(ids):
            return []
        return [slot for slot, key in enumerate(ids) if not self.add_if_new(key)]

    def add_if_all_new(self, ids: Sequence[Hashable]) -> bool:
        """Add the ids if all of them are certainly new; otherwise add none and return false."""
        hashes = self._set
        if hashes is None:
            return False
        new = set(map(hash, ids))
        if len(new) != len(ids) or not hashes.isdisjoint(new):
            return False
        hashes |= new
        if len(hashes) > _MAX_IN_SET:
            self._use_table()
        return True

    def add_if_new(self, key: Hashable) -> bool:
        """Add one id; false if it was, or may have been, added before."""
        hashed = hash(key)
        hashes = self._set
        if hashes is None:
            return self._add_to_table(hashed)
        if hashed in hashes:
            return False
        hashes.add(hashed)
        if len(hashes) > _MAX_IN_SET:
            self._use_table()
        return True

    def _use_table(self) -> None:
        """Move the hashes from the set to the table."""
        hashes, self._set = self._set or set(), None
        self._table = array("q", bytes(8 * self._size))
        for key in hashes:
            self._add_to_table(key)

    def _add_to_table(self, hashed: int) -> bool:
        table, mask = self._table, self._mask
        slot = hashed & mask
        taken = table[slot]
        if not taken:
            table[slot] = hashed
            return True
        if taken != hashed:
            slot = (hashed >> 32) & mask
            taken = table[slot]
            if not taken:
                table[slot] = hashed
                return True
        if taken == hashed or hashed in self._overflow:
            return False
        self._overflow.add(hashed)
        return True
