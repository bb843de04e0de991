"""The part of JSON Schema that the two schemas here use."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import tui.cli

_FOLDER = Path(tui.cli.__file__).parent / "documents"

_TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
}

_KNOWN = {
    "$schema", "$defs", "$ref", "title", "description", "type", "required", "properties",
    "additionalProperties", "items", "enum", "pattern", "minimum", "anyOf",
}  # fmt: skip


def violations(document: Any, name: str) -> list[str]:
    """What is wrong with a document, as sentences that begin with the place; empty if nothing."""
    root = json.loads((_FOLDER / f"{name}.json").read_text("utf-8"))
    return _check(document, root, root, "$")


def _check(value: Any, schema: dict[str, Any], root: dict[str, Any], place: str) -> list[str]:
    unknown = set(schema) - _KNOWN
    assert not unknown, f"the validator does not know {unknown}"
    if "$ref" in schema:
        return _check(value, root["$defs"][schema["$ref"].rpartition("/")[2]], root, place)
    if "anyOf" in schema:
        found = [_check(value, choice, root, place) for choice in schema["anyOf"]]
        return [] if any(not wrong for wrong in found) else [w for wrong in found for w in wrong]
    if "type" in schema and not _is_of(value, schema["type"]):
        return [f"{place}: {value!r} is not of type {schema['type']}"]
    wrong = []
    if "enum" in schema and value not in schema["enum"]:
        wrong.append(f"{place}: {value!r} is not one of {schema['enum']}")
    if "pattern" in schema and not re.search(schema["pattern"], value):
        wrong.append(f"{place}: {value!r} does not match {schema['pattern']}")
    if "minimum" in schema and value < schema["minimum"]:
        wrong.append(f"{place}: {value!r} is less than {schema['minimum']}")
    if isinstance(value, list) and "items" in schema:
        for index, item in enumerate(value):
            wrong += _check(item, schema["items"], root, f"{place}[{index}]")
    if isinstance(value, dict):
        wrong += _check_object(value, schema, root, place)
    return wrong


def _check_object(
    value: dict[str, Any], schema: dict[str, Any], root: dict[str, Any], place: str
) -> list[str]:
    wrong = [f"{place}: {key} is missing" for key in schema.get("required", ()) if key not in value]
    known = schema.get("properties", {})
    for key, item in value.items():
        part = known.get(key, schema.get("additionalProperties", {}))
        wrong += _check(item, part, root, f"{place}.{key}")
    return wrong


def _is_of(value: Any, names: str | list[str]) -> bool:
    wanted = [names] if isinstance(names, str) else names
    if isinstance(value, bool):
        return "boolean" in wanted
    return any(isinstance(value, _TYPES[name]) for name in wanted)
