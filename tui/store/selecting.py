"""Carrying out a filter and an order: from conditions to the sequence numbers of rows."""

from __future__ import annotations

import sqlite3
import time
from array import array
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tui.core.filtering import RowFilter, RowSelection, RowSort
from tui.store.conditions import needs_sql, query_of

Matcher = Callable[[Sequence[int]], Iterable[int]]
"""Takes sequence numbers and gives back those of rows that hold the text."""

Partial = Callable[[RowSelection], None]
"""Told, in the thread that selects, the rows found so far: the first at once, then the rest."""

_STOP_EVERY = 2000

_STOP_STEPS = 200_000
"""Steps of SQLite's machine between two looks at whether to stop: some milliseconds."""

_PARTIAL_SECONDS = 0.15
"""Between two tellings; each copies what was found so far."""


def select_rows(
    connection: sqlite3.Connection,
    job_pk: int,
    total: int,
    rows: RowFilter,
    order: RowSort,
    *,
    matcher: Matcher | None = None,
    stop: Callable[[], bool] | None = None,
    partial: Partial | None = None,
) -> RowSelection:
    """The rows that a filter lets through, in order.

    Args:
        connection: For reading.
        job_pk: The job.
        total: Its number of requests.
        rows: The conditions; texts and checks are left to ``matcher``.
        order: The order.
        matcher: Looks into the files.
        stop: Asked now and then; what was found so far is the answer.
        partial: Told what was found so far while the files are looked through.
    """
    if needs_sql(rows, order):
        seqs: Sequence[int] = _found(connection, *query_of(connection, job_pk, rows, order), stop)
    else:
        seqs = range(total - 1, -1, -1) if order.descending else range(total)
    if matcher is not None:
        seqs = _matching(seqs, matcher, stop, None if partial is None else _Teller(partial, total))
    return RowSelection(seqs=seqs, total=total)


def chained(matchers: Sequence[Matcher]) -> Matcher | None:
    """One matcher for several: each looks only at what those before it let through."""
    if not matchers:
        return None

    def match(seqs: Sequence[int]) -> Sequence[int]:
        for matcher in matchers:
            if not seqs:
                break
            seqs = list(matcher(seqs))
        return seqs

    return match


def _found(
    connection: sqlite3.Connection,
    sql: str,
    values: dict[str, Any],
    stop: Callable[[], bool] | None,
) -> array[int]:
    """The numbers that a statement gives; none when it was stopped while it sorted."""
    seqs = array("q")
    if stop is not None:
        connection.set_progress_handler(lambda: int(stop()), _STOP_STEPS)
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

    def look(self, found: array[int]) -> None:
        """Tell, if there is something new and the time has come."""
        if len(found) == self._told or time.monotonic() < self._next:
            return
        self._told = len(found)
        self._partial(RowSelection(seqs=found[:], total=self._total))
        self._next = time.monotonic() + _PARTIAL_SECONDS


def _matching(
    seqs: Sequence[int],
    matcher: Matcher,
    stop: Callable[[], bool] | None,
    teller: _Teller | None,
) -> array[int]:
    found = array("q")
    for start in range(0, len(seqs), _STOP_EVERY):
        if stop is not None and stop():
            break
        found.extend(matcher(seqs[start : start + _STOP_EVERY]))
        if teller is not None:
            teller.look(found)
    return found
