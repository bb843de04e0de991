"""Export chosen columns of rows: facts, input columns, fields of answers and reviews."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any, BinaryIO

import msgspec

from tui.core import json_path
from tui.core.analysis.columns import ANSWER, Column, ColumnKind, as_text, parse_column
from tui.core.analysis.derived import DerivedColumn
from tui.core.rows import ANSWERED, RowLine
from tui.store.export.delimited import cell_text, input_names, safe_cell
from tui.store.export.rows import REVIEW_COLUMNS, ExportRow, ExportRows, review_cells

_encode = msgspec.json.Encoder().encode

_FACTS: dict[str, Callable[[RowLine], Any]] = {
    "custom_id": lambda line: line.custom_id,
    "outcome": lambda line: line.outcome.value,
    "code": lambda line: None if line.error is None else line.error.code,
    "status": lambda line: line.http_status,
    "attempt": lambda line: line.attempt,
    "input_tokens": lambda line: line.usage.input_tokens,
    "output_tokens": lambda line: line.usage.output_tokens,
    "finish": lambda line: line.finish_reason,
    "model": lambda line: line.model,
    "cost": lambda line: line.cost,
    "length": lambda line: len(line.text) if line.outcome in ANSWERED else None,
    "answer": lambda line: line.text if line.outcome in ANSWERED else None,
}


class ChosenColumns:
    """Takes the values of chosen columns from rows.

    Args:
        names: Names of the columns, as in a query, or of ``REVIEW_COLUMNS``.
        inputs: Names of the input columns of the job.
        derived: The derived columns of the job.
        joined: Names of the chosen columns of other jobs.

    Attributes:
        headers: A name for each column in the file, without ``@`` and ``in.``; made unique.

    Raises:
        UsageError: One of the names is not a column.
    """

    def __init__(
        self,
        names: Sequence[str],
        inputs: Sequence[str],
        derived: Sequence[DerivedColumn] = (),
        joined: Sequence[str] = (),
    ) -> None:
        by_name = {one.name: one for one in derived}
        self._take = [_taker(name, inputs, by_name, joined) for name in names]
        self.headers: list[str] = []
        for name in names:
            self.headers += input_names([_header(name)], self.headers)

    def values(self, record: ExportRow) -> list[Any]:
        """The values of a row, in the order of the columns."""
        return [take(record) for take in self._take]


def _header(name: str) -> str:
    if name in REVIEW_COLUMNS:
        return name
    column = parse_column(name)
    if column.kind is ColumnKind.JOINED:
        return f"{column.job}.{column.name or ANSWER}"
    return column.name


def _taker(
    name: str,
    inputs: Sequence[str],
    derived: Mapping[str, DerivedColumn],
    joined: Sequence[str],
) -> Callable[[ExportRow], Any]:
    if name in REVIEW_COLUMNS:
        place = REVIEW_COLUMNS.index(name)
        return lambda record: review_cells(record.reviews)[place]
    column: Column = parse_column(name)
    if column.kind is ColumnKind.DERIVED:
        definition = derived[column.name]
        if not definition.of:
            return lambda record: record.computed.get(column.name)
        capture, source = definition.capture(), _taker(definition.of, inputs, derived, joined)
        return lambda record: capture(as_text(source(record)))
    if column.kind is ColumnKind.FIELD:
        return lambda record: json_path.get(record.line.data, column.name)
    if column.kind is ColumnKind.INPUT:
        place = inputs.index(column.name)
        return lambda record: None if record.inputs is None else record.inputs[place]
    if column.kind is ColumnKind.JOINED:
        place = joined.index(str(column))
        return lambda record: record.others[place] if record.others else None
    fact = _FACTS[column.name]
    return lambda record: fact(record.line)


class ChosenTableWriter:
    """Writes chosen columns as CSV or TSV.

    Args:
        stream: The output.
        records: The rows and their options.
        columns: The columns.
        delimiter: Separator of the cells.
    """

    def __init__(
        self, stream: BinaryIO, records: ExportRows, columns: ChosenColumns, delimiter: str
    ) -> None:
        self._text = io.TextIOWrapper(stream, encoding="utf-8", newline="", write_through=False)
        self._writer = csv.writer(self._text, delimiter=delimiter)
        self._columns = columns
        self._safe = not records.options.raw_cells
        self._writer.writerow([self._cell(name) for name in columns.headers])

    def add(self, page: Sequence[ExportRow]) -> None:
        """Write some records."""
        values = self._columns.values
        self._writer.writerows([[self._cell(v) for v in values(record)] for record in page])

    def finish(self) -> None:
        """Flush buffered text; the stream stays open."""
        self._text.flush()
        self._text.detach()

    def _cell(self, value: Any) -> str:
        text = cell_text(value)
        return safe_cell(text) if self._safe and isinstance(value, str) else text


class ChosenLinesWriter:
    """Writes one JSON object with the chosen columns per row.

    Args:
        stream: The output.
        columns: The columns.
    """

    def __init__(self, stream: BinaryIO, columns: ChosenColumns) -> None:
        self._stream = stream
        self._columns = columns

    def add(self, page: Sequence[ExportRow]) -> None:
        """Write some records."""
        columns = self._columns
        for record in page:
            fields = dict(zip(columns.headers, columns.values(record), strict=True))
            self._stream.write(_encode(fields) + b"\n")

    def finish(self) -> None:
        """Nothing is buffered."""
