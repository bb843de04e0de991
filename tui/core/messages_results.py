"""Reading one result line of an Anthropic Message Batch.

``result.type`` is ``succeeded``, ``errored``, ``canceled`` or ``expired``. The kind of an error
stands at ``result.error.error.type``: ``result.error.type`` is always the word "error". Lines
of the form ``{"custom_id", "status", "response"}``, which helper scripts write, are read too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from tui.core.bodies import Answer, Body, answer_of
from tui.core.outcome import Outcome
from tui.core.results import UnreadableLineError, decode_lenient
from tui.core.retrying import retryable
from tui.core.rows import RowError, RowResult


class _Result(msgspec.Struct):
    type: str
    message: Body


class _Line(msgspec.Struct):
    custom_id: str
    result: _Result


_decode_answered = msgspec.json.Decoder(_Line).decode

_ENDED = {
    "canceled": (Outcome.CANCELLED, "Cancelled before it was run"),
    "cancelled": (Outcome.CANCELLED, "Cancelled before it was run"),
    "expired": (Outcome.EXPIRED, "Not run before the batch expired"),
}


def read_messages_line(line: bytes, rules: Mapping[str, bool] | None = None) -> RowResult:
    """What one result line says.

    Args:
        line: The bytes of the line, without its end.
        rules: The profile's codes and whether they can be retried.

    Raises:
        UnreadableLineError: Not a JSON object, or without a ``custom_id``.
    """
    try:
        fast = _decode_answered(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _read_slowly(line, rules)
    if fast.result.type != "succeeded":
        return _read_slowly(line, rules)
    return _answered(fast.custom_id, answer_of(fast.result.message))


def _answered(custom_id: str, answer: Answer) -> RowResult:
    outcome = Outcome.SUCCEEDED
    if answer.refused:
        outcome = Outcome.REFUSED
    elif answer.truncated:
        outcome = Outcome.TRUNCATED
    return RowResult(
        custom_id=custom_id,
        outcome=outcome,
        finish_reason=answer.finish_reason,
        model=answer.model,
        text=answer.text,
        usage=answer.usage,
    )


def _read_slowly(line: bytes, rules: Mapping[str, bool] | None) -> RowResult:
    value = decode_lenient(line)
    if not isinstance(value, dict):
        raise UnreadableLineError("not a JSON object")
    custom_id = value.get("custom_id")
    if not isinstance(custom_id, str):
        raise UnreadableLineError("no custom_id")
    result = value.get("result")
    if not isinstance(result, dict):
        result = {"type": value.get("status"), "message": value.get("response"), **value}
    kind = result.get("type")
    if kind == "succeeded":
        return _answered_oddly(custom_id, result.get("message"))
    if isinstance(kind, str) and kind in _ENDED:
        outcome, words = _ENDED[kind]
        error = RowError(message=words, retryable=True)
        return RowResult(custom_id=custom_id, outcome=outcome, error=error)
    code, message = _error(result.get("error"))
    if not message:
        message = f"The result is {kind!r}" if kind != "errored" else "No reason was given"
    return RowResult(
        custom_id=custom_id,
        outcome=Outcome.FAILED,
        error=RowError(code=code, message=message, retryable=retryable(None, code, rules)),
    )


def _answered_oddly(custom_id: str, message: Any) -> RowResult:
    """A success of which the message is plain text, or has a field of an unexpected type."""
    if isinstance(message, str):
        return RowResult(custom_id=custom_id, outcome=Outcome.SUCCEEDED, text=message)
    if not isinstance(message, dict):
        error = RowError(message="Succeeded, but without a message")
        return RowResult(custom_id=custom_id, outcome=Outcome.FAILED, error=error)
    fitting: dict[str, Any] = {}
    for name, part in message.items():
        try:
            msgspec.convert({name: part}, Body)
        except msgspec.ValidationError:
            continue
        fitting[name] = part
    return _answered(custom_id, answer_of(msgspec.convert(fitting, Body)))


def _error(error: Any) -> tuple[str | None, str]:
    """Code and message, from ``{"type": "error", "error": {"type", "message"}}`` or less."""
    if isinstance(error, str):
        return None, error
    if not isinstance(error, dict):
        return None, ""
    inner = error.get("error")
    if isinstance(inner, (dict, str)) and inner:
        return _error(inner)
    kind = error.get("type") or error.get("code")
    message = error.get("message")
    return (str(kind) if kind else None), message if isinstance(message, str) else ""
