"""Rows as a table for spreadsheets: CSV and TSV."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from typing import Any, BinaryIO

import msgspec

from tui.core.rows import RowLine
from tui.store.export.fields import Fields
from tui.store.export.reading import Record, Records

CSV_COLUMNS = (
    "custom_id", "outcome", "attempt", "http_status", "error_code", "error_message",
    "retryable", "finish_reason", "model", "text", "input_tokens", "output_tokens",
    "cached_tokens", "cost",
)  # fmt: skip

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_IS_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?").fullmatch


class TableWriter:
    """Writes a header and a line for each record.

    The columns of the table that the job came from stand first, then ours, then the fields
    of JSON answers.

    Args:
        stream: Where to.
        records: What is written.
        delimiter: Between the cells.
        fields: The fields of the answers that become columns; ``None`` for none.
    """

    def __init__(
        self, stream: BinaryIO, records: Records, delimiter: str, fields: Fields | None
    ) -> None:
        self._text = io.TextIOWrapper(stream, encoding="utf-8", newline="", write_through=False)
        self._writer = csv.writer(self._text, delimiter=delimiter)
        self._fields = fields
        self._safe = not records.options.raw_cells
        self._columns = records.columns
        names = input_names(records.columns, CSV_COLUMNS)
        header = [*names, *CSV_COLUMNS, *(fields.names if fields is not None else ())]
        self._writer.writerow([self._cell(name) for name in header])

    def add(self, page: Sequence[Record]) -> None:
        """Write some records."""
        self._writer.writerows([self._cells(record) for record in page])

    def finish(self) -> None:
        """Hand on what is buffered; the stream stays open."""
        self._text.flush()
        self._text.detach()

    def _cells(self, record: Record) -> list[Any]:
        cells = _cells(record.line, self._safe)
        if self._columns:
            inputs = record.inputs or (None,) * len(self._columns)
            cells = [self._cell(value) for value in inputs] + cells
        if self._fields is not None:
            cells += [self._cell(value) for value in self._fields.values(record.line.data)]
        return cells

    def _cell(self, value: Any) -> Any:
        text = cell_text(value)
        return safe_cell(text) if self._safe and isinstance(value, str) else text


def _cells(line: RowLine, safe: bool) -> list[Any]:
    error = line.error
    usage = line.usage
    guard = safe_cell if safe else _as_it_is
    return [
        guard(line.custom_id),
        line.outcome.value,
        line.attempt,
        line.http_status,
        None if error is None else guard(error.code or ""),
        None if error is None else guard(error.message),
        None if error is None or error.retryable is None else str(error.retryable).lower(),
        guard(line.finish_reason or ""),
        guard(line.model or ""),
        guard(line.text),
        usage.input_tokens,
        usage.output_tokens,
        usage.cached_tokens,
        line.cost,
    ]


def _as_it_is(text: str) -> str:
    return text


def safe_cell(text: str) -> str:
    """A cell that a spreadsheet does not take for a formula: such text gets a quote in front."""
    if not text.startswith(_FORMULA_STARTS) or _IS_NUMBER(text):
        return text
    return f"'{text}"


def cell_text(value: Any) -> str:
    """A value of JSON as the text of a cell: nothing for null, JSON for lists and objects."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()


def input_names(columns: Sequence[str], taken: Sequence[str]) -> list[str]:
    """Names for the input columns beside our own, which differ also when case is ignored."""
    used = {name.casefold() for name in taken}
    names: list[str] = []
    for column in columns:
        name = column if column.casefold() not in used else f"input_{column}"
        number = 2
        while name.casefold() in used:
            name = f"input_{column}_{number}"
            number += 1
        used.add(name.casefold())
        names.append(name)
    return names
