"""Reading a provider's JSON at places that a profile names, leniently."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tui.providers.wireform import Places

_LARGEST_SECONDS = 1e11
"""Above it a number is milliseconds: as seconds it would be after the year 5000."""


def at(value: Any, places: Places) -> Any:
    """What stands at the first of the places that holds something; else ``None``.

    A place is a dotted path; a number in it is an index of an array.
    """
    for place in (places,) if isinstance(places, str) else places:
        found = _walk(value, place)
        if found is not None:
            return found
    return None


def number_at(value: Any, places: Places) -> int | None:
    """A count: a number or a text of digits; ``None`` for anything else."""
    for place in (places,) if isinstance(places, str) else places:
        found = as_number(_walk(value, place))
        if found is not None and found >= 0:
            return int(found)
    return None


def text_at(value: Any, places: Places) -> str | None:
    """A text that is not empty; a number counts as its digits."""
    found = at(value, places)
    if isinstance(found, bool) or not isinstance(found, (str, int)) or found == "":
        return None
    return str(found)


def time_at(value: Any, places: Places) -> float | None:
    """A moment in Unix seconds; see ``as_time``."""
    for place in (places,) if isinstance(places, str) else places:
        found = as_time(_walk(value, place))
        if found is not None:
            return found
    return None


def as_number(value: Any) -> float | None:
    """A number, or one written as text; ``None`` for anything else, also for NaN."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if abs(found) < 1e18 else None


def as_time(value: Any) -> float | None:
    """Unix seconds of a moment in any way seen: integer, text of digits, ISO 8601, date.

    Milliseconds are told by their size. Zero, which Go servers send for "never", and years
    before 1970 are ``None``; a time without a zone is UTC.
    """
    seconds = as_number(value)
    if seconds is None:
        return _as_iso_time(value) if isinstance(value, str) else None
    if seconds <= 0:
        return None
    while seconds > _LARGEST_SECONDS:
        seconds /= 1000
    return seconds


def _as_iso_time(text: str) -> float | None:
    # Nanoseconds, and a blank before the zone, are more than Python reads.
    tidy = re.sub(r"(\.\d{6})\d+", r"\1", text.strip())
    tidy = re.sub(r"\s+(?=[+-]\d\d:?\d\d$)|\s*UTC$", "", tidy)
    try:
        moment = datetime.fromisoformat(tidy)
    except ValueError:
        return None
    try:
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (OverflowError, OSError):
        return None
    return seconds if seconds > 0 else None


def _walk(value: Any, place: str) -> Any:
    if not place:
        return None
    for step in place.split("."):
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value
