"""Where a batch, and so a job, stands."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class BatchStatus(StrEnum):
    """The normalised status of a batch; the provider's own word is kept beside it.

    ``draft`` and ``submitting`` are ours, the rest is the provider's. ``unknown`` is a word
    that no profile maps: not terminal, polled slowly, shown as it came.
    """

    DRAFT = "draft"
    SUBMITTING = "submitting"
    VALIDATING = "validating"
    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    FINALIZING = "finalizing"
    COMPLETED = "completed"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


def status_words(status: BatchStatus, raw: str = "") -> str:
    """A status for a person; the provider's word behind it where that is another one."""
    words = status.value.replace("_", " ")
    if not raw or raw.replace("_", " ").casefold() == words:
        return words
    return f"{words} ({raw})"


TERMINAL = frozenset(
    {BatchStatus.COMPLETED, BatchStatus.FAILED, BatchStatus.EXPIRED, BatchStatus.CANCELLED}
)
"""Nothing more is expected; yet not a one-way door, Doubleword re-opens batches."""


class Submission(StrEnum):
    """How far the sending of a batch got; written to the history before each wire step.

    ``draft → uploading → uploaded → creating → running``. ``uncertain``: the create may have
    happened and the provider cannot be asked. ``refused``: the provider said no, nothing runs.
    ``waiting``: the provider's queue is full, the batch is sent again when there is room.
    """

    DRAFT = "draft"
    UPLOADING = "uploading"
    UPLOADED = "uploaded"
    CREATING = "creating"
    RUNNING = "running"
    UNCERTAIN = "uncertain"
    REFUSED = "refused"
    WAITING = "waiting"


_LIVE_ORDER = (
    BatchStatus.SUBMITTING,
    BatchStatus.DRAFT,
    BatchStatus.CANCELLING,
    BatchStatus.VALIDATING,
    BatchStatus.QUEUED,
    BatchStatus.UNKNOWN,
    BatchStatus.IN_PROGRESS,
    BatchStatus.FINALIZING,
)
_ENDED_ORDER = (
    BatchStatus.COMPLETED,
    BatchStatus.EXPIRED,
    BatchStatus.CANCELLED,
    BatchStatus.FAILED,
)


def is_terminal(status: BatchStatus) -> bool:
    """Has the batch ended, as far as the provider says?"""
    return status in TERMINAL


def job_status(statuses: Iterable[BatchStatus]) -> BatchStatus:
    """The one status of a job from those of its batches.

    While any batch lives, the one that is furthest behind speaks, except that rows being
    worked on (``in_progress``) speak for batches that only wait. When all have ended, a
    completed batch speaks before an expired, cancelled or failed one. No batch: ``draft``.
    """
    present = set(statuses)
    if BatchStatus.IN_PROGRESS in present and BatchStatus.CANCELLING not in present:
        return BatchStatus.IN_PROGRESS
    for status in (*_LIVE_ORDER, *_ENDED_ORDER):
        if status in present:
            return status
    return BatchStatus.DRAFT
