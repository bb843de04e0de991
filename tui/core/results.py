"""Reading one result line of an OpenAI-shaped output or error file.

The shapes are in the wire facts: ``response`` with a body, ``response`` with a non-2xx
status, ``response: null`` with ``error``, and the variants of Azure, Voyage, vLLM,
OpenRouter, Melious and Doubleword. A row is a success only when there is no error, the
status is 2xx and there is a body.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from tui.core.bodies import Answer, Body, Number, answer_of, plain_text, usage_of
from tui.core.outcome import Outcome
from tui.core.retrying import retryable
from tui.core.rows import RowError, RowResult


class UnreadableLineError(ValueError):
    """A result line that is not a JSON object with a ``custom_id``."""


class _Response(msgspec.Struct, gc=False):
    status_code: Number | None = None
    body: Body | None = None


class _Line(msgspec.Struct, gc=False):
    custom_id: str
    response: _Response | None = None
    error: Any = None


_decode_line = msgspec.json.Decoder(_Line).decode
_decode_any = msgspec.json.Decoder().decode
_decode_body = msgspec.json.Decoder(Body).decode

_ODD_FIELDS = 20
"""Fields of an unexpected type that are left out of one body; with more, all of it is."""

_STEP = re.compile(r"\.(\w+)|\[(\d+)\]")

_SUCCEEDED = Outcome.SUCCEEDED
_OUTCOME_BY_CODE = {
    "batch_expired": Outcome.EXPIRED,
    "batch_cancelled": Outcome.CANCELLED,
    "batch_canceled": Outcome.CANCELLED,
}


def read_openai_line(line: bytes, rules: Mapping[str, bool] | None = None) -> RowResult:
    """What one result line says.

    Args:
        line: The bytes of the line, without its end.
        rules: The profile's codes and whether they can be retried.

    Raises:
        UnreadableLineError: Not a JSON object, or without a ``custom_id``.
    """
    try:
        fast = _decode_line(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _read_oddly_shaped(line, rules)
    response = fast.response
    if fast.error or response is None:
        return _read_oddly_shaped(line, rules)
    body = response.body
    status = response.status_code
    if body is None or body.error or (status != 200 and not _is_fine(status)):
        return _read_oddly_shaped(line, rules)
    text = plain_text(body)
    if text is None:
        return _answered(fast.custom_id, status, answer_of(body), rules)
    # By place, not by name: this line runs once for nearly every row that there is.
    return RowResult(
        fast.custom_id, _SUCCEEDED, status, None, "stop", body.model, text, usage_of(body.usage)
    )


def _is_fine(status: int | None) -> bool:
    return status is None or 200 <= status < 300


def _answered(
    custom_id: str, status: int | None, answer: Answer, rules: Mapping[str, bool] | None
) -> RowResult:
    outcome = Outcome.SUCCEEDED
    error = None
    if answer.failed is not None:
        outcome = Outcome.FAILED
        code = answer.failed
        error = RowError(
            code=code, message=f"The response is {code}", retryable=retryable(None, code, rules)
        )
    elif answer.refused:
        outcome = Outcome.REFUSED
    elif answer.truncated:
        outcome = Outcome.TRUNCATED
    return RowResult(
        custom_id=custom_id,
        outcome=outcome,
        http_status=status,
        error=error,
        finish_reason=answer.finish_reason,
        model=answer.model,
        text=answer.text,
        usage=answer.usage,
        cost=answer.cost,
    )


def decode_lenient(line: bytes) -> Any:
    """Any JSON value, with invalid UTF-8 replaced and NaN and Infinity read as null.

    Raises:
        UnreadableLineError: Not JSON at all, or nested too deeply to be read.
    """
    try:
        return _decode_any(line)
    except RecursionError as error:
        raise UnreadableLineError("nested too deeply") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as first:
        import json

        try:
            text = line.decode("utf-8", "replace")
            value = json.loads(text, parse_constant=lambda _: None, strict=False)
            # Lone surrogates cannot be stored or shown; a round trip replaces them.
            return _decode_any(json.dumps(value).encode())
        except msgspec.MsgspecError:
            return json.loads(
                json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"), strict=False
            )
        except (ValueError, RecursionError):
            raise UnreadableLineError(str(first)) from first


def body_in(value: Any) -> dict[str, Any]:
    """The body of the answer in a decoded result line, whatever its dialect; else empty."""
    if not isinstance(value, dict):
        return {}
    for outer, inner in (("response", "body"), ("result", "message"), ("response", "message")):
        holder = value.get(outer)
        if isinstance(holder, dict) and isinstance(holder.get(inner), dict):
            body: dict[str, Any] = holder[inner]
            return body
    return {}


def _read_oddly_shaped(line: bytes, rules: Mapping[str, bool] | None) -> RowResult:
    """The slow way: errors, and lines that do not quite have the documented shape."""
    value = decode_lenient(line)
    if not isinstance(value, dict):
        raise UnreadableLineError("not a JSON object")
    custom_id = value.get("custom_id")
    if not isinstance(custom_id, str):
        raise UnreadableLineError("no custom_id")
    response = value.get("response")
    error = value.get("error")
    status: int | None = None
    body: Any = None
    if isinstance(response, dict):
        code = response.get("status_code")
        status = _status(code)
        body = response.get("body", response.get("message"))
    if not error and _is_answer(status, body):
        return _answered(custom_id, status, answer_of(fitting_body(body)), rules)
    return _failed(custom_id, status, error, body, rules)


def _status(value: Any) -> int | None:
    """An HTTP status, as far as it is a small whole number; some servers write 0."""
    return value if type(value) is int and abs(value) < 1000 else None


def _is_answer(status: int | None, body: Any) -> bool:
    """Is it a body of a row that worked, and not one that tells of an error only?"""
    if not isinstance(body, dict) or not _is_fine(status):
        return False
    return not body.get("error") or bool(body.get("choices"))


def fitting_body(body: dict[str, Any]) -> Body:
    """A body of which some field has an unexpected type: what fits is read, the rest left out.

    The object is changed.
    """
    for _ in range(_ODD_FIELDS):
        try:
            return _decode_body(msgspec.json.encode(body))
        except msgspec.ValidationError as error:
            if not _take_out(body, str(error)):
                break
        except (msgspec.MsgspecError, RecursionError):
            break
    return Body()


def _take_out(body: dict[str, Any], complaint: str) -> bool:
    """Remove the place that msgspec names as the end of its message: ``at `$.a[0].b```."""
    steps = [name or int(number) for name, number in _STEP.findall(complaint.rpartition("`$")[2])]
    target: Any = body
    try:
        for step in steps[:-1]:
            target = target[step]
        del target[steps[-1]]
    except (LookupError, TypeError):
        return False
    return True


def _failed(
    custom_id: str,
    status: int | None,
    error: Any,
    body: Any,
    rules: Mapping[str, bool] | None,
) -> RowResult:
    code, message = _words(error)
    if not message and body is not None:
        inner_code, message = _words(body)
        code = code or inner_code
    if code is None and message.startswith("{"):
        status, code, message = _unpack(status, message)
    outcome = _OUTCOME_BY_CODE.get(code or "", Outcome.FAILED)
    if not message:
        message = f"HTTP status {status}" if status is not None else "No answer and no error"
    return RowResult(
        custom_id=custom_id,
        outcome=outcome,
        http_status=status,
        error=RowError(code=code, message=message, retryable=retryable(status, code, rules)),
    )


def _words(value: Any) -> tuple[str | None, str]:
    """Code and message of an error in any of the shapes seen: object, nested, text."""
    # A loop, because a hostile line nests deeper than Python may call; the line bounds it.
    while isinstance(value, dict):
        inner = value.get("error")
        if not (inner and isinstance(inner, (dict, str))):
            break
        value = inner
    if isinstance(value, str):
        return None, value
    if not isinstance(value, dict):
        return None, "" if value is None else msgspec.json.encode(value).decode()
    code = value.get("code")
    kind = value.get("type") or value.get("error_type")
    named = code if code is not None else kind
    message = value.get("message") or value.get("detail")
    if not message:
        message = msgspec.json.encode(value).decode() if value else ""
    return (None if named is None else str(named)), (
        message if isinstance(message, str) else msgspec.json.encode(message).decode()
    )


def _unpack(status: int | None, message: str) -> tuple[int | None, str | None, str]:
    """Doubleword puts a JSON object into ``message``: ``{"type", "details": {status, body}}``."""
    try:
        packed = _decode_any(message)
    except (msgspec.MsgspecError, RecursionError):
        return status, None, message
    if not isinstance(packed, dict) or not isinstance(packed.get("type"), str):
        return status, None, message
    details = packed.get("details")
    if isinstance(details, dict):
        inner = _status(details.get("status"))
        status = status if inner is None else inner
        body = details.get("body") or details.get("message") or details.get("error")
    else:
        body = details
    if isinstance(body, str) and body.startswith("{"):
        try:
            body = _decode_any(body)
        except (msgspec.MsgspecError, RecursionError):
            body = str(body)
    _, words = _words(body)
    return status, packed["type"], words or packed["type"]
