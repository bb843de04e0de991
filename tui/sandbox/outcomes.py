"""The outcome of a row, and the fault words in a request that decide it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Any
from zlib import crc32

_WORD = re.compile(
    r"sandbox:(?:fail=(?P<fail>400|401|404|429|500)\b"
    r"|flaky=(?P<flaky>429|500)\b"
    r"|(?P<plain>truncate|refuse|expire|slow)\b"
    r"|say=(?P<say>[^\r\n]*))"
)
_ESCAPE = re.compile(
    r"\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})"
    r"|\\u([0-9a-fA-F]{4})"
)
_TRUNCATE_BELOW = 1000
SLOW_SECONDS = 10.0
"""How much longer a row with `sandbox:slow` takes."""


@dataclass(frozen=True, slots=True)
class FaultWords:
    """The fault words of one request.

    Attributes:
        fail: HTTP status with which the row always fails, or 0.
        flaky: HTTP status with which the row fails when it is first sent, or 0.
        truncate: Whether the answer is cut off at the token limit.
        refuse: Whether the model refuses.
        expire: Whether the row never runs.
        slow: Whether the row takes ten seconds longer.
        say: The exact answer, or `None`.
    """

    fail: int = 0
    flaky: int = 0
    truncate: bool = False
    refuse: bool = False
    expire: bool = False
    slow: bool = False
    say: str | None = None


NO_FAULT_WORDS = FaultWords()
"""A request without fault words."""


def strings(value: Any) -> Iterator[str]:
    """Yield every string inside a JSON value, in document order, without the keys."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)


def read(body: Any) -> FaultWords:
    """Read the fault words of a request body.

    Only the first word of each kind counts. `sandbox:say=` takes the rest of its line, including
    other fault words. `sandbox:truncate` applies only if the request's token limit is below 1,000
    or absent.
    """
    fail = flaky = 0
    plain: set[str] = set()
    say: str | None = None
    for text in strings(body):
        if "sandbox:" not in text:
            continue
        for found in _WORD.finditer(text):
            if found["fail"]:
                fail = fail or int(found["fail"])
            elif found["flaky"]:
                flaky = flaky or int(found["flaky"])
            elif found["plain"]:
                plain.add(found["plain"])
            elif say is None:
                say = unescape(found["say"])
    return FaultWords(
        fail=fail,
        flaky=flaky,
        truncate="truncate" in plain and _token_limit(body) < _TRUNCATE_BELOW,
        refuse="refuse" in plain,
        expire="expire" in plain,
        slow="slow" in plain,
        say=say,
    )


def read_line(line: bytes, body: Any) -> FaultWords:
    """Read the fault words of a row; fast if its raw bytes contain none."""
    return read(body) if b"sandbox:" in line else NO_FAULT_WORDS


def unescape(text: str) -> str:
    r"""Replace each `\uXXXX` by its character; a lone surrogate becomes U+FFFD."""

    def character(found: re.Match[str]) -> str:
        if found[1]:
            high, low = int(found[1], 16), int(found[2], 16)
            return chr(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))
        code = int(found[3], 16)
        return "\ufffd" if 0xD800 <= code <= 0xDFFF else chr(code)

    return _ESCAPE.sub(character, text)


def _token_limit(body: Any) -> float:
    if not isinstance(body, dict):
        return 0
    for key in ("max_tokens", "max_completion_tokens", "max_output_tokens"):
        value = body.get(key)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return float(value)
    return 0


class RowOutcome(IntEnum):
    """The outcome of one row, stored as one byte in a plan."""

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


SUCCESSES = frozenset({RowOutcome.SUCCEEDED, RowOutcome.TRUNCATED, RowOutcome.REFUSED})
"""The outcomes that are successes on the wire."""

STATUS = {
    **dict.fromkeys(SUCCESSES, 200),
    RowOutcome.INVALID: 400,
    RowOutcome.FAIL_400: 400,
    RowOutcome.FAIL_401: 401,
    RowOutcome.FAIL_404: 404,
    RowOutcome.FAIL_429: 429,
    RowOutcome.FAIL_500: 500,
}
"""The HTTP status of a row that ran, by outcome."""

