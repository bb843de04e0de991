"""Find rows by the values of their columns, and sort rows by them."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import compress

from tui.core.analysis.columns import Column, ColumnCondition
from tui.progress import NO_PROGRESS, Progress
from tui.store.columns.reader import ColumnReader, column_of
from tui.store.columns.values import NO_VALUE, UNLISTED, ColumnValues
from tui.store.job_records import JobData
from tui.store.search.text import ReportFound, search_in_pages

_MIN_SHARE = 20
"""If other conditions leave fewer than one row in 20, only these rows are read."""

_FIRST_REPORT = 2000
"""Answers read before the first report; each later one comes after twice as many."""


class ColumnSearch:
    """Finds the rows that meet conditions on columns.

    Args:
        data: The job, for the thread that searches.
        reader: Reads the columns.
        conditions: The conditions, all of which must be met.

    Raises:
        UsageError: The job does not have one of the columns.
    """

    def __init__(
        self, data: JobData, reader: ColumnReader, conditions: Sequence[ColumnCondition]
    ) -> None:
        self._data = data
        self._reader = reader
        self._conditions = [
            (column_of(data, condition.column), condition.matcher()) for condition in conditions
        ]

    def among(
        self,
        seqs: Sequence[int],
        progress: Progress = NO_PROGRESS,
        report: ReportFound | None = None,
    ) -> Sequence[int]:
        """Rows that meet all conditions, in the given order; see ``TextSearch.among``."""
        total = self._data.job.counts.total
        if len(seqs) * _MIN_SHARE < total:
            return search_in_pages(seqs, self._matching, progress, report)

        # A row that was not read yet has no value, and must not be reported for that.
        can_report = not any(matches(None) for _, matches in self._conditions)
        reporting = None
        if report is not None and can_report:
            reporting = _Reporting(report, seqs, self._narrowed).update
        columns = self._reader.read(
            self._data, (column for column, _ in self._conditions), progress, reporting
        )
        return self._narrowed(seqs, columns)

    def _narrowed(self, seqs: Sequence[int], columns: dict[Column, ColumnValues]) -> Sequence[int]:
        for column, matches in self._conditions:
            read = partial(self._reader.texts, self._data, column)
            seqs = columns[column].matching(seqs, matches, read)
        return seqs

    def _matching(self, seqs: Sequence[int]) -> Iterable[int]:
        for column, matches in self._conditions:
            texts = self._reader.texts(self._data, column, seqs)
            seqs = list(compress(seqs, map(matches, texts)))
        return seqs


class DifferenceSearch:
    """Finds the rows in which two columns have different values.

    Args:
        data: The job, for the thread that searches.
        reader: Reads the columns.
        pair: The names of the columns.

    Raises:
        UsageError: The job does not have one of the columns.
    """

    def __init__(self, data: JobData, reader: ColumnReader, pair: tuple[str, str]) -> None:
        self._data = data
        self._reader = reader
        self._columns = [column_of(data, name) for name in pair]

    def among(
        self,
        seqs: Sequence[int],
        progress: Progress = NO_PROGRESS,
        report: ReportFound | None = None,
    ) -> Sequence[int]:
        """Rows with two different values, in the given order; see ``TextSearch.among``."""
        read = self._reader.read(self._data, self._columns, progress)
        first, second = (read[column] for column in self._columns)
        same = first.same_codes(second)
        found, unlisted = array("q"), array("q")
        for seq in seqs:
            one, other = first.codes[seq], second.codes[seq]
            if UNLISTED in (one, other):
                unlisted.append(seq)
            if NO_VALUE not in (one, other) and same[one] != other:
                found.append(seq)
        texts = [self._reader.texts(self._data, column, unlisted) for column in self._columns]
        equal = {
            seq
            for seq, one, other in zip(unlisted, *texts, strict=True)
            if one is None or other is None or one == other
        }
        return array("q", (seq for seq in found if seq not in equal)) if equal else found


class _Reporting:
    """Reports the rows that are found while the answers are read, at growing intervals."""

    def __init__(
        self,
        report: ReportFound,
        seqs: Sequence[int],
        narrowed: Callable[[Sequence[int], dict[Column, ColumnValues]], Sequence[int]],
    ) -> None:
        self._report = report
        self._seqs = seqs
        self._narrowed = narrowed
        self._next = 0

    def update(self, read: dict[Column, ColumnValues], done: int) -> None:
        """Report the rows found among those that were read."""
        if done < self._next:
            return
        self._next = max(_FIRST_REPORT, 2 * done)
        found = self._narrowed(self._seqs, read)
        self._report(lambda: found, len(found))


def sort_by_columns(
    data: JobData,
    reader: ColumnReader,
    seqs: Sequence[int],
    keys: Sequence[tuple[str, bool]],
    progress: Progress,
) -> Sequence[int]:
    """Sort rows by columns.

    Args:
        data: The job.
        reader: Reads the columns.
        seqs: Row numbers in input order.
        keys: Columns, the most important first, and whether each is descending.
        progress: Can stop the reading.

    Raises:
        UsageError: The job does not have one of the columns.
    """
    columns = [(column_of(data, name), down) for name, down in keys]
    values = reader.read(data, (column for column, _ in columns), progress)
    for column, down in reversed(columns):
        read: Callable[[Sequence[int]], Iterable[str | None]]
        read = partial(reader.texts, data, column)
        seqs = values[column].ordered(seqs, read, descending=down)
    return seqs
