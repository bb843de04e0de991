"""The rows of a delimited table, many at a time, each with as many cells as there are columns."""

from __future__ import annotations

import csv
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from tui.core.text import quoted
from tui.errors import InputError

_PIECE = 1 << 16
"""Characters of a file that are read at once."""


class CellForm(NamedTuple):
    """How a table is to be read: ``width`` is the number of its columns."""

    path: Path
    encoding: str
    delimiter: str
    width: int
    header: bool


def slices(form: CellForm) -> Iterator[list[list[str]]]:
    """The rows after the header: for each slice, for each row of it, the texts of its cells.

    A slice has about the rows of a piece of the file, so that few long rows or many short ones
    take the same memory. Blank lines are no rows; a row that is too short is filled up.

    Raises:
        InputError: A row cannot be read, or has too many cells. The rows before it came first.
    """
    number = 0
    with form.path.open(encoding=form.encoding, newline="") as file:
        lines = _Lines(file)
        reader = _reader(lines, form)
        ended = False
        while not ended:
            taken: list[list[str]] = []
            trouble: InputError | None = None
            try:
                for cells in reader:
                    taken.append(cells)
                    if lines.moved:
                        lines.moved = False
                        break
                else:
                    ended = True
            except (csv.Error, UnicodeError) as error:
                row = number + 1 + sum(map(bool, taken))
                trouble = _unreadable(form, error, row, reader.line_num)
            if taken and {*map(len, taken)} != {form.width}:
                taken, uneven = _evened(taken, form, number)
                trouble = uneven or trouble
            if taken:
                yield taken
                number += len(taken)
            if trouble is not None:
                raise trouble


class _Lines:
    """The lines of a file, read a piece at a time; ``moved``: another piece was begun."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self.moved = False

    def pieces(self) -> Iterator[list[str]]:
        while lines := self._file.readlines(_PIECE):
            self.moved = True
            yield lines


def _reader(lines: _Lines, form: CellForm) -> Any:
    """A reader that stands behind the header."""
    csv.field_size_limit(sys.maxsize)
    reader = csv.reader(itertools.chain.from_iterable(lines.pieces()), delimiter=form.delimiter)
    try:
        while form.header and not next(reader, [""]):
            pass
    except (csv.Error, UnicodeError) as error:
        raise _unreadable(form, error, 1, reader.line_num) from None
    lines.moved = False
    return reader


def _evened(
    taken: list[list[str]], form: CellForm, before: int
) -> tuple[list[list[str]], InputError | None]:
    """The rows of the right width, up to the first that holds something beyond it."""
    width = form.width
    made: list[list[str]] = []
    for cells in filter(None, taken):
        if any(cells[width:]):
            return made, _too_long(form, before + len(made) + 1, len(cells))
        made.append(cells[:width] + [""] * (width - len(cells)))
    return made, None


def _too_long(form: CellForm, row: int, found: int) -> InputError:
    """The error for a row with too many cells; the file is read anew to name its line."""
    with form.path.open(encoding=form.encoding, newline="") as file:
        reader = _reader(_Lines(file), form)
        next(itertools.islice(filter(None, reader), row - 1, None))
        line = reader.line_num
    return InputError(
        f"row {row} of {quoted(form.path.name)} has {found} cells, the first row {form.width}",
        "Put cells that hold the delimiter into double quotes.",
        path=form.path,
        line=line,
    )


def _unreadable(form: CellForm, error: Exception, row: int, line: int) -> InputError:
    name = quoted(form.path.name)
    if isinstance(error, csv.Error):
        return InputError(
            f"row {row} of {name} cannot be read: {error}",
            "Look for a quote that is not closed.",
            path=form.path,
            line=line,
        )
    return InputError(
        f"row {row} of {name} is not {form.encoding}: {error}",
        "Name the encoding, or save the file as UTF-8.",
        path=form.path,
    )
