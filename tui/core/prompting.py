"""Where a request says how the model is to behave, in each of the dialects' shapes.

OpenAI chat has a message with the role ``system`` (or ``developer``), Responses the field
``instructions``, Anthropic ``system`` as a text or as blocks, and ScaleDown one field for each
of its models. Embeddings, moderations and plain completions have no such place.
"""

from __future__ import annotations

from typing import Any

_SCALEDOWN = {
    "summarize": "instructions",
    "extract": "instruction",
    "classify": "system_prompt",
}
_ROLES = ("system", "developer")


def append_system(body: Any, text: str, url: str = "", *, wraps_params: bool = False) -> None:
    """Append a text to what tells the model how to behave; the body is changed.

    Args:
        body: The payload of a request.
        text: What is appended, after a blank line.
        url: The endpoint, where the request names it.
        wraps_params: The request has Anthropic's outer shape, ``custom_id`` and ``params``.

    Raises:
        ValueError: The body has no place for it.
    """
    if not isinstance(body, dict):
        raise _no_place()
    messages = body.get("messages")
    if wraps_params or "system" in body or url.endswith("/v1/messages"):
        body["system"] = _joined(body.get("system"), text)
    elif isinstance(messages, list):
        _append_message(messages, text)
    elif isinstance(body.get("text"), str) and body.get("model") in _SCALEDOWN:
        field = _SCALEDOWN[str(body["model"])]
        body[field] = _joined(body.get(field), text)
    elif "instructions" in body or url.endswith("/responses"):
        body["instructions"] = _joined(body.get("instructions"), text)
    else:
        raise _no_place()


def is_scaledown(body: Any) -> bool:
    """Is it a request for one of ScaleDown's models: a text, and no messages?"""
    return (
        isinstance(body, dict)
        and isinstance(body.get("text"), str)
        and "messages" not in body
        and "input" not in body
    )


def _append_message(messages: list[Any], text: str) -> None:
    for message in messages:
        if isinstance(message, dict) and message.get("role") in _ROLES:
            message["content"] = _joined(message.get("content"), text)
            return
    messages.insert(0, {"role": "system", "content": text})


def _joined(had: Any, text: str) -> Any:
    if isinstance(had, str) and had:
        return f"{had}\n\n{text}"
    if isinstance(had, list):
        return [*had, {"type": "text", "text": text}]
    if had in (None, ""):
        return text
    raise _no_place()


def _no_place() -> ValueError:
    return ValueError("this request has no place for a system text")
