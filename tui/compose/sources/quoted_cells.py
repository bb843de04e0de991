"""Read delimited lines in which some quotation marks quote nothing, and know those without such.

A cell is quoted if it starts with a mark and the closing mark ends the cell, as in RFC 4180, or
only blanks follow it.
Other marks are text: one within a cell, one that is never closed, one whose cell would hold
whole rows of the table.
"""

from __future__ import annotations

import csv
import re
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from operator import methodcaller
from typing import Any, Literal

Quoting = Literal["double", "lenient", "backslash", "spaced", "single", "escapes", "none"]
"""``double``: RFC 4180; ``lenient``: the same, but marks that quote nothing are text;
``backslash``: marks inside a quoted cell are escaped by ``\\``; ``spaced``: a space may stand
before a cell; ``single``: cells are quoted by apostrophes; ``escapes``: marks are text, and
backslashes stand for tabs and line ends, as databases write them; ``none``: all are text."""

_MOST_LINES = 1 << 20
"""A cell that goes on for more lines than this is not a quoted cell."""

_ENDS = ("", "\r", "\n")


class LenientReader:
    """Iterates over the records of lines; blank lines give empty records, as ``csv.reader``.

    Args:
        lines: The lines with their line endings.
        delimiter: The delimiter.
        width: The number of cells of a row.

    Attributes:
        line_num: The number of lines read so far.
        as_text: The number of cells whose opening mark was read as text, and ``first_as_text``
            the line of the first.
    """

    def __init__(self, lines: Iterable[str], delimiter: str, width: int) -> None:
        self._lines = iter(lines)
        self._delimiter = delimiter
        self._width = width
        self._waiting: deque[str] = deque()
        self.line_num = 0
        self.as_text = 0
        self.first_as_text = 0

    def __iter__(self) -> Iterator[list[str]]:
        return self

    def __next__(self) -> list[str]:
        line = self._next_line()
        if line is None:
            raise StopIteration
        text = line.rstrip("\r\n")
        if not text:
            return []
        if '"' not in text:
            return text.split(self._delimiter)
        return self._record(line)

    def _next_line(self) -> str | None:
        line = self._waiting.popleft() if self._waiting else next(self._lines, None)
        self.line_num += line is not None
        return line

    def _record(self, line: str) -> list[str]:
        cells: list[str] = []
        position = 0
        while True:
            quoted = self._quoted(line, position) if line.startswith('"', position) else None
            if quoted is not None:
                cell, line, position = quoted
            else:
                end = line.find(self._delimiter, position)
                cell = line[position:].rstrip("\r\n") if end < 0 else line[position:end]
                position = len(line) if end < 0 else end
            cells.append(cell)
            if not line.startswith(self._delimiter, position):
                return cells
            position += len(self._delimiter)

    def _quoted(self, line: str, start: int) -> tuple[str, str, int] | None:
        """The quoted cell at ``start``, and the line and position after it; ``None`` if none."""
        began = self.line_num
        parts: list[str] = []
        read: list[str] = []
        position = start + 1
        while True:
            end = line.find('"', position)
            if end < 0:
                parts.append(line[position:])
                following = self._next_line() if len(read) < _MOST_LINES else None
                if following is None:
                    break
                read.append(following)
                line, position = following, 0
            elif line.startswith('""', end):
                parts.append(line[position : end + 1])
                position = end + 2
            elif line[(after := self._after(line, end)) :][:1] in (*_ENDS, self._delimiter):
                if self._holds_rows(read[:-1]):
                    break
                parts += (line[position:end], line[end + 1 : after])
                return "".join(parts), line, after
            else:
                break
        self._waiting.extendleft(reversed(read))
        self.line_num = began
        self.as_text += 1
        self.first_as_text = self.first_as_text or began
        return None

    def _after(self, line: str, mark: int) -> int:
        """Where the blanks after a mark end."""
        position = mark + 1
        while line[position : position + 1] in (" ", "\t") and line[position] != self._delimiter:
            position += 1
        return position

    def _holds_rows(self, inner: list[str]) -> bool:
        """Whether the lines inside a cell are rows of the table."""
        needed = 1 if self._width > 2 else 3
        delimiters = self._width - 1
        return (
            delimiters > 0
            and len(inner) >= needed
            and all(line.count(self._delimiter) == delimiters for line in inner)
        )


