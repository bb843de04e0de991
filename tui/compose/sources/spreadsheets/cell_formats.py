"""Cells of a spreadsheet as the sheet shows them: numbers and dates by their number format."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any

_LOCALE_DATES = ("mm-dd-yy", "m/d/yy", "m/d/yy h:mm", "mm/dd/yy", "m/d/yyyy")
"""Built-in formats that look different in each country; they are shown as ISO dates."""

_TOKEN = re.compile(
    r'"(?P<literal>[^"]*)"|\\(?P<escaped>.)|\[\$(?P<currency>[^\]-]*)[^\]]*\]|\[(?P<bracket>[^\]]*)\]'
    r"|_.|\*.|(?P<number>[0#?][0#?,]*(?:\.[0#?]*)?,*|\.[0#?]+)(?P<exponent>[eE][+-]0+)?"
    r"|(?P<other>.)",
    re.DOTALL,
)
_SECTION = re.compile(r'((?:"[^"]*"|\\.|\[[^\]]*\]|[^;])*)(?:;|$)')
_CONDITION = re.compile(r"\[(<=|>=|<>|<|>|=)(-?\d+(?:\.\d+)?)\]")
_FRACTION = re.compile(r"(?:(#+|0+) +)?([#?0]+)/([#?0]+|\d+)")
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "=": operator.eq,
    "<>": operator.ne,
}  # fmt: skip
_LITERAL = re.compile(r'"[^"]*"|\[[^\]]*\]')
_DATE_TOKEN = re.compile(
    r'"(?P<literal>[^"]*)"|\\(?P<escaped>.)|\[(?P<elapsed>h+|m+|s+)\]|\[[^\]]*\]|_.|\*.'
    r"|(?P<half>AM/PM|A/P)|(?P<fraction>\.0+)|(?P<unit>y+|m+|d+|h+|s+)|(?P<other>.)",
    re.IGNORECASE | re.DOTALL,
)


_ESCAPED = re.compile(r"_x005F(_x[0-9A-Fa-f]{4}_)|_x(00[01][0-9A-Fa-f])_")


def shown_text(text: str) -> str:
    """A text of a cell without the escapes that ``.xlsx`` has for control characters.

    ``_x005F_x000D_`` is how the text ``_x000D_`` is written.
    """
    if "_x00" not in text:
        return text
    return _ESCAPED.sub(lambda found: found[1] or chr(int(found[2], 16)), text)


def shown_value(value: Any, code: str = "General") -> Any:
    """A cell's value as the sheet shows it.

    A number in the format ``General`` stays a number; all others become text. ``None`` is an
    empty cell.

    Args:
        value: What the reader gives: text, number, boolean, date or time.
        code: The number format of the cell.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, (int, float)):
        return _number(value, code)
    if isinstance(value, (datetime, date, time, timedelta)):
        return _moment(value, code)
    return str(value)


def _number(value: float, code: str) -> Any:
    general = _general(value)
    sections = [each for each in _SECTION.findall(code)][:4]
    sections = sections[:-1] if sections and not sections[-1] else sections
    if not sections or code in ("General", "@") or "General" in code:
        return general
    section, signed = _section(value, sections)
    is_chosen = any(map(_CONDITION.search, sections))
    if not section or (is_chosen and not re.search("[0#?]", _LITERAL.sub("", section))):
        # A word in place of a figure tells less than the figure.
        return general
    fraction = _FRACTION.search(_LITERAL.sub("", section))
    if fraction:
        return _fraction(value, fraction, signed=signed) or general
    pieces = list(_TOKEN.finditer(section))
    numbers = [each["number"] for each in pieces if each["number"]]
    if "/" in _LITERAL.sub("", section) or (len(numbers) > 1 and set("".join(numbers)) - {*"0#?"}):
        return general
    if len(numbers) > 1:
        return _groups(abs(value), pieces, numbers, sign="-" if signed and value < 0 else "")
    text = ""
    percent = sum(each["other"] == "%" for each in pieces)
    for each in pieces:
        if each["number"]:
            amount = Decimal(repr(value)) * 100**percent
            text += _digits(abs(amount), each["number"], each["exponent"])
        else:
            text += each["literal"] or each["escaped"] or each["currency"] or each["other"] or ""
    shown = ("-" if signed and value < 0 and numbers else "") + text.strip()
    # Excel shows as much as fits; a rounded value keeps its digits if the format hides all.
    return shown if shown else general


def _section(value: float, sections: Sequence[str]) -> tuple[str, bool]:
    """The section of a format for a value, and whether a negative value has its sign there."""
    if any(map(_CONDITION.search, sections)):
        for section in sections:
            found = _CONDITION.search(section)
            if found is None or _COMPARE[found[1]](value, float(found[2])):
                return section, True
        return "", True
    if value < 0 and len(sections) > 1:
        return sections[1], False
    return (sections[2] if value == 0 and len(sections) > 2 else sections[0]), True


def _groups(value: float, pieces: Sequence[re.Match[str]], numbers: list[str], *, sign: str) -> str:
    """A whole number whose digits stand in several places, such as a telephone number."""
    digits = f"{Decimal(repr(value)).quantize(Decimal(1), ROUND_HALF_UP):f}"
    places = [len(number) for number in numbers]
    digits = digits.rjust(sum(places)) if len(digits) < sum(places) else digits
    first = len(digits) - sum(places[1:])
    cuts = [0, first, *(first + sum(places[1 : n + 1]) for n in range(1, len(places)))]
    shown = []
    for place, number in enumerate(numbers):
        part = digits[cuts[place] : cuts[place + 1]]
        filled = [
            "0" if digit == " " and mark == "0" else digit
            for digit, mark in zip(part[-len(number) :], number, strict=True)
        ]
        shown.append(part[: -len(number)] + "".join(filled).replace(" ", ""))
    rest = iter(shown)
    text = "".join(
        next(rest)
        if each["number"]
        else each["literal"] or each["escaped"] or each["currency"] or each["other"] or ""
        for each in pieces
    )
    return sign + text.strip()


