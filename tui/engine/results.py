"""``engine.results``: read jobs as a whole: select, summarise, compare, check, export."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import msgspec

from tui.core.analysis.comparison import CompareOptions
from tui.core.analysis.derived import Computed, DerivedColumn
from tui.core.analysis.evaluation import Evaluation
from tui.core.analysis.facets import ColumnInfo, Facet
from tui.core.analysis.pivot import Pivot
from tui.core.jobs import Job
from tui.core.query import ALL_ROWS, INPUT_ORDER, RowFilter, RowSelection, RowSort
from tui.core.results.schema import AnswerChecker, CheckedAnswer, Schema, SchemaError, SchemaResult
from tui.core.summary import Summary
from tui.engine.analysis.gold_file import open_gold, value_columns
from tui.engine.context import Context, report_on_loop, run_in_thread
from tui.engine.events import RowsExported
from tui.engine.transfers.target import BucketTarget, open_target
from tui.errors import InputError, UsageError
from tui.progress import NO_PROGRESS, Progress
from tui.store.export.options import ExportOptions, check_options, format_of
from tui.store.history import Comparison, EvaluationOptions, SchemaResults, TableCounts

_CACHED_SUMMARIES = 32

_SummaryKey = tuple[Job, str, bool]


class Results:
    """Selects, summarises, compares, checks and exports the results of jobs.

    Work on many rows runs in a thread, which stops when the caller is cancelled or its
    ``progress`` is stopped; where a part of the result is of use, it is then returned.

    Args:
        context: The engine context.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._history = context.history
        self._summaries: OrderedDict[_SummaryKey, Summary] = OrderedDict()

    async def select(
        self,
        job_id: str,
        rows: RowFilter = ALL_ROWS,
        order: RowSort = INPUT_ORDER,
        *,
        progress: Progress = NO_PROGRESS,
        partial: Callable[[RowSelection], None] | None = None,
    ) -> RowSelection:
        """Find the rows that match a filter.

        Args:
            job_id: The job.
            rows: The filter.
            order: The sort order.
            progress: Stops the search; the rows so far are returned.
            partial: Called on the event loop during a text search with the rows found so far:
                for the first match immediately, then a few times a second, never after
                the search ended.
        """
        with report_on_loop(partial) as report:
            return await run_in_thread(
                lambda running: self._history.rows.select(
                    job_id, rows, order, progress=running, partial=report
                ),
                progress,
            )

    async def summary(
        self,
        job_id: str,
        field: str = "",
        *,
        stop_words: bool = False,
        progress: Progress = NO_PROGRESS,
        partial: Callable[[Summary], None] | None = None,
    ) -> Summary:
        """Summarise a job; the summary is cached until the job changes.

        Args:
            job_id: The job.
            field: The answer field whose labels and words are counted, such as ``data.label``
                or ``text``; empty to choose the field that looks most like a label.
            stop_words: Leave out common words.
            progress: Counts the rows. If it is stopped, the summary covers the rows so far and
                is not cached.
            partial: Called now and then, on this event loop, with the summary so far.

        Raises:
            UnknownJobError: No such job.
            HistoryError: A result file was changed or is missing.
        """
        # Every change of a row changes the job's record: counts, cost, status or end.
        key = (await asyncio.to_thread(self._history.jobs.get, job_id), field, stop_words)
        found = self._summaries.get(key)
        if found is not None:
            self._summaries.move_to_end(key)
            return found

        def work(running: Progress) -> Summary:
            summary = self._history.rows.summarize(
                job_id, field, stop_words=stop_words, progress=running, partial=report
            )
            return self._with_savings(summary)

        with report_on_loop(partial) as report:
            made = await run_in_thread(work, progress)
        if made.is_whole:
            self._summaries[key] = made
            while len(self._summaries) > _CACHED_SUMMARIES:
                self._summaries.popitem(last=False)
        return made

    def _with_savings(self, made: Summary) -> Summary:
        """The summary with what its cached prompts saved, if the bills say so."""
        if made.cache is None:
            return made
        entries = self._history.ledger.of_job(made.job_id)
        saved = [e.saved_by_cache for e in entries if e.saved_by_cache is not None]
        # What ran elsewhere is in no ledger of this home.
        batches = self._history.batches.of_job(made.job_id)
        prices = [batch.prices for batch in batches if batch.elsewhere is not None]
        noted = [each.get("saved_by_cache") for each in prices]
        saved += [amount for amount in noted if isinstance(amount, float)]
        cache = msgspec.structs.replace(made.cache, saved=sum(saved) if saved else None)
        return msgspec.structs.replace(made, cache=cache)

    async def columns(self, job_id: str) -> list[ColumnInfo]:
        """The columns of a job as a sample of its rows shows them: facts, inputs, fields."""
        return await asyncio.to_thread(self._history.rows.columns, job_id)

    async def try_column(
        self, job_id: str, seqs: Sequence[int], column: DerivedColumn
    ) -> list[Computed]:
        """The values that a derived column would have in some rows, or why it fails in them.

        Raises:
            UsageError: It is not valid, or takes too much time or memory.
        """
        rows = self._history.rows
        return await asyncio.to_thread(rows.try_derived_column, job_id, seqs, column)

    async def set_derived_column(self, job_id: str, column: DerivedColumn) -> None:
        """Add a derived column to a job, or replace the one of the same name.

        Raises:
            UsageError: It is not valid, or there are too many.
        """
        await asyncio.to_thread(self._history.rows.set_derived_column, job_id, column)

    async def add_table_column(
        self, job_id: str, name: str, path: Path, column: str = ""
    ) -> TableCounts:
        """Add a column from a table with ids, such as true values; see ``open_gold``.

        Args:
            job_id: The job.
            name: The name of the column, which is ``calc.NAME`` in queries.
            path: A table in any form that ``compose`` reads, with a column ``custom_id`` or ``id``.
            column: The column with the values; by default the only one besides the id.

        Raises:
            InputError: The file cannot be read.
            UsageError: It lacks one of the columns, or has none of the ids.
        """

        def work() -> TableCounts:
            pairs = open_gold(path, column)
            source = f"{path.name}, {column}" if column else path.name
            return self._history.rows.set_table_column(job_id, name, source, pairs)

        return await asyncio.to_thread(work)

    async def value_columns(self, path: Path) -> list[str]:
        """The columns of a table besides the ids.

        Raises:
            InputError: The file cannot be read.
            UsageError: It has no column with ids.
        """
        return await asyncio.to_thread(value_columns, path)

    async def remove_derived_column(self, job_id: str, name: str) -> None:
        """Remove a derived column.

        Raises:
            UsageError: There is none of this name.
        """
        await asyncio.to_thread(self._history.rows.remove_derived_column, job_id, name)

    async def compute_columns(
        self, job_id: str, names: Sequence[str], *, progress: Progress = NO_PROGRESS
    ) -> None:
        """Compute columns, so that their values are in memory.

        Raises:
            UsageError: The job does not have one of the columns, or an expression takes too much
                time or memory.
        """

        def work(running: Progress) -> None:
            for name in names:
                self._history.rows.column(job_id, name, progress=running)

        await run_in_thread(work, progress)

    async def facets(
        self,
        job_id: str,
        columns: Sequence[str],
        rows: RowFilter = ALL_ROWS,
        *,
        progress: Progress = NO_PROGRESS,
        partial: Callable[[list[Facet]], None] | None = None,
    ) -> list[Facet]:
        """Count the values of columns among the rows that match a filter.

        The values of a column stay in memory, so that counting them again takes little time.

        Args:
            job_id: The job.
            columns: Names of the columns (``@label``, ``in.lang``, ``outcome``).
            rows: The filter.
            progress: Told the rows read; if it is stopped, the rows read so far are counted.
            partial: Called now and then, on this event loop, with the counts so far.

        Raises:
            UsageError: The job does not have one of the columns.
        """
        with report_on_loop(partial) as report:
            return await run_in_thread(
                lambda running: self._history.rows.facets(
                    job_id, columns, rows, progress=running, partial=report
                ),
                progress,
            )

    async def describe(
        self,
        job_id: str,
        rows: RowFilter = ALL_ROWS,
        *,
        progress: Progress = NO_PROGRESS,
        partial: Callable[[list[Facet]], None] | None = None,
    ) -> list[Facet]:
        """Count the values of all columns of a job; see ``facets``."""
        with report_on_loop(partial) as report:
            return await run_in_thread(
                lambda running: self._history.rows.describe(
                    job_id, rows, progress=running, partial=report
                ),
                progress,
            )

    async def pivot(
        self,
        job_id: str,
        down: str,
        across: str,
        rows: RowFilter = ALL_ROWS,
        *,
        value: str = "",
        progress: Progress = NO_PROGRESS,
    ) -> Pivot:
        """Count rows by the values of two columns, or average a third; see ``count_pivot``."""
        return await run_in_thread(
            lambda running: self._history.rows.pivot(
                job_id, down, across, rows, value=value, progress=running
            ),
            progress,
        )

    async def evaluate(
        self,
        job_id: str,
        answer: str,
        gold: str = "",
        rows: RowFilter = ALL_ROWS,
        *,
        gold_file: Path | None = None,
        options: EvaluationOptions = EvaluationOptions(),  # noqa: B008 - frozen
        progress: Progress = NO_PROGRESS,
        partial: Callable[[Evaluation], None] | None = None,
    ) -> Evaluation:
        """Compare a column of a job with the true values in another column, or in a file.

        Args:
            job_id: The job.
            answer: The column that is evaluated, such as ``@label`` or ``answer``.
            gold: The column with the true values, such as ``in.label``; with ``gold_file`` a
                column of that file, which may be left out if it has only one besides the id.
            rows: The rows to evaluate.
            gold_file: A table with the column ``custom_id``.
            options: How they are compared.
            progress: Counts the rows. If it is stopped, the rows so far are evaluated.
            partial: Called now and then, on this event loop, with the evaluation so far.

        Raises:
            UsageError: The job or the file does not have one of the columns.
            InputError: The file cannot be read.
        """
        with report_on_loop(partial) as report:

            def work(running: Progress) -> Evaluation:
                truth = gold if gold_file is None else open_gold(gold_file, gold)
                return self._history.rows.evaluate(
                    job_id, truth, answer, options, rows, progress=running, partial=report
                )

            return await run_in_thread(work, progress)

    async def compare(
        self,
        job_ids: Sequence[str],
        options: CompareOptions = CompareOptions(),  # noqa: B008 - frozen
        *,
        progress: Progress = NO_PROGRESS,
    ) -> Comparison:
        """Compare jobs row by row, matched by id; see ``compare_jobs``.

        If the requests ask for structured output, a second pass over the rows of each job
        counts the answers that match their schema; it reports ``progress`` too.

        Raises:
            UsageError: A job is given twice, or does not have the column of the options.
            HistoryError: A result file was changed or is missing.
        """

        def work(running: Progress) -> Comparison:
            history = self._history
            comparison = history.rows.compare(job_ids, options, progress=running)
            for side in comparison.jobs:
                if not comparison.stopped:
                    rows = range(history.jobs.get(side.job_id).counts.total)
                    judged = history.rows.check_schemas(side.job_id, rows, progress=running)
                    side.judge(judged.checked, judged.counts.get(SchemaResult.FITS, 0))
            return comparison

        return await run_in_thread(work, progress)

    async def export(
        self,
        job_id: str,
        path: Path,
        rows: RowFilter | RowSelection = ALL_ROWS,
        options: ExportOptions = ExportOptions(),  # noqa: B008 - frozen
        *,
        progress: Progress = NO_PROGRESS,
    ) -> int | None:
        """Write rows to a file, or the whole job as an archive.

        Returns:
            How many rows were written; ``None`` if the export was stopped.

        Raises:
            UsageError: Unknown file extension or option, or the file cannot be written; or an
                archive is asked for of some rows, or while a batch of the job is under way.
            HistoryError: A result file was changed or is missing.
        """
        check_options(path, options)

        def work(running: Progress) -> int | None:
            chosen = rows
            if format_of(path)[0] == "archive":
                if isinstance(chosen, RowFilter):
                    is_whole = chosen == ALL_ROWS
                else:
                    is_whole = len(chosen.seqs) == self._history.jobs.get(job_id).counts.total
                if not is_whole:
                    raise UsageError(
                        "an archive has all rows of its job",
                        "Leave the conditions out, or write the rows as .jsonl.",
                    )
                self._context.reach("exporting")
                return self._history.archives.write(job_id, path, running)
            if isinstance(chosen, RowFilter):
                chosen = self._history.rows.select(job_id, chosen, progress=running)
            self._context.reach("exporting")
            written = self._history.rows.export(job_id, chosen, path, options, progress=running)
            self._context.reach("exported")
            return written

        written = await self._context.shielded(run_in_thread(work, progress))
        if written is not None:
            self._context.events.publish(RowsExported(job_id, written))
        return written

    def open_target(self, address: str) -> AbstractAsyncContextManager[BucketTarget]:
        """A file in a bucket to export to: ``s3://BUCKET/KEY`` or ``gs://BUCKET/KEY``.

        Export to the ``path`` of what it yields, then call ``upload``.

        Raises:
            UsageError: The address is none of a bucket.
            BatchdeckError: The bucket cannot be opened with the credentials of this machine.
        """
        return open_target(self._context, address)

    async def check_schema(
        self,
        job_id: str,
        rows: RowFilter | Sequence[int] = ALL_ROWS,
        schema: bytes | None = None,
        *,
        own: bool = False,
        progress: Progress = NO_PROGRESS,
    ) -> SchemaResults:
        """Check answers against their JSON schema; see ``check_schemas``.

        Args:
            job_id: The job.
            rows: The rows to check.
            schema: The schema as JSON; by default the schema attached to the job, or else
                each request's own.
            own: Use each request's own schema, even if one is attached to the job.
            progress: Counts the rows. If it is stopped, the results so far are returned.

        Raises:
            InputError: The schema is invalid.
        """

        def work(running: Progress) -> SchemaResults:
            seqs = rows
            if isinstance(seqs, RowFilter):
                seqs = self._history.rows.select(job_id, seqs, progress=running).seqs
            try:
                return self._history.rows.check_schemas(
                    job_id, seqs, schema, own=own, progress=running
                )
            except SchemaError as error:
                raise _invalid_schema(error) from None

        return await run_in_thread(work, progress)

    async def schema_of(self, job_id: str) -> bytes:
        """The JSON schema attached to a job; empty if there is none."""
        return await asyncio.to_thread(self._history.jobs.schema, job_id)

    async def set_schema(self, job_id: str, schema: bytes) -> None:
        """Attach a JSON schema to a job; an empty one removes it.

        Raises:
            InputError: The schema is invalid.
        """
        try:
            await asyncio.to_thread(self._history.jobs.set_schema, job_id, schema)
        except SchemaError as error:
            raise _invalid_schema(error) from None

    def judge(self, schema: bytes | None = None) -> AnswerChecker:
        """A checker for single rows, used with ``check_row_schema``.

        Raises:
            InputError: The schema is invalid.
        """
        try:
            return AnswerChecker(None if schema is None else Schema(schema))
        except SchemaError as error:
            raise _invalid_schema(error) from None

    def check_row_schema(self, job_id: str, seq: int, judge: AnswerChecker) -> CheckedAnswer:
        """Check the current answer of one row. Blocking: it reads files."""
        detail = self._history.rows.get(job_id, seq)
        if not detail.attempts:
            return CheckedAnswer(SchemaResult.NOTHING)
        shown = detail.attempts[0]
        return judge.judge(shown.row.outcome, detail.request, shown.line, shown.style, shown.edits)


def _invalid_schema(error: SchemaError) -> InputError:
    return InputError(str(error), "Check the schema.")
