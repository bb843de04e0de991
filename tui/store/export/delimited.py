"""Export rows as CSV or TSV, for spreadsheets."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from typing import Any, BinaryIO

import msgspec

from tui.core.rows import RowLine
from tui.store.export.rows import (
    REVIEW_COLUMNS,
    AnswerFields,
    ExportRow,
    ExportRows,
    review_cells,
)

CSV_COLUMNS = (
    "custom_id", "outcome", "attempt", "http_status", "error_code", "error_message",
    "retryable", "finish_reason", "model", "text", "input_tokens", "output_tokens",
    "cached_tokens", "cost",
)  # fmt: skip

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_IS_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?").fullmatch


class TableWriter:
    """Writes a header and one line per record.

    Input columns come first, then ``CSV_COLUMNS``, then ``REVIEW_COLUMNS`` if there are reviews,
    then the fields of JSON answers.

    Args:
        stream: The output.
        records: The rows and their options.
        delimiter: Separator of the cells.
        fields: Fields of JSON answers to write as columns; ``None`` for none.
    """

    def __init__(
        self, stream: BinaryIO, records: ExportRows, delimiter: str, fields: AnswerFields | None
    ) -> None:
        self._text = io.TextIOWrapper(stream, encoding="utf-8", newline="", write_through=False)
        self._writer = csv.writer(self._text, delimiter=delimiter)
        self._fields = fields
        self._safe = not records.options.raw_cells
        self._columns = records.columns
        self._has_reviews = records.has_reviews
        own = (*CSV_COLUMNS, *(REVIEW_COLUMNS if self._has_reviews else ()))
        names = input_names(records.columns, own)
        header = [*names, *own, *(fields.names if fields is not None else ())]
        self._writer.writerow([self._cell(name) for name in header])

    def add(self, page: Sequence[ExportRow]) -> None:
        """Write some records."""
        self._writer.writerows([self._cells(record) for record in page])

    def finish(self) -> None:
        """Flush buffered text; the stream stays open."""
        self._text.flush()
        self._text.detach()

    def _cells(self, record: ExportRow) -> list[Any]:
        cells = _cells(record.line, self._safe)
        if self._columns:
            inputs = record.inputs or (None,) * len(self._columns)
            cells = [self._cell(value) for value in inputs] + cells
        if self._has_reviews:
            cells += [self._cell(value) for value in review_cells(record.reviews)]
        if self._fields is not None:
            cells += [self._cell(value) for value in self._fields.values(record.line.data)]
        return cells

    def _cell(self, value: Any) -> Any:
        text = cell_text(value)
        return safe_cell(text) if self._safe and isinstance(value, str) else text


def _cells(line: RowLine, safe: bool) -> list[Any]:
    error = line.error
    usage = line.usage
    guard = safe_cell if safe else _unchanged
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


def _unchanged(text: str) -> str:
    return text


def safe_cell(text: str) -> str:
    """Prefix text that a spreadsheet would run as a formula with a quote."""
    if not text.startswith(_FORMULA_STARTS) or _IS_NUMBER(text):
        return text
    return f"'{text}"


def cell_text(value: Any) -> str:
    """A JSON value as the text of a cell: empty for null, JSON for lists and objects."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()


def input_names(columns: Sequence[str], taken: Sequence[str]) -> list[str]:
    """Rename input columns that clash with other columns, ignoring case.

    Args:
        columns: Names of the input columns.
        taken: Names that are in use already.

    Returns:
        A unique name for each column: itself, ``input_<name>`` or ``input_<name>_2`` …
    """
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
