"""Fireworks' rows: requests without a model, checked as a whole before any of them runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from tui.sandbox import outcomes
from tui.sandbox.bodies import chat
from tui.sandbox.rows import Problem, Rendered, Row, RowFormat
from tui.sandbox.state import StoredBatch

_encode = msgspec.json.encode
_ROLES = ("system", "user", "assistant", "tool")
_DEFAULTS = {
    "maxTokens": "max_tokens",
    "temperature": "temperature",
    "topP": "top_p",
    "topK": "top_k",
    "n": "n",
}
"""Parameters of a job, and the names of a request for which they are defaults."""


def check(entry: dict[str, Any], endpoint: str) -> Problem | None:
    """Require a chat request; one line that is wrong fails the whole job."""
    body = entry.get("body")
    if not isinstance(body, dict):
        return Problem("invalid_body", "body must be an object", "body")
    turns = body.get("messages")
    if not isinstance(turns, list) or not turns:
        return Problem("invalid_messages", "messages are required", "messages")
    for place, turn in enumerate(turns):
        role = turn.get("role") if isinstance(turn, dict) else None
        if role not in _ROLES:
            text = f"invalid role {role} in message {place + 1}, must be 'system', 'user',"
            return Problem("invalid_role", f"{text} 'assistant' or 'tool'", "messages")
    return None


def render(row: Row) -> Rendered:
    """Build the result line; a row that failed is in the other file."""
    if row.succeeded:
        body, spent, made = chat(row)
        line = _encode({"custom_id": row.custom_id, "response": body})
        return Rendered(line, False, spent, made)
    text = outcomes.error_body(row.outcome, row.url, row.body)["error"]["message"]
    error = {"code": row.status, "message": text}
    return Rendered(_encode({"custom_id": row.custom_id, "error": error}), True)


def no_fault(url: str, body: Any, extra: dict[str, Any]) -> str:
    """Accept what `check` accepted."""
    return ""


@dataclass(frozen=True)
class FireworksRows(RowFormat):
    """Rows that take their model and defaults from the job."""

    def row(self, entry: dict[str, Any], raw: bytes, index: int, batch: StoredBatch) -> Row:
        """Build the row of an input line."""
        given = batch.extra["parameters"]
        body = {_DEFAULTS[name]: value for name, value in given.items() if name in _DEFAULTS}
        body |= msgspec.json.decode(given.get("extraBody") or "{}")
        body |= entry["body"] | {"model": batch.extra["model"]}
        return super().row({**entry, "body": body}, raw, index, batch)


ROW_FORMAT = FireworksRows(
    render=render,
    check=check,
    fault=no_fault,
    unrun_reasons=frozenset(),
    max_rows=1_000_000,
)
"""The row format."""
