"""Rows from JSON: an object per line, an array of objects, or rows inside one document."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from tui.compose.requests.block_reader import open_bytes
from tui.compose.requests.documents.known_documents import (
    doubt_of_document,
    is_list_of_tests,
    known_document,
    rows_of_document,
    unwrapped,
)
from tui.compose.requests.documents.lists import is_list_of_rows, lists_in, text_lists_in
from tui.compose.requests.documents.python_values import looks_like_python, python_value
from tui.compose.requests.documents.row_forms import form_of
from tui.compose.requests.recognition import is_json_text
from tui.compose.sources.base import Row, Source, as_row, object_source
from tui.compose.sources.documents.json_layouts import objects_of_lists, rows_of_lists, table_in
from tui.compose.sources.encoding import TextFile, detect_encoding
from tui.core.formatting import counted
from tui.core.json_path import find, noting_repeated
from tui.core.text import BLANKS, BOM, quoted, split_lines
from tui.errors import InputError, PartNeededError

_SAMPLED = 100
_CHUNK = 1 << 16
_MAX_DOCUMENT = 256 << 20
"""A document of this many bytes is the largest that is read as a whole."""

_MOST_COLUMNS = 200
"""An object with more names than this has values by id."""

_MOST_LISTS = 50
"""Of at most so many lists of texts, one is asked for; more are values by id."""

_decode = msgspec.json.Decoder().decode


def _constant(name: str) -> str:
    """``NaN`` and ``Infinity``, which Python's json writes, are kept as words."""
    return name


def _float(digits: str) -> float | str:
    """A number; one that is too large for a float is kept as it is written."""
    number = float(digits)
    return digits if math.isinf(number) else number


_OUTSIDE = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|//[^\n]*|/\*.*?\*/', re.DOTALL)
_COMMAS = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|,(?=\s*[\]}])', re.DOTALL)


def _relaxed(text: str) -> str:
    """JSON without the comments and the commas before a bracket that editors allow."""
    for pattern in (_OUTSIDE, _COMMAS):
        text = pattern.sub(lambda found: found[0] if found[0][0] == '"' else " ", text)
    return text


class _Comment:
    """A line that is a comment."""


_RELAXED = "comments, or commas before a closing bracket, left out"
PYTHON = "written as Python's values, not as JSON"

_tolerant = json.JSONDecoder(parse_constant=_constant, parse_float=_float)


def open_lines(path: Path, header: bool | None = None) -> Source:
    """Open a file with one JSON value per line: objects, or strings for the column ``text``.

    Lists are rows of a table; ``header`` says whether the first has the column names. Lines with
    ``null`` are skipped and counted. A file that is not UTF-8 is decoded as detected.

    Raises:
        InputError: The file cannot be read, or its first rows are other values.
    """
    text = detect_encoding(path)
    told: list[str] = []
    if text.encoding in ("utf-8", "utf-8-sig") and text.errors == "strict":
        return _source(path, lambda: _lines(path, told), text, header, told)
    return _source(path, lambda: _text_lines(path, text, told), text, header, told)


def open_array(path: Path, header: bool | None = None) -> Source:
    """Open a JSON array of objects or strings; it is never held in memory as a whole.

    Raises:
        InputError: The file cannot be read, or does not start with an array.
    """
    text = detect_encoding(path)
    if _has_a_list_per_line(path, text):
        return open_lines(path, header)
    told: list[str] = []

    def values() -> Iterator[Any]:
        told.clear()
        number = 0
        try:
            for value in _elements(path, text):
                yield value
                number += 1
        except InputError:
            rest, said = _relaxed_array(path, text), _RELAXED
            if rest is None:
                rest, said = _python_array(path, text), PYTHON
            if rest is None:
                raise
            told.append(said)
            yield from rest[number:]

    return _source(path, values, text, header, told)


def _relaxed_array(path: Path, text: TextFile) -> list[Any] | None:
    """The array in a file with comments or more commas; ``None`` if it is something else."""
    if path.stat().st_size > _MAX_DOCUMENT:
        return None
    with text.open(path) as file:
        content = file.read()
    try:
        value = _tolerant.decode(_relaxed(content))
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, list) else None


def _python_array(path: Path, text: TextFile) -> list[Any] | None:
    """The list in a file that Python wrote; ``None`` if it is something else."""
    with text.open(path) as file:
        if not looks_like_python(file.read(_CHUNK)):
            return None
        file.seek(0)
        try:
            value = python_value(file.read())
        except ValueError:
            return None
    return value if isinstance(value, list) else None


