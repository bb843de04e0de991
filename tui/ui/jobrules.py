"""What can be done to a job now, and why not the rest: one sentence each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from tui.core.jobs import Batch, Job
from tui.core.status import BatchStatus, Submission, is_terminal


class BatchReader(Protocol):
    """The part of the history that is read."""

    def batches(self, job_id: str) -> list[Batch]:
        """The batches of a job."""
        ...


def is_unsent(job: Job, history: BatchReader) -> bool:
    """Is a part of the job not sent, or not certainly?"""
    if job.status == BatchStatus.DRAFT:
        return True
    if is_terminal(job.status):
        return False
    unsure = (Submission.DRAFT, Submission.UNCERTAIN)
    return any(batch.submission in unsure for batch in history.batches(job.id))


def why_not_job(command_id: str, job: Job, unsent: Callable[[], bool]) -> str:
    """Why a command cannot be used on a job now; empty when it can."""
    if command_id == "submit":
        return "" if unsent() else "The job was sent already."
    if command_id in ("retry", "retry_edit"):
        if job.counts.unanswered:
            return ""
        return "No row has failed so far." if job.counts.pending else "Every row has an answer."
    if command_id == "cancel" and (is_terminal(job.status) or job.status == BatchStatus.DRAFT):
        return "The job is not running."
    return ""
