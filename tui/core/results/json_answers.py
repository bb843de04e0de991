"""The JSON in an answer: bare, or in a fence as chat models like to write it."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from tui.core.entities import with_both_spellings
from tui.core.rows import Row, RowError, RowLine

_FENCE = re.compile(
    r"^[ \t]*```[ \t]*(?:json|JSON|jsonc|json5)?[ \t]*\r?\n(.*?)^[ \t]*```", re.S | re.M
)
_FENCED_WITHIN = 4 << 20
"""Characters of an answer in which a fence is looked for."""

_decode = msgspec.json.Decoder().decode


def json_in(text: str) -> str | None:
    """The part of an answer that is an object or an array in JSON; ``None`` without one.

    It is the whole answer, or the only fenced block of it that holds JSON.
    """
    stripped = text.strip()
    if stripped.startswith(("{", "[")):
        return stripped if _parses(stripped) else None
    if "```" not in stripped or len(stripped) > _FENCED_WITHIN:
        return None
    found = [
        block.strip()
        for block in _FENCE.findall(stripped)
        if block.lstrip().startswith(("{", "[")) and _parses(block)
    ]
    return found[0] if len(found) == 1 else None


def parsed_answer(text: str) -> Any:
    """The answer as JSON where it is, or holds, an object or an array; else ``None``."""
    found = json_in(text)
    return None if found is None else with_both_spellings(_decode(found))


def _parses(text: str) -> bool:
    try:
        _decode(text)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return False
    return True


def row_line(row: Row, text: str, error: RowError | None) -> RowLine:
    """A row as scripts get it, with its whole answer and the whole message of its error."""
    return RowLine(
        custom_id=row.custom_id,
        outcome=row.outcome,
        attempt=row.attempt,
        http_status=row.http_status,
        error=error,
        finish_reason=row.finish_reason,
        model=row.model,
        text=text,
        data=parsed_answer(text),
        usage=row.usage,
        cost=row.cost,
    )
