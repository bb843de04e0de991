"""Carrying out a filter and an order: from conditions to the sequence numbers of rows."""

from __future__ import annotations

import sqlite3
import time
from array import array
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from tui.core.filtering import RowFilter, RowSelection, RowSort
from tui.core.outcome import OUTCOME_CODES, Outcome
from tui.store.conditions import needs_sql, query_of
from tui.store.searching import Stop, Tell

Partial = Callable[[RowSelection], None]
"""Told, in the thread that selects, the rows found so far: the first at once, then the rest."""

_STEPS = 20_000
"""Steps of SQLite's machine between two looks at whether to stop: about a millisecond."""

_PARTIAL_SECONDS = 0.15
"""Between two tellings at the least."""

_PARTIAL_SHARE = 10
"""A telling may take one part in so many of the time."""


class Search(Protocol):
    """Finds rows by what stands in the files."""

    def among(
        self,
        seqs: Sequence[int],
        total: int,
        *,
        stop: Stop | None = None,
        tell: Tell | None = None,
    ) -> Sequence[int]:
        """Those of the rows that are found, in the order given; see ``TextSearch.among``."""
        ...


def select_rows(
    connection: sqlite3.Connection,
    job_pk: int,
    total: int,
    rows: RowFilter,
    order: RowSort,
    *,
    searches: Sequence[Search] = (),
    stop: Stop | None = None,
    partial: Partial | None = None,
) -> RowSelection:
    """The rows that a filter lets through, in order.

    Args:
        connection: For reading.
        job_pk: The job.
        total: Its number of requests.
        rows: The conditions; texts and checks are left to ``searches``.
        order: The order.
        searches: Look into the files, each at what those before it have left.
        stop: Asked now and then; what was found so far is the answer.
        partial: Told what was found so far while the files are looked through.
    """
    if needs_sql(rows, order):
        query = query_of(
            connection, job_pk, rows, order, all_ended=_have_all_ended(connection, job_pk, total)
        )
        seqs: Sequence[int] = _found(connection, *query, stop)
    else:
        seqs = range(total - 1, -1, -1) if order.descending else range(total)
    for number, search in enumerate(searches, start=1):
        teller = None
        # What an earlier one has found may still be left out by the last.
        if partial is not None and number == len(searches):
            teller = _Teller(partial, total).look
        seqs = search.among(seqs, total, stop=stop, tell=teller)
    return RowSelection(seqs=seqs, total=total)


def _have_all_ended(connection: sqlite3.Connection, job_pk: int, total: int) -> bool:
    (ended,) = connection.execute(
        "SELECT coalesce(sum(n), 0) FROM outcome_counts WHERE job=? AND outcome<>?",
        (job_pk, OUTCOME_CODES[Outcome.PENDING]),
    ).fetchone()
    return bool(ended == total)


def _found(
    connection: sqlite3.Connection, sql: str, values: dict[str, Any], stop: Stop | None
) -> array[int]:
    """The numbers that a statement gives; none when it was stopped while it sorted."""
    seqs = array("q")
    if stop is not None:
        connection.set_progress_handler(lambda: int(stop()), _STEPS)
    try:
        seqs.extend(row[0] for row in connection.execute(sql, values))
    except sqlite3.OperationalError:
        if stop is None or not stop():
            raise
    finally:
        if stop is not None:
            connection.set_progress_handler(None, 0)
    return seqs


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
