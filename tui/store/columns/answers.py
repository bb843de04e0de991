"""Read fields of the answers of many rows from the result files, in one pass."""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any

import msgspec

from tui.core import json_path
from tui.core.results.json_answers import parse_answer
from tui.core.results.openai_lines import UnreadableLineError
from tui.core.results.readers import READERS
from tui.core.rows import ANSWERED, OUTCOME_CODES
from tui.progress import Progress
from tui.store.database import chunked
from tui.store.jobs import JobData
from tui.store.rows.mapped_files import MappedFiles

ANSWER = ""
"""The path of the answer itself, as text."""

_FETCH = 2000
"""Rows between two looks at ``progress.stopped``."""

_ANSWERED = ",".join(str(OUTCOME_CODES[outcome]) for outcome in sorted(ANSWERED))


class _Message(msgspec.Struct, gc=False):
    content: str
    refusal: Any = None
    tool_calls: Any = None


class _Choice(msgspec.Struct, gc=False):
    message: _Message
    finish_reason: str
    text: Any = None


class _Body(msgspec.Struct, gc=False):
    choices: tuple[_Choice]
    error: Any = None


class _Response(msgspec.Struct, gc=False):
    body: _Body


class _OpenAILine(msgspec.Struct, gc=False):
    response: _Response
    error: Any = None


class _Block(msgspec.Struct, gc=False):
    type: str
    text: str
    citations: Any = None


class _AnthropicMessage(msgspec.Struct, gc=False):
    content: tuple[_Block]
    stop_reason: str


class _AnthropicResult(msgspec.Struct, gc=False):
    message: _AnthropicMessage


class _AnthropicLine(msgspec.Struct, gc=False):
    result: _AnthropicResult


_decode_openai = msgspec.json.Decoder(_OpenAILine).decode
_decode_anthropic = msgspec.json.Decoder(_AnthropicLine).decode

_NOT_SIMPLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def _openai_text(line: bytes) -> str | None:
    """The text of the usual answer; ``None`` if the line has to be read with its reader."""
    try:
        found = _decode_openai(line)
    except _NOT_SIMPLE:
        return None
    body = found.response.body
    choice = body.choices[0]
    message = choice.message
    if (
        found.error
        or body.error
        or message.refusal
        or message.tool_calls
        or choice.text is not None
        or choice.finish_reason != "stop"
    ):
        return None
    return message.content


def _anthropic_text(line: bytes) -> str | None:
    """The text of a message with one block; ``None`` if the line has to be read with its reader."""
    try:
        message = _decode_anthropic(line).result.message
    except _NOT_SIMPLE:
        return None
    block = message.content[0]
    if block.type != "text" or block.citations or message.stop_reason != "end_turn":
        return None
    return block.text


_SIMPLE: dict[str, Callable[[bytes], str | None]] = {
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

    def value(self, text: str) -> Any:
        """The value of the only field."""
        if self._get is not None and text.startswith("{"):
            try:
                return self._get(self._decode(text))
            except (msgspec.MsgspecError, RecursionError, UnicodeError):
                pass
        return self.values(text)[0]

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


class AnswerLines:
    """The result lines of a job, mapped into memory; a context manager for one thread."""

    def __init__(self, data: JobData) -> None:
        self._data = data
        self._files = MappedFiles(data)
        self._styles: dict[int, str] = dict(
            data.connection.execute(
                "SELECT f.pk, coalesce(b.style, 'openai') FROM files f"
                " JOIN batches b ON b.pk=f.batch WHERE b.job=?",
                (data.pk,),
            ).fetchall()
        )

    def __enter__(self) -> AnswerLines:
        return self

    def __exit__(self, *_: object) -> None:
        self._files.close()

    def places(self, after: Mapping[int, int]) -> Iterator[list[Place]]:
        """Where the lines of answered rows are, in input order.

        Args:
            after: For each file, the offset from which lines are wanted; 0 for other files.
        """
        cursor = self._data.connection.execute(
            "SELECT seq, file, offset, length FROM results"
            f" WHERE job=? AND file IS NOT NULL AND outcome IN ({_ANSWERED})",
            (self._data.pk,),
        )
        while rows := cursor.fetchmany(_FETCH):
            yield [place for place in rows if place[2] >= after.get(place[1], 0)] if after else rows

    def texts(self, places: Iterable[Place]) -> Iterator[tuple[int, str]]:
        """Row numbers and answers as text; a text is empty if its file is missing."""
        last = -1
        mapped: mmap.mmap | None = None
        style = ""
        simple: Callable[[bytes], str | None] | None = None
        for seq, file, offset, length in places:
            if file != last:
                # Rows that follow each other are nearly always of the same file.
                last, mapped, style = file, self._files.get(file), self._styles[file]
                simple = _SIMPLE.get(style)
            if mapped is None:
                yield seq, ""
                continue
            line = mapped[offset : offset + length]
            text = None if simple is None else simple(line)
            yield seq, _text_by_reader(line, style) if text is None else text

    def text(self, place: Place) -> str:
        """The answer of one row; see ``texts``."""
        ((_, text),) = self.texts((place,))
        return text


def read_fields(
    data: JobData,
    paths: Sequence[str],
    put: Callable[[int, Any], None],
    progress: Progress,
    after: Mapping[int, int],
    page_done: Callable[[int], None] | None = None,
) -> None:
    """Read fields of the answers of all rows.

    Args:
        data: The job.
        paths: Paths of the fields; ``ANSWER`` for the answer itself.
        put: Called with the number of an answered row and the list of the values of the fields, or
            the value itself of a single field.
        progress: Told the rows read; can stop it.
        after: See ``AnswerLines.places``.
        page_done: Called now and then with the number of rows read so far.
    """
    decoder = FieldDecoder(paths)
    total = data.job.counts.total
    done = 0
    with AnswerLines(data) as lines:
        value_of, values_of = decoder.value, decoder.values
        for page in lines.places(after):
            if len(paths) == 1:
                for seq, text in lines.texts(page):
                    put(seq, value_of(text))
            else:
                for seq, text in lines.texts(page):
                    put(seq, values_of(text))
            done += len(page)
            progress.update(done, total)
            if progress.stopped:
                return
            if page_done is not None:
                page_done(done)


def read_some(data: JobData, seqs: Sequence[int], path: str, largest: int = 0) -> Iterator[Any]:
    """The values of one field in some rows, in the given order.

    Args:
        data: The job.
        seqs: Row numbers.
        path: Path of the field; ``ANSWER`` for the answer itself.
        largest: Do not decode longer lines, unless it is 0; ``…`` stands for their values.
    """
    decoder = FieldDecoder([path])
    with AnswerLines(data) as lines:
        for start in range(0, len(seqs), _FETCH):
            page = seqs[start : start + _FETCH]
            places = {place[0]: place for place in _places_of(data, page)}
            for seq in page:
                place = places.get(seq)
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
