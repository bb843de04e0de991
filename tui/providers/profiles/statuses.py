"""What status words of batches mean: the common ones, and those of a profile."""

from __future__ import annotations

from collections.abc import Mapping

from tui.core.jobs import BatchStatus

_PREFIXES = (
    "job_state_", "batch_state_", "batch_status_", "state_", "status_",
    "batchstatus.", "jobstatus.", "jobstate.", "status.",
)  # fmt: skip

_COMMON = {
    "created": BatchStatus.VALIDATING,
    "unspecified": BatchStatus.VALIDATING,
    "submitted": BatchStatus.VALIDATING,
    "validating": BatchStatus.VALIDATING,
    "not_started": BatchStatus.QUEUED,
    "waiting": BatchStatus.QUEUED,
    "preparing": BatchStatus.VALIDATING,
    "queued": BatchStatus.QUEUED,
    "in_queue": BatchStatus.QUEUED,
    "pending": BatchStatus.QUEUED,
    "scheduled": BatchStatus.QUEUED,
    "scheduling": BatchStatus.QUEUED,
    "in_progress": BatchStatus.IN_PROGRESS,
    "inprogress": BatchStatus.IN_PROGRESS,
    "processing": BatchStatus.IN_PROGRESS,
    "running": BatchStatus.IN_PROGRESS,
    "progress": BatchStatus.IN_PROGRESS,
    "started": BatchStatus.IN_PROGRESS,
    "executing": BatchStatus.IN_PROGRESS,
    "updating": BatchStatus.IN_PROGRESS,
    "finalizing": BatchStatus.FINALIZING,
    "finalising": BatchStatus.FINALIZING,
    "post_processing": BatchStatus.FINALIZING,
    "completed": BatchStatus.COMPLETED,
    "succeeded": BatchStatus.COMPLETED,
    "success": BatchStatus.COMPLETED,
    "partially_succeeded": BatchStatus.COMPLETED,
    "partially_completed": BatchStatus.COMPLETED,
    "partially_failed": BatchStatus.COMPLETED,
    "completed_with_errors": BatchStatus.COMPLETED,
    "completed_with_failures": BatchStatus.COMPLETED,
    "partial_success": BatchStatus.COMPLETED,
    "complete": BatchStatus.COMPLETED,
    "done": BatchStatus.COMPLETED,
    "ended": BatchStatus.COMPLETED,
    "finished": BatchStatus.COMPLETED,
    "failed": BatchStatus.FAILED,
    "failure": BatchStatus.FAILED,
    "error": BatchStatus.FAILED,
    "errored": BatchStatus.FAILED,
    "rejected": BatchStatus.FAILED,
    "expired": BatchStatus.EXPIRED,
    "timeout_exceeded": BatchStatus.EXPIRED,
    "timed_out": BatchStatus.EXPIRED,
    "cancelling": BatchStatus.CANCELLING,
    "canceling": BatchStatus.CANCELLING,
    "cancellation_requested": BatchStatus.CANCELLING,
    "stopping": BatchStatus.CANCELLING,
    "cancelled": BatchStatus.CANCELLED,
    "canceled": BatchStatus.CANCELLED,
    "stopped": BatchStatus.CANCELLED,
    "aborted": BatchStatus.CANCELLED,
    "terminated": BatchStatus.CANCELLED,
    "deleted": BatchStatus.CANCELLED,
}
"""Statuses that mean the same at every known provider, and words that can only mean an end."""


def normalise_status(word: str | None, mapping: Mapping[str, BatchStatus]) -> BatchStatus:
    """Normalise a status; ``unknown`` for one that is not mapped.

    Case is ignored, and spaces and hyphens equal underscores. The profile's ``mapping`` takes
    precedence over the common statuses.
    """
    if not word:
        return BatchStatus.UNKNOWN
    folded = fold(word)
    own = {fold(key): status for key, status in mapping.items()}
    if folded in own:
        return own[folded]
    for prefix in _PREFIXES:
        folded = folded.removeprefix(prefix)
    return own.get(folded) or _COMMON.get(folded, BatchStatus.UNKNOWN)


def fold(word: str) -> str:
    """Fold a word for comparison: lower case, with underscores for spaces and hyphens."""
    return word.strip().casefold().replace("-", "_").replace(" ", "_")
