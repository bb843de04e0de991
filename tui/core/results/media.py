"""Images and audio in an answer: finding them, and decoding them for a file.

The data is base64 in the answer's JSON and is decoded when it is saved or looked at. The
file suffix is chosen from the first bytes, not from what the answer claims.
"""

from __future__ import annotations

import binascii
from collections.abc import Iterator
from typing import Any

import msgspec

from tui.core.results.openai_lines import UnreadableLineError, decode_lenient, response_body

MAX_LINE_BYTES = 512 << 20
"""Longest result line, in bytes, that is searched for media."""

_STARTS: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", ".png"),
    (b"\xff\xd8\xff", ".jpg"),
    (b"GIF8", ".gif"),
    (b"ID3", ".mp3"),
    (b"\xff\xfb", ".mp3"),
    (b"\xff\xf3", ".mp3"),
    (b"OggS", ".ogg"),
    (b"fLaC", ".flac"),
    (b"%PDF-", ".pdf"),
)


class Medium(msgspec.Struct, frozen=True, kw_only=True):
    """An image or audio clip: ``kind``, approximate size in bytes, and base64 data."""

    kind: str
    size: int
    encoded: str

    def data(self) -> bytes:
        """The decoded bytes; empty if the data is not valid base64.

        Characters outside the alphabet are ignored, as in browsers.
        """
        try:
            return binascii.a2b_base64(self.encoded)
        except (binascii.Error, ValueError):
            return b""


def file_suffix(data: bytes) -> str:
    """The file suffix for data, from its first bytes."""
    if data[:4] == b"RIFF":
        return {b"WEBP": ".webp", b"WAVE": ".wav"}.get(data[8:12], ".bin")
    return next((suffix for start, suffix in _STARTS if data.startswith(start)), ".bin")


def find_media_in_line(line: bytes) -> list[Medium]:
    """Images and audio in a result line of any dialect. Blocking: call it in a thread."""
    if len(line) > MAX_LINE_BYTES:
        return []
    try:
        return find_media(response_body(decode_lenient(line)))
    except UnreadableLineError:
        return []


def find_media(body: dict[str, Any]) -> list[Medium]:
    """Images and audio in a response body, in order."""
    return [
        Medium(kind=kind, size=len(encoded) * 3 // 4, encoded=encoded)
        for kind, encoded in _found(body)
        if encoded
    ]


def _found(body: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for item in _objects(body.get("data")):
        yield "image", _text(item.get("b64_json"))
    for choice in _objects(body.get("choices")):
        message = choice.get("message")
        if not isinstance(message, dict):
            continue
        audio = message.get("audio")
        if isinstance(audio, dict):
            yield "audio", _text(audio.get("data"))
        for part in (*_objects(message.get("images")), *_objects(message.get("content"))):
            yield "image", _image_part(part)
    for item in _objects(body.get("output")):
        if item.get("type") == "image_generation_call":
            yield "image", _text(item.get("result"))
        for part in _objects(item.get("content")):
            yield "image", _image_part(part)
    for block in _objects(body.get("content")):
        yield "image", _image_part(block)
    for page in _objects(body.get("pages")):
        for image in _objects(page.get("images")):
            yield "image", _base64_of(_text(image.get("image_base64")))


def _image_part(part: dict[str, Any]) -> str:
    """The base64 data of a content part: a ``data:`` URL, or Anthropic's source."""
    source = part.get("source")
    if isinstance(source, dict) and source.get("type") == "base64":
        return _text(source.get("data"))
    url = part.get("image_url")
    if isinstance(url, dict):
        url = url.get("url")
    return _base64_of(_text(url)) if _text(url).startswith("data:") else ""


def _base64_of(url: str) -> str:
    return url.partition(",")[2] if url.startswith("data:") else url


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _objects(value: Any) -> list[dict[str, Any]]:
    return [part for part in value if isinstance(part, dict)] if isinstance(value, list) else []
