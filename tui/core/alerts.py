"""What needs attention: batches that hang, windows that close, results that are deleted."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

import msgspec

from tui.core.formatting import age, span
from tui.core.jobs import Batch, BatchStatus, Submission, is_terminal

DAY = 86_400.0
WARN_SECONDS = 7 * DAY
"""Seconds before the deletion at which results that are not downloaded are flagged."""


def kept_until(created_at: float | None, days: int | None) -> float | None:
    """When the provider deletes the results, in Unix seconds; ``None`` if unknown.

    Providers count from the creation of the batch (Anthropic: 29 days) or of its files, which
    is the same time or later.
    """
    if created_at is None or not days:
        return None
    return created_at + days * DAY


def retention_text(until: float, now: float) -> str:
    """``results are kept until 24 Dec``; ``were kept`` when that is over."""
    verb = "are" if now < until else "were"
    return f"results {verb} kept until {_format_day(until, now)}"


def retention_warning(until: float | None, now: float, *, collected: bool) -> str:
    """A warning about results that will be, or have been, deleted; empty if none is needed.

    Args:
        until: When the provider deletes the results, Unix seconds.
        now: Unix seconds.
        collected: Whether all results are downloaded.
    """
    if until is None or collected or until - now > WARN_SECONDS:
        return ""
    if until <= now:
        return f"the provider deleted the results on {_format_day(until, now)}: not downloaded"
    return f"the provider deletes the results in {span(until - now)}: not downloaded"


def _format_day(at: float, now: float) -> str:
    """A date in local time, with the year if it is not this one: ``24 Dec``, ``2 Jan 2027``."""
    date = datetime.fromtimestamp(at)
    same_year = date.year == datetime.fromtimestamp(now).year
    return f"{date.day} {date:%b}" if same_year else f"{date.day} {date:%b %Y}"


MINUTE = 60.0
HOUR = 60 * MINUTE

VALIDATING = 30 * MINUTE
"""Seconds. Validation takes minutes; longer means a problem with the file or the provider."""
FINALIZING = HOUR
"""Seconds. All rows are done, but the result file is not available."""
CANCELLING = HOUR
"""Seconds. A provider may take a while to stop rows that are being processed."""
STILL = 2 * HOUR
"""Seconds without progress or a status change; for short windows a quarter of the window."""
ENDING = HOUR
"""Seconds before the end of the window; for short windows a tenth of the window."""

_UNCONFIRMED = "unconfirmed (the provider may have it)"

Urgency = Literal["late", "soon", "slow"]


class Flag(msgspec.Struct, frozen=True):
    """One reason why a job needs attention.

    Attributes:
        kind: Identifier for scripts and styles: ``validating``, ``window`` …
        text: Text for display: ``validating for 40 min``.
        short: Short text for a column, at most eight cells.
        urgency: ``late`` a deadline passed, ``soon`` one is near, ``slow`` may be harmless.
    """

    kind: str
    text: str
    short: str
    urgency: Urgency


_ORDER: dict[Urgency, int] = {"late": 0, "soon": 1, "slow": 2}


def most_urgent(flags: Iterable[Flag]) -> list[Flag]:
    """The flags sorted by urgency, only the most urgent one of each kind."""
    kept: dict[str, Flag] = {}
    for flag in sorted(flags, key=lambda flag: _ORDER[flag.urgency]):
        kept.setdefault(flag.kind, flag)
    return list(kept.values())


def stuck_flags(batches: Iterable[Batch], now: float) -> list[Flag]:
    """Flags for the batches of a job that are stuck, late or unconfirmed, most urgent first.

    Args:
        batches: The batches of one job.
        now: Unix seconds.
    """
    found: list[Flag] = []
    for batch in batches:
        if batch.submission is Submission.UNCERTAIN:
            found.append(Flag("unsure", _UNCONFIRMED, "unsure", "late"))
        elif batch.submission is Submission.RUNNING and not is_terminal(batch.status):
            found += _running_flags(batch, now)
    return most_urgent(found)


def retention_flags(until: float | None, now: float) -> list[Flag]:
    """Flags for results that are not downloaded and will be, or have been, deleted.

    Args:
        until: When the provider deletes them; ``None`` if unknown or all are downloaded.
        now: Unix seconds.
    """
    text = retention_warning(until, now, collected=False)
    if not text or until is None:
        return []
    if until <= now:
        return [Flag("kept", text, "lost", "late")]
    return [Flag("kept", text, f"{age(until - now)} left", "late")]


_ENDINGS = {
    "batch": ("not done after {age}", "it ends without any result"),
    "queue": ("not begun after {age}", "it expires without any result"),
    "run": ("not done after {age} of running", "it ends, and the rows that are not done expire"),
}


def expiry_warning(
    since: float | None, hours: int, now: float, *, of: Literal["batch", "queue", "run"] = "batch"
) -> str:
    """A warning about a batch that will end before its rows are done.

    Args:
        since: When the provider created the batch, or when it began to run, Unix seconds.
        hours: How long after that it ends, in hours; 0 if it does not end so.
        now: Unix seconds.
        of: What the hours limit: its whole life, its time in the queue, or its time of running.

    Returns:
        The text; empty before half of the hours.
    """
    if since is None or not hours or now < since + hours * HOUR / 2:
        return ""
    left = since + hours * HOUR - now
    when = f"in {span(left, exact=True)}" if left > 0 else "soon"
    state, ending = _ENDINGS[of]
    waited = state.format(age=span(now - since, exact=True))
    return (
        f"{waited}: {when}, at {hours} hours, {ending}. To send it in smaller parts, set"
        " limits.rows of the provider, cancel, and retry"
    )


def _running_flags(batch: Batch, now: float) -> list[Flag]:
    flags = [*_window_flags(batch, now)]
    since = max(batch.progressed_at or 0.0, batch.submitted_at or 0.0)
    # A clock that was set back gives no flag, nor does a batch of unknown age.
    idle = now - since if since else 0.0
    limits = {
        BatchStatus.VALIDATING: VALIDATING,
        BatchStatus.FINALIZING: FINALIZING,
        BatchStatus.CANCELLING: CANCELLING,
    }
    limit = limits.get(batch.status)
    if limit is not None:
        if idle >= limit:
            word = batch.status.value
            flags.append(Flag(word, f"{word} for {span(idle)}", "stuck", "slow"))
    elif idle >= min(STILL, _window_length(batch) / 4):
        flags.append(Flag("still", f"no progress for {span(idle)}", "still", "slow"))
    return flags


def _window_flags(batch: Batch, now: float) -> list[Flag]:
    if batch.expires_at is None:
        return []
    left = batch.expires_at - now
    if left <= 0:
        return [Flag("over", f"window ended {span(-left)} ago", "overdue", "late")]
    if left <= min(ENDING, _window_length(batch) / 10):
        return [Flag("window", f"window ends in {span(left)}", "ending", "soon")]
    return []


def _window_length(batch: Batch) -> float:
    """Seconds from submission to the end of the window; infinite if unknown."""
    if batch.expires_at is None or batch.submitted_at is None:
        return float("inf")
    return max(0.0, batch.expires_at - batch.submitted_at)
