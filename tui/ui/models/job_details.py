"""Everything about one job as text, and its error groups and timeline, read in a thread if slow."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from tui.core import formatting, status_words
from tui.core.formatting import relative_time, rfc3339, span
from tui.core.jobs import (
    Batch,
    ErrorGroup,
    Job,
    RemoteCounts,
    Submission,
    TimelineEntry,
    format_tags,
)
from tui.core.text import one_line, visible
from tui.errors import UnknownJobError
from tui.ui.models.job_list import JobView
from tui.ui.text.status import status_parts
from tui.ui.text.tones import Part

if TYPE_CHECKING:
    from tui.store.history import History

_LABEL = 16


def batch_parts(batch: Batch) -> list[Part]:
    """A batch on one line."""
    parts: list[Part] = [
        (f"{status_words.batch_name(batch):<10} ", "muted"),
        *status_parts(batch.status, one_line(batch.raw_status, 30)),
        (f"  {formatting.counted(batch.rows, 'row')}", ""),
    ]
    if batch.raw_status and batch.raw_status != batch.status.value:
        parts.append((f"  “{one_line(batch.raw_status, 30)}”", "muted"))
    if batch.provider_id:
        parts.append((f"  {one_line(batch.provider_id, 60)}", "muted"))
    return parts


def job_text(
    view: JobView,
    batches: Sequence[Batch],
    groups: Sequence[ErrorGroup],
    timeline: Sequence[TimelineEntry],
    now: float,
) -> str:
    """Job details as plain text, without control characters and without requests or answers.

    Error messages come from the provider and may quote a request.
    """
    job = view.job
    counts = job.counts
    took = ""
    if job.submitted_at is not None:
        took = span((job.ended_at if job.ended_at is not None else now) - job.submitted_at)
    facts = [
        ("job", job.id),
        ("name", job.name),
        ("status", job.status.value),
        *(("warning", flag.text) for flag in view.flags(now)),
        ("account", f"{job.account} (provider {job.provider})"),
        ("model", job.model),
        ("endpoint", job.endpoint),
        ("window", job.window),
        ("rows", f"{counts.total:,}: {status_words.counts_text(counts)}" if counts.total else "0"),
        ("cost", formatting.format_cost(job.cost)),
        ("requests", f"{formatting.size(job.size)}, {_tokens(job.input_tokens)}"),
        ("source", job.source),
        ("part", "" if job.sample is None else one_line(job.sample.text, 400)),
        ("deadline", status_words.deadline_text(job, now)),
        ("created", relative_time(job.created_at, now)),
        ("submitted", relative_time(job.submitted_at, now)),
        ("ended", relative_time(job.ended_at, now)),
        ("duration", took),
        ("ran", status_words.ran_text(job)),
        ("problem", job.trouble),
        ("tags", format_tags(job.tags)),
        ("note", job.note),
        ("experiment", job.experiment),
    ]
    sections = [_pairs(facts), *(_batch_text(batch, now) for batch in batches)]
    if groups:
        sections.append("errors\n" + "\n".join(_group_text(group) for group in groups))
    if timeline:
        lines = (f"  {rfc3339(entry.at)}  {one_line(entry.what, 400)}" for entry in timeline)
        sections.append("timeline\n" + "\n".join(lines))
    return "\n\n".join(sections) + "\n"


def _batch_text(batch: Batch, now: float) -> str:
    remote = batch.remote_counts
    decide = " (decide with S)" if batch.submission is Submission.UNCERTAIN else ""
    counted = {"total": remote.total, "completed": remote.completed, "failed": remote.failed}
    facts = [
        ("id", batch.id),
        ("remote id", batch.provider_id or "-"),
        ("input file", batch.input_file_id or ""),
        ("status", status_words.status_text(batch.status, batch.raw_status)),
        ("submission", (status_words.submission_text(batch) or batch.submission.value) + decide),
        ("rows", status_words.batch_rows(batch)),
        (
            "remote counts",
            ", ".join(f"{n:,} {what}" for what, n in counted.items() if n is not None),
        ),
        ("provider tokens", _tokens_text(remote)),
        ("submitted", relative_time(batch.submitted_at, now)),
        ("last change", relative_time(batch.progressed_at, now)),
        ("window ends", relative_time(batch.expires_at, now)),
        ("ended", relative_time(batch.ended_at, now)),
        ("next poll", relative_time(batch.next_poll_at, now)),
        ("edits", ", ".join(f"{name}={value}" for name, value in batch.edits.items())),
        ("problem", batch.trouble),
    ]
    return f"{status_words.batch_name(batch)}\n" + _pairs(facts, "  ")


def _tokens_text(counts: RemoteCounts) -> str:
    """The tokens that the provider counts for a batch, where it says so."""
    counted = {"in": counts.input_tokens, "out": counts.output_tokens}
    return ", ".join(f"{tokens:,} {way}" for way, tokens in counted.items() if tokens is not None)


def _group_text(group: ErrorGroup) -> str:
    kind = {True: "temporary", False: "permanent", None: "unknown"}[group.retryable]
    rows = formatting.counted(group.count, "row")
    code = one_line(status_words.error_code_text(group), 60)
    return (
        f"  {rows}  {code}  {one_line(group.message, 300)}"
        f"  ({kind}; {one_line(group.example_custom_id, 60)})"
    )


def _tokens(count: int | None) -> str:
    if count is None:
        return "input tokens unknown"
    return f"about {formatting.counted(count, 'input token')}"


def _pairs(facts: Sequence[tuple[str, str]], indent: str = "") -> str:
    return "\n".join(
        f"{indent}{label:<{_LABEL}}{visible(' '.join(value.split()))}"
        for label, value in facts
        if value.strip()
    )


_FEW = 2_000
"""Up to this many rows without success, the groups are counted within a few milliseconds."""


class JobDetails(NamedTuple):
    """Error groups and timeline of a job."""

    job_id: str = ""
    groups: tuple[ErrorGroup, ...] = ()
    timeline: tuple[TimelineEntry, ...] = ()


class JobDetailsLoader:
    """Loads error groups and timeline of one job: directly if it is small, else in a thread.

    Args:
        history: The history to read from.
        spawn: Starts a task that awaits ``read``; at most one runs at a time.
        on_loaded: Called when a background read has finished.
    """

    def __init__(
        self,
        history: History,
        spawn: Callable[[JobDetailsLoader], object],
        on_loaded: Callable[[], object],
    ) -> None:
        self._history = history
        self._spawn = spawn
        self._on_loaded = on_loaded
        self._story = JobDetails()
        self._stale = True
        self._wanted = ""
        self._reading = False

    def mark_stale(self) -> None:
        """Mark what is loaded as out of date."""
        self._stale = True

    def of(self, job: Job) -> JobDetails:
        """What is loaded of a job; ``on_loaded`` is called if more is read in the background."""
        if self._stale or self._story.job_id != job.id:
            if not self._reading and job.counts.ended - job.counts.succeeded <= _FEW:
                self._story = self._read(job.id)
                self._stale = False
            else:
                self._wanted = job.id
                if not self._reading:
                    self._reading = True
                    self._spawn(self)
        # Outdated data of the same job is better than none.
        return self._story if self._story.job_id == job.id else JobDetails()

    async def read(self) -> None:
        """Read the wanted job, and again if another one was wanted meanwhile."""
        try:
            while True:
                wanted = self._wanted
                self._stale = False
                self._story = await asyncio.to_thread(self._read, wanted)
                if wanted == self._wanted:
                    break
        finally:
            self._reading = False
        self._on_loaded()

    def _read(self, job_id: str) -> JobDetails:
        history = self._history
        try:
            groups = tuple(history.rows.error_groups(job_id))
            return JobDetails(job_id, groups, tuple(history.jobs.timeline(job_id)))
        except UnknownJobError:
            # Deleted by another program; the list learns that from its own event.
            return JobDetails(job_id)
