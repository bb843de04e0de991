"""Export rows as Parquet; requires polars, from the extra ``tables``."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from tui.errors import UsageError
from tui.store.export.delimited import CSV_COLUMNS, cell_text, input_names
from tui.store.export.rows import (
    REVIEW_COLUMNS,
    AnswerFields,
    ExportRow,
    ExportRows,
    review_cells,
)

_ROWS_PER_GROUP = 50_000
"""Rows per row group, and maximum number of rows in memory."""

_GROUP_BYTES = 32 << 20
"""Characters of the rows in memory after which they are written."""

_NUMBERS = {"attempt", "http_status", "input_tokens", "output_tokens", "cached_tokens"}
_LARGEST = 2**63 - 1


def import_polars() -> Any:
    """Import polars.

    Raises:
        UsageError: It is not installed.
    """
    try:
        import polars as library
    except ImportError:
        raise UsageError(
            "Parquet needs the extra 'tables'", "Install it: pip install 'batchdeck[tables]'"
        ) from None
    return library


class ParquetWriter:
    """Writes row groups to temporary files of bounded size, and merges them at the end.

    ``CSV_COLUMNS`` are typed; fields of JSON answers and input columns, whose types can change
    from row to row, are strings.

    Args:
        path: The file.
        records: The rows and their options.
        fields: Fields of JSON answers to write as columns; ``None`` for one column ``data``.
    """

    def __init__(self, path: Path, records: ExportRows, fields: AnswerFields | None) -> None:
        self._polars = import_polars()
        self._path = path
        self._fields = fields
        self._inputs = len(records.columns)
        data_columns = ("data",) if fields is None else fields.names
        self._has_reviews = records.has_reviews
        own = (*CSV_COLUMNS, *(REVIEW_COLUMNS if self._has_reviews else ()))
        inputs = input_names(records.columns, (*own, *data_columns))
        self._schema = {name: self._type(name) for name in own}
        self._schema |= {name: self._polars.String for name in (*data_columns, *inputs)}
        self._rows: list[tuple[Any, ...]] = []
        self._size = self._total_size = self._total_rows = 0
        self._parts: list[Path] = []
        self._folder = Path(tempfile.mkdtemp(prefix=".batchdeck-", dir=path.parent))

    def add(self, page: Sequence[ExportRow]) -> None:
        """Buffer some records; write a row group when there are enough."""
        for record in page:
            row = self._row(record)
            self._rows.append(row)
            self._size += sum(len(value) for value in row if type(value) is str)
        if len(self._rows) >= _ROWS_PER_GROUP or self._size > _GROUP_BYTES:
            self._write()

    def finish(self) -> None:
        """Merge the temporary files into the final one."""
        try:
            if self._rows or not self._parts:
                self._write()
            frame = self._polars.scan_parquet(self._parts)
            frame.sink_parquet(self._path, compression="zstd", row_group_size=self._group_rows())
        except self._polars.exceptions.PolarsError as error:
            raise UsageError(f"cannot write {self._path.name}: {error}") from error
        finally:
            self.close()

    def close(self) -> None:
        """Remove the temporary files."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _group_rows(self) -> int:
        """Rows of a row group, which is held in memory: fewer if the rows are long."""
        fitting = self._total_rows * _GROUP_BYTES // max(1, self._total_size)
        return max(1, min(_ROWS_PER_GROUP, fitting))

    def _type(self, name: str) -> Any:
        if name in _NUMBERS:
            return self._polars.Int64
        if name == "cost":
            return self._polars.Float64
        return self._polars.Boolean if name == "retryable" else self._polars.String

    def _write(self) -> None:
        part = self._folder / f"{len(self._parts)}.parquet"
        frame = self._polars.DataFrame(self._rows, schema=self._schema, orient="row")
        frame.write_parquet(part, compression="lz4")
        self._parts.append(part)
        self._total_rows += len(self._rows)
        self._total_size += self._size
        self._rows.clear()
        self._size = 0

    def _row(self, record: ExportRow) -> tuple[Any, ...]:
        line = record.line
        error = line.error
        usage = line.usage
        if self._fields is not None:
            data = [_text(value) for value in self._fields.values(line.data)]
        else:
            data = [None if line.data is None else msgspec.json.encode(line.data).decode()]
        inputs = record.inputs or (None,) * self._inputs
        return (
            line.custom_id,
            line.outcome.value,
            line.attempt,
            line.http_status,
            None if error is None else error.code,
            None if error is None else error.message,
            None if error is None else error.retryable,
            line.finish_reason,
            line.model,
            line.text,
            _number(usage.input_tokens),
            _number(usage.output_tokens),
            _number(usage.cached_tokens),
            line.cost,
            *(review_cells(record.reviews) if self._has_reviews else ()),
            *data,
            *(_text(value) for value in inputs),
        )


def _text(value: Any) -> str | None:
    return None if value is None else cell_text(value)


def _number(value: int | None) -> int | None:
    """A count, or ``None`` if it does not fit into 64 bits; it must not make an export fail."""
    return value if value is None or abs(value) <= _LARGEST else None
