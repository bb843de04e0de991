"""The input columns of a composed job: the form in which they are kept beside its requests.

A file of columns has a head line, a JSON object, and then for each request a line with a JSON
array: the values of the row that the request was made of, in the order of ``columns``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

ENDING = ".inputs"
"""What the name of a file of requests gets behind it for the file of its columns."""

_MOST_ROWS = 10**12
_encode = msgspec.json.Encoder().encode


class ColumnsHead(msgspec.Struct, frozen=True, kw_only=True):
    """The head line: names of the columns, number of rows, and of which bytes they speak.

    ``requests`` is the BLAKE2b digest of the file of requests (32 hexadecimal digits), empty
    where the two files never part.
    """

    columns: tuple[str, ...]
    rows: int = 0
    requests: str = ""
    source: str = ""

    def line(self) -> bytes:
        r"""The head as bytes, with ``\n``: as long for any number of rows and any digest."""
        widest = msgspec.structs.replace(self, rows=_MOST_ROWS, requests="0" * 32)
        return _encode(self).ljust(len(_encode(widest))) + b"\n"


def read_head(line: bytes) -> ColumnsHead | None:
    """The head that a line holds; ``None`` when it is none."""
    try:
        return msgspec.json.decode(line, type=ColumnsHead)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def columns_line(row: Mapping[str, Any], columns: Iterable[str]) -> bytes:
    r"""The values of a row as a JSON array with ``\n``; a column that it lacks is null."""
    values = [row.get(column) for column in columns]
    try:
        return _encode(values) + b"\n"
    except (UnicodeEncodeError, TypeError, ValueError, RecursionError):
        # Lone surrogates and values of strange types: what can be said of them is kept.
        text = json.dumps([_plain(value) for value in values], ensure_ascii=False)
        return text.encode("utf-8", "replace") + b"\n"


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def read_columns(line: bytes, width: int) -> tuple[Any, ...]:
    """The values of a line, as many as there are columns; nulls where it cannot be read."""
    try:
        values = msgspec.json.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        values = []
    if not isinstance(values, list):
        values = []
    return tuple((values + [None] * width)[:width])
