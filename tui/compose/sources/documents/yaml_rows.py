"""Rows from YAML and TOML: a list of objects or texts, or an object with rows inside."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

from tui.compose.requests.documents.yaml_values import YamlError, read_yaml
from tui.compose.sources.base import Source, missing_extra
from tui.compose.sources.documents.json_rows import doubt_of_doubled, source_of_value
from tui.compose.sources.encoding import detect_encoding
from tui.core.text import quoted
from tui.errors import InputError

_MOST_BYTES = 32 << 20


def open_yaml(
    path: Path, key: str = "", header: bool | None = None, encoding: str | None = None
) -> Source:
    """Open a YAML file; several documents in it are a row each.

    Args:
        path: The file.
        key: The dotted path of the rows; found if empty.
        header: Whether the first of rows that are lists has the column names.
        encoding: Python's name of the encoding; detected if ``None``.

    Raises:
        InputError: The file cannot be read, the extra is not installed, or it is not clear which
            list has the rows.
    """
    text = detect_encoding(path, encoding)
    with text.open(path) as file:
        content = _bounded(path, file.read)
    try:
        documents, doubled = read_yaml(content)
    except ImportError:
        raise missing_extra(path, "rows as JSON lines") from None
    except YamlError as error:
        place = f"line {error.line} of {quoted(path.name)}" if error.line else quoted(path.name)
        raise InputError(
            f"{place} is not YAML that can be read: {error}",
            "Fix the line; a text with {{, ': ' or # needs quotation marks around it.",
            path=path,
            line=error.line,
        ) from None
    text = text._replace(doubts=(*text.doubts, *doubt_of_doubled(doubled)))
    value = documents[0] if len(documents) == 1 else documents
    source = source_of_value(path, value, key, text, header)
    return replace(source, notes=("YAML", *source.notes))


def open_toml(path: Path, key: str = "", header: bool | None = None) -> Source:
    """Open a TOML file; the arguments are those of ``open_yaml``.

    Raises:
        InputError: The file cannot be read, or it is not clear which list has the rows.
    """
    text = detect_encoding(path)
    with text.open(path) as file:
        content = _bounded(path, file.read)
    try:
        value = tomllib.loads(content.removeprefix("\ufeff"), parse_float=_float)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputError(
            f"{quoted(path.name)} is not TOML: {error}", "Fix the line.", path=path
        ) from None
    source = source_of_value(path, _plain(value), key, text, header)
    return replace(source, notes=("TOML", *source.notes))


def _bounded(path: Path, read: Any) -> str:
    """The content of a file that is read as a whole.

    Raises:
        InputError: It is too large.
    """
    if path.stat().st_size > _MOST_BYTES:
        raise InputError(
            f"{quoted(path.name)} has more than {_MOST_BYTES >> 20} MB, which are read as a whole",
            "Write its rows one per line (.jsonl).",
            path=path,
        )
    content: str = read()
    return content


def _float(digits: str) -> float | str:
    """A number; one that is written otherwise than JSON would keeps its digits."""
    number = float(digits)
    return number if repr(number) == digits else digits


def _plain(value: Any) -> Any:
    """A value without dates and times, which are texts as they are written in ISO 8601."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value if isinstance(value, (str, bool, int, float)) else value.isoformat()
