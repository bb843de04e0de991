"""Tokens of images, and the parts of a request whose tokens nobody can know before it ran.

OpenAI's rules are those of its guide to images and vision (tiles of 512 pixels, patches of 32
pixels), Anthropic's those of its guide to vision: width x height / 750, after the image was
scaled to at most 1,568 pixels on its longer edge.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
import struct
from collections.abc import Mapping
from typing import Any, NamedTuple

from tui.compose.requests.tokens import Tokens


class _Tiles(NamedTuple):
    """Tokens of an image as a whole, and of each tile of 512 pixels."""

    base: int
    tile: int


class _Patches(NamedTuple):
    """The factor and the largest number of patches of 32 pixels."""

    factor: float
    most: int = 1536


_OPENAI: tuple[tuple[str, _Tiles | _Patches], ...] = (
    (r"gpt-4o-mini", _Tiles(2833, 5667)),
    (r"gpt-4\.1-mini|gpt-5[\w.]*-mini", _Patches(1.62)),
    (r"gpt-4\.1-nano|gpt-5[\w.]*-nano", _Patches(2.46)),
    (r"o4-mini", _Patches(1.72)),
    (r"gpt-5|gpt-5-chat", _Tiles(70, 140)),
    (r"o1|o3", _Tiles(75, 150)),
    (r"gpt-4o|gpt-4\.1|gpt-4\.5|gpt-4-turbo|gpt-4-vision", _Tiles(85, 170)),
)
_ANTHROPIC_MOST = 1600
_HEAD = 1 << 16


def image_tokens(model: str, size: tuple[int, int] | None, detail: str = "auto") -> Tokens | None:
    """The tokens of an image; ``None`` if they cannot be known before the request has run.

    Args:
        model: The model of the request.
        size: Width and height in pixels; ``None`` if they are unknown.
        detail: OpenAI's ``detail``: ``low``, ``high`` or ``auto``.
    """
    name = model.rpartition("/")[2]
    rule = next((rule for names, rule in _OPENAI if re.match(f"(?:{names})", name)), None)
    if isinstance(rule, _Tiles) and detail == "low":
        return Tokens(rule.base, rule.base, rule.base)
    if size is None:
        return None
    width, height = size
    if isinstance(rule, _Tiles):
        whole = rule.base + rule.tile * _tile_count(width, height)
        return Tokens(whole, rule.base if detail == "auto" else whole, whole)
    if isinstance(rule, _Patches):
        patches = min(math.ceil(width / 32) * math.ceil(height / 32), rule.most)
        tokens = math.ceil(patches * rule.factor)
        return Tokens(tokens, tokens * 0.6, tokens)
    if name.startswith("claude"):
        scale = min(1.0, 1568 / max(width, height))
        tokens = min(math.ceil(width * scale * height * scale / 750), _ANTHROPIC_MOST)
        return Tokens(tokens, tokens * 0.8, tokens * 1.1)
    return None


def _tile_count(width: int, height: int) -> int:
    """Tiles after scaling into 2048 x 2048 pixels, then to 768 pixels on the shorter edge."""
    scale = min(1.0, 2048 / max(width, height))
    scale *= min(1.0, 768 / (min(width, height) * scale))
    return math.ceil(width * scale / 512) * math.ceil(height * scale / 512)


def size_of_image(encoded: str) -> tuple[int, int] | None:
    """Width and height from the head of a base64 image: PNG, GIF, JPEG or WebP."""
    head = encoded.partition(",")[2] if encoded.startswith("data:") else encoded
    try:
        data = base64.b64decode(head[:_HEAD] + "=" * (-len(head[:_HEAD]) % 4))
    except (binascii.Error, ValueError):
        return None
    try:
        if data.startswith(b"\x89PNG"):
            return struct.unpack(">II", data[16:24])
        if data.startswith(b"GIF8"):
            return struct.unpack("<HH", data[6:10])
        if data.startswith(b"\xff\xd8"):
            return _jpeg_size(data)
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _webp_size(data)
    except (struct.error, IndexError):
        return None
    return None


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    position = 2
    while position + 9 < len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", data[position + 5 : position + 9])
            return width, height
        position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    return None


def _webp_size(data: bytes) -> tuple[int, int] | None:
    kind = data[12:16]
    if kind == b"VP8X":
        width = int.from_bytes(data[24:27], "little") + 1
        return width, int.from_bytes(data[27:30], "little") + 1
    if kind == b"VP8 ":
        width, height = struct.unpack("<HH", data[26:30])
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return None


IMAGE_TYPES = frozenset({"image", "image_url", "input_image"})
FILE_TYPES = frozenset({"file", "input_file", "document", "document_url", "container_upload"})
AUDIO_TYPES = frozenset({"input_audio", "audio", "video", "video_url"})
_HOSTED = re.compile(
    r"web_search|file_search|code_interpreter|computer|code_execution|web_fetch|mcp|image_generation"
)


def is_hosted_tool(tool: Any) -> bool:
    """Whether a tool is run by the provider, which adds its results to the input."""
    kind = tool.get("type") if isinstance(tool, Mapping) else None
    if isinstance(tool, Mapping) and tool and kind is None:
        # Gemini's own tools are objects with one key: {"googleSearch": {}}.
        return not {"name", "function", "parameters"} & tool.keys()
    return isinstance(kind, str) and _HOSTED.match(kind) is not None


def is_defined_tool(tool: Any) -> bool:
    """Whether Anthropic defines a tool that the user runs, such as ``bash_20250124``."""
    kind = tool.get("type") if isinstance(tool, Mapping) else None
    return isinstance(kind, str) and re.search(r"_\d{8}$", kind) is not None


def tokens_of_image_part(part: Mapping[str, Any], model: str) -> Tokens | None:
    """The tokens of a content part with an image; ``None`` if they cannot be known."""
    inner = part.get("image_url")
    detail = part.get("detail")
    if isinstance(inner, Mapping):
        detail, inner = inner.get("detail", detail), inner.get("url")
    source = part.get("source")
    if isinstance(source, Mapping):
        inner = source.get("data") if source.get("type") == "base64" else None
    is_data = isinstance(inner, str) and (inner.startswith("data:") or isinstance(source, Mapping))
    size = size_of_image(inner) if is_data and isinstance(inner, str) else None
    return image_tokens(model, size, detail if isinstance(detail, str) else "auto")
