"""One line of a file of requests: read, and put in place of another or behind the last."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from tui.compose.atomic import atomic_file
from tui.compose.blocks import open_bytes
from tui.core.lines import lines_of
from tui.core.text import quoted
from tui.errors import InputError

_EVERY = 1000


def line_at(path: Path, number: int, *, stop: Callable[[], bool] | None = None) -> bytes:
    r"""The line with this number, from 1, without its ``\n``.

    Args:
        path: The file.
        number: Which line.
        stop: Asked now and then; true ends the work.

    Raises:
        InputError: The file cannot be read or has fewer lines, or the work was stopped.
    """
    with open_bytes(path) as file:
        for place, (_, line) in enumerate(_lines(file, path, stop), 1):
            if place == number:
                return line.removesuffix(b"\r")
    raise InputError(f"{quoted(path.name)} has no line {number:,}", "Look at the file.", path=path)


def put_line(
    path: Path | None,
    out_path: Path,
    line: bytes,
    number: int | None = None,
    *,
    stop: Callable[[], bool] | None = None,
) -> int:
    r"""Write a copy of a file with one line replaced, or with one more at its end.

    The other lines keep their very bytes. The copy appears as a whole or not at all.

    Args:
        path: The file; ``None`` for an empty one. ``out_path`` may be the same.
        out_path: The file to write.
        line: The new line, without ``\n``.
        number: Which line it replaces, from 1; ``None``: it is added.
        stop: Asked now and then; true ends the work.

    Returns:
        The number of the line that was put.

    Raises:
        InputError: A file cannot be read or written, has fewer lines, or it was stopped.
    """
    place = 0
    put = 0
    with atomic_file(out_path) as target:
        if path is not None:
            with open_bytes(path) as source:
                for place, (_, old) in enumerate(_lines(source, path, stop), 1):
                    if place == number:
                        put, old = place, line
                    target.write(old)
                    target.write(b"\n")
        if number is None:
            put = place + 1
            target.write(line + b"\n")
        if not put:
            raise InputError(f"there is no line {number:,}", "Look at the file.", path=path)
    return put


def _lines(
    file: BinaryIO, path: Path, stop: Callable[[], bool] | None
) -> Iterator[tuple[int, bytes]]:
    for number, found in enumerate(lines_of(file), 1):
        if number % _EVERY == 0 and stop is not None and stop():
            raise InputError("the work was stopped", path=path)
        yield found
