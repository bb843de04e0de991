"""Images and sound in an answer: where they are, and their bytes when they are to be saved.

Nothing of it is drawn. The bytes are base64 in the answer's JSON; they are decoded only for a
file, whose ending follows from how the bytes begin and not from what the answer says.
"""

from __future__ import annotations

import binascii
from collections.abc import Iterator
from typing import Any

import msgspec

from tui.core.results import UnreadableLineError, body_in, decode_lenient

LONGEST_LINE = 512 << 20
"""Bytes of a result line in which media are looked for."""

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
    """One image or sound: what it is, about how large, and its base64."""

    kind: str
    size: int
    encoded: str

    def data(self) -> bytes:
        """The bytes; empty when they are not base64.

        Characters that do not belong there are passed over, as browsers do.
        """
        try:
            return binascii.a2b_base64(self.encoded)
        except (binascii.Error, ValueError):
            return b""


def suffix_of(data: bytes) -> str:
    """The ending of a file that begins so."""
    if data[:4] == b"RIFF":
        return {b"WEBP": ".webp", b"WAVE": ".wav"}.get(data[8:12], ".bin")
    return next((suffix for start, suffix in _STARTS if data.startswith(start)), ".bin")


def media_of_line(line: bytes) -> list[Medium]:
    """The images and sounds of a result line, in any dialect; call it in a thread."""
    if len(line) > LONGEST_LINE:
        return []
    try:
        return media_in(body_in(decode_lenient(line)))
    except UnreadableLineError:
        return []


def media_in(body: dict[str, Any]) -> list[Medium]:
    """The images and sounds of an answer's body, in the order in which they stand."""
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
    """The base64 of a content part: a ``data:`` address, or Anthropic's source."""
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
