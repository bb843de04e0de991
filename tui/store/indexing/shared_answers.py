"""Result lines for repeats: copies of those of the rows that were sent in their place.

A copy has the id of its own row, and no tokens or cost: those stand at the row that was sent.
The answer itself is copied byte by byte.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from tui.core.results.openai_lines import UnreadableLineError, decode_lenient
from tui.core.results.readers import READERS
from tui.paths import open_private
from tui.store.rows.reader import LineReader

SHARED = "shared"
"""The kind of a file of copies."""

_USAGE = re.compile("usage|cost|token_?count", re.IGNORECASE)
"""Fields around an answer that say what it cost: ``usageMetadata``, ``inputTextTokenCount``."""

_WRAPPERS = ("response", "body", "result", "message", "modelOutput", "data")
_MAX_DEPTH = 5
_ARGUMENTS = ("input", "arguments", "args")
"""Fields of an answer whose names are the model's."""

_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode


def copy_line(line: bytes, custom_id: str, style: str) -> bytes:
    """A result line as that of another row with the same request.

    Args:
        line: The line, without its line end.
        custom_id: The id of the other row.
        style: How the line is written; a key of ``READERS``.

    Raises:
        UnreadableLineError: The line cannot be read.
    """
    try:
        fields = _without_usage(line)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        value = decode_lenient(line)
        if not isinstance(value, dict):
            raise UnreadableLineError("not a JSON object") from None
        fields = _without_usage(_encode(value))
    copied = _with_id(fields, line, custom_id, style)
    usage = READERS[style](copied, None).usage
    if all(value is None for value in msgspec.structs.astuple(usage)):
        return copied
    # Its usage stands at another place: in the items of a list, in JSON as a text.
    return _encode(_stripped(decode_lenient(copied)))


def _with_id(fields: dict[str, object], line: bytes, custom_id: str, style: str) -> bytes:
    """The fields of a line with another id."""
    # The name of the field says whose API wrote the line.
    before = READERS[style](line, None).custom_id
    place = next((name for name, value in fields.items() if _text_of(value) == before), "custom_id")
    copied = _encode(fields | {place: custom_id})
    if READERS[style](copied, None).custom_id == custom_id:
        return copied
    # A line of Vertex AI may have no id, but repeat its request.
    fields.pop("request", None)
    return _encode(fields | {"custom_id": custom_id})


def _text_of(value: object) -> str | None:
    """A field that is a text; ``None`` for another one."""
    text = bytes(value) if isinstance(value, msgspec.Raw) else b""
    return msgspec.json.decode(text, type=str) if text.startswith(b'"') else None


def _without_usage(line: bytes | msgspec.Raw, depth: int = 0) -> dict[str, object]:
    fields: dict[str, object] = {
        name: value for name, value in _fields(line).items() if not _USAGE.search(name)
    }
    if depth < _MAX_DEPTH:
        for name in _WRAPPERS:
            inner = fields.get(name)
            if isinstance(inner, msgspec.Raw) and bytes(inner).startswith(b"{"):
                fields[name] = _without_usage(inner, depth + 1)
    return fields


def _stripped(value: object, name: str = "") -> object:
    """A decoded line without what it cost, at any depth."""
    if isinstance(value, list):
        return [_stripped(item) for item in value]
    if isinstance(value, dict):
        return {
            key: item if key in _ARGUMENTS else _stripped(item, key)
            for key, item in value.items()
            if not _USAGE.search(key)
        }
    if name in _WRAPPERS and isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            return _encode(_stripped(msgspec.json.decode(value))).decode()
        except (msgspec.MsgspecError, RecursionError):
            return value
    return value


def unshared_lines(
    connection: sqlite3.Connection, batch_pk: int, job_pk: int
) -> Iterator[tuple[str, int, int, int]]:
    """What repeats of a batch still lack: their id, and file, offset and length of the line.

    A repeat lacks a line if its row has one from this batch, and itself has none.
    """
    own = "SELECT seq, file, offset, length FROM {} WHERE job=:job AND batch=:batch"
    both = f"{own.format('results')} UNION ALL {own.format('attempts')}"
    return connection.execute(
        "SELECT q.custom_id, r.file, r.offset, r.length FROM repeats p"
        f" JOIN ({both}) r ON r.seq=p.of_seq AND r.file IS NOT NULL"
        f" LEFT JOIN ({both}) o ON o.seq=p.seq"
        " JOIN requests q ON q.job=:job AND q.seq=p.seq"
        " WHERE p.batch=:batch AND o.file IS NULL ORDER BY p.seq",
        {"job": job_pk, "batch": batch_pk},
    )


def append_copies(
    path: Path,
    size: int,
    lines: Iterator[tuple[str, int, int, int]],
    reader: LineReader,
    style: str,
) -> None:
    """Append copies to the file of a batch's copies, on the disk when this returns.

    Args:
        path: The file; it is created.
        size: How many bytes of it are indexed: what follows is replaced.
        lines: What ``unshared_lines`` found.
        reader: Reads the lines.
        style: How they are written.

    Raises:
        HistoryError: A line cannot be read.
        OSError: The file cannot be written.
    """
    if size == 0:
        # Not truncated: a search may have the old file mapped.
        path.unlink(missing_ok=True)
    descriptor = open_private(path, os.O_RDWR | os.O_CREAT)
    with os.fdopen(descriptor, "r+b") as stream:
        stream.truncate(size)
        stream.seek(size)
        _write(stream, lines, reader, style)
        stream.flush()
        os.fsync(stream.fileno())


def _write(
    stream: BinaryIO, lines: Iterator[tuple[str, int, int, int]], reader: LineReader, style: str
) -> None:
    for custom_id, file, offset, length in lines:
        try:
            copied = copy_line(reader.read(file, offset, length), custom_id, style)
        except UnreadableLineError:
            raise reader.damaged(file) from None
        stream.write(copied)
        stream.write(b"\n")
