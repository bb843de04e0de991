"""Typed columns that are filled page by page: the kinds of values, and how kinds are joined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

import msgspec

from tui.store.export.rows import MAX_DEPTH

Scalar = Literal["null", "text", "integer", "number", "boolean"]

_SMALLEST, _LARGEST = -(2**63), 2**63 - 1


@dataclass(frozen=True)
class ColumnType:
    """The type of a column: a scalar, or a list of scalars.

    Values of several kinds, and objects, have the type ``text`` and are written as JSON.
    """

    scalar: Scalar
    is_list: bool = False


NOTHING = ColumnType("null")
"""The type of a column that has no value yet."""

TEXT = ColumnType("text")
INTEGER = ColumnType("integer")
NUMBER = ColumnType("number")

_SCALARS: dict[type, Scalar] = {
    type(None): "null",
    str: "text",
    int: "integer",
    float: "number",
    bool: "boolean",
}


def joined_type(one: ColumnType, other: ColumnType) -> ColumnType:
    """The type that has room for the values of both."""
    if one == other or other == NOTHING:
        return one
    if one == NOTHING:
        return other
    if one.is_list != other.is_list:
        return TEXT
    if {one.scalar, other.scalar} == {"integer", "number"}:
        return replace(one, scalar="number")
    if one.is_list and "null" in (one.scalar, other.scalar):
        return other if one.scalar == "null" else one
    return TEXT


def type_of(value: Any) -> ColumnType:
    """The type of one JSON value."""
    scalar = _SCALARS.get(type(value))
    if scalar == "integer" and not _SMALLEST <= value <= _LARGEST:
        return TEXT
    if scalar is not None:
        return ColumnType(scalar)
    if not isinstance(value, list):
        return TEXT
    kinds = {type_of(one) for one in value} - {NOTHING}
    if not kinds:
        return ColumnType("null", is_list=True)
    if kinds == {INTEGER, NUMBER}:
        return ColumnType("number", is_list=True)
    if len(kinds) > 1:
        return TEXT
    (inner,) = kinds
    holds_json = inner == TEXT and not all(one is None or type(one) is str for one in value)
    return TEXT if inner.is_list or holds_json else replace(inner, is_list=True)


def type_of_all(values: Sequence[Any], known: ColumnType = NOTHING) -> ColumnType:
    """The type that has room for all values."""
    for value in values:
        if value is not None:
            known = joined_type(known, type_of(value))
    return known


def converted(values: Sequence[Any], to: ColumnType) -> list[Any]:
    """The values in the form of a type that has room for them."""
    if to == TEXT:
        return [one if one is None or isinstance(one, str) else _json(one) for one in values]
    if to.scalar == "number":
        if to.is_list:
            return [None if one is None else [_float(each) for each in one] for one in values]
        return [_float(one) for one in values]
    return list(values)


def _float(value: Any) -> float | None:
    return None if value is None else float(value)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


_JSON_TYPES: dict[str, Scalar] = {
    "string": "text",
    "integer": "integer",
    "number": "number",
    "boolean": "boolean",
}


def schema_columns(schema: Mapping[str, Any] | None) -> dict[str, ColumnType]:
    """The columns that answers of a JSON schema have, by the path of their field."""
    found: dict[str, ColumnType] = {}
    _add_properties(found, "", schema or {}, MAX_DEPTH)
    return found


def _add_properties(
    found: dict[str, ColumnType], prefix: str, schema: Mapping[str, Any], depth: int
) -> None:
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return
    for name, one in properties.items():
        inner = one if isinstance(one, dict) else {}
        if isinstance(inner.get("properties"), dict) and inner["properties"] and depth > 1:
            _add_properties(found, f"{prefix}{name}.", inner, depth - 1)
        else:
            found[prefix + name] = _type_of_schema(inner)


def _type_of_schema(schema: Mapping[str, Any]) -> ColumnType:
    kind = schema.get("type")
    if isinstance(kind, list):
        kinds = [one for one in kind if one != "null"]
        kind = kinds[0] if len(kinds) == 1 else None
    if not isinstance(kind, str):
        return NOTHING
    if kind == "array":
        items = schema.get("items")
        inner = _type_of_schema(items if isinstance(items, dict) else {})
        return ColumnType(inner.scalar, is_list=True) if not inner.is_list else NOTHING
    scalar = _JSON_TYPES.get(kind)
    return NOTHING if scalar is None else ColumnType(scalar)


class ColumnLibrary(Protocol):
    """Makes the columns of a library: pandas, polars, pyarrow, or plain lists."""

    def array(self, values: list[Any], kind: ColumnType) -> Any:
        """A part of a column."""
        ...

    def values(self, array: Any) -> list[Any]:
        """The values of a part as Python's own."""
        ...

    def joined(self, arrays: list[Any], kind: ColumnType) -> Any:
        """Parts of one type as one column."""
        ...


class TypedColumn:
    """A column that is filled page by page; its type follows from its values.

    Only the values of one page are Python objects at a time.

    Args:
        library: Makes the parts.
        kind: The type that the column has at least.
        rows: Rows without a value before the first page.
    """

    def __init__(self, library: ColumnLibrary, kind: ColumnType = NOTHING, rows: int = 0) -> None:
        self._library = library
        self._kind = kind
        self._parts: list[tuple[ColumnType, Any]] = []
        if rows:
            self.add([None] * rows)

    def add(self, values: Sequence[Any]) -> None:
        """Add the values of a page."""
        kind = type_of_all(values, self._kind)
        self._kind = kind
        self._parts.append((kind, self._library.array(converted(values, kind), _stored(kind))))

    def finish(self) -> Any:
        """The whole column, in one type."""
        kind = _stored(self._kind)
        arrays = []
        for made, array in self._parts:
            if _stored(made) != kind:
                values = self._library.values(array)
                if made == NOTHING:
                    values = [None] * len(values)
                array = self._library.array(converted(values, self._kind), kind)
            arrays.append(array)
        self._parts = []
        return self._library.joined(arrays or [self._library.array([], kind)], kind)


def _stored(kind: ColumnType) -> ColumnType:
    """The type as libraries have it: what is empty is text."""
    return replace(kind, scalar="text") if kind.scalar == "null" else kind
