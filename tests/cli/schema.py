"""Documents against the schemas that ``batchdeck schema`` prints."""

from __future__ import annotations

from functools import cache
from typing import Any

import jsonschema_rs

from tui.cli.commands.maintenance import load


def violations(document: Any, name: str) -> list[str]:
    """The violations of a schema, as ``path: message``; empty if there are none.

    Fields that the schema does not describe are violations too.
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
    """The schema without additional properties."""
    if isinstance(part, list):
        return [_closed(item) for item in part]
    if not isinstance(part, dict):
        return part
    closed = {key: _closed(value) for key, value in part.items()}
    if isinstance(part.get("properties"), dict) and "type" in part:
        closed.setdefault("additionalProperties", False)
    return closed
