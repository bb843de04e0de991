"""Engine events, for the dashboard, the CLI and the Python client alike.

Every event names its job. Subscribers are called on the engine's event loop. Transfers publish
at most ten events per second each (``Progress``); subscribers that draw limit the rate themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tui.core.jobs import BatchStatus
from tui.logs import LOGGER


@dataclass(frozen=True)
class JobEvent:
    """Something happened to a job."""

    job_id: str


@dataclass(frozen=True)
class JobImported(JobEvent):
    """A file was imported as a job; nothing is sent yet."""


@dataclass(frozen=True)
class JobDeleted(JobEvent):
    """The job was deleted from the history."""


@dataclass(frozen=True)
class JobChanged(JobEvent):
    """The job must be read again; an empty ``job_id`` means any job."""


@dataclass(frozen=True)
class SubmitStarted(JobEvent):
    """A submit began: planning, the budget check and sending."""


@dataclass(frozen=True)
class SubmitFinished(JobEvent):
    """A submit ended, whether it succeeded or not."""


@dataclass(frozen=True)
class BatchEvent(JobEvent):
    """Something happened to a batch of a job."""

    batch_id: str


@dataclass(frozen=True)
class UploadProgressed(BatchEvent):
    """Bytes of the input file were uploaded."""

    sent: int
    total: int


@dataclass(frozen=True)
class BatchSubmitted(BatchEvent):
    """The provider accepted the batch and gave it an id."""

    remote_id: str


@dataclass(frozen=True)
class StatusChanged(BatchEvent):
    """The status of the batch changed."""

    status: BatchStatus
    raw_status: str


@dataclass(frozen=True)
class CountsChanged(BatchEvent):
    """The provider's counts changed since the last poll."""


@dataclass(frozen=True)
class DownloadProgressed(BatchEvent):
    """Bytes of a result file were downloaded; ``total`` is ``None`` if unknown."""

    received: int
    total: int | None


@dataclass(frozen=True)
class RowsCollected(BatchEvent):
    """Result rows were indexed and can be shown; ``rows`` is the total of this batch so far."""

    rows: int


@dataclass(frozen=True)
class BatchEnded(BatchEvent):
    """The batch ended and all its results are in the history."""

    status: BatchStatus


@dataclass(frozen=True)
class StepFailed(BatchEvent):
    """A step failed; the next try is at ``next_try`` (Unix seconds), or never if ``None``."""

    message: str
    hint: str
    next_try: float | None


@dataclass(frozen=True)
class SendPaused(BatchEvent):
    """The provider asks to wait while the batch is sent; it goes on at ``next_try``, Unix seconds.

    ``message`` says what it answered.
    """

    message: str
    next_try: float


@dataclass(frozen=True)
class BudgetExceeded(JobEvent):
    """A budget did not allow the job to be sent; it may be deleted after this."""

    message: str


@dataclass(frozen=True)
class DeadlineMoved(JobEvent):
    """Something was done about the deadline of the job; ``what`` says it in words.

    ``ended``: its batches were cancelled, and nothing more of it is sent.
    """

    what: str
    good: bool
    ended: bool = False


@dataclass(frozen=True)
class HookEnded(JobEvent):
    """The user's command for an event of a job finished; ``what`` says how."""

    what: str
    good: bool
    event: str = "job_end"


@dataclass(frozen=True)
class RowsExported(JobEvent):
    """Rows of the job were written to a file."""

    rows: int


Subscriber = Callable[[JobEvent], None]

GROWING = (UploadProgressed, DownloadProgressed, RowsCollected, CountsChanged)
"""Events that only report more bytes or rows of a batch; they are frequent."""


@dataclass
class EventBus:
    """Delivers events to subscribers."""

    _subscribers: list[Subscriber] = field(default_factory=list)

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Call ``subscriber`` with every event; returns a function that unsubscribes it."""
        self._subscribers.append(subscriber)

        def stop() -> None:
            if subscriber in self._subscribers:
                self._subscribers.remove(subscriber)

        return stop

    def publish(self, event: JobEvent) -> None:
        """Deliver an event to all subscribers, in the order of subscription."""
        for subscriber in tuple(self._subscribers):
            try:
                subscriber(event)
            except Exception:
                # A failing subscriber must not stop the publisher, which may be sending.
                LOGGER.exception("subscriber %r failed on %r", subscriber, event)
