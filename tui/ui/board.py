"""The jobs as the list shows them: records of the history with pace and time left."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from tui.core.jobs import Batch, Job
from tui.core.status import BatchStatus, is_terminal
from tui.errors import UnknownJobError

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


class Board:
    """All jobs of the history, newest first, kept up to date job by job."""

    def __init__(self, history: JobReader, now: Callable[[], float] = time.time) -> None:
        self._history = history
        self._now = now
        self._views: dict[str, JobView] = {}
        self._paces: dict[str, Pace] = {}

    def reload(self) -> None:
        """Read all jobs anew."""
        expiring = self._history.expiring()
        self._views = {job.id: self._view(job) for job in self._history.jobs()}
        for job_id, view in self._views.items():
            view.kept_until = expiring.get(job_id)

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
            self._views[job_id] = self._view(job)
            self._views[job_id].kept_until = expiring.get(job_id)
        if rearranged:
            ordered = sorted(self._views.values(), key=_newest_first)
            self._views = {view.job.id: view for view in ordered}
        return rearranged

    def view(self, job_id: str) -> JobView | None:
        """One job."""
        return self._views.get(job_id)

    def __len__(self) -> int:
        return len(self._views)

    def ids(self, search: str = "", failed_only: bool = False) -> list[str]:
        """Ids of the jobs that fit, newest first."""
        words = search.lower().split()
        return [
            job_id
            for job_id, view in self._views.items()
            if not (failed_only and not view.job.counts.unanswered)
            and all(word in _haystack(view.job) for word in words)
        ]

    def live(self) -> list[JobView]:
        """The jobs that go on by themselves."""
        return [view for view in self._views.values() if view.is_live]

    def _view(self, job: Job) -> JobView:
        view = JobView(job=job, done=job.counts.ended, trouble=job.trouble)
        old = self._views.get(job.id)
        if not view.is_live:
            self._paces.pop(job.id, None)
            return view
        batches = self._history.batches(job.id)
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


def _haystack(job: Job) -> str:
    parts = (job.name, job.id, job.account, job.provider, job.model, job.status.value)
    return " ".join(parts).lower()
