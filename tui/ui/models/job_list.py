"""The model of the job list: jobs of the history with rate, time left and flags."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from tui.core.analysis.sections import ListedJob, matching
from tui.core.jobs import BatchStatus, Job, is_terminal, rows_done
from tui.core.text import one_line
from tui.errors import BatchdeckError, UnknownJobError

if TYPE_CHECKING:
    from tui.store.history import History

RATE_WINDOW_SECONDS = 60.0
"""Length of the window over which the rate is averaged."""


@dataclass
class Throughput:
    """The rate at which rows of a job finish, measured from samples."""

    samples: deque[tuple[float, int]] = field(default_factory=deque)

    def add_sample(self, at: float, done: int) -> None:
        """Add a sample: ``done`` rows were finished at the time ``at``."""
        if self.samples and done < self.samples[-1][1]:
            self.samples.clear()
        if self.samples and at <= self.samples[-1][0]:
            return
        self.samples.append((at, done))
        # Keep one sample older than the window, otherwise a slow batch would have no rate.
        while len(self.samples) > 2 and self.samples[1][0] < at - RATE_WINDOW_SECONDS:
            self.samples.popleft()

    def rate(self, now: float) -> float | None:
        """Rows per second, falling while no row finishes; ``None`` with fewer than two samples."""
        if len(self.samples) < 2:
            return None
        (start, first), (end, last) = self.samples[0], self.samples[-1]
        if now > end + RATE_WINDOW_SECONDS:
            end = now
        return (last - first) / (end - start) if end > start else None


class JobRecords(NamedTuple):
    """Jobs read from the history, and when uncollected results are deleted (see ``expiring``)."""

    jobs: list[Job]
    expiring: dict[str, float]


@dataclass
class JobView(ListedJob):
    """A job with the figures that are derived while it runs.

    ``done`` counts rows that the provider has finished, collected or not; ``rate`` is in rows
    per second; ``expires_at`` is when the first window of its running batches ends.
    """

    done: int = 0
    rate: float | None = None
    expires_at: float | None = None
    raw_status: str = ""
    transfer: tuple[str, int, int | None] | None = None

    @property
    def seconds_left(self) -> float | None:
        """Seconds until the last row is done at the current rate; ``None`` if unknown."""
        left = self.job.counts.total - self.done
        if not self.is_live or not self.rate or left <= 0:
            return None
        return left / self.rate


@dataclass(frozen=True)
class JobFilter:
    """Conditions on the listed jobs, combined with *and*; an empty one matches every job."""

    text: str = ""
    failed_only: bool = False
    account: str = ""


@dataclass(frozen=True)
class JobOrder:
    """The column that jobs are sorted by; equal jobs are ordered newest first."""

    column: str = "age"
    descending: bool = False

    @property
    def is_default(self) -> bool:
        """Is this the default order, newest first?"""
        return self == JobOrder()

    def sorted_by(self, column: str) -> JobOrder:
        """The order after a column is chosen; choosing the same column again reverses it."""
        if column == self.column:
            return JobOrder(column, not self.descending)
        return JobOrder(column, column in DESCENDING_FIRST)

    def sort(self, views: list[JobView]) -> None:
        """Sort views in place, from newest-first order; unknown values go last."""
        if self.is_default:
            return
        key = SORT_KEYS.get(self.column)
        if key is None:
            return
        values = {id(view): key(view) for view in views}
        known = [view for view in views if values[id(view)] is not None]
        unknown = [view for view in views if values[id(view)] is None]
        # The sort is stable, with reverse too.
        known.sort(key=lambda view: values[id(view)], reverse=self.descending)
        views[:] = known + unknown


DESCENDING_FIRST = frozenset({"answered", "failed", "rate", "cost", "bar"})
"""Columns that are sorted in descending order first."""

_STATUS_ORDER = {status: index for index, status in enumerate(BatchStatus)}

SORT_KEYS: dict[str, Callable[[JobView], Any]] = {
    "status": lambda view: (not view.is_live, _STATUS_ORDER[view.job.status]),
    "name": lambda view: view.job.name.casefold(),
    "bar": lambda view: view.done / view.job.counts.total if view.job.counts.total else None,
    "answered": lambda view: view.job.counts.answered,
    "failed": lambda view: view.job.counts.unanswered,
    "rate": lambda view: view.rate if view.is_live else None,
    "left": lambda view: view.expires_at if view.is_live else None,
    "cost": lambda view: (
        view.job.cost.actual if view.job.cost.actual is not None else view.job.cost.estimated
    ),
    "model": lambda view: view.job.model.casefold(),
    "account": lambda view: view.job.account.casefold(),
    "age": lambda view: -view.job.created_at,
}
"""Column to its sort key; a key of ``None`` means unknown."""


class JobList:
    """The jobs of the history, newest first, updated job by job."""

    def __init__(self, history: History, now: Callable[[], float] = time.time) -> None:
        self._history = history
        self._now = now
        self._views: dict[str, JobView] = {}
        self._paces: dict[str, Throughput] = {}

    def reload(self) -> None:
        """Read all jobs again."""
        self.take(self.read())

    def read(self) -> JobRecords:
        """Read the jobs of the history. Call it in a thread: there may be thousands."""
        return JobRecords(self._history.jobs.list(), self._history.batches.expiring())

    def missing_from(self, recorded: JobRecords) -> list[Job]:
        """The listed jobs that are no longer recorded."""
        there = {job.id for job in recorded.jobs}
        return [view.job for view in self._views.values() if view.job.id not in there]

    def take(self, recorded: JobRecords) -> None:
        """Replace the list with these jobs; views of unchanged jobs are reused."""
        old = self._views
        self._views = {}
        for job in recorded.jobs:
            view = old.get(job.id)
            if view is None or view.is_live or view.job != job:
                view = self._view(job, view)
            view.kept_until = recorded.expiring.get(job.id)
            self._views[job.id] = view

    def update(self, job_ids: Iterable[str]) -> bool:
        """Read some jobs again.

        Returns:
            Whether a job was added or removed, which means that the list must be rebuilt.
        """
        rearranged = False
        expiring = self._history.batches.expiring()
        for job_id in job_ids:
            try:
                job = self._history.jobs.get(job_id)
            except UnknownJobError:
                rearranged = self._views.pop(job_id, None) is not None or rearranged
                continue
            rearranged = rearranged or job_id not in self._views
            self._views[job_id] = self._view(job, self._views.get(job_id))
            self._views[job_id].kept_until = expiring.get(job_id)
        if rearranged:
            ordered = sorted(
                self._views.values(), key=lambda view: (-view.job.created_at, view.job.id)
            )
            self._views = {view.job.id: view for view in ordered}
        return rearranged

    def name_of(self, job_id: str) -> str:
        """The name of a job, followed by its id if another job has the same name."""
        view = self._views.get(job_id)
        try:
            # A new job may not be listed yet.
            job = self._history.jobs.get(job_id) if view is None else view.job
        except BatchdeckError:
            return job_id
        name = one_line(job.name, 60) or job_id
        others = (other.job for other in self._views.values())
        alike = any(other.name == job.name and other.id != job_id for other in others)
        return f"{name} ({job_id})" if alike else name

    def view(self, job_id: str) -> JobView | None:
        """The view of a job; ``None`` if it is not listed."""
        return self._views.get(job_id)

    def __len__(self) -> int:
        return len(self._views)

    def ids(self, wanted: JobFilter | str = "", order: JobOrder | None = None) -> list[str]:
        """Ids of the matching jobs, newest first unless another order is given."""
        if isinstance(wanted, str):
            wanted = JobFilter(text=wanted)
        # One plain loop per condition is fastest: there may be thousands of jobs.
        views = list(self._views.values())
        if wanted.account:
            views = [view for view in views if view.job.account == wanted.account]
        if wanted.failed_only:
            views = [view for view in views if view.job.counts.unanswered]
        views = matching(views, wanted.text, self._now())
        if order is not None:
            order.sort(views)
        return [view.job.id for view in views]

    def accounts(self) -> dict[str, int]:
        """Account to its number of jobs."""
        return dict(Counter(view.job.account for view in self._views.values()))

    def live(self) -> list[JobView]:
        """The jobs that make progress without action by the user."""
        return [view for view in self._views.values() if view.is_live]

    def count_stuck(self) -> int:
        """Number of live jobs with at least one flag."""
        now = self._now()
        return sum(bool(view.flags(now)) for view in self.live())

    def _view(self, job: Job, old: JobView | None) -> JobView:
        view = JobView(job=job, done=job.counts.ended)
        if not view.is_live:
            self._paces.pop(job.id, None)
            return view
        view.batches = batches = self._history.batches.of_job(job.id)
        running = [batch for batch in batches if not is_terminal(batch.status)]
        view.done = rows_done(job, batches)
        ends = [batch.expires_at for batch in running if batch.expires_at is not None]
        view.expires_at = min(ends, default=None)
        view.raw_status = next((batch.raw_status for batch in running), "")
        pace = self._paces.setdefault(job.id, Throughput())
        # The counts are as old as the last progress in the history; after a start that may be long.
        progressed = [batch.progressed_at for batch in batches if batch.progressed_at is not None]
        pace.add_sample(max(progressed, default=self._now()), view.done)
        view.rate = pace.rate(self._now())
        view.transfer = old.transfer if old is not None else None
        return view
