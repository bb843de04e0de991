"""What to say of jobs that ended: one note, however many there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from tui.core.jobs import Job
from tui.core.status import is_terminal
from tui.core.text import one_line
from tui.errors import UnknownJobError


class JobReader(Protocol):
    """The part of the history that is read."""

    def job(self, job_id: str) -> Job:
        """One job."""
        ...


def ended_jobs(history: JobReader, ended: Mapping[str, str]) -> list[Job]:
    """The jobs of batches that ended, as far as they are there and nothing of them goes on.

    Args:
        history: Where the jobs are read.
        ended: Job id to the status that its batch ended with.
    """
    jobs: list[Job] = []
    for job_id in ended:
        try:
            job = history.job(job_id)
        except UnknownJobError:
            continue
        # The end of one batch is not that of the job, as long as others go on.
        if is_terminal(job.status):
            jobs.append(job)
    return jobs


def describe_jobs(jobs: Sequence[Job]) -> tuple[str, bool] | None:
    """A note about jobs that ended, and whether all went well; ``None`` without any."""
    if not jobs:
        return None
    good = all(not job.counts.unanswered for job in jobs)
    if len(jobs) > 1:
        failed = sum(job.counts.unanswered for job in jobs)
        rest = f", {failed:,} rows without an answer" if failed else ""
        return f"{len(jobs)} jobs ended{rest}", good
    job = jobs[0]
    text = f"{one_line(job.name, 40)}: {job.counts.answered:,} of {job.counts.total:,} answered"
    if job.counts.unanswered:
        text += f", {job.counts.unanswered:,} not"
    return text, good
