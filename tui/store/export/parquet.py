"""Rows as a Parquet file, which needs polars: the extra ``tables``."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from tui.errors import UsageError
from tui.store.export.fields import Fields
from tui.store.export.reading import Record, Records
from tui.store.export.tables import CSV_COLUMNS, cell_text, input_names

_GROUP = 50_000
"""Rows of a row group, and those held in memory."""

_NUMBERS = {"attempt", "http_status", "input_tokens", "output_tokens", "cached_tokens"}
_LARGEST = 2**63 - 1


def polars() -> Any:
    """The library.

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


class FrameWriter:
    """Writes row groups of bounded size, first as parts beside each other, then as one file.

    Our columns have types; the fields of answers and the columns of the table, of which
    nobody knows what comes next, are texts.

    Args:
        path: The file.
        records: What is written.
        fields: The fields of the answers that become columns; ``None`` for ``data`` alone.
    """

    def __init__(self, path: Path, records: Records, fields: Fields | None) -> None:
        self._polars = polars()
        self._path = path
        self._fields = fields
        self._inputs = len(records.columns)
        more = ("data",) if fields is None else fields.names
        inputs = input_names(records.columns, (*CSV_COLUMNS, *more))
        self._schema = {name: self._type(name) for name in CSV_COLUMNS}
        self._schema |= {name: self._polars.String for name in (*more, *inputs)}
        self._rows: list[tuple[Any, ...]] = []
        self._parts: list[Path] = []
        self._folder = Path(tempfile.mkdtemp(prefix=".batchdeck-", dir=path.parent))

    def add(self, page: Sequence[Record]) -> None:
        """Take some records."""
        self._rows += [self._row(record) for record in page]
        if len(self._rows) >= _GROUP:
            self._write()

    def finish(self) -> None:
        """Put the parts together."""
        try:
            if self._rows or not self._parts:
                self._write()
            frame = self._polars.scan_parquet(self._parts)
            frame.sink_parquet(self._path, compression="zstd", row_group_size=_GROUP)
        except self._polars.exceptions.PolarsError as error:
            raise UsageError(f"{self._path.name} cannot be written: {error}") from error
        finally:
            self.close()

    def close(self) -> None:
        """Take the parts away."""
        shutil.rmtree(self._folder, ignore_errors=True)

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
        self._rows.clear()

    def _row(self, record: Record) -> tuple[Any, ...]:
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
            *data,
            *(_text(value) for value in inputs),
        )


def _text(value: Any) -> str | None:
    return None if value is None else cell_text(value)


def _number(value: int | None) -> int | None:
    """A count as far as it is one; a provider's nonsense is not worth a lost export."""
    return value if value is None or abs(value) <= _LARGEST else None
