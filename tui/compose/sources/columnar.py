"""Rows from Parquet and Arrow (Feather) files; needs the extra ``tables``."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from tui.compose.sources.base import Row, Source, missing_extra, must_exist, unreadable
from tui.core.formatting import counted
from tui.core.text import quoted
from tui.errors import InputError, PartNeededError

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

    def pieces() -> Iterator[Any]:
        try:
            yield from _pieces(frame, count)
        except faults as error:
            raise _unreadable(path, error) from error

    def rows() -> Iterator[Row]:
        for cells in pieces():
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


def _pieces(frame: Any, count: int) -> Iterator[Any]:
    """The rows in slices. A preview needs the first only; each slice decodes its row group anew."""
    yield frame.slice(0, _SLICE).collect()
    rest = frame.slice(_SLICE)
    if count <= _SLICE:
        return
    if hasattr(rest, "collect_batches"):
        yield from rest.collect_batches(chunk_size=_SLICE, maintain_order=True)
        return
    # Older versions of polars have no batches.
    for start in range(_SLICE, count, _SLICE):
        yield frame.slice(start, _SLICE).collect()


def is_saved_dataset(folder: Path) -> bool:
    """Whether the library of Hugging Face saved a data set, or several by name, in a folder."""
    is_one = (folder / _STATE).is_file() and (folder / "dataset_info.json").is_file()
    return is_one or (folder / _SPLITS).is_file()


def open_saved_dataset(folder: Path, split: str = "") -> Source:
    """Open a folder that ``save_to_disk`` of the library of Hugging Face wrote.

    Its files are read one after the other, each held in memory.

    Args:
        folder: The folder.
        split: The name of one of several data sets, such as ``train``.

    Raises:
        InputError: A file is missing or cannot be read, or there are several data sets and none
            is named.
    """
    if (folder / _SPLITS).is_file():
        splits = _json_of(folder / _SPLITS).get("splits", [])
        if split not in splits and (split or len(splits) != 1):
            listed = ", ".join(map(quoted, splits))
            raise PartNeededError(
                f"{quoted(folder.name)} has {counted(len(splits), 'data set')}: {listed}",
                splits,
                path=folder,
            )
        return replace(
            open_saved_dataset(folder / (split or splits[0])),
            name=f"{folder}::{split}" if split else str(folder),
        )
    names = [each["filename"] for each in _json_of(folder / _STATE).get("_data_files", [])]
    if not names:
        raise InputError(f"{quoted(folder.name)} has no rows", "Use another folder.", path=folder)
    first = open_columnar(folder / names[0], "arrow-stream")
    # One after the other: none but the first stays in memory.
    others = sum(open_columnar(folder / name, "arrow-stream").count or 0 for name in names[1:])

    def rows() -> Iterator[Row]:
        for name in names:
            yield from open_columnar(folder / name, "arrow-stream").rows()

    return replace(
        first,
        name=str(folder),
        base=folder,
        open_rows=rows,
        count=(first.count or 0) + others,
        notes=("a data set of Hugging Face",),
    )


_STATE = "state.json"
_SPLITS = "dataset_dict.json"


def _json_of(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise _unreadable(path, error) from None
    return found if isinstance(found, dict) else {}


def _unreadable(path: Path, error: BaseException) -> InputError:
    # The words of a panic are for those who work on the reader.
    what = "" if isinstance(error, Exception) else "a column has a type that is not read"
    hint = (
        "Save it again as Parquet with the program that wrote it: each column with a name of its"
        " own, unusual types as text."
    )
    return unreadable(path, error, hint, what=what)


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
