"""Carrying out a filter and an order: from conditions to the sequence numbers of rows."""

from __future__ import annotations

import sqlite3
import time
from array import array
from collections.abc import Callable, Sequence
from typing import Any

from tui.core.filtering import RowFilter, RowSelection, RowSort
from tui.core.outcome import OUTCOME_CODES, Outcome
from tui.store.groups import NO_STATUS
from tui.store.searching import TextSearch

_SORTS = {
    "custom_id": "q.custom_id",
    "outcome": "coalesce(r.outcome, 0)",
    "code": "coalesce(g.code, ''), coalesce(g.http_status, 0)",
    "attempt": "coalesce(r.attempt, 1)",
    "input_tokens": "r.input_tokens",
    "output_tokens": "r.output_tokens",
    "cost": "r.cost",
}

Partial = Callable[[RowSelection], None]
"""Told, in the thread that selects, the rows found so far: the first at once, then the rest."""

_STEPS = 20_000
"""Steps of SQLite between two questions whether to go on: about a millisecond."""

_PARTIAL_SECONDS = 0.15
"""Between two tellings at the least."""

_PARTIAL_SHARE = 10
"""A telling may take one part in so many of the time."""


def select_rows(
    connection: sqlite3.Connection,
    job_pk: int,
    total: int,
    rows: RowFilter,
    order: RowSort,
    *,
    search: TextSearch | None = None,
    stop: Callable[[], bool] | None = None,
    partial: Partial | None = None,
) -> RowSelection:
    """The rows that a filter lets through, in order.

    Args:
        connection: For reading.
        job_pk: The job.
        total: Its number of requests.
        rows: The conditions; ``text`` is left to ``search``.
        order: The order.
        search: Looks for the text in the files.
        stop: Asked now and then; what was found so far is the answer.
        partial: Told what was found so far while the files are looked through.
    """
    plain = rows.error_group is None and not rows.code and not rows.outcomes
    if plain and order.column == "seq":
        everything = range(total - 1, -1, -1) if order.descending else range(total)
        seqs: Sequence[int] = everything
    else:
        sql, values = _query(job_pk, rows, order)
        seqs = _numbers(connection, sql, values, stop)
    if search is not None:
        teller = None if partial is None else _Teller(partial, total).look
        seqs = search.among(seqs, total, stop=stop, tell=teller)
    return RowSelection(seqs=seqs, total=total)


def _numbers(
    connection: sqlite3.Connection,
    sql: str,
    values: dict[str, Any],
    stop: Callable[[], bool] | None,
) -> array[int]:
    """The numbers that a query gives; none when it is stopped, for a sort has no first rows."""
    if stop is not None:
        connection.set_progress_handler(lambda: int(stop()), _STEPS)
    try:
        return array("q", (row[0] for row in connection.execute(sql, values)))
    except sqlite3.OperationalError:
        if stop is None or not stop():
            raise
        return array("q")
    finally:
        connection.set_progress_handler(None, 0)


class _Teller:
    """Tells what was found so far, but not more often than a screen can use it."""

    def __init__(self, partial: Partial, total: int) -> None:
        self._partial = partial
        self._total = total
        self._told = 0
        self._next = 0.0

    def look(self, found: Callable[[], Sequence[int]], count: int) -> None:
        """Tell, if there is something new and the time has come."""
        start = time.monotonic()
        if count == self._told or start < self._next:
            return
        self._told = count
        self._partial(RowSelection(seqs=found(), total=self._total))
        now = time.monotonic()
        self._next = now + max(_PARTIAL_SECONDS, (now - start) * _PARTIAL_SHARE)


def _query(job_pk: int, rows: RowFilter, order: RowSort) -> tuple[str, dict[str, Any]]:
    values: dict[str, Any] = {"job": job_pk}
    ended_badly = rows.outcomes and rows.outcomes.isdisjoint({Outcome.PENDING, Outcome.SUCCEEDED})
    inner = bool(ended_badly) or rows.error_group is not None or bool(rows.code)
    needs_groups = bool(rows.code) or order.column == "code"
    if inner:
        # `outcome > 1` word for word is what lets SQLite use the partial index; left to
        # itself it reads all rows of the job.
        source = "results r INDEXED BY results_to_look_at"
        where = ["r.job=:job", "r.outcome>1"]
        if order.column == "custom_id":
            source += " JOIN requests q ON q.job=r.job AND q.seq=r.seq"
        seq = "r.seq"
    else:
        source = "requests q LEFT JOIN results r ON r.job=q.job AND r.seq=q.seq"
        where = ["q.job=:job"]
        seq = "q.seq"
    if needs_groups:
        source += " LEFT JOIN error_groups g ON g.pk=r.error_group"
    if rows.outcomes:
        codes = ",".join(str(OUTCOME_CODES[outcome]) for outcome in sorted(rows.outcomes))
        where.append(f"coalesce(r.outcome, 0) IN ({codes})")
    if rows.error_group is not None:
        where.append("r.error_group=:group")
        values["group"] = rows.error_group
    if rows.code:
        where.append(
            "(g.code=:code OR (g.http_status<>:none AND CAST(g.http_status AS TEXT)=:code))"
        )
        values |= {"code": rows.code, "none": NO_STATUS}
    direction = " DESC" if order.descending else ""
    if order.column == "seq":
        by = f"{seq}{direction}"
    else:
        keys = _SORTS[order.column].split(", coalesce")
        columns = [keys[0], *(f"coalesce{key}" for key in keys[1:])]
        by = ", ".join(f"{column}{direction}" for column in columns) + f", {seq}"
    return f"SELECT {seq} FROM {source} WHERE {' AND '.join(where)} ORDER BY {by}", values
