"""The verbs that look at whole jobs: summary, compare, export."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from tui.core.comparing import CompareOptions
from tui.core.filtering import ALL_ROWS, INPUT_ORDER, RowFilter, RowSelection, RowSort
from tui.core.summary import Summary
from tui.core.verdicts import Verdict
from tui.engine.context import Context
from tui.engine.summary import Summaries
from tui.engine.threads import Stop, stoppable, told_on_loop
from tui.store.comparing import Comparison, compare_jobs
from tui.store.export import ExportOptions, export_rows
from tui.store.history import History
from tui.store.verdicts import schema_verdicts

Progress = Callable[[int, int], None]


class Insight:
    """What the engine can tell and write of jobs as wholes."""

    history: History
    summaries: Summaries
    _context: Context

    async def summary(
        self,
        job_id: str,
        field: str = "",
        *,
        stop_words: bool = False,
        stop: Stop | None = None,
        progress: Progress | None = None,
        partial: Callable[[Summary], None] | None = None,
    ) -> Summary:
        """A job as a whole, read in a thread; kept while the job does not change.

        Args:
            job_id: The job.
            field: The path of the field of which labels and words are counted, ``data.label``
                or ``text``; empty for the one that looks most like a label.
            stop_words: Leave out words that say little.
            stop: Asked now and then; true ends it, and what was read is the answer.
            progress: Called, from another thread, with rows read and rows in all.
            partial: Called now and then, on this event loop, with what the rows read so far
                come to.

        Raises:
            UnknownJobError: There is no such job.
            HistoryError: A result file is not what it was.
        """
        return await self.summaries.of(
            job_id, field, stop_words=stop_words, stop=stop, progress=progress, partial=partial
        )

    async def compare(
        self,
        left_id: str,
        right_id: str,
        options: CompareOptions = CompareOptions(),  # noqa: B008 - frozen
        *,
        stop: Stop | None = None,
        progress: Progress | None = None,
    ) -> Comparison:
        """Two jobs row by row on their ids, read in a thread; see ``compare_jobs``.

        Where the requests ask for a form of the answers, the share that fits is told of both;
        the rows of each are then gone through once more, of which ``progress`` tells too.

        Raises:
            UsageError: It is one and the same job.
            HistoryError: A result file is not what it was.
        """

        def work(asked: Stop) -> Comparison:
            history = self.history
            found = compare_jobs(history, left_id, right_id, options, stop=asked, progress=progress)
            for side in (found.left, found.right):
                if not found.stopped:
                    rows = range(history.job(side.job_id).counts.total)
                    judged = schema_verdicts(
                        history, side.job_id, rows, stop=asked, progress=progress
                    )
                    side.judge(judged.checked, judged.counts.get(Verdict.FITS, 0))
            return found

        return await stoppable(work, stop)

    async def select(
        self,
        job_id: str,
        rows: RowFilter = ALL_ROWS,
        order: RowSort = INPUT_ORDER,
        *,
        stop: Stop | None = None,
        partial: Callable[[RowSelection], None] | None = None,
    ) -> RowSelection:
        """The rows that a filter lets through, found in a thread that ends with the caller.

        Args:
            job_id: The job.
            rows: The conditions.
            order: The order.
            stop: Asked now and then; what was found so far is the answer.
            partial: Called on the event loop with the rows found so far while a text is
                looked for: the first at once, then some times a second, never after the end.
        """
        with told_on_loop(partial) as tell:
            return await stoppable(
                lambda asked: self.history.select(job_id, rows, order, stop=asked, partial=tell),
                stop,
            )

    async def export(
        self,
        job_id: str,
        path: Path,
        rows: RowFilter | RowSelection = ALL_ROWS,
        options: ExportOptions = ExportOptions(),  # noqa: B008 - frozen
        *,
        stop: Stop | None = None,
        progress: Progress | None = None,
    ) -> int | None:
        """Write rows to a file; the answer is how many, ``None`` when it was stopped.

        Raises:
            UsageError: The ending or an option is not known, or the file cannot be written.
            HistoryError: A result file is not what it was.
        """

        def work() -> int | None:
            chosen = rows
            if isinstance(chosen, RowFilter):
                chosen = self.history.select(job_id, chosen, stop=stop)
            self._context.reach("exporting")
            written = export_rows(
                self.history, job_id, chosen, path, options, stop=stop, progress=progress
            )
            self._context.reach("exported")
            return written

        return await self._context.shielded(asyncio.to_thread(work))