def _has_a_list_per_line(path: Path, text: TextFile) -> bool:
    with text.open(path) as file:
        lines = [line for line in islice(file, 3) if line.strip()]
    try:
        values = [_tolerant.decode(line.strip()) for line in lines[:2]]
    except (ValueError, RecursionError):
        return False
    return len(values) == 2 and all(isinstance(value, list) for value in values)


def open_document(path: Path, key: str = "") -> Source:
    """Open one JSON object whose rows are under a key, such as ``{"data": [...]}``.

    Rows that are named by an id (``{"a": {...}, "b": {...}}``) have it in the column ``key``.

    Args:
        path: The file.
        key: The dotted path of the rows; the only list of objects if empty.

    Raises:
        InputError: The file is not a JSON object, or it is not clear which list has the rows.
    """
    text = detect_encoding(path)
    if path.stat().st_size > _MAX_DOCUMENT:
        raise InputError(
            f"{quoted(path.name)} is one JSON object of more than {_MAX_DOCUMENT >> 20} MB",
            "Write its rows one per line (.jsonl).",
            path=path,
        )
    with text.open(path) as file:
        content = file.read()
    try:
        value = _tolerant.decode(content)
    except (ValueError, RecursionError) as error:
        values = _several(content, commas=True)
        if values is not None and not key:
            return _source(path, lambda: iter(values), text)
        try:
            value, said = _not_strict(content)
        except (ValueError, RecursionError):
            raise _not_document(path, error) from None
        text = text._replace(doubts=(*text.doubts, said))
        if isinstance(value, list) and not key:
            return open_array(path)
    return source_of_value(path, value, key, text)


def _not_strict(content: str) -> tuple[Any, str]:
    """A value with comments or more commas, or of Python, and what is said of it.

    Raises:
        ValueError: It is something else.
    """
    if looks_like_python(content):
        return python_value(content), PYTHON
    return _tolerant.decode(_relaxed(content)), _RELAXED


def source_of_value(
    path: Path, value: Any, key: str, text: TextFile, header: bool | None = None
) -> Source:
    """A source of the rows that one value holds: a list, or an object with rows inside.

    Args:
        path: The file.
        value: What it holds.
        key: The dotted path of the rows; found if empty.
        text: How the file is encoded.
        header: Whether the first of rows that are lists has the column names.

    Raises:
        InputError: It has no rows, or it is not clear which list has them.
    """
    if isinstance(value, list) and not key:
        listed = unwrapped(value, "vars") if is_list_of_tests(value) else value
        return _source(path, lambda: iter(listed), text, header)
    rows, note = _rows_in(path, value, key)
    if known_document(value) is not None and (doubt := doubt_of_document(value, rows)):
        text = text._replace(doubts=(*text.doubts, doubt))
    source = _source(path, lambda: iter(rows), text)
    return replace(source, name=f"{path}::{key}" if key else str(path), notes=(note, *source.notes))


def _rows_in(path: Path, value: Any, key: str) -> tuple[list[Any], str]:
    """The rows inside a document, and where they were found."""
    if key:
        return _rows_at(path, value, key)
    if not isinstance(value, dict):
        raise InputError(
            f"{quoted(path.name)} is one value, not rows",
            "Use an array of objects, or one per line.",
            path=path,
        )
    if form_of([value]):
        return [value], "one object is one row"
    known = known_document(value)
    if known is not None:
        return rows_of_document(value, known), f"{known.what}; the rows at {quoted(known.path)}"
    layout = table_in(value)
    if layout is not None:
        return layout.rows, layout.note
    if _is_by_id(value):
        return _by_id(value), "rows by id, in the column 'key'"
    lists = lists_in(value)
    if len(lists) == 1:
        return lists[0][1], f"the rows at {quoted(lists[0][0])}"
    if lists:
        raise _several_lists(path, lists, "lists of objects")
    return _rows_without_lists(path, value)


def _rows_at(path: Path, value: Any, key: str) -> tuple[list[Any], str]:
    """The rows at a path that the user names."""
    known = known_document(value)
    if known is not None and key == known.path:
        return rows_of_document(value, known), f"{known.what}; the rows at {quoted(key)}"
    found = find(value, key)
    if len(found) == 1 and isinstance(found[0], list):
        return found[0], f"the rows at {quoted(key)}"
    if len(found) == 1 and isinstance(found[0], dict):
        layout = table_in(found[0])
        if layout is not None:
            return layout.rows, f"the rows at {quoted(key)}, {layout.note}"
        return _by_id(found[0]), f"the rows at {quoted(key)}, by id"
    lists = (lists_in(value) or text_lists_in(value)) if isinstance(value, dict) else []
    raise InputError(
        f"{quoted(path.name)} has no list at {quoted(key)}",
        f"Its lists: {_listed(lists)}." if lists else "It has no list of objects or texts.",
        path=path,
    )


