"""Error groups and timeline of the job under the cursor, read without holding a key back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple, Protocol

from tui.core.jobs import ErrorGroup, Job, TimelineEntry
from tui.errors import BatchdeckError

_FEW = 2_000
"""Rows to look at whose groups are counted within a few milliseconds."""


class StoryReader(Protocol):
    """The part of the history that is read."""

    def error_groups(self, job_id: str) -> list[ErrorGroup]:
        """Why rows failed."""
        ...

    def timeline(self, job_id: str) -> list[TimelineEntry]:
        """What happened."""
        ...


class Story(NamedTuple):
    """What there is to tell of a job."""

    job_id: str = ""
    groups: tuple[ErrorGroup, ...] = ()
    timeline: tuple[TimelineEntry, ...] = ()


class JobStory:
    """The story of one job at a time: at once for a small one, else from a thread.

    Args:
        history: Where it is read.
        spawn: Starts a task that reads; it is asked for one at a time.
        tell: Called when a story that was not at hand is there.
    """

    def __init__(
        self,
        history: StoryReader,
        spawn: Callable[[JobStory], object],
        tell: Callable[[], object],
    ) -> None:
        self._history = history
        self._spawn = spawn
        self._tell = tell
        self._story = Story()
        self._stale = True
        self._wanted = ""
        self._reading = False

    def outdate(self) -> None:
        """Take note that the job has changed."""
        self._stale = True

    def of(self, job: Job) -> Story:
        """What is known of a job; what is still to be read comes with ``tell``."""
        if self._stale or self._story.job_id != job.id:
            if not self._reading and job.counts.ended - job.counts.succeeded <= _FEW:
                self._story = self._read(job.id)
                self._stale = False
            else:
                self._wanted = job.id
                if not self._reading:
                    self._reading = True
                    self._spawn(self)
        # An older story of the same job is better than none.
        return self._story if self._story.job_id == job.id else Story()

    async def read(self) -> None:
        """Read what is wanted, until nothing newer is."""
        try:
            while True:
                wanted = self._wanted
                self._stale = False
                try:
                    self._story = await asyncio.to_thread(self._read, wanted)
                except BatchdeckError:
                    # The job was deleted meanwhile; the list is told of that as well.
                    self._story = Story(wanted)
                if wanted == self._wanted:
                    break
        finally:
            self._reading = False
        self._tell()

    def _read(self, job_id: str) -> Story:
        history = self._history
        return Story(job_id, tuple(history.error_groups(job_id)), tuple(history.timeline(job_id)))
