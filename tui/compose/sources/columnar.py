"""Rows from Parquet and Arrow (Feather) files; needs the extra ``tables``."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from tui.compose.sources.base import Row, Source, missing_extra, must_exist, unreadable

_SLICE = 10_000


ColumnarForm = Literal["parquet", "arrow", "arrow-stream"]


def open_columnar(path: Path, form: ColumnarForm = "parquet") -> Source:
    """Open a Parquet or Arrow file, which is read in slices of rows.

    Whole numbers that were stored as floats, because a cell of the column is empty, are shown
    as whole numbers. An Arrow stream, as the library of Hugging Face keeps data sets, is held in
    memory.

    Raises:
        InputError: The file cannot be read, or the extra is not installed.
    """
    polars = _polars(path)
    must_exist(path)
    try:
        frame = _scan(polars, path, form)
        schema = frame.collect_schema()
        short = [name for name, kind in schema.items() if kind == polars.Float32]
        # 0.1 with 32 bits would be 0.10000000149011612 with 64.
        frame = frame.with_columns(polars.col(short).cast(polars.String).cast(polars.Float64))
        schema = frame.collect_schema()
        columns = tuple(schema.names())
        count = int(frame.select(polars.len()).collect().item())
        whole = _whole_numbers(polars, frame, schema)
        # Python's datetime has microseconds.
        exact = _nanoseconds(polars, frame, schema)
        shown = [polars.col(name).dt.strftime("%Y-%m-%d %H:%M:%S%.9f") for name in exact]
        frame = frame.with_columns(shown)
    except Exception as error:
        raise unreadable(path, error) from error
    binary = [name for name, kind in schema.items() if kind == polars.Binary]

    def rows() -> Iterator[Row]:
        for start in range(0, count, _SLICE):
            for row in frame.slice(start, _SLICE).collect().iter_rows(named=True):
                for name in whole:
                    if row[name] is not None:
                        row[name] = int(row[name])
                for name in binary:
                    if row[name] is not None:
                        row[name] = _as_text(row[name])
                yield row

    doubts = tuple(f"column '{name}' holds bytes, read as UTF-8 text or base64" for name in binary)
    return Source(
        str(path),
        "table",
        columns,
        rows,
        count=count,
        exact=True,
        base=path.parent,
        doubts=doubts,
    )


def _scan(polars: Any, path: Path, form: ColumnarForm) -> Any:
    if form == "arrow-stream":
        return polars.read_ipc_stream(path).lazy()
    return polars.scan_ipc(path) if form == "arrow" else polars.scan_parquet(path)


def _whole_numbers(polars: Any, frame: Any, schema: Any) -> list[str]:
    """The float columns that hold whole numbers only."""
    floats = [name for name, kind in schema.items() if kind in (polars.Float32, polars.Float64)]
    if not floats:
        return []
    tests = []
    for name in floats:
        cells = polars.col(name)
        fits = cells.is_null() | (cells.is_finite() & (cells == cells.floor()))
        tests.append((fits & (cells.abs().fill_null(0) < 1e15)).all().alias(name))
    found = frame.select(tests).collect().row(0, named=True)
    return [name for name in floats if found[name]]


def _nanoseconds(polars: Any, frame: Any, schema: Any) -> list[str]:
    """The columns with times that are no whole microseconds."""
    names = [
        name for name, kind in schema.items() if kind == polars.Datetime and kind.time_unit == "ns"
    ]
    if not names:
        return []
    parts = [(polars.col(name).dt.nanosecond() % 1000 != 0).any().alias(name) for name in names]
    found = frame.select(parts).collect().row(0, named=True)
    return [name for name in names if found[name]]


def _as_text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return base64.b64encode(value).decode()


def _polars(path: Path) -> Any:
    try:
        import polars
    except ImportError:
        raise missing_extra(path) from None
    return polars
