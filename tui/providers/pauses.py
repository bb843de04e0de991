"""How long a provider asks to wait, in whatever way it says so."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

LONGEST = 3600.0
"""Seconds; a longer wait that is asked for is cut to this."""


def asked_pause(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds that ``Retry-After`` asks for, 0 to ``LONGEST``; ``None`` when it says nothing.

    ``retry-after-ms`` is read first (Anthropic, Azure). ``retry-after`` may be seconds, also
    with a fraction, or an HTTP date, which is taken against the answer's own ``Date``
    because the two clocks may differ.

    Args:
        headers: Of the answer, names in any case.
        now: Unix seconds, for a date without a ``Date`` beside it.
    """
    if (millis := _number(headers.get("retry-after-ms"))) is not None:
        return _bounded(millis / 1000)
    text = headers.get("retry-after")
    if (seconds := _number(text)) is not None:
        return _bounded(seconds)
    until = _date(text)
    if until is None:
        return None
    return _bounded(until - (_date(headers.get("date")) or now))


def _bounded(seconds: float) -> float:
    return min(max(seconds, 0.0), LONGEST)


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return None if math.isnan(value) else value


def _date(text: str | None) -> float | None:
    if not text:
        return None
    try:
        moment = parsedate_to_datetime(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
