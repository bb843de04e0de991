"""Times: Unix seconds inside, RFC 3339 in UTC outside."""

from __future__ import annotations

from datetime import UTC, datetime


def rfc3339(seconds: float | None) -> str | None:
    """``2026-11-21T09:03:00Z`` for Unix seconds, ``None`` for none."""
    if seconds is None:
        return None
    moment = datetime.fromtimestamp(seconds, tz=UTC)
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def span(seconds: float) -> str:
    """A span of time in words, rounded down: ``40 s``, ``40 min``, ``2 h``, ``3 days``."""
    seconds = max(0.0, seconds)
    for limit, unit in ((86400.0, "day"), (3600.0, "h"), (60.0, "min")):
        if seconds >= limit:
            count = int(seconds // limit)
            return f"{count} {unit}{'s' if unit == 'day' and count > 1 else ''}"
    return f"{int(seconds)} s"


def pace_words(rows_per_second: float) -> str:
    """How fast rows went, in the unit in which they can be counted: ``0.7 rows/min``."""
    units = (("s", 1.0), ("min", 60.0), ("h", 3600.0))
    unit, seconds = next((each for each in units if rows_per_second * each[1] >= 1), units[-1])
    count = rows_per_second * seconds
    return f"{count:.1f} rows/{unit}" if count < 10 else f"{count:,.0f} rows/{unit}"
