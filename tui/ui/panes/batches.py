"""The Batches pane: the list of jobs, and details of the one under the cursor."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message

from tui.core.analysis.comparison import MAX_COMPARED
from tui.core.analysis.sections import Section, depends_on_state, section_of, sections
from tui.core.jobs import Job
from tui.core.text import one_line
from tui.ui.commands.command_table import Scope, bindings
from tui.ui.commands.dispatch import CommandTarget
from tui.ui.engine_updates import Changes
from tui.ui.external_programs import copy
from tui.ui.models.job_details import JobDetailsLoader
from tui.ui.models.job_list import JobFilter, JobList, JobOrder, JobView
from tui.ui.panes.job_actions import JobActions
from tui.ui.session import Session
from tui.ui.text.tones import Part
from tui.ui.widgets.basics import EmptyState
from tui.ui.widgets.filter_line import FilterLine
from tui.ui.widgets.job_details import JobStrip
from tui.ui.widgets.job_table import JobSource, JobTable
from tui.ui.widgets.section_bar import SectionBar, SectionLine
from tui.ui.widgets.table.table import VirtualTable


class BatchesPane(CommandTarget, Vertical):
    """The list of jobs, and details of the job under the cursor."""

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

    @dataclass
    class JobHighlighted(Message):
        """The cursor moved to another job."""

        job_id: str | None

        def can_replace(self, message: Message) -> bool:
            """Coalesce: only the newest matters."""
            return isinstance(message, BatchesPane.JobHighlighted)

    @dataclass
    class JobOpened(Message):
        """The user opened a job."""

        job_id: str

    @dataclass
    class JobsGone(Message):
        """Jobs were deleted by another program."""

        jobs: list[Job]

    def __init__(self, session: Session, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.session = session
        self._now = session.now
        self._actions = JobActions(self, session, lambda: self.job)
        self._board: JobList | None = None
        self._deleted: set[str] = set()
        self._failed_only = False
        self._account = ""
        self._order = JobOrder()
        self._story: JobDetailsLoader | None = None
        self._table = JobTable(id="jobs")
        self._table.placeholder = (("Opening the history …", "muted"),)
        self._filter = SectionLine(
            "name, #tag, note, model, account, is:running, needs:me, since:7d", id="job-filter"
        )
        self._strip = JobStrip(id="job-strip")

    def compose(self) -> ComposeResult:
        """The filter line, the list and the strip."""
        yield self._filter
        yield self._table
        yield self._strip
        yield EmptyState("No jobs yet", _WELCOME, _TOUR)

    async def open(self) -> None:
        """Show the jobs, once the engine is open, with the filter and order of the last run."""
        state, history = self.session.state, self.session.engine.history
        board = JobList(history, self._now)
        # In a thread, since a history may hold thousands of jobs; the board is not shared yet.
        await asyncio.to_thread(board.reload)
        self._board = board
        self._story = JobDetailsLoader(
            history,
            lambda story: self.run_worker(story.read(), group="story", exit_on_error=False),
            self._draw_strip,
        )
        self._failed_only = state.failed_only
        self._account = state.account if state.account in board.accounts() else ""
        self._order = JobOrder(state.sort, state.descending)
        self._filter.set_text(state.search)
        self._table.placeholder = (
            ("No matching jobs.  ", "muted"),
            ("esc", "accent"),
            (" show all", "muted"),
        )
        self._show_jobs()

    def remember(self) -> None:
        """Save the filter and order to the state."""
        state = self.session.state
        state.search, state.failed_only = self._filter.text, self._failed_only
        state.account = self._account
        state.sort, state.descending = self._order.column, self._order.descending

    @property
    def jobs_table(self) -> VirtualTable:
        """The table of jobs."""
        return self._table

    @property
    def board(self) -> JobList | None:
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
        """Apply changes reported by the engine."""
        if self._board is None:
            return
        if changes.listed and not changes.jobs:
            self.reload()
        rearranged = self._board.update(changes.jobs)
        for job_id, transfer in changes.transfers.items():
            view = self._board.view(job_id)
            if view is not None:
                view.transfer = transfer
        moved = bool(changes.ended) and not self._order.is_default
        by_state = self._failed_only or depends_on_state(self._filter.text)
        if rearranged or changes.listed or by_state or moved:
            self._show_jobs()
        else:
            self._table.refresh_rows()
        job = self.job
        if (
            self._story is not None
            and job is not None
            and (changes.listed or job.id in changes.jobs)
        ):
            self._story.mark_stale()
        self._draw_strip()
        self.update_commands()

    def add_job(self, job_id: str) -> None:
        """List a new job, before the engine reports it."""
        if self._board is not None:
            self._board.update({job_id})
            self._show_jobs()

    def on_show(self) -> None:
        """Draw the strip, which is not updated while the pane is hidden."""
        self._draw_strip()

    async def _reload(self) -> None:
        """Reload all jobs, because another process may have changed them."""
        board = self._board
        if board is not None:
            recorded = await asyncio.to_thread(board.read)
            gone = [job for job in board.missing_from(recorded) if job.id not in self._deleted]
            board.take(recorded)
            if self._story is not None:
                self._story.mark_stale()
            self._show_jobs()
            if gone:
                self.post_message(self.JobsGone(gone))

    def reload(self) -> None:
        """Reload all jobs, because another process may have changed them."""
        self.run_worker(self._reload(), group="reload", exclusive=True, exit_on_error=False)

    def expect_deletion(self, job_id: str) -> None:
        """Note that this dashboard deletes a job: its absence is no news."""
        self._deleted.add(job_id)

    def on_resize(self) -> None:
        """Redraw the strip once it has its new size."""
        self.call_after_refresh(self._draw_strip)

    def tick(self) -> None:
        """Update ages and remaining times."""
        if self._board is not None and len(self._board):
            self._table.refresh_rows()
            if self._board.live():
                self._draw_strip()

    def select_job(self, job_id: str) -> None:
        """Move the cursor to a job; clears the filter if it hides the job."""
        if not self._table.move_to_id(job_id):
            self._clear_filter()
            self._table.move_to_id(job_id)

    def focus_rows(self) -> None:
        """Focus the list."""
        if self.has_class("-empty"):
            self.focus()
        else:
            self._table.focus()

    def go_back(self) -> bool:
        """Clear the filter or the marks; returns ``False`` if there is nothing to clear."""
        if self._filter.is_editing or self._is_filtered:
            self._clear_filter()
            self._table.focus()
            return True
        if self._table.marked:
            self._table.clear_marks()
            return True
        return False

    def _show_jobs(self) -> None:
        if self._board is None:
            return
        wanted = JobFilter(self._filter.text, self._failed_only, self._account)
        ids = self._board.ids(wanted, self._order)
        self._table.sort_column = "" if self._order.is_default else self._order.column
        self._table.sort_descending = self._order.descending
        self._table.set_source(JobSource(self._board, ids, self._now))
        self._show_if_empty(not len(self._board))
        conditions: list[Part] = [("with failed rows", "accent")] if self._failed_only else []
        if self._account:
            conditions.append((f"account {one_line(self._account, 30)}", "accent"))
        self._table.prune_marks(lambda job_id: self._view_of(job_id) is not None)
        if marked := self._table.marked:
            words = "marked: = compare" if marked > 1 else "marked: mark another to compare"
            conditions.append((f"{marked} {words}", "accent"))
        section = self.section
        if section is not None and not conditions:
            known = sections(self.session.config.sections)
            self._filter.show_in_section(known, section, len(ids), len(self._board))
        else:
            escape = "show all" if self._is_filtered else "clear marks"
            self._filter.show(conditions, len(ids), len(self._board), "jobs", escape)
        self._draw_strip()
        self.update_commands()

    def _show_if_empty(self, empty: bool) -> None:
        self.set_class(empty, "-empty")
        # Something must have the focus, or the pane's bindings would not work.
        self.can_focus = empty
        self.call_after_refresh(self._keep_focus)

    def _keep_focus(self) -> None:
        if not self.is_attached or not self.display:
            return
        if self.screen.focused is None or self.has_focus or self._table.has_focus:
            self.focus_rows()

    def _draw_strip(self) -> None:
        view = self._view
        if view is None or self._story is None:
            self._strip.show(None, (), (), self._now())
            return
        if not self.display:
            # Counting error groups is expensive, and the strip is not visible.
            return
        if not view.batches:
            job_id = view.job.id
            view.batches = self.session.read_job(
                job_id, lambda history: history.batches.of_job(job_id), []
            )
        story = self._story.of(view.job)
        self._strip.show(view, story.groups, story.timeline, self._now())

    # Sections

    @property
    def section(self) -> Section | None:
        """The section whose filter is the text of the filter; ``None`` for another text."""
        return section_of(self._filter.text, sections(self.session.config.sections))

    @property
    def filter_text(self) -> str:
        """The text of the filter."""
        return self._filter.text

    def show_section(self, section: Section) -> None:
        """Show the jobs of a section."""
        self._failed_only, self._account = False, ""
        self._filter.set_text(section.text)
        self._show_jobs()
        self._table.focus()

    def show_sections(self) -> None:
        """Draw the sections again, because one was kept or removed."""
        self._show_jobs()

    @on(SectionBar.Chosen)
    def _section_chosen(self, event: SectionBar.Chosen) -> None:
        event.stop()
        self.show_section(event.section)

    def action_next_section(self) -> None:
        """Show the section to the right."""
        self._move_section(1)

    def action_previous_section(self) -> None:
        """Show the section to the left."""
        self._move_section(-1)

    def _move_section(self, step: int) -> None:
        known = sections(self.session.config.sections)
        section = self.section
        at = known.index(section) if section is not None else 0
        self.show_section(known[(at + step) % len(known)])

    def action_sections(self) -> None:
        """Choose a section, or keep the filter as one."""
        self.session.tasks.sections()

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
        self.post_message(self.JobHighlighted(job.id if job is not None else None))

    @on(VirtualTable.Opened, "#jobs")
    def _job_opened(self, event: VirtualTable.Opened) -> None:
        self.post_message(self.JobOpened(str(event.row_id)))

    @on(VirtualTable.SortRequested, "#jobs")
    def _sort_requested(self, event: VirtualTable.SortRequested) -> None:
        self._order = self._order.sorted_by(event.column)
        self._show_jobs()

    @on(FilterLine.Changed)
    def _text_changed(self) -> None:
        if self._board is not None:
            self._show_jobs()

    @on(FilterLine.Left)
    def _filter_left(self) -> None:
        self._show_jobs()
        self._table.focus()

    def why_disabled(self, command_id: str) -> str | None:
        """Why a command is unavailable in this pane."""
        jobs = 0 if self._board is None else len(self._board)
        if command_id in _OF_THE_LIST:
            return "" if jobs else "No jobs yet."
        if command_id in ("remote", "costs"):
            return "" if self._board is not None else "The history is not open yet."
        if command_id == "compare" and jobs == 1:
            return "There is no other job to compare with."
        return self._actions.why_disabled(command_id)

    def run(self, command_id: str) -> bool:
        """Run a command of the list, or one on the job under the cursor."""
        return super().run(command_id) or self._actions.run(command_id)

    def action_accounts(self) -> None:
        """Choose the account to show jobs of."""
        self.session.tasks.choose_account()

    def action_remote(self) -> None:
        """Show the provider's list of batches."""
        self.session.tasks.list_remote(self.job.account if self.job is not None else "")

    def action_costs(self) -> None:
        """Show where the money went."""
        self.session.tasks.costs()

    def action_compare(self) -> None:
        """Compare the marked jobs, else a marked job or another one with the current job."""
        jobs = self._table.marked_jobs
        if len(jobs) == 1 and self.job is not None and self.job.id not in jobs:
            jobs.append(self.job.id)
        if self._board is not None and len(jobs) > 1:
            # The older job is on the left; the board lists the newest first.
            newest_first = self._board.ids(JobFilter())
            self.session.tasks.compare(*sorted(jobs, key=newest_first.index, reverse=True))
        else:
            self._actions.run("compare")

    def action_copy(self) -> None:
        """Copy the job id."""
        if self.job is not None:
            copy(self.app, self.job.id, "the job id")

    def action_filter(self) -> None:
        """Edit the filter text."""
        self._filter.edit()

    def action_errors_only(self) -> None:
        """Toggle showing only jobs with failed rows."""
        self._failed_only = not self._failed_only
        self._show_jobs()

    def show_account(self, account: str) -> None:
        """Show the jobs of one account; an empty name shows all."""
        self._account = account
        self._show_jobs()

    @property
    def account(self) -> str:
        """The account whose jobs are shown; empty for all."""
        return self._account

    def _view_of(self, job_id: str) -> JobView | None:
        return None if self._board is None else self._board.view(job_id)

    @on(JobTable.MarksChanged, "#jobs")
    def _marks_changed(self) -> None:
        self._show_jobs()

    @on(JobTable.MarksFull)
    def _marks_full(self) -> None:
        words = f"{MAX_COMPARED} jobs are marked already: = compare, esc clear marks"
        self.app.notify(words, markup=False)


_OF_THE_LIST = frozenset(
    {"filter", "errors_only", "accounts", "sections", "next_section", "previous_section"}
)
"""Commands that need jobs in the list."""

_TOUR = "A guided first run, in a shell: batchdeck tour"

_WELCOME = (
    ("1", "compose requests from a table or a text; samples included"),
    ("n", "import a file of requests, check it, submit it"),
    ("T", "try 200 sample requests on the sandbox (free, no key)"),
    (",", "settings: theme, budget, notifications"),
    ("?", "all keys"),
)
