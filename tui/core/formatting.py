"""Numbers, money, sizes and times as text, the same on the command line and in the dashboard.

Functions of plain numbers and strings; importing this module loads nothing heavy, because
``--help`` needs it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from tui.core.text import visible

if TYPE_CHECKING:
    from tui.core.jobs import Cost

UNKNOWN = "-"
"""Shown for a number or time that is not known."""

_SIGNS = {"USD": "$", "EUR": "€", "GBP": "£"}

MIN_SHOWN = 0.0001
"""Smallest amount shown; less is shown as ``<$0.0001``."""


def money(amount: float | None, currency: str = "USD") -> str:
    """An amount: ``$1,234.50``, ``$0.0378``, ``0.50 CHF``; ``-`` when unknown, never zero.

    Rounded to cents; below one unit to four digits, without trailing zeros.
    """
    if amount is None:
        return UNKNOWN
    if is_tiny(amount):
        return "<" + money(MIN_SHOWN, currency)
    figure = f"{amount:,.2f}"
    if 0 < amount < 1:
        digits = f"{amount:.4f}".rstrip("0")
        figure = max(digits, f"{amount:.2f}", key=len)
    sign = _SIGNS.get(currency)
    return f"{sign}{figure}" if sign else f"{figure} {currency}"


def is_tiny(amount: float) -> bool:
    """Whether the amount is shown as ``<$0.0001``."""
    return 0 < amount < MIN_SHOWN / 2


def format_cost(of: Cost) -> str:
    """The actual cost, else the estimate or the provider's quote with ``~``, else ``-``."""
    if of.actual is not None:
        return money(of.actual, of.currency)
    guess = of.told if of.estimated is None else of.estimated
    return UNKNOWN if guess is None else "~" + money(guess, of.currency)


def describe_cost(of: Cost) -> str:
    """The actual cost, else the estimate and the provider's quote; empty if unknown."""
    if of.actual is not None:
        return money(of.actual, of.currency)
    quote = "" if of.told is None else f"provider quote {money(of.told, of.currency)}"
    estimate = "" if of.estimated is None else f"~{money(of.estimated, of.currency)}"
    return "; ".join(filter(None, (estimate, quote)))


def number(value: int | None) -> str:
    """An integer with thousands separators; ``-`` for ``None``."""
    return UNKNOWN if value is None else f"{value:,}"


def counted(value: int, noun: str, plural: str = "") -> str:
    """A number with its noun: ``1 row``, ``1,204 rows``."""
    return f"{value:,} {noun if value == 1 else plural or noun + 's'}"


def short_number(value: float) -> str:
    """A number in at most five characters: ``950``, ``9.5k``, ``120k``, ``1.2M``."""
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        # Rounding may carry into the next unit: 999,950 is 1.0M.
        if value >= limit * 0.99995:
            scaled = value / limit
            return f"{scaled:.1f}{unit}" if scaled < 99.95 else f"{scaled:.0f}{unit}"
    return f"{value:.0f}"


def plain_number(value: float) -> str:
    """A number with up to four significant digits after a whole part of any length: ``3.142``."""
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.4g}" if abs(value) < 1000 or abs(value) >= 1e15 else f"{value:,.1f}"


def size(octets: float) -> str:
    """Bytes in decimal units, as disks and providers count: ``999 B``, ``1.2 MB``."""
    for limit, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if octets >= limit:
            return f"{octets / limit:.1f} {unit}"
    return f"{octets:.0f} B"


def percent(part: float, whole: float = 1) -> str:
    """A percentage that is rounded to 0% or 100% only if it is exactly that."""
    if whole <= 0:
        return "0%"
    share = 100 * part / whole
    if 0 < share < 1:
        return "<1%"
    if 99 < share < 100:
        return "99%"
    return f"{share:.0f}%"


def precise_percent(share: float | None) -> str:
    """A share, 0 to 1, as a percentage with one decimal; ``-`` if unknown."""
    return "-" if share is None else f"{100 * share:.1f}%"


def rate(rows_per_second: float) -> str:
    """A rate in at most six characters: ``45``, ``2.5``, and ``32/h`` for a slow one."""
    if rows_per_second >= 10:
        return short_number(rows_per_second)
    if rows_per_second >= 0.1:
        return f"{rows_per_second:.1f}"
    return f"{rows_per_second * 3600:.0f}/h"


def format_rate(rows_per_second: float) -> str:
    """A rate in the largest rows-per-time unit that is at least 1: ``42 rows/min``."""
    units = (("s", 1.0), ("min", 60.0), ("h", 3600.0))
    unit, seconds = next((each for each in units if rows_per_second * each[1] >= 1), units[-1])
    count = rows_per_second * seconds
    return f"{count:.1f} rows/{unit}" if count < 10 else f"{count:,.0f} rows/{unit}"


_UNITS = ((86_400, "d", "day"), (3_600, "h", "h"), (60, "m", "min"), (1, "s", "s"))


