"""Documents against the schemas that ``batchdeck schema`` prints."""

from __future__ import annotations

from functools import cache
from typing import Any

import jsonschema_rs

from tui.cli.schema import load


def violations(document: Any, name: str) -> list[str]:
    """What is wrong with a document, as ``place: message``; empty if nothing.

    A field that the schema does not know is wrong too: nothing is printed that is not told.
    """
    return [
        f"{'.'.join(map(str, ('$', *error.instance_path)))}: {error.message}"
        for error in _validator(name).iter_errors(document)
    ]


@cache
def _validator(name: str) -> jsonschema_rs.Draft202012Validator:
    jsonschema_rs.meta.validate(load(name))
    return jsonschema_rs.Draft202012Validator(_closed(load(name)))


def _closed(part: Any) -> Any:
    """A schema in which objects have the properties that are named, and no others."""
    if isinstance(part, list):
        return [_closed(item) for item in part]
    if not isinstance(part, dict):
        return part
    closed = {key: _closed(value) for key, value in part.items()}
    if isinstance(part.get("properties"), dict) and "type" in part:
        closed.setdefault("additionalProperties", False)
    return closed
