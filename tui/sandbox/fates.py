"""What becomes of one row, and the error that a failed row shows."""

from __future__ import annotations

from enum import IntEnum
from typing import Any
from zlib import crc32

from .words import Words


class Fate(IntEnum):
    """The outcome of one row, one byte in a plan."""

    SUCCEEDED = 0
    TRUNCATED = 1
    REFUSED = 2
    INVALID = 9
    FAIL_400 = 10
    FAIL_401 = 11
    FAIL_404 = 12
    FAIL_429 = 13
    FAIL_500 = 14
    NEVER = 20


GOOD = frozenset({Fate.SUCCEEDED, Fate.TRUNCATED, Fate.REFUSED})
"""Fates that are successes on the wire."""

STATUS = {
    Fate.SUCCEEDED: 200,
    Fate.TRUNCATED: 200,
    Fate.REFUSED: 200,
    Fate.INVALID: 400,
    Fate.FAIL_400: 400,
    Fate.FAIL_401: 401,
    Fate.FAIL_404: 404,
    Fate.FAIL_429: 429,
    Fate.FAIL_500: 500,
}
"""HTTP status of a row that ran."""

_BY_STATUS = {
    400: Fate.FAIL_400,
    401: Fate.FAIL_401,
    404: Fate.FAIL_404,
    429: Fate.FAIL_429,
    500: Fate.FAIL_500,
}
_RANDOM_FAILURES = (429, 500, 429, 500, 429, 400)
_NEEDED = {
    "/v1/chat/completions": "messages",
    "/v1/embeddings": "input",
    "/v1/responses": "input",
    "/v1/completions": "prompt",
    "/v1/moderations": "input",
    "/v1/messages": "messages",
}


def decide(words: Words, *, first_send: bool, chance: int, fail_rate: float, valid: bool) -> Fate:
    """Choose the fate of a row.

    Args:
        words: The row's fault words.
        first_send: Whether this `custom_id` was never sent before.
        chance: A hash of the row, 0 to 2**32 - 1, which `fail_rate` is measured with.
        fail_rate: Share of rows that fail without a word.
        valid: Whether the body has what its endpoint needs.
    """
    if words.fail:
        return _BY_STATUS[words.fail]
    if words.flaky and first_send:
        return _BY_STATUS[words.flaky]
    if words.expire:
        return Fate.NEVER
    if not valid:
        return Fate.INVALID
    if fail_rate and chance < fail_rate * 2**32:
        return _BY_STATUS[_RANDOM_FAILURES[chance % len(_RANDOM_FAILURES)]]
    if words.refuse:
        return Fate.REFUSED
    if words.truncate:
        return Fate.TRUNCATED
    return Fate.SUCCEEDED


def missing_parameter(url: str, body: Any, *, model: bool = True) -> str:
    """Name the required parameter that a body lacks; empty when it lacks none."""
    if not isinstance(body, dict):
        return "body"
    if model and not isinstance(body.get("model"), str):
        return "model"
    needed = _NEEDED.get(url, "")
    return needed if needed and needed not in body else ""


def error_body(fate: Fate, url: str, body: Any, fault: str = "") -> dict[str, Any]:
    """Build the OpenAI error object of a failed row, with a text that fits the request.

    Args:
        fate: What became of the row.
        url: The endpoint.
        body: The request.
        fault: Why an invalid body is refused, where OpenAI's reasons do not fit.
    """
    name = str(body.get("model", "")) if isinstance(body, dict) else ""
    if fate is Fate.INVALID:
        if fault:
            return _error(fault, None, "invalid_value")
        parameter = missing_parameter(url, body)
        if parameter == "body":
            return _error("The 'body' of a request must be a JSON object.", "body", None)
        if parameter:
            text = f"Missing required parameter: '{parameter}'."
            return _error(text, parameter, "missing_required_parameter")
        return _error("'stream' must not be set in a batch request.", "stream", "invalid_value")
    if fate is Fate.FAIL_400:
        choices = (
            (
                "Invalid 'temperature': expected a number between 0 and 2.",
                "temperature",
                "decimal_above_max_value",
            ),
            (
                "Unsupported parameter: 'top_logprobs' needs 'logprobs' to be true.",
                "top_logprobs",
                "unsupported_parameter",
            ),
            (
                f"This model's maximum context length is 8192 tokens. The request to '{name}' is "
                "longer.",
                "messages",
                "context_length_exceeded",
            ),
        )
        return _error(*choices[crc32(repr(body).encode("utf-8", "replace")) % len(choices)])
    if fate is Fate.FAIL_401:
        return _error("Incorrect API key provided: sk-sand***box.", None, "invalid_api_key")
    if fate is Fate.FAIL_404:
        text = f"The model `{name}` does not exist or you do not have access to it."
        return _error(text, None, "model_not_found")
    if fate is Fate.FAIL_429:
        text = f"Rate limit reached for requests to {name} on requests per min. Try again in 1s."
        return _error(text, None, "rate_limit_exceeded", "requests")
    text = "The server had an error while processing your request. Sorry about that!"
    return _error(text, None, "server_error", "server_error")


def _error(
    message: str, param: str | None, code: str | None, kind: str = "invalid_request_error"
) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}