def _fraction(value: float, found: re.Match[str], *, signed: bool) -> str:
    """A number as a fraction; empty if it is too large for one."""
    amount = Fraction(abs(value))
    if amount > 1e15:
        return ""
    if found[3].isdecimal() and found[3].strip("0"):
        below = int(found[3])
        near = round(amount * below)
    else:
        exact = amount.limit_denominator(10 ** len(found[3]) - 1)
        near, below = exact.numerator, exact.denominator
    sign = "-" if signed and value < 0 else ""
    if found[1] is None:
        return f"{sign}{near}/{below}"
    whole, above = divmod(near, below)
    if not above:
        return f"{sign}{whole}"
    return f"{sign}{whole} {above}/{below}" if whole else f"{sign}{above}/{below}"


def _general(value: float) -> int | float:
    if isinstance(value, int):
        return value
    if value.is_integer() and abs(value) < 1e15:
        return int(value)
    # Excel calculates with 15 digits: 0.1 + 0.2 is shown as 0.3.
    return float(f"{value:.15g}")


def _digits(amount: Decimal, code: str, exponent: str | None) -> str:
    scale = len(code) - len(code.rstrip(","))
    whole, _, decimals = code.rstrip(",").partition(".")
    amount /= 1000**scale
    if exponent:
        # A zero keeps the exponent that it was calculated with.
        digits, _, power = f"{amount or Decimal(0):.{len(decimals)}E}".partition("E")
        power = power if amount else "+0"
        return f"{digits}E{power[0]}{power[1:].zfill(exponent.count('0'))}"
    places = len(decimals)
    rounded = amount.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    text = f"{rounded:f}"
    before, _, after = text.partition(".")
    least = decimals.count("0")
    while len(after) > least and after.endswith("0"):
        after = after[:-1]
    before = before.zfill(whole.count("0")) if whole.count("0") else before.lstrip("0")
    if "," in whole:
        before = f"{int(before or 0):,}"
    return f"{before}.{after}" if after else before


def _moment(value: datetime | date | time | timedelta, code: str) -> str:
    if isinstance(value, timedelta):
        seconds = round(value.total_seconds())
        return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    code = _SECTION.findall(code)[0] if code else code
    if code.lower() in _LOCALE_DATES or not re.search(r"[ymdhs]", code, re.IGNORECASE):
        return _iso(value)
    if re.search("[geb]", _LITERAL.sub("", code), re.IGNORECASE):
        # The years of the Japanese, Taiwanese and Thai calendars.
        return _iso(value)
    moment = value
    if isinstance(value, time):
        moment = datetime.combine(date(1900, 1, 1), value)
    elif not isinstance(value, datetime):
        moment = datetime.combine(value, time())
    assert isinstance(moment, datetime)
    return _by_code(moment, code)


def _iso(value: datetime | date | time) -> str:
    if isinstance(value, datetime):
        if value.time() == time():
            return value.date().isoformat()
        return value.isoformat(" ", "seconds")
    return value.isoformat()


def _by_code(moment: datetime, code: str) -> str:
    pieces = list(_DATE_TOKEN.finditer(code))
    half = any(each["half"] for each in pieces)
    units = [each for each in pieces if each["unit"] or each["elapsed"]]
    text = ""
    for each in pieces:
        unit = (each["unit"] or each["elapsed"] or "").lower()
        if unit:
            place = units.index(each)
            before = (units[place - 1]["unit"] or "h").lower() if place else ""
            after = units[place + 1]["unit"] if place + 1 < len(units) else ""
            minutes = (
                unit[0] == "m"
                and len(unit) < 3
                and (before.startswith("h") or (after or "").lower().startswith("s"))
            )
            text += _unit(moment, unit, minutes=minutes, half=half)
        elif each["half"]:
            text += "AM" if moment.hour < 12 else "PM"
        elif each["fraction"]:
            places = len(each["fraction"]) - 1
            text += "." + f"{moment.microsecond:06}"[:places].ljust(places, "0")
        else:
            text += each["literal"] or each["escaped"] or each["other"] or ""
    return text.strip()


def _unit(moment: datetime, unit: str, *, minutes: bool, half: bool) -> str:
    long = len(unit) > 1
    if unit[0] == "y":
        return f"{moment.year:04}" if len(unit) > 2 else f"{moment.year % 100:02}"
    if unit[0] == "m" and not minutes:
        names = ("", "", "", "%b", "%B")
        if len(unit) > 2:
            return moment.strftime(names[min(len(unit), 4)])
        return f"{moment.month:02}" if long else str(moment.month)
    if unit[0] == "d" and len(unit) > 2:
        return moment.strftime("%a" if len(unit) == 3 else "%A")
    number = {
        "m": moment.minute,
        "d": moment.day,
        "h": (moment.hour - 1) % 12 + 1 if half else moment.hour,
        "s": moment.second,
    }[unit[0]]
    return f"{number:02}" if long else str(number)
