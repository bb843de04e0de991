"""Compare two jobs row by row: a merge join on ``custom_id``."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tui.core import comparison
from tui.core.query import ALL_ROWS, RowSort
from tui.core.rows import RowLine
from tui.errors import UsageError
from tui.progress import NO_PROGRESS, Progress
from tui.store.jobs import JobData
from tui.store.rows.reader import RowReader
from tui.store.rows.sql_conditions import select_by_sql

_PAGE = 500
_REPORT_EVERY = 1000

NO_ROW = -1
"""Row number of an id that a job does not have."""


@dataclass
class Comparison:
    """Result of comparing two jobs; takes 13 bytes per id, whatever the size of the answers.

    Attributes:
        left, right: Totals of each job.
        options: When two answers count as the same.
        kinds: For each id, in order, the code of its kind of difference.
        left_seqs, right_seqs: For each id the row number in either job, or ``NO_ROW``.
        places: For each kind, the indexes of its ids, in order.
        stopped: It was stopped before all ids were compared.
    """

    left: comparison.JobTotals
    right: comparison.JobTotals
    options: comparison.CompareOptions
    kinds: bytearray = field(default_factory=bytearray)
    left_seqs: array[int] = field(default_factory=lambda: array("i"))
    right_seqs: array[int] = field(default_factory=lambda: array("i"))
    places: dict[comparison.RowComparison, array[int]] = field(
        default_factory=lambda: {kind: array("i") for kind in comparison.ROW_COMPARISONS}
    )
    stopped: bool = False

    def __len__(self) -> int:
        return len(self.kinds)

    def count(self, kind: comparison.RowComparison) -> int:
        """Number of ids of a kind."""
        return len(self.places[kind])

    @property
    def is_same(self) -> bool:
        """Whether all answers are the same, and both jobs have the same ids."""
        return not self.stopped and self.count(comparison.RowComparison.SAME) == len(self)

    def add(self, kind: comparison.RowComparison, left: int, right: int) -> None:
        """Add the next id."""
        code = _CODES[kind]
        self.places[kind].append(len(self.kinds))
        self.kinds.append(code)
        self.left_seqs.append(left)
        self.right_seqs.append(right)


_CODES = {kind: code for code, kind in enumerate(comparison.ROW_COMPARISONS)}

NumberedRow = tuple[int, RowLine]


def compare_jobs(
    left: JobData,
    right: JobData,
    options: comparison.CompareOptions = comparison.CompareOptions(),  # noqa: B008 - frozen
    *,
    passes: comparison.RowCheck = comparison.is_json,
    progress: Progress = NO_PROGRESS,
) -> Comparison:
    """Compare the answers of two jobs; call it in a thread.

    Args:
        left: One job.
        right: The other job.
        options: When two answers count as the same.
        passes: Returns whether an answer fits its schema.
        progress: Told the rows read and the rows of both jobs together; can stop the work.

    Raises:
        UsageError: Both are the same job.
    """
    if left.id == right.id:
        raise UsageError("a job cannot be compared with itself", "Give two different jobs.")
    found = Comparison(_side(left), _side(right), options)
    total = left.job.counts.total + right.job.counts.total
    progress.update(0, total)
    order = RowSort(column="custom_id")
    left_rows = select_by_sql(left, ALL_ROWS, order, progress)
    right_rows = select_by_sql(right, ALL_ROWS, order, progress)
    if progress.stopped and len(left_rows) + len(right_rows) < total:
        # Sorting was stopped: a part of the ids does not show which are missing.
        found.stopped = True
        return found
    checked = 0
    with RowReader(left) as left_reader, RowReader(right) as right_reader:
        lefts, rights = _rows(left_reader, left_rows), _rows(right_reader, right_rows)
        for one, other in _merged(lefts, rights):
            if one is not None:
                found.left.add(one[1], passes)
            if other is not None:
                found.right.add(other[1], passes)
            _add(found, one, other)
            rows_read = found.left.rows + found.right.rows
            if rows_read - checked >= _REPORT_EVERY:
                checked = rows_read
                progress.update(rows_read, total)
                if progress.stopped:
                    found.stopped = True
                    return found
    progress.update(total, total)
    return found


def _add(found: Comparison, left: NumberedRow | None, right: NumberedRow | None) -> None:
    if right is None:
        assert left is not None
        found.add(comparison.RowComparison.ONLY_LEFT, left[0], NO_ROW)
    elif left is None:
        found.add(comparison.RowComparison.ONLY_RIGHT, NO_ROW, right[0])
    else:
        found.add(comparison.compare_rows(left[1], right[1], found.options), left[0], right[0])


def _side(data: JobData) -> comparison.JobTotals:
    job = data.job
    return comparison.JobTotals(
        job_id=job.id,
        name=job.name,
        model=job.model,
        cost=job.cost.actual,
        currency=job.cost.currency,
    )


def _rows(reader: RowReader, seqs: Sequence[int]) -> Iterator[NumberedRow]:
    for start in range(0, len(seqs), _PAGE):
        page = seqs[start : start + _PAGE]
        yield from zip(page, reader.lines(page), strict=False)


def _merged(
    lefts: Iterator[NumberedRow], rights: Iterator[NumberedRow]
) -> Iterator[tuple[NumberedRow | None, NumberedRow | None]]:
    """Pairs of rows in the order of their ids; ``None`` where a job does not have the id.

    SQLite sorts text by its UTF-8 bytes, which is also the order of Python strings.
    """
    left, right = next(lefts, None), next(rights, None)
    while left is not None or right is not None:
        if right is None or (left is not None and left[1].custom_id < right[1].custom_id):
            yield left, None
            left = next(lefts, None)
        elif left is None or right[1].custom_id < left[1].custom_id:
            yield None, right
            right = next(rights, None)
        else:
            yield left, right
            left, right = next(lefts, None), next(rights, None)
