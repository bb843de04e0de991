"""Taking rows home: JSON lines and CSV, written whole or not at all."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from tui.core.filtering import RowSelection
from tui.core.rows import RowLine
from tui.errors import UsageError
from tui.paths import open_private
from tui.store.history import History

FORMATS = (".jsonl", ".csv")
"""Endings that decide the format."""

CSV_COLUMNS = (
    "custom_id", "outcome", "attempt", "http_status", "error_code", "error_message",
    "retryable", "finish_reason", "model", "text", "input_tokens", "output_tokens",
    "cached_tokens", "cost",
)  # fmt: skip

_PROGRESS_EVERY = 1000
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")

Write = Callable[[RowLine], None]


def export_rows(
    history: History,
    job_id: str,
    selection: RowSelection,
    path: Path,
    *,
    stop: Callable[[], bool] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> int | None:
    """Write rows to a file; call it in a thread.

    Args:
        history: Where the rows are.
        job_id: Whose rows.
        selection: Which rows, in which order.
        path: Where to; the ending decides the format, an existing file is replaced at the end.
        stop: Asked now and then; ``True`` ends it, nothing is left, ``None`` is returned.
        progress: Called with rows written and rows in all.

    Returns:
        The number of rows written.

    Raises:
        UsageError: The ending is not known, or the folder cannot be written.
    """
    if path.suffix.lower() not in FORMATS:
        raise UsageError(
            f"{path.name}: cannot tell the format from the ending",
            f"Use one of {', '.join(FORMATS)}.",
        )
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    made = False
    try:
        descriptor = open_private(temporary)
        made = True
        with os.fdopen(descriptor, "wb", buffering=1 << 20) as stream:
            rows = history.row_lines(job_id, selection)
            written = _write(stream, path.suffix.lower(), rows, len(selection), stop, progress)
            stream.flush()
            os.fsync(stream.fileno())
        if written is not None:
            temporary.replace(path)
        return written
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error
    finally:
        if made:
            temporary.unlink(missing_ok=True)


def _write(
    stream: BinaryIO,
    ending: str,
    rows: Iterator[RowLine],
    total: int,
    stop: Callable[[], bool] | None,
    progress: Callable[[int, int], None] | None,
) -> int | None:
    if ending == ".csv":
        text = io.TextIOWrapper(stream, encoding="utf-8", newline="", write_through=False)
        writer = csv.writer(text)
        writer.writerow(CSV_COLUMNS)
        write: Write = lambda line: writer.writerow(_cells(line))  # noqa: E731
    else:
        text = None
        encode = msgspec.json.Encoder().encode
        write = lambda line: _write_json(stream, encode, line)  # noqa: E731
    number = 0
    try:
        for number, line in enumerate(rows, start=1):
            write(line)
            if number % _PROGRESS_EVERY == 0:
                if stop is not None and stop():
                    return None
                if progress is not None:
                    progress(number, total)
    finally:
        if text is not None:
            text.flush()
            text.detach()
    if progress is not None:
        progress(number, total)
    return number


def _write_json(stream: BinaryIO, encode: Callable[[Any], bytes], line: RowLine) -> None:
    stream.write(encode(line))
    stream.write(b"\n")


def _cells(line: RowLine) -> list[Any]:
    error = line.error
    usage = line.usage
    return [
        safe_cell(line.custom_id),
        line.outcome.value,
        line.attempt,
        line.http_status,
        None if error is None else safe_cell(error.code or ""),
        None if error is None else safe_cell(error.message),
        None if error is None or error.retryable is None else str(error.retryable).lower(),
        safe_cell(line.finish_reason or ""),
        safe_cell(line.model or ""),
        safe_cell(line.text),
        usage.input_tokens,
        usage.output_tokens,
        usage.cached_tokens,
        line.cost,
    ]


def safe_cell(text: str) -> str:
    """A cell that a spreadsheet does not take for a formula: such text gets a quote in front."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text
