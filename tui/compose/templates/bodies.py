"""The body of a request for each kind of template.

Parts that differ from row to row are ``Slot`` objects; see ``Skeleton`` for what becomes of
them. Field names are those of the OpenAI, Anthropic and ScaleDown references.
"""

from __future__ import annotations

from typing import Any

from tui.compose.template import MESSAGES_MAX_TOKENS, Template


class Slot:
    """A place in the body that each row fills with a JSON value of its own."""

    def __init__(self, name: str) -> None:
        self.name = name


SYSTEM = Slot("system")
USER = Slot("user")
CONTENT = Slot("content")
"""The user message together with its images."""


def body_of(template: Template) -> dict[str, Any]:
    """The body, without the template's own settings; fields that are not set are left out."""
    kind = template.kind
    if kind == "chat":
        body = _chat(template)
    elif kind == "responses":
        body = _responses(template)
    elif kind == "messages":
        body = _messages(template)
    elif kind == "completions":
        body = {"prompt": USER, "max_tokens": template.max_tokens}
    elif kind in ("embeddings", "moderations"):
        body = {"input": USER}
    else:
        body = _scaledown(template)
    body = {"model": template.model_name or None, **body, "temperature": template.temperature}
    return {name: value for name, value in body.items() if value is not None}


def content_parts(kind: str, text: str, images: list[str]) -> list[dict[str, Any]]:
    """A user message with images as the content parts of the kind.

    Args:
        kind: ``chat``, ``responses`` or ``messages``.
        text: The message; no part is made of an empty one.
        images: Addresses, among them ``data:`` ones.
    """
    if kind == "chat":
        shown = [{"type": "image_url", "image_url": {"url": url}} for url in images]
        return [*shown, *([{"type": "text", "text": text}] if text else [])]
    if kind == "responses":
        shown = [{"type": "input_image", "image_url": url} for url in images]
        return [*shown, *([{"type": "input_text", "text": text}] if text else [])]
    blocks = [{"type": "image", "source": _anthropic_source(url)} for url in images]
    return [*blocks, *([{"type": "text", "text": text}] if text else [])]


def _anthropic_source(url: str) -> dict[str, str]:
    if not url.startswith("data:"):
        return {"type": "url", "url": url}
    head, _, data = url.partition(",")
    media_type = head.removeprefix("data:").removesuffix(";base64")
    return {"type": "base64", "media_type": media_type, "data": data}


def _chat(template: Template) -> dict[str, Any]:
    messages: list[dict[str, Any]] = []
    if template.system:
        messages.append({"role": "system", "content": SYSTEM})
    messages.append({"role": "user", "content": CONTENT if template.images else USER})
    schema = template.schema
    return {
        "messages": messages,
        "max_tokens": template.max_tokens,
        "response_format": schema
        and {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}},
        "tools": template.tools,
    }


def _responses(template: Template) -> dict[str, Any]:
    schema = template.schema
    return {
        "instructions": SYSTEM if template.system else None,
        "input": [{"role": "user", "content": CONTENT}] if template.images else USER,
        "max_output_tokens": template.max_tokens,
        "text": schema and {"format": {"type": "json_schema", "name": "answer", "schema": schema}},
        "tools": template.tools,
    }


def _messages(template: Template) -> dict[str, Any]:
    schema = template.schema
    return {
        "max_tokens": template.max_tokens or MESSAGES_MAX_TOKENS,
        "system": SYSTEM if template.system else None,
        "messages": [{"role": "user", "content": CONTENT if template.images else USER}],
        "output_config": schema and {"format": {"type": "json_schema", "schema": schema}},
        "tools": template.tools,
    }


def _scaledown(template: Template) -> dict[str, Any]:
    system = SYSTEM if template.system else None
    if template.kind == "summarize":
        return {"text": USER, "instructions": system, "max_tokens": template.max_tokens}
    if template.kind == "extract":
        return {"text": USER, "entities": template.entities, "instruction": system}
    labels = [{"name": label.name, "rubric": label.rubric} for label in template.labels]
    return {"text": USER, "labels": labels, "system_prompt": system}
