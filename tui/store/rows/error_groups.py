"""Error groups: rows that failed for the same reason share one record."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import msgspec

from tui.core.jobs import ErrorGroup
from tui.core.retry_rules import classify_error, group_key, message_pattern
from tui.core.rows import OUTCOME_CODES, OUTCOMES, Outcome, RowError
from tui.store.database import chunked

NO_STATUS = -1
"""Stored for an error without an HTTP status."""

_MAX_MESSAGE = 2000
"""Maximum length of a group's message; the full message of each row is in its result file."""

_NORMAL_FINISH = ("stop", "end_turn", "completed")

_OUTCOME_MESSAGES = {
    Outcome.TRUNCATED: "Answer cut off at max_tokens",
    Outcome.REFUSED: "Refused by the model or the provider's content filter",
}
"""Messages of groups whose rows have an answer, and therefore no error."""


class Groups:
    """Finds or creates the error groups of one job, within one transaction."""

    def __init__(self, connection: sqlite3.Connection, job_pk: int) -> None:
        self._connection = connection
        self._job = job_pk
        self._by_pattern: dict[tuple[int, str, str], int] = {}
        self._by_exact_message: dict[tuple[int, str, str], int] = {}

    def number(self, http_status: int | None, error: RowError) -> int:
        """Primary key of the group of an error; the group is created if needed."""
        status = NO_STATUS if http_status is None else http_status
        code = error.code or ""
        exact = (status, code, error.message)
        number = self._by_exact_message.get(exact)
        if number is None:
            key = (status, code, message_pattern(error.message))
            number = self._by_pattern.get(key)
            if number is None:
                number = self._by_pattern[key] = self._find(key, error)
            if len(self._by_exact_message) < 1000:
                self._by_exact_message[exact] = number
        return number

    def _find(self, key: tuple[int, str, str], error: RowError) -> int:
        values = (self._job, *key)
        self._connection.execute(
            "INSERT OR IGNORE INTO error_groups (job, http_status, code, pattern, message,"
            " retryable) VALUES (?,?,?,?,?,?)",
            (*values, error.message[:_MAX_MESSAGE], error.retryable),
        )
        (number,) = self._connection.execute(
            "SELECT pk FROM error_groups WHERE job=? AND http_status=? AND code=? AND pattern=?",
            values,
        ).fetchone()
        return int(number)


def group_ids(connection: sqlite3.Connection, job_pk: int, keys: Collection[str]) -> list[int]:
    """Ids of the groups with these keys; keys that are outcomes give negative ids."""
    found = [-OUTCOME_CODES[outcome] for outcome in Outcome if outcome.value in keys]
    for pk, status, code, pattern in connection.execute(
        "SELECT pk, http_status, code, pattern FROM error_groups WHERE job=?", (job_pk,)
    ):
        if group_key(_status(status), code, pattern) in keys:
            found.append(pk)
    return found


def read_groups(connection: sqlite3.Connection, job_pk: int) -> list[ErrorGroup]:
    """Error groups that have rows now, the largest first; use a thread for large jobs."""
    parts = _read_figures(connection, job_pk)
    (total,) = connection.execute("SELECT total FROM jobs WHERE pk=?", (job_pk,)).fetchone()
    records = {
        record[0]: record[1:]
        for record in connection.execute(
            "SELECT pk, http_status, code, pattern, message, retryable FROM error_groups"
            " WHERE job=?",
            (job_pk,),
        )
    }
    examples: dict[int, str] = {}
    for marks, seqs in chunked(part.first for part in parts.values()):
        sql = f"SELECT seq, custom_id FROM requests WHERE job=? AND seq IN ({marks})"
        examples.update(connection.execute(sql, (job_pk, *seqs)).fetchall())
    times, hidden = _batch_times(connection, job_pk), _hidden_batches(connection, job_pk)
    groups = []
    for number, part in parts.items():
        first, last = _span(times, part.batches | hidden.get(number, set()))
        record = records.get(number)
        if record is None:
            fields = _describe_outcome(connection, part)
        else:
            fields = _describe_error(record, part.outcome)
        groups.append(
            ErrorGroup(
                id=number,
                count=part.count,
                share=part.count / total if total else 0.0,
                example_custom_id=examples.get(part.first, ""),
                first_seen=first,
                last_seen=last,
                **fields,
            )
        )
    return sorted(groups, key=lambda group: (-group.count, group.id))


