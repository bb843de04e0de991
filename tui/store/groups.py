"""Error groups: rows that failed alike share one record."""

from __future__ import annotations

import sqlite3

from tui.core.grouping import pattern_of
from tui.core.jobs import ErrorGroup
from tui.core.rows import RowError

NO_STATUS = -1
"""Stands for an error that came without an HTTP status."""

_KEPT = 2000
"""Characters of a group's message; the rows keep their own words in their files."""


class Groups:
    """Finds or makes the group of an error within one job, inside one transaction."""

    def __init__(self, connection: sqlite3.Connection, job_pk: int) -> None:
        self._connection = connection
        self._job = job_pk
        self._known: dict[tuple[int, str, str], int] = {}
        self._by_message: dict[tuple[int, str, str], int] = {}

    def number(self, http_status: int | None, error: RowError) -> int:
        """The group's row number."""
        status = NO_STATUS if http_status is None else http_status
        code = error.code or ""
        exact = (status, code, error.message)
        number = self._by_message.get(exact)
        if number is None:
            key = (status, code, pattern_of(error.message))
            number = self._known.get(key)
            if number is None:
                number = self._known[key] = self._find(key, error)
            if len(self._by_message) < 1000:
                self._by_message[exact] = number
        return number

    def _find(self, key: tuple[int, str, str], error: RowError) -> int:
        values = (self._job, *key)
        self._connection.execute(
            "INSERT OR IGNORE INTO error_groups (job, http_status, code, pattern, message,"
            " retryable) VALUES (?,?,?,?,?,?)",
            (*values, error.message[:_KEPT], error.retryable),
        )
        (number,) = self._connection.execute(
            "SELECT pk FROM error_groups WHERE job=? AND http_status=? AND code=? AND pattern=?",
            values,
        ).fetchone()
        return int(number)


def read_groups(connection: sqlite3.Connection, job_pk: int) -> list[ErrorGroup]:
    """The groups that have rows now, the largest first."""
    rows = connection.execute(
        "SELECT g.pk, g.http_status, g.code, g.message, g.retryable, c.n, r.custom_id"
        " FROM (SELECT error_group, count(*) AS n, min(seq) AS first FROM results"
        "       WHERE job=:job AND outcome>1 AND error_group IS NOT NULL GROUP BY error_group) c"
        " JOIN error_groups g ON g.pk=c.error_group"
        " JOIN requests r ON r.job=:job AND r.seq=c.first"
        " ORDER BY c.n DESC, g.pk",
        {"job": job_pk},
    ).fetchall()
    return [
        ErrorGroup(
            id=row[0],
            http_status=None if row[1] == NO_STATUS else row[1],
            code=row[2] or None,
            message=row[3],
            retryable=None if row[4] is None else bool(row[4]),
            count=row[5],
            example_custom_id=row[6],
        )
        for row in rows
    ]
