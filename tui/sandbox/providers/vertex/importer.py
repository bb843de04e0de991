"""How Vertex reads the rows of Gemini: into a table, whose columns all rows of a file share.

One row that does not fit fails the whole job before any row runs. Source: errors of real jobs, as
an adapter's public notes of 2026-09-02 list them; the limits are those of BigQuery's schemas.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

PREFIX = (
    "Failed to import data. Please check 'Prepare input' section of the batch predictions "
    "documentation. "
)
"""How the message of every such failure begins."""
_MAX_LEVELS = 15
_FORBIDDEN = frozenset('!"$()*,./;?@[\\]^`{}~')
_decode = msgspec.json.Decoder().decode


class _ImportError(Exception):
    """A row does not fit into the table."""


def problem_of(path: Path) -> str:
    """Why the rows of a file cannot be imported; empty if they can."""
    columns: dict[str, bool] = {}
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = _decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError):
                return f"{PREFIX}JSON parsing error in row {number}: Parser terminated before end"
            if not isinstance(row, dict):
                return f"{PREFIX}JSON parsing error in row {number}: not an object"
            try:
                _check_struct(row, "", 1, columns)
            except _ImportError as problem:
                return f"{PREFIX}{problem}"
    return ""


def _check_struct(value: dict[str, Any], path: str, level: int, columns: dict[str, bool]) -> None:
    if level > _MAX_LEVELS:
        text = f"Schema nested too deeply, at least {level} compared to the maximum allowed level"
        raise _ImportError(f"{text} of {_MAX_LEVELS}.")
    if not value:
        raise _ImportError(f"Cannot store struct '{path}' with no fields.")
    for name, item in value.items():
        if not name or not _FORBIDDEN.isdisjoint(name):
            raise _ImportError(f'Invalid field name "{name}".')
        _check(item, f"{path}.{name}".lstrip("."), level + 1, columns)


def _check(value: Any, path: str, level: int, columns: dict[str, bool]) -> None:
    if value is None:
        return
    repeated = isinstance(value, list)
    if columns.setdefault(path, repeated) != repeated:
        raise _ImportError(f"Repeated field must be imported as a JSON array. Field: {path}.")
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, dict):
            _check_struct(item, path, level, columns)
        elif repeated and item is None:
            raise _ImportError(f"Only optional fields can be set to NULL. Field: {path}.")
