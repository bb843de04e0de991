"""The body of a request for each kind of template, with its images."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

from tui.compose.templates.model import MESSAGES_MAX_TOKENS, Template
from tui.core.text import quoted
from tui.errors import InputError
from tui.files import read_regular
from tui.paths import expand_home


class Slot:
    """A placeholder in the body for a JSON value that varies by row."""

    def __init__(self, name: str) -> None:
        self.name = name


SYSTEM = Slot("system")
USER = Slot("user")
CONTENT = Slot("content")
"""The user message together with its images."""


_REASONING = re.compile(r"(.*/)?(o1|o3|o4|gpt-5)(?!-chat)([-.].*)?")
"""Models that reject ``max_tokens``: https://platform.openai.com/docs/guides/reasoning."""


def template_body(template: Template) -> dict[str, Any]:
    """Build the body without the template's ``settings``; unset fields are omitted."""
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
    """Build the content parts of a user message with images.

    Args:
        kind: ``chat``, ``responses`` or ``messages``.
        text: The message; an empty one gives no part.
        images: URLs, including ``data:`` URLs.
    """
    if kind == "chat":
        parts = [{"type": "image_url", "image_url": {"url": url}} for url in images]
        return [*parts, *([{"type": "text", "text": text}] if text else [])]
    if kind == "responses":
        parts = [{"type": "input_image", "image_url": url} for url in images]
        return [*parts, *([{"type": "input_text", "text": text}] if text else [])]
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
    reasons = _REASONING.fullmatch(template.model_name or "")
    return {
        "messages": messages,
        "max_completion_tokens" if reasons else "max_tokens": template.max_tokens,
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
    system = SYSTEM if template.system else None
    return {
        "max_tokens": template.max_tokens or MESSAGES_MAX_TOKENS,
        "system": _system_blocks(template) if template.cache else system,
        "messages": [{"role": "user", "content": CONTENT if template.images else USER}],
        "output_config": schema and {"format": {"type": "json_schema", "schema": schema}},
        "tools": template.tools,
    }


def _system_blocks(template: Template) -> list[dict[str, Any]]:
    """The system message as a block, with the mark at the end of what Anthropic's cache keeps."""
    mark = {"type": "ephemeral", "ttl": template.cache}
    return [{"type": "text", "text": SYSTEM, "cache_control": mark}]


def _scaledown(template: Template) -> dict[str, Any]:
    system = SYSTEM if template.system else None
    if template.kind == "summarize":
        return {"text": USER, "instructions": system, "max_tokens": template.max_tokens}
    if template.kind == "extract":
        return {"text": USER, "entities": template.entities, "instruction": system}
    labels = [{"name": label.name, "rubric": label.rubric} for label in template.labels]
    return {"text": USER, "labels": labels, "system_prompt": system}


MAX_IMAGE_BYTES = 20 * 1000 * 1000
"""The largest image file in bytes, more than any provider accepts."""


def image_url(address: str, base: Path, number: int) -> str:
    """Return the URL of an image for a request.

    Args:
        address: ``https://…``, ``data:image/…``, or a path.
        base: The folder that relative paths start from.
        number: The row's number, for errors.

    Raises:
        InputError: The file cannot be read, or is not a PNG, JPEG, GIF or WebP image. The
            content decides: a table from someone else must not upload arbitrary files.
    """
    if address.startswith(("https://", "http://", "data:image/")):
        return address
    path = base / expand_home(address)
    shown = quoted(address)
    try:
        content = read_regular(path, MAX_IMAGE_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise _image_error(f"the image {shown} cannot be read: {reason}", path, number) from None
    if len(content) > MAX_IMAGE_BYTES:
        raise _image_error(
            f"the image {shown} is larger than {MAX_IMAGE_BYTES:,} bytes", path, number
        )
    media_type = _media_type(content)
    if media_type is None:
        raise _image_error(f"{shown} is not a PNG, JPEG, GIF or WebP image", path, number)
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


def _image_error(what: str, path: Path, number: int) -> InputError:
    return InputError(f"row {number}: {what}", "Check the path in the row.", path=path, line=number)


def _media_type(content: bytes) -> str | None:
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return "image/webp"
    return None
