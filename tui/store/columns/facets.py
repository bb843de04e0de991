"""Count the values of columns among the rows of a filter."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from tui.core.analysis.columns import Column, ColumnKind
from tui.core.analysis.facets import Facet
from tui.progress import NO_PROGRESS, Progress, Throttle
from tui.store.columns.reader import ColumnReader, PartialColumns, column_infos, column_of
from tui.store.columns.values import ColumnValues
from tui.store.job_records import JobData

PartialFacets = Callable[[list[Facet]], None]
"""Called in the counting thread with the facets of the rows read so far."""

_FIRST_SECONDS = 0.1
_PARTIAL_SECONDS = 0.4
_PARTIAL_SHARE = 10
"""Partial facets may take at most one part in 10 of the time."""

_COLUMNS_AT_ONCE = 24
"""Columns that are read in one pass; their values are in memory together."""


_KINDS = (
    ColumnKind.FIELD,
    ColumnKind.DERIVED,
    ColumnKind.JOINED,
    ColumnKind.INPUT,
    ColumnKind.FACT,
)
"""The order in which columns are described: the fields of the answers first."""


def count_facets(
    data: JobData,
    reader: ColumnReader,
    columns: Sequence[str],
    seqs: Sequence[int],
    progress: Progress = NO_PROGRESS,
    partial: PartialFacets | None = None,
) -> list[Facet]:
    """Count the values of columns; reads all answers, so call it in a thread.

    Args:
        data: The job.
        reader: Reads the columns.
        columns: Names of the columns.
        seqs: The rows to count.
        progress: Told the rows read; if it is stopped, the rows read so far are counted.
        partial: Called now and then with the facets of the rows read so far.

    Raises:
        UsageError: The job does not have one of the columns.
    """
    wanted = [column_of(data, name) for name in columns]
    facets: list[Facet] = []
    for start in range(0, len(wanted), _COLUMNS_AT_ONCE):
        part = wanted[start : start + _COLUMNS_AT_ONCE]
        reporting: PartialColumns | None = None
        if partial is not None:
            reporting = _reporting(partial, facets, part, seqs)
        read = reader.read(data, part, progress, reporting)
        facets += _facets(part, read, seqs, is_whole=not progress.stopped)
    return facets


def describe(
    data: JobData,
    reader: ColumnReader,
    seqs: Sequence[int],
    progress: Progress = NO_PROGRESS,
    partial: PartialFacets | None = None,
) -> list[Facet]:
    """The facets of all columns that a sample of the rows shows; see ``count_facets``."""
    infos = sorted(column_infos(data), key=lambda info: _KINDS.index(ColumnKind(info.kind)))
    columns = [info.column for info in infos]
    return count_facets(data, reader, columns, seqs, progress, partial)


def _facets(
    columns: Sequence[Column],
    read: dict[Column, ColumnValues],
    seqs: Sequence[int],
    *,
    is_whole: bool,
) -> Iterator[Facet]:
    for column in columns:
        yield read[column].facet(str(column), seqs, is_whole=is_whole)


def _reporting(
    partial: PartialFacets,
    before: Sequence[Facet],
    columns: Sequence[Column],
    seqs: Sequence[int],
) -> PartialColumns:
    """Report facets while the answers are read, at a limited rate."""
    throttle = Throttle(_FIRST_SECONDS, _PARTIAL_SECONDS, _PARTIAL_SHARE)

    def report(read: dict[Column, ColumnValues], _done: int) -> None:
        throttle.run(lambda: partial([*before, *_facets(columns, read, seqs, is_whole=False)]))

    return report
