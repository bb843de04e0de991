"""The reader of result lines for each style, and that of Anthropic Message Batches.

In an Anthropic line, ``result.type`` is ``succeeded``, ``errored``, ``canceled`` or
``expired``. The error type is in ``result.error.error.type``; ``result.error.type`` is always
"error". Lines of the form ``{"custom_id", "status", "response"}``, as written by helper
scripts, are read too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from tui.core.results.bodies import ResponseBody, holds_answer, read_answer
from tui.core.results.error_words import encoded, read_error
from tui.core.results.google.vertex import read_vertex_line
from tui.core.results.line_shapes import has_answer, normalised
from tui.core.results.openai_lines import (
    answered_row,
    convert_leniently,
    decode_row,
    failed_row,
    read_openai_line,
)
from tui.core.rows import Outcome, RowError, RowResult


class _Result(msgspec.Struct):
    type: str
    message: ResponseBody


class _Line(msgspec.Struct):
    custom_id: str
    result: _Result


_decode_answered = msgspec.json.Decoder(_Line).decode

_ENDED = {
    "canceled": (Outcome.CANCELLED, "Cancelled before it ran"),
    "cancelled": (Outcome.CANCELLED, "Cancelled before it ran"),
    "expired": (Outcome.EXPIRED, "Not run before the batch expired"),
}


def read_anthropic_line(line: bytes, rules: Mapping[str, bool] | None = None) -> RowResult:
    """Read one result line.

    Args:
        line: The line as bytes, without its line end.
        rules: The profile's error codes and whether they are retryable.

    Raises:
        UnreadableLineError: The line is not a JSON object, or has no ``custom_id``.
    """
    try:
        fast = _decode_answered(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _read_slowly(line, rules)
    if fast.result.type != "succeeded" or not holds_answer(fast.result.message):
        return _read_slowly(line, rules)
    return answered_row(fast.custom_id, read_answer(fast.result.message))


def _read_slowly(line: bytes, rules: Mapping[str, bool] | None) -> RowResult:
    custom_id, value = decode_row(line)
    result = value.get("result")
    if not isinstance(result, dict):
        result = {"type": value.get("status"), "message": value.get("response"), **value}
    kind = result.get("type")
    if kind == "succeeded":
        return _answered_leniently(custom_id, result.get("message"), rules)
    if isinstance(kind, str) and kind in _ENDED:
        outcome, words = _ENDED[kind]
        error = RowError(message=words, retryable=True)
        return RowResult(custom_id=custom_id, outcome=outcome, error=error)
    facts = read_error(result.get("error"), rules=rules)
    message = facts.message or (encoded(result["error"]) if result.get("error") else "")
    if not message:
        message = f"Unknown result type {kind!r}" if kind != "errored" else "No reason given"
    return RowResult(
        custom_id=custom_id,
        outcome=Outcome.FAILED,
        http_status=facts.status,
        error=RowError(code=facts.code, message=message, retryable=facts.retryable),
    )


def _answered_leniently(
    custom_id: str, message: Any, rules: Mapping[str, bool] | None
) -> RowResult:
    """A success whose message is plain text, or has fields of unexpected types, or no answer."""
    if isinstance(message, str):
        return RowResult(custom_id=custom_id, outcome=Outcome.SUCCEEDED, text=message)
    if not isinstance(message, dict):
        error = RowError(message="Succeeded, but without a message")
        return RowResult(custom_id=custom_id, outcome=Outcome.FAILED, error=error)
    message = normalised(message)
    if not has_answer(message):
        return failed_row(custom_id, None, message, rules=rules)
    return answered_row(custom_id, read_answer(convert_leniently(message)))


Reader = Callable[[bytes, Mapping[str, bool] | None], RowResult]
"""Reads a line, given the profile's retry codes; raises ``UnreadableLineError``."""

READERS: dict[str, Reader] = {
    "openai": read_openai_line,
    "messages": read_anthropic_line,
    "vertex": read_vertex_line,
}
"""Readers by the style of the result lines, as named by the dialect."""
