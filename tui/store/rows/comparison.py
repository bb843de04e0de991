"""Compare jobs row by row: a merge join on ``custom_id``."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import combinations
from typing import NamedTuple

from tui.core.analysis import comparison
from tui.core.analysis.comparison import (
    MAX_COMPARED,
    Agreement,
    CompareOptions,
    JobTotals,
    RowComparison,
)
from tui.core.query import ALL_ROWS, RowSort
from tui.core.rows import RowLine
from tui.errors import UsageError
from tui.progress import NO_PROGRESS, Progress
from tui.store.job_records import JobData
from tui.store.rows.reader import RowReader
from tui.store.rows.sql_conditions import select_by_sql

_PAGE = 500
_REPORT_EVERY = 1000

NO_ROW = -1
"""Row number of an id that a job does not have."""

_CODES = {kind: code for code, kind in enumerate(comparison.ROW_COMPARISONS)}


@dataclass
class Comparison:
    """Result of comparing jobs; takes 5 bytes per id and 4 per id and job.

    Attributes:
        jobs: Totals of each job.
        options: When two answers count as the same.
        kinds: For each id, in order, the code of its kind of difference.
        seqs: For each job, and there for each id, the row number, or ``NO_ROW``.
        places: For each kind, the indexes of its ids, in order.
        agreement: How often each pair of jobs agrees, by the indexes of both, the smaller first.
        in_common: Number of ids that all jobs have.
        stopped: It was stopped before all ids were compared.
    """

    jobs: tuple[JobTotals, ...]
    options: CompareOptions
    kinds: bytearray = field(default_factory=bytearray)
    seqs: tuple[array[int], ...] = ()
    places: dict[RowComparison, array[int]] = field(
        default_factory=lambda: {kind: array("i") for kind in comparison.ROW_COMPARISONS}
    )
    agreement: dict[tuple[int, int], Agreement] = field(default_factory=dict)
    in_common: int = 0
    stopped: bool = False

    def __post_init__(self) -> None:
        places = range(len(self.jobs))
        self.seqs = tuple(array("i") for _ in places)
        self.agreement = {pair: Agreement() for pair in combinations(places, 2)}

    def __len__(self) -> int:
        return len(self.kinds)

    @property
    def left(self) -> JobTotals:
        """The first job."""
        return self.jobs[0]

    @property
    def right(self) -> JobTotals:
        """The second job."""
        return self.jobs[1]

    def count(self, kind: RowComparison) -> int:
        """Number of ids of a kind."""
        return len(self.places[kind])

    @property
    def is_same(self) -> bool:
        """Whether all answers are the same, and all jobs have the same ids."""
        return not self.stopped and self.count(RowComparison.SAME) == len(self)

    def add(self, kind: RowComparison, seqs: Sequence[int]) -> None:
        """Add the next id, with its row number in each job."""
        self.places[kind].append(len(self.kinds))
        self.kinds.append(_CODES[kind])
        self.in_common += NO_ROW not in seqs
        for numbers, seq in zip(self.seqs, seqs, strict=True):
            numbers.append(seq)


class ReadRow(NamedTuple):
    """A row of a job, with its number and the value of the compared column."""

    seq: int
    line: RowLine
    value: str | None = None


ReadValues = Callable[[JobData, Sequence[int]], Iterator[str | None]]
"""Reads the values of the compared column in some rows of a job."""


def compare_jobs(
    jobs: Sequence[JobData],
    options: CompareOptions = CompareOptions(),  # noqa: B008 - frozen
    *,
    passes: comparison.RowCheck = comparison.is_json,
    values: ReadValues | None = None,
    progress: Progress = NO_PROGRESS,
) -> Comparison:
    """Compare the answers of two or more jobs; call it in a thread.

    Args:
        jobs: The jobs.
        options: When two answers count as the same.
        passes: Returns whether an answer fits its schema.
        values: Reads the column of the options; by default whole answers are compared.
        progress: Told the rows read and the rows of all jobs together; can stop the work.

    Raises:
        UsageError: A job is given twice, or there are fewer than two or too many jobs.
    """
    if len({data.id for data in jobs}) < len(jobs):
        raise UsageError("a job cannot be compared with itself", "Give different jobs.")
    if not 2 <= len(jobs) <= MAX_COMPARED:
        raise UsageError(
            f"{len(jobs)} jobs cannot be compared", f"Give 2 to {MAX_COMPARED} different jobs."
        )
    found = Comparison(tuple(map(_totals, jobs)), options)
    total = sum(data.job.counts.total for data in jobs)
    progress.update(0, total)
    order = RowSort(column="custom_id")
    sorted_rows = [select_by_sql(data, ALL_ROWS, order, progress) for data in jobs]
    if progress.stopped and sum(map(len, sorted_rows)) < total:
        # Sorting was stopped: a part of the ids does not show which are missing.
        found.stopped = True
        return found
    checked = 0
    with ExitStack() as stack:
        streams = [
            _rows(data, stack.enter_context(RowReader(data)), seqs, values)
            for data, seqs in zip(jobs, sorted_rows, strict=True)
        ]
        for rows in _merged(streams):
            for totals, row in zip(found.jobs, rows, strict=True):
                if row is not None:
                    totals.add(row.line, passes)
            _add(found, rows)
            rows_read = sum(totals.rows for totals in found.jobs)
            if rows_read - checked >= _REPORT_EVERY:
                checked = rows_read
                progress.update(rows_read, total)
                if progress.stopped:
                    found.stopped = True
                    return found
    progress.update(total, total)
    return found


def _add(found: Comparison, rows: Sequence[ReadRow | None]) -> None:
    kinds: set[RowComparison] = set()
    for (one, other), agreement in found.agreement.items():
        left, right = rows[one], rows[other]
        if left is None or right is None:
            continue
        if found.options.column:
            kind = comparison.compare_values(left.value, right.value, found.options)
        else:
            kind = comparison.compare_rows(left.line, right.line, found.options)
        kinds.add(kind)
        if kind is not RowComparison.UNANSWERED:
            agreement.compared += 1
            agreement.same += kind is RowComparison.SAME
    found.add(_kind(rows, kinds), [NO_ROW if row is None else row.seq for row in rows])


def _kind(rows: Sequence[ReadRow | None], of_pairs: set[RowComparison]) -> RowComparison:
    """The kind of an id, from the comparisons of each two of its rows."""
    if RowComparison.DIFFERENT in of_pairs:
        return RowComparison.DIFFERENT
    if None in rows:
        if len(rows) > 2:
            return RowComparison.NOT_IN_ALL
        return RowComparison.ONLY_RIGHT if rows[0] is None else RowComparison.ONLY_LEFT
    unanswered = RowComparison.UNANSWERED in of_pairs
    return RowComparison.UNANSWERED if unanswered else RowComparison.SAME


def _totals(data: JobData) -> JobTotals:
    job = data.job
    return JobTotals(
        job_id=job.id,
        name=job.name,
        model=job.model,
        cost=job.cost.actual,
        currency=job.cost.currency,
    )


def _rows(
    data: JobData, reader: RowReader, seqs: Sequence[int], values: ReadValues | None
) -> Iterator[ReadRow]:
    for start in range(0, len(seqs), _PAGE):
        page = seqs[start : start + _PAGE]
        lines = reader.lines(page)
        if values is None:
            yield from map(ReadRow, page, lines)
        else:
            yield from map(ReadRow, page, lines, values(data, page))


def _merged(streams: Sequence[Iterator[ReadRow]]) -> Iterator[list[ReadRow | None]]:
    """The rows of each id, in the order of the ids; ``None`` where a job does not have the id.

    SQLite sorts text by its UTF-8 bytes, which is also the order of Python strings.
    """
    heads = [next(stream, None) for stream in streams]
    while waiting := [row.line.custom_id for row in heads if row is not None]:
        first = min(waiting)
        rows = [row if row and row.line.custom_id == first else None for row in heads]
        yield rows
        for place, row in enumerate(rows):
            if row is not None:
                heads[place] = next(streams[place], None)
