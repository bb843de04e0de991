"""Request bodies: edits, the place of the system prompt, and the fields a provider rejects."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from tui.core.json_path import is_path, remove, set_value
from tui.core.text import quoted

INVOKE_URL = "/model/invoke"
CONVERSE_URL = "/model/converse"
"""The endpoints of ``{recordId, modelInput}`` rows (Bedrock), by the form of their inputs."""

_SCALEDOWN = {
    "summarize": "instructions",
    "extract": "instruction",
    "classify": "system_prompt",
}
_ROLES = ("system", "developer")


_Fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ID_FIRST = re.compile(rb'\{"custom_id":\s*"(?:[^"\\]|\\.)*"\s*,')
_IDS = ("custom_id", "key", "recordId")
"""The field with the id of a row: of all APIs, of Gemini, of Bedrock."""


def request_identity(line: bytes) -> bytes:
    """What a request line asks for: the line without its id.

    Two lines with equal identities are answered by the same call. Lines with other spaces or
    another order of fields may have different ones.

    Args:
        line: A request line with a valid id, without its line end.

    Raises:
        ValueError: The line is not a JSON object.
    """
    if id_first := _ID_FIRST.match(line):
        return line[id_first.end() :]
    fields = _Fields.decode(line)
    name = next((name for name in _IDS if name in fields), None)
    fields.pop(name or "", None)
    return msgspec.json.encode(fields)[1:-1]


def append_system(body: Any, text: str, url: str = "", *, wraps_params: bool = False) -> None:
    """Append text to the system prompt of a request; the body is changed in place.

    Args:
        body: The payload of a request.
        text: Text to append, after a blank line.
        url: The endpoint, if the request names it.
        wraps_params: The request has Anthropic's outer shape, ``custom_id`` and ``params``.

    Raises:
        ValueError: The request has no system prompt.
    """
    if not isinstance(body, dict):
        raise _no_field_error()
    messages = body.get("messages")
    if wraps_params or "system" in body or url.endswith("/v1/messages"):
        body["system"] = _appended(body.get("system"), text)
    elif isinstance(messages, list):
        _append_message(messages, text)
    elif isinstance(body.get("text"), str) and body.get("model") in _SCALEDOWN:
        field = _SCALEDOWN[str(body["model"])]
        body[field] = _appended(body.get(field), text)
    elif "instructions" in body or url.endswith("/responses"):
        body["instructions"] = _appended(body.get("instructions"), text)
    else:
        raise _no_field_error()


def is_scaledown(body: Any) -> bool:
    """Whether the body is for one of ScaleDown's models: ``text`` and no messages."""
    return (
        isinstance(body, dict)
        and isinstance(body.get("text"), str)
        and "messages" not in body
        and "input" not in body
    )


def _append_message(messages: list[Any], text: str) -> None:
    for message in messages:
        if isinstance(message, dict) and message.get("role") in _ROLES:
            message["content"] = _appended(message.get("content"), text)
            return
    messages.insert(0, {"role": "system", "content": text})


def _appended(current: Any, text: str) -> Any:
    if isinstance(current, str) and current:
        return f"{current}\n\n{text}"
    if isinstance(current, list):
        return [*current, {"type": "text", "text": text}]
    if current in (None, ""):
        return text
    raise _no_field_error()


def _no_field_error() -> ValueError:
    return ValueError("this request has no field for a system text")


MAX_TOKENS = "@max_tokens"
SYSTEM = "@system"
FIRST = "@first"

LIMIT_FIELDS = ("max_completion_tokens", "max_output_tokens", "max_tokens")
"""The fields of a body that limit the length of the answer, in tokens; the first one counts."""

_MAX_TOKENS_VALUE = 2**53

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def edit_request(line: bytes, edits: Mapping[str, Any]) -> bytes:
    """Apply edits to a request line.

    Args:
        line: A request as JSON; the payload is its ``body`` or, for Anthropic, ``params``.
        edits: New values by dotted path inside the payload; numbers in a path are list
            indexes; ``None`` removes the field. For the keys with an ``@`` see above.

    Raises:
        ValueError: A path does not exist, or the line is not a request.
    """
    if not edits:
        return line
    try:
        request = _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"not a request: {error}") from None
    if not isinstance(request, dict):
        raise ValueError("not a request: not a JSON object")
    payload = request["params"] if "params" in request else request.setdefault("body", {})
    _apply(payload, request, edits)
    return _encode(request)


def is_same_request(line: bytes, other: bytes) -> bool:
    """Whether two request lines, the second one valid, say the same."""
    try:
        return bool(_decode(line) == _decode(other))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False


def following(base: Mapping[str, Any], edits: Mapping[str, Any]) -> dict[str, Any]:
    """Combine edits with the earlier edits that they build on."""
    if not base:
        return dict(edits)
    return {FIRST: dict(base), **edits} if edits else dict(base)


