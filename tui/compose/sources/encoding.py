"""Which encoding a text file is in."""

from __future__ import annotations

import codecs
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from tui.compose.blocks import open_bytes
from tui.core.text import quoted
from tui.errors import InputError

_CHUNK = 1 << 18
_MARKS: tuple[tuple[bytes, str], ...] = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_WITHOUT_PLACE = frozenset(b"\x81\x8d\x8f\x90\x9d")
"""Bytes that mean nothing in Windows-1252, and control characters in Latin-1."""


class TextFile(NamedTuple):
    """What was found in one pass: Python's name of the encoding, and the number of lines."""

    encoding: str
    lines: int


def look_at(path: Path, encoding: str | None = None) -> TextFile:
    """Find the encoding of a whole file, in a flat memory.

    A byte order mark decides; then comes UTF-16 without one, then UTF-8, and what is none of
    these is read as Windows-1252 or Latin-1, in which every byte means something.

    Args:
        path: The file.
        encoding: The one to be used, when the caller knows.

    Raises:
        InputError: The file cannot be read, or is not in the encoding that was asked for.
    """
    with open_bytes(path) as file:
        head = file.read(4096)
        if encoding is None:
            encoding = next((name for mark, name in _MARKS if head.startswith(mark)), None)
            encoding = encoding or _utf16(head)
        try:
            decoder = codecs.getincrementaldecoder(encoding or "utf-8")("strict")
        except LookupError:
            raise InputError(
                f"there is no encoding {quoted(encoding or '')}",
                "Use utf-8, utf-16, latin-1 or cp1252.",
                path=path,
            ) from None
        file.seek(0)
        is_utf8 = encoding in (None, "utf-8")
        try:
            lines = 0
            open_end = False
            while chunk := file.read(_CHUNK):
                lines += _line_ends(chunk)
                # ASCII is right wherever it stands, but within a character of more bytes.
                if open_end or not (is_utf8 and chunk.isascii()):
                    decoder.decode(chunk)
                    open_end = bool(decoder.getstate()[0])
            decoder.decode(b"", True)
            return TextFile(encoding or "utf-8", lines)
        except UnicodeDecodeError as error:
            if encoding is not None:
                raise InputError(
                    f"{quoted(str(path), 200)} is not {encoding}: {error.reason}",
                    "Name its encoding, or save it as UTF-8.",
                    path=path,
                ) from None
        file.seek(0)
        lines = 0
        unplaced = False
        while chunk := file.read(_CHUNK):
            lines += _line_ends(chunk)
            unplaced = unplaced or not _WITHOUT_PLACE.isdisjoint(chunk)
    return TextFile("latin-1" if unplaced else "cp1252", lines)


def _line_ends(chunk: bytes) -> int:
    # Faster than bytes.count, which does not use memchr.
    return len(BytesIO(chunk).readlines()) - (not chunk.endswith(b"\n"))


def _utf16(head: bytes) -> str | None:
    """UTF-16 without a mark shows by the zero bytes of its ASCII characters."""
    pairs = len(head) // 2
    if pairs == 0 or len(head) % 2:
        return None
    if head[1::2].count(0) > pairs * 0.6 and 0 not in head[0::2]:
        return "utf-16-le"
    if head[0::2].count(0) > pairs * 0.6 and 0 not in head[1::2]:
        return "utf-16-be"
    return None
