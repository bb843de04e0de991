"""The Batches pane: all jobs of all accounts, live, newest first."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical

from tui.core.jobs import Job
from tui.core.text import one_line
from tui.ui.board import Board, JobFilter, JobOrder, JobView
from tui.ui.commands import Scope, bindings
from tui.ui.jobrules import is_unsent
from tui.ui.jobstory import JobStory
from tui.ui.screens.jobcommands import JobCommands
from tui.ui.signals import Changes, JobHighlighted, JobOpened
from tui.ui.state import State
from tui.ui.tones import Part
from tui.ui.widgets.empty_state import EmptyState
from tui.ui.widgets.filter_line import FilterLine
from tui.ui.widgets.job_source import JobSource
from tui.ui.widgets.job_strip import JobStrip
from tui.ui.widgets.job_table import JobTable
from tui.ui.widgets.virtual_table import VirtualTable

if TYPE_CHECKING:
    from tui.engine.engine import Engine


class BatchesPane(JobCommands, Vertical):
    """The list of jobs, and a strip about the one under the cursor."""

    SCOPE = Scope.BATCHES
    BINDING_GROUP_TITLE = "Batches"
    BINDINGS = bindings(Scope.BATCHES)
    BORDER_TITLE = "Batches"
    DEFAULT_CSS = """
    BatchesPane #jobs { height: 1fr; }
    BatchesPane EmptyState { display: none; }
    BatchesPane.-empty > * { display: none; }
    BatchesPane.-empty EmptyState { display: block; }
    """

    def __init__(self, *, now: Callable[[], float] = time.time, id: str | None = None) -> None:
        super().__init__(id=id)
        self._now = now
        self._engine: Engine | None = None
        self._board: Board | None = None
        self._failed_only = False
        self._account = ""
        self._order = JobOrder()
        self._story: JobStory | None = None
        self._table = JobTable(id="jobs")
        self._table.placeholder = (("Opening the history …", "muted"),)
        self._filter = FilterLine("name, #tag, note, model, account, status, id", id="job-filter")
        self._strip = JobStrip(id="job-strip")

    def compose(self) -> ComposeResult:
        """Filter, list, strip."""
        yield self._filter
        yield self._table
        yield self._strip
        yield EmptyState("Nothing here yet", _WELCOME)

    async def set_engine(self, engine: Engine, state: State) -> None:
        """Take the engine to read from, and show its jobs as they were listed last."""
        board = Board(engine.history, self._now)
        # A history may hold thousands of jobs, and nobody else has this board yet.
        await asyncio.to_thread(board.reload)
        self._engine, self._board = engine, board
        self._story = JobStory(engine.history, self._read_story, self._draw_strip)
        self._failed_only = state.failed_only
        self._account = state.account if state.account in board.accounts() else ""
        self._order = JobOrder(state.sort, state.descending)
        self._filter.restore(state.search)
        self._table.placeholder = (
            ("No job fits.  ", "muted"),
            ("esc", "accent"),
            (" shows all", "muted"),
        )
        self._show_jobs()

    def remember(self, state: State) -> None:
        """Note how the jobs are listed."""
        state.search, state.failed_only = self._filter.text, self._failed_only
        state.account = self._account
        state.sort, state.descending = self._order.column, self._order.descending

    @property
    def jobs_table(self) -> VirtualTable:
        """The table of jobs."""
        return self._table

    @property
    def marked_jobs(self) -> list[str]:
        """The ids of the marked jobs."""
        return self._table.marked_jobs

    @property
    def board(self) -> Board | None:
        """All jobs; ``None`` until the history is open."""
        return self._board

    @property
    def job(self) -> Job | None:
        """The job under the cursor."""
        view = self._view
        return view.job if view is not None else None

    @property
    def _view(self) -> JobView | None:
        job_id = self._table.cursor_id
        return self._board.view(str(job_id)) if self._board and job_id is not None else None

    def apply(self, changes: Changes) -> None:
        """Show what the engine told."""
        if self._board is None:
            return
        if changes.listed and not changes.jobs:
            self.run_worker(self._reload(), group="reload", exclusive=True, exit_on_error=False)
        rearranged = self._board.update(changes.jobs)
        for job_id, transfer in changes.transfers.items():
            view = self._board.view(job_id)
            if view is not None:
                view.transfer = transfer
        moved = bool(changes.ended) and not self._order.is_usual
        if rearranged or changes.listed or self._failed_only or moved:
            self._show_jobs()
        else:
            self._table.rows_changed()
        job = self.job
        if (
            self._story is not None
            and job is not None
            and (changes.listed or job.id in changes.jobs)
        ):
            self._story.outdate()
        self._draw_strip()
        self.update_commands()

    def on_show(self) -> None:
        """Draw what was left out while other panes were shown."""
        self._draw_strip()

    async def _reload(self) -> None:
        """Take all jobs anew: another program may have changed any of them."""
        board = self._board
        if board is not None:
            board.take(await asyncio.to_thread(board.read))
            if self._story is not None:
                self._story.outdate()
            self._show_jobs()

    def on_resize(self) -> None:
        """Let the strip fit, once it has its new size."""
        self.call_after_refresh(self._draw_strip)

    def tick(self) -> None:
        """Let ages and times left go on."""
        if self._board is not None and len(self._board):
            self._table.rows_changed()
            if self._board.live():
                self._draw_strip()

    def select_job(self, job_id: str) -> None:
        """Put the cursor on a job, without a filter if it is hidden by one."""
        if not self._table.move_to_id(job_id):
            self._clear_filter()
            self._table.move_to_id(job_id)

    def focus_rows(self) -> None:
        """Give the keys to the list."""
        if self.has_class("-empty"):
            self.focus()
        else:
            self._table.focus()

    def go_back(self) -> bool:
        """Leave the innermost thing; false when there is none."""
        if self._filter.is_editing or self._is_filtered:
            self._clear_filter()
            self._table.focus()
            return True
        if self._table.marked:
            self._table.clear_marks()
            return True
        return False

    def is_unsent(self, job: Job) -> bool:
        """Is a part of the job not sent, or not certainly?"""
        return self._engine is not None and is_unsent(job, self._engine.history)

    def _show_jobs(self) -> None:
        if self._board is None:
            return
        wanted = JobFilter(self._filter.text, self._failed_only, self._account)
        ids = self._board.ids(wanted, self._order)
        self._table.sort_column = "" if self._order.is_usual else self._order.column
        self._table.sort_descending = self._order.descending
        self._table.set_source(JobSource(self._board, ids, self._now))
        self._show_emptiness(not len(self._board))
        conditions: list[Part] = [("with failed rows", "accent")] if self._failed_only else []
        if self._account:
            conditions.append((f"account {one_line(self._account, 30)}", "accent"))
        self._table.keep_marks(lambda job_id: self._view_of(job_id) is not None)
        if marked := self._table.marked:
            words = "marked: = compares them" if marked > 1 else "marked: mark another to compare"
            conditions.append((f"{marked} {words}", "accent"))
        escape = "shows all" if self._is_filtered else "takes the marks away"
        self._filter.show(conditions, len(ids), len(self._board), "jobs", escape)
        self._draw_strip()
        self.update_commands()

    def _show_emptiness(self, empty: bool) -> None:
        self.set_class(empty, "-empty")
        # Something must have the focus, or the keys of the pane would not work.
        self.can_focus = empty
        self.call_after_refresh(self._keep_focus)

    def _keep_focus(self) -> None:
        if not self.is_attached or not self.display:
            return
        if self.screen.focused is None or self.has_focus or self._table.has_focus:
            self.focus_rows()

    def _draw_strip(self) -> None:
        view = self._view
        if view is None or self._engine is None or self._story is None:
            self._strip.show(None, (), (), self._now())
            return
        if not self.display:
            # Counting groups is work, and nobody sees it.
            return
        if not view.batches:
            view.batches = self._engine.history.batches(view.job.id)
        story = self._story.of(view.job)
        self._strip.show(view, story.groups, story.timeline, self._now())

    def _read_story(self, story: JobStory) -> None:
        self.run_worker(story.read(), group="story", exit_on_error=False)

    @property
    def _is_filtered(self) -> bool:
        return bool(self._filter.text or self._failed_only or self._account)

    def _clear_filter(self) -> None:
        self._failed_only = False
        self._account = ""
        self._filter.clear()
        self._show_jobs()

    @on(VirtualTable.CursorMoved, "#jobs")
    def _job_under_cursor(self, event: VirtualTable.CursorMoved) -> None:
        job = self.job
        self._draw_strip()
        self.update_commands()
        self.post_message(JobHighlighted(job.id if job is not None else None))

    @on(VirtualTable.Opened, "#jobs")
    def _job_opened(self, event: VirtualTable.Opened) -> None:
        self.post_message(JobOpened(str(event.row_id)))

    @on(VirtualTable.SortRequested, "#jobs")
    def _sort_requested(self, event: VirtualTable.SortRequested) -> None:
        self._order = self._order.flipped_or(event.column)
        self._show_jobs()

    @on(FilterLine.Changed)
    def _text_changed(self) -> None:
        if self._board is not None:
            self._show_jobs()

    @on(FilterLine.Left)
    def _filter_left(self) -> None:
        self._show_jobs()
        self._table.focus()

    def action_filter(self) -> None:
        """Let a text be typed that jobs must contain."""
        self._filter.edit()

    def action_errors_only(self) -> None:
        """Show the jobs with failed rows, or all again."""
        self._failed_only = not self._failed_only
        self._show_jobs()

    def show_account(self, account: str) -> None:
        """List the jobs of one account; an empty name lists all."""
        self._account = account
        self._show_jobs()

    @property
    def account(self) -> str:
        """The account whose jobs are listed; empty for all."""
        return self._account

    def _view_of(self, job_id: str) -> JobView | None:
        return None if self._board is None else self._board.view(job_id)

    @on(JobTable.MarksChanged, "#jobs")
    def _marks_changed(self) -> None:
        self._show_jobs()

    @on(JobTable.MarksFull)
    def _marks_full(self) -> None:
        words = "Two jobs are marked: = compares them, esc takes the marks away"
        self.app.notify(words, markup=False)


_WELCOME = (
    ("1", "compose from a table or a text; there are samples"),
    ("n", "import a file of requests, check it, send it"),
    ("T", "see 200 requests run on the sandbox: free, without a key"),
    (",", "settings: theme, budget, notifications"),
    ("?", "all keys"),
)
