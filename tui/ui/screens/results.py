"""The Results pane: find what failed, read it, send it again."""

from __future__ import annotations

import asyncio
from array import array

from textual import on, work

from tui.core.filtering import RowFilter
from tui.core.jobs import Job
from tui.core.status import BatchStatus, is_terminal
from tui.ui.commands import Scope, bindings
from tui.ui.dialogs.columns import ColumnsDialog
from tui.ui.dialogs.filters import FiltersAnswer, FiltersDialog
from tui.ui.messages import (
    ExportRequested,
    ExternalRequested,
    JobRequested,
    MediaRequested,
    RetryRequested,
    SchemaRequested,
)
from tui.ui.screens.results_view import ResultsView
from tui.ui.signals import CopyRequested, StateChanged
from tui.ui.widgets.group_source import group_words
from tui.ui.widgets.query_line import QueryLine
from tui.ui.widgets.row_columns import chosen_columns, offered, usual_keys
from tui.ui.widgets.row_source import RowSource

_OF_THE_TABLE = frozenset(
    {"filter", "errors_only", "groups", "columns", "filters", "narrower", "wider"}
)
"""Commands that make no sense while one row fills the pane."""


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
        if self.is_reading and command_id in _OF_THE_TABLE:
            return None
        if job is None:
            return "No job is shown: choose one in Batches (2)."
        if command_id in ("retry", "retry_edit"):
            chosen = self._rows.marked or self._groups.has_focus or self._query.names_its_rows
            return "" if chosen else _why_no_retry(job)
        if command_id == "groups" and not self._groups.row_count:
            return "No row of this job has a problem."
        if command_id == "cancel" and (is_terminal(job.status) or job.status is BatchStatus.DRAFT):
            return "The job is not running."
        return ""

    def action_back(self) -> None:
        """Leave the row that is read."""
        self.go_back()

    def action_filter(self) -> None:
        """Let a text be typed that rows must contain."""
        self._filter.recollect(asked.where for asked in self.state.rows.values())
        self._filter.edit()

    def action_errors_only(self) -> None:
        """Show the rows without an answer, or all again."""
        self._ask_for(self._query.toggled_errors())

    def action_groups(self) -> None:
        """Give the keys to the groups of errors."""
        # At once: a key that follows quickly is meant for the groups already.
        self.screen.set_focus(self._groups)

    def action_retry(self) -> None:
        """Ask to send again what is marked, else what is filtered, else all without an answer."""
        self._retry(edit=False)

    def action_retry_edit(self) -> None:
        """The same, with other parameters."""
        self._retry(edit=True)

    def _retry(self, *, edit: bool) -> None:
        if self.job_id is None:
            return
        group = self._groups.group if self._groups.has_focus else None
        if group is not None:
            rows = RowFilter(groups=frozenset({group.key}))
            subject = f"the rows with {group_words(group)}"
            # Unchanged they would end alike.
            edit = edit or group.retryable is False
            self.post_message(RetryRequested(self.job_id, rows, edit, subject))
        elif self._rows.marked:
            self.run_worker(
                self._retry_marked(self.job_id, edit), group="marks", exit_on_error=False
            )
        elif self._query.is_filtered:
            named = self._query.names_its_rows
            subject = "the rows shown" if named else "the rows shown that have no answer"
            self.post_message(RetryRequested(self.job_id, self._query.unanswered, edit, subject))
        else:
            self.post_message(RetryRequested(self.job_id, None, edit))

    async def _retry_marked(self, job_id: str, edit: bool) -> None:
        marks, source = self._rows.marks, self._rows.source
        if not isinstance(source, RowSource):
            return
        if not marks.inverted:
            rows = sorted(seq for seq in marks.named if isinstance(seq, int))
        else:
            # All but some of a million rows: not on the event loop.
            named, seqs = set(marks.named), source.selection.seqs
            rows = await asyncio.to_thread(lambda: [seq for seq in seqs if seq not in named])
        self.post_message(RetryRequested(job_id, rows, edit, "the marked rows"))

    def action_columns(self) -> None:
        """Choose the columns of the table."""
        names = self._inputs.columns
        shown = [column.key for column in self._rows.columns]
        dialog = ColumnsDialog(offered(names), shown, usual_keys(names))
        self.app.push_screen(dialog, self._columns_chosen)

    def _columns_chosen(self, shown: list[str] | None) -> None:
        if shown is None:
            return
        usual = shown == usual_keys(self._inputs.columns)
        self.note_look(columns=[] if usual else shown, **({"widths": {}} if usual else {}))
        self.post_message(StateChanged())
        self._rows.set_columns(chosen_columns(self.look, self._inputs.columns))
        source = self._rows.source
        if isinstance(source, RowSource):
            self._show_rows(source.selection)

    def action_filters(self) -> None:
        """Keep the query by a name, or recall one."""
        dialog = FiltersDialog(self.state.filters, self._query.where)
        self.app.push_screen(dialog, self._filters_answered)

    @on(QueryLine.SavedWanted)
    def _saved_wanted(self) -> None:
        self._filter_left()
        self.action_filters()

    def _filters_answered(self, answer: FiltersAnswer | None) -> None:
        if answer is None:
            return
        if self.state.filters != answer.kept:
            self.state.filters = answer.kept
            self.post_message(StateChanged())
        if answer.use is not None:
            self._ask_for(self._query.asking(answer.use))

    def action_narrower(self) -> None:
        """Make the chosen column narrower."""
        self._rows.resize_column(-2)

    def action_wider(self) -> None:
        """Make the chosen column wider."""
        self._rows.resize_column(2)

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
            bare = await asyncio.to_thread(lambda: reading.bare)
            self.post_message(CopyRequested(bare, "the answer"))
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