def _rows_without_lists(path: Path, value: dict[str, Any]) -> tuple[list[Any], str]:
    """The rows of an object in which no list of objects is."""
    texts = text_lists_in(value)
    if len(texts) > 1 and len(texts) == len(value) <= _MOST_LISTS:
        raise _several_lists(path, texts, "lists of texts")
    if len(texts) == 1 and is_list_of_rows(*texts[0]):
        return texts[0][1], f"the texts at {quoted(texts[0][0])}"
    inner = [(name, each) for name, each in value.items() if isinstance(each, dict)]
    if len(inner) == 1 and not texts and _is_by_id(inner[0][1]):
        name, rows = inner[0]
        return _by_id(rows), f"the rows at {quoted(name)}, by id, in the column 'key'"
    if len(value) > _MOST_COLUMNS or (len(value) > 1 and all(map(str.isdecimal, value))):
        return _by_id(value), "values by id, in the columns 'key' and 'value'"
    note = "one object is one row"
    if texts:
        note += f"; {quoted(texts[0][0])} is a list of {counted(len(texts[0][1]), 'text')}"
    return [value] if value else [], note


def _is_by_id(value: dict[str, Any]) -> bool:
    """Whether all values of an object are objects, so that their names are ids of rows."""
    inner = list(value.values())
    return bool(
        inner
        and all(isinstance(each, dict) for each in inner)
        and (len(inner) > 1 or next(iter(value)).isdecimal())
    )


def _several_lists(path: Path, lists: list[tuple[str, list[Any]]], what: str) -> InputError:
    return PartNeededError(
        f"{quoted(path.name)} is one object, not rows; {what} are at {_listed(lists)}",
        [at for at, _ in lists],
        path=path,
    )


def _listed(lists: list[tuple[str, list[Any]]]) -> str:
    return ", ".join(f"{quoted(at)} ({len(rows):,})" for at, rows in lists[:8])


def _by_id(value: dict[str, Any]) -> list[Any]:
    return [
        {"key": name, **inner} if isinstance(inner, dict) else {"key": name, "value": inner}
        for name, inner in value.items()
    ]


_SPACE = re.compile(r"\s*(?=\S)")
_SPACE_OR_COMMA = re.compile(r"\s*,?\s*(?=\S)")


def _several(content: str, *, commas: bool = False) -> list[Any] | None:
    """JSON values that follow each other; ``None`` if it is something else."""
    values: list[Any] = []
    position = 0
    while match := (_SPACE_OR_COMMA if commas and values else _SPACE).match(content, position):
        try:
            value, position = _tolerant.raw_decode(content, match.end())
        except (ValueError, RecursionError):
            return None
        values.append(value)
        if commas and content[position:].strip() == ",":
            break
    return values


def _not_document(path: Path, error: Exception) -> InputError:
    line = getattr(error, "lineno", None)
    reason = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
    return InputError(
        f"{quoted(path.name)} is neither JSON lines nor one JSON document: {reason}"
        + (f" (line {line})" if line else ""),
        "Write one JSON object per line, or an array of objects.",
        path=path,
        line=line,
    )


def _source(
    path: Path,
    values: Callable[[], Iterator[Any]],
    text: TextFile,
    header: bool | None = None,
    late: Sequence[str] = (),
) -> Source:
    skipped = comments = 0
    told: list[str] = []
    values = rows_of_lists(objects_of_lists(values, told), told, header)

    def rows() -> Iterator[Row]:
        nonlocal skipped, comments
        skipped = comments = 0
        for number, value in enumerate(values(), 1):
            if value is None:
                skipped += 1
            elif value is _Comment:
                comments += 1
            else:
                yield as_row(value, number - comments, path)

    def late_doubts() -> tuple[str, ...]:
        counts = ((skipped, "null row"), (comments, "comment"))
        return (*late, *(f"{counted(times, what)} skipped" for times, what in counts if times))

    source = object_source(path, rows, sampled=_SAMPLED, hint="Use a file with rows.")
    return replace(
        source,
        doubts=(*text.doubts, *told, *_doubled_names(path, text)),
        late_doubts=late_doubts,
    )


def _doubled_names(path: Path, text: TextFile) -> list[str]:
    """What is said of names that an object has twice, of which only the last value is read."""
    doubled: list[str] = []
    with text.open(path) as file:
        head = file.read(_CHUNK)
    decode = json.JSONDecoder(object_pairs_hook=noting_repeated(doubled)).raw_decode
    position = head.find("{")
    for _ in range(_SAMPLED):
        try:
            _, position = decode(head, position)
        except (ValueError, RecursionError):
            break
        position = head.find("{", position)
    return doubt_of_doubled(doubled)


