"""Detect the encoding of a text file, count its lines, and find the bytes that do not fit."""

from __future__ import annotations

import codecs
import re
from io import BytesIO
from pathlib import Path
from typing import NamedTuple, TextIO

from tui.compose.requests.block_reader import open_bytes
from tui.compose.requests.signatures import utf16_without_mark
from tui.compose.sources.code_pages import NAMES, best_code_page
from tui.core.formatting import counted
from tui.core.text import quoted, split_lines
from tui.errors import InputError

_CHUNK = 1 << 18
_MARKS: tuple[tuple[bytes, str], ...] = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_UTF8 = frozenset({"utf-8", "utf-8-sig"})


class TextFile(NamedTuple):
    """How a text file is encoded.

    Attributes:
        encoding: Python's name of the encoding.
        lines: The number of line endings.
        errors: ``replace`` if a few bytes are invalid and become U+FFFD; else ``strict``.
        doubts: What is not certain about the encoding, for display.
        zeros: Whether there are zero bytes, which are no text.
    """

    encoding: str
    lines: int
    errors: str = "strict"
    doubts: tuple[str, ...] = ()
    zeros: bool = False

    def open(self, path: Path, *, newline: str | None = None) -> TextIO:
        """Open the file with this encoding."""
        return path.open(encoding=self.encoding, errors=self.errors, newline=newline)


def detect_encoding(path: Path, encoding: str | None = None) -> TextFile:
    """Detect the encoding of a file in one streaming pass.

    A byte order mark decides first, then UTF-16 without one, then UTF-8. A file that is UTF-8
    but for a few bytes is UTF-8: these bytes are replaced, and ``doubts`` names their lines. Any
    other file is read in the code page in which it reads best, and ``doubts`` says which.

    Args:
        path: The file.
        encoding: The encoding, if the caller knows it.

    Raises:
        InputError: The file cannot be read, or is not in the given encoding.
    """
    found = _detect(path, encoding)
    if found.encoding.startswith(("utf-16", "utf-32")):
        # Half of its bytes may be zero.
        return found._replace(zeros=False)
    if not found.zeros:
        return found
    zeros, line = _zero_bytes(path)
    doubt = f"{counted(zeros, 'NUL byte')} (first: line {line})"
    return found._replace(doubts=(*found.doubts, doubt))


def _zero_bytes(path: Path) -> tuple[int, int]:
    """How many zero bytes a file has, and the line of the first."""
    zeros = first = before = 0
    with open_bytes(path) as file:
        while chunk := file.read(_CHUNK):
            if b"\x00" in chunk:
                first = first or before + chunk.index(0) + 1
                zeros += chunk.count(0)
            before += len(chunk)
        if first:
            # Lines are counted only for the rare file that has such bytes.
            file.seek(0)
            first = sum(1 for _ in split_lines(BytesIO(file.read(first))))
    return zeros, first


def _detect(path: Path, encoding: str | None) -> TextFile:
    with open_bytes(path) as file:
        head = file.read(4096)
        given = encoding
        if encoding is None:
            encoding = next((name for mark, name in _MARKS if head.startswith(mark)), None)
            encoding = encoding or utf16_without_mark(head)
        try:
            decoder = codecs.getincrementaldecoder(encoding or "utf-8")("strict")
        except LookupError:
            raise InputError(
                f"unknown encoding {quoted(encoding or '')}",
                "Use utf-8, utf-16, latin-1 or cp1252.",
                path=path,
            ) from None
        file.seek(0)
        is_utf8 = encoding in (None, "utf-8")
        try:
            lines = 0
            incomplete = zeros = False
            while chunk := file.read(_CHUNK):
                lines += _line_ends(chunk)
                zeros = zeros or b"\x00" in chunk
                # An ASCII chunk is valid unless it follows an incomplete multi-byte character.
                if incomplete or not (is_utf8 and chunk.isascii()):
                    decoder.decode(chunk)
                    incomplete = bool(decoder.getstate()[0])
            decoder.decode(b"", True)
            return TextFile(encoding or "utf-8", lines, zeros=zeros)
        except UnicodeDecodeError as error:
            if given is not None or encoding not in (None, *_UTF8):
                raise InputError(
                    f"{quoted(str(path), 200)} is not {encoding}: {error.reason}"
                    + _first_wrong(path, encoding or "utf-8"),
                    "Set its encoding with --encoding, or save it as UTF-8.",
                    path=path,
                ) from None
    return _nearly_utf8(path, encoding)._replace(zeros=_zero_bytes(path)[0] > 0)


