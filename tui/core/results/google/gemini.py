"""Answers in the shape of Gemini's API, read as chat completions.

Shapes: ``GenerateContentResponse`` and ``EmbedContentResponse`` of ai.google.dev/api. A prompt that
was blocked has no candidates, only the reason of the block.
"""

from __future__ import annotations

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
        tokens = _whole(body.get("tokenCount"))
        usage = {} if tokens is None else {"usage": {"prompt_tokens": tokens}}
        return {**body, "data": [{"embedding": vector}], **usage}
    candidates = body.get("candidates")
    choices = [_choice(each) for each in candidates or () if isinstance(each, dict)]
    if not choices:
        refusal = f"The prompt was blocked: {_blocked(body)}"
        message = {"role": "assistant", "content": None, "refusal": refusal}
        choices = [{"index": 0, "message": message, "finish_reason": "content_filter"}]
    answer: dict[str, Any] = {**body, "choices": choices}
    if isinstance(body.get("modelVersion"), str):
        answer["model"] = body["modelVersion"]
    if isinstance(body.get("usageMetadata"), dict):
        answer["usage"] = _usage(body["usageMetadata"])
    return answer


def _whole(value: Any) -> int | None:
    """A count, which may be a string of digits."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value[:18])
    return value if type(value) is int and value >= 0 else None


def _blocked(body: dict[str, Any]) -> str:
    feedback = body.get("promptFeedback")
    reason = feedback.get("blockReason") if isinstance(feedback, dict) else None
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
        text, data, call = part.get("text"), part.get("inlineData"), part.get("functionCall")
        if isinstance(text, str):
            (thoughts if part.get("thought") is True else texts).append(text)
        elif isinstance(call, dict):
            calls.append(_call(call))
        elif isinstance(data, dict) and isinstance(data.get("data"), str):
            url = f"data:{data.get('mimeType') or 'image/png'};base64,{data['data']}"
            images.append({"type": "image_url", "image_url": {"url": url}})
    message: dict[str, Any] = {"role": "assistant", "content": "".join(texts)}
    if thoughts:
        message["reasoning_content"] = "".join(thoughts)
    if calls:
        message["tool_calls"] = calls
    if images:
        message["images"] = images
    # The library of Python writes the names of fields in its own way.
    reason = candidate.get("finishReason", candidate.get("finish_reason"))
    finish = _FINISH.get(reason, reason) if isinstance(reason, str) else None
    return {"index": candidate.get("index", 0), "message": message, "finish_reason": finish}


def _call(call: dict[str, Any]) -> dict[str, Any]:
    arguments = msgspec.json.encode(call.get("args") or {}).decode()
    function = {"name": call.get("name"), "arguments": arguments}
    return {"id": call.get("id"), "type": "function", "function": function}


def _usage(usage: dict[str, Any]) -> dict[str, Any]:
    """Token counts; what is not prompt is output, which includes the thinking."""
    prompt = (_whole(usage.get("promptTokenCount")) or 0) + (
        _whole(usage.get("toolUsePromptTokenCount")) or 0
    )
    total = _whole(usage.get("totalTokenCount"))
    output = sum(
        _whole(usage.get(name)) or 0 for name in ("candidatesTokenCount", "thoughtsTokenCount")
    )
    if total is not None and total >= prompt:
        output = total - prompt
    found: dict[str, Any] = {"prompt_tokens": prompt, "completion_tokens": output}
    cached = _whole(usage.get("cachedContentTokenCount"))
    if cached is not None:
        found["prompt_tokens_details"] = {"cached_tokens": cached}
    return found
