"""The Results pane: find what failed, read it, send it again."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Sequence

from textual import work

from tui.core.filtering import RowFilter
from tui.core.jobs import Job
from tui.core.status import BatchStatus, is_terminal
from tui.ui.commands import Scope, bindings
from tui.ui.messages import (
    CopyRequested,
    ExportRequested,
    ExternalRequested,
    JobRequested,
    MediaRequested,
    RetryRequested,
    SchemaRequested,
)
from tui.ui.screens.results_view import ResultsView
from tui.ui.widgets.row_source import RowSource


class ResultsPane(ResultsView):
    """The commands on the rows of a job."""

    BINDING_GROUP_TITLE = "Results"
    BINDINGS = bindings(Scope.RESULTS)

    def why_not(self, command_id: str) -> str | None:
        """Why a command is off in this pane."""
        job = self._job
        if command_id in ("next_row", "previous_row", "view", "back"):
            return "" if self.is_reading else None
        if command_id == "save_media":
            return "" if self.is_reading else None
        if command_id == "attempt":
            return "" if self.is_reading and self._view.has_attempts else None
        if self.is_reading and command_id in ("filter", "errors_only", "groups"):
            return None
        if job is None:
            return "No job is shown: choose one in Batches (2)."
        if command_id in ("retry", "retry_edit") and not self._rows.marked:
            return _why_no_retry(job)
        if command_id == "groups" and not self._groups.row_count:
            return "No row of this job failed."
        if command_id == "cancel" and (is_terminal(job.status) or job.status is BatchStatus.DRAFT):
            return "The job is not running."
        return ""

    def action_back(self) -> None:
        """Leave the row that is read."""
        self.go_back()

    def action_filter(self) -> None:
        """Let a text be typed that rows must contain."""
        self._filter.edit()

    def action_errors_only(self) -> None:
        """Show the rows without an answer, or all again."""
        self._ask_for(self._query.toggled_errors())

    def action_groups(self) -> None:
        """Give the keys to the groups of errors."""
        self._groups.focus()

    def action_retry(self) -> None:
        """Ask to send again what is marked, else what is filtered, else all without an answer."""
        self._retry(edit=False)

    def action_retry_edit(self) -> None:
        """The same, with other parameters."""
        self._retry(edit=True)

    def _retry(self, *, edit: bool) -> None:
        if self.job_id is None:
            return
        rows: RowFilter | Sequence[int] | None = None
        subject = "every row without an answer"
        source = self._rows.source
        if self._rows.marked and isinstance(source, RowSource):
            rows = [seq for seq in source.selection.seqs if seq in self._rows.marks]
            subject = "the marked rows"
        elif self._query.is_filtered:
            rows = self._query.unanswered
            subject = "the rows shown that have no answer"
        self.post_message(RetryRequested(self.job_id, rows, edit, subject))

    def action_cancel(self) -> None:
        """Ask to stop the job."""
        self._ask("cancel")

    def action_collect(self) -> None:
        """Ask to fetch what there is."""
        self._ask("collect")

    def _ask(self, verb: str) -> None:
        if self.job_id is not None:
            self.post_message(JobRequested(verb, self.job_id))

    def action_export(self) -> None:
        """Ask to write rows to a file: all, those shown, or those marked."""
        source = self._rows.source
        if self.job_id is None:
            return
        shown = marked = None
        if isinstance(source, RowSource):
            seqs = source.selection.seqs
            # In their order on the screen; all of them in the order of the input are "all".
            shown = None if isinstance(seqs, range) and seqs.step == 1 else seqs
            marks = self._rows.marks
            if self._rows.marked and shown is None and not marks.inverted:
                # A few among a million: nothing is gone through.
                marked = array("q", sorted(seq for seq in marks.named if isinstance(seq, int)))
            elif self._rows.marked:
                marked = array("q", (seq for seq in seqs if seq in marks))
        self.post_message(ExportRequested(self.job_id, shown, marked))

    def action_summary(self) -> None:
        """Look at the whole job."""
        self._ask("summary")

    def action_next_row(self) -> None:
        """Show the next row."""
        self._rows.action_cursor_down()

    def action_previous_row(self) -> None:
        """Show the row before."""
        self._rows.action_cursor_up()

    def action_view(self) -> None:
        """Words, or JSON."""
        self._view.toggle_json()

    def action_attempt(self) -> None:
        """Show another attempt."""
        self._view.next_attempt()

    @work(group="outside", exit_on_error=False)
    async def action_copy(self) -> None:
        """Copy the answer that is read, else the id of the row."""
        self._show_row()
        await self._view.settled()
        reading, detail = self._view.answer_reading, self._view.detail
        if self.is_reading and reading is not None:
            whole = await asyncio.to_thread(lambda: reading.whole)
            self.post_message(CopyRequested(whole, "the answer"))
        elif detail is not None:
            self.post_message(CopyRequested(detail.row.custom_id, "the id of the row"))

    @work(group="media", exit_on_error=False)
    async def action_save_media(self) -> None:
        """Ask where to save the images and sounds of the answer that is read."""
        media, detail = await self._view.media(), self._view.detail
        if media and detail is not None:
            self.post_message(MediaRequested(media, detail.row.custom_id))
        else:
            self.notify("There are no images or sounds in this answer", markup=False)

    def action_schema(self) -> None:
        """Ask by which schema the answers are to be checked."""
        if self.job_id is not None:
            self.post_message(SchemaRequested(self.job_id))

    def action_pager(self) -> None:
        """Read the whole answer in the pager."""
        self._outside("pager")

    def action_editor(self) -> None:
        """Open answer and request in the editor."""
        self._outside("editor")

    @work(group="outside", exit_on_error=False)
    async def _outside(self, program: str) -> None:
        self._show_row()
        text = await self._view.whole_text()
        if text:
            self.post_message(ExternalRequested(program, text))


def _why_no_retry(job: Job) -> str:
    if job.counts.unanswered:
        return ""
    return "No row has failed so far." if job.counts.pending else "Every row has an answer."
