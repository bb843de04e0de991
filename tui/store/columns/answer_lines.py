"""Read the answers in result lines as text, or one field of each."""

from __future__ import annotations

import mmap
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import add
from pathlib import Path
from typing import Any, Literal, Protocol

import msgspec

from tui.store.rows.mapped_files import MappedFiles

_WASTE = 4
"""A part of a file is read as one block if it has at most so many times the bytes of the lines."""

_BLOCK_BYTES = 4 << 20
"""The largest block."""

_LOCAL = threading.local()
"""The buffer of each thread: one that is used again costs no new pages of memory, which take a
fifth of the time of a line."""

Place = tuple[int, int, int, int]
"""A row number, the primary key of its result file, and offset and length of its line."""

PlaceColumns = tuple[Sequence[int], Sequence[int], Sequence[int], Sequence[int]]
"""The row numbers, files, offsets and lengths of several places."""


def as_columns(places: Sequence[Place]) -> PlaceColumns:
    """Places as four columns."""
    seqs, files, offsets, lengths = zip(*places, strict=True) if places else ((),) * 4
    return seqs, files, offsets, lengths


class _Message(msgspec.Struct, gc=False):
    content: str
    refusal: Literal[""] | None = None
    tool_calls: tuple[()] | None = None


class _Choice(msgspec.Struct, gc=False):
    message: _Message
    finish_reason: Literal["stop"]
    text: None = None


class _Body(msgspec.Struct, gc=False):
    choices: tuple[_Choice]
    error: None = None


class _Response(msgspec.Struct, gc=False):
    body: _Body


class _OpenAILine(msgspec.Struct, gc=False):
    response: _Response
    error: None = None


class _Block(msgspec.Struct, gc=False):
    type: Literal["text"]
    text: str
    refusal: Literal[""] | None = None
    citations: tuple[()] | None = None


class _AnthropicMessage(msgspec.Struct, gc=False):
    content: tuple[_Block]
    stop_reason: Literal["end_turn"]


class _AnthropicResult(msgspec.Struct, gc=False):
    message: _AnthropicMessage


class _AnthropicLine(msgspec.Struct, gc=False):
    result: _AnthropicResult


_decode_openai = msgspec.json.Decoder(_OpenAILine).decode
_decode_anthropic = msgspec.json.Decoder(_AnthropicLine).decode

NOT_SIMPLE = (msgspec.MsgspecError, UnicodeError, RecursionError)
"""What decoding raises for a line or an answer that has to be read in the general way."""


def _openai_text(line: bytes | memoryview) -> str | None:
    """The text of the usual answer; ``None`` if the line has to be read with its reader."""
    try:
        return _decode_openai(line).response.body.choices[0].message.content
    except NOT_SIMPLE:
        return None


def _anthropic_text(line: bytes | memoryview) -> str | None:
    """The text of a message with one block; ``None`` if the line has to be read with its reader."""
    try:
        return _decode_anthropic(line).result.message.content[0].text
    except NOT_SIMPLE:
        return None


_SIMPLE: dict[str, Callable[[bytes | memoryview], str | None]] = {
    "openai": _openai_text,
    "messages": _anthropic_text,
}
"""Fast readers of the commonest answers by the style of the result file."""


class OneField(Protocol):
    """A decoded answer of which one field is wanted."""

    field0: Any


DecodeField = Callable[[str], OneField]
"""Decodes the text of an answer; raises one of ``NOT_SIMPLE`` if it has to be read whole."""

_Lines = Iterable[memoryview]
_Slowly = Callable[[bytes], Any]


# One loop for each style: a call for each line costs a tenth of the time of a line.


def _openai_fields(lines: _Lines, decode: DecodeField, slowly: _Slowly) -> list[Any]:
    decode_line = _decode_openai
    values = []
    for line in lines:
        try:
            value = decode(decode_line(line).response.body.choices[0].message.content).field0
        except NOT_SIMPLE:
            value = slowly(bytes(line))
        values.append(value)
    return values


