"""Paths into JSON values: get, set and remove what is there.

A path is dotted: ``response_format.type``. A number is an index into a list
(``messages.0.content``, or ``messages[0].content``), and ``name[key=value]`` selects the objects of
a list whose ``key`` is ``value``: ``messages[role=user].content[type=text].text``. A name with
dots, brackets or spaces is written as a JSON string: ``"first name".0``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from tui.core.text import quoted
from tui.errors import UsageError

_STEP = re.compile(
    r'("(?:[^"\\]|\\.)*"(?=[.\[]|$)|[^.\[\]]+)((?:\[\d{1,9}\])*)(?:\[([^=\]]+)=([^\]]*)\])?'
)
_INDEX = re.compile(r"\d+")
_PLAIN_NAME = re.compile(r"[^\W\d][\w-]*|\d{1,9}")


class PathError(UsageError, ValueError):
    """A path is invalid, or does not exist in a value."""


class _Step(NamedTuple):
    name: str
    place: int | None
    key: str | None
    value: str | None


@lru_cache(maxsize=1024)
def _steps(path: str) -> tuple[_Step, ...]:
    """The steps of a path; empty if it is invalid."""
    found = list(_STEP.finditer(path))
    if ".".join(match[0] for match in found) != path:
        return ()
    steps: list[_Step] = []
    for match in found:
        name, indexes, key, value = match.groups()
        number = int(name) if name.isdecimal() and len(name) < 10 else None
        names = [
            (unquote_step(name), number),
            *((one, int(one)) for one in _INDEX.findall(indexes)),
        ]
        steps += (_Step(*each, None, None) for each in names[:-1])
        steps.append(_Step(*names[-1], key, value))
    return tuple(steps)


def quote_step(name: str) -> str:
    """The name of a field as a step of a path, as a JSON string if it has to be."""
    if _PLAIN_NAME.fullmatch(name):
        return name
    return '"' + json.dumps(name, ensure_ascii=False)[1:-1].replace('\\"', "\\u0022") + '"'


def unquote_step(step: str) -> str:
    """The name of a field that ``quote_step`` has written."""
    if len(step) < 2 or not (step.startswith('"') and step.endswith('"')):
        return step
    try:
        name = json.loads(step)
    except ValueError:
        return step
    return name if isinstance(name, str) else step


def is_path(text: str) -> bool:
    """Whether the text is a valid path."""
    return bool(_steps(text))


def first_name(path: str) -> str | None:
    """The name of the first step of a path; ``None`` if the path is invalid."""
    steps = _steps(path)
    return steps[0].name if steps else None


def _slots(value: Any, step: _Step) -> list[tuple[Any, Any]]:
    """The containers and keys (or indexes) that a step leads to, if they exist."""
    key: Any
    if isinstance(value, dict) and step.name in value:
        key = step.name
    elif isinstance(value, list) and step.place is not None and step.place < len(value):
        key = step.place
    else:
        return []
    if step.key is None:
        return [(value, key)]
    items = value[key]
    if not isinstance(items, list):
        return []
    return [
        (items, number)
        for number, item in enumerate(items)
        if isinstance(item, dict) and item.get(step.key) == step.value
    ]


def find(value: Any, path: str) -> list[Any]:
    """All values at a path; empty if there is none."""
    steps = _steps(path)
    found = [value] if steps else []
    for step in steps:
        found = [inner[key] for outer in found for inner, key in _slots(outer, step)]
    return found


def get(value: Any, path: str) -> Any:
    """The first value at a path; ``None`` if there is none."""
    return next(iter(find(value, path)), None)


def set_value(value: Any, path: str, new: Any) -> None:
    """Set what is at a path, in place.

    Missing objects on the way are created; the index after the last item of a list appends.

    Raises:
        PathError: The path is invalid, goes through a value that is neither object nor list,
            uses an index that the list does not have, or selects nothing.
    """
    *parents, last = _valid_steps(path)
    targets = [value]
    for step in parents:
        targets = _descend(targets, step, path, create=True)
    for target in targets:
        slots = _slots(target, last)
        for container, key in slots:
            container[key] = new
        if slots:
            continue
        if isinstance(target, dict) and last.key is None:
            target[last.name] = new
        elif isinstance(target, list) and last.key is None and last.place == len(target):
            target.append(new)
        else:
            raise _missing(path, last)


def remove(value: Any, path: str, *, strict: bool = False) -> None:
    """Remove what is at a path, in place; a missing field changes nothing.

    Args:
        value: The outermost value.
        path: The path.
        strict: Raise if the path goes through a value that is neither object nor list, uses an
            index that the list does not have, or selects nothing.

    Raises:
        PathError: The path is invalid, or see ``strict``.
    """
    targets = [value]
    slots: list[tuple[Any, Any]] = []
    for step in _valid_steps(path):
        if strict:
            _descend(targets, step, path)
        slots = [slot for target in targets for slot in _slots(target, step)]
        targets = [container[key] for container, key in slots]
    for container, key in reversed(slots):
        del container[key]


def _valid_steps(path: str) -> tuple[_Step, ...]:
    steps = _steps(path)
    if not steps:
        raise PathError(
            f"invalid path {quoted(path)}", "Separate the steps by dots, as in messages.0.content."
        )
    return steps


def _descend(targets: list[Any], step: _Step, path: str, *, create: bool = False) -> list[Any]:
    """The values that a step leads to from each target.

    A field that an object does not have leads to nothing, or is created as an object.

    Raises:
        PathError: The step is not possible in a target.
    """
    found: list[Any] = []
    for target in targets:
        slots = _slots(target, step)
        found += [container[key] for container, key in slots]
        if slots:
            continue
        absent = isinstance(target, dict) and step.name not in target
        if not absent or (create and step.key is not None):
            raise _missing(path, step)
        if create:
            found.append(target.setdefault(step.name, {}))
    return found


def _missing(path: str, step: _Step) -> PathError:
    name = step.name if step.key is None else f"{step.name}[{step.key}={step.value}]"
    return PathError(
        f"the path {quoted(path)} does not exist in the request: no {quoted(name)}",
        "Check the path; list indexes start at 0.",
    )


def parse_value(text: str) -> Any:
    """Parse a value typed by the user: JSON if it is valid, else the text itself."""
    try:
        return msgspec.json.decode(text)
    except (ValueError, RecursionError):
        return text


def parse_setting(text: str) -> tuple[str, Any]:
    """Parse ``path=value``; see ``parse_value``.

    Raises:
        UsageError: There is no ``=``, or no path before it.
    """
    path, equals, value = text.partition("=")
    if not equals or not all(step.strip() for step in path.split(".")):
        raise UsageError(
            f"invalid setting {quoted(text)}", "Write path=value, such as temperature=0.2."
        )
    return path.strip(), parse_value(value)


def parse_settings(texts: Iterable[str]) -> dict[str, Any]:
    """Parse several ``path=value``; the last one for a path wins."""
    return dict(parse_setting(text) for text in texts)


def apply_settings(body: dict[str, Any], settings: Mapping[str, Any]) -> None:
    """Set fields of a body in place; see ``set_value``.

    Raises:
        PathError: A path does not fit the body.
    """
    for path, value in settings.items():
        set_value(body, path, value)


def noting_repeated(found: list[str]) -> Callable[[list[tuple[str, Any]]], dict[str, Any]]:
    """An ``object_pairs_hook`` of ``json`` that notes the names that an object has twice.

    Args:
        found: Gets the names; of each the last value is in the object.
    """

    def read(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(pairs)
        if len(value) < len(pairs):
            names = [name for name, _ in pairs]
            found.extend(name for name in value if names.count(name) > 1)
        return value

    return read
