"""The fields of JSON answers as columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

MOST_FIELDS = 256
"""Fields that get a column; what else there is stands together in the last one."""

_DEPTH = 4
REST = "data.*"
"""The column of the fields that got none, as a JSON object."""


class Fields:
    """The fields that answers were found to have, in the order in which they came up."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}
        self._has_rest = False

    def look_at(self, answers: Iterable[Any]) -> None:
        """Take in the fields of some answers."""
        for data in answers:
            for name, _ in flattened(data):
                if name in self._places:
                    continue
                if len(self._places) < MOST_FIELDS:
                    self._places[name] = len(self._places)
                else:
                    self._has_rest = True

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns: ``data.label``, ``data.score``."""
        return (*self._places, *((REST,) if self._has_rest else ()))

    def values(self, data: Any) -> list[Any]:
        """The values of one answer, one for each column; ``None`` where it has none."""
        values: list[Any] = [None] * len(self._places)
        rest: dict[str, Any] = {}
        for name, value in flattened(data):
            place = self._places.get(name)
            if place is None:
                rest[name] = value
            else:
                values[place] = value
        if self._has_rest:
            values.append(rest or None)
        return values


def flattened(data: Any) -> Iterator[tuple[str, Any]]:
    """The fields of an answer by dotted path; lists, and what is nested deeply, stay whole."""
    if data is None:
        return
    yield from _walk("data", data, _DEPTH)


def _walk(name: str, value: Any, depth: int) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value and depth:
        for key, inner in value.items():
            yield from _walk(f"{name}.{key}", inner, depth - 1)
    else:
        yield name, value
