"""The table of jobs: its columns, the cells of a job, and marks for a comparison."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message

from tui.core import formatting
from tui.core.analysis.comparison import MAX_COMPARED
from tui.core.jobs import BatchStatus, format_tags
from tui.core.text import one_line
from tui.ui.commands.command_table import Scope, bindings
from tui.ui.models.job_list import JobList, JobView
from tui.ui.text.status import bar_parts, status_parts
from tui.ui.text.tones import Parts
from tui.ui.widgets.table.model import Cells, Column, ListSource
from tui.ui.widgets.table.table import VirtualTable

BAR_WIDTH = 12

JOB_COLUMNS = (
    Column("status", "Status", 13, sortable=True),
    Column("name", "Job", 17, flex=4, sortable=True),
    Column("bar", "Progress", BAR_WIDTH, drop=4, sortable=True),
    Column("answered", "Answered", 15, align="right", drop=3, sortable=True),
    Column("failed", "Failed", 7, align="right", sortable=True),
    Column("rate", "Rows/s", 7, align="right", drop=5, sortable=True),
    Column("left", "Left", 9, align="right", drop=2, sortable=True),
    Column("cost", "Cost", 9, align="right", drop=6, sortable=True),
    Column("model", "Model", 14, flex=1, drop=9, sortable=True),
    Column("account", "Account", 12, drop=7, sortable=True),
    Column("tags", "Tags", 12, flex=1, drop=8),
    Column("age", "Age", 4, align="right", drop=1, sortable=True),
)


class JobSource(ListSource[str]):
    """The filtered and sorted jobs of a list.

    Args:
        board: All jobs.
        ids: The ids of the jobs to show, in order.
        now: Returns the current time, in Unix seconds.
    """

    def __init__(self, board: JobList, ids: list[str], now: Callable[[], float]) -> None:
        def cells(job_id: str) -> Cells:
            view = board.view(job_id)
            return _GONE if view is None else job_cells(view, now())

        super().__init__(ids, cells)


def job_cells(view: JobView, now: float) -> Cells:
    """The cells of one job, in the order of ``JOB_COLUMNS``."""
    job = view.job
    counts = job.counts
    done = max(view.done, counts.ended) if view.is_live else counts.answered
    return (
        status_parts(job.status, one_line(view.raw_status, 12)),
        one_line(job.name, 200),
        bar_parts(counts, BAR_WIDTH, view.done),
        ((f"{done:,}", ""), (f"/{counts.total:,}", "muted")),
        ((f"{counts.unanswered:,}", "bad"),) if counts.unanswered else (("0", "muted"),),
        formatting.rate(view.rate) if view.is_live and view.rate else "",
        _left(view, now),
        formatting.format_cost(job.cost),
        ((one_line(job.model, 60), "muted"),),
        ((one_line(job.account, 60), "muted"),),
        ((format_tags(job.tags), "accent"),),
        ((formatting.age(now - job.created_at), "muted"),),
    )


def _left(view: JobView, now: float) -> Parts:
    if view.trouble and (view.is_live or view.job.status == BatchStatus.DRAFT):
        return (("! problem", "warn"),)
    for flag in view.flags(now)[:1]:
        return ((f"! {flag.short}", "bad" if flag.urgency == "late" else "warn"),)
    seconds = view.seconds_left
    if seconds is not None:
        return (("~" + formatting.duration(seconds), ""),)
    if view.is_live and view.expires_at is not None:
        return (("<" + formatting.duration(view.expires_at - now).partition(" ")[0], "muted"),)
    return ()


_GONE: Cells = ("",) * len(JOB_COLUMNS)


def _hide_mark(binding: BindingType) -> BindingType:
    """Hide the key for marking from the footer, to make room for more frequent ones."""
    if isinstance(binding, Binding) and binding.id == "mark":
        return replace(binding, show=False)
    return binding


class JobTable(VirtualTable, inherit_bindings=False):
    """A table of jobs; ``space`` marks those to compare."""

    BINDINGS: ClassVar[list[BindingType]] = [
        _hide_mark(binding) for binding in bindings(Scope.TABLE)
    ]

    class MarksFull(Message):
        """Posted when the user tries to mark more jobs than can be compared."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(JOB_COLUMNS, markable=True, id=id)

    @property
    def marked_jobs(self) -> list[str]:
        """The ids of the marked jobs."""
        return [str(job_id) for job_id in self.marks.named]

    def prune_marks(self, is_there: Callable[[str], bool]) -> None:
        """Remove the marks of jobs that no longer exist."""
        self.marks.named.difference_update(
            [job_id for job_id in self.marked_jobs if not is_there(job_id)]
        )

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Disable the commands that mark many rows."""
        if action in ("mark_range", "mark_all", "invert_marks"):
            return False
        return super().check_action(action, parameters)

    def _toggle_mark(self) -> None:
        if self.cursor_id not in self.marks and len(self.marks.named) >= MAX_COMPARED:
            self.post_message(self.MarksFull())
        else:
            super()._toggle_mark()
