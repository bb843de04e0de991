"""What a person should look at while a batch is out: it hangs, or its time runs out.

A flag is worked out from the records alone, at a moment; nothing is stored. Other rules may
make flags of the same form: whoever shows them takes the most urgent one first.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from tui.core.jobs import Batch
from tui.core.keeping import keeping_flag
from tui.core.status import BatchStatus, Submission, is_terminal
from tui.core.times import span

MINUTE = 60.0
HOUR = 60 * MINUTE

VALIDATING = 30 * MINUTE
"""A file is read in minutes; from so long on something is wrong with it, or with the provider."""
FINALIZING = HOUR
"""All rows are done and the result file is not there."""
CANCELLING = HOUR
"""A provider may take a while to let go of rows that are being answered."""
STILL = 2 * HOUR
"""No row ended and the status is what it was. Short windows are given less: a quarter of it."""
ENDING = HOUR
"""What is left of a window when it is worth saying. Short windows: a tenth of it."""

_UNSURE = "unclear whether the provider has it"

Urgency = Literal["late", "soon", "slow"]


@dataclass(frozen=True)
class Flag:
    """Something about a job to look at.

    Attributes:
        kind: What it is, for scripts and styles: ``validating``, ``window`` …
        text: The words for a person: ``validating for 40 min``.
        short: The same in at most eight cells, for a column.
        urgency: ``late`` something is over, ``soon`` it will be, ``slow`` it may be nothing.
    """

    kind: str
    text: str
    short: str
    urgency: Urgency


_ORDER: dict[Urgency, int] = {"late": 0, "soon": 1, "slow": 2}


def most_urgent(flags: Iterable[Flag]) -> list[Flag]:
    """The flags, the most urgent first; of one kind only the first."""
    kept: dict[str, Flag] = {}
    for flag in sorted(flags, key=lambda flag: _ORDER[flag.urgency]):
        kept.setdefault(flag.kind, flag)
    return list(kept.values())


def stuck_flags(batches: Iterable[Batch], now: float) -> list[Flag]:
    """What hangs or runs out among the batches of a job, the most urgent first.

    Args:
        batches: Of one job.
        now: Unix seconds.
    """
    found: list[Flag] = []
    for batch in batches:
        if batch.submission is Submission.UNCERTAIN:
            found.append(Flag("unsure", _UNSURE, "unsure", "late"))
        elif batch.submission is Submission.RUNNING and not is_terminal(batch.status):
            found += _of_running(batch, now)
    return most_urgent(found)


def keeping_flags(until: float | None, now: float) -> list[Flag]:
    """Results that are not here and that the provider will delete soon, or has deleted.

    Args:
        until: When it deletes them; ``None`` where nobody says, or everything is here.
        now: Unix seconds.
    """
    text = keeping_flag(until, now, collected=False)
    if not text or until is None:
        return []
    if until <= now:
        return [Flag("kept", text, "lost", "late")]
    hours = (until - now) / HOUR
    short = f"{int(hours // 24)}d left" if hours >= 24 else f"{int(hours)}h left"
    return [Flag("kept", text, short, "late")]


def _of_running(batch: Batch, now: float) -> list[Flag]:
    flags = [*_of_window(batch, now)]
    since = max(batch.progressed_at or 0.0, batch.submitted_at or 0.0)
    # A clock that was set back makes no flag; neither does a batch of unknown age.
    still = now - since if since else 0.0
    limits = {
        BatchStatus.VALIDATING: VALIDATING,
        BatchStatus.FINALIZING: FINALIZING,
        BatchStatus.CANCELLING: CANCELLING,
    }
    limit = limits.get(batch.status)
    if limit is not None:
        if still >= limit:
            word = batch.status.value
            flags.append(Flag(word, f"{word} for {span(still)}", "stuck", "slow"))
    elif still >= min(STILL, _window(batch) / 4):
        flags.append(Flag("still", f"no progress for {span(still)}", "still", "slow"))
    return flags


def _of_window(batch: Batch, now: float) -> list[Flag]:
    if batch.expires_at is None:
        return []
    left = batch.expires_at - now
    if left <= 0:
        return [Flag("over", f"its window ended {span(-left)} ago", "overdue", "late")]
    if left <= min(ENDING, _window(batch) / 10):
        return [Flag("window", f"window ends in {span(left)}", "ending", "soon")]
    return []


def _window(batch: Batch) -> float:
    """Seconds from the submission to the end of the window; endless where nobody knows."""
    if batch.expires_at is None or batch.submitted_at is None:
        return float("inf")
    return max(0.0, batch.expires_at - batch.submitted_at)
