"""What the Results pane shows: head, groups of errors, rows, and one row to read."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, cast

from textual import events, on
from textual.app import ComposeResult
from textual.timer import Timer

from tui.core.filtering import RowSelection, RowSort, SortColumn
from tui.core.jobs import Job
from tui.errors import BatchdeckError
from tui.ui.commands import Scope
from tui.ui.rowquery import RowQuery
from tui.ui.screens.results_rows import ResultsRows
from tui.ui.signals import Changes, RowFilled
from tui.ui.state import RowsAsked
from tui.ui.widgets.empty_state import EmptyState
from tui.ui.widgets.job_head import JobHead
from tui.ui.widgets.row_columns import chosen_columns
from tui.ui.widgets.row_source import NoInputs
from tui.ui.widgets.row_view import RowView
from tui.ui.widgets.table_model import EmptySource
from tui.ui.widgets.virtual_table import VirtualTable

if TYPE_CHECKING:
    from tui.engine.engine import Engine

READ_PAUSE = 0.05
"""Seconds for which the cursor rests before a row is read: walking fast reads nothing."""


class ResultsView(ResultsRows):
    """Everything about the rows of one job, kept as the engine and the keys want it."""

    SCOPE = Scope.RESULTS
    BORDER_TITLE = "Results"
    DEFAULT_CSS = """
    ResultsView #rows { height: 1fr; min-height: 3; }
    ResultsView #row-view, ResultsView EmptyState { display: none; }
    ResultsView.-empty > * { display: none; }
    ResultsView.-empty EmptyState { display: block; }
    ResultsView.-reading #rows, ResultsView.-reading #error-groups,
    ResultsView.-reading #row-filter, ResultsView.-reading #row-hint,
    ResultsView.-reading #job-head { display: none; }
    ResultsView.-reading #row-view, ResultsView.-reading #row-place { display: block; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._read_timer: Timer | None = None
        self._groups_read = self._groups_changed = False
        self._head = JobHead()
        self._view = RowView(id="row-view")

    def compose(self) -> ComposeResult:
        """Head, groups of errors, filter, rows, and the row to read."""
        yield self._head
        yield self._groups
        yield self._filter
        yield self._hint
        yield self._rows
        yield self._view
        yield EmptyState("No job is open", _NO_JOB)

    def on_mount(self) -> None:
        """Nothing is shown yet."""
        self._show_emptiness()
        self._rows.show_sort("seq", descending=False)

    @property
    def view(self) -> RowView:
        """The row that is read."""
        return self._view

    @property
    def is_reading(self) -> bool:
        """Does one row fill the pane?"""
        return self.has_class("-reading")

    def _set_reading(self, reading: bool) -> None:
        if reading != self.is_reading:
            self.set_class(reading, "-reading")
            self.post_message(RowFilled())

    def set_engine(self, engine: Engine) -> None:
        """Take the engine to read from."""
        self._engine = engine

    def show_job(self, job_id: str | None) -> None:
        """Show another job from its first row, by the filter that it had last."""
        if job_id == self.job_id:
            return
        self.remember()
        self._search.forget()
        self._inputs.close()
        self._inputs = NoInputs()
        self._filter.restore("")
        self._hint.hush()
        self._note = ""
        self._rows.clear_marks()
        self._set_reading(False)
        self._job = None
        self._groups.show([])
        if job_id is not None:
            self._read_job(job_id)
        self._show_emptiness()
        if self._job is None:
            self._rows.set_source(EmptySource())
            self._view.show(None)
        else:
            self._open_table(self._job)
        self.update_commands()

    def _open_table(self, job: Job) -> None:
        """Arrange the table as this job, else this kind of job, had it last, and fill it."""
        assert self._engine is not None
        self._inputs = self._engine.history.inputs(job.id)
        look = self.look
        self._rows.set_columns(chosen_columns(look, self._inputs.columns))
        asked = self.state.rows.get(job.id) or RowsAsked("", look.sort, look.descending)
        sort = RowSort(column=cast(SortColumn, asked.sort), descending=asked.descending)
        self._query = RowQuery(asked.where, sort)
        self._filter.restore(asked.where)
        self._rows.show_sort(sort.column, descending=sort.descending)
        total = job.counts.total
        self._show_rows(RowSelection(seqs=range(total), total=total), keep_cursor=False)
        if not self._query.is_plain:
            self._select()

    def apply(self, changes: Changes) -> None:
        """Show what the engine told of this job."""
        job_id = self.job_id
        if job_id is None or (job_id not in changes.jobs and not changes.listed):
            return
        self._read_job(job_id)
        if self._job is None:
            self.show_job(None)
        elif job_id in changes.collected or changes.listed:
            self._rows.rows_changed()
            if not self._query.is_plain:
                self._search.look_again()
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
        if self.is_reading and not self._filter.is_editing:
            self._set_reading(False)
            self.update_commands()
            self.call_after_refresh(self._rows.focus)
        elif self._search.stop():
            self._note = "stopped"
            self._draw_count()
        elif self._filter.is_editing:
            self._filter.clear()
            self._filter_left()
        elif self._groups.has_focus or self._filter.chips.has_focus:
            self._rows.focus()
        elif self._query.where:
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
        self._groups_changed = True
        if not self._groups_read:
            self.run_worker(self._read_groups(), group="groups", exit_on_error=False)
        self._draw_filter()

    async def _read_groups(self) -> None:
        """Counting the groups of a large job takes a while: in a thread, one at a time."""
        assert self._engine is not None
        self._groups_read = True
        try:
            while self._groups_changed and (job_id := self.job_id) is not None:
                self._groups_changed = False
                groups = await asyncio.to_thread(self._engine.history.error_groups, job_id)
                if job_id == self.job_id:
                    self._groups.show(groups, self._query.group)
                    self._draw_filter()
                    self.update_commands()
        except BatchdeckError:
            # The job was deleted meanwhile; the pane is told of that as well.
            self._groups_changed = False
        finally:
            self._groups_read = False

    @on(events.DescendantFocus)
    def _keys_moved(self) -> None:
        # What can be sent again depends on who has the keys.
        self.update_commands()

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
        if self._job is not None:
            rows = self._rows
            self._view.show_place(rows.cursor + 1, rows.row_count, self._job.counts.total)
        if self._engine is not None and self.job_id is not None and isinstance(seq, int):
            self._view.read(partial(self._engine.history.row, self.job_id, seq))
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


_NO_JOB = (("2", "go to Batches"), ("enter", "there, opens a job"))
