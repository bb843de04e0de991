"""The jobs as the list shows them: records of the history with pace, time left and flags."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, Protocol

from tui.core.flags import Flag, keeping_flags, most_urgent, stuck_flags
from tui.core.jobs import Batch, Job
from tui.core.status import BatchStatus, is_terminal
from tui.core.text import one_line
from tui.errors import BatchdeckError, UnknownJobError

PACE_SECONDS = 60.0
"""The rate is that of the last minute: steady enough to read, fresh enough to believe."""


class JobReader(Protocol):
    """The part of the history that the board reads."""

    def jobs(
        self,
        *,
        search: str = "",
        status: BatchStatus | None = None,
        account: str | None = None,
        limit: int | None = None,
    ) -> list[Job]:
        """Jobs, newest first."""
        ...

    def job(self, job_id: str) -> Job:
        """One job."""
        ...

    def batches(self, job_id: str) -> list[Batch]:
        """Its batches."""
        ...

    def expiring(self) -> dict[str, float]:
        """Jobs with results to collect, and when the provider deletes the first of them."""
        ...


@dataclass
class Pace:
    """How fast rows of a job end, from what was seen."""

    samples: deque[tuple[float, int]] = field(default_factory=deque)

    def see(self, at: float, done: int) -> None:
        """Note how many rows were done at a moment."""
        if self.samples and done < self.samples[-1][1]:
            self.samples.clear()
        if self.samples and at <= self.samples[-1][0]:
            return
        self.samples.append((at, done))
        # One sample older than the span is kept, so that a slow batch has a rate too.
        while len(self.samples) > 2 and self.samples[1][0] < at - PACE_SECONDS:
            self.samples.popleft()

    def rate(self, now: float) -> float | None:
        """Rows a second; ``None`` until two moments were seen. It sinks when nothing moves."""
        if len(self.samples) < 2:
            return None
        (start, first), (end, last) = self.samples[0], self.samples[-1]
        if now > end + PACE_SECONDS:
            end = now
        return (last - first) / (end - start) if end > start else None


class Recorded(NamedTuple):
    """What the history holds: the jobs, and until when results that are not here are kept."""

    jobs: list[Job]
    expiring: dict[str, float]


@dataclass
class JobView:
    """A job, and what can be worked out about it while it runs.

    ``done`` counts rows that the provider is done with, collected or not; ``rate`` is in
    rows a second; ``expires_at`` is when the window of its live batches ends;
    ``kept_until`` when the provider deletes results that are not here.
    """

    job: Job
    done: int = 0
    rate: float | None = None
    expires_at: float | None = None
    kept_until: float | None = None
    raw_status: str = ""
    trouble: str = ""
    transfer: tuple[str, int, int | None] | None = None
    batches: list[Batch] = field(default_factory=list)

    @cached_property
    def words(self) -> str:
        """What a search looks through, in one case."""
        job = self.job
        parts = (job.name, job.id, job.account, job.provider, job.model, job.status.value)
        tags = " ".join(f"#{tag}" for tag in job.tags)
        return " ".join((*parts, tags, job.note)).casefold()

    def flags(self, now: float) -> list[Flag]:
        """What to look at, the most urgent first."""
        flags = stuck_flags(self.batches, now) if self.is_live else []
        return most_urgent([*flags, *keeping_flags(self.kept_until, now)])

    @property
    def is_live(self) -> bool:
        """Is more to be expected of it without a person doing something?"""
        return not is_terminal(self.job.status) and self.job.status != BatchStatus.DRAFT

    @property
    def seconds_left(self) -> float | None:
        """Seconds until the last row at the present pace; ``None`` where nothing tells."""
        left = self.job.counts.total - self.done
        if not self.is_live or not self.rate or left <= 0:
            return None
        return left / self.rate


@dataclass(frozen=True)
class JobFilter:
    """Which jobs are listed: all conditions hold; an empty one lets everything through."""

    text: str = ""
    failed_only: bool = False
    account: str = ""


@dataclass(frozen=True)
class JobOrder:
    """By which column the jobs stand; equal ones stand newest first."""

    column: str = "age"
    descending: bool = False

    @property
    def is_usual(self) -> bool:
        """Is it newest first?"""
        return self == JobOrder()

    def flipped_or(self, column: str) -> JobOrder:
        """The order after a column was chosen: the same one again turns it round."""
        if column == self.column:
            return JobOrder(column, not self.descending)
        return JobOrder(column, column in LARGEST_FIRST)

    def sort(self, views: list[JobView]) -> None:
        """Put views, newest first, into this order; what is unknown stands last."""
        if self.is_usual:
            return
        key = SORT_KEYS.get(self.column)
        if key is None:
            return
        values = {id(view): key(view) for view in views}
        known = [view for view in views if values[id(view)] is not None]
        unknown = [view for view in views if values[id(view)] is None]
        # Sorting keeps the order of equals, also the other way round.
        known.sort(key=lambda view: values[id(view)], reverse=self.descending)
        views[:] = known + unknown


LARGEST_FIRST = frozenset({"answered", "failed", "rate", "cost", "bar"})
"""Columns of which the large values are looked for."""

_STATUS_ORDER = {status: place for place, status in enumerate(BatchStatus)}

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
"""What each column is sorted by; ``None`` is unknown."""


class Board:
    """All jobs of the history, newest first, kept up to date job by job."""

    def __init__(self, history: JobReader, now: Callable[[], float] = time.time) -> None:
        self._history = history
        self._now = now
        self._views: dict[str, JobView] = {}
        self._paces: dict[str, Pace] = {}

    def reload(self) -> None:
        """Read all jobs anew."""
        self.take(self.read())

    def read(self) -> Recorded:
        """The jobs as the history has them now; for a thread, as they may be thousands."""
        return Recorded(self._history.jobs(), self._history.expiring())

    def take(self, recorded: Recorded) -> None:
        """Show these jobs, the newest first; what did not change is not worked out again."""
        old = self._views
        self._views = {}
        for job in recorded.jobs:
            view = old.get(job.id)
            if view is None or view.is_live or view.job != job:
                view = self._view(job, view)
            view.kept_until = recorded.expiring.get(job.id)
            self._views[job.id] = view

    def update(self, job_ids: Iterable[str]) -> bool:
        """Read some jobs anew.

        Returns:
            Whether a job came or went, so that the list must be made anew.
        """
        rearranged = False
        expiring = self._history.expiring()
        for job_id in job_ids:
            try:
                job = self._history.job(job_id)
            except UnknownJobError:
                rearranged = self._views.pop(job_id, None) is not None or rearranged
                continue
            rearranged = rearranged or job_id not in self._views
            self._views[job_id] = self._view(job, self._views.get(job_id))
            self._views[job_id].kept_until = expiring.get(job_id)
        if rearranged:
            ordered = sorted(self._views.values(), key=_newest_first)
            self._views = {view.job.id: view for view in ordered}
        return rearranged

    def name_of(self, job_id: str) -> str:
        """What a person calls a job: its name, with its id where others have that name too."""
        view = self._views.get(job_id)
        try:
            # A job that has just begun may not be listed yet.
            job = self._history.job(job_id) if view is None else view.job
        except BatchdeckError:
            return job_id
        name = one_line(job.name, 60) or job_id
        others = (other.job for other in self._views.values())
        alike = any(other.name == job.name and other.id != job_id for other in others)
        return f"{name} ({job_id})" if alike else name

    def view(self, job_id: str) -> JobView | None:
        """One job."""
        return self._views.get(job_id)

    def __len__(self) -> int:
        return len(self._views)

    def ids(self, wanted: JobFilter | str = "", order: JobOrder | None = None) -> list[str]:
        """Ids of the jobs that fit, the newest first where no other order is asked for."""
        if isinstance(wanted, str):
            wanted = JobFilter(text=wanted)
        # One condition after the other, each a plain loop: there may be thousands of jobs.
        views = list(self._views.values())
        if wanted.account:
            views = [view for view in views if view.job.account == wanted.account]
        if wanted.failed_only:
            views = [view for view in views if view.job.counts.unanswered]
        for word in wanted.text.casefold().split():
            views = [view for view in views if word in view.words]
        if order is not None:
            order.sort(views)
        return [view.job.id for view in views]

    def accounts(self) -> dict[str, int]:
        """The accounts that have jobs, and how many."""
        return dict(Counter(view.job.account for view in self._views.values()))

    def live(self) -> list[JobView]:
        """The jobs that go on by themselves."""
        return [view for view in self._views.values() if view.is_live]

    def stuck(self) -> int:
        """How many live jobs have a flag."""
        now = self._now()
        return sum(bool(view.flags(now)) for view in self.live())

    def _view(self, job: Job, old: JobView | None) -> JobView:
        view = JobView(job=job, done=job.counts.ended, trouble=job.trouble)
        if not view.is_live:
            self._paces.pop(job.id, None)
            return view
        view.batches = batches = self._history.batches(job.id)
        running = [batch for batch in batches if not is_terminal(batch.status)]
        open_rows = sum(_open_rows(batch) for batch in running)
        view.done = max(view.done, min(job.counts.total, job.counts.total - open_rows))
        ends = [batch.expires_at for batch in running if batch.expires_at is not None]
        view.expires_at = min(ends, default=None)
        view.raw_status = next((batch.raw_status for batch in running), "")
        view.trouble = next((batch.trouble for batch in batches if batch.trouble), view.trouble)
        pace = self._paces.setdefault(job.id, Pace())
        # The history says when it learned of the rows: at the start that may be long ago.
        learned = [batch.progressed_at for batch in batches if batch.progressed_at is not None]
        pace.see(max(learned, default=self._now()), view.done)
        view.rate = pace.rate(self._now())
        view.transfer = old.transfer if old is not None else None
        return view


def _open_rows(batch: Batch) -> int:
    return max(0, batch.rows - (batch.remote_counts.ended or 0))


def _newest_first(view: JobView) -> tuple[float, str]:
    return (-view.job.created_at, view.job.id)
