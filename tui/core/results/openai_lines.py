"""Reading one result line of an OpenAI-style output or error file.

Known shapes: ``response`` with a body, ``response`` with a non-2xx status, ``response: null``
with ``error``; others are recognised by ``line_shapes`` and ``error_words``. A row succeeded
only if there is no error, the status is 2xx or unknown, and there is an answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from tui.core.results.bodies import (
    Answer,
    Number,
    ResponseBody,
    holds_answer,
    parse_usage,
    read_answer,
    simple_text,
)
from tui.core.results.error_words import (
    ErrorFacts,
    encoded,
    is_error,
    read_error,
    read_plain_error,
    status_of,
)
from tui.core.results.google.row_ids import id_of_line
from tui.core.results.line_shapes import find_body, has_answer, has_content, text_of_unknown
from tui.core.retry_rules import retryable, status_name
from tui.core.rows import Outcome, RowError, RowResult


class UnreadableLineError(ValueError):
    """A result line that is not a JSON object with a ``custom_id``."""


class _Response(msgspec.Struct, gc=False):
    status_code: Number | None = None
    body: ResponseBody | None = None


class _Line(msgspec.Struct, gc=False):
    custom_id: str
    response: _Response | None = None
    error: Any = None


class _FailedBody(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    error: dict[str, str | None]


class _FailedResponse(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    status_code: int
    body: _FailedBody
    request_id: str | None = None


class _FailedLine(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    custom_id: str
    response: _FailedResponse
    id: str | None = None
    error: None = None


_decode_failed = msgspec.json.Decoder(_FailedLine).decode
_decode_line = msgspec.json.Decoder(_Line).decode
_decode_any = msgspec.json.Decoder().decode
_decode_body = msgspec.json.Decoder(ResponseBody).decode

_MAX_INVALID_FIELDS = 20
"""Fields of an unexpected type that are dropped from a body; with more, the whole body is."""

_LARGEST_ID = 1e18

_AROUND_OBJECTS = "\x1e\0, \t\r\n"
"""What servers write around the object of a line: separators of JSON sequences (RFC 7464), the
commas of an array, the zeros of a preallocated file."""

_RESULT_KEYS = ("response", "error", "result", "status", "modelOutput")
_ID_PLACES = ("request", "response", "result", "metadata")
_OTHER_IDS = ("recordId", "key")
"""What the APIs of Bedrock and Gemini call the ``custom_id``; gateways pass it on.

