"""What the Results pane shows: head, groups of errors, rows, and one row to read."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.timer import Timer

from tui.core.filtering import RowSelection
from tui.core.jobs import Job
from tui.errors import BatchdeckError
from tui.ui.commands import Scope
from tui.ui.messages import (
    Changes,
)
from tui.ui.rowquery import RowQuery
from tui.ui.targets import CommandTarget
from tui.ui.tones import Part
from tui.ui.widgets.empty_state import EmptyState
from tui.ui.widgets.error_groups import ErrorGroups
from tui.ui.widgets.filter_line import FilterLine
from tui.ui.widgets.job_head import JobHead
from tui.ui.widgets.row_source import ROW_COLUMNS, RowSource
from tui.ui.widgets.row_view import RowView
from tui.ui.widgets.table_model import EmptySource
from tui.ui.widgets.virtual_table import VirtualTable

if TYPE_CHECKING:
    from tui.engine.engine import Engine

READ_PAUSE = 0.05
"""Seconds for which the cursor rests before a row is read: walking fast reads nothing."""

BUSY_PAUSE = 0.2
"""Seconds after which a search says that it goes on."""


class ResultsView(CommandTarget, Vertical):
    """Everything about the rows of one job, kept as the engine and the keys want it."""

    SCOPE = Scope.RESULTS
    BORDER_TITLE = "Results"
    DEFAULT_CSS = """
    ResultsView #rows { height: 1fr; min-height: 3; }
    ResultsView #row-view, ResultsView EmptyState { display: none; }
    ResultsView.-empty > * { display: none; }
    ResultsView.-empty EmptyState { display: block; }
    ResultsView.-reading #rows, ResultsView.-reading #error-groups,
    ResultsView.-reading #row-filter, ResultsView.-reading #job-head { display: none; }
    ResultsView.-reading #row-view { display: block; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._engine: Engine | None = None
        self._job: Job | None = None
        self._query = RowQuery()
        self._generation = 0
        self._read_timer: Timer | None = None
        self._head = JobHead()
        self._groups = ErrorGroups(id="error-groups")
        self._filter = FilterLine("text in id, request or answer", id="row-filter")
        self._rows = VirtualTable(ROW_COLUMNS, markable=True, id="rows")
        self._rows.placeholder = (("No row fits.  ", "muted"), ("esc", "accent"), _SHOWS_ALL)
        self._view = RowView(id="row-view")

    def compose(self) -> ComposeResult:
        """Head, groups of errors, filter, rows, and the row to read."""
        yield self._head
        yield self._groups
        yield self._filter
        yield self._rows
        yield self._view
        yield EmptyState("No job is open", _NO_JOB)

    def on_mount(self) -> None:
        """Nothing is shown yet."""
        self._show_emptiness()
        self._rows.show_sort("seq", descending=False)

    @property
    def job_id(self) -> str | None:
        """The job shown."""
        return self._job.id if self._job is not None else None

    @property
    def rows_table(self) -> VirtualTable:
        """The table of rows."""
        return self._rows

    @property
    def view(self) -> RowView:
        """The row that is read."""
        return self._view

    @property
    def is_reading(self) -> bool:
        """Does one row fill the pane?"""
        return self.has_class("-reading")

    def set_engine(self, engine: Engine) -> None:
        """Take the engine to read from."""
        self._engine = engine

    def show_job(self, job_id: str | None) -> None:
        """Show another job, unfiltered, from its first row."""
        if job_id == self.job_id:
            return
        self._query = self._query.unfiltered()
        self._filter.clear()
        self._rows.clear_marks()
        self.remove_class("-reading")
        self._job = None
        if job_id is not None:
            self._read_job(job_id)
        self._show_emptiness()
        if self._job is None:
            self._rows.set_source(EmptySource())
            self._view.show(None)
        elif self._query.is_plain:
            total = self._job.counts.total
            self._show_rows(RowSelection(seqs=range(total), total=total), keep_cursor=False)
        else:
            self._select()
        self.update_commands()

    def apply(self, changes: Changes) -> None:
        """Show what the engine told of this job."""
        job_id = self.job_id
        if job_id is None or (job_id not in changes.jobs and not changes.listed):
            return
        self._read_job(job_id)
        if self._job is None:
            self.show_job(None)
        elif job_id in changes.collected or changes.listed:
            if self._query.is_plain:
                self._rows.rows_changed()
            else:
                self._select()
            self._read_row()
        self.update_commands()

    def show_anew(self) -> None:
        """Read the rows again: what is said of them has changed."""
        if self._job is not None:
            if not self._query.is_plain:
                self._select()
            self._read_row()

    def show_done(self, done: int) -> None:
        """Show how many rows the provider is done with, before they are collected."""
        if self._job is not None:
            self._head.show(self._job, max(done, self._job.counts.ended))

    def clear_marks(self) -> None:
        """Take the marks of rows away."""
        self._rows.clear_marks()

    def focus_rows(self) -> None:
        """Give the keys to the rows, or to the row that is read."""
        if self._job is None:
            self.focus()
        elif self.is_reading:
            self._view.focus_answer()
        else:
            self._rows.focus()

    def go_back(self) -> bool:
        """Leave the innermost thing; false when there is none."""
        if self._filter.is_editing:
            self._filter.clear()
            self._rows.focus()
        elif self.is_reading:
            self.remove_class("-reading")
            self.update_commands()
            self.call_after_refresh(self._rows.focus)
        elif self._groups.has_focus:
            self._rows.focus()
        elif self._query.is_filtered:
            self._filter.clear()
            self._ask_for(self._query.unfiltered())
        elif self._rows.marked:
            self._rows.clear_marks()
        else:
            return False
        return True

    def _show_emptiness(self) -> None:
        self.set_class(self._job is None, "-empty")
        # Something must have the focus, or the keys of the pane would not work.
        self.can_focus = self._job is None

    def _read_job(self, job_id: str) -> None:
        if self._engine is None:
            return
        try:
            self._job = self._engine.history.job(job_id)
        except BatchdeckError:
            self._job = None
            return
        self._head.show(self._job, self._job.counts.ended, self._engine.history.strays(job_id))
        self._groups.show(self._engine.history.error_groups(job_id), self._query.group)
        self._draw_filter()

    def _draw_filter(self) -> None:
        if self._job is None:
            return
        conditions: list[Part] = []
        if self._query.errors_only:
            conditions.append(("errors only", "accent"))
        if self._query.group is not None:
            words = self._groups.words_of(self._query.group)
            conditions.append((f"error {words}", "accent"))
        if self._rows.marked:
            conditions.append((f"{self._rows.marked:,} marked", "warn"))
        self._filter.show(conditions, self._rows.row_count, self._job.counts.total, "rows")

    def _ask_for(self, query: RowQuery) -> None:
        """Look at other rows, or in another order."""
        if query.rows != self._query.rows and self._rows.marks.inverted:
            # "All but these" would mean other rows now.
            self._rows.clear_marks()
        self._query = query
        self._rows.show_sort(query.sort.column, descending=query.sort.descending)
        if self._job is not None and self._engine is not None:
            self._groups.show(self._engine.history.error_groups(self._job.id), query.group)
            self._draw_filter()
            self._select()

    def _select(self) -> None:
        self._generation += 1
        self._select_rows(self._generation)

    @work(group="select", exclusive=True, exit_on_error=False)
    async def _select_rows(self, generation: int) -> None:
        job_id, query = self.job_id, self._query
        if job_id is None or self._engine is None:
            return
        busy = self.set_timer(BUSY_PAUSE, self._filter.show_busy)
        try:
            selection = await self._engine.select(
                job_id, query.rows, query.sort, stop=lambda: generation != self._generation
            )
        finally:
            busy.stop()
        if generation == self._generation and job_id == self.job_id:
            self._show_rows(selection)

    def _show_rows(self, selection: RowSelection, *, keep_cursor: bool = True) -> None:
        if self._job is None or self._engine is None:
            return
        ascending = self._query.sort.column == "seq" and not self._query.sort.descending
        source = RowSource(self._engine.history, self._job.id, selection, ascending=ascending)
        self._rows.set_source(source, keep_cursor=keep_cursor)
        self._draw_filter()
        self._read_row()

    def _read_row(self) -> None:
        if self._read_timer is not None:
            self._read_timer.stop()
        self._read_timer = self.set_timer(READ_PAUSE, self._read_row_now)

    def _read_row_now(self) -> None:
        if self._view.display or self.is_reading:
            self._show_row()
        if self.is_reading:
            self.update_commands()

    def _show_row(self) -> None:
        """Read the row under the cursor, whether it is shown or not."""
        seq = self._rows.cursor_id
        if self._engine is not None and self.job_id is not None and isinstance(seq, int):
            self._view.read(partial(self._engine.history.row, self.job_id, seq))
        else:
            self._view.read(None)

    @on(VirtualTable.CursorMoved, "#rows")
    def _row_under_cursor(self) -> None:
        self._read_row()

    @on(VirtualTable.MarksChanged, "#rows")
    def _marks_changed(self) -> None:
        self._draw_filter()
        self.update_commands()

    @on(VirtualTable.Opened, "#rows")
    def _row_opened(self) -> None:
        self.add_class("-reading")
        self._show_row()
        self.update_commands()
        self.call_after_refresh(self._view.focus_answer)

    @on(VirtualTable.Opened, "#error-groups")
    def _group_opened(self, event: VirtualTable.Opened) -> None:
        group = event.row_id if isinstance(event.row_id, int) else None
        self._ask_for(self._query.toggled_group(group))
        self._rows.focus()

    @on(VirtualTable.SortRequested, "#rows")
    def _sort_requested(self, event: VirtualTable.SortRequested) -> None:
        self._ask_for(self._query.sorted_by(event.column))

    @on(FilterLine.Changed)
    def _text_changed(self, event: FilterLine.Changed) -> None:
        if self._job is not None and event.text != self._query.text:
            self._ask_for(self._query.containing(event.text))

    @on(FilterLine.Left)
    def _filter_left(self) -> None:
        self._draw_filter()
        self._rows.focus()


_SHOWS_ALL: Part = (" shows all", "muted")
_NO_JOB = (("2", "go to Batches"), ("enter", "there, opens a job"))
