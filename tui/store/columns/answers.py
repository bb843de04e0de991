"""Read fields of answers from the lines of the result files."""

from __future__ import annotations

import mmap
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import add, attrgetter
from pathlib import Path
from typing import Any, Literal

import msgspec

from tui.core import json_path
from tui.core.results.json_answers import parse_answer
from tui.core.results.openai_lines import UnreadableLineError
from tui.core.results.readers import READERS
from tui.core.rows import ANSWERED, OUTCOME_CODES
from tui.store.database import chunked
from tui.store.jobs import JobData
from tui.store.rows.mapped_files import MappedFiles

ANSWER = ""
"""The path of the answer itself, as text."""

_FETCH = 2000
_WASTE = 4
"""A part of a file is read as one block if it has at most so many times the bytes of the lines."""

_ANSWERED = ",".join(str(OUTCOME_CODES[outcome]) for outcome in sorted(ANSWERED))


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

_NOT_SIMPLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def _openai_text(line: bytes | memoryview) -> str | None:
    """The text of the usual answer; ``None`` if the line has to be read with its reader."""
    try:
        return _decode_openai(line).response.body.choices[0].message.content
    except _NOT_SIMPLE:
        return None


def _anthropic_text(line: bytes | memoryview) -> str | None:
    """The text of a message with one block; ``None`` if the line has to be read with its reader."""
    try:
        return _decode_anthropic(line).result.message.content[0].text
    except _NOT_SIMPLE:
        return None


_SIMPLE: dict[str, Callable[[bytes | memoryview], str | None]] = {
    "openai": _openai_text,
    "messages": _anthropic_text,
}
"""Fast readers of the commonest answers by the style of the result file."""


def read_text(line: bytes, style: str) -> str:
    """The answer of a result line as text; empty if the line is unreadable."""
    simple = _SIMPLE.get(style)
    text = None if simple is None else simple(line)
    return _text_by_reader(line, style) if text is None else text


def _text_by_reader(line: bytes, style: str) -> str:
    try:
        return READERS[style](line, None).text
    except UnreadableLineError:
        return ""


