"""Answers that a server left in pieces: the chunks of a stream in place of a completion."""

from __future__ import annotations

from typing import Any

import msgspec

_DATA = "data:"


def is_stream(value: Any) -> bool:
    """Whether a value is an event stream as text, or a list of its chunks."""
    if isinstance(value, str):
        return value.lstrip().startswith(_DATA)
    return (
        isinstance(value, list)
        and len(value) > 1
        and all(isinstance(chunk, dict) and "choices" in chunk for chunk in value)
    )


def joined(value: str | list[Any]) -> dict[str, Any] | None:
    """The completion that the chunks of a stream are pieces of; ``None`` if they have no delta."""
    chunks = _events(value) if isinstance(value, str) else value
    body: dict[str, Any] = {}
    choices: dict[int, dict[str, Any]] = {}
    for chunk in chunks:
        body |= {name: chunk[name] for name in ("id", "model", "usage") if chunk.get(name)}
        for piece in chunk.get("choices") or ():
            if isinstance(piece, dict) and isinstance(piece.get("delta"), dict):
                _add(choices.setdefault(piece.get("index") or 0, {"message": {}}), piece)
    if not choices:
        return None
    return body | {"choices": [choices[number] for number in sorted(choices)]}


def _events(text: str) -> list[dict[str, Any]]:
    found = []
    for line in text.split("\n"):
        if line.startswith(_DATA):
            try:
                chunk = msgspec.json.decode(line.removeprefix(_DATA))
            except msgspec.MsgspecError:
                # The end of the stream, or a remark.
                continue
            if isinstance(chunk, dict):
                found.append(chunk)
    return found


def _add(choice: dict[str, Any], piece: dict[str, Any]) -> None:
    message, delta = choice["message"], piece["delta"]
    for name in ("content", "reasoning_content", "refusal"):
        if isinstance(delta.get(name), str):
            message[name] = message.get(name, "") + delta[name]
    for call in delta.get("tool_calls") or ():
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict):
            continue
        calls = message.setdefault("tool_calls", [])
        if not calls or function.get("name"):
            calls.append({"type": "function", "function": {"name": "", "arguments": ""}})
        for name in ("name", "arguments"):
            if isinstance(function.get(name), str):
                calls[-1]["function"][name] += function[name]
    choice["finish_reason"] = piece.get("finish_reason") or choice.get("finish_reason")
