"""Error groups: rows that failed alike share one record."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tui.core.grouping import class_of, group_key, pattern_of
from tui.core.jobs import ErrorGroup
from tui.core.outcome import OUTCOME_CODES, OUTCOMES, Outcome
from tui.core.rows import RowError

NO_STATUS = -1
"""Stands for an error that came without an HTTP status."""

_KEPT = 2000
"""Characters of a group's message; the rows keep their own words in their files."""

_IDS_AT_ONCE = 500

_NO_REASON = ("stop", "end_turn", "completed")

_SILENT = {
    Outcome.TRUNCATED: "The answer was cut off at its greatest length",
    Outcome.REFUSED: "The model or the provider's filter declined to answer",
}
"""What is said of rows that came with an answer, and so without an error."""


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


def ids_of_keys(connection: sqlite3.Connection, job_pk: int, keys: Collection[str]) -> list[int]:
    """The ids of the groups that have these keys; words for outcomes give negative ones."""
    found = [-OUTCOME_CODES[outcome] for outcome in Outcome if outcome.value in keys]
    for pk, status, code, pattern in connection.execute(
        "SELECT pk, http_status, code, pattern FROM error_groups WHERE job=?", (job_pk,)
    ):
        if group_key(_status(status), code, pattern) in keys:
            found.append(pk)
    return found


def read_groups(connection: sqlite3.Connection, job_pk: int) -> list[ErrorGroup]:
    """The groups that have rows now, the largest first; in a thread for large jobs."""
    parts = _parts(connection, job_pk)
    (total,) = connection.execute("SELECT total FROM jobs WHERE pk=?", (job_pk,)).fetchone()
    records = {
        record[0]: record[1:]
        for record in connection.execute(
            "SELECT pk, http_status, code, pattern, message, retryable FROM error_groups"
            " WHERE job=?",
            (job_pk,),
        )
    }
    examples = _ids(connection, job_pk, [part.first for part in parts.values()])
    seen, older = _seen(connection, job_pk), _older(connection, job_pk)
    groups = []
    for number, part in parts.items():
        first, last = _span(seen, part.batches | older.get(number, set()))
        record = records.get(number)
        told = _silent(connection, part) if record is None else _spoken(record, part.outcome)
        groups.append(
            ErrorGroup(
                id=number,
                count=part.count,
                share=part.count / total if total else 0.0,
                example_custom_id=examples.get(part.first, ""),
                first_seen=first,
                last_seen=last,
                **told,
            )
        )
    return sorted(groups, key=lambda group: (-group.count, group.id))


@dataclass
class _Part:
    """What the rows of a group have in common."""

    count: int
    first: int
    outcome: Outcome
    finish: int | None
    batches: set[int]


def _parts(connection: sqlite3.Connection, job_pk: int) -> dict[int, _Part]:
    ranges = _ranges(connection, job_pk)
    parts: dict[int, _Part] = {}
    for group, code, batches, count, first in (
        _counted_by_row(connection, job_pk)
        if ranges is None
        else _counted_by_range(connection, job_pk, ranges)
    ):
        number = -code if group is None else group
        part = parts.get(number)
        if part is None:
            part = parts[number] = _Part(count, first, OUTCOMES[code], None, batches)
        else:
            part.count += count
            part.first = min(part.first, first)
            part.batches |= batches
    for part in parts.values():
        (part.finish,) = connection.execute(
            "SELECT finish FROM results WHERE job=? AND seq=?", (job_pk, part.first)
        ).fetchone()
    return parts


_Counted = tuple[int | None, int, set[int], int, int]
"""Group, outcome, the batches that gave it, how many rows, and the first of them."""


def _ranges(connection: sqlite3.Connection, job_pk: int) -> list[tuple[int, int, int]] | None:
    """The batches of a job with the rows of each, where the rows tell the batch.

    ``None`` when some were sent again: then a row may have its answer from any batch.
    """
    batches = connection.execute(
        "SELECT pk, first_seq, last_seq, attempt FROM batches WHERE job=?", (job_pk,)
    ).fetchall()
    if any(first is None or last is None or attempt > 1 for _, first, last, attempt in batches):
        return None
    return [batch[:3] for batch in batches]


def _counted_by_row(connection: sqlite3.Connection, job_pk: int) -> Iterator[_Counted]:
    """Each row of a group is looked at for its batch."""
    for group, code, batch, count, first in connection.execute(
        "SELECT error_group, outcome, batch, count(*), min(seq)"
        " FROM results INDEXED BY results_to_look_at"
        " WHERE job=? AND outcome>1 GROUP BY error_group, outcome, batch",
        (job_pk,),
    ):
        yield group, code, {batch}, count, first


