"""Numbers, times and sizes as a person reads them."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from tui.core.money import cost_words as cost
from tui.core.money import money
from tui.core.text import visible

__all__ = ["age", "clock", "cost", "counted", "duration", "moment", "money", "number", "path",
           "percent", "rate", "short_number", "size"]  # fmt: skip

MINUTE = 60.0
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def number(value: int | None) -> str:
    """A whole number with thousands separators, ``-`` when it is not known."""
    return "-" if value is None else f"{value:,}"


def counted(value: int, noun: str, plural: str = "") -> str:
    """A number with its noun: ``1 row``, ``1,204 rows``."""
    return f"{value:,} {noun if value == 1 else plural or noun + 's'}"


def short_number(value: float) -> str:
    """A number in at most five characters: ``950``, ``9.5k``, ``120k``, ``1.2M``."""
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        # Rounding may carry into the next unit, so 999,950 is already 1.0M.
        if value >= limit * 0.99995:
            scaled = value / limit
            return f"{scaled:.1f}{unit}" if scaled < 99.95 else f"{scaled:.0f}{unit}"
    return f"{value:.0f}"


def rate(rows_per_second: float) -> str:
    """A rate in at most six characters: ``45``, ``2.5``, and ``32/h`` for a slow one."""
    if rows_per_second >= 10:
        return short_number(rows_per_second)
    if rows_per_second >= 0.1:
        return f"{rows_per_second:.1f}"
    return f"{rows_per_second * HOUR:.0f}/h"


def size(octets: float) -> str:
    """Bytes in decimal units, as providers state their limits: ``1.2 MB``."""
    for limit, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if octets >= limit:
            return f"{octets / limit:.1f} {unit}"
    return f"{octets:.0f} B"


def duration(seconds: float) -> str:
    """A span of time in at most six characters: ``42s``, ``3m``, ``2h 5m``, ``4d 3h``."""
    seconds = max(0.0, seconds)
    if seconds < MINUTE:
        return f"{int(seconds)}s"
    if seconds < HOUR:
        return f"{int(seconds // MINUTE)}m"
    if seconds < DAY:
        hours, rest = divmod(int(seconds), int(HOUR))
        minutes = rest // int(MINUTE)
        return f"{hours}h {minutes}m" if hours < 10 and minutes else f"{hours}h"
    days, rest = divmod(int(seconds), int(DAY))
    hours = rest // int(HOUR)
    return f"{days}d {hours}h" if days < 10 and hours else f"{days}d"


def age(seconds: float) -> str:
    """A span of time in one unit: ``now``, ``42s``, ``3m``, ``2h``, ``4d``."""
    if seconds < 1:
        return "now"
    return duration(seconds).partition(" ")[0]


def clock(at: float) -> str:
    """A moment in local time: ``14:02:33``."""
    return datetime.fromtimestamp(at).strftime("%H:%M:%S")


def moment(at: float, now: float) -> str:
    """A moment in local time, with the day unless it is today: ``14:02``, ``20 Nov 14:02``."""
    then = datetime.fromtimestamp(at)
    today = datetime.fromtimestamp(now)
    if then.date() == today.date():
        return then.strftime("%H:%M")
    if then.year == today.year:
        return then.strftime("%d %b %H:%M")
    return then.strftime("%d %b %Y")


def percent(part: float, whole: float) -> str:
    """A share; 100% only when it is all, 0% only when it is nothing."""
    if whole <= 0:
        return "0%"
    share = 100 * part / whole
    if 0 < share < 1:
        return "<1%"
    if 99 < share < 100:
        return "99%"
    return f"{share:.0f}%"


def path(of: Path, width: int) -> str:
    """A path as a person knows it, without its beginning where there is no room for it."""
    whole = of.absolute()
    home = Path.home()
    text = f"~/{whole.relative_to(home)}" if whole.is_relative_to(home) else str(whole)
    text = visible(text)
    return text if len(text) <= width else "…" + text[len(text) - width + 1 :]