def _in_units(seconds: float) -> tuple[int, int, int]:
    """The index of the largest unit, how many of it, and of the next one; rounded down."""
    whole = max(0, int(seconds))
    index = next((i for i, (length, *_) in enumerate(_UNITS) if whole >= length), len(_UNITS) - 1)
    count, rest = divmod(whole, _UNITS[index][0])
    return index, count, rest // _UNITS[index + 1][0] if index < 2 else 0


def duration(seconds: float) -> str:
    """A duration in at most six characters: ``42s``, ``3m``, ``2h 5m``, ``4d 3h``."""
    index, count, rest = _in_units(seconds)
    text = f"{count}{_UNITS[index][1]}"
    return f"{text} {rest}{_UNITS[index + 1][1]}" if rest and count < 10 else text


def age(seconds: float) -> str:
    """A duration in one unit: ``now``, ``42s``, ``3m``, ``2h``, ``4d``."""
    return "now" if seconds < 1 else duration(seconds).partition(" ")[0]


def span(seconds: float, *, exact: bool = False) -> str:
    """A duration in words, rounded down: ``40 s``, ``40 min``, ``2 h``, ``3 days``.

    ``exact`` adds the next smaller unit to hours and days: ``2 h 5 min``, ``3 days 4 h``.
    """
    index, count, rest = _in_units(seconds)
    text = counted(count, "day") if index == 0 else f"{count:,} {_UNITS[index][2]}"
    return f"{text} {rest} {_UNITS[index + 1][2]}" if exact and rest else text


def rfc3339(seconds: float | None) -> str | None:
    """Unix seconds as RFC 3339 in UTC: ``2026-11-21T09:03:00Z``; ``None`` for ``None``."""
    if seconds is None:
        return None
    at = datetime.fromtimestamp(seconds, tz=UTC)
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")


def local_time(at: float | None, *, seconds: bool = False) -> str:
    """A Unix time in the local time zone, ``2026-11-21 10:03``; empty for ``None``."""
    if at is None:
        return ""
    return datetime.fromtimestamp(at).strftime(f"%Y-%m-%d %H:%M{':%S' if seconds else ''}")


def clock(at: float) -> str:
    """A time of day, local: ``14:02:33``."""
    return datetime.fromtimestamp(at).strftime("%H:%M:%S")


def moment(at: float, now: float) -> str:
    """A local time, with the date unless it is today: ``14:02``, ``20 Nov 14:02``."""
    then = datetime.fromtimestamp(at)
    today = datetime.fromtimestamp(now)
    if then.date() == today.date():
        return then.strftime("%H:%M")
    if then.year == today.year:
        return then.strftime("%d %b %H:%M")
    return then.strftime("%d %b %Y")


def relative_time(at: float | None, now: float) -> str:
    """A time, absolute and relative: ``2026-11-21T09:03:00Z (2 h ago)``; empty for ``None``."""
    if at is None:
        return ""
    relation = f"{span(now - at)} ago" if now >= at else f"in {span(at - now)}"
    return f"{rfc3339(at)} ({relation})"


def short_path(of: Path, width: int) -> str:
    """A path with ``~`` for the home directory, cut at its start to ``width`` characters."""
    whole = of.absolute()
    home = Path.home()
    text = visible(f"~/{whole.relative_to(home)}" if whole.is_relative_to(home) else str(whole))
    return text if len(text) <= width else "…" + text[len(text) - width + 1 :]


_FROM_NOW = re.compile(r"\+(\d{1,5})([smhd])")
_TIME_OF_DAY = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def parse_deadline(text: str, now: float) -> float | None:
    """The time that a deadline names, in Unix seconds.

    Args:
        text: ``18:00`` is the next time that a clock here shows it; ``+90m``, ``+6h`` and ``+2d``
            count from now; ``2026-12-01T18:00`` is local time too, unless an offset from UTC
            follows: ``2026-12-01T18:00Z``, ``2026-12-01T18:00+01:00``.
        now: The current time, in Unix seconds.

    Returns:
        The time, which may have passed; ``None`` for any other text.
    """
    text = text.strip()
    if (wait := _FROM_NOW.fullmatch(text.lower())) is not None:
        return now + int(wait[1]) * _SECONDS[wait[2]]
    try:
        if (time := _TIME_OF_DAY.fullmatch(text)) is not None:
            here = datetime.fromtimestamp(now)
            clock = here.replace(hour=int(time[1]), minute=int(time[2]), second=0, microsecond=0)
            if clock.timestamp() <= now:
                clock += timedelta(days=1)
            return clock.timestamp()
        if "t" in text.lower() or " " in text:
            return datetime.fromisoformat(text.upper()).timestamp()
    except (ValueError, OverflowError, OSError):
        pass
    return None


def time_to_type(at: float) -> str:
    """A local time as ``parse_deadline`` reads it, to the minute: ``2026-12-01T18:00``."""
    return f"{datetime.fromtimestamp(at):%Y-%m-%dT%H:%M}"