class _Group(msgspec.Struct):
    """Figures of one group."""

    count: int
    first: int
    outcome: Outcome
    finish: int | None
    batches: set[int]


def _read_figures(connection: sqlite3.Connection, job_pk: int) -> dict[int, _Group]:
    ranges = _ranges(connection, job_pk)
    parts: dict[int, _Group] = {}
    for group, code, batches, count, first in (
        _counted_by_row(connection, job_pk)
        if ranges is None
        else _counted_by_range(connection, job_pk, ranges)
    ):
        number = -code if group is None else group
        part = parts.get(number)
        if part is None:
            part = parts[number] = _Group(count, first, OUTCOMES[code], None, batches)
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
"""Group id, outcome code, primary keys of its batches, number of rows, first row number."""


def _ranges(connection: sqlite3.Connection, job_pk: int) -> list[tuple[int, int, int]] | None:
    """Batches of a job with their first and last row number.

    ``None`` if the job has a retry: then the row number does not determine the batch.
    """
    batches = connection.execute(
        "SELECT pk, first_seq, last_seq, attempt FROM batches WHERE job=?", (job_pk,)
    ).fetchall()
    if any(first is None or last is None or attempt > 1 for _, first, last, attempt in batches):
        return None
    return [batch[:3] for batch in batches]


def _counted_by_row(connection: sqlite3.Connection, job_pk: int) -> Iterator[_Counted]:
    """Count groups by reading the batch of every row."""
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
    """Count groups from the index alone; reads 1 % of the pages for a million rows."""
    for group, code, first in _first_of_each(connection, job_pk):
        # The outcome as a range: with `=` SQLite uses `outcome>1` for the index, and compares
        # every row.
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


def _first_of_each(
    connection: sqlite3.Connection, job_pk: int
) -> Iterator[tuple[int | None, int, int]]:
    """Each combination of group and outcome, with its first row number.

    Skips from one to the next in the index: a GROUP BY reads every row, which takes three
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


def _describe_error(record: tuple[Any, ...], outcome: Outcome) -> dict[str, Any]:
    status, code, pattern, message, stored_retryable = record
    retryable = None if stored_retryable is None else bool(stored_retryable)
    return {
        "key": group_key(_status(status), code, pattern),
        "http_status": _status(status),
        "code": code or None,
        "message": message,
        "retryable": retryable,
        "kind": classify_error(outcome, _status(status), code, message, retryable),
    }


def _describe_outcome(connection: sqlite3.Connection, part: _Group) -> dict[str, Any]:
    """Fields of a group of rows without an error, from their outcome and finish reason."""
    found = connection.execute("SELECT text FROM terms WHERE pk=?", (part.finish,)).fetchone()
    finish = None if found is None else str(found[0])
    return {
        "key": part.outcome.value,
        "http_status": None,
        # A normal stop does not explain the outcome.
        "code": None if finish in _NORMAL_FINISH else finish,
        "message": _OUTCOME_MESSAGES.get(part.outcome, f"Outcome: {part.outcome.value}"),
        # Retried unchanged, they end in the same way.
        "retryable": False,
        "kind": classify_error(part.outcome, None, finish, "", False),
    }


def _hidden_batches(connection: sqlite3.Connection, job_pk: int) -> dict[int, set[int]]:
    """Batches of attempts that are not shown, by group id."""
    found: dict[int, set[int]] = {}
    for group, code, batch in connection.execute(
        "SELECT DISTINCT error_group, outcome, batch FROM attempts WHERE job=? AND outcome>1",
        (job_pk,),
    ):
        found.setdefault(-code if group is None else group, set()).add(batch)
    return found


def _batch_times(connection: sqlite3.Connection, job_pk: int) -> dict[int, float]:
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


def _status(stored: int) -> int | None:
    return None if stored == NO_STATUS else stored
