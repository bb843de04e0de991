"""The columns of a job's rows: their names, their values as text, and conditions on them.

A column is a fact of the row (``outcome``, ``output_tokens``), an input column (``in.lang``), a
field of the JSON answer (``@label``, ``@items[0].name``), derived from another (``calc.score``), or
the answer of another job to the row with the same ``custom_id``, such as that of a judge
(``judge.@score``, ``judge.answer``).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from enum import StrEnum
from fnmatch import translate
from functools import lru_cache
from typing import Any

import msgspec

from tui.core import json_path
from tui.core.text import quoted
from tui.errors import UsageError


class ColumnKind(StrEnum):
    """Where the values of a column come from."""

    FACT = "fact"
    INPUT = "input"
    FIELD = "field"
    DERIVED = "derived"
    JOINED = "joined"


FACTS = {
    "custom_id": "the id of the row",
    "outcome": "result of the row",
    "code": "the provider's error code",
    "status": "HTTP status",
    "attempt": "number of the attempt",
    "input_tokens": "input tokens",
    "output_tokens": "output tokens",
    "finish": "why the model stopped",
    "model": "the model that answered",
    "cost": "what the row cost",
    "length": "characters of the answer",
    "answer": "the answer as text",
    "review": "the newest label that reviewers gave the answer",
}
"""The columns that every row has, with a line of help each."""

ANSWER = "answer"
INPUT_PREFIX = "in."
DERIVED_PREFIX = "calc."
FIELD_PREFIX = "@"


_JOINED = re.compile(r'("(?:[^"\\]|\\.)*"|[^"@]+)\.(?:@(.+)|answer)', re.DOTALL)
"""A column of another job: its name or id, and the field."""


class Column(msgspec.Struct, frozen=True, order=True):
    """A column by name; ``str`` writes it as in a query.

    ``name`` is a key of ``FACTS``, the name of an input or derived column, or a JSON path. A joined
    column has the name or id of the other ``job``, and a JSON path, or an empty ``name`` for the
    answer.
    """

    kind: ColumnKind
    name: str
    job: str = ""

    def __str__(self) -> str:
        if self.kind is ColumnKind.JOINED:
            last = FIELD_PREFIX + self.name if self.name else ANSWER
            return f"{json_path.quote_step(self.job)}.{last}"
        if self.kind is ColumnKind.INPUT:
            return INPUT_PREFIX + json_path.quote_step(self.name)
        if self.kind is ColumnKind.DERIVED:
            return DERIVED_PREFIX + self.name
        return FIELD_PREFIX + self.name if self.kind is ColumnKind.FIELD else self.name

    @property
    def is_field(self) -> bool:
        """Whether it is a field of the answer."""
        return self.kind is ColumnKind.FIELD


@lru_cache(maxsize=1024)
def parse_column(text: str) -> Column:
    """The column with this name.

    Raises:
        UsageError: It is not the name of a column.
    """
    if text.startswith(FIELD_PREFIX) and json_path.is_path(text[1:]):
        return Column(ColumnKind.FIELD, text[1:])
    if text.startswith(INPUT_PREFIX) and len(text) > len(INPUT_PREFIX):
        return Column(ColumnKind.INPUT, json_path.unquote_step(text[len(INPUT_PREFIX) :]))
    if text.startswith(DERIVED_PREFIX) and len(text) > len(DERIVED_PREFIX):
        return Column(ColumnKind.DERIVED, text[len(DERIVED_PREFIX) :])
    if text in FACTS:
        return Column(ColumnKind.FACT, text)
    joined = _JOINED.fullmatch(text)
    if joined is not None and (joined[2] is None or json_path.is_path(joined[2])):
        return Column(ColumnKind.JOINED, joined[2] or "", json_path.unquote_step(joined[1]))
    raise UsageError(
        f"unknown column {quoted(text)}",
        "Use @field for a field of the answer, in.COLUMN for an input column, calc.NAME for a"
        " derived column, JOB.@field for the answer of another job, or one of"
        f" {', '.join(FACTS)}.",
    )


def is_on_answer(name: str) -> bool:
    """Whether a column is the answer, a field of it, derived, or what another job says about it."""
    try:
        column = parse_column(name)
    except UsageError:
        return False
    about = (ColumnKind.FIELD, ColumnKind.DERIVED, ColumnKind.JOINED)
    return column.kind in about or name == ANSWER


_NUMBER = re.compile(r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d{1,3})?")
_LONGEST_NUMBER = 40


def as_text(value: Any) -> str | None:
    """A value as it is shown, counted and compared; ``None`` for a missing value or null."""
    if value is None or isinstance(value, str):
        return value
    try:
        return msgspec.json.encode(value).decode()
    except (TypeError, ValueError, RecursionError):
        return str(value)


def as_number(text: str) -> float | None:
    """The number that a text is, as in ``4``, ``-0.5`` and ``1e3``; else ``None``."""
    stripped = text.strip()
    if len(stripped) > _LONGEST_NUMBER or _NUMBER.fullmatch(stripped) is None:
        return None
    number = float(stripped)
    return number if math.isfinite(number) else None


class ColumnCondition(msgspec.Struct, frozen=True, kw_only=True):
    """A condition on the value of a column; a row meets it if any part of it matches.

    Attributes:
        column: The name of the column.
        texts: Values, compared as text.
        numbers: Values, compared as numbers.
        patterns: Values with ``*`` (any characters) and ``?`` (one character).
        least: Smallest number, and whether the number itself is included.
        most: Largest number, and whether the number itself is included. If it is smaller than
            ``least``, all numbers outside match.
        missing: Match rows without a value.
        present: Match rows with a value.
        negated: Match all other rows instead.
    """

    column: str
    texts: frozenset[str] = frozenset()
    numbers: frozenset[float] = frozenset()
    patterns: tuple[str, ...] = ()
    least: tuple[float, bool] | None = None
    most: tuple[float, bool] | None = None
    missing: bool = False
    present: bool = False
    negated: bool = False

    @property
    def is_on_answer(self) -> bool:
        """Whether the column is the answer, or comes from answers."""
        return is_on_answer(self.column)

    def matcher(self) -> Callable[[str | None], bool]:
        """A function that tells whether a value as text meets the condition."""
        texts, missing, present, negated = self.texts, self.missing, self.present, self.negated
        patterns = [re.compile(translate(pattern.replace("[", "[[]"))) for pattern in self.patterns]
        numbers = self.numbers
        has_range = self.least is not None or self.most is not None

        def matches(text: str | None) -> bool:
            if text is None:
                return missing is not negated
            found = present or text in texts
            if not found and patterns:
                found = any(pattern.match(text) for pattern in patterns)
            if not found and (numbers or has_range):
                number = as_number(text)
                found = number is not None and (
                    number in numbers or (has_range and self._is_within(number))
                )
            return found is not negated

        return matches

    def _is_within(self, number: float) -> bool:
        over = under = True
        if self.least is not None:
            over = number > self.least[0] or (number == self.least[0] and self.least[1])
        if self.most is not None:
            under = number < self.most[0] or (number == self.most[0] and self.most[1])
        if self.least is not None and self.most is not None and self.most[0] < self.least[0]:
            return over or under
        return over and under


_PART = re.compile(r'"[^"]*"?|[^,"]+')
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")
_RANGE = re.compile(r"(>=|<=|>|<|=)(.+)")
_BETWEEN = re.compile(r"(-?[\d.][\d.eE+]*)(?:\.\.|-)(-?[\d.][\d.eE+]*)")


class InvalidConditionError(ValueError):
    """The value of a condition on a column cannot be read."""


def parse_condition(column: str, value: str, *, negated: bool = False) -> ColumnCondition:
    r"""The condition that a value after ``column:`` describes.

    The value is one or several of these, separated by commas: a text (``4`` is ``4.0`` too), a
    text in quotation marks (only as it is, with ``\u0022`` for a quotation mark), a pattern with
    ``*`` or ``?``, a comparison (``>3``, ``<=0.5``), a range (``1-5``, ``1..5``), ``none`` or
    ``any``. Two comparisons are a range: ``>=1,<2``, or what is outside of one: ``<1,>2``.

    Raises:
        InvalidConditionError: It is empty, or compares with something that is not a number.
    """
    texts: set[str] = set()
    numbers: set[float] = set()
    patterns: list[str] = []
    least = most = None
    missing = present = False
    for part, is_quoted in _parts(value):
        if is_quoted:
            texts.add(part)
        elif part.lower() == "none":
            missing = True
        elif part.lower() == "any":
            present = True
        elif (compared := _RANGE.fullmatch(part)) is not None:
            sign, bound = compared[1], as_number(compared[2])
            if bound is None:
                raise InvalidConditionError(f"{column}:{sign} needs a number, as in {column}:>3")
            if sign in (">", ">=", "="):
                least = (bound, sign != ">")
            if sign in ("<", "<=", "="):
                most = (bound, sign != "<")
        elif (between := _BETWEEN.fullmatch(part)) is not None and None not in (
            bounds := [as_number(between[1]), as_number(between[2])]
        ):
            first, last = sorted(bound for bound in bounds if bound is not None)
            least, most = (first, True), (last, True)
        elif "*" in part or "?" in part:
            patterns.append(part)
        elif part:
            texts.add(part)
            if (number := as_number(part)) is not None:
                numbers.add(number)
    found = ColumnCondition(
        column=column,
        texts=frozenset(texts),
        numbers=frozenset(numbers),
        patterns=tuple(patterns),
        least=least,
        most=most,
        missing=missing,
        present=present,
        negated=negated,
    )
    if found == ColumnCondition(column=column, negated=negated):
        raise InvalidConditionError(f"{column}: needs a value, such as {column}:none")
    return found


def _parts(value: str) -> list[tuple[str, bool]]:
    """The parts of a value, and whether each was in quotation marks."""
    parts: list[tuple[str, bool]] = []
    joined = True
    at = 0
    while at < len(value):
        if value[at] == ",":
            joined = True
            at += 1
            continue
        match = _PART.match(value, at)
        assert match is not None, "every character but a comma starts a part"
        part, is_quoted = match[0], match[0].startswith('"')
        if is_quoted:
            part = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), part.strip('"'))
        if joined:
            parts.append((part, is_quoted))
        else:
            before, was_quoted = parts[-1]
            parts[-1] = (before + part, was_quoted or is_quoted)
        joined = False
        at = match.end()
    return parts


_PLAIN_VALUE = re.compile(r"[^\s\",*?<>=\\\x00-\x1f\x7f-\x9f-][^\s\",*?\\\x00-\x1f\x7f-\x9f]*")


def write_value(value: str | None, *, always_quoted: bool = False) -> str:
    """A value as written in a query, so that this value alone is found."""
    if value is None:
        return "none"
    if (
        not always_quoted
        and value.lower() not in ("none", "any")
        and _PLAIN_VALUE.fullmatch(value)
        and not _BETWEEN.fullmatch(value)
        and as_number(value) is None
    ):
        return value
    return '"' + "".join(map(_escaped, value)) + '"'


def _escaped(character: str) -> str:
    if character in '"\\' or ord(character) < 32 or 127 <= ord(character) < 160:
        return f"\\u{ord(character):04x}"
    return character


def fields_of(value: Any, most: int, depth: int = 4) -> list[str]:
    """The paths of the fields of a JSON answer, those of objects in objects included.

    Args:
        value: The decoded answer.
        most: Return at most this number of paths.
        depth: Look at most this deep.
    """
    found: list[str] = []

    def walk(inner: Any, prefix: str, left: int) -> None:
        items: Sequence[tuple[str, Any]] = ()
        if isinstance(inner, dict):
            items = [(json_path.quote_step(key), item) for key, item in inner.items()]
        for step, item in items:
            if len(found) >= most:
                return
            path = f"{prefix}.{step}" if prefix else step
            if isinstance(item, dict) and item and left > 1:
                walk(item, path, left - 1)
            else:
                found.append(path)

    walk(value, "", depth)
    return found
