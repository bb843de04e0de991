"""What a provider refuses in a row, or needs in it, as data."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

_STEP = re.compile(r"(?P<name>[^.\[\]]+)(?:\[(?P<key>[^=\]]+)=(?P<value>[^\]]*)\])?")


class Refusal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Fields of a body that a provider does not take.

    A field is a dotted path; ``name[key=value]`` stands for the objects of a list in which
    ``key`` is ``value``: ``messages[role=user].content[type=text].citations``.

    Attributes:
        fields: The paths. One that is null, an empty list or object, or not there, is never
            refused.
        why: The reason, as a sentence that the field is the subject of.
        values: Only these values are refused; none named: all.
        models: A regular expression that the whole name of the model has to match; empty:
            every model.
        since: From this API version on (see ``messages.version`` of a profile).
    """

    fields: tuple[str, ...]
    why: str
    values: tuple[Any, ...] = ()
    models: str = ""
    since: str = ""


class Need(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A field that has to be in every body, under one of several names; see ``Refusal``."""

    fields: tuple[str, ...]
    why: str
    models: str = ""


def found_at(body: Any, path: str) -> Iterator[Any]:
    """The values at a path that are neither null nor an empty list or object."""
    found = [body]
    for step in _STEP.finditer(path):
        found = [inner for value in found for inner in _inside(value, step)]
    return (value for value in found if value not in (None, [], {}))


def remove_at(body: Any, path: str) -> None:
    """Take what is at a path out of a body; one that leads nowhere changes nothing."""
    *way, last = _STEP.finditer(path)
    found = [body]
    for step in way:
        found = [inner for value in found for inner in _inside(value, step)]
    for value in found:
        if not isinstance(value, dict):
            continue
        if last["key"] is None:
            value.pop(last["name"], None)
        elif isinstance(value.get(last["name"]), list):
            items = value[last["name"]]
            items[:] = [item for item in items if not _fits(item, last)]


def is_path(text: str) -> bool:
    """Is this a path as ``Refusal`` has them?"""
    return ".".join(step[0] for step in _STEP.finditer(text)) == text != ""


def _inside(value: Any, step: re.Match[str]) -> list[Any]:
    if not isinstance(value, dict) or step["name"] not in value:
        return []
    inner = value[step["name"]]
    if step["key"] is None:
        return [inner]
    return [item for item in inner if _fits(item, step)] if isinstance(inner, list) else []


def _fits(item: Any, step: re.Match[str]) -> bool:
    return isinstance(item, dict) and item.get(step["key"]) == step["value"]
