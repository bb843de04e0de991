"""Changing fields of a request's body: ``model``, ``max_tokens`` or any other path.

A change is a mapping. Its keys are dotted paths inside the body; three keys with an ``@`` mean
what the body itself calls differently from one provider to the next:

``@max_tokens``
    The longest answer: a number, or ``"x2"`` for twice what the row has. It is written where
    the row has it: ``max_tokens``, ``max_completion_tokens`` or ``max_output_tokens``.
``@system``
    A text that is appended to what tells the model how to behave (see ``tui.core.prompting``).
``@first``
    Changes that are made before these: those of the retry that this one follows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from tui.core.prompting import append_system

MAX_TOKENS = "@max_tokens"
SYSTEM = "@system"
FIRST = "@first"

_TOKEN_FIELDS = ("max_completion_tokens", "max_output_tokens", "max_tokens")
_MOST_TOKENS = 2**53

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def edit_request(line: bytes, edits: Mapping[str, Any]) -> bytes:
    """A request line with fields of its body changed.

    Args:
        line: A request as JSON; the payload is its ``body`` or, in Anthropic's shape, ``params``.
        edits: Dotted path inside the payload to the new value; numbers in a path are places
            in a list; ``None`` takes the field away. For the keys with an ``@`` see above.

    Raises:
        ValueError: A path does not lead anywhere, or the line is not a request.
    """
    if not edits:
        return line
    try:
        request = _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"not a request: {error}") from None
    if not isinstance(request, dict):
        raise ValueError("not a request: no object")
    payload = request["params"] if "params" in request else request.setdefault("body", {})
    _apply(payload, request, edits)
    return _encode(request)


def following(base: Mapping[str, Any], edits: Mapping[str, Any]) -> dict[str, Any]:
    """Changes that are made on top of earlier ones, as one."""
    if not base:
        return dict(edits)
    return {FIRST: dict(base), **edits} if edits else dict(base)


def edited_model(edits: Mapping[str, Any], model: str) -> str:
    """The model that requests have after the changes, when they had ``model`` before."""
    own = edits.get("model")
    if own is not None:
        return str(own)
    first = edits.get(FIRST)
    return edited_model(first, model) if isinstance(first, Mapping) else model


def describe_edits(edits: Mapping[str, Any]) -> list[str]:
    """The changes in words, oldest first: ``max_tokens x2``, ``model gpt-5``, ``without stop``."""
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


def parse_value(text: str) -> Any:
    """What a person wrote as a value: JSON where it parses, else the text itself."""
    import json

    def refuse(word: str) -> Any:
        raise ValueError(word)

    try:
        # NaN and Infinity are no JSON, and no provider takes them.
        return json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError):
        return text


def check_edits(edits: Mapping[str, Any]) -> None:
    """Look over changes that a person wrote, before any row is changed.

    Raises:
        ValueError: A path is empty, or the longest answer is no number.
    """
    for path, value in edits.items():
        if path == MAX_TOKENS:
            _factor(value)
        elif path == SYSTEM:
            if not isinstance(value, str):
                raise ValueError("the system text is no text")
        elif path.startswith("@"):
            raise ValueError(f"{path!r} is no field of a body")
        elif not all(path.split(".")):
            raise ValueError(f"{path!r} is no path: a step is empty")


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
        else:
            _set(payload, path.split("."), value, path)


def _set_max_tokens(payload: Any, request: dict[str, Any], value: Any) -> None:
    if not isinstance(payload, dict):
        raise _nowhere("max_tokens")
    number, factor = _factor(value)
    fields = [name for name in _TOKEN_FIELDS if name in payload]
    for name in fields:
        had = payload[name]
        if number is not None:
            payload[name] = number
        elif type(had) is int and factor is not None:
            payload[name] = min(had * factor, _MOST_TOKENS)
    if number is not None and not fields:
        # Only the Responses endpoint has a name of its own that every model takes.
        responses = str(request.get("url", "")).endswith("/responses")
        payload["max_output_tokens" if responses else "max_tokens"] = number


def _factor(value: Any) -> tuple[int | None, int | None]:
    """A number of tokens, or by what the row's own is multiplied."""
    if type(value) is int and 0 < value <= _MOST_TOKENS:
        return value, None
    if isinstance(value, str) and value[:1] == "x" and value[1:].isascii():
        digits = value[1:]
        if digits.isdigit() and len(digits) < 5 and int(digits) > 1:
            return None, int(digits)
    raise ValueError(f"max_tokens is a whole number or x2, not {value!r}")


def _set(target: Any, steps: list[str], value: Any, path: str) -> None:
    for step in steps[:-1]:
        if value is None and isinstance(target, dict) and step not in target:
            # There is nothing to take away, and no object is made to hold it.
            return
        target = _step(target, step, path)
    last = steps[-1]
    if isinstance(target, list):
        place = _place(target, last, path)
        target[place : place + 1] = [] if value is None else [value]
    elif not isinstance(target, dict):
        raise _nowhere(path)
    elif value is None:
        target.pop(last, None)
    else:
        target[last] = value


def _step(target: Any, step: str, path: str) -> Any:
    if isinstance(target, dict):
        return target.setdefault(step, {})
    if isinstance(target, list):
        return target[_place(target, step, path)]
    raise _nowhere(path)


def _place(target: list[Any], step: str, path: str) -> int:
    if step.isascii() and step.isdigit() and int(step) < len(target):
        return int(step)
    raise _nowhere(path)


def _nowhere(path: str) -> ValueError:
    return ValueError(f"{path!r} leads nowhere in this request")
