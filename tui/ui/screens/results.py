"""The Results pane: the rows of one job, its errors in groups, and one row to read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.timer import Timer
from textual.widgets import Static

from tui.core.filtering import RowFilter, RowSelection, RowSort
from tui.core.jobs import Job
from tui.core.outcome import UNANSWERED
from tui.core.status import is_terminal
from tui.core.text import one_line
from tui.errors import BatchdeckError
from tui.ui.commands import Scope, bindings
from tui.ui.messages import (
    Changes,
    CopyRequested,
    ExportRequested,
    ExternalRequested,
    JobRequested,
    RetryRequested,
)
from tui.ui.status import bar_parts, counts_parts, status_parts
from tui.ui.targets import CommandTarget
from tui.ui.tones import Part, content, plain
from tui.ui.widgets.empty_state import EmptyState
from tui.ui.widgets.filter_line import FilterLine
from tui.ui.widgets.group_source import GROUP_COLUMNS, GroupSource
from tui.ui.widgets.row_source import ROW_COLUMNS, RowSource
from tui.ui.widgets.row_view import RowView
from tui.ui.widgets.table_model import EmptySource
from tui.ui.widgets.virtual_table import VirtualTable

if TYPE_CHECKING:
    from tui.engine.engine import Engine

GROUPS_SHOWN = 4
"""Lines of error groups; more can be scrolled to."""

READ_PAUSE = 0.05
"""Seconds for which the cursor rests before a row is read: walking fast reads nothing."""

_ROW_COMMANDS = frozenset({"next_row", "previous_row", "view", "attempt"})
_JOB_COMMANDS = frozenset({"filter", "errors_only", "export", "collect", "copy", "groups"})


class ResultsPane(CommandTarget, Vertical):
    """Everything about the rows of one job."""

    SCOPE = Scope.RESULTS
    BINDING_GROUP_TITLE = "Results"
    BINDINGS = bindings(Scope.RESULTS)
    BORDER_TITLE = "Results"
    DEFAULT_CSS = """
    ResultsPane #job-title, ResultsPane #job-counts {
        height: 1; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis;
    }
    ResultsPane #error-groups { height: auto; display: none; }
    ResultsPane.-errors #error-groups { display: block; }
    ResultsPane #rows { height: 1fr; min-height: 3; }
    ResultsPane #row-view { display: none; }
    ResultsPane EmptyState { display: none; }
    ResultsPane.-empty > * { display: none; }
    ResultsPane.-empty EmptyState { display: block; }
    ResultsPane.-reading #rows, ResultsPane.-reading #error-groups,
    ResultsPane.-reading #row-filter, ResultsPane.-reading #job-counts { display: none; }
    ResultsPane.-reading #row-view { display: block; height: 1fr; }
    """

    _OUTCOME_WORDS: ClassVar[str] = "errors only"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._engine: Engine | None = None
        self._job: Job | None = None
        self._done = 0
        self._errors_only = False
        self._group: int | None = None
        self._sort = RowSort()
        self._generation = 0
        self._read_timer: Timer | None = None
        self._title = Static("", id="job-title", markup=False)
        self._counts = Static("", id="job-counts", markup=False)
        self._groups = VirtualTable(
            GROUP_COLUMNS, show_header=False, steady_cursor=False, id="error-groups"
        )
        self._filter = FilterLine("text in id, request or answer", id="row-filter")
        self._rows = VirtualTable(ROW_COLUMNS, markable=True, id="rows")
        self._view = RowView(id="row-view")

    def compose(self) -> ComposeResult:
        """Title, counts, groups of errors, filter, rows, and the row to read."""
        yield self._title
        yield self._counts
        yield self._groups
        yield self._filter
        yield self._rows
        yield self._view
        yield EmptyState("No job is open", _NO_JOB)

    def on_resize(self) -> None:
        """Let the bar of counts fit."""
        self._draw_head()

    def on_mount(self) -> None:
        """Nothing is shown yet."""
        self._show_emptiness()
        self._rows.show_sort("seq", False)

    @property
    def job_id(self) -> str | None:
        """The job shown."""
        return self._job.id if self._job is not None else None

    @property
    def rows_table(self) -> VirtualTable:
        """The table of rows."""
        return self._rows

    def clear_marks(self) -> None:
        """Take the marks of rows away."""
        self._rows.clear_marks()

    @property
    def is_reading(self) -> bool:
        """Does one row fill the pane?"""
        return self.has_class("-reading")

    @property
    def row_filter(self) -> RowFilter:
        """What the rows are filtered by."""
        return RowFilter(
            outcomes=UNANSWERED if self._errors_only else frozenset(),
            error_group=self._group,
            text=self._filter.text,
        )

    def set_engine(self, engine: Engine) -> None:
        """Take the engine to read from."""
        self._engine = engine

    def show_job(self, job_id: str | None) -> None:
        """Show another job, unfiltered, from its first row."""
        if job_id == self.job_id:
            return
        self._errors_only = False
        self._group = None
        self._filter.clear()
        self._rows.clear_marks()
        self.remove_class("-reading")
        self._view.show(None)
        self._job = None
        if job_id is not None and self._engine is not None:
            self._read_job(job_id)
        self._show_emptiness()
        if self._job is None:
            self._rows.set_source(EmptySource())
        else:
            self._show_all_rows()
            if self._sort != RowSort():
                self._select()
        self.update_commands()

    def apply(self, changes: Changes) -> None:
        """Show what the engine told of this job."""
        job_id = self.job_id
        if job_id is None or job_id not in changes.jobs:
            return
        self._read_job(job_id)
        if self._job is None:
            self.show_job(None)
        elif job_id in changes.collected:
            if self.row_filter.is_empty and self._sort.column == "seq":
                self._rows.rows_changed()
            else:
                self._select()
            self._read_row()
        self.update_commands()

    def set_done(self, done: int) -> None:
        """Show how many rows the provider is done with, before they are collected."""
        if done != self._done:
            self._done = done
            self._draw_head()

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
            self._rows.focus()
            self.update_commands()
        elif self._groups.has_focus:
            self._rows.focus()
        elif not self.row_filter.is_empty:
            self._errors_only = False
            self._group = None
            self._filter.clear()
            self._draw_groups()
            self._select()
        elif self._marked:
            self._rows.clear_marks()
        else:
            return False
        return True

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Show the way back only where it is not obvious."""
        if action == "back":
            return self.is_reading
        return super().check_action(action, parameters)

    def why_not(self, command_id: str) -> str | None:
        """Why a command is off in this pane."""
        job = self._job
        if command_id == "attempt" and not self._view.has_attempts:
            return None
        if command_id in _ROW_COMMANDS:
            return "" if self.is_reading else None
        if self.is_reading and command_id in ("filter", "errors_only"):
            return None
        if job is None:
            return "No job is shown: choose one in Batches (2)."
        if command_id in ("retry", "retry_edit"):
            return _why_no_retry(job)
        if command_id == "groups" and not self.has_class("-errors"):
            return "No row of this job failed."
        if command_id == "cancel" and (is_terminal(job.status) or job.status.value == "draft"):
            return "The job is not running."
        return ""

    @property
    def _marked(self) -> int:
        return self._rows.marks.count(self._rows.row_count)

    def _read_job(self, job_id: str) -> None:
        assert self._engine is not None
        try:
            self._job = self._engine.history.job(job_id)
        except BatchdeckError:
            self._job = None
            return
        self._done = self._job.counts.ended
        self._draw_head()
        self._draw_groups()
        self._draw_filter()

    def _show_emptiness(self) -> None:
        self.set_class(self._job is None, "-empty")
        # Something must have the focus, or the keys of the pane would not work.
        self.can_focus = self._job is None

    def _draw_head(self) -> None:
        job = self._job
        if job is None:
            return
        title: list[Part] = [(one_line(job.name, 80), "strong"), ("  ", "")]
        title += status_parts(job.status)
        for fact in (job.account, job.model):
            if fact:
                title += [(" · ", "muted"), (one_line(fact, 60), "muted")]
        self._title.update(content(title))
        words = counts_parts(job.counts)
        room = (self._counts.size.width or 76) - len(plain(words)) - 2
        bar = bar_parts(job.counts, max(4, min(24, room)), self._done)
        self._counts.update(content([*bar, ("  ", ""), *words]))

    def _draw_groups(self) -> None:
        if self._job is None or self._engine is None:
            return
        groups = self._engine.history.error_groups(self._job.id)
        self.set_class(bool(groups), "-errors")
        self._groups.styles.height = min(len(groups), GROUPS_SHOWN)
        self._groups.set_source(GroupSource(groups, self._group))

    def _draw_filter(self) -> None:
        if self._job is None:
            return
        conditions: list[Part] = []
        if self._errors_only:
            conditions.append(("errors only", "accent"))
        if self._group is not None:
            conditions.append((f"error {self._group_words()}", "accent"))
        if self._marked:
            conditions.append((f"{self._marked:,} marked", "warn"))
        shown = self._rows.row_count
        self._filter.show(conditions, shown, self._job.counts.total, "rows")

    def _group_words(self) -> str:
        source = self._groups.source
        if isinstance(source, GroupSource):
            for group in source.groups:
                if group.id == self._group:
                    return " ".join(filter(None, [str(group.http_status or ""), group.code or ""]))
        return str(self._group)

    def _show_all_rows(self) -> None:
        assert self._job is not None
        total = self._job.counts.total
        self._show_rows(RowSelection(seqs=range(total), total=total), keep_cursor=False)

    def _show_rows(self, selection: RowSelection, *, keep_cursor: bool = True) -> None:
        assert self._job is not None
        assert self._engine is not None
        ascending = self._sort == RowSort()
        source = RowSource(self._engine.history, self._job.id, selection, ascending=ascending)
        self._rows.set_source(source, keep_cursor=keep_cursor)
        self._draw_filter()
        self._read_row()

    def _select(self) -> None:
        self._generation += 1
        self._select_rows(self._generation)

    @work(group="select", exclusive=True, exit_on_error=False)
    async def _select_rows(self, generation: int) -> None:
        job_id = self.job_id
        if job_id is None or self._engine is None:
            return
        selection = await self._engine.select(
            job_id, self.row_filter, self._sort, stop=lambda: generation != self._generation
        )
        if generation == self._generation and job_id == self.job_id:
            self._show_rows(selection)

    def _read_row(self) -> None:
        if self._read_timer is not None:
            self._read_timer.stop()
        self._read_timer = self.set_timer(READ_PAUSE, self._read_row_now)

    def _read_row_now(self) -> None:
        seq = self._rows.cursor_id
        if self._engine is None or self.job_id is None or not isinstance(seq, int):
            self._view.show(None)
        elif self._view.display or self.is_reading:
            try:
                self._view.show(self._engine.history.row(self.job_id, seq))
            except BatchdeckError:
                self._view.show(None)
        if self.is_reading:
            self.update_commands()

    @on(VirtualTable.CursorMoved, "#rows")
    def _row_under_cursor(self) -> None:
        self._read_row()

    @on(VirtualTable.MarksChanged, "#rows")
    def _marks_changed(self) -> None:
        self._draw_filter()

    @on(VirtualTable.Opened, "#rows")
    def _row_opened(self) -> None:
        self.add_class("-reading")
        self._read_row_now()
        self.call_after_refresh(self._view.focus_answer)
        self.update_commands()

    @on(VirtualTable.Opened, "#error-groups")
    def _group_opened(self, event: VirtualTable.Opened) -> None:
        chosen = event.row_id if isinstance(event.row_id, int) else None
        self._group = None if chosen == self._group else chosen
        self._draw_groups()
        self._select()
        self._rows.focus()

    @on(VirtualTable.SortRequested, "#rows")
    def _sort_requested(self, event: VirtualTable.SortRequested) -> None:
        column = event.column
        again = column == self._sort.column
        self._sort = RowSort(
            column=column,  # type: ignore[arg-type]
            descending=again and not self._sort.descending,
        )
        self._rows.show_sort(column, self._sort.descending)
        self._select()

    @on(FilterLine.Changed)
    def _text_changed(self) -> None:
        if self._job is not None:
            self._select()

    @on(FilterLine.Left)
    def _filter_left(self) -> None:
        self._draw_filter()
        self._rows.focus()

    def action_filter(self) -> None:
        """Let a text be typed that rows must contain."""
        self._filter.edit()

    def action_errors_only(self) -> None:
        """Show the rows without an answer, or all again."""
        self._errors_only = not self._errors_only
        self._select()

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
        assert self._job is not None
        rows: RowFilter | Sequence[int] | None = None
        subject = "every row without an answer"
        if self._marked and isinstance(self._rows.source, RowSource):
            seqs = self._rows.source.selection.seqs
            rows = [seq for seq in self._rows.marks.of(seqs) if isinstance(seq, int)]
            subject = "the marked rows"
        elif not self.row_filter.is_empty:
            wanted = self.row_filter
            outcomes = wanted.outcomes or UNANSWERED
            rows = RowFilter(
                outcomes=outcomes,
                error_group=wanted.error_group,
                code=wanted.code,
                text=wanted.text,
            )
            subject = "the rows shown that have no answer"
        self.post_message(RetryRequested(self._job.id, rows, edit, subject))

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
        """Ask to write the rows shown to a file."""
        if self.job_id is not None:
            count = self._rows.row_count
            rows = self.row_filter
            subject = "all rows" if rows.is_empty else "the rows shown"
            self.post_message(ExportRequested(self.job_id, rows, count, subject))

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

    def action_copy(self) -> None:
        """Copy the answer that is read, else the id of the row."""
        self._read_row_now()
        reading = self._view.answer_reading
        detail = self._view.detail
        if self.is_reading and reading is not None:
            self.post_message(CopyRequested(reading.whole, "the answer"))
        elif isinstance(self._rows.cursor_id, int) and self._engine and self.job_id:
            detail = self._engine.history.row(self.job_id, self._rows.cursor_id)
            self.post_message(CopyRequested(detail.row.custom_id, "the id of the row"))

    def action_pager(self) -> None:
        """Read the whole answer in the pager."""
        self._outside("pager")

    def action_editor(self) -> None:
        """Open request and answer in the editor."""
        self._outside("editor")

    def _outside(self, program: str) -> None:
        seq = self._rows.cursor_id
        if self._engine is None or self.job_id is None or not isinstance(seq, int):
            return
        self._view.show(self._engine.history.row(self.job_id, seq))
        request, answer = self._view.request_reading, self._view.answer_reading
        if request is not None and answer is not None:
            text = f"{answer.whole}\n\n──── request ────\n\n{request.whole}\n"
            self.post_message(ExternalRequested(program, text, suffix=answer.suffix))


def _why_no_retry(job: Job) -> str:
    if job.counts.unanswered:
        return ""
    if job.counts.pending:
        return "No row has failed so far."
    return "Every row has an answer."


_NO_JOB = (("2", "go to Batches"), ("enter", "there, opens a job"))
