"""``StoredRows``: the rows of jobs: read, searched, counted, compared, summarized and exported."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tui.core.analysis.comparison import CompareOptions
from tui.core.analysis.derived import CompileExpression, Computed, DerivedColumn
from tui.core.analysis.evaluation import Evaluation
from tui.core.analysis.facets import ColumnInfo, Facet
from tui.core.analysis.pivot import Pivot
from tui.core.analysis.views import ROW_NUMBER
from tui.core.jobs import ErrorGroup, OrphanLines
from tui.core.query import ALL_ROWS, INPUT_ORDER, RowFilter, RowSelection, RowSort
from tui.core.requests import edit_request
from tui.core.rows import Row, RowDetail, RowLine
from tui.core.summary import Summary
from tui.errors import UnknownJobError, UsageError
from tui.paths import Paths
from tui.progress import NO_PROGRESS, Progress
from tui.store.columns.derived import read_derived, remove_derived, set_derived
from tui.store.columns.evaluation import (
    EvaluationOptions,
    PartialEvaluation,
    evaluate_column,
    evaluate_file,
)
from tui.store.columns.expressions import no_expressions, read_expression
from tui.store.columns.facets import PartialFacets, count_facets, describe
from tui.store.columns.pivots import count_pivot
from tui.store.columns.reader import ColumnReader, column_infos, column_of
from tui.store.columns.tables import TableCounts, table_file, write_table
from tui.store.columns.values import ColumnValues
from tui.store.database import Database, maps_sqlite_errors
from tui.store.export.options import ExportOptions
from tui.store.job_folder import requests_file
from tui.store.job_records import JobData, job_pk, read_orphan_lines
from tui.store.reuse.answers import ReusableAnswers, ReusePolicy
from tui.store.reuse.index import RequestIndex
from tui.store.reviews.stored_reviews import StoredReviews
from tui.store.rows.attempts import effective_edits, request_lengths
from tui.store.rows.comparison import Comparison, compare_jobs
from tui.store.rows.error_groups import read_groups
from tui.store.rows.inputs import InputColumns
from tui.store.rows.lookup import find_row_numbers
from tui.store.rows.reader import RowReader
from tui.store.rows.repeats import find_repeats, first_rows
from tui.store.rows.strays import StrayLine, read_stray_lines
from tui.store.rows.summary import summarize
from tui.store.rows.table import JobTable
from tui.store.search.schema_results import SchemaResults, check_schemas
from tui.store.search.selection import Partial, Search

_PAGE = 500


@maps_sqlite_errors
class StoredRows:
    """The rows of jobs; ``history.rows``."""

    def __init__(
        self,
        database: Database,
        paths: Paths,
        compile_expression: CompileExpression = no_expressions,
    ) -> None:
        self._database = database
        self._paths = paths
        self._compile = compile_expression
        self._reviews = StoredReviews(database, paths)
        self._columns = ColumnReader(compile_expression)

    def _data(self, job_id: str) -> JobData:
        return JobData(self._database.read, self._paths, job_id)

    def _search(
        self,
        job_id: str,
        rows: RowFilter,
        order: RowSort = INPUT_ORDER,
        progress: Progress = NO_PROGRESS,
        partial: Partial | None = None,
    ) -> RowSelection:
        self._reviews.refresh(job_id)
        return Search(self._data(job_id), self._columns, rows, order).run(progress, partial)

    def page(self, job_id: str, seqs: Sequence[int]) -> list[Row]:
        """Rows by number, in the given order; for a few hundred at most."""
        return RowReader(self._data(job_id)).rows(seqs)

    def get(self, job_id: str, seq: int) -> RowDetail:
        """One row with the bytes of its request and of all its attempts.

        Raises:
            UnknownJobError: The job has no row with this number.
        """
        with RowReader(self._data(job_id)) as reader:
            detail = reader.detail(seq)
        if detail is None:
            raise UnknownJobError(f"job {job_id!r} has no row {seq}")
        return detail

    def numbers(self, job_id: str, ids: Sequence[str]) -> dict[str, int]:
        """Row numbers by id; ids that the job does not have are left out."""
        read = self._database.read
        return find_row_numbers(read, job_pk(read, job_id), ids)

    def lines(self, job_id: str, selection: RowSelection) -> Iterator[RowLine]:
        """Rows in the form of the JSON output, read page by page; use a thread for many."""
        with RowReader(self._data(job_id)) as reader:
            for start in range(0, len(selection), _PAGE):
                yield from reader.lines(selection.seqs[start : start + _PAGE])

    def requests(self, job_id: str, seqs: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        """Row numbers and request lines, read page by page; use a thread for many."""
        with RowReader(self._data(job_id)) as reader:
            for start in range(0, len(seqs), _PAGE):
                yield from reader.requests(seqs[start : start + _PAGE])

    def newest_requests(self, job_id: str, seqs: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        """Row numbers and request lines as last sent, with the edits of retries; in a thread.

        Raises:
            HistoryError: ``requests.jsonl`` was changed or is missing.
        """
        data = self._data(job_id)
        with RowReader(data) as reader:
            for start in range(0, len(seqs), _PAGE):
                page = seqs[start : start + _PAGE]
                edits = effective_edits(data.connection, data.pk, page)
                for seq, line in reader.requests(page):
                    yield seq, edit_request(line, edits.get(seq, {}))

    def edits(
        self, job_id: str, seqs: Sequence[int], before: int | None = None
    ) -> Mapping[int, dict[str, Any]]:
        """The edits with which rows were last sent; rows that were never edited are left out.

        Args:
            job_id: The job.
            seqs: Row numbers; any number of them.
            before: Only consider attempts before this one.
        """
        read = self._database.read
        return effective_edits(read, job_pk(read, job_id), seqs, before)

    def request_lengths(
        self, job_id: str, seqs: Sequence[int] | None = None
    ) -> Iterable[tuple[int, int]]:
        """Row numbers and length in bytes of the original requests of rows, or of all rows."""
        read = self._database.read
        pk = job_pk(read, job_id)
        if seqs is not None:
            return request_lengths(read, pk, seqs).items()
        return read.execute("SELECT seq, length FROM requests WHERE job=? ORDER BY seq", (pk,))

    def find_repeats(self, job_id: str, progress: Progress = NO_PROGRESS) -> list[tuple[int, int]]:
        """Rows with the same request as an earlier row; see ``find_repeats``. Reads all rows."""
        return find_repeats(requests_file(self._paths, job_id), progress)

    def reusable(self, policy: ReusePolicy) -> ReusableAnswers:
        """Good answers of all jobs to the same requests; use it in one thread."""
        return ReusableAnswers(self._database, self._paths, policy)

    def index_requests(self, rows: int) -> bool:
        """Add at most so many rows to the index of requests, in which answers are found.

        Returns:
            Whether there may be more to add.

        Raises:
            HistoryError: The index cannot be written.
        """
        jobs = self._database.read.execute("SELECT id FROM jobs ORDER BY pk DESC")
        with RequestIndex(self._paths) as index:
            return index.add_some([job for (job,) in jobs], rows)

    def first_rows(self, job_id: str, seqs: Sequence[int]) -> Mapping[int, int]:
        """The row that was sent in place of each row; rows that were sent are left out."""
        read = self._database.read
        return first_rows(read, job_pk(read, job_id), seqs)

    def inputs(self, job_id: str) -> InputColumns:
        """Input columns of a job that was composed from a table; close it, use it in one thread."""
        return InputColumns(self._paths, job_id)

    def table(self, job_id: str, seqs: Sequence[int], other_id: str | None = None) -> JobTable:
        """Rows of a job as a table for the next job; see ``JobTable``. Reads a few hundred rows."""
        return JobTable(self._data, job_id, seqs, other_id)

    def error_groups(self, job_id: str) -> list[ErrorGroup]:
        """Error groups of a job, the largest first."""
        return read_groups(self._database.read, job_pk(self._database.read, job_id))

    def orphan_lines(self, job_id: str) -> OrphanLines:
        """How many result lines belong to no row, by kind."""
        return read_orphan_lines(self._database.read, job_pk(self._database.read, job_id))

    def stray_lines(self, job_id: str) -> Iterator[StrayLine]:
        """The result lines that belong to no row."""
        return read_stray_lines(self._data(job_id))

    def select(
        self,
        job_id: str,
        rows: RowFilter = ALL_ROWS,
        order: RowSort = INPUT_ORDER,
        *,
        progress: Progress = NO_PROGRESS,
        partial: Partial | None = None,
    ) -> RowSelection:
        """Select the rows that match a filter; see ``Search``."""
        return self._search(job_id, rows, order, progress, partial)

    def compare(
        self,
        job_ids: Sequence[str],
        options: CompareOptions = CompareOptions(),  # noqa: B008 - frozen
        *,
        progress: Progress = NO_PROGRESS,
    ) -> Comparison:
        """Compare the answers of jobs row by row; see ``compare_jobs``.

        Raises:
            UsageError: A job is given twice, or does not have the column of the options.
        """
        jobs = [self._data(job_id) for job_id in job_ids]
        if not options.column:
            return compare_jobs(jobs, options, progress=progress)
        columns = {data.id: column_of(data, options.column) for data in jobs}

        def values(data: JobData, seqs: Sequence[int]) -> Iterator[str | None]:
            return self._columns.texts(data, columns[data.id], seqs)

        return compare_jobs(jobs, options, values=values, progress=progress)

    def summarize(
        self,
        job_id: str,
        field: str = "",
        *,
        rows: RowFilter = ALL_ROWS,
        stop_words: bool = False,
        progress: Progress = NO_PROGRESS,
        partial: Callable[[Summary], None] | None = None,
    ) -> Summary:
        """Summarize the rows of a job that match a filter; see ``summarize``."""
        data = self._data(job_id)
        seqs = self._search(job_id, rows, progress=progress).seqs
        return summarize(
            data, seqs, field, stop_words=stop_words, progress=progress, partial=partial
        )

    def derived_columns(self, job_id: str) -> list[DerivedColumn]:
        """The derived columns of a job."""
        return read_derived(self._paths, self._data(job_id).id)

    def set_derived_column(self, job_id: str, column: DerivedColumn) -> None:
        """Add a derived column, or replace the one of the same name.

        Raises:
            UsageError: It is not valid, or there are too many.
        """
        data = self._data(job_id)
        column.check()
        if column.expression:
            self._compile(column.expression)
        else:
            column_of(data, column.of)
        set_derived(self._paths, data.id, column)

    def set_table_column(
        self, job_id: str, name: str, source: str, pairs: Iterable[tuple[str, str | None]]
    ) -> TableCounts:
        """Add a column from a table of ids and values, or replace the one of the same name.

        Args:
            job_id: The job.
            name: The name of the column.
            source: Where the values come from, in words.
            pairs: Ids and values.

        Raises:
            UsageError: The name is not valid, or none of the ids is one of the job.
        """
        data = self._data(job_id)
        column = DerivedColumn(name, table=source)
        column.check()
        counts = write_table(data, column, pairs)
        set_derived(self._paths, data.id, column)
        return counts

    def try_derived_column(
        self, job_id: str, seqs: Sequence[int], column: DerivedColumn
    ) -> list[Computed]:
        """The values that a derived column would have in some rows.

        Raises:
            UsageError: It is not valid, or takes too much time or memory.
        """
        data = self._data(job_id)
        column.check()
        if column.expression:
            pairs = read_expression(data, column.expression, self._compile, seqs)
            return [one for _, one in pairs]
        take, source = column.capture(), column_of(data, column.of)
        return [Computed(take(text)) for text in self._columns.texts(data, source, seqs)]

    def remove_derived_column(self, job_id: str, name: str) -> None:
        """Remove a derived column.

        Raises:
            UsageError: There is none of this name.
        """
        found = self._data(job_id).id
        remove_derived(self._paths, found, name)
        table_file(self._paths, found, name).unlink(missing_ok=True)

    def missing_columns(self, job_id: str, names: Sequence[str]) -> list[str]:
        """Those of some columns, by their names in queries, that a job does not have."""
        data = self._data(job_id)
        missing = []
        for name in names:
            try:
                if name != ROW_NUMBER:
                    column_of(data, name)
            except (UsageError, UnknownJobError):
                missing.append(name)
        return missing

    def columns(self, job_id: str) -> list[ColumnInfo]:
        """The columns of a job, found in a sample of its rows; may take a tenth of a second."""
        return column_infos(self._data(job_id))

    def values(
        self, job_id: str, columns: Sequence[str], seqs: Sequence[int], *, largest: int = 0
    ) -> list[tuple[str | None, ...]]:
        """The values of columns as text for a few hundred rows, in the given order.

        Args:
            job_id: The job.
            columns: Names of the columns.
            seqs: Row numbers.
            largest: Do not decode result lines of more bytes; ``…`` stands for their values.

        Raises:
            UsageError: The job does not have one of the columns.
        """
        data = self._data(job_id)
        texts = [
            self._columns.texts(data, column_of(data, name), seqs, largest) for name in columns
        ]
        return list(zip(*texts, strict=True)) if texts else [() for _ in seqs]

    def column(self, job_id: str, name: str, *, progress: Progress = NO_PROGRESS) -> ColumnValues:
        """The values of a column in all rows of a job, kept in memory; see ``ColumnReader``.

        Raises:
            UsageError: The job does not have the column.
        """
        data = self._data(job_id)
        column = column_of(data, name)
        return self._columns.read(data, [column], progress)[column]

    def facets(
        self,
        job_id: str,
        columns: Sequence[str],
        rows: RowFilter = ALL_ROWS,
        *,
        progress: Progress = NO_PROGRESS,
        partial: PartialFacets | None = None,
    ) -> list[Facet]:
        """Count the values of columns among the rows of a filter; see ``count_facets``."""
        data = self._data(job_id)
        seqs = self._search(job_id, rows, progress=progress).seqs
        return count_facets(data, self._columns, columns, seqs, progress, partial)

    def describe(
        self,
        job_id: str,
        rows: RowFilter = ALL_ROWS,
        *,
        progress: Progress = NO_PROGRESS,
        partial: PartialFacets | None = None,
    ) -> list[Facet]:
        """The facets of all columns of a job; see ``count_facets``."""
        data = self._data(job_id)
        seqs = self._search(job_id, rows, progress=progress).seqs
        return describe(data, self._columns, seqs, progress, partial)

    def pivot(
        self,
        job_id: str,
        down: str,
        across: str,
        rows: RowFilter = ALL_ROWS,
        *,
        value: str = "",
        progress: Progress = NO_PROGRESS,
    ) -> Pivot:
        """Count the rows of a filter by the values of two columns; see ``count_pivot``."""
        data = self._data(job_id)
        seqs = self._search(job_id, rows, progress=progress).seqs
        return count_pivot(data, self._columns, down, across, seqs, value, progress)

    def evaluate(
        self,
        job_id: str,
        gold: str | Iterable[tuple[str, str | None]],
        answer: str,
        options: EvaluationOptions,
        rows: RowFilter = ALL_ROWS,
        *,
        progress: Progress = NO_PROGRESS,
        partial: PartialEvaluation | None = None,
    ) -> Evaluation:
        """Compare a column with gold; see ``evaluate_column`` and ``evaluate_file``."""
        data = self._data(job_id)
        seqs = self._search(job_id, rows, progress=progress).seqs
        if not isinstance(gold, str):
            return evaluate_file(data, self._columns, seqs, gold, answer, options, progress)
        return evaluate_column(data, self._columns, seqs, gold, answer, options, progress, partial)

    def check_schemas(
        self,
        job_id: str,
        seqs: Sequence[int],
        schema: bytes | None = None,
        *,
        own: bool = False,
        progress: Progress = NO_PROGRESS,
    ) -> SchemaResults:
        """Check the answers of rows against a JSON schema; see ``check_schemas``."""
        return check_schemas(self._data(job_id), seqs, schema, own=own, progress=progress)

    def export(
        self,
        job_id: str,
        selection: RowSelection,
        path: Path,
        options: ExportOptions = ExportOptions(),  # noqa: B008 - frozen
        *,
        progress: Progress = NO_PROGRESS,
    ) -> int | None:
        """Write rows to a file; see ``export_rows``."""
        from tui.store.export.writer import export_rows

        self._reviews.refresh(job_id)
        return export_rows(
            self._data(job_id), selection, path, options, self._compile, progress=progress
        )
