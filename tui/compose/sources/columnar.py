"""Rows from Parquet and Arrow (Feather) files; needs the extra ``tables``."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from tui.compose.sources.base import Row, Source, missing_extra, must_exist
from tui.core.text import one_line, quoted
from tui.errors import InputError

_SLICE = 10_000


ColumnarForm = Literal["parquet", "arrow", "arrow-stream"]


def open_columnar(path: Path, form: ColumnarForm = "parquet") -> Source:
    """Open a Parquet or Arrow file, which is read in slices of rows.

    Whole numbers that were stored as floats, because a cell of the column is empty, are shown
    as whole numbers. An Arrow stream, as the library of Hugging Face keeps data sets, is held in
    memory.

    Raises:
        InputError: The file cannot be read, has a type of column that the reader does not know,
            or the extra is not installed.
    """
    polars = _polars(path)
    must_exist(path)
    # The reader panics at types that it does not know; a panic is no Exception.
    faults = (Exception, polars.exceptions.PanicException)
    try:
        frame = _scan(polars, path, form)
        schema = frame.collect_schema()
        frame = _with_short_floats(polars, frame, schema)
        schema = frame.collect_schema()
        columns = tuple(schema.names())
        count = int(frame.select(polars.len()).collect().item())
        whole = _whole_numbers(polars, frame, schema)
        frame = frame.with_columns(_beyond_microseconds(polars, frame, schema))
        # Some faults of a column show only when its cells are read.
        frame.head(1).collect()
    except faults as error:
        raise _unreadable(path, error) from error
    binary = [name for name, kind in schema.items() if _has(kind, polars.Binary)]

    def rows() -> Iterator[Row]:
        for start in range(0, count, _SLICE):
            try:
                cells = frame.slice(start, _SLICE).collect()
            except faults as error:
                raise _unreadable(path, error) from error
            for row in cells.iter_rows(named=True):
                for name in whole:
                    if row[name] is not None:
                        row[name] = int(row[name])
                for name in binary:
                    row[name] = _with_text(row[name])
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


def _unreadable(path: Path, error: BaseException) -> InputError:
    return InputError(
        f"{quoted(path.name)} cannot be read: {one_line(str(error), 160)}",
        "Save it again as Parquet with the program that wrote it: each column with a name of its"
        " own, unusual types as text.",
        path=path,
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


def _with_short_floats(polars: Any, frame: Any, schema: Any) -> Any:
    """Floats with 32 bits as those with 64 that have the same digits, in lists too.

    0.1 with 32 bits would otherwise be 0.10000000149011612.
    """
    short = [name for name, kind in schema.items() if _has(kind, polars.Float32)]
    casts = [
        polars.col(name)
        .cast(_replaced(schema[name], polars.Float32, polars.String))
        .cast(_replaced(schema[name], polars.Float32, polars.Float64))
        for name in short
    ]
    return frame.with_columns(casts)


def _has(kind: Any, wanted: Any) -> bool:
    """Whether a type is another one, or holds it."""
    inner = [getattr(kind, "inner", None), *(each.dtype for each in getattr(kind, "fields", ()))]
    return bool(kind == wanted) or any(_has(each, wanted) for each in inner if each is not None)


def _replaced(kind: Any, old: Any, new: Any) -> Any:
    """A type in which another one is replaced, also inside lists and structures."""
    if kind == old:
        return new
    if hasattr(kind, "fields"):
        return type(kind)({each.name: _replaced(each.dtype, old, new) for each in kind.fields})
    if hasattr(kind, "shape"):
        return type(kind)(_replaced(kind.inner, old, new), kind.size)
    if getattr(kind, "inner", None) is not None:
        return type(kind)(_replaced(kind.inner, old, new))
    return kind


def _beyond_microseconds(polars: Any, frame: Any, schema: Any) -> list[Any]:
    """Times and durations that are no whole microseconds, as text: Python's have only those."""
    parts = {}
    for name, kind in schema.items():
        if kind == polars.Datetime and kind.time_unit == "ns":
            zone = "%:z" if kind.time_zone else ""
            shown = polars.col(name).dt.strftime(f"%Y-%m-%d %H:%M:%S%.9f{zone}")
            parts[name] = (polars.col(name).dt.nanosecond() % 1000, shown)
        elif kind == polars.Duration and kind.time_unit == "ns":
            rest = polars.col(name).dt.total_nanoseconds() % 1000
            parts[name] = (rest, polars.col(name).dt.to_string("iso"))
    if not parts:
        return []
    tests = [(rest != 0).any().alias(name) for name, (rest, _) in parts.items()]
    found = frame.select(tests).collect().row(0, named=True)
    return [shown for name, (_, shown) in parts.items() if found[name]]


def _with_text(value: Any) -> Any:
    """A cell with its bytes as text, also those inside lists and structures."""
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return base64.b64encode(value).decode()
    if isinstance(value, list):
        return [_with_text(each) for each in value]
    if isinstance(value, dict):
        return {name: _with_text(each) for name, each in value.items()}
    return value


def _polars(path: Path) -> Any:
    try:
        import polars
    except ImportError:
        raise missing_extra(path) from None
    return polars
