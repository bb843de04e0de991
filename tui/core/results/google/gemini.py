"""Answers in the shape of Gemini's API, read as chat completions.

The libraries of Google write the names of fields with underscores (``usage_metadata``); gateways
and tables pass them on. Shapes: ``GenerateContentResponse`` and ``EmbedContentResponse`` of
ai.google.dev/api. A prompt that was blocked has no candidates, only the reason of the block.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import msgspec

_FINISH = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    **dict.fromkeys(
        (
            "SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY",
            "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION",
        ),
        "content_filter",
    ),
}  # fmt: skip
"""Why an answer ended, in the words of chat completions; other reasons are kept."""


def is_gemini(body: dict[str, Any]) -> bool:
    """Whether a body is an answer of Gemini."""
    candidates = body.get("candidates")
    if isinstance(candidates, list) and candidates:
        return True
    return bool(_blocked(body)) or _vector(body) is not None


def chat_of_gemini(body: dict[str, Any]) -> dict[str, Any]:
    """The answer as a chat completion or a list of embeddings, beside what it was."""
    vector = _vector(body)
    if vector is not None:
        tokens = _whole(_at(body, "tokenCount"))
        usage = {} if tokens is None else {"usage": {"prompt_tokens": tokens}}
        return {**body, "data": [{"embedding": vector}], **usage}
    candidates = body.get("candidates")
    choices = [_choice(each) for each in candidates or () if isinstance(each, dict)]
    if not choices:
        refusal = f"The prompt was blocked: {_blocked(body)}"
        message = {"role": "assistant", "content": None, "refusal": refusal}
        choices = [{"index": 0, "message": message, "finish_reason": "content_filter"}]
    answer: dict[str, Any] = {**body, "choices": choices}
    if isinstance(model := _at(body, "modelVersion"), str):
        answer["model"] = model
    if isinstance(usage := _at(body, "usageMetadata"), dict):
        answer["usage"] = _usage(usage)
    return answer


_SNAKE = re.compile(r"(?<=[a-z])(?=[A-Z])")


def _at(value: dict[str, Any], name: str) -> Any:
    """The value of a field, also under its name with underscores."""
    found = value.get(name)
    return value.get(_with_underscores(name)) if found is None else found


@lru_cache
def _with_underscores(name: str) -> str:
    return _SNAKE.sub("_", name).lower()


def _whole(value: Any) -> int | None:
    """A count, which may be a string of digits."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value[:18])
    return value if type(value) is int and value >= 0 else None


def _blocked(body: dict[str, Any]) -> str:
    feedback = _at(body, "promptFeedback")
    reason = _at(feedback, "blockReason") if isinstance(feedback, dict) else None
    return reason if isinstance(reason, str) else ""


def _vector(body: dict[str, Any]) -> list[Any] | None:
    embedding = body.get("embedding")
    values = embedding.get("values") if isinstance(embedding, dict) else None
    return values if isinstance(values, list) else None


def _choice(candidate: dict[str, Any]) -> dict[str, Any]:
    content = candidate.get("content")
    parts = content.get("parts") if isinstance(content, dict) else None
    texts: list[str] = []
    thoughts: list[str] = []
    calls: list[dict[str, Any]] = []
    images: list[dict[str, Any]] = []
    for part in parts if isinstance(parts, list) else ():
        if not isinstance(part, dict):
            continue
        text, data, call = part.get("text"), _at(part, "inlineData"), _at(part, "functionCall")
        if isinstance(text, str):
            (thoughts if part.get("thought") is True else texts).append(text)
        elif isinstance(call, dict):
            calls.append(_call(call))
        elif isinstance(data, dict) and isinstance(data.get("data"), str):
            url = f"data:{_at(data, 'mimeType') or 'image/png'};base64,{data['data']}"
            images.append({"type": "image_url", "image_url": {"url": url}})
    message: dict[str, Any] = {"role": "assistant", "content": "".join(texts)}
    if thoughts:
        message["reasoning_content"] = "".join(thoughts)
    if calls:
        message["tool_calls"] = calls
    if images:
        message["images"] = images
    reason = _at(candidate, "finishReason")
    finish = _FINISH.get(reason, reason) if isinstance(reason, str) else None
    return {"index": candidate.get("index", 0), "message": message, "finish_reason": finish}


def _call(call: dict[str, Any]) -> dict[str, Any]:
    arguments = msgspec.json.encode(call.get("args") or {}).decode()
    function = {"name": call.get("name"), "arguments": arguments}
    return {"id": call.get("id"), "type": "function", "function": function}


def _usage(usage: dict[str, Any]) -> dict[str, Any]:
    """Token counts; what is not prompt is output, which includes the thinking."""
    prompt = (_whole(_at(usage, "promptTokenCount")) or 0) + (
        _whole(_at(usage, "toolUsePromptTokenCount")) or 0
    )
    total = _whole(_at(usage, "totalTokenCount"))
    output = sum(
        _whole(_at(usage, name)) or 0 for name in ("candidatesTokenCount", "thoughtsTokenCount")
    )
    if total is not None and total >= prompt:
        output = total - prompt
    found: dict[str, Any] = {"prompt_tokens": prompt, "completion_tokens": output}
    cached = _whole(_at(usage, "cachedContentTokenCount"))
    if cached is not None:
        found["prompt_tokens_details"] = {"cached_tokens": cached}
    return found
