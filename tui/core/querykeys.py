"""The keys of the filter language: what each is called, takes and means."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from tui.core.filtering import RowFilter, Span
from tui.core.outcome import ANSWERED, NOT_GOOD, UNANSWERED, Outcome

_OUTCOME_SETS: dict[str, frozenset[Outcome]] = {
    "answered": ANSWERED,
    "unanswered": UNANSWERED,
    "bad": NOT_GOOD,
}
"""Words for several outcomes at once."""

_CHECKS = ("ok", "bad")
_UNITS = {"": 1.0, "k": 1e3, "m": 1e6}
_NUMBER = re.compile(r"(\d[\d_]*(?:\.\d+)?|\.\d+)([kKmM]?)")
_SPAN = re.compile(r"(>=|<=|>|<|=)?([^<>=]+)")
_BETWEEN = re.compile(r"(.+?)(?:\.\.|-)(.+)")


class UnfitValueError(ValueError):
    """A value that its key does not take; ``meant`` is what was probably meant."""

    def __init__(self, message: str, meant: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.meant = meant


@dataclass(frozen=True)
class Key:
    """A key: its name, other names, an example, one line of help, values to choose from."""

    name: str
    example: str
    help: str
    meet: Callable[[RowFilter, str], RowFilter]
    others: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()


def by_name(word: str) -> Key | None:
    """The key with a name, in any case."""
    return _BY_NAME.get(word.lower())


def _or(rows: RowFilter, field: str, values: frozenset[Any]) -> RowFilter:
    return msgspec.structs.replace(rows, **{field: getattr(rows, field) | values})


def _listed(value: str) -> list[str]:
    return [part for part in value.split(",") if part]


def _outcome(rows: RowFilter, value: str) -> RowFilter:
    found: frozenset[Outcome] = frozenset()
    words = _listed(value.lower())
    for word in words:
        if word in _OUTCOME_SETS:
            found |= _OUTCOME_SETS[word]
        elif word in OUTCOME_WORDS:
            found |= {Outcome(word)}
        else:
            near = difflib.get_close_matches(word, OUTCOME_WORDS, n=1)
            rest = (
                ["outcome:" + ",".join(near[0] if w == word else w for w in words)] if near else []
            )
            raise UnfitValueError(f"There is no outcome {word!r}", *rest)
    return _or(rows, "outcomes", found)


def _words(field: str) -> Callable[[RowFilter, str], RowFilter]:
    def meet(rows: RowFilter, value: str) -> RowFilter:
        return _or(rows, field, frozenset(_listed(value)))

    return meet


def _group(rows: RowFilter, value: str) -> RowFilter:
    return _or(rows, "groups", frozenset(_listed(value.lower())))


def _custom_id(rows: RowFilter, value: str) -> RowFilter:
    if rows.custom_id:
        raise UnfitValueError("id: can be given once")
    return msgspec.structs.replace(rows, custom_id=value)


def _expression(rows: RowFilter, value: str) -> RowFilter:
    # The package that looks for it, which is slow to import, decides what it takes.
    import regex

    try:
        regex.compile(value)
    except (regex.error, OverflowError, RecursionError) as error:
        raise UnfitValueError(f"re: is not a regular expression: {error}") from None
    needle = f"re:{value}"
    if not rows.text:
        return msgspec.structs.replace(rows, text=needle)
    return msgspec.structs.replace(rows, texts=(*rows.texts, needle))


def _check(name: str) -> Callable[[RowFilter, str], RowFilter]:
    def meet(rows: RowFilter, value: str) -> RowFilter:
        word = value.lower()
        if word not in _CHECKS:
            raise UnfitValueError(f"{name}: is ok or bad", f"{name}:bad")
        return _or(rows, "checks", frozenset({f"{name}:{word}"}))

    return meet


def _number(name: str, field: str, *, whole: bool = True) -> Callable[[RowFilter, str], RowFilter]:
    def meet(rows: RowFilter, value: str) -> RowFilter:
        span = getattr(rows, field).meet(_span(name, value, whole=whole))
        return msgspec.structs.replace(rows, **{field: span})

    return meet


def _span(name: str, value: str, *, whole: bool) -> Span:
    """``5``, ``>5``, ``>=5``, ``<5``, ``<=5``, ``5-9`` and ``5..9``, with ``k`` and ``m``."""
    match = _SPAN.fullmatch(value)
    if match is not None:
        sign, rest = match[1] or "", match[2].strip()
        between = _BETWEEN.fullmatch(rest) if not sign else None
        parts = [between[1], between[2]] if between is not None else [rest]
        numbers = [_amount(part) for part in parts]
        if None not in numbers:
            bounds = [number for number in numbers if number is not None]
            if len(bounds) == 2:
                return Span(min(bounds), max(bounds))
            return _bounded(sign, bounds[0], whole=whole)
    raise UnfitValueError(f"{name}: wants a number, such as {name}:>500, {name}:<=20 or {name}:5-9")


def _bounded(sign: str, bound: float, *, whole: bool) -> Span:
    if sign == ">":
        return Span(least=math.floor(bound) + 1 if whole else math.nextafter(bound, math.inf))
    if sign == "<":
        return Span(most=math.ceil(bound) - 1 if whole else math.nextafter(bound, -math.inf))
    return Span(least=None if sign == "<=" else bound, most=None if sign == ">=" else bound)


def _amount(word: str) -> float | None:
    match = _NUMBER.fullmatch(word.strip().lstrip("$"))
    if match is None:
        return None
    return float(match[1].replace("_", "")) * _UNITS[match[2].lower()]


OUTCOME_WORDS = (*(outcome.value for outcome in Outcome), *_OUTCOME_SETS)

KEYS: tuple[Key, ...] = (
    Key(
        "outcome", "outcome:failed,expired", "what became of the row", _outcome,
        choices=OUTCOME_WORDS,
    ),
    Key("code", "code:429", "error code or HTTP status", _words("codes"), ("status", "error")),
    Key("group", "group:1f0c2a7b", "error group by its key", _group),
    Key("attempt", "attempt:>1", "number of the attempt shown", _number("attempt", "attempt"),
        ("try",)),
    Key("tokens", "tokens:>500", "input and output tokens together", _number("tokens", "tokens")),
    Key("in", "in:>4k", "input tokens", _number("in", "input_tokens"), ("input",)),
    Key("out", "out:<20", "output tokens", _number("out", "output_tokens"), ("output",)),
    Key("length", "length:<20", "characters of the answer", _number("length", "length"), ("len",)),
    Key("cost", "cost:>0.01", "what the row cost", _number("cost", "cost", whole=False)),
    Key("finish", "finish:length", "why the model stopped", _words("finish"),
        choices=("stop", "length", "tool_calls", "content_filter", "end_turn", "max_tokens")),
    Key("model", "model:gpt-5-mini", "the model that answered", _words("models")),
    Key("id", "id:review-00*", "part of the id, or a pattern", _custom_id, ("custom_id",)),
    Key("json", "json:bad", "is the answer JSON?", _check("json"), choices=_CHECKS),
    Key("schema", "schema:bad", "does it fit the schema asked for?", _check("schema"),
        choices=_CHECKS),
    Key("re", "re:refund.*", "a regular expression, in request and answer", _expression),
)  # fmt: skip
"""All keys; the order is that of the help."""

_BY_NAME: dict[str, Key] = {name: key for key in KEYS for name in (key.name, *key.others)}
