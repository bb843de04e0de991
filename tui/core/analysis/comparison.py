"""Jobs compared row by row, with differences of their texts and JSON."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from typing import Any, Literal

import msgspec

from tui.core.analysis.columns import as_number
from tui.core.rows import ANSWERED, RowLine


class RowComparison(StrEnum):
    """How the rows with the same ``custom_id`` compare.

    ``different``: at least two answers differ. ``unanswered``: all jobs have the row, but at
    least one has no answer; those that there are, are the same. ``only left`` and ``only right``:
    one of two jobs does not have the row. ``not in all``: one of three or more does not.
    """

    SAME = "same"
    DIFFERENT = "different"
    UNANSWERED = "unanswered"
    ONLY_LEFT = "only left"
    ONLY_RIGHT = "only right"
    NOT_IN_ALL = "not in all"


ROW_COMPARISONS: tuple[RowComparison, ...] = tuple(RowComparison)
"""Comparisons by the stored integer: ``ROW_COMPARISONS[code]``."""

_IN_ALL = (RowComparison.SAME, RowComparison.DIFFERENT, RowComparison.UNANSWERED)


def kinds_of(jobs: int) -> tuple[RowComparison, ...]:
    """The comparisons that occur with a number of jobs."""
    if jobs == 2:
        return (*_IN_ALL, RowComparison.ONLY_LEFT, RowComparison.ONLY_RIGHT)
    return (*_IN_ALL, RowComparison.NOT_IN_ALL)


MAX_COMPARED = 12
"""Most jobs that are compared with each other."""


class CompareOptions(msgspec.Struct, frozen=True):
    """When two answers count as the same.

    Attributes:
        ignore_space: Ignore leading and trailing whitespace, and the length of whitespace.
        as_data: Compare answers that are both JSON as data: whitespace, the notation of
            numbers and the order of keys are ignored.
        column: The column that is compared, such as ``@label``; the whole answer by default.
    """

    ignore_space: bool = False
    as_data: bool = True
    column: str = ""


RowCheck = Callable[[RowLine], bool | None]
"""Whether a row's answer passes its check; ``None`` when it is not checked."""


def is_json(line: RowLine) -> bool | None:
    """Whether the answer is a JSON object or array; ``None`` without an answer."""
    return line.data is not None if line.outcome in ANSWERED else None


def compare_rows(left: RowLine, right: RowLine, options: CompareOptions) -> RowComparison:
    """Compare two rows with the same ``custom_id``."""
    if left.outcome not in ANSWERED or right.outcome not in ANSWERED:
        return RowComparison.UNANSWERED
    if left.text == right.text:
        return RowComparison.SAME
    if options.as_data and left.data is not None and right.data is not None:
        return RowComparison.SAME if _equal(left.data, right.data) else RowComparison.DIFFERENT
    if options.ignore_space and left.text.split() == right.text.split():
        return RowComparison.SAME
    return RowComparison.DIFFERENT


def compare_values(left: str | None, right: str | None, options: CompareOptions) -> RowComparison:
    """Compare the values of a column in two rows, as text; ``None`` for a missing value."""
    if left is None or right is None:
        return RowComparison.UNANSWERED
    if left == right:
        return RowComparison.SAME
    if options.as_data:
        numbers = as_number(left), as_number(right)
        if None not in numbers:
            return RowComparison.SAME if numbers[0] == numbers[1] else RowComparison.DIFFERENT
        if left[:1] in _OPENING and right[:1] in _OPENING:
            with contextlib.suppress(msgspec.DecodeError):
                same = _equal(msgspec.json.decode(left), msgspec.json.decode(right))
                return RowComparison.SAME if same else RowComparison.DIFFERENT
    if options.ignore_space and left.split() == right.split():
        return RowComparison.SAME
    return RowComparison.DIFFERENT


_OPENING = ("{", "[")


class Agreement(msgspec.Struct):
    """How often two jobs agree: ``same`` of ``compared`` rows that both have answered."""

    same: int = 0
    compared: int = 0

    @property
    def share(self) -> float | None:
        """Share of equal answers, 0 to 1; ``None`` when no row was compared."""
        return self.same / self.compared if self.compared else None


