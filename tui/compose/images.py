"""Images in requests: by address as they are, by path as ``data:`` addresses."""

from __future__ import annotations

import base64
from pathlib import Path

from tui.core.text import quoted
from tui.errors import InputError

LARGEST = 20 * 1000 * 1000
"""Bytes of an image file, more than any provider takes."""


def image_url(place: str, base: Path, number: int) -> str:
    """The address of an image for a request.

    Args:
        place: ``https://…``, ``data:image/…``, or a path.
        base: The folder from which a relative path is meant.
        number: The row's number, for errors.

    Raises:
        InputError: The file cannot be read, or is no PNG, JPEG, GIF or WebP. Other files are
            refused by their content, so that a table cannot make one send what it likes.
    """
    if place.startswith(("https://", "http://", "data:image/")):
        return place
    path = base / Path(place).expanduser()
    shown = quoted(place)
    try:
        if path.stat().st_size > LARGEST:
            raise _refused(f"the image {shown} is larger than {LARGEST:,} bytes", path, number)
        content = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise _refused(f"the image {shown} cannot be read: {reason}", path, number) from None
    kind = _media_type(content)
    if kind is None:
        raise _refused(f"{shown} is no PNG, JPEG, GIF or WebP image", path, number)
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _refused(what: str, path: Path, number: int) -> InputError:
    return InputError(
        f"row {number}: {what}", "Look at the path in the row.", path=path, line=number
    )


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
