"""Finds the row of a result line that has no id but repeats its request (Vertex AI).

Rows with the same request are interchangeable: each line of it goes to one of them that has no
line yet. A request that two different rows could be is not joined to either.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import msgspec

from tui.core.results.google.row_ids import (
    digest_of,
    exact_digest_of,
    id_of_line,
    request_of,
)
from tui.core.results.openai_lines import UnreadableLineError, decode_lenient
from tui.core.text import split_lines
from tui.store.rows.lookup import find_row_numbers

_AT_ONCE = 500


class _Rows(msgspec.Struct):
    """The ids and numbers of the rows of one request; ``exact`` is ``None`` if they differ."""

    rows: list[tuple[str, int]]
    exact: bytes | None


class RepeatedRequests:
    """The requests of one batch, by what they say. They are read when the first line needs it.

    Args:
        job: Primary key of the job.
        batch: Primary key of the batch.
        files: The files that the requests may be in; the first one that exists is read.
    """

    def __init__(self, job: int, batch: int, files: tuple[Path, ...]) -> None:
        self._job = job
        self._batch = batch
        self._files = files
        self._rows: dict[str, _Rows] | None = None
        self._given: set[int] = set()

    def row_of(self, connection: sqlite3.Connection, repeated_id: str) -> tuple[str, int] | None:
        """The id and the number of a line's row; ``None`` if no row fits.

        Args:
            connection: In the transaction that stores the line.
            repeated_id: What the reader found; see ``id_of_line``.
        """
        if self._rows is None:
            self._rows = self._read(connection)
        rows = self._rows.get(repeated_id.rpartition(":")[2])
        if rows is None or rows.exact is None:
            return None
        free = (row for row in rows.rows if not self._has_line(connection, row[1]))
        # A second line of one row is a duplicate of it.
        found = next(free, rows.rows[-1])
        self._given.add(found[1])
        return found

    def forget_given(self) -> None:
        """Forget which rows got a line: the transaction that stored them was rolled back."""
        self._given.clear()

    def _has_line(self, connection: sqlite3.Connection, seq: int) -> bool:
        if seq in self._given:
            return True
        return any(
            connection.execute(
                f"SELECT 1 FROM {table} WHERE job=? AND seq=? AND batch=? AND file IS NOT NULL",
                (self._job, seq, self._batch),
            ).fetchone()
            for table in ("results", "attempts")
        )

    def _read(self, connection: sqlite3.Connection) -> dict[str, _Rows]:
        found: dict[str, _Rows] = {}
        waiting: dict[str, Any] = {}

        def settle() -> None:
            for custom_id, seq in find_row_numbers(connection, self._job, list(waiting)).items():
                request = waiting[custom_id]
                exact = exact_digest_of(request)
                rows = found.setdefault(digest_of(request), _Rows([], exact))
                rows.rows.append((custom_id, seq))
                if rows.exact != exact:
                    rows.exact = None
            waiting.clear()

        path = next((path for path in self._files if path.exists()), None)
        if path is None:
            return found
        with path.open("rb") as stream:
            for _, line in split_lines(stream):
                try:
                    value = decode_lenient(line)
                except UnreadableLineError:
                    continue
                request = _request_in(value)
                custom_id = id_of_line(value) if request is not None else None
                if custom_id is not None:
                    waiting[custom_id] = request
                if len(waiting) >= _AT_ONCE:
                    settle()
        settle()
        for rows in found.values():
            rows.rows.sort(key=lambda row: row[1])
        return found


def _request_in(value: Any) -> dict[str, Any] | None:
    """The request of a row that was sent, or of one in the common form."""
    if not isinstance(value, dict):
        return None
    body = value.get("body")
    return request_of(value) or (body if isinstance(body, dict) else None)
