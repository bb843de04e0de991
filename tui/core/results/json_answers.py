"""JSON in the text of an answer: bare, in a fenced block, or the arguments of a tool call."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from tui.core.rows import Row, RowError, RowLine

_SPELLINGS = (("text", "value"), ("confidence", "score"))


def normalise_entities(data: Any) -> Any:
    """Add ``text`` and ``confidence`` to the entities of an answer; others are unchanged."""
    if not isinstance(data, dict) or not isinstance(data.get("entities"), list):
        return data
    return {**data, "entities": [_normalised(entity) for entity in data["entities"]]}


def _normalised(entity: Any) -> Any:
    if not isinstance(entity, dict):
        return entity
    added = {
        usual: entity[other]
        for usual, other in _SPELLINGS
        if usual not in entity and other in entity
    }
    return {**entity, **added}


_FENCE = re.compile(
    r"^[ \t]*```[ \t]*(?:json|JSON|jsonc|json5)?[ \t]*\r?\n(.*?)^[ \t]*```", re.S | re.M
)
_CALL = re.compile(r"(?:\A|\n\n)[\w.:/-]+\((\{.*\})\)\Z", re.S)
"""A tool call as the readers write it, behind what the model said before; two are no JSON."""

_LONGEST_FENCED = 4 << 20
"""Longest answer, in characters, that is searched for a fence."""

_decode = msgspec.json.Decoder().decode


def extract_json(text: str) -> str | None:
    """The JSON object or array in an answer; ``None`` without one.

    It is the whole answer, the arguments of its only tool call, or its only fenced block that
    holds JSON.
    """
    return _found(text)[0]


def parse_answer(text: str) -> Any:
    """The decoded JSON object or array in an answer; ``None`` without one."""
    return normalise_entities(_found(text)[1])


def _found(text: str) -> tuple[str | None, Any]:
    """The JSON in an answer and its value; both are ``None`` without one."""
    stripped = text.strip()
    if stripped.startswith(("{", "[")):
        value = _decoded(stripped)
        return (None if value is None else stripped), value
    if stripped.endswith("})") and (call := _CALL.search(stripped)) is not None:
        value = _decoded(call[1])
        return (None if value is None else call[1]), value
    if "```" not in stripped or len(stripped) > _LONGEST_FENCED:
        return None, None
    found = [
        (block.strip(), value)
        for block in _FENCE.findall(stripped)
        if block.lstrip().startswith(("{", "[")) and (value := _decoded(block)) is not None
    ]
    return found[0] if len(found) == 1 else (None, None)


def _decoded(text: str) -> Any:
    """The value of an object or array; ``None`` if it is not valid."""
    try:
        return _decode(text)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return None


def row_line(row: Row, text: str, error: RowError | None) -> RowLine:
    """The exported form of a row, with the full answer and error message."""
    return RowLine(
        custom_id=row.custom_id,
        outcome=row.outcome,
        attempt=row.attempt,
        http_status=row.http_status,
        error=error,
        finish_reason=row.finish_reason,
        model=row.model,
        text=text,
        data=parse_answer(text),
        usage=row.usage,
        cost=row.cost,
    )