def common_width(lines: list[str], delimiter: str, unusual: Iterable[str] = ()) -> int:
    """The number of cells that each of some lines has, if each is a row of a well-formed table.

    Args:
        lines: The lines with their line endings.
        delimiter: The delimiter.
        unusual: Pieces of text that make lines need to be read; each is looked for after a line
            ending too.

    Returns:
        0 if the lines have different numbers of cells, or need to be read: one of them is blank, a
        cell has a line ending, a quotation mark does not quote a whole cell.
    """
    text = "\n" + "".join(lines)
    if any(piece in text for piece in unusual):
        return 0
    pieces = text[1:].split('"')
    if len(pieces) % 2 == 0:
        return 0
    outside = pieces[::2]
    outside[0] = "\n" + outside[0]
    outside[-1] += "\n"
    # Nothing is between two marks of which one escapes the other.
    outside = [*filter(None, outside)]
    if len(outside) > 1:
        marked = '"'.join(outside)
        opening = sum(map(marked.count, (f'{delimiter}"', '\n"', '\r"')))
        closing = sum(map(marked.count, (f'"{delimiter}', '"\n', '"\r')))
        if not opening == closing == len(outside) - 1:
            return 0
    text = "".join(outside)[1:-1].replace("\r\n", "\n").removesuffix("\n")
    rows = text.split("\n")
    if len(rows) != len(lines) or "" in rows or "\r" in text:
        return 0
    widths = set(map(methodcaller("count", delimiter), rows))
    return widths.pop() + 1 if len(widths) == 1 else 0


def csv_reader(
    lines: Iterable[str], delimiter: str, quoting: Quoting, *, strict: bool = False
) -> Any:
    """A reader of Python for a kind of quoting that it knows."""
    csv.field_size_limit(sys.maxsize)
    if quoting == "none":
        return csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE)
    if quoting == "single":
        return csv.reader(lines, delimiter=delimiter, quotechar="'", strict=strict)
    if quoting == "spaced":
        return csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=strict)
    if quoting == "backslash":
        return csv.reader(
            _plain_backslashes(lines, delimiter),
            delimiter=delimiter,
            escapechar="\\",
            doublequote=False,
        )
    return csv.reader(lines, delimiter=delimiter, strict=strict)


def _plain_backslashes(lines: Iterable[str], delimiter: str) -> Iterator[str]:
    r"""Keep backslashes that escape no mark, delimiter or line ending, such as in ``\N``."""
    plain = re.compile(rf'\\([\\"\r\n{re.escape(delimiter)}])|\\')
    for line in lines:
        yield plain.sub(lambda found: found[0] if found[1] else "\\\\", line)


_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "0": "\0"}
_ENDS_ESCAPED = re.compile(r"(?<!\\)(?:\\\\)*\\\r?\n\Z|\r\Z")
ESCAPE_OF_LINE_END = re.compile(r"(?<!\\)(?:\\\\)*\\[ntr]")
OTHER_ESCAPE = re.compile(r"(?<!\\)(?:\\\\)*\\(?![\\ntrbfv0N\"'])")
NO_VALUE = r"\N"
"""What databases write for no value."""


class EscapedReader:
    r"""Iterates over records without quoting in which backslashes escape, as databases write them.

    ``\t``, ``\n`` and ``\\`` stand for what they do in many languages; a delimiter or a line end
    after a backslash belongs to the cell. ``\N``, no value, is kept. Blank lines give
    empty records.

    Args:
        lines: The lines with their line endings.
        delimiter: The delimiter.

    Attributes:
        line_num: The number of lines read so far.
    """

    def __init__(self, lines: Iterable[str], delimiter: str) -> None:
        self._lines = iter(lines)
        self._cells = re.compile(rf"(?:[^\\{re.escape(delimiter)}]|\\.|\\\Z)*", re.DOTALL)
        self._delimiter = delimiter
        self.line_num = 0

    def __iter__(self) -> Iterator[list[str]]:
        return self

    def __next__(self) -> list[str]:
        line = next(self._lines)
        self.line_num += 1
        while _ENDS_ESCAPED.search(line) and (more := next(self._lines, None)) is not None:
            line += more
            self.line_num += 1
        text = line.removesuffix("\n").removesuffix("\r")
        if not text:
            return []
        if "\\" not in text:
            return text.split(self._delimiter)
        cells = []
        position = 0
        while True:
            found = self._cells.match(text, position)
            assert found is not None
            cells.append(_unescaped(found[0]))
            position = found.end() + len(self._delimiter)
            if found.end() >= len(text):
                return cells


def _unescaped(cell: str) -> str:
    if cell == NO_VALUE or "\\" not in cell:
        return cell
    return _ESCAPE.sub(lambda found: _ESCAPED.get(found[1], found[1]), cell)
