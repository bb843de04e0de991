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
        ValueError: A path does not lead anywhere.
    """
    if not edits:
        return line
    request = _decode(line)
    payload = request["params"] if "params" in request else request.setdefault("body", {})
    for path, value in edits.items():
        _set(payload, path.split("."), value, path)
    return _encode(request)


def _set(target: Any, steps: list[str], value: Any, path: str) -> None:
    for step in steps[:-1]:
        target = _step(target, step, path)
    last = steps[-1]
    if isinstance(target, list) and last.isdigit() and int(last) < len(target):
        target[int(last)] = value
    elif isinstance(target, dict):
        if value is None:
            target.pop(last, None)
        else:
            target[last] = value
    else:
        raise ValueError(f"{path!r} leads nowhere in this request")


def _step(target: Any, step: str, path: str) -> Any:
    if isinstance(target, dict):
        return target.setdefault(step, {})
    if isinstance(target, list) and step.isdigit() and int(step) < len(target):
        return target[int(step)]
    raise ValueError(f"{path!r} leads nowhere in this request")
