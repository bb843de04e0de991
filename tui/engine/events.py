"""What the engine tells: its only output. The screen and the headless twin read the same.

Every event names the job. Subscribers are called on the engine's event loop, and get at most
ten events a second of one kind for one batch.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tui.core.status import BatchStatus
from tui.logs import LOGGER


@dataclass(frozen=True)
class JobEvent:
    """Something happened to a job."""

    job_id: str


@dataclass(frozen=True)
class JobImported(JobEvent):
    """A file became a job; nothing is sent yet."""


@dataclass(frozen=True)
class JobDeleted(JobEvent):
    """The job is gone from the history."""


@dataclass(frozen=True)
class JobChanged(JobEvent):
    """The job is to be read anew; an empty ``job_id`` stands for any of them."""


@dataclass(frozen=True)
class SubmitPrepared(JobEvent):
    """A submit has begun with what comes before the wire: plan, budget, the file as it is sent.

    ``going`` is false when that is over, whether rows are on their way then or not.
    """

    going: bool


@dataclass(frozen=True)
class BatchEvent(JobEvent):
    """Something happened to a batch of a job."""

    batch_id: str


@dataclass(frozen=True)
class UploadProgressed(BatchEvent):
    """Bytes of the input are on their way."""

    sent: int
    total: int


@dataclass(frozen=True)
class BatchSubmitted(BatchEvent):
    """The provider took the batch and gave it an id."""

    remote_id: str


@dataclass(frozen=True)
class StatusChanged(BatchEvent):
    """The batch has another status than before."""

    status: BatchStatus
    raw_status: str


@dataclass(frozen=True)
class CountsChanged(BatchEvent):
    """The provider counts differently than at the last poll."""


@dataclass(frozen=True)
class DownloadProgressed(BatchEvent):
    """Bytes of a result file have arrived; ``total`` is ``None`` where it is not known."""

    received: int
    total: int | None


@dataclass(frozen=True)
class RowsCollected(BatchEvent):
    """Rows have been indexed and can be shown; ``rows`` counts those of this batch so far."""

    rows: int


@dataclass(frozen=True)
class BatchEnded(BatchEvent):
    """The batch is over and everything that it gave is in the history."""

    status: BatchStatus


@dataclass(frozen=True)
class TroubleReported(BatchEvent):
    """A step did not work; it is tried again at ``next_try`` (Unix seconds) unless ``None``."""

    message: str
    hint: str
    next_try: float | None


@dataclass(frozen=True)
class HookEnded(JobEvent):
    """The person's own command for the end of a job is done: what came of it."""

    what: str
    good: bool


Subscriber = Callable[[JobEvent], None]

_FREQUENT = (UploadProgressed, DownloadProgressed, RowsCollected, CountsChanged)
_INTERVAL = 0.1
"""Seconds between two events of a frequent kind for one batch."""


@dataclass
class EventBus:
    """Hands events to whoever asked for them."""

    _subscribers: list[Subscriber] = field(default_factory=list)
    _last: dict[tuple[type, str], float] = field(default_factory=dict)
    _waiting: dict[tuple[type, str], BatchEvent] = field(default_factory=dict)

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Call ``subscriber`` with every event; the answer is the way to stop it."""
        self._subscribers.append(subscriber)

        def stop() -> None:
            if subscriber in self._subscribers:
                self._subscribers.remove(subscriber)

        return stop

    def publish(self, event: JobEvent) -> None:
        """Tell every subscriber, in the order in which they asked."""
        if isinstance(event, _FREQUENT):
            if self._holds_back(event):
                return
        elif isinstance(event, BatchEnded):
            for kind in _FREQUENT:
                self._last.pop((kind, event.batch_id), None)
                self._waiting.pop((kind, event.batch_id), None)
        self._tell(event)

    def _holds_back(self, event: BatchEvent) -> bool:
        """Keep an event that comes too soon; the last one of a burst is told a moment later."""
        key = (type(event), event.batch_id)
        now = time.monotonic()
        wait = self._last.get(key, 0.0) + _INTERVAL - now
        last_word = isinstance(event, UploadProgressed) and event.sent >= event.total
        if wait <= 0 or last_word:
            self._last[key] = now
            self._waiting.pop(key, None)
            return False
        if key not in self._waiting:
            try:
                asyncio.get_running_loop().call_later(wait, self._tell_waiting, key)
            except RuntimeError:
                return True
        self._waiting[key] = event
        return True

    def _tell_waiting(self, key: tuple[type, str]) -> None:
        event = self._waiting.pop(key, None)
        if event is not None:
            self._last[key] = time.monotonic()
            self._tell(event)

    def _tell(self, event: JobEvent) -> None:
        for subscriber in tuple(self._subscribers):
            try:
                subscriber(event)
            except Exception:
                # Who cannot show an event must not stop what is told of, which may be a send.
                LOGGER.exception("telling %r of %r", subscriber, event)
