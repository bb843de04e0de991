"""Fields of answers: of one answer, or of a page of rows in a child process."""

from __future__ import annotations

import gc
import pickle
import re
import sqlite3
from array import array
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, cast

import msgspec

from tui.core import json_path
from tui.core.results.json_answers import parse_answer
from tui.core.rows import ANSWERED, OUTCOME_CODES
from tui.store.columns.answer_lines import (
    NOT_SIMPLE,
    AnswerLines,
    DecodeField,
    Place,
    PlaceColumns,
    as_columns,
)
from tui.store.columns.values import ColumnValues

ANSWER = ""
"""The path of the answer itself, as text."""

_NOT_A_FIELD = re.compile(r'[\\"\x00-\x1f]')
"""What the name of a field of a struct cannot have."""

_ROWS_AT_ONCE = 500
"""Rows whose lines are in the cache of the processor together."""

_ANSWERED = ",".join(str(OUTCOME_CODES[outcome]) for outcome in sorted(ANSWERED))

PLACES = (
    "SELECT seq, file, offset, length FROM results"
    f" WHERE job=? AND file IS NOT NULL AND outcome IN ({_ANSWERED})"
)
"""The places of the lines of the answered rows of a job, in input order."""


class FieldDecoder:
    """Decodes some fields of a JSON answer, without building the others.

    Args:
        paths: Paths of the fields; ``ANSWER`` stands for the answer itself.

    Attributes:
        decode_one: Decodes the only field of an answer that is an object; ``None`` if there are
            several, or the field is not one of its first names.
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
        self._needs_whole = "entities" in names or any(map(_NOT_A_FIELD.search, names))
        self._attributes = {name: f"field{place}" for place, name in enumerate(names)}
        fields = [(attribute, Any, None) for attribute in self._attributes.values()]
        rename = {attribute: name for name, attribute in self._attributes.items()}
        made = msgspec.defstruct(
            "Fields", fields, rename=None if self._needs_whole else rename, gc=False
        )
        self._decode = msgspec.json.Decoder(made).decode
        self.decode_one: DecodeField | None = None
        if len(paths) == 1 and names and self._is_flat and not self._needs_whole:
            self.decode_one = cast(DecodeField, self._decode)

    def values(self, text: str) -> list[Any]:
        """The values of the fields, in order; ``None`` where there is none."""
        text = text.strip()
        if not self._attributes:
            return [text or None] * len(self._paths)
        if not self._needs_whole and text.startswith("{"):
            try:
                found = self._decode(text)
            except NOT_SIMPLE:
                pass
            else:
                return self._from_struct(found, text)
        data = parse_answer(text)
        return [
            text or None if path == ANSWER else json_path.get(data, path) for path in self._paths
        ]

    def value(self, text: str) -> Any:
        """The value of the first field."""
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


class Page(NamedTuple):
    """Rows that are read together, and what of them is read; of types of the standard library.

    Attributes:
        job: Primary key of the job.
        first: The first row.
        end: The row after the last one.
        after: For each file, the offset from which lines are wanted; 0 for other files.
        files: Path and style of each result file by its primary key.
        paths: Paths of the fields.
    """

    job: int
    first: int
    end: int
    after: Mapping[int, int]
    files: Mapping[int, tuple[str, str]]
    paths: tuple[str, ...]


PageValues = tuple[Sequence[int], list[ColumnValues]]
"""The answered rows of a page, and the values of each field in these rows."""


def read_page(connection: sqlite3.Connection, page: Page) -> PageValues:
    """Read the fields of the answered rows of a page.

    Args:
        connection: A reading connection of this thread.
        page: The page.
    """
    files = page.files
    decoder = _decoder(page.paths)
    parts = [ColumnValues(page.end - page.first, lists_all=True) for _ in page.paths]
    setters = [part.set for part in parts]
    seqs = array("q")
    cursor = connection.execute(f"{PLACES} AND seq>=? AND seq<?", (page.job, page.first, page.end))
    with AnswerLines(
        lambda file: Path(files[file][0]), {file: style for file, (_, style) in files.items()}
    ) as lines:
        while places := cursor.fetchmany(_ROWS_AT_ONCE):
            columns = _wanted(places, page)
            first = len(seqs)
            seqs.extend(columns[0])
            if len(parts) == 1 and decoder.decode_one is not None:
                values = lines.fields(columns, decoder.decode_one, decoder.value)
                parts[0].set_all(first, values)
                continue
            for number, text in enumerate(lines.texts(zip(*columns, strict=True)), first):
                for put, value in zip(setters, decoder.values(text), strict=True):
                    put(number, value)
    for part in parts:
        part.cut(len(seqs))
    return seqs, parts


def _wanted(places: list[Place], page: Page) -> PlaceColumns:
    """The places without those of other files, and of lines that are not wanted."""
    files, after = page.files, page.after
    columns = as_columns(places)
    # A file that is not among them was added after the reading began.
    if not after and files.keys() >= set(columns[1]):
        return columns
    return as_columns(
        [place for place in places if place[1] in files and place[2] >= after.get(place[1], 0)]
    )


_decoder = lru_cache(maxsize=4)(FieldDecoder)


def answer(request: tuple[str, tuple[Any, ...]] | None) -> bytes:
    """Read a page in a child process.

    Args:
        request: The path of the history database, and the page; ``None`` to start only.

    Returns:
        The pickled ``PageValues``; nothing if this process cannot read the database.
    """
    if request is None:
        return b""
    path, page = request
    # Looking for cycles, which a page has none of, takes a twentieth of the time.
    gc.disable()
    try:
        return pickle.dumps(read_page(_connection(path), Page(*page)))
    except sqlite3.Error:
        return b""
    finally:
        gc.enable()


@lru_cache(maxsize=1)
def _connection(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{Path(path).as_uri()}?mode=ro", uri=True)
    connection.execute("PRAGMA mmap_size=268435456")
    return connection