def _equal(left: object, right: object) -> bool:
    """JSON equality: unlike in Python, true is not 1."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_equal(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_equal, left, right))
    return left == right


class JobTotals(msgspec.Struct, kw_only=True):
    """Totals of one of the jobs; ``None`` is "unknown".

    ``metered`` rows say how many tokens they took.
    ``passed`` of ``checked`` answers pass: with ``has_schema`` they match the schema of their
    requests, otherwise they are JSON.
    """

    job_id: str = ""
    name: str = ""
    model: str = ""
    rows: int = 0
    answered: int = 0
    metered: int = 0
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: float | None = None
    currency: str = "USD"
    checked: int = 0
    passed: int = 0
    has_schema: bool = False

    def add(self, line: RowLine, passes: RowCheck) -> None:
        """Add a row to the totals."""
        self.rows += 1
        self.answered += line.outcome in ANSWERED
        usage = line.usage
        self.metered += usage.input_tokens is not None or usage.output_tokens is not None
        if usage.input_tokens is not None:
            self.input_tokens = (self.input_tokens or 0) + usage.input_tokens
        if usage.output_tokens is not None:
            self.output_tokens = (self.output_tokens or 0) + usage.output_tokens
        passed = passes(line)
        if passed is not None:
            self.checked += 1
            self.passed += passed

    def judge(self, checked: int, passed: int) -> None:
        """Use the result of a schema check, if any answer was checked."""
        if checked:
            self.checked, self.passed, self.has_schema = checked, passed, True

    @property
    def pass_rate(self) -> float | None:
        """Share of checked answers that pass, 0 to 1; ``None`` when none was checked."""
        return self.passed / self.checked if self.checked else None


_MAX_DEPTH = 100
_CONTEXT = 32

_WORD = re.compile(r"\s*\S+|\s+$")
_MAX_PIECES = 2000

_Side = Literal["same", "removed", "added"]
DiffPiece = tuple[_Side, str]
"""A piece of text that is in both texts, or in only one."""


class Change(msgspec.Struct, frozen=True):
    """One difference between two values; ``UNSET`` on the side where the path is missing.

    ``path`` is dotted, with list indexes as numbers; empty for the whole value.
    """

    path: str
    before: Any = msgspec.UNSET
    after: Any = msgspec.UNSET


def changes_between(before: Any, after: Any) -> list[Change]:
    """The differences between two values, in the order of the second."""
    return list(_walk(before, after, "", 0))


def word_diff(before: str, after: str) -> list[DiffPiece] | None:
    """Compare two texts word by word.

    The common start and end are skipped first. When more than 2,000 words are left, lines are
    compared instead.

    Returns:
        The pieces in order; ``None`` when there are also too many lines.
    """
    for cut in (_words, _lines):
        ours, theirs = cut(before), cut(after)
        start, end = _shared_ends(ours, theirs)
        middles = ours[start : len(ours) - end], theirs[start : len(theirs) - end]
        if max(map(len, middles)) <= _MAX_PIECES:
            return _pieces(ours[:start], *middles, ours[len(ours) - end :])
    return None


def text_changes(before: str, after: str, context: int = _CONTEXT) -> list[DiffPiece]:
    """Compare two texts word by word, with only a little context around each change.

    Args:
        before: The old text.
        after: The new text.
        context: Characters kept before and after a change; the rest becomes ``…``.
    """
    pieces = word_diff(before, after)
    if pieces is None:
        pieces = [("removed", before), ("added", after)]
    last = len(pieces) - 1
    return [
        (side, _shortened(text, context * (at > 0 or not last), context * (at < last)))
        if side == "same"
        else (side, text)
        for at, (side, text) in enumerate(pieces)
    ]


def _shortened(text: str, head: int, tail: int) -> str:
    """A text without its middle, if it is longer than ``head + tail``."""
    if len(text) <= head + tail:
        return text
    return f"{text[:head]}…{text[len(text) - tail :]}"


def _words(text: str) -> list[str]:
    """Words with their leading whitespace: fewer pieces than with separate spaces."""
    return _WORD.findall(text)


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def _pieces(
    head: list[str], ours: list[str], theirs: list[str], tail: list[str]
) -> list[DiffPiece]:
    # Loading it takes a while.
    import difflib

    pieces: list[DiffPiece] = [("same", "".join(head))]
    matcher = difflib.SequenceMatcher(None, ours, theirs, autojunk=False)
    for what, a, b, c, d in matcher.get_opcodes():
        if what == "equal":
            pieces.append(("same", "".join(ours[a:b])))
            continue
        pieces.append(("removed", "".join(ours[a:b])))
        pieces.append(("added", "".join(theirs[c:d])))
    pieces.append(("same", "".join(tail)))
    return [piece for piece in pieces if piece[1]]


def _shared_ends(ours: Sequence[Any], theirs: Sequence[Any]) -> tuple[int, int]:
    """Lengths of the common prefix and suffix of two sequences."""
    start = 0
    shorter = min(len(ours), len(theirs))
    while start < shorter and ours[start] == theirs[start]:
        start += 1
    end = 0
    while end < shorter - start and ours[-1 - end] == theirs[-1 - end]:
        end += 1
    return start, end


def _walk(before: Any, after: Any, path: str, depth: int) -> Iterator[Change]:
    if depth < _MAX_DEPTH:
        if isinstance(before, dict) and isinstance(after, dict):
            yield from _walk_objects(before, after, path, depth)
            return
        if isinstance(before, list) and isinstance(after, list):
            yield from _walk_lists(before, after, path, depth)
            return
    if type(before) is not type(after) or before != after:
        yield Change(path, before, after)


def _walk_objects(
    before: dict[str, Any], after: dict[str, Any], path: str, depth: int
) -> Iterator[Change]:
    for name in before:
        if name not in after:
            yield Change(_joined(path, name), before=before[name])
    for name, value in after.items():
        if name not in before:
            yield Change(_joined(path, name), after=value)
        else:
            yield from _walk(before[name], value, _joined(path, name), depth + 1)


def _walk_lists(before: list[Any], after: list[Any], path: str, depth: int) -> Iterator[Change]:
    if len(before) == len(after):
        for place, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from _walk(old, new, _joined(path, str(place)), depth + 1)
        return
    # Different lengths: keep the common ends; everything between was removed or added.
    start, end = _shared_ends(before, after)
    for place in range(start, len(before) - end):
        yield Change(_joined(path, str(place)), before=before[place])
    for place in range(start, len(after) - end):
        yield Change(_joined(path, str(place)), after=after[place])


def _joined(path: str, step: str) -> str:
    return f"{path}.{step}" if path else step
