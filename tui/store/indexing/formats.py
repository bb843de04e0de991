"""Which format a downloaded result file has, and turning the others into JSON Lines.

Documented is one JSON object per line. Servers and the stores and proxies in front of them also
send a gzip file, UTF-16, one array, one object with an array in it, or indented objects. These
are rewritten as lines, because rows are read by their offset in the file.
"""

from __future__ import annotations

import base64
import codecs
import itertools
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from tui.core.results.error_words import read_error
from tui.core.results.json_stream import ArraySplitter
from tui.core.results.openai_lines import UnreadableLineError, decode_lenient, decode_row
from tui.core.text import visible
from tui.errors import HistoryError
from tui.files import atomic_file

_HEAD_BYTES = 1 << 16
_PIECE_BYTES = 1 << 18
_LINES_TRIED = 50
_BOM = codecs.BOM_UTF8
_GZIP = b"\x1f\x8b"
_UTF16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_OTHER_FILES = {
    b"\x28\xb5\x2f\xfd": "a file compressed with Zstandard",
    b"PK\x03\x04": "a ZIP file",
    b"BZh": "a file compressed with bzip2",
    b"\xfd7zXZ": "a file compressed with xz",
    b"%PDF": "a PDF document",
    b"<?xml": "an XML document",
}
_ARRAY_KEYS = ("results", "outputs", "data", "responses", "output", "rows", "items")

_TEXT_KEYS = ("content", "text", "data", "body", "file")

_MAX_TEXT = 256 << 20
"""The most bytes of a file that is one text in JSON."""

_EVENT_FIELDS = (b"data:", b"event:", b"id:", b"retry:")
"""What a line of an event stream begins with."""

_MAX_RATIO = 256
"""The most bytes that one byte of a gzip file may become; JSON Lines reach about 100."""

_MAX_REST = 1 << 20
"""The most bytes before the array of an object with an array."""

_MAX_WORDS = 300


def is_lines(path: Path) -> bool:
    """Whether a file has one result per line, as far as its first 64 KiB tell.

    A file that only has empty or unreadable lines, or begins with a very long one, counts as such.
    """
    head = _raw_head(path)
    if head.startswith((_GZIP, *_UTF16, *_OTHER_FILES)) or _is_web_page(head):
        return False
    text = head.removeprefix(_BOM).lstrip()
    if text.startswith((b"[", b'"', *_EVENT_FIELDS)):
        return False
    if not text.startswith(b"{"):
        return True
    if b"\n" not in text:
        return len(head) == _HEAD_BYTES or _has_id(text) or not _parses(text)
    complete = text.split(b"\n", _LINES_TRIED)[:-1]
    return any(_has_id(line) for line in complete if line.strip())


class Conversion(msgspec.Struct, frozen=True):
    """The result of rewriting a file as lines.

    Attributes:
        rows: Results in the new file, counted up to 50; 0 leaves the old one in place.
        cut: The file ends too early.
        problem: What the file is instead, for "the file is …"; empty if ``rows`` is not 0.
    """

    rows: int = 0
    cut: bool = False
    problem: str = ""


class _CutError(Exception):
    """A file ends before its format allows."""


class _NoRowsError(Exception):
    """A file has no results."""


_Rows = Callable[[Path], Iterator[bytes]]


def convert_to_lines(path: Path) -> Conversion:
    """Rewrite a result file in another format as JSON Lines; blocking.

    Raises:
        HistoryError: The new file cannot be written.
    """
    raw = _raw_head(path)
    for start, name in _OTHER_FILES.items():
        if raw.startswith(start):
            return Conversion(problem=name)
    try:
        text = _head(path).lstrip()
        for rows_of in _readers(text):
            with suppress(_NoRowsError):
                return Conversion(rows=_rewrite(path, rows_of(path)))
    except _CutError:
        return Conversion(cut=True, problem="cut off")
    except (zlib.error, ValueError) as error:
        return Conversion(problem=f"damaged: {error}")
    return Conversion(problem=describe(text))


def describe(head: bytes) -> str:
    """What a file without results is, from its start: an error in the provider's words, a page."""
    text = head.removeprefix(_BOM).lstrip()
    if _is_web_page(text):
        title = re.search(rb"(?is)<title[^>]*>(.*?)</title", text)
        words = _shown(title[1]) if title else ""
        return f"a web page: {words}" if words else "a web page"
    with suppress(UnreadableLineError):
        value = decode_lenient(text)
        if isinstance(value, dict | str):
            facts = read_error(value)
            words = facts.message
            if words and facts.code and facts.code not in words:
                words = f"{facts.code}: {words}"
            if words:
                return f"a message: {_shown(words.encode('utf-8', 'replace'))}"
    words = _shown(text.partition(b"\n")[0])
    return f"not a list of results; it begins with {words}" if words else "empty"


def is_cut(path: Path, offset: int) -> bool:
    """Whether a file of lines ends, after ``offset`` bytes, in the middle of a result."""
    with path.open("rb") as file:
        file.seek(offset)
        tail = file.read()
    if not tail.removeprefix(_BOM).lstrip().startswith(b"{") or tail.endswith(b"\n"):
        return False
    return not _parses(tail)


def _readers(text: bytes) -> list[_Rows]:
    """The ways to read a file that begins so, the likeliest first."""
    if text.startswith(b"["):
        return [_elements]
    if text.startswith(b"{"):
        if _first_line_has_id(text):
            return [_lines, _elements, _objects]
        return [_elements, _objects, _text_inside]
    if text.startswith(b'"'):
        return [_text_inside]
    if text.startswith(_EVENT_FIELDS):
        return [_events]
    return [] if _is_web_page(text) else [_lines]


