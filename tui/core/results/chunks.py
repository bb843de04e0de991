"""Answers that a server left in pieces: the events of a stream in place of a completion.

Read are the chunks of chat completions, and the events of the Responses API and of Anthropic's
messages. A stream that ends with an error, or without its end, holds an answer that is cut.
"""

from __future__ import annotations

from typing import Any

import msgspec

_DATA = "data:"
_DONE = "[DONE]"
_FIELDS = ("data:", "event:", "id:", "retry:", ":")
"""What a line of an event stream begins with; a colon begins a remark."""

_CUT = "error"
"""The reason of the end of an answer whose stream broke off."""

_RESPONSE = "response."
_NAMES = ("content", "reasoning_content", "reasoning", "refusal")


def is_stream(value: Any) -> bool:
    """Whether a value is an event stream as text, or a list of its chunks."""
    if isinstance(value, str):
        start = value.lstrip()
        return start.startswith(_DATA) or (start.startswith(_FIELDS) and f"\n{_DATA}" in start)
    return (
        isinstance(value, list)
        and len(value) > 1
        and all(isinstance(chunk, dict) and "choices" in chunk for chunk in value)
    )


def joined(value: str | list[Any]) -> dict[str, Any] | None:
    """The body that the events of a stream are pieces of; ``None`` if there is none in them.

    Of a stream that only has an error, it is the body of that error.
    """
    events, is_done = _events(value) if isinstance(value, str) else (value, True)
    error = next((event["error"] for event in events if event.get("error")), None)
    if any(str(event.get("type")).startswith(_RESPONSE) for event in events):
        found = _response(events)
    elif any("type" in event and "choices" not in event for event in events):
        found = _message(events)
    else:
        found = _completion(events, is_done=is_done, error=error)
    if found is None and error is not None:
        return {"error": error}
    return found


def _events(text: str) -> tuple[list[dict[str, Any]], bool]:
    """The objects in a stream, and whether it says that it is over."""
    found = []
    is_done = False
    for line in text.split("\n"):
        if not line.startswith(_DATA):
            continue
        data = line.removeprefix(_DATA).strip()
        is_done = is_done or data == _DONE
        try:
            chunk = msgspec.json.decode(data)
        except msgspec.MsgspecError:
            # The end of the stream, or a remark.
            continue
        if isinstance(chunk, dict):
            found.append(chunk)
    return found, is_done


def _completion(
    chunks: list[dict[str, Any]], *, is_done: bool, error: Any
) -> dict[str, Any] | None:
    body: dict[str, Any] = {}
    choices: dict[int, dict[str, Any]] = {}
    for chunk in chunks:
        body |= {name: chunk[name] for name in ("id", "model", "usage") if chunk.get(name)}
        for piece in chunk.get("choices") or ():
            if isinstance(piece, dict) and isinstance(piece.get("delta"), dict):
                _add(choices.setdefault(piece.get("index") or 0, {"message": {}}), piece)
    if not choices:
        return None
    for choice in choices.values():
        if choice.get("finish_reason") is None and not (is_done and error is None):
            choice["finish_reason"] = _CUT
    if error is not None and not any(choice["message"] for choice in choices.values()):
        return {"error": error}
    return body | {"choices": [choices[number] for number in sorted(choices)]}


def _add(choice: dict[str, Any], piece: dict[str, Any]) -> None:
    message, delta = choice["message"], piece["delta"]
    for name in _NAMES:
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


def _response(events: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The response in its last event; of a stream without it, the text until it broke off."""
    for event in reversed(events):
        response = event.get("response")
        if event.get("type") != "response.created" and isinstance(response, dict):
            if isinstance(response.get("output"), list) and response["output"]:
                return response
            if response.get("error"):
                return {"error": response["error"]}
    text = "".join(
        event["delta"]
        for event in events
        if event.get("type") == "response.output_text.delta" and isinstance(event["delta"], str)
    )
    return _cut_chat(text) if text else None


def _message(events: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The message of Anthropic's events."""
    message: dict[str, Any] = {}
    blocks: dict[int, dict[str, Any]] = {}
    for event in events:
        delta = event.get("delta")
        delta = delta if isinstance(delta, dict) else {}
        number = event.get("index")
        if event.get("type") == "message_start" and isinstance(event.get("message"), dict):
            message = dict(event["message"])
        elif event.get("type") == "message_delta":
            message |= {name: text for name, text in delta.items() if name == "stop_reason"}
            if isinstance(event.get("usage"), dict):
                message["usage"] = {**(message.get("usage") or {}), **event["usage"]}
        elif isinstance(number, int):
            start = event.get("content_block")
            block = blocks.setdefault(number, dict(start) if isinstance(start, dict) else {})
            for kind, name, piece in (
                ("text", "text", "text"),
                ("thinking", "thinking", "thinking"),
                ("tool_use", "partial_json", "partial_json"),
            ):
                if isinstance(delta.get(piece), str):
                    block["type"] = block.get("type") or kind
                    block[name] = block.get(name, "") + delta[piece]
    if not blocks:
        return None
    for block in blocks.values():
        if "partial_json" in block:
            block["input"] = _decoded(block.pop("partial_json"))
    content = [blocks[number] for number in sorted(blocks)]
    if message.get("stop_reason") is None:
        texts = [block["text"] for block in content if isinstance(block.get("text"), str)]
        return _cut_chat("".join(texts)) if any(texts) else None
    return {"type": "message", "role": "assistant", **message, "content": content}


def _decoded(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.MsgspecError:
        return text


def _cut_chat(text: str) -> dict[str, Any]:
    """A completion that broke off."""
    message = {"role": "assistant", "content": text}
    return {"choices": [{"index": 0, "message": message, "finish_reason": _CUT}]}
