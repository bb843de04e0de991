"""``Search``: one search for rows of a job, by a filter and a sort order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import get_args

from tui.core.query import ALL_ROWS, INPUT_ORDER, RowFilter, RowSelection, RowSort, SortColumn
from tui.progress import NO_PROGRESS, Progress, Throttle
from tui.store.columns.reader import ColumnReader
from tui.store.job_records import JobData
from tui.store.rows.sql_conditions import select_by_sql
from tui.store.search.answer_checks import AnswerSearch
from tui.store.search.columns import ColumnSearch, DifferenceSearch, sort_by_columns
from tui.store.search.text import TextSearch

Partial = Callable[[RowSelection], None]
"""Called in the searching thread with the rows found so far; the first ones without delay."""

_PARTIAL_SECONDS = 0.15
"""Minimum number of seconds between two reports of rows found so far."""

_PARTIAL_SHARE = 10
"""Reports may take at most one part in 10 of the time."""

_SQL_SORTS = frozenset(get_args(SortColumn))


class Search:
    """A search for the rows of a job that match a filter.

    SQL answers most of a filter. What it cannot answer, columns, texts and answer checks, is then
    looked up in the files, in the rows that are left.

    Args:
        data: The job, for the thread that searches.
        columns: Reads columns, for conditions on them and for sorting by them.
        rows: The filter.
        order: The sort order.
    """

    def __init__(
        self,
        data: JobData,
        columns: ColumnReader,
        rows: RowFilter = ALL_ROWS,
        order: RowSort = INPUT_ORDER,
    ) -> None:
        self._data = data
        self._columns = columns
        self._rows = rows
        self._order = order

    def run(self, progress: Progress = NO_PROGRESS, partial: Partial | None = None) -> RowSelection:
        """Find the rows, in order.

        Args:
            progress: Can stop the search; the rows found so far are then returned.
            partial: Called during the last search in the files with the rows found so far.

        Raises:
            UsageError: A regular expression is not valid or takes too long, or a check or column is
                unknown.
        """
        data = self._data
        total = data.job.counts.total
        by_sql = not self._order.more and self._order.column in _SQL_SORTS
        with ExitStack() as stack:
            steps: list[TextSearch | AnswerSearch | ColumnSearch | DifferenceSearch] = [
                *(stack.enter_context(TextSearch(data, text)) for text in self._rows.search_texts),
                *(AnswerSearch(data, check) for check in sorted(self._rows.checks)),
            ]
            for pair in self._rows.differs:
                steps.insert(0, DifferenceSearch(data, self._columns, pair))
            if self._rows.columns:
                steps.insert(0, ColumnSearch(data, self._columns, self._rows.columns))
            order = self._order if by_sql else INPUT_ORDER
            seqs = select_by_sql(data, self._rows, order, progress)
            for number, step in enumerate(steps, start=1):
                report = None
                # Rows found by an earlier step may still be left out by the last one.
                if partial is not None and number == len(steps):
                    report = _Reporter(partial, total).update
                seqs = step.among(seqs, progress, report)
        if not by_sql:
            seqs = sort_by_columns(data, self._columns, seqs, self._order.keys, progress)
        return RowSelection(seqs=seqs, total=total)


class _Reporter:
    """Reports the rows found so far, at a limited rate."""

    def __init__(self, partial: Partial, total: int) -> None:
        self._partial = partial
        self._total = total
        self._reported = 0
        self._throttle = Throttle(0.0, _PARTIAL_SECONDS, _PARTIAL_SHARE)

    def update(self, found: Callable[[], Sequence[int]], count: int) -> None:
        """Report, if more rows were found and the last report is long enough ago."""
        if count != self._reported and self._throttle.run(lambda: self._report(found)):
            self._reported = count

    def _report(self, found: Callable[[], Sequence[int]]) -> None:
        self._partial(RowSelection(seqs=found(), total=self._total))
