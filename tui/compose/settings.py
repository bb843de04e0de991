"""Setting any field of a body by its path: ``temperature=0.2``, ``metadata.team=ops``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from tui.core.text import quoted
from tui.errors import UsageError


def parse_setting(text: str) -> tuple[str, Any]:
    """Cut ``path=value`` into both; the value is JSON, or a text where it is no JSON.

    Raises:
        UsageError: There is no ``=``, or no path before it.
    """
    path, equals, value = text.partition("=")
    path = path.strip()
    if not equals or not all(step.strip() for step in path.split(".")):
        raise UsageError(
            f"{quoted(text)} sets nothing", "Write path=value, such as temperature=0.2."
        )
    try:
        return path, msgspec.json.decode(value)
    except (ValueError, RecursionError):
        return path, value


def parse_settings(texts: Iterable[str]) -> dict[str, Any]:
    """Several ``path=value``; the last one for a path counts."""
    return dict(parse_setting(text) for text in texts)


def apply_settings(body: dict[str, Any], settings: Mapping[str, Any]) -> None:
    """Set fields of a body in place.

    Objects on the way are made where they are missing. A number in a path is a place in a
    list; the place after the last one adds to it.

    Raises:
        UsageError: A path leads through something that is neither object nor list, or to a
            place that the list does not have.
    """
    for path, value in settings.items():
        steps = path.split(".")
        target: Any = body
        for step in steps[:-1]:
            if isinstance(target, dict):
                target = target.setdefault(step, {})
            else:
                target = target[_place(target, step, path, more=False)]
        last = steps[-1]
        if isinstance(target, dict):
            target[last] = value
            continue
        place = _place(target, last, path, more=True)
        target[place : place + 1] = [value]


def _place(target: Any, step: str, path: str, *, more: bool) -> int:
    if isinstance(target, list) and step.isdecimal() and int(step) < len(target) + more:
        return int(step)
    raise UsageError(
        f"{quoted(path)} leads nowhere in the request: no {quoted(step)} there",
        "Look at the path; the places in a list count from 0.",
    )
