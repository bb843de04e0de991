"""JSON rows: one object a line, or an array of objects, both streamed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from tui.compose.blocks import open_bytes
from tui.compose.sources.encoding import look_at
from tui.compose.sources.ready import is_request
from tui.compose.sources.source import Row, Source
from tui.core.lines import BOM, lines_of
from tui.core.text import quoted
from tui.errors import InputError

_SAMPLED = 100
_CHUNK = 1 << 16
_decode = msgspec.json.Decoder().decode


def open_lines(path: Path, *, name: str | None = None) -> Source:
    """One JSON value a line: objects, or texts, which become the column ``text``.

    Raises:
        InputError: The file cannot be read, or its first rows are not such values.
    """
    return _source(path, name or str(path), lambda: _lines(path))


def open_array(path: Path, *, name: str | None = None) -> Source:
    """A JSON array of objects or texts; it is never held as a whole.

    Raises:
        InputError: The file cannot be read, or does not begin as an array.
    """
    return _source(path, name or str(path), lambda: _elements(path))


def _source(path: Path, name: str, values: Any) -> Source:
    def rows() -> Iterator[Row]:
        for number, value in enumerate(values(), 1):
            yield as_row(value, number, path)

    columns: dict[str, None] = {}
    requests = 0
    seen = 0
    for row in rows():
        columns.update(dict.fromkeys(row))
        requests += is_request(row)
        seen += 1
        if seen == _SAMPLED:
            break
    if not seen:
        raise InputError(f"{quoted(name, 200)} holds no rows", "Name a file with rows.", path=path)
    return Source(
        name=name,
        kind="requests" if requests == seen else "table",
        columns=tuple(columns),
        open_rows=rows,
        count=seen if seen < _SAMPLED else None,
        base=path.parent,
    )


def as_row(value: Any, number: int, path: Path | None) -> Row:
    """A JSON value as a row.

    Raises:
        InputError: It is neither an object nor a text.
    """
    if isinstance(value, dict):
        return {str(key): inner for key, inner in value.items()} if _odd(value) else value
    if isinstance(value, str):
        return {"text": value}
    raise InputError(
        f"row {number} is neither an object nor a text",
        'Write rows such as {"name": "…"}.',
        path=path,
        line=number,
    )


def _odd(value: dict[Any, Any]) -> bool:
    """Has it keys that are no texts? JSON has none, a program may."""
    return not all(isinstance(key, str) for key in value)


def _lines(path: Path) -> Iterator[Any]:
    with open_bytes(path) as file:
        for number, (_, line) in enumerate(lines_of(file), 1):
            line = line.removeprefix(BOM)
            if not line.strip():
                continue
            try:
                yield _decode(line)
            except (ValueError, RecursionError) as error:
                raise InputError(
                    f"line {number} of {quoted(path.name)} is not JSON: {error}",
                    "Write one JSON object a line.",
                    path=path,
                    line=number,
                ) from None


def _elements(path: Path) -> Iterator[Any]:
    """The elements of the array, found one after the other in a window of the text."""
    encoding = look_at(path).encoding
    decode = json.JSONDecoder().raw_decode
    with path.open(encoding=encoding) as file:
        window = file.read(_CHUNK).lstrip()
        if not window.startswith("["):
            raise _not_array(path, "does not begin with [")
        place = 1
        number = 0
        while True:
            place, window = _skip(window, place, file)
            if window[place : place + 1] == "]":
                return
            number += 1
            value, place, window = _element(window, place, file, decode, number, path)
            yield value
            place, window = _skip(window, place, file)
            following = window[place : place + 1]
            if following == "]":
                return
            if following != ",":
                raise _not_array(path, f"has no comma after element {number}")
            place += 1


def _skip(window: str, place: int, file: Any) -> tuple[int, str]:
    """Move over white space, reading on where the window ends."""
    while True:
        while place < len(window) and window[place] in " \t\r\n":
            place += 1
        if place < len(window):
            return place, window
        window, place = file.read(_CHUNK), 0
        if not window:
            return 0, ""


def _element(
    window: str, place: int, file: Any, decode: Any, number: int, path: Path
) -> tuple[Any, int, str]:
    size = _CHUNK
    while True:
        try:
            value, end = decode(window, place)
            # A number may go on behind the window.
            if end < len(window):
                return value, end, window
        except RecursionError:
            raise _not_array(path, f"has an element {number} that is nested too deeply") from None
        except ValueError as error:
            problem: ValueError | None = error
        else:
            problem = None
        more = file.read(size)
        if not more:
            reason = f"is cut or broken at element {number}"
            raise _not_array(path, f"{reason}: {problem.args[0]}" if problem else reason)
        window = window[place:] + more
        place = 0
        size *= 2


def _not_array(path: Path, reason: str) -> InputError:
    return InputError(
        f"{quoted(path.name)} {reason}",
        "Give a JSON array of objects, or one object a line with the ending .jsonl.",
        path=path,
    )
