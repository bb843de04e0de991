"""Rows or requests made by a Python file of the user's own."""

from __future__ import annotations

import itertools
import runpy
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from tui.compose.sources.objects import as_row
from tui.compose.sources.ready import is_request
from tui.compose.sources.source import Row, Source
from tui.core.text import one_line, quoted
from tui.errors import InputError

_FUNCTIONS = ("requests", "build")
_SAMPLED = 20


def open_builder(path: Path, *, trusted: bool) -> Source:
    """The rows that a function ``requests()`` or ``build()`` of a Python file gives.

    Args:
        path: The file. It runs with all the rights of this program.
        trusted: Whether the caller may run it: a person said so.

    Raises:
        InputError: It is not trusted, or fails.
    """
    name = quoted(str(path), 200)
    if not path.is_file():
        raise InputError(f"{name} does not exist", "Look at the path.", path=path)
    if not trusted:
        raise InputError(
            f"{name} is a program and was not run",
            "Read it, and say that you trust it.",
            path=path,
        )
    build = _load(path)

    def rows() -> Iterator[Row]:
        for number, value in enumerate(_guarded(build, path), 1):
            yield as_row(value, number, path)

    first = list(itertools.islice(rows(), _SAMPLED))
    if not first:
        raise InputError(f"{name} gives no rows", "Yield dicts.", path=path)
    columns = dict.fromkeys(column for row in first for column in row)
    return Source(
        name=str(path),
        kind="requests" if all(map(is_request, first)) else "table",
        columns=tuple(columns),
        open_rows=rows,
        count=len(first) if len(first) < _SAMPLED else None,
        base=path.parent,
    )


def _load(path: Path) -> Callable[[], Iterable[Any]]:
    folder = str(path.resolve().parent)
    sys.path.insert(0, folder)
    try:
        found = runpy.run_path(str(path), run_name="batchdeck_builder")
    except (Exception, SystemExit) as error:
        raise _failed(path, error) from error
    finally:
        sys.path.remove(folder)
    for name in _FUNCTIONS:
        if callable(found.get(name)):
            function: Callable[[], Iterable[Any]] = found[name]
            return function
    raise InputError(
        f"{quoted(path.name)} has no function requests() or build()",
        "Define one that yields a dict for each row or request.",
        path=path,
    )


def _guarded(build: Callable[[], Iterable[Any]], path: Path) -> Iterator[Any]:
    try:
        yield from build()
    except (Exception, SystemExit) as error:
        raise _failed(path, error) from error


def _failed(path: Path, error: BaseException) -> InputError:
    """The user's own error, with the last line of their file that it came from."""
    line = None
    for frame in traceback.extract_tb(error.__traceback__):
        if Path(frame.filename).name == path.name:
            line = frame.lineno
    if isinstance(error, SyntaxError):
        line = error.lineno
    where = f"line {line} of " if line else ""
    return InputError(
        f"{where}{quoted(path.name)}: {type(error).__name__}: {one_line(str(error), 120)}",
        "Mend the program.",
        path=path,
        line=line,
    )
