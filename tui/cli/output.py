"""What a command prints: results on stdout, messages on stderr, tables and text safe to show."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TextIO

if TYPE_CHECKING:
    from tui.cli.options import Settings


def cell_width(text: str) -> int:
    """The number of cells of a text: two for wide characters, none for combining ones."""
    if text.isascii():
        return len(text)
    return sum(map(_character_width, text))


def truncate_cells(text: str, width: int) -> str:
    """Truncate a text to at most ``width`` cells, with an ellipsis if it was cut."""
    if cell_width(text) <= width:
        return text
    left = width - 1
    for end, character in enumerate(text):
        left -= _character_width(character)
        if left < 0:
            return text[:end] + "…" if width > 0 else ""
    return text


def _character_width(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


Colour = Literal["", "green", "yellow", "red", "blue", "dim", "bold"]

_CODES = {"green": 32, "yellow": 33, "red": 31, "blue": 34, "dim": 2, "bold": 1}

# Legal in JSON but dangerous on a terminal: DEL, C1 controls, line separators, bidi overrides
# and invisible characters.
_RISKY = re.compile(
    "[\x7f-\x9f\u00ad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164"
    "\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]"
)


class OutputClosedError(Exception):
    """The reader of stdout has closed the pipe; the program ends silently."""


class Cell(NamedTuple):
    """A cell of a table: its text and its colour."""

    text: str
    colour: Colour = ""


def json_bytes(value: Any, *, indent: int = 0) -> bytes:
    r"""Encode a value as UTF-8 JSON that is safe to print and to split into lines.

    Control characters, and characters at which ``str.splitlines`` splits, are written as ``\u``
    escapes. The decoded document is the same.
    """
    import msgspec

    try:
        raw = msgspec.json.encode(value)
    except UnicodeEncodeError:
        # Python represents bytes of a file name that are not UTF-8 as lone surrogates.
        raw = json.dumps(msgspec.to_builtins(value)).encode("ascii")
    if indent:
        raw = msgspec.json.format(raw, indent=indent)
    if raw.isascii() and b"\x7f" not in raw:
        return raw
    text = raw.decode("utf-8")
    return _RISKY.sub(_json_escape, text).encode("utf-8")


def _json_escape(match: re.Match[str]) -> str:
    # JSON escapes a character above U+FFFF as a surrogate pair.
    units = match[0].encode("utf-16-be")
    return "".join(f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2))


def print_result(
    settings: Settings, document: Callable[[], Any], lines: Callable[[], Iterable[str]]
) -> None:
    """Print the result of a command: its document with ``--json``, else lines of text."""
    if settings.json:
        print_json(document())
    else:
        print_lines(lines())


def print_done(settings: Settings, document: Mapping[str, Any], message: str) -> None:
    """Print that a command is done: a document with ``--json``, else a message on stderr."""
    if settings.json:
        print_json(document)
    else:
        say(message)


def print_json(document: Any) -> None:
    """Print one JSON document to stdout: indented on a terminal, one line in a pipe."""
    print_bytes(json_bytes(document, indent=2 if is_terminal(sys.stdout) else 0) + b"\n")


def print_bytes(data: bytes) -> None:
    """Write bytes to stdout.

    Raises:
        OutputClosedError: The pipe is closed.
    """
    stream = _stdout()
    try:
        stream.flush()
        stream.buffer.write(data)
        stream.buffer.flush()
    except BrokenPipeError as error:
        raise OutputClosedError from error


def print_lines(lines: Iterable[str]) -> None:
    """Print lines to stdout; the caller has already removed control characters.

    Raises:
        OutputClosedError: The pipe is closed.
    """
    stream = _stdout()
    try:
        for line in lines:
            stream.write(line + "\n")
        stream.flush()
    except BrokenPipeError as error:
        raise OutputClosedError from error


def say(text: str) -> None:
    """Print a message to stderr, separate from the results on stdout; above the bottom lines."""
    _BOTTOM.print(clean(text) + "\n", _BOTTOM.lines)


def write_stderr(text: str) -> None:
    """Write text to stderr unchanged; errors are ignored."""
    stream = sys.stderr
    if stream is None:
        return
    try:
        stream.write(text)
        stream.flush()
    except OSError:
        # A closed stderr must not stop the work.
        return


def _stderr_size() -> os.terminal_size:
    """The size of the terminal that stderr is, whatever ``COLUMNS`` and ``LINES`` say.

    A line that is wider than the terminal would be wrapped, and only half of it replaced.
    """
    import shutil

    with contextlib.suppress(OSError, ValueError, AttributeError):
        size = os.get_terminal_size(sys.stderr.fileno())
        if size.columns and size.lines:
            return size
    return shutil.get_terminal_size()


class _BottomLines:
    """What is drawn at the bottom of the terminal, and who may draw there."""

    def __init__(self) -> None:
        self.owners: list[object] = []
        self.lines: Sequence[str] = ()
        self._drawn = 0

    def print(self, above: str, lines: Sequence[str]) -> None:
        """Print a text where the lines begin, and the new lines below it."""
        self.lines = lines
        if not lines and not self._drawn:
            write_stderr(above)
            return
        terminal = _stderr_size()
        available = max(1, terminal.lines - 2)
        shown = list(lines[:available])
        if len(lines) > available:
            shown[-1] = f"and {len(lines) - available + 1:,} more"
        if above:
            above = f"\x1b[2K{above}"
        start = f"\x1b[{self._drawn}F" if self._drawn else ""
        # Leave one cell free: some terminals wrap a full line.
        drawn = [f"\x1b[2K{truncate_cells(line, terminal.columns - 1)}\n" for line in shown]
        write_stderr(f"{start}{above}{''.join(drawn)}\x1b[J")
        self._drawn = len(shown)


_BOTTOM = _BottomLines()


@contextlib.contextmanager
def bottom_lines() -> Iterator[Callable[[Sequence[str]], None]]:
    """Own the lines at the bottom of the terminal; yields the function that replaces them.

    They have one owner at a time: a block within this one takes them over until it ends. What
    another owner draws meanwhile, or anybody after the end of their block, is not shown.
    """
    owner = object()

    def draw(lines: Sequence[str]) -> None:
        if _BOTTOM.owners[-1:] == [owner]:
            _BOTTOM.print("", lines)

    _BOTTOM.print("", ())
    _BOTTOM.owners.append(owner)
    try:
        yield draw
    finally:
        draw(())
        _BOTTOM.owners.remove(owner)


def clean(text: str) -> str:
    """Make control characters visible in text from users, models or providers."""
    from tui.core.text import visible

    return visible(text)


def is_terminal(stream: TextIO | None) -> bool:
    """Is the stream an open terminal?"""
    return stream is not None and not stream.closed and stream.isatty()


def has_colour(stream: TextIO | None) -> bool:
    """May the stream get colours? Not in a pipe, with ``NO_COLOR`` or with ``TERM=dumb``."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return is_terminal(stream)