class FieldDecoder:
    """Decodes some fields of a JSON answer, without building the others.

    Args:
        paths: Paths of the fields; ``ANSWER`` stands for the answer itself.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        self._paths = paths
        # The first name of each path; ``None`` for the answer itself.
        self._tops = [None if path == ANSWER else json_path.first_name(path) for path in paths]
        names = dict.fromkeys(top for top in self._tops if top is not None)
        self._is_flat = all(
            top is None or path in (top, json_path.quote_step(top))
            for path, top in zip(paths, self._tops, strict=True)
        )
        # Entities have two spellings, which only the whole answer shows.
        self._needs_whole = "entities" in names
        self._attributes = {name: f"field{place}" for place, name in enumerate(names)}
        fields = [(attribute, Any, None) for attribute in self._attributes.values()]
        rename = {attribute: name for name, attribute in self._attributes.items()}
        made = msgspec.defstruct("Fields", fields, rename=rename, gc=False)
        self._decode = msgspec.json.Decoder(made).decode
        self._get: Callable[[Any], Any] | None = None
        if len(paths) == 1 and names and self._is_flat and not self._needs_whole:
            self._get = attrgetter(*self._attributes.values())

    def values(self, text: str) -> list[Any]:
        """The values of the fields, in order; ``None`` where there is none."""
        text = text.strip()
        if not self._attributes:
            return [text or None] * len(self._paths)
        if not self._needs_whole and text.startswith("{"):
            try:
                found = self._decode(text)
            except (msgspec.MsgspecError, RecursionError, UnicodeError):
                pass
            else:
                return self._from_struct(found, text)
        data = parse_answer(text)
        return [
            text or None if path == ANSWER else json_path.get(data, path) for path in self._paths
        ]

    def each_value(self, texts: Iterable[str]) -> Iterator[Any]:
        """The value of the only field in each text."""
        get, decode = self._get, self._decode
        for text in texts:
            if get is not None:
                try:
                    value = get(decode(text))
                except (msgspec.MsgspecError, RecursionError, UnicodeError):
                    pass
                else:
                    yield value
                    continue
            yield self.values(text)[0]

    def _from_struct(self, found: Any, text: str) -> list[Any]:
        attributes = self._attributes
        values = [
            (text or None) if top is None else getattr(found, attributes[top]) for top in self._tops
        ]
        if self._is_flat:
            return values
        return [
            value
            if top is None or value is None or path == top
            else json_path.get({top: value}, path)
            for value, top, path in zip(values, self._tops, self._paths, strict=True)
        ]


Place = tuple[int, int, int, int]
"""A row number, the primary key of its result file, and offset and length of its line."""


def places(data: JobData, after: Mapping[int, int], count: int) -> Iterator[list[Place]]:
    """Where the lines of answered rows are, in input order.

    Args:
        data: The job.
        after: For each file, the offset from which lines are wanted; 0 for other files.
        count: The most places in each list.
    """
    cursor = data.connection.execute(
        "SELECT seq, file, offset, length FROM results"
        f" WHERE job=? AND file IS NOT NULL AND outcome IN ({_ANSWERED})",
        (data.pk,),
    )
    while rows := cursor.fetchmany(count):
        yield [place for place in rows if place[2] >= after.get(place[1], 0)] if after else rows


def styles(data: JobData) -> dict[int, str]:
    """The style of each result file of a job by its primary key."""
    return dict(
        data.connection.execute(
            "SELECT f.pk, coalesce(b.style, 'openai') FROM files f"
            " JOIN batches b ON b.pk=f.batch WHERE b.job=?",
            (data.pk,),
        ).fetchall()
    )


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

    def texts_of_page(self, packed: array[int]) -> Iterator[str]:
        """The same of many rows, most of which stand together in one file.

        Args:
            packed: The four numbers of each place, one after the other.
        """
        numbers = iter(packed)
        page: Iterator[Place] = zip(numbers, numbers, numbers, numbers, strict=True)
        files, offsets, lengths = packed[1::4], packed[2::4], packed[3::4]
        start = min(offsets, default=0)
        size = max(map(add, offsets, lengths), default=0) - start
        block = None
        if files and files.count(files[0]) == len(files) and size < _WASTE * sum(lengths):
            block = self._block(files[0], start, size)
        if block is None:
            yield from self.texts(page)
            return
        style = self._styles[files[0]]
        simple = _SIMPLE.get(style)
        starts = [offset - start for offset in offsets]
        view = memoryview(block)
        for line in map(view.__getitem__, map(slice, starts, map(add, starts, lengths))):
            text = None if simple is None else simple(line)
            yield _text_by_reader(bytes(line), style) if text is None else text

    def _block(self, file: int, start: int, size: int) -> bytes | None:
        """Some bytes of a file; ``None`` if it is missing."""
        try:
            with self._find(file).open("rb", buffering=0) as stream:
                stream.seek(start)
                return stream.read(size)
        except OSError:
            return None

    def text(self, place: Place) -> str:
        """The answer of one row; see ``texts``."""
        (text,) = self.texts((place,))
        return text


def read_some(data: JobData, seqs: Sequence[int], path: str, largest: int = 0) -> Iterator[Any]:
    """The values of one field in some rows, in the given order.

    Args:
        data: The job.
        seqs: Row numbers.
        path: Path of the field; ``ANSWER`` for the answer itself.
        largest: Do not decode longer lines, unless it is 0; ``…`` stands for their values.
    """
    decoder = FieldDecoder([path])
    with AnswerLines(data.file, styles(data)) as lines:
        for start in range(0, len(seqs), _FETCH):
            page = seqs[start : start + _FETCH]
            found = {place[0]: place for place in _places_of(data, page)}
            for seq in page:
                place = found.get(seq)
                if place is None:
                    yield None
                elif largest and place[3] > largest:
                    yield "…"
                else:
                    yield decoder.values(lines.text(place))[0]


def _places_of(data: JobData, seqs: Sequence[int]) -> Iterator[Place]:
    for marks, part in chunked(seqs):
        yield from data.connection.execute(
            "SELECT seq, file, offset, length FROM results"
            f" WHERE job=? AND seq IN ({marks}) AND file IS NOT NULL AND outcome IN ({_ANSWERED})",
            (data.pk, *part),
        )
