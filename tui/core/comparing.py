"""Two jobs over the same requests, row beside row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from tui.core.outcome import ANSWERED
from tui.core.rows import RowLine


class Kind(StrEnum):
    """How the rows of one ``custom_id`` are to each other.

    ``unanswered``: both jobs have the row, and at least one of them no answer to it.
    """

    SAME = "same"
    DIFFERENT = "different"
    UNANSWERED = "unanswered"
    ONLY_LEFT = "only left"
    ONLY_RIGHT = "only right"


KINDS: tuple[Kind, ...] = tuple(Kind)
"""Small integer to kind: ``KINDS[code]``."""


@dataclass(frozen=True)
class CompareOptions:
    """When two answers are the same.

    Attributes:
        ignore_space: Runs of white space, and white space at the ends, do not count.
        as_data: Answers that are both JSON are compared as data: spelling of numbers, white
            space and the order of keys do not count.
    """

    ignore_space: bool = False
    as_data: bool = True


Passes = Callable[[RowLine], bool | None]
"""Does a row's answer pass its schema? ``None`` when there is nothing to say of it."""


def is_json(line: RowLine) -> bool | None:
    """Is an answer a JSON object or array? ``None`` without an answer."""
    return line.data is not None if line.outcome in ANSWERED else None


def kind_of(left: RowLine, right: RowLine, options: CompareOptions) -> Kind:
    """How two rows with one ``custom_id`` are to each other."""
    if left.outcome not in ANSWERED or right.outcome not in ANSWERED:
        return Kind.UNANSWERED
    if left.text == right.text:
        return Kind.SAME
    if options.as_data and left.data is not None and right.data is not None:
        return Kind.SAME if _equal(left.data, right.data) else Kind.DIFFERENT
    if options.ignore_space and left.text.split() == right.text.split():
        return Kind.SAME
    return Kind.DIFFERENT


def _equal(left: object, right: object) -> bool:
    """Equality of JSON: unlike in Python, true is not 1."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_equal(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_equal, left, right))
    return left == right


class Side(msgspec.Struct, kw_only=True):
    """What one of two jobs comes to; ``None`` is "nobody tells".

    ``passed`` of ``checked`` answers pass: they fit the schema of their requests, where
    ``has_schema``, else they are JSON.
    """

    job_id: str = ""
    name: str = ""
    model: str = ""
    rows: int = 0
    answered: int = 0
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: float | None = None
    currency: str = "USD"
    checked: int = 0
    passed: int = 0
    has_schema: bool = False

    def add(self, line: RowLine, passes: Passes) -> None:
        """Take a row into account."""
        self.rows += 1
        self.answered += line.outcome in ANSWERED
        usage = line.usage
        if usage.input_tokens is not None:
            self.input_tokens = (self.input_tokens or 0) + usage.input_tokens
        if usage.output_tokens is not None:
            self.output_tokens = (self.output_tokens or 0) + usage.output_tokens
        verdict = passes(line)
        if verdict is not None:
            self.checked += 1
            self.passed += verdict

    def judge(self, checked: int, passed: int) -> None:
        """Take over what a check of the schemas of the requests found, if there are any."""
        if checked:
            self.checked, self.passed, self.has_schema = checked, passed, True

    @property
    def pass_rate(self) -> float | None:
        """The share of answers that pass, from 0 to 1; ``None`` when none was checked."""
        return self.passed / self.checked if self.checked else None
