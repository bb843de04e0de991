"""Times: Unix seconds inside, RFC 3339 in UTC outside."""

from __future__ import annotations

from datetime import UTC, datetime


def rfc3339(seconds: float | None) -> str | None:
    """``2026-11-21T09:03:00Z`` for Unix seconds, ``None`` for none."""
    if seconds is None:
        return None
    moment = datetime.fromtimestamp(seconds, tz=UTC)
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