def doubt_of_doubled(doubled: Sequence[str]) -> list[str]:
    """What is said of names that an object has twice, as a list of at most one sentence."""
    names = ", ".join(quoted(name, 40) for name in dict.fromkeys(doubled))
    return [f"an object has a name twice ({names}); the last value is read"] if names else []


def _lines(path: Path, told: list[str]) -> Iterator[Any]:
    told.clear()
    with open_bytes(path) as file:
        for number, (offset, line) in enumerate(split_lines(file), 1):
            size = len(line)
            line = line.removeprefix(BOM)
            if not line.strip(BLANKS):
                continue
            try:
                yield _decode(line)
            except (ValueError, RecursionError) as error:
                is_last = offset + size == path.stat().st_size
                text = line.decode("utf-8", "replace")
                yield from _second_try(text, number, path, error, told, is_last=is_last)


def _text_lines(path: Path, text: TextFile, told: list[str]) -> Iterator[Any]:
    told.clear()
    with text.open(path, newline="\n") as file:
        for number, line in enumerate(file, 1):
            line = line.removeprefix("\ufeff")
            if line.strip(BLANKS.decode()):
                try:
                    yield _decode(line)
                except (ValueError, RecursionError) as error:
                    is_last = not line.endswith("\n")
                    yield from _second_try(line, number, path, error, told, is_last=is_last)


def _second_try(
    line: str, number: int, path: Path, error: Exception, told: list[str], *, is_last: bool
) -> list[Any]:
    """A line that msgspec refuses, read as Python's json does: NaN, huge numbers.

    ``told`` gets what is to be said of a line that Python wrote. Several objects on a line are
    several rows; a comma between or after them is no fault.
    """
    text = line.strip(BLANKS.decode())
    if text.startswith(("//", "#")):
        return [_Comment]
    values = _several(text, commas=True) or _several(_relaxed(text), commas=True)
    if values and (len(values) == 1 or all(isinstance(each, dict) for each in values)):
        return values
    hint = "Write one JSON object per line."
    if looks_like_python(text):
        try:
            value = python_value(text)
            told += [] if PYTHON in told else [PYTHON]
            return [value]
        except ValueError as fault:
            hint = f"It looks like Python's: {fault}. Write the rows with json.dumps."
    if r"\\" in text and is_json_text(text.replace(r"\\", "\\")):
        hint = (
            "Each of its backslashes is there twice, as COPY of PostgreSQL writes JSON; use"
            " psql -At -c 'SELECT …' > FILE."
        )
    if "truncated" in str(error):
        hint = "An object that goes on in the next lines: write each on one line, as jq -c does."
    if is_last and "truncated" in str(error):
        hint = "The file ends within this line: it was cut off. Get it again, or delete the line."
    raise InputError(
        f"line {number} of {quoted(path.name)} is not JSON: {error}", hint, path=path, line=number
    ) from None


def _elements(path: Path, text: TextFile) -> Iterator[Any]:
    """Decode the elements of the array one by one from a window of the text."""
    decode = _tolerant.raw_decode
    with text.open(path) as file:
        window = file.read(_CHUNK).lstrip()
        if not window.startswith("["):
            raise _not_array(path, "does not start with [")
        position = 1
        number = 0
        while True:
            position, window = _skip(window, position, file)
            if window[position : position + 1] != "]":
                number += 1
                value, position, window = _element(window, position, file, decode, number, path)
                yield value
                position, window = _skip(window, position, file)
            following = window[position : position + 1]
            if following == "]":
                break
            if following != ",":
                raise _not_array(path, f"has no comma after element {number}")
            position += 1
        position, window = _skip(window, position + 1, file)
        if window:
            raise _not_array(path, f"goes on after its array of {counted(number, 'element')}")


def _skip(window: str, position: int, file: Any) -> tuple[int, str]:
    """Skip white space, reading more text at the end of the window."""
    while True:
        while position < len(window) and window[position] in " \t\r\n":
            position += 1
        if position < len(window):
            return position, window
        window, position = file.read(_CHUNK), 0
        if not window:
            return 0, ""


def _element(
    window: str, position: int, file: Any, decode: Any, number: int, path: Path
) -> tuple[Any, int, str]:
    size = _CHUNK
    while True:
        try:
            value, end = decode(window, position)
            # A number may continue after the window.
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
            reason = f"is truncated or invalid at element {number}"
            raise _not_array(path, f"{reason}: {problem.args[0]}" if problem else reason)
        window = window[position:] + more
        position = 0
        size *= 2


def _not_array(path: Path, reason: str) -> InputError:
    return InputError(
        f"{quoted(path.name)} {reason}",
        "Use a JSON array of objects, or one object per line in a .jsonl file.",
        path=path,
    )
