"""Statuses, outcomes and submission states as signs and words, for command line and dashboard.

The tables have plain strings as keys, so that ``--help`` does not load the types.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from tui.core.formatting import moment, money, span

if TYPE_CHECKING:
    from tui.core.jobs import Batch, Counts, Deadline, ErrorGroup, Job, OrphanLines

StatusTone = Literal["muted", "live", "good", "warn", "bad"]
"""What a status means for the user; each face has its colours for them."""


class Sign(NamedTuple):
    """How a status or outcome is marked; ``ascii`` is for terminals without the glyph."""

    glyph: str
    ascii: str
    tone: StatusTone


STATUS_SIGNS: dict[str, Sign] = {
    "draft": Sign("○", "o", "muted"),
    "submitting": Sign("↑", "^", "live"),
    "validating": Sign("◔", "~", "live"),
    "queued": Sign("◌", ".", "live"),
    "in_progress": Sign("◑", "*", "live"),
    "finalizing": Sign("◕", "~", "live"),
    "completed": Sign("✓", "+", "good"),
    "failed": Sign("✗", "x", "bad"),
    "expired": Sign("◷", "x", "warn"),
    "cancelling": Sign("⊖", "-", "warn"),
    "cancelled": Sign("⊘", "-", "warn"),
    "unknown": Sign("?", "?", "warn"),
}
"""The sign of every ``BatchStatus``."""

OUTCOME_SIGNS: dict[str, Sign] = {
    "succeeded": Sign("✓", "+", "good"),
    "truncated": Sign("◐", "~", "warn"),
    "refused": Sign("⊗", "-", "warn"),
    "failed": Sign("✗", "x", "bad"),
    "expired": Sign("◷", "x", "bad"),
    "cancelled": Sign("⊘", "-", "bad"),
    "missing": Sign("∅", "?", "bad"),
    "pending": Sign("·", ".", "muted"),
}
"""The sign of every ``Outcome``, in the order in which they are shown."""

_SUBMISSIONS = {
    "uncertain": "unconfirmed: the provider may have it",
    "refused": "rejected by the provider",
    "waiting": "waiting for space in the provider's queue",
}


def status_text(status: str, raw: str = "") -> str:
    """A status for display, followed by the provider's word in parentheses if it differs."""
    words = str(status).replace("_", " ")
    if not raw or raw.replace("_", " ").casefold() == words:
        return words
    return f"{words} ({raw})"


def submission_text(batch: Batch) -> str:
    """The submission state of a batch if it is not the normal one, else empty."""
    return _SUBMISSIONS.get(batch.submission, "")


def batch_name(batch: Batch) -> str:
    """``attempt 1``, ``attempt 1 part 3``, ``reused answers``."""
    if batch.reuses:
        return "reused answers"
    return f"attempt {batch.attempt}" + (f" part {batch.part}" if batch.part > 1 else "")


def nonzero_counts(counts: Counts) -> dict[str, int]:
    """The outcomes that rows have and their counts, in the order of ``OUTCOME_SIGNS``."""
    return {word: count for word in OUTCOME_SIGNS if (count := getattr(counts, word))}


def counts_text(counts: Counts) -> str:
    """Counts as ``2 succeeded, 1 failed``; outcomes without rows are skipped."""
    parts = [f"{count:,} {word}" for word, count in nonzero_counts(counts).items()]
    return ", ".join(parts) or "no rows"


def error_code_text(group: ErrorGroup) -> str:
    """HTTP status and code of an error group: ``429 rate_limit_exceeded``."""
    return " ".join(filter(None, (str(group.http_status or ""), group.code)))


def orphan_text(lines: OrphanLines) -> str:
    """Counts of result lines that belong to no row, by kind; empty if there are none."""
    kinds = (
        (lines.unknown, "with an unknown id"),
        (lines.duplicate, "duplicate"),
        (lines.unreadable, "unreadable"),
    )
    return ", ".join(f"{count:,} {what}" for count, what in kinds if count)


def batch_rows(batch: Batch) -> str:
    """The rows that a batch sends: ``40``, or ``4 of 24`` if the others share their results."""
    of = f" of {batch.rows + batch.repeats:,}" if batch.repeats else ""
    return f"{batch.rows:,}{of}"


def ran_text(job: Job) -> str:
    """Where a job ran, if it was opened from an archive; else empty."""
    return "elsewhere: it was opened from an archive" if job.archive else ""


def ran_words(job: Job) -> str:
    """``ran elsewhere`` if a job was opened from an archive; else empty."""
    return "ran elsewhere" if job.archive else ""


_DEADLINE_PHASES = {
    "cut": "the batches are being cancelled, then the rest is sent one by one",
    "rest": "the rest is about to be sent one by one",
    "sent": "the rest was sent one by one",
    "met": "nothing was left to send",
    "stopped": "the rest was not sent",
}


def deadline_text(job: Job, now: float) -> str:
    """The deadline of a job and how far it is: ``18:00, in 2 h: what …``; empty without one.

    Args:
        job: The job.
        now: Unix seconds.
    """
    deadline = job.deadline
    if deadline is None:
        return ""
    at = moment(deadline.at, now)
    if deadline.phase in _DEADLINE_PHASES:
        why = f": {deadline.note}" if deadline.note else ""
        return f"{at} has passed: {_DEADLINE_PHASES[deadline.phase]}{why}"
    if job.ended_at is not None:
        return f"{at}: the job ended before"
    left = f"in {span(deadline.at - now)}" if deadline.at > now else "now"
    return (
        f"{at}, {left}: what has no answer then is cancelled and sent one by one{_most(deadline)}"
    )


def deadline_bound(deadline: Deadline, now: float) -> str:
    """A deadline that is to be set, in one line: ``18:00; then one by one, for up to $4.10``."""
    return f"{moment(deadline.at, now)}; then one by one{_most(deadline)}"


def _most(deadline: Deadline) -> str:
    most = deadline.most
    return "" if most is None else f", for up to {money(most, deadline.currency)}"
