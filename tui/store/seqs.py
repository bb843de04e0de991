"""From a ``custom_id`` to its place in the job, fast where results come nearly in order."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

import msgspec

_AHEAD = 2000
_MOST = 20_000
"""Ids held at once: what bounds the memory when results come far out of order."""

_AT_ONCE = 500

_decode_ids = msgspec.json.Decoder(list[str]).decode


class SeqFinder:
    """Finds the sequence numbers of ids, reading the requests along with the results.

    Providers answer roughly in the order of the input. So the ids that come next in the
    input are read in one sweep and held; an id that is not among them is looked up in the
    index, which is right for any order.

    Args:
        job_pk: The job.
        start: About where the results begin; a wrong guess costs time only.
    """

    def __init__(self, job_pk: int, start: int) -> None:
        self._job = job_pk
        self._next: int | None = start
        self._ahead: dict[str, int] = {}

    def find(self, connection: sqlite3.Connection, ids: Iterable[str]) -> dict[str, int]:
        """The sequence numbers of those ids that the job has."""
        wanted = list(ids)
        found: dict[str, int] = {}
        missing = self._take(wanted, found)
        while missing and self._next is not None and len(self._ahead) < _MOST:
            before = len(missing)
            self._read_ahead(connection)
            missing = self._take(missing, found)
            if len(missing) == before:
                break
        found |= look_up(connection, self._job, missing)
        if len(missing) > len(wanted) // 2:
            # Not in the order of the input at all: holding ids ahead is of no use.
            self._next = None
            self._ahead.clear()
        return found

    def _take(self, ids: list[str], found: dict[str, int]) -> list[str]:
        take = self._ahead.pop
        taken = {one: seq for one in ids if (seq := take(one, None)) is not None}
        found |= taken
        return [] if len(taken) == len(ids) else [one for one in ids if one not in found]

    def _read_ahead(self, connection: sqlite3.Connection) -> None:
        start = self._next
        assert start is not None
        # As one JSON text: row by row, Python would take twice as long to fetch them.
        listed, first, last = connection.execute(
            "SELECT json_group_array(custom_id), min(seq), max(seq) FROM requests"
            " WHERE job=? AND seq BETWEEN ? AND ?",
            (self._job, start, start + _AHEAD - 1),
        ).fetchone()
        ids = _decode_ids(listed)
        if first == start and last - first + 1 == len(ids):
            self._ahead.update(zip(ids, range(first, last + 1), strict=True))
        self._next = start + _AHEAD if len(ids) == _AHEAD else None


def look_up(connection: sqlite3.Connection, job_pk: int, ids: Sequence[str]) -> dict[str, int]:
    """The sequence numbers of those ids that the job has, from the index."""
    found: dict[str, int] = {}
    for start in range(0, len(ids), _AT_ONCE):
        part = ids[start : start + _AT_ONCE]
        marks = ",".join("?" * len(part))
        found.update(
            connection.execute(
                f"SELECT custom_id, seq FROM requests WHERE job=? AND custom_id IN ({marks})",
                (job_pk, *part),
            ).fetchall()
        )
    return found
