"""What reaches the terminal or the pipe: documents on stdout, narration on stderr."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TextIO

from tui.cli.cells import cell_width, fitted

Colour = Literal["", "green", "yellow", "red", "blue", "dim", "bold"]

_CODES = {"green": 32, "yellow": 33, "red": 31, "blue": 34, "dim": 2, "bold": 1}

# Legal in JSON and dangerous after it: DEL, C1 controls, line separators, bidi overrides, and
# what is there without being seen.
_RISKY = re.compile(
    "[\x7f-\x9f\u00ad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164"
    "\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]"
)


class ReaderGoneError(Exception):
    """Whoever read our stdout has closed it; there is nobody left to tell."""


class Cell(NamedTuple):
    """A piece of a table: text without control characters, and its colour."""

    text: str
    colour: Colour = ""


def json_bytes(value: Any, *, indent: int = 0) -> bytes:
    r"""A value as UTF-8 JSON that is safe on a terminal and in tools that split on any newline.

    Characters that a terminal obeys, or that ``str.splitlines`` cuts at, are written as
    ``\u`` escapes: the document stays the same.
    """
    import msgspec

    try:
        raw = msgspec.json.encode(value)
    except UnicodeEncodeError:
        # A file name may hold bytes that are no text; they stand in it as lone surrogates.
        raw = json.dumps(msgspec.to_builtins(value)).encode("ascii")
    if indent:
        raw = msgspec.json.format(raw, indent=indent)
    if raw.isascii() and b"\x7f" not in raw:
        return raw
    text = raw.decode("utf-8")
    return _RISKY.sub(_json_escape, text).encode("utf-8")


def _json_escape(match: re.Match[str]) -> str:
    # JSON writes a character beyond the first 65,536 as two units of UTF-16.
    units = match[0].encode("utf-16-be")
    return "".join(f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2))


def print_json(document: Any) -> None:
    """Print one JSON document on stdout: indented for a person, on one line for a program."""
    print_bytes(json_bytes(document, indent=2 if is_terminal(sys.stdout) else 0) + b"\n")


def print_bytes(data: bytes) -> None:
    """Write bytes to stdout.

    Raises:
        ReaderGoneError: Nobody reads them.
    """
    stream = _stdout()
    try:
        stream.flush()
        stream.buffer.write(data)
        stream.buffer.flush()
    except BrokenPipeError as error:
        raise ReaderGoneError from error


def print_lines(lines: Iterable[str]) -> None:
    """Print lines of text on stdout, which are free of control characters already.

    Raises:
        ReaderGoneError: Nobody reads them.
    """
    stream = _stdout()
    try:
        for line in lines:
            stream.write(line + "\n")
        stream.flush()
    except BrokenPipeError as error:
        raise ReaderGoneError from error


def say(text: str) -> None:
    """Tell the person something on stderr, where it never mixes with the answer."""
    write_stderr(clean(text) + "\n")


def write_stderr(text: str) -> None:
    """Write to stderr as it is; a closed stderr loses the words and nothing else."""
    stream = sys.stderr
    if stream is None:
        return
    try:
        stream.write(text)
        stream.flush()
    except OSError:
        # The words have no other place to go, and the work is worth more than they are.
        return


def clean(text: str) -> str:
    """Text of a person or a provider, fit for a terminal: control characters made visible."""
    from tui.core.text import visible

    return visible(text)


def is_terminal(stream: TextIO | None) -> bool:
    """Is a person looking at the stream?"""
    return stream is not None and not stream.closed and stream.isatty()


def has_colour(stream: TextIO | None) -> bool:
    """May the stream get colours? Not in a pipe, not with ``NO_COLOR``, not on a dumb one."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return is_terminal(stream)


def paint(text: str, colour: Colour, stream: TextIO | None) -> str:
    """The text in a colour, where the stream takes colours."""
    if not colour or not has_colour(stream):
        return text
    return f"\x1b[{_CODES[colour]}m{text}\x1b[0m"


def glyph(sign: str, plain: str, stream: TextIO | None) -> str:
    """The sign, or its plain stand-in where the stream's encoding does not have it."""
    encoding = getattr(stream, "encoding", None) or "ascii"
    try:
        sign.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return plain
    return sign


def columns_of(stream: TextIO | None) -> int | None:
    """The width of the terminal in cells; ``None`` for a pipe, which has no edge."""
    if not is_terminal(stream):
        return None
    import shutil

    return shutil.get_terminal_size().columns


def table(
    headers: Sequence[str],
    rows: Sequence[Sequence[Cell | str]],
    *,
    right: frozenset[int] = frozenset(),
    elastic: int = 0,
) -> list[str]:
    """The lines of an aligned table for stdout.

    Args:
        headers: The titles of the columns.
        rows: The cells; all rows as long as ``headers``.
        right: The columns that are flush right: numbers.
        elastic: The column that gives way when the terminal is too narrow.
    """
    cells = [[Cell(cell) if isinstance(cell, str) else cell for cell in row] for row in rows]
    cells = [
        [Cell(clean(" ".join(cell.text.split())), cell.colour) for cell in row] for row in cells
    ]
    widths = [
        max([len(title), *(cell_width(row[column].text) for row in cells)])
        for column, title in enumerate(headers)
    ]
    edge = columns_of(sys.stdout)
    if edge is not None:
        over = sum(widths) + 2 * (len(widths) - 1) - edge
        if over > 0:
            widths[elastic] = max(8, widths[elastic] - over)

    def line(parts: Sequence[Cell]) -> str:
        out = []
        for column, part in enumerate(parts):
            text = fitted(part.text, widths[column])
            room = " " * (widths[column] - cell_width(text))
            shown = paint(text, part.colour, sys.stdout)
            out.append(room + shown if column in right else shown + room)
        return "  ".join(out).rstrip()

    return [line([Cell(title, "bold") for title in headers]), *map(line, cells)]


def pairs(values: Mapping[str, Cell | str]) -> list[str]:
    """The lines of a list of labelled values for stdout; empty values are left out."""
    shown = {
        label: Cell(value) if isinstance(value, str) else value for label, value in values.items()
    }
    shown = {label: cell for label, cell in shown.items() if cell.text}
    width = max(map(len, shown), default=0)
    return [
        f"{paint(label.ljust(width), 'dim', sys.stdout)}  "
        f"{paint(clean(cell.text), cell.colour, sys.stdout)}"
        for label, cell in shown.items()
    ]


def _stdout() -> Any:
    if sys.stdout is None:
        raise ReaderGoneError
    return sys.stdout
