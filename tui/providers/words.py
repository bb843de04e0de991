"""What a provider's word for a status means."""

from __future__ import annotations

from collections.abc import Mapping

from tui.core.status import BatchStatus

_PREFIXES = ("job_state_", "batch_state_", "batch_status_", "state_", "status_")

_COMMON = {
    "created": BatchStatus.VALIDATING,
    "submitted": BatchStatus.VALIDATING,
    "validating": BatchStatus.VALIDATING,
    "queued": BatchStatus.QUEUED,
    "in_queue": BatchStatus.QUEUED,
    "pending": BatchStatus.QUEUED,
    "scheduled": BatchStatus.QUEUED,
    "in_progress": BatchStatus.IN_PROGRESS,
    "inprogress": BatchStatus.IN_PROGRESS,
    "processing": BatchStatus.IN_PROGRESS,
    "running": BatchStatus.IN_PROGRESS,
    "progress": BatchStatus.IN_PROGRESS,
    "finalizing": BatchStatus.FINALIZING,
    "finalising": BatchStatus.FINALIZING,
    "completed": BatchStatus.COMPLETED,
    "succeeded": BatchStatus.COMPLETED,
    "success": BatchStatus.COMPLETED,
    "failed": BatchStatus.FAILED,
    "expired": BatchStatus.EXPIRED,
    "timeout_exceeded": BatchStatus.EXPIRED,
    "cancelling": BatchStatus.CANCELLING,
    "canceling": BatchStatus.CANCELLING,
    "cancellation_requested": BatchStatus.CANCELLING,
    "stopping": BatchStatus.CANCELLING,
    "cancelled": BatchStatus.CANCELLED,
    "canceled": BatchStatus.CANCELLED,
    "stopped": BatchStatus.CANCELLED,
}
"""Words that mean the same wherever they were seen."""


def status_of(word: str | None, mapping: Mapping[str, BatchStatus]) -> BatchStatus:
    """The normalised status; ``unknown`` for a word that nothing maps.

    Case, blanks and hyphens make no difference. The profile's words win over the common ones.
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
    """A word without what makes no difference: case, blanks, hyphens."""
    return word.strip().casefold().replace("-", "_").replace(" ", "_")
