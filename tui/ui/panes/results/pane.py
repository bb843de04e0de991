"""The Results pane: find failed rows, read them, retry them."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from textual import events, on, work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.timer import Timer

from tui.core.analysis.completion import needs_columns
from tui.core.jobs import Job, OrphanLines
from tui.errors import BatchdeckError
from tui.ui.commands.command_table import Scope, bindings
from tui.ui.commands.dispatch import CommandTarget
from tui.ui.engine_updates import Changes
from tui.ui.models.row_search import FacetAnswer, RowQuery, learn_columns
from tui.ui.panes.job_actions import JobActions
from tui.ui.panes.results.columns import RowColumns
from tui.ui.panes.results.row_actions import RowActions
from tui.ui.panes.results.row_retry import RowRetry
from tui.ui.panes.results.row_table import RowTable
from tui.ui.panes.results.views import RowViews
from tui.ui.session import Session
from tui.ui.text.tones import Part
from tui.ui.widgets.basics import EmptyState
from tui.ui.widgets.error_groups import ErrorGroups
from tui.ui.widgets.filter_line import Chip, ChipBar, FilterLine, QueryHint, QueryLine
from tui.ui.widgets.job_details import JobHead
from tui.ui.widgets.row_view import RowView
from tui.ui.widgets.table.table import VirtualTable

if TYPE_CHECKING:
    from tui.store.history import History

READ_DELAY = 0.05
"""Seconds without a cursor move before a row is read."""

_MARKS = -1
"""Key of the chip for marks, which are not a condition of the query."""

_OF_THE_TABLE = frozenset(
    {
        "filter",
        "errors_only",
        "groups",
        "columns",
        "views",
        "narrower",
        "wider",
        "facets",
        "sort_within",
    }
)
"""Commands that are unavailable while one row fills the pane."""


class ResultsPane(CommandTarget, Vertical, can_focus=True):
    """The rows of one job, kept up to date with the engine."""

    SCOPE = Scope.RESULTS
    BINDING_GROUP_TITLE = "Results"
    BINDINGS = bindings(Scope.RESULTS)
    BORDER_TITLE = "Results"
    DEFAULT_CSS = """
    ResultsPane #rows { height: 1fr; min-height: 3; }
    ResultsPane #row-view, ResultsPane EmptyState { display: none; }
    ResultsPane.-empty > * { display: none; }
    ResultsPane.-empty EmptyState { display: block; }
    ResultsPane.-reading #rows, ResultsPane.-reading #error-groups,
    ResultsPane.-reading #row-filter, ResultsPane.-reading #row-hint,
    ResultsPane.-reading #job-head { display: none; }
    ResultsPane.-reading #row-view, ResultsPane.-reading #row-place { display: block; }
    """

    class RowFilled(Message):
        """A row was maximised, or restored."""

    def __init__(self, session: Session, *, id: str | None = None) -> None:
        # A class that is set later would give all widgets their styles anew.
        super().__init__(id=id, classes="-empty")
        self.session = session
        self._read_timer: Timer | None = None
        self._groups_read = self._groups_changed = False
        self._head = JobHead()
        self._groups = ErrorGroups(id="error-groups")
        self._filter = QueryLine("outcome:failed code:429 or text to search for", id="row-filter")
        self._hint = QueryHint(id="row-hint")
        self._rows = RowTable(session, id="rows")
        self._actions = JobActions(self, session, lambda: self.job, self._rows)
        self._view = RowView(id="row-view")
        self._views = RowViews(session, self._rows)
        self._columns = RowColumns(session, self._rows)
        self._row_retry = RowRetry(
            session, self._rows, self._groups, self._view, lambda: self.is_reading
        )
        self._row_actions = RowActions(
            session,
            self._view,
            self._show_row,
            lambda: self.is_reading,
            lambda: self._rows.cursor_id,
        )

    def compose(self) -> ComposeResult:
        """The head, the error groups, the filter, the rows and the row view."""
        yield self._head
        yield self._groups
        yield self._filter
        yield self._hint
        yield self._rows
        yield self._view
        yield EmptyState("No job is open", _NO_JOB)

    def on_mount(self) -> None:
        """Show how the rows are sorted."""
        self._rows.show_sort("seq", descending=False)

    @property
    def job(self) -> Job | None:
        """The job shown."""
        return self._rows.job

    @property
    def job_id(self) -> str | None:
        """The id of the job shown."""
        return self.job.id if self.job is not None else None

    @property
    def rows_table(self) -> RowTable:
        """The table of rows."""
        return self._rows

    @property
    def where(self) -> str:
        """The current query."""
        return self._rows.asked.where

    @property
    def view(self) -> RowView:
        """The row view."""
        return self._view

    @property
    def is_reading(self) -> bool:
        """Whether one row fills the pane."""
        return self.has_class("-reading")

    def _set_reading(self, reading: bool) -> None:
        if reading != self.is_reading:
            self.set_class(reading, "-reading")
            self._show_retry_subject()
            self.post_message(self.RowFilled())

    # The job

    def show_job(self, job_id: str | None) -> None:
        """Show another job from its first row, with its last query and order."""
        if job_id == self.job_id:
            return
        self._rows.close_job()
        self._filter.set_text("")
        self._filter.columns = {}
        self._hint.clear()
        self._set_reading(False)
        self._groups.show([])
        job = None if job_id is None else self._read_job(job_id)
        if job is None or not self._rows.open_job(job):
            self._view.show(None)
        else:
            self._filter.set_text(self.where)
        self._show_if_empty()
        self._draw_filter()
        self.update_commands()

    def apply(self, changes: Changes) -> None:
        """Apply changes of this job reported by the engine."""
        job_id = self.job_id
        if job_id is None or (job_id not in changes.jobs and not changes.listed):
            return
        job = self._read_job(job_id)
        if job is None:
            self.show_job(None)
            return
        self._rows.job = job
        self._draw_filter()
        if job_id in changes.collected or changes.listed:
            self._rows.reload()
            self._read_row()
        self.update_commands()

    def reload_rows(self) -> None:
        """Read the rows again after their schema results or reviews changed."""
        if self.job is not None:
            # Reviews may have other labels now.
            self._filter.columns = {}
            self._rows.reload()
            self._read_row()

    def show_done(self, done: int) -> None:
        """Show how many rows the provider has finished, before they are collected."""
        if self.job is not None:
            self._head.show(self.job, max(done, self.job.counts.ended))

    def show_where(self, where: str) -> None:
        """Show the rows that match a query."""
        self._set_reading(False)
        self._ask(self._rows.asked.with_where(where))

    def clear_marks(self) -> None:
        """Remove all marks."""
        self._rows.clear_marks()

    def remember(self) -> None:
        """Save the query and order of this job to the state."""
        self._rows.remember()

    def focus_rows(self) -> None:
        """Focus the rows, or the row view."""
        if self.job is None:
            self.focus()
        elif self.is_reading:
            self._view.focus_answer()
        else:
            self._rows.focus()

    def go_back(self) -> bool:
        """Go one level back; returns ``False`` if there is none."""
        if self.is_reading and not self._filter.is_editing:
            self._set_reading(False)
            self.update_commands()
            self.call_after_refresh(self._rows.focus)
        elif self._rows.stop_search():
            pass
        elif self._filter.is_editing:
            self._filter.clear()
            self._filter_left()
        elif self._groups.has_focus or self._filter.chips.has_focus:
            self._rows.focus()
        elif self.where:
            self._ask(self._rows.asked.unfiltered())
        elif self._rows.marked:
            self._rows.clear_marks()
        else:
            return False
        return True

    def _show_if_empty(self) -> None:
        self.set_class(self.job is None, "-empty")
        # Something must have the focus, or the pane's bindings would not work.
        self.can_focus = self.job is None

    def _read_job(self, job_id: str) -> Job | None:
        def read(history: History) -> tuple[Job, OrphanLines]:
            return history.jobs.get(job_id), history.rows.orphan_lines(job_id)

        found = self.session.read_job(job_id, read, None)
        if found is None:
            return None
        job, orphans = found
        self._head.show(job, job.counts.ended, orphans)
        self._groups_changed = True
        if not self._groups_read:
            self.run_worker(self._read_groups(), group="groups", exit_on_error=False)
        return job

    async def _read_groups(self) -> None:
        """Count the error groups in a thread, one at a time: slow for a large job."""
        self._groups_read = True
        try:
            while self._groups_changed and (job_id := self.job_id) is not None:
                self._groups_changed = False
                groups = await asyncio.to_thread(
                    self.session.engine.history.rows.error_groups, job_id
                )
                if job_id == self.job_id:
                    self._groups.show(groups, self._rows.asked.group)
                    self._draw_filter()
                    self.update_commands()
        except BatchdeckError:
            # The job was deleted meanwhile; the pane handles that change too.
            self._groups_changed = False
        finally:
            self._groups_read = False

    @on(events.DescendantFocus)
    def _focus_moved(self) -> None:
        # Which rows can be retried depends on the focus.
        self.update_commands()
        self._show_retry_subject()

    # The query

    def _ask(self, query: RowQuery) -> None:
        """Apply another query, also to the filter line and the groups."""
        self._filter.set_text(query.where)
        self._hint.clear()
        self._groups.choose(query.group)
        self._rows.ask(query)
        self._draw_filter()

    def _draw_filter(self) -> None:
        if self.job is None:
            return
        labels = self._rows.asked.labels(self._groups.label_of)
        chips = [Chip(index, label) for index, label in enumerate(labels)]
        if self._rows.marked:
            chips.append(Chip(_MARKS, f"{self._rows.marked:,} marked", "warn"))
        hint: list[Part] = [("All rows", "muted")]
        if chips:
            what = " show all" if labels else " clear marks"
            hint = [("  esc", "accent"), (what, "muted")]
        self._filter.show_chips(chips, hint)
        self._show_retry_subject()
        self._filter.show_count(self._rows.row_count, self.job.counts.total, self._rows.note)

    @on(RowTable.Changed)
    def _rows_changed(self, event: RowTable.Changed) -> None:
        self._draw_filter()
        if event.rows:
            self._read_row()

    @on(RowTable.SearchFailed)
    def _search_failed(self, event: RowTable.SearchFailed) -> None:
        error = event.error
        self._hint.show_error(f"{error.message}. {error.hint}" if error.hint else error.message)

    @on(VirtualTable.MarksChanged, "#rows")
    def _marks_changed(self) -> None:
        self._draw_filter()
        self.update_commands()

    @on(VirtualTable.Opened, "#error-groups")
    def _group_opened(self, event: VirtualTable.Opened) -> None:
        self._ask(self._rows.asked.toggled_group(str(event.row_id)))
        self._rows.focus()

    @on(FilterLine.Changed, "#row-filter")
    def _text_changed(self, event: FilterLine.Changed) -> None:
        query = self._rows.asked.with_where(event.text)
        if self.job is not None and query.where != self.where:
            if query.rows != self._rows.asked.rows:
                self._groups.choose(query.group)
            self._rows.ask(query, again=False)
            self._draw_filter()

    @on(QueryLine.Edited)
    def _being_edited(self) -> None:
        if self._filter.is_editing:
            self._hint.show_help(self._filter.typed, self._filter.columns)
            if needs_columns(self._filter.typed):
                self._learn_columns(self._filter.typed)

    @work(group="completion", exclusive=True, exit_on_error=False)
    async def _learn_columns(self, typed: str) -> None:
        """Find the columns that can be asked for, and the values of the one at the end."""
        job_id, known = self.job_id, self._filter.columns
        if job_id is None:
            return
        try:
            learned = await learn_columns(self.session.engine, job_id, typed, known)
        except BatchdeckError:
            # The job was deleted meanwhile; the pane handles that change too.
            return
        if job_id == self.job_id and learned != known:
            self._filter.columns = learned
            if self._filter.is_editing:
                self._hint.show_help(self._filter.typed, learned)

    @on(FilterLine.Left, "#row-filter")
    def _filter_entered(self) -> None:
        self._filter_left()
        if self._rows.is_stopped:
            self._rows.select()

    def _filter_left(self) -> None:
        self._filter.add_history([self.where])
        self._hint.clear()
        self._draw_filter()
        self._rows.focus()

    @on(ChipBar.Removed)
    def _chip_removed(self, event: ChipBar.Removed) -> None:
        event.stop()
        if event.key == _MARKS:
            self._rows.clear_marks()
        else:
            self._ask(self._rows.asked.without(event.key))

    @on(events.DescendantBlur)
    def _filter_blurred(self) -> None:
        if self._filter.is_editing and not self._filter.has_focus_within:
            self._filter.keep()
            self._hint.clear()

    @on(QueryLine.SavedRequested)
    def _saved_requested(self) -> None:
        self._filter_left()
        self.action_views()

    # The row under the cursor

    def _read_row(self) -> None:
        if self._read_timer is not None:
            self._read_timer.stop()
        self._read_timer = self.set_timer(READ_DELAY, self._read_row_now)

    def on_resize(self) -> None:
        """Read the row, of which a larger terminal may show a view that was hidden."""
        self._read_row()

    def _read_row_now(self) -> None:
        if self._view.display or self.is_reading:
            self._show_row()
        if self.is_reading:
            self.update_commands()

    def _show_row(self) -> None:
        """Read the row under the cursor, whether the row view is visible or not."""
        rows, job = self._rows, self.job
        if job is not None:
            self._view.show_position(rows.cursor + 1, rows.row_count, job.counts.total)
        if job is not None and isinstance(rows.cursor_id, int):
            self._view.read(partial(self.session.engine.history.rows.get, job.id, rows.cursor_id))
        else:
            self._view.read(None)

    @on(VirtualTable.CursorMoved, "#rows")
    def _row_under_cursor(self) -> None:
        self._read_row()

    @on(VirtualTable.Opened, "#rows")
    def _row_opened(self) -> None:
        self._set_reading(True)
        self._show_row()
        self.update_commands()
        self.call_after_refresh(self._view.focus_answer)

    # Commands

    def why_disabled(self, command_id: str) -> str | None:
        """Why a command is unavailable in this pane."""
        if command_id in ("next_row", "previous_row", "view", "back", "save_media"):
            return "" if self.is_reading else None
        if command_id == "attempt":
            return "" if self.is_reading and self._view.has_attempts else None
        if self.is_reading and command_id in _OF_THE_TABLE:
            return None
        if self.job is None:
            return "No job is open. Choose one in Batches (2)."
        if command_id in ("retry", "retry_edit"):
            if self._row_retry.is_waiting:
                return "This row has no answer yet."
            if self._row_retry.has_rows:
                return ""
        if command_id == "groups" and not self._groups.row_count:
            return "This job has no errors."
        if command_id == "review" and not self.job.counts.answered:
            return "No row has an answer yet."
        return self._actions.why_disabled(command_id)

    def run(self, command_id: str) -> bool:
        """Run a command on rows, or one on the whole job."""
        return super().run(command_id) or self._actions.run(command_id)

    def action_back(self) -> None:
        """Close the row view."""
        self.go_back()

    def action_filter(self) -> None:
        """Edit the query."""
        self._filter.add_history(asked.where for asked in self.session.state.rows.values())
        self._filter.edit()

    @work(group="views", exit_on_error=False)
    async def action_views(self) -> None:
        """Save filter, order and columns under a name, or use those of a name."""
        if (query := await self._views.choose()) is not None:
            self._ask(query)

    def action_errors_only(self) -> None:
        """Toggle errors only."""
        self._ask(self._rows.asked.toggled_errors())

    def action_groups(self) -> None:
        """Focus the error groups."""
        # Synchronously, so that a key typed right after goes to the groups.
        self.screen.set_focus(self._groups)

    def action_retry(self) -> None:
        """Retry the rows that ``RowRetry.target`` names."""
        if not self._row_retry.start(edit=False):
            self._actions.run("retry")

    def action_retry_edit(self) -> None:
        """Edit and retry the same rows."""
        if not self._row_retry.start(edit=True):
            self._actions.run("retry_edit")

    def _show_retry_subject(self) -> None:
        self._view.show_subject(self._row_retry.target().subject)

    @work(group="columns", exit_on_error=False)
    async def action_columns(self) -> None:
        """Choose the columns of the table, or compute another one."""
        await self._columns.choose()

    def action_facets(self) -> None:
        """Count the values of the selected column, and filter by them."""
        if self.job_id is not None:
            asked, column = self._rows.asked, self._rows.column_name or self._rows.facet
            self.session.tasks.facets(self.job_id, asked, column, self._facets_answered)

    def _facets_answered(self, job_id: str, answer: FacetAnswer) -> None:
        if job_id != self.job_id:
            return  # The job was closed or deleted meanwhile.
        self._rows.facet = answer.counted
        if answer.column:
            self._rows.add_column(answer.column)
        if answer.query is not None:
            self._ask(answer.query)
        if answer.command:
            self._run_on_rows(answer.command)

    @work(group="facets", exclusive=True, exit_on_error=False)
    async def _run_on_rows(self, command_id: str) -> None:
        """Run a command on the rows of a new filter, once they are found."""
        if await self._rows.has_final_rows():
            self.run(command_id)

    def action_sort_within(self) -> None:
        """Sort rows with equal values by the selected column."""
        column = self._rows.columns[self._rows.column_cursor]
        if column.sortable:
            self._rows.sort_by(column.key, within=True)

    def action_narrower(self) -> None:
        """Narrow the selected column."""
        self._rows.resize_column(-2)

    def action_wider(self) -> None:
        """Widen the selected column."""
        self._rows.resize_column(2)

    def action_export(self) -> None:
        """Export rows: all, those shown, or those marked."""
        self._rows.export()

    def action_review(self) -> None:
        """Review answers: all, those shown, or those marked."""
        self._rows.review()

    def action_compose_rows(self) -> None:
        """Make a new job from rows: those marked, those shown, or all with an answer."""
        self._rows.compose_rows()

    def action_next_row(self) -> None:
        """Show the next row."""
        self._rows.action_cursor_down()

    def action_previous_row(self) -> None:
        """Show the previous row."""
        self._rows.action_cursor_up()

    def action_view(self) -> None:
        """Toggle between text and raw JSON."""
        self._view.toggle_json()

    def action_attempt(self) -> None:
        """Show another attempt."""
        self._view.next_attempt()

    @work(group="outside", exit_on_error=False)
    async def action_copy(self) -> None:
        """Copy the answer in the row view, else the row's custom_id."""
        await self._row_actions.copy()

    @work(group="media", exit_on_error=False)
    async def action_save_media(self) -> None:
        """Save the images and audio of the answer, after asking for a folder."""
        await self._row_actions.save_media()

    def action_pager(self) -> None:
        """Open the answer and the request in the pager."""
        self._open_in("pager")

    def action_editor(self) -> None:
        """Open the answer and the request in the editor."""
        self._open_in("editor")

    @work(group="outside", exit_on_error=False)
    async def _open_in(self, program: str) -> None:
        await self._row_actions.open_in(program)


_NO_JOB = (("2", "go to Batches"), ("enter", "there: open a job"))