def _anthropic_fields(lines: _Lines, decode: DecodeField, slowly: _Slowly) -> list[Any]:
    decode_line = _decode_anthropic
    values = []
    for line in lines:
        try:
            value = decode(decode_line(line).result.message.content[0].text).field0
        except NOT_SIMPLE:
            value = slowly(bytes(line))
        values.append(value)
    return values


_SIMPLE_FIELDS = {"openai": _openai_fields, "messages": _anthropic_fields}
"""Fast readers of one field of the commonest answers."""


def read_text(line: bytes, style: str) -> str:
    """The answer of a result line as text; empty if the line is unreadable."""
    simple = _SIMPLE.get(style)
    text = None if simple is None else simple(line)
    return _text_by_reader(line, style) if text is None else text


def _text_by_reader(line: bytes, style: str) -> str:
    # Loading them takes longer than reading a thousand lines.
    from tui.core.results.openai_lines import UnreadableLineError
    from tui.core.results.readers import READERS

    try:
        return READERS[style](line, None).text
    except UnreadableLineError:
        return ""


class AnswerLines:
    """The result lines of a job; a context manager for one thread.

    Args:
        find: Where a result file is, by its primary key.
        styles: The style of each file.
    """

    def __init__(self, find: Callable[[int], Path], styles: Mapping[int, str]) -> None:
        self._find = find
        self._files = MappedFiles(find)
        self._styles = styles

    def __enter__(self) -> AnswerLines:
        return self

    def __exit__(self, *_: object) -> None:
        self._files.close()

    def texts(self, places: Iterable[Place]) -> Iterator[str]:
        """Answers as text, in the order of the places; empty if their file is missing."""
        last = -1
        mapped: mmap.mmap | None = None
        style = ""
        simple: Callable[[bytes | memoryview], str | None] | None = None
        for _, file, offset, length in places:
            if file != last:
                # Rows that follow each other are nearly always of the same file.
                last, mapped, style = file, self._files.get(file), self._styles[file]
                simple = _SIMPLE.get(style)
            if mapped is None:
                yield ""
                continue
            line = mapped[offset : offset + length]
            text = None if simple is None else simple(line)
            yield _text_by_reader(line, style) if text is None else text

    def fields(
        self, places: PlaceColumns, decode: DecodeField, slowly: Callable[[str], Any]
    ) -> list[Any]:
        """One field of the answers of some hundred rows, most of which stand together in one file.

        Args:
            places: Where they are.
            decode: Decodes the field of a usual answer.
            slowly: The value in the text of any answer.
        """
        _, files, offsets, lengths = places
        if not files:
            return []
        style = self._styles[files[0]]
        read = _SIMPLE_FIELDS.get(style)
        block = None
        start = min(offsets)
        size = max(map(add, offsets, lengths)) - start
        is_dense = files.count(files[0]) == len(files) and size < _WASTE * sum(lengths)
        if read is not None and is_dense and size <= _BLOCK_BYTES:
            block = self._block(files[0], start, size)
        if read is None or block is None:
            return list(map(slowly, self.texts(zip(*places, strict=True))))
        starts = [offset - start for offset in offsets]
        lines = map(block.__getitem__, map(slice, starts, map(add, starts, lengths)))
        return read(lines, decode, lambda line: slowly(read_text(line, style)))

    def _block(self, file: int, start: int, size: int) -> memoryview | None:
        """Some bytes of a file, until this thread reads others; ``None`` if it is missing."""
        buffer: memoryview | None = getattr(_LOCAL, "buffer", None)
        if buffer is None:
            buffer = _LOCAL.buffer = memoryview(bytearray(_BLOCK_BYTES))
        block = buffer[:size]
        try:
            with self._find(file).open("rb", buffering=0) as stream:
                stream.seek(start)
                return block if stream.readinto(block) == size else None
        except OSError:
            return None

    def text(self, place: Place) -> str:
        """The answer of one row; see ``texts``."""
        (text,) = self.texts((place,))
        return text
