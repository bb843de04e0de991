"""What differs between two JSON values, place by place, and between two texts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import msgspec

_DEEPEST = 100
_CONTEXT = 32

Side = Literal["same", "removed", "added"]


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


def text_changes(before: str, after: str, context: int = _CONTEXT) -> list[tuple[Side, str]]:
    """Two texts as what they share at both ends, and what stands between.

    Args:
        before: The one.
        after: The other.
        context: Characters of the shared ends that are kept; what is left out becomes ``…``.
    """
    start = 0
    shortest = min(len(before), len(after))
    while start < shortest and before[start] == after[start]:
        start += 1
    end = 0
    while end < shortest - start and before[-1 - end] == after[-1 - end]:
        end += 1
    head, tail = before[:start], before[len(before) - end :] if end else ""
    pieces: list[tuple[Side, str]] = [
        ("same", head if len(head) <= context else "…" + head[-context:]),
        ("removed", before[start : len(before) - end]),
        ("added", after[start : len(after) - end]),
        ("same", tail if len(tail) <= context else tail[:context] + "…"),
    ]
    return [(side, text) for side, text in pieces if text]


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
    start = 0
    shortest = min(len(before), len(after))
    while start < shortest and before[start] == after[start]:
        start += 1
    end = 0
    while end < shortest - start and before[-1 - end] == after[-1 - end]:
        end += 1
    for place in range(start, len(before) - end):
        yield Change(_joined(path, str(place)), before=before[place])
    for place in range(start, len(after) - end):
        yield Change(_joined(path, str(place)), after=after[place])


def _joined(path: str, step: str) -> str:
    return f"{path}.{step}" if path else step
