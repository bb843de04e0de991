"""Reads the result lines of Vertex AI, of every family of models.

Gemini: ``{"status", "processed_time", "request", "response"}``; a row that failed has words in
``status`` and an empty ``response``. Claude: the same with ``custom_id`` and a message. Open
models: ``custom_id`` and ``response`` as in OpenAI's lines. Files of errors have ``error`` with
``code`` and ``message`` (docs.cloud.google.com/gemini-enterprise-agent-platform, discovery document
``aiplatform.v1``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from tui.core.results.google.row_ids import id_of_line
from tui.core.results.line_shapes import find_body, has_answer
from tui.core.results.openai_lines import (
    UnreadableLineError,
    answer_of,
    answered_row,
    decode_lenient,
    failed_row,
    read_openai_line,
)
from tui.core.retry_rules import status_name
from tui.core.rows import RowResult

_JSON = re.compile(r"\{.*\}", re.DOTALL)
_FINE = frozenset({"", "ok", "success", "succeeded"})


def read_vertex_line(line: bytes, rules: Mapping[str, bool] | None = None) -> RowResult:
    """Read one result line.

    Args:
        line: The line as bytes, without its line end.
        rules: The profile's error codes and whether they are retryable.

    Returns:
        The result. Its ``custom_id`` is ``request:DIGEST`` if only its request says which row it
        belongs to.

    Raises:
        UnreadableLineError: The line is not a JSON object, or nothing says whose it is.
    """
    value = decode_lenient(line)
    if not isinstance(value, dict):
        raise UnreadableLineError("not a JSON object")
    custom_id = id_of_line(value)
    if custom_id is None:
        raise UnreadableLineError("no custom_id and no request")
    if _is_openai(value):
        return read_openai_line(line, rules)
    body = find_body({"response": value.get("response")})
    if isinstance(body, dict) and has_answer(body):
        return answered_row(custom_id, answer_of(body), None, rules)
    error, status = _error_of(value)
    told = body if isinstance(body, dict) else value.get("response")
    return failed_row(custom_id, error, told if told else None, status, rules)


def _is_openai(value: Mapping[str, Any]) -> bool:
    """Whether a line has the form of OpenAI's, with a status or a body inside ``response``."""
    response = value.get("response")
    if "request" in value or not isinstance(value.get("custom_id"), str):
        return False
    return isinstance(response, dict) and ("status_code" in response or "body" in response)


def _error_of(value: Mapping[str, Any]) -> tuple[Any, int | None]:
    """The error of a line, and its HTTP status.

    The words in ``status`` may hold the error as JSON: ``Bad Request: {"error": {…}}``.
    """
    error, words = value.get("error"), value.get("status")
    if not error and isinstance(words, str) and words.strip().lower() not in _FINE:
        error = _inside(words) or {"message": words.strip()}
    elif not error and isinstance(words, dict):
        error = words
    if not isinstance(error, dict):
        return error, None
    code = error.get("code")
    status = code if isinstance(code, int) and 400 <= code < 600 else None
    name = error.get("status") if isinstance(error.get("status"), str) else status_name(code)
    return {**error, "code": name or code}, status


def _inside(words: str) -> dict[str, Any] | None:
    match = _JSON.search(words)
    if match is None:
        return None
    try:
        found = msgspec.json.decode(match[0])
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return None
    if isinstance(found, dict) and isinstance(found.get("error"), dict):
        found = found["error"]
    return found if isinstance(found, dict) and found.get("message") else None