def _counted_by_range(
    connection: sqlite3.Connection, job_pk: int, ranges: Sequence[tuple[int, int, int]]
) -> Iterator[_Counted]:
    """The index alone is read: of a million rows that is a hundredth of the pages."""
    for group, code, first in _kinds(connection, job_pk):
        # One outcome as a range: with `=` SQLite goes by the other bound and compares each row.
        these = (
            "FROM results INDEXED BY results_to_look_at"
            " WHERE job=? AND error_group IS ? AND outcome BETWEEN ? AND ? AND outcome>1"
        )
        values = (job_pk, group, code, code)
        (count,) = connection.execute(f"SELECT count(*) {these}", values).fetchone()
        batches = {
            batch
            for batch, start, end in ranges
            if connection.execute(
                f"SELECT 1 {these} AND seq BETWEEN ? AND ? LIMIT 1", (*values, start, end)
            ).fetchone()
        }
        yield group, code, batches, count, first


def _kinds(connection: sqlite3.Connection, job_pk: int) -> Iterator[tuple[int | None, int, int]]:
    """Each group and outcome that rows have, with the first of these rows.

    From one to the next by the index: a GROUP BY would look at every row, which takes three
    times as long as counting them.
    """
    head = "SELECT error_group, outcome, seq FROM results INDEXED BY results_to_look_at WHERE job=?"
    tail = "AND outcome>1 ORDER BY error_group, outcome, seq LIMIT 1"
    within = f"{head} AND error_group IS ? AND outcome BETWEEN ?+1 AND {len(OUTCOMES)} {tail}"
    after = f"{head} AND error_group > coalesce(?, -1) {tail}"
    found = connection.execute(f"{head} {tail}", (job_pk,)).fetchone()
    while found is not None:
        yield found
        group, outcome, _ = found
        found = (
            connection.execute(within, (job_pk, group, outcome)).fetchone()
            or connection.execute(after, (job_pk, group)).fetchone()
        )


def _spoken(record: tuple[Any, ...], outcome: Outcome) -> dict[str, Any]:
    status, code, pattern, message, again = record
    retryable = None if again is None else bool(again)
    return {
        "key": group_key(_status(status), code, pattern),
        "http_status": _status(status),
        "code": code or None,
        "message": message,
        "retryable": retryable,
        "kind": class_of(outcome, _status(status), code, message, retryable),
    }


def _silent(connection: sqlite3.Connection, part: _Part) -> dict[str, Any]:
    """A group of rows without an error: what their outcome and finish reason say."""
    found = connection.execute("SELECT text FROM terms WHERE pk=?", (part.finish,)).fetchone()
    finish = None if found is None else str(found[0])
    return {
        "key": part.outcome.value,
        "http_status": None,
        # "It stopped" is no reason for what became of it.
        "code": None if finish in _NO_REASON else finish,
        "message": _SILENT.get(part.outcome, f"The row is {part.outcome.value}"),
        # Sent again as they are they end alike.
        "retryable": False,
        "kind": class_of(part.outcome, None, finish, "", False),
    }


def _older(connection: sqlite3.Connection, job_pk: int) -> dict[int, set[int]]:
    """The batches of attempts that are not shown any more, by the group that they gave."""
    found: dict[int, set[int]] = {}
    for group, code, batch in connection.execute(
        "SELECT DISTINCT error_group, outcome, batch FROM attempts WHERE job=? AND outcome>1",
        (job_pk,),
    ):
        found.setdefault(-code if group is None else group, set()).add(batch)
    return found


def _seen(connection: sqlite3.Connection, job_pk: int) -> dict[int, float]:
    return dict(
        connection.execute(
            "SELECT pk, coalesce(ended_at, progressed_at, submitted_at, created_at)"
            " FROM batches WHERE job=?",
            (job_pk,),
        ).fetchall()
    )


def _span(seen: dict[int, float], batches: set[int]) -> tuple[float | None, float | None]:
    times = [seen[batch] for batch in batches if batch in seen]
    return min(times, default=None), max(times, default=None)


def _ids(connection: sqlite3.Connection, job_pk: int, seqs: list[int]) -> dict[int, str]:
    found: dict[int, str] = {}
    for start in range(0, len(seqs), _IDS_AT_ONCE):
        part = seqs[start : start + _IDS_AT_ONCE]
        marks = ",".join("?" * len(part))
        found.update(
            connection.execute(
                f"SELECT seq, custom_id FROM requests WHERE job=? AND seq IN ({marks})",
                (job_pk, *part),
            ).fetchall()
        )
    return found


def _status(stored: int) -> int | None:
    return None if stored == NO_STATUS else stored
