"""Row numbers of ids, and strings that many rows share, stored once and found by number."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

import msgspec

from tui.store.database import chunked

_AHEAD_ROWS = 2000
_MAX_CACHED = 20_000
"""Maximum number of cached ids; bounds the memory when results arrive far out of order."""

_decode_ids = msgspec.json.Decoder(list[str]).decode


class RowLookup:
    """Finds the row numbers of ids, and reads ahead in the requests.

    Providers return results roughly in input order. So the ids that follow in the input are
    read in one query and cached; an id that is not among them is looked up in the index.

    Args:
        job_pk: The job.
        start: Row number where the results probably begin; a wrong guess only costs time.
    """

    def __init__(self, job_pk: int, start: int) -> None:
        self._job = job_pk
        self._next: int | None = start
        self._ahead: dict[str, int] = {}

    def find(self, connection: sqlite3.Connection, ids: Iterable[str]) -> dict[str, int]:
        """Row numbers by id; ids that the job does not have are left out."""
        wanted = list(ids)
        found: dict[str, int] = {}
        missing = self._pop_cached(wanted, found)
        while missing and self._next is not None and len(self._ahead) < _MAX_CACHED:
            before = len(missing)
            self._read_ahead(connection)
            missing = self._pop_cached(missing, found)
            if len(missing) == before:
                break
        found |= find_row_numbers(connection, self._job, missing)
        if len(missing) > len(wanted) // 2:
            # The results are not in input order: reading ahead does not help.
            self._next = None
            self._ahead.clear()
        return found

    def _pop_cached(self, ids: list[str], found: dict[str, int]) -> list[str]:
        take = self._ahead.pop
        taken = {one: seq for one in ids if (seq := take(one, None)) is not None}
        found |= taken
        return [] if len(taken) == len(ids) else [one for one in ids if one not in found]

    def _read_ahead(self, connection: sqlite3.Connection) -> None:
        start = self._next
        assert start is not None
        # Fetched as one JSON text: fetching row by row takes twice as long.
        encoded, first, last = connection.execute(
            "SELECT json_group_array(custom_id), min(seq), max(seq) FROM requests"
            " WHERE job=? AND seq BETWEEN ? AND ?",
            (self._job, start, start + _AHEAD_ROWS - 1),
        ).fetchone()
        ids = _decode_ids(encoded)
        if first == start and last - first + 1 == len(ids):
            self._ahead.update(zip(ids, range(first, last + 1), strict=True))
        self._next = start + _AHEAD_ROWS if len(ids) == _AHEAD_ROWS else None


def find_row_numbers(
    connection: sqlite3.Connection, job_pk: int, ids: Sequence[str]
) -> dict[str, int]:
    """Row numbers by id, from the index; ids that the job does not have are left out."""
    found: dict[str, int] = {}
    for marks, part in chunked(ids):
        sql = f"SELECT custom_id, seq FROM requests WHERE job=? AND custom_id IN ({marks})"
        found.update(connection.execute(sql, (job_pk, *part)).fetchall())
    return found


class InternedStrings:
    """Maps strings to numbers and back, with a cache in memory."""

    def __init__(self) -> None:
        self._by_text: dict[str, int] = {}
        self._by_number: dict[int, str] = {}

    def number(self, connection: sqlite3.Connection, text: str | None) -> int | None:
        """The number of a string; a new one is stored, so call it in a transaction."""
        if text is None:
            return None
        number = self._by_text.get(text)
        if number is None:
            number = self._find(connection, text)
        return number

    def _find(self, connection: sqlite3.Connection, text: str) -> int:
        found = connection.execute("SELECT pk FROM terms WHERE text=?", (text,)).fetchone()
        if found is None:
            cursor = connection.execute("INSERT INTO terms (text) VALUES (?)", (text,))
            # Not cached: the transaction that stores it may still be rolled back.
            return int(cursor.lastrowid or 0)
        self._by_text[text] = found[0]
        return int(found[0])

    def text(self, connection: sqlite3.Connection, number: int | None) -> str | None:
        """The string with a number."""
        if number is None:
            return None
        text = self._by_number.get(number)
        if text is None:
            (text,) = connection.execute("SELECT text FROM terms WHERE pk=?", (number,)).fetchone()
            self._by_number[number] = text
        return text
