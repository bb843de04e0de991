"""Anthropic's rows: what is refused in them, and their result lines."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from . import fates
from .failures import ApiError
from .fates import Fate
from .messages import message
from .shape import Rendered, Row, Shape

ID_PATTERN = re.compile(r"[a-zA-Z0-9_-]{1,64}")
"""What a `custom_id` looks like."""
STRICT_VERSION = "2026-10-21"
"""The API version that refuses sampling parameters."""
_encode = msgspec.json.encode
_ERRORS = {
    Fate.FAIL_400: ("invalid_request_error", "messages: at least one message is required"),
    Fate.FAIL_401: ("authentication_error", "invalid x-api-key"),
    Fate.FAIL_404: ("not_found_error", "model: {model}"),
    Fate.FAIL_429: ("rate_limit_error", "Number of request tokens has exceeded your rate limit"),
    Fate.FAIL_500: ("api_error", "Internal server error"),
}


def fault(url: str, body: Any, extra: dict[str, Any]) -> str:
    """Say what is wrong with `params`; the rows of a batch are judged when they run."""
    if not isinstance(body, dict):
        return "params: Input should be a valid dictionary"
    for name in ("model", "max_tokens", "messages"):
        if name not in body:
            return f"{name}: Field required"
    if not isinstance(body["max_tokens"], int) or body["max_tokens"] < 1:
        return "max_tokens: Input should be greater than or equal to 1"
    if not isinstance(body["messages"], list) or not body["messages"]:
        return "messages: at least one message is required"
    if body.get("stream"):
        return "stream: Streaming is not supported in batches"
    if extra.get("version") == STRICT_VERSION:
        for name in ("temperature", "top_p", "top_k"):
            if name in body:
                return f"{name}: sampling parameters are not supported in this API version"
    return ""


def error_of(row: Row) -> tuple[str, str]:
    """The type and text of a failed row."""
    if row.fate is Fate.INVALID:
        return "invalid_request_error", fault(row.url, row.body, row.extra)
    kind, text = _ERRORS[row.fate]
    name = row.body.get("model") if isinstance(row.body, dict) else None
    return kind, text.format(model=name)


def render(row: Row) -> Rendered:
    """Make a line; the error of a row is nested twice."""
    if row.fate in fates.GOOD:
        body, spent, made = message(row.body, row.fate, row.words, row.mark, row.when, row.seed)
        result: dict[str, Any] = {"type": "succeeded", "message": body}
    else:
        spent = made = 0
        kind, text = error_of(row)
        outer = {
            "type": "error",
            "error": {"type": kind, "message": text},
            "request_id": "req_" + row.mark,
        }
        result = {"type": "errored", "error": outer}
    return Rendered(_encode({"custom_id": row.custom_id, "result": result}), False, spent, made)


def unrun(custom_id: str, mark: str, reason: str) -> bytes:
    """Make the line of a row that never ran; `canceled` has one l."""
    word = "expired" if reason == "expired" else "canceled"
    return _encode({"custom_id": custom_id, "result": {"type": word}})


def accept(seen: set[str], index: int, row: Any) -> None:
    """Judge a row of a create: only its id and that it has `params` (400).

    Args:
        seen: The ids so far; the row's id is added.
        index: Position of the row.
        row: The decoded row.
    """
    if not isinstance(row, dict):
        raise ApiError(400, f"requests.{index}: Input should be a valid dictionary")
    custom_id = row.get("custom_id")
    if not isinstance(custom_id, str):
        raise ApiError(400, f"requests.{index}.custom_id: Field required")
    if not ID_PATTERN.fullmatch(custom_id):
        text = f"requests.{index}.custom_id: String should match pattern '^[a-zA-Z0-9_-]{{1,64}}$'"
        raise ApiError(400, text)
    if custom_id in seen:
        raise ApiError(400, f"requests.{index}.custom_id: Duplicate custom_id '{custom_id}'")
    if not isinstance(row.get("params"), dict):
        raise ApiError(400, f"requests.{index}.params: Field required")
    seen.add(custom_id)


SHAPE = Shape(
    name="anthropic",
    render=render,
    unrun=unrun,
    body_key="params",
    fault=fault,
    unrun_reasons=frozenset({"expired", "cancelled"}),
    unrun_in_output=True,
    max_rows=100_000,
)
"""The row rules."""