_BY_STATUS = {STATUS[outcome]: outcome for outcome in RowOutcome if outcome.name[:5] == "FAIL_"}
_RANDOM_FAILURES = (429, 500, 429, 500, 429, 400)
_NEEDED = {
    "/v1/chat/completions": "messages",
    "/v1/embeddings": "input",
    "/v1/responses": "input",
    "/v1/completions": "prompt",
    "/v1/moderations": "input",
    "/v1/messages": "messages",
    "/v1/images/generations": "prompt",
    "/v1/images/edits": "prompt",
    "/v1/videos": "prompt",
}


def decide(
    words: FaultWords, *, first_send: bool, chance: int, fail_rate: float, valid: bool
) -> RowOutcome:
    """Choose the outcome of a row.

    Args:
        words: The row's fault words.
        first_send: Whether this `custom_id` is sent for the first time.
        chance: A hash of the row, 0 to 2**32 - 1, compared with `fail_rate`.
        fail_rate: Fraction of rows that fail without a fault word.
        valid: Whether the body is valid for its endpoint.
    """
    if words.fail:
        return _BY_STATUS[words.fail]
    if words.flaky and first_send:
        return _BY_STATUS[words.flaky]
    if words.expire:
        return RowOutcome.NEVER
    if not valid:
        return RowOutcome.INVALID
    if fail_rate and chance < fail_rate * 2**32:
        return _BY_STATUS[_RANDOM_FAILURES[chance % len(_RANDOM_FAILURES)]]
    if words.refuse:
        return RowOutcome.REFUSED
    if words.truncate:
        return RowOutcome.TRUNCATED
    return RowOutcome.SUCCEEDED


def missing_parameter(url: str, body: Any, *, model: bool = True) -> str:
    """The required parameter that a body lacks; empty if it has all."""
    if not isinstance(body, dict):
        return "body"
    if model and not isinstance(body.get("model"), str):
        return "model"
    needed = _NEEDED.get(url, "")
    return needed if needed and needed not in body else ""


def wrong_type(body: dict[str, Any]) -> str:
    """Describe messages that are not an array of objects; empty if they are."""
    messages = body.get("messages", [])
    if isinstance(messages, list) and all(isinstance(one, dict) for one in messages):
        return ""
    return "Invalid type for 'messages': expected an array of objects."


def error_body(outcome: RowOutcome, url: str, body: Any, fault: str = "") -> dict[str, Any]:
    """Build OpenAI's error object of a failed row, with a message that fits the request.

    Args:
        outcome: The outcome of the row.
        url: The endpoint.
        body: The request.
        fault: Why a body is invalid, if not for one of OpenAI's reasons.
    """
    name = str(body.get("model", "")) if isinstance(body, dict) else ""
    if outcome is RowOutcome.INVALID:
        if fault:
            return _error(fault, None, "invalid_value")
        parameter = missing_parameter(url, body)
        if parameter == "body":
            return _error("The 'body' of a request must be a JSON object.", "body", None)
        if parameter:
            text = f"Missing required parameter: '{parameter}'."
            return _error(text, parameter, "missing_required_parameter")
        if wrong := wrong_type(body):
            return _error(wrong, "messages", "invalid_type")
        return _error("'stream' must not be set in a batch request.", "stream", "invalid_value")
    if outcome is RowOutcome.FAIL_400:
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
    if outcome is RowOutcome.FAIL_401:
        return _error("Incorrect API key provided: sk-sand***box.", None, "invalid_api_key")
    if outcome is RowOutcome.FAIL_404:
        text = f"The model `{name}` does not exist or you do not have access to it."
        return _error(text, None, "model_not_found")
    if outcome is RowOutcome.FAIL_429:
        text = f"Rate limit reached for requests to {name} on requests per min. Try again in 1s."
        return _error(text, None, "rate_limit_exceeded", "requests")
    text = "The server had an error while processing your request. Sorry about that!"
    return _error(text, None, "server_error", "server_error")


def _error(
    message: str, param: str | None, code: str | None, kind: str = "invalid_request_error"
) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}
