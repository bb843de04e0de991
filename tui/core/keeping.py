"""For how long a provider keeps results, and when that has to be said loudly."""

from __future__ import annotations

from datetime import datetime

DAY = 86_400.0
WARN_SECONDS = 7 * DAY
"""From so long before the end a person is told of results that are not here."""


def kept_until(created_at: float | None, days: int | None) -> float | None:
    """The moment after which results are gone, in Unix seconds; ``None`` where nobody says.

    Providers count from the creation of the batch (Anthropic: 29 days), or of its files,
    which is the same moment or a later one.
    """
    if created_at is None or not days:
        return None
    return created_at + days * DAY


def keeping_words(until: float, now: float) -> str:
    """``results are kept until 24 Dec``; in the past tense when that is over."""
    verb = "are" if now < until else "were"
    return f"results {verb} kept until {day(until, now)}"


def keeping_flag(until: float | None, now: float, *, collected: bool) -> str:
    """What to say of results that will soon be lost, or are; empty when there is no need.

    Args:
        until: When the provider deletes them.
        now: Unix seconds.
        collected: Is everything here already?
    """
    if until is None or collected or until - now > WARN_SECONDS:
        return ""
    if until <= now:
        return f"results were deleted at the provider on {day(until, now)}: not downloaded"
    return f"results are deleted at the provider in {_span(until - now)}: not downloaded"


def day(at: float, now: float) -> str:
    """A day in local time, with the year unless it is this one: ``24 Dec``, ``2 Jan 2027``."""
    then = datetime.fromtimestamp(at)
    known = then.year == datetime.fromtimestamp(now).year
    return f"{then.day} {then:%b}" if known else f"{then.day} {then:%b %Y}"


def _span(seconds: float) -> str:
    for size, noun in ((DAY, "day"), (3600.0, "hour"), (60.0, "minute")):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
    return "a minute"
