"""The prompt of a request as text: what the user asked, without system message and images."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def prompt_text(request: Any) -> str:
    """The text of the last user message of a request; empty if there is none.

    Args:
        request: A decoded line of ``requests.jsonl``, in the form of any endpoint.
    """
    if not isinstance(request, dict):
        return ""
    body = next((request[key] for key in ("body", "params", "request") if key in request), request)
    if not isinstance(body, dict):
        return ""
    for key in ("messages", "input", "contents", "prompt", "text"):
        if key in body:
            return "\n\n".join(_last_message(body[key]))
    return ""


def _last_message(value: Any) -> Iterator[str]:
    if isinstance(value, list) and any(isinstance(item, dict) and "role" in item for item in value):
        messages = [item for item in value if isinstance(item, dict) and item.get("role") == "user"]
        if messages:
            yield from _texts(messages[-1])
        return
    yield from _texts(value)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        for key in ("content", "parts", "text"):
            if key in value:
                yield from _texts(value[key])
                return