def _parses(text: bytes) -> bool:
    try:
        decode_lenient(text)
    except UnreadableLineError:
        return False
    return True


def _first_line_has_id(text: bytes) -> bool:
    return _has_id(text.partition(b"\n")[0])


def _lines(path: Path) -> Iterator[bytes]:
    """The lines of a packed file."""
    tail = b""
    for piece in _pieces(path):
        *whole, tail = (tail + piece).split(b"\n")
        yield from whole
    if tail.lstrip().startswith(b"{") and not _parses(tail):
        raise _CutError
    if tail.strip():
        yield tail


def _text_inside(path: Path) -> Iterator[bytes]:
    """The lines in the text that the file is in JSON, or that its object has, perhaps in base64."""
    if path.stat().st_size > _MAX_TEXT:
        return
    with suppress(UnreadableLineError):
        value = decode_lenient(b"".join(_pieces(path)))
        if isinstance(value, dict):
            texts = (value.get(name) for name in _TEXT_KEYS)
            value = next((one for one in texts if isinstance(one, str)), None)
        if isinstance(value, str):
            text = value.encode("utf-8", "replace")
            if not text.lstrip().startswith(b"{"):
                with suppress(ValueError):
                    text = base64.b64decode(text, validate=True)
            yield from text.split(b"\n")


def _events(path: Path) -> Iterator[bytes]:
    """The data of a stream of events, which a gateway made of the lines."""
    for line in _lines(path):
        if line.startswith(b"data:") and (data := line[5:].strip()) != b"[DONE]":
            yield data


def _elements(path: Path) -> Iterator[bytes]:
    """The elements of the array that the file is, or that its object has at a usual key."""
    splitter = ArraySplitter(*_ARRAY_KEYS)
    for piece in _pieces(path):
        yield from splitter.feed(piece)
        if not splitter.found and (splitter.complete or len(splitter.rest) > _MAX_REST):
            return
    if splitter.found and not splitter.complete:
        raise _CutError


def _objects(path: Path) -> Iterator[bytes]:
    """The objects of a file that has one after the other, indented or not."""
    splitter = ArraySplitter()
    yield from splitter.feed(b"[")
    for piece in _pieces(path):
        yield from splitter.feed(piece)
    yield from splitter.feed(b"]")
    if not splitter.complete:
        raise _CutError


def _rewrite(path: Path, rows: Iterable[bytes]) -> int:
    """Replace the file by these lines, if any of them is a result; returns how many are, up to 50.

    Raises:
        _NoRowsError: None is; the file is left as it was.
    """
    found = 0
    with atomic_file(path, HistoryError) as file:
        for row in rows:
            found += found < _LINES_TRIED and _has_id(row)
            file.write(row.rstrip(b"\r") + b"\n")
        if not found:
            raise _NoRowsError
    return found


def _has_id(line: bytes) -> bool:
    try:
        decode_row(line)
    except UnreadableLineError:
        return False
    return True


def _raw_head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD_BYTES)


def _head(path: Path) -> bytes:
    """The start of the text of a file."""
    head = b""
    for piece in _pieces(path):
        head += piece
        if len(head) >= _HEAD_BYTES:
            break
    return head[:_HEAD_BYTES]


def _pieces(path: Path) -> Iterator[bytes]:
    """The text of a file as UTF-8 without a byte order mark, unpacked, in pieces."""
    with path.open("rb") as file:
        start = file.read(2)
        file.seek(0)
        raw = iter(lambda: file.read(_PIECE_BYTES), b"")
        unpacked = _unpacked(raw) if start == _GZIP else raw
        first = b""
        for piece in unpacked:
            first += piece
            if len(first) >= len(_BOM):
                break
        decoder: codecs.IncrementalDecoder | None = None
        if (name := _UTF16.get(first[:2])) is not None:
            decoder = codecs.getincrementaldecoder(name)("replace")
            first = first[2:]
        for piece in itertools.chain([first.removeprefix(_BOM)], unpacked):
            yield piece if decoder is None else decoder.decode(piece).encode("utf-8", "replace")


def _unpacked(raw: Iterable[bytes]) -> Iterator[bytes]:
    """Unpack gzip, of one or more members, in pieces of bounded size."""
    packed_size = size = 0
    member = zlib.decompressobj(zlib.MAX_WBITS | 16)
    for piece in raw:
        packed_size += len(piece)
        while piece:
            if member.eof:
                member = zlib.decompressobj(zlib.MAX_WBITS | 16)
            text = member.decompress(piece, _PIECE_BYTES)
            size += len(text)
            if size > _HEAD_BYTES * _MAX_RATIO and size > packed_size * _MAX_RATIO:
                raise ValueError("it unpacks to far more than any result file")
            yield text
            piece = member.unused_data if member.eof else member.unconsumed_tail
    if not member.eof:
        raise _CutError


def _is_web_page(head: bytes) -> bool:
    return head.removeprefix(_BOM).lstrip()[:15].lower().startswith((b"<!doctype html", b"<html"))


def _shown(words: bytes) -> str:
    text = visible(" ".join(words.decode("utf-8", "replace").split()))
    return text if len(text) <= _MAX_WORDS else f"{text[: _MAX_WORDS - 1]}…"
