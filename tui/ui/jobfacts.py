"""Everything about a job in words: a few for the list, all of it as text that can be posted."""

from __future__ import annotations

from collections.abc import Sequence

from tui.core.jobs import Batch, ErrorGroup, TimelineEntry
from tui.core.outcome import Outcome
from tui.core.status import Submission, status_words
from tui.core.tags import tag_words
from tui.core.text import one_line, visible
from tui.core.times import rfc3339, span
from tui.ui import formatting
from tui.ui.board import JobView
from tui.ui.status import status_parts
from tui.ui.tones import Part

_SUBMISSIONS = {
    Submission.UNCERTAIN: "uncertain: the provider may have it (S decides)",
    Submission.REFUSED: "refused by the provider",
    Submission.WAITING: "waits for room in the provider's queue",
}
_LABEL = 14


def submission_words(batch: Batch) -> str:
    """What is special about the sending of a batch; empty when nothing is."""
    return _SUBMISSIONS.get(batch.submission, "")


def batch_name(batch: Batch) -> str:
    """``attempt 1``, ``attempt 1 part 3``."""
    return f"attempt {batch.attempt}" + (f" part {batch.part}" if batch.part > 1 else "")


def batch_parts(batch: Batch) -> list[Part]:
    """A batch on one line."""
    parts: list[Part] = [
        (f"{batch_name(batch):<10} ", "muted"),
        *status_parts(batch.status, one_line(batch.raw_status, 30)),
        (f"  {formatting.counted(batch.rows, 'row')}", ""),
    ]
    if batch.raw_status and batch.raw_status != batch.status.value:
        parts.append((f"  “{one_line(batch.raw_status, 30)}”", "muted"))
    if batch.remote_id:
        parts.append((f"  {one_line(batch.remote_id, 60)}", "muted"))
    return parts


def moment_words(at: float | None, now: float) -> str:
    """A moment as it is posted and as it is felt: ``2026-11-21T09:03:00Z (2 h ago)``."""
    if at is None:
        return ""
    ago = f"{span(now - at)} ago" if now >= at else f"in {span(at - now)}"
    return f"{rfc3339(at)} ({ago})"


def job_text(
    view: JobView,
    batches: Sequence[Batch],
    groups: Sequence[ErrorGroup],
    timeline: Sequence[TimelineEntry],
    now: float,
) -> str:
    """All facts about a job as plain text, safe to show and without contents of rows.

    The messages of errors are the provider's; they may quote a request.
    """
    job = view.job
    counts = job.counts
    took = ""
    if job.submitted_at is not None:
        took = span((job.ended_at if job.ended_at is not None else now) - job.submitted_at)
    rows = ", ".join(
        f"{counts.get(outcome):,} {outcome.value}" for outcome in Outcome if counts.get(outcome)
    )
    facts = [
        ("job", job.id),
        ("name", job.name),
        ("status", job.status.value),
        *(("look at", flag.text) for flag in view.flags(now)),
        ("account", f"{job.account} (provider {job.provider})"),
        ("model", job.model),
        ("endpoint", job.endpoint),
        ("window", job.window),
        ("rows", f"{counts.total:,}: {rows}" if rows else f"{counts.total:,}"),
        ("cost", formatting.cost(job.cost)),
        ("requests", f"{formatting.size(job.size)}, {_tokens(job.input_tokens)}"),
        ("source", job.source),
        ("created", moment_words(job.created_at, now)),
        ("submitted", moment_words(job.submitted_at, now)),
        ("ended", moment_words(job.ended_at, now)),
        ("took", took),
        ("trouble", job.trouble),
        ("tags", tag_words(job.tags)),
        ("note", job.note),
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
    seen = {"total": remote.total, "completed": remote.completed, "failed": remote.failed}
    facts = [
        ("id", batch.id),
        ("at provider", batch.remote_id or "-"),
        ("input file", batch.input_file_id or ""),
        ("status", status_words(batch.status, batch.raw_status)),
        ("submission", submission_words(batch) or batch.submission.value),
        ("rows", f"{batch.rows:,}"),
        ("counted", ", ".join(f"{n:,} {what}" for what, n in seen.items() if n is not None)),
        ("submitted", moment_words(batch.submitted_at, now)),
        ("last change", moment_words(batch.progressed_at, now)),
        ("window ends", moment_words(batch.expires_at, now)),
        ("ended", moment_words(batch.ended_at, now)),
        ("next question", moment_words(batch.next_poll_at, now)),
        ("edits", ", ".join(f"{name}={value}" for name, value in batch.edits.items())),
        ("trouble", batch.trouble),
    ]
    return f"{batch_name(batch)}\n" + _pairs(facts, "  ")


def _group_text(group: ErrorGroup) -> str:
    again = {True: "worth sending again", False: "permanent", None: "unknown"}[group.retryable]
    code = " ".join(filter(None, (str(group.http_status or ""), group.code)))
    rows = formatting.counted(group.count, "row")
    return (
        f"  {rows}  {one_line(code, 60)}  {one_line(group.message, 300)}"
        f"  ({again}; {one_line(group.example_custom_id, 60)})"
    )


def _tokens(count: int | None) -> str:
    return f"about {count:,} input tokens" if count is not None else "input tokens unknown"


def _pairs(facts: Sequence[tuple[str, str]], indent: str = "") -> str:
    return "\n".join(
        f"{indent}{label:<{_LABEL}}{visible(' '.join(value.split()))}"
        for label, value in facts
        if value.strip()
    )
