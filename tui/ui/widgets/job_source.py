"""Jobs as rows of a table."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

from tui.core.status import BatchStatus
from tui.core.tags import tag_words
from tui.core.text import one_line
from tui.ui import formatting
from tui.ui.board import Board, JobView
from tui.ui.status import bar_parts, status_parts
from tui.ui.tones import Parts
from tui.ui.widgets.table_model import Cells, Column

BAR_WIDTH = 12

JOB_COLUMNS = (
    Column("status", "Status", 13, sortable=True),
    Column("name", "Job", 18, flex=4, sortable=True),
    Column("bar", "Progress", BAR_WIDTH, drop=3, sortable=True),
    Column("answered", "Answered", 15, align="right", drop=4, sortable=True),
    Column("failed", "Failed", 7, align="right", sortable=True),
    Column("rate", "Rows/s", 7, align="right", drop=5, sortable=True),
    Column("left", "Left", 9, align="right", drop=2, sortable=True),
    Column("cost", "Cost", 9, align="right", drop=6, sortable=True),
    Column("model", "Model", 14, flex=1, drop=9, sortable=True),
    Column("account", "Account", 12, drop=7, sortable=True),
    Column("tags", "Tags", 12, flex=1, drop=8),
    Column("age", "Age", 4, align="right", drop=1, sortable=True),
)


class JobSource:
    """The jobs of a board that fit a filter, in an order.

    Args:
        board: All jobs.
        ids: The ids of those to show, in order.
        now: The clock, for ages.
    """

    def __init__(self, board: Board, ids: list[str], now: Callable[[], float]) -> None:
        self._board = board
        self._ids = ids
        self._index = {job_id: index for index, job_id in enumerate(ids)}
        self._now = now

    def row_count(self) -> int:
        """How many jobs are shown."""
        return len(self._ids)

    def fetch(self, start: int, stop: int) -> Sequence[Cells]:
        """The cells of some jobs."""
        now = self._now()
        views = (self._board.view(job_id) for job_id in self._ids[start:stop])
        return [job_cells(view, now) if view is not None else _GONE for view in views]

    def row_id(self, index: int) -> Hashable:
        """The id of a job."""
        return self._ids[index]

    def index_of(self, row_id: Hashable) -> int | None:
        """Where a job stands."""
        return self._index.get(str(row_id))


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
        formatting.cost(job.cost),
        ((one_line(job.model, 60), "muted"),),
        ((one_line(job.account, 60), "muted"),),
        ((tag_words(job.tags), "accent"),),
        ((formatting.age(now - job.created_at), "muted"),),
    )


def _left(view: JobView, now: float) -> Parts:
    if view.trouble and (view.is_live or view.job.status == BatchStatus.DRAFT):
        return (("! see", "warn"),)
    for flag in view.flags(now)[:1]:
        return ((f"! {flag.short}", "bad" if flag.urgency == "late" else "warn"),)
    seconds = view.seconds_left
    if seconds is not None:
        return (("~" + formatting.duration(seconds), ""),)
    if view.is_live and view.expires_at is not None:
        return (("<" + formatting.duration(view.expires_at - now).partition(" ")[0], "muted"),)
    return ()


_GONE: Cells = ("",) * len(JOB_COLUMNS)