Lines of Vertex AI may have none at all, but repeat their request; see ``id_of_line``.
"""

_LINE_KEYS = frozenset({"custom_id", "customId", "id", "response", "error", "metadata", "request"})

_STEP = re.compile(r"\.(\w+)|\[(\d+)\]")

_SUCCEEDED = Outcome.SUCCEEDED
_OUTCOME_BY_CODE = {
    "batch_expired": Outcome.EXPIRED,
    "batch_cancelled": Outcome.CANCELLED,
    "batch_canceled": Outcome.CANCELLED,
    "cancelled": Outcome.CANCELLED,
    "canceled": Outcome.CANCELLED,
    "request_cancelled": Outcome.CANCELLED,
    "request_canceled": Outcome.CANCELLED,
    "expired": Outcome.EXPIRED,
    "request_expired": Outcome.EXPIRED,
}


def read_openai_line(line: bytes, rules: Mapping[str, bool] | None = None) -> RowResult:
    """Read one result line.

    Args:
        line: The line as bytes, without its line end.
        rules: The profile's error codes and whether they are retryable.

    Raises:
        UnreadableLineError: The line is not a JSON object, or has no ``custom_id``.
    """
    try:
        fast = _decode_line(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _read_leniently(line, rules)
    response = fast.response
    if fast.error or response is None:
        return _read_leniently(line, rules)
    body = response.body
    status = response.status_code
    if status != 200 and not _is_success_status(status):
        return _read_failed(line, rules) or _read_leniently(line, rules)
    if body is None or body.error:
        return _read_leniently(line, rules)
    text = simple_text(body)
    if text is None:
        if not holds_answer(body):
            return _read_leniently(line, rules)
        return answered_row(fast.custom_id, read_answer(body), status, rules)
    # Positional arguments are faster, and this runs for nearly every row.
    return RowResult(
        fast.custom_id,
        _SUCCEEDED,
        status,
        None,
        "stop",
        body.model,
        text,
        parse_usage(body.usage, body.service_tier),
    )


def _is_success_status(status: int | None) -> bool:
    return status is None or 200 <= status < 300


def answered_row(
    custom_id: str,
    answer: Answer,
    status: int | None = None,
    rules: Mapping[str, bool] | None = None,
) -> RowResult:
    """The result of a row whose line holds a response body."""
    outcome = Outcome.SUCCEEDED
    error = None
    if answer.failed is not None:
        outcome = Outcome.FAILED
        code = answer.failed
        error = RowError(
            code=code, message=f"Response status: {code}", retryable=retryable(None, code, rules)
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
    """Decode JSON, replacing invalid UTF-8 and reading NaN and Infinity as null.

    Raises:
        UnreadableLineError: The line is not JSON, or is nested too deeply.
    """
    try:
        return _decode_any(line)
    except RecursionError as error:
        raise UnreadableLineError("nested too deeply") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as first:
        try:
            text = line.decode("utf-8", "replace").strip(_AROUND_OBJECTS)
            value = json.loads(text, parse_constant=lambda _: None, strict=False)
            # Lone surrogates cannot be stored or shown; a round trip replaces them.
            return _decode_any(json.dumps(value).encode())
        except msgspec.MsgspecError:
            return json.loads(
                json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"), strict=False
            )
        except (ValueError, RecursionError):
            raise UnreadableLineError(str(first)) from first


def decode_row(line: bytes) -> tuple[str, dict[str, Any]]:
    """The ``custom_id`` and the object of a result line, decoded as by ``decode_lenient``.

    Raises:
        UnreadableLineError: The line is not a JSON object, or has no ``custom_id``.
    """
    value = decode_lenient(line)
    if not isinstance(value, dict):
        raise UnreadableLineError("not a JSON object")
    custom_id = identity_of(value)
    if custom_id is None:
        raise UnreadableLineError("no custom_id")
    return custom_id, value


def identity_of(value: Mapping[str, Any]) -> str | None:
    """The id of a line, where it is documented or where other servers write it."""
    if (found := _as_id(value.get("custom_id"))) is not None:
        return found
    if not any(name in value for name in _RESULT_KEYS):
        # Without a result beside it, a field of such a name may be anything.
        return None
    places = [value, *(value[name] for name in _ID_PLACES if isinstance(value.get(name), dict))]
    for place in places:
        for name in ("custom_id", "customId", "CustomId", "customID"):
            if (found := _as_id(place.get(name))) is not None:
                return found
    other = next((found for name in _OTHER_IDS if (found := _as_id(value.get(name)))), None)
    if other is None and "custom_id" not in value and _is_documented(value.get("response")):
        other = _as_id(value.get("id"))
    return other if other is not None else id_of_line(value)


def _is_documented(response: Any) -> bool:
    return isinstance(response, dict) and "status_code" in response and "body" in response


def _as_id(value: Any) -> str | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        # An id of digits that some server took for a number.
        whole = abs(value) < _LARGEST_ID and value % 1 == 0
        return str(int(value)) if whole else None
    return value if isinstance(value, str) else None


SHORTEST_CUT = 16
"""The fewest characters at which a server may cut ids."""


def folded_id(custom_id: str) -> str:
    """An id without what servers change: its case, blanks around it, zeros in front of a number."""
    text = custom_id.strip().casefold()
    return (text.lstrip("0") or "0") if text.isascii() and text.isdigit() else text


def is_form_of(found: str, custom_id: str) -> bool:
    """Whether an id in a result line may be another form of the id of a row."""
    if found == custom_id or folded_id(found) == folded_id(custom_id):
        return True
    return len(found) >= SHORTEST_CUT and custom_id.startswith(found)


def response_body(value: Any) -> dict[str, Any]:
    """The response body in a decoded result line of any dialect; empty if there is none."""
    body = find_body(value)
    return body if isinstance(body, dict) else {}


def _read_failed(line: bytes, rules: Mapping[str, bool] | None) -> RowResult | None:
    """Read a line with a documented error: a fast path; ``None`` if it is none."""
    try:
        found = _decode_failed(line)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    status = found.response.status_code
    facts = read_plain_error(found.response.body.error, status, rules) if status < 1000 else None
    return None if facts is None else _failed(found.custom_id, facts, facts.message)


def _read_leniently(line: bytes, rules: Mapping[str, bool] | None) -> RowResult:
    """The slow path: errors, and lines that deviate from the documented shape."""
    custom_id, value = decode_row(line)
    response = value.get("response")
    error = value.get("error")
    if error is None:
        error = _status_words(value)
    if isinstance(error, dict) and "custom_id" not in value:
        error = {**error, "code": status_name(error.get("code")) or error.get("code")}
    status = _status_in(response)
    body = find_body(value)
    if not (is_error(error) and not _says_success(error)) and _is_answer(status, body):
        return answered_row(custom_id, answer_of(body), status, rules)
    if body is None:
        body = response if is_error(response) else _other_fields(value)
    return failed_row(custom_id, error, body, status, rules)


def _status_words(value: dict[str, Any]) -> Any:
    """The error in the ``status`` of a line: an object, or the words of Vertex AI.

    Lines of Vertex AI repeat their request, and have an empty status if all is well.
    """
    words = value.get("status")
    if isinstance(words, dict):
        return words
    is_vertex = isinstance(words, str) and "request" in value and not value.get("response")
    return words if is_vertex else None


def _other_fields(value: dict[str, Any]) -> dict[str, Any] | None:
    """What a line holds in place of a response."""
    return {name: inner for name, inner in value.items() if name not in _LINE_KEYS} or None


def answer_of(body: dict[str, Any]) -> Answer:
    """The answer in a body of any shape; one of an endpoint that is not known is its own text."""
    words = text_of_unknown(body)
    answer = read_answer(convert_leniently(body))
    if words and not answer.text:
        answer.text = words
    return answer


def _status_in(response: Any) -> int | None:
    if not isinstance(response, dict):
        return None
    for name in ("status_code", "statusCode", "status"):
        if (status := status_of(response.get(name))) is not None:
            return status
    return None


def _is_answer(status: int | None, body: Any) -> bool:
    """Whether a body holds an answer, not only an error."""
    # Some servers leave the status at 0.
    if not (status == 0 or _is_success_status(status)) or not has_answer(body):
        return False
    return not is_error(body.get("error")) or has_content(body)


def _says_success(error: Any) -> bool:
    """Whether an error object has the code of a success, as some servers send beside an answer."""
    code = error.get("code") if isinstance(error, dict) else None
    return str(code).lower() in ("200", "201", "ok", "success")


def convert_leniently(body: dict[str, Any]) -> ResponseBody:
    """Convert a body, dropping fields of unexpected types. The dict is changed in place."""
    for _ in range(_MAX_INVALID_FIELDS):
        try:
            return _decode_body(msgspec.json.encode(body))
        except msgspec.ValidationError as error:
            if not _remove_field(body, str(error)):
                break
        except (msgspec.MsgspecError, RecursionError):
            break
    return ResponseBody()


def _remove_field(body: dict[str, Any], message: str) -> bool:
    """Remove the field named at the end of msgspec's message: ``at `$.a[0].b```."""
    steps = [name or int(number) for name, number in _STEP.findall(message.rpartition("`$")[2])]
    target: Any = body
    try:
        for step in steps[:-1]:
            target = target[step]
        del target[steps[-1]]
    except (LookupError, TypeError):
        return False
    return True


def failed_row(
    custom_id: str,
    error: Any,
    body: Any,
    status: int | None = None,
    rules: Mapping[str, bool] | None = None,
) -> RowResult:
    """The result of a row without an answer, with the words of its error or its body."""
    given = is_error(error)
    facts = read_error(error if given else None, body, status=status, rules=rules)
    message = facts.message
    if not message and given:
        message = encoded(error)
    elif not message and not _is_success_status(facts.status):
        message = f"HTTP status {facts.status}"
    elif not message and is_error(body):
        message = f"No answer in the response: {encoded(body)}"
    return _failed(custom_id, facts, message or "No answer and no error")


def _failed(custom_id: str, facts: ErrorFacts, message: str) -> RowResult:
    return RowResult(
        custom_id=custom_id,
        outcome=_OUTCOME_BY_CODE.get((facts.code or "").lower(), Outcome.FAILED),
        http_status=facts.status,
        error=RowError(code=facts.code, message=message, retryable=facts.retryable),
    )
