"""What differs between two JSON values, place by place, and between two texts."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import msgspec

_DEEPEST = 100
_CONTEXT = 32

_WORD = re.compile(r"\s*\S+|\s+$")
_MOST_PIECES = 2000

Side = Literal["same", "removed", "added"]
Piece = tuple[Side, str]
"""A piece of text that both have, or only the one or the other."""


class Change(msgspec.Struct, frozen=True):
    """One place where two values differ; ``UNSET`` on the side that has nothing there.

    ``path`` is dotted, with numbers for places in a list, and empty for the whole.
    """

    path: str
    before: Any = msgspec.UNSET
    after: Any = msgspec.UNSET


def changes_between(before: Any, after: Any) -> list[Change]:
    """The places where two values differ, in the order of the second."""
    return list(_walk(before, after, "", 0))


def word_diff(before: str, after: str) -> list[Piece] | None:
    """Two texts as pieces that both have or only one, cut between words.

    What both begin and end with is set aside first. Where more than 2,000 words are left,
    lines are compared in place of words.

    Returns:
        The pieces in order; ``None`` when there are too many lines as well.
    """
    for cut in (_words, _lines):
        ours, theirs = cut(before), cut(after)
        start, end = _shared_ends(ours, theirs)
        middles = ours[start : len(ours) - end], theirs[start : len(theirs) - end]
        if max(map(len, middles)) <= _MOST_PIECES:
            return _pieces(ours[:start], *middles, ours[len(ours) - end :])
    return None


def text_changes(before: str, after: str, context: int = _CONTEXT) -> list[Piece]:
    """The same, for one line: of what both have only what is near a change.

    Args:
        before: The one.
        after: The other.
        context: Characters that are kept beside a change; what is left out becomes ``…``.
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
    """A text without its middle, unless that is short."""
    if len(text) <= head + tail:
        return text
    return f"{text[:head]}…{text[len(text) - tail :]}"


def _words(text: str) -> list[str]:
    """Words, each with the white space before it: fewer pieces, and none that is everywhere."""
    return _WORD.findall(text)


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def _pieces(head: list[str], ours: list[str], theirs: list[str], tail: list[str]) -> list[Piece]:
    pieces: list[Piece] = [("same", "".join(head))]
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
    """How many entries two sequences have in common at the start, and then at the end."""
    start = 0
    shorter = min(len(ours), len(theirs))
    while start < shorter and ours[start] == theirs[start]:
        start += 1
    end = 0
    while end < shorter - start and ours[-1 - end] == theirs[-1 - end]:
        end += 1
    return start, end


def _walk(before: Any, after: Any, path: str, depth: int) -> Iterator[Change]:
    if depth < _DEEPEST:
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
    # Of another length: the ends that are alike stay, what is between came or went.
    start, end = _shared_ends(before, after)
    for place in range(start, len(before) - end):
        yield Change(_joined(path, str(place)), before=before[place])
    for place in range(start, len(after) - end):
        yield Change(_joined(path, str(place)), after=after[place])


def _joined(path: str, step: str) -> str:
    return f"{path}.{step}" if path else step