class _Wrong(NamedTuple):
    """A byte that is not UTF-8: its line from 1 and its value."""

    line: int
    byte: int


def _nearly_utf8(path: Path, marked: str | None) -> TextFile:
    """Decide between UTF-8 with wrong bytes and a code page, by the evidence of all lines."""
    valid = wrong = lines = 0
    first: list[_Wrong] = []
    sample = bytearray()
    with open_bytes(path) as file:
        for number, (_, line) in enumerate(split_lines(file), 1):
            lines = number
            if line.isascii():
                continue
            text = line.decode("utf-8", "surrogateescape")
            bad = [ord(each) - 0xDC00 for each in text if "\udc80" <= each <= "\udcff"]
            wrong += len(bad)
            # Some databases write emoji as two surrogates of three bytes each.
            valid += 3 * len(_SURROGATE.findall(line))
            valid += sum(each > "\x7f" for each in text) - len(bad)
            if len(sample) < _SAMPLE:
                sample += line.rstrip(b"\n") + b"\n"
            if bad and len(first) < _SHOWN:
                first.append(_Wrong(number, bad[0]))
        file.seek(-1, 2)
        lines -= file.read(1) != b"\n"
    page = None if marked or valid >= max(wrong, 1) else best_code_page(
        bytes(sample), lambda encoding: _fits(path, encoding)
    )  # fmt: skip
    # Hardly any text of a code page contains characters of UTF-8 by accident.
    if page is None or (page.score < _SURE and valid * 4 >= wrong):
        places = ", ".join(f"line {each.line} (byte 0x{each.byte:02x})" for each in first)
        more = ", …" if wrong > len(first) else ""
        doubt = f"{counted(wrong, 'byte')} not UTF-8, shown as �: {places}{more}"
        return TextFile(marked or "utf-8", lines, "replace", (doubt,))
    doubt = (
        f"not UTF-8, read as {NAMES[page.encoding]} (line {first[0].line},"
        f" byte 0x{first[0].byte:02x}); --encoding changes it"
    )
    return TextFile(page.encoding, lines, doubts=(doubt,))


_SURROGATE = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]")
_SAMPLE = 1 << 16
_SURE = 0.6


def _fits(path: Path, encoding: str) -> bool:
    """Whether the whole file can be decoded with an encoding."""
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    with open_bytes(path) as file:
        try:
            while chunk := file.read(_CHUNK):
                decoder.decode(chunk)
            decoder.decode(b"", True)
        except UnicodeDecodeError:
            return False
    return True


_SHOWN = 3


def _first_wrong(path: Path, encoding: str) -> str:
    """Where the first wrong byte is, for a message; only for encodings that extend ASCII."""
    try:
        if "\n".encode(encoding) != b"\n":
            return ""
    except LookupError:
        return ""
    with open_bytes(path) as file:
        for number, (_, line) in enumerate(split_lines(file), 1):
            try:
                line.decode(encoding)
            except UnicodeDecodeError as error:
                return f", line {number} (byte 0x{line[error.start]:02x})"
    return ""


def _line_ends(chunk: bytes) -> int:
    # Faster than bytes.count, which does not use memchr.
    return len(BytesIO(chunk).readlines()) - (not chunk.endswith(b"\n"))
