"""Changing fields of a request's body: ``model``, ``max_tokens`` or any other path."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def edit_request(line: bytes, edits: Mapping[str, Any]) -> bytes:
    """A request line with fields of its body set.

    Args:
        line: A request as JSON; the payload is its ``body`` or, in Anthropic's shape, ``params``.
        edits: Dotted path inside the payload to the new value; numbers in a path are places
            in a list; ``None`` takes the field away.

    Raises:
        ValueError: A path does not lead anywhere, or the line is not a request.
    """
    if not edits:
        return line
    try:
        request = _decode(line)
    except msgspec.DecodeError as error:
        raise ValueError(f"not a request: {error}") from None
    if not isinstance(request, dict):
        raise ValueError("not a request: no object")
    payload = request["params"] if "params" in request else request.setdefault("body", {})
    for path, value in edits.items():
        _set(payload, path.split("."), value, path)
    return _encode(request)


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