def edited_model(edits: Mapping[str, Any], model: str) -> str:
    """The model of requests after the edits, when it was ``model`` before."""
    own = edits.get("model")
    if own is not None:
        return str(own)
    first = edits.get(FIRST)
    return edited_model(first, model) if isinstance(first, Mapping) else model


def describe_edits(edits: Mapping[str, Any]) -> list[str]:
    """The edits in words, oldest first: ``max_tokens x2``, ``model gpt-5``, ``without stop``."""
    words: list[str] = []
    for path, value in edits.items():
        if path == FIRST:
            words += describe_edits(value)
        elif path == SYSTEM:
            words.append("system text")
        elif value is None:
            words.append(f"without {path}")
        else:
            shown = value if isinstance(value, str) else _encode(value).decode()
            words.append(f"{path.removeprefix('@')} {shown}")
    return words


def check_edits(edits: Mapping[str, Any]) -> None:
    """Validate edits typed by the user, before any row is changed.

    Raises:
        ValueError: A path or value is invalid.
    """
    for path, value in edits.items():
        if path == MAX_TOKENS:
            _limit_or_factor(value)
        elif path == SYSTEM:
            if not isinstance(value, str):
                raise ValueError("the system text must be a string")
        elif path.startswith("@"):
            raise ValueError(f"unknown edit {path!r}")
        elif not is_path(path):
            raise ValueError(f"invalid path {path!r}")


def _apply(payload: Any, request: dict[str, Any], edits: Mapping[str, Any]) -> None:
    first = edits.get(FIRST)
    if isinstance(first, Mapping):
        _apply(payload, request, first)
    for path, value in edits.items():
        if path == FIRST:
            continue
        if path == MAX_TOKENS:
            _set_max_tokens(payload, request, value)
        elif path == SYSTEM:
            append_system(
                payload, value, str(request.get("url", "")), wraps_params="params" in request
            )
        elif value is None:
            remove(payload, path, strict=True)
        else:
            set_value(payload, path, value)


def _set_max_tokens(payload: Any, request: dict[str, Any], value: Any) -> None:
    if not isinstance(payload, dict):
        raise ValueError("the request has no body to set max_tokens in")
    number, factor = _limit_or_factor(value)
    fields = [name for name in LIMIT_FIELDS if name in payload]
    for name in fields:
        current = payload[name]
        if number is not None:
            payload[name] = number
        elif type(current) is int and factor is not None:
            payload[name] = min(current * factor, _MAX_TOKENS_VALUE)
    if number is not None and not fields:
        # Only the Responses endpoint has its own field name that every model accepts.
        responses = str(request.get("url", "")).endswith("/responses")
        payload["max_output_tokens" if responses else "max_tokens"] = number


def parse_max_tokens(text: str) -> int | str:
    """Parse a typed ``max_tokens``: a number, or a factor for the value of each row (``x2``).

    Raises:
        ValueError: It is neither.
    """
    typed = text.strip().lower().replace("×", "x")
    is_number = typed.isascii() and typed.isdigit() and len(typed) <= len(str(_MAX_TOKENS_VALUE))
    value = int(typed) if is_number else typed
    _limit_or_factor(value)
    return value


def _limit_or_factor(value: Any) -> tuple[int | None, int | None]:
    """Parse a token limit: an absolute number, or a factor for the row's own limit."""
    if type(value) is int and 0 < value <= _MAX_TOKENS_VALUE:
        return value, None
    if isinstance(value, str) and value[:1] == "x" and value[1:].isascii():
        digits = value[1:]
        if digits.isdigit() and len(digits) < 5 and int(digits) > 1:
            return None, int(digits)
    shown = quoted(str(value))
    raise ValueError(f"max_tokens must be a whole number or a factor such as x2, not {shown}")


class RejectedFields(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Fields of a body that a provider rejects.

    Attributes:
        fields: The paths, see ``tui.core.json_path``. A field that is missing, null or an empty
            list or object is never rejected.
        why: The reason, as a sentence whose subject is the field.
        values: The rejected values; empty for all values.
        models: A regular expression for the full model name; empty for every model.
        since: First API version with this rule (see ``messages.version`` of a profile).
        allowed: The only values that are not rejected; empty if ``values`` decides.
        endpoints: A regular expression for the end of the url; empty for every endpoint.
        is_warning: Whether the rule only warns: it is known for the family, not for every model.
        fix: What to do, as a sentence; by default, to remove or to change the field.
    """

    fields: tuple[str, ...]
    why: str
    allowed: tuple[Any, ...] = ()
    endpoints: str = ""
    is_warning: bool = False
    fix: str = ""
    values: tuple[Any, ...] = ()
    models: str = ""
    since: str = ""


class RequiredField(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A field required in every body, under one of several names; see ``RejectedFields``."""

    fields: tuple[str, ...]
    why: str
    models: str = ""