def paint(text: str, colour: Colour, stream: TextIO | None) -> str:
    """Colour the text if the stream supports colours."""
    if not colour or not has_colour(stream):
        return text
    return f"\x1b[{_CODES[colour]}m{text}\x1b[0m"


def glyph(sign: str, plain: str, stream: TextIO | None) -> str:
    """The sign, or its ASCII replacement if the encoding of the stream lacks it."""
    encoding = getattr(stream, "encoding", None) or "ascii"
    try:
        sign.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return plain
    return sign


def terminal_width(stream: TextIO | None) -> int | None:
    """The width of the terminal in cells; ``None`` if the stream is not a terminal."""
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
    """Format an aligned table for stdout.

    Args:
        headers: The column titles.
        rows: The cells; every row has as many as ``headers``.
        right: Indexes of the right-aligned columns (numbers).
        elastic: Index of the column that is truncated if the terminal is too narrow.
    """
    cells = [[Cell(cell) if isinstance(cell, str) else cell for cell in row] for row in rows]
    cells = [
        [Cell(clean(" ".join(cell.text.split())), cell.colour) for cell in row] for row in cells
    ]
    titles = [clean(" ".join(title.split())) for title in headers]
    widths = [
        max([cell_width(title), *(cell_width(row[column].text) for row in cells)])
        for column, title in enumerate(titles)
    ]
    available = terminal_width(sys.stdout)
    if available is not None:
        over = sum(widths) + 2 * (len(widths) - 1) - available
        if over > 0:
            widths[elastic] = max(8, widths[elastic] - over)

    def line(parts: Sequence[Cell]) -> str:
        out = []
        for column, part in enumerate(parts):
            text = truncate_cells(part.text, widths[column])
            padding = " " * (widths[column] - cell_width(text))
            shown = paint(text, part.colour, sys.stdout)
            out.append(padding + shown if column in right else shown + padding)
        return "  ".join(out).rstrip()

    return [line([Cell(title, "bold") for title in titles]), *map(line, cells)]


def pairs(values: Mapping[str, Cell | str]) -> list[str]:
    """Format labelled values for stdout, one per line; empty values are skipped."""
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
        raise OutputClosedError
    return sys.stdout
