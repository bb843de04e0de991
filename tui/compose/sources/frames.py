"""Parquet and Excel files, which the extra ``tables`` reads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tui.compose.sources.source import Row, Source
from tui.core.text import one_line, quoted
from tui.errors import InputError

_SLICE = 10_000


def open_parquet(path: Path) -> Source:
    """A Parquet file, read in slices of rows.

    Raises:
        InputError: The file cannot be read, or the extra is not installed.
    """
    polars = _polars(path)
    _must_exist(path)
    try:
        frame = polars.scan_parquet(path)
        columns = tuple(frame.collect_schema().names())
        count = int(frame.select(polars.len()).collect().item())
    except Exception as error:
        raise _unreadable(path, error) from error

    def rows() -> Iterator[Row]:
        for start in range(0, count, _SLICE):
            yield from frame.slice(start, _SLICE).collect().iter_rows(named=True)

    return Source(str(path), "table", columns, rows, count=count, base=path.parent)


def open_excel(path: Path, sheet: str = "") -> Source:
    """A sheet of an Excel file, the first one unless named; the first row names the columns.

    Raises:
        InputError: The file cannot be read, or the extra is not installed.
    """
    polars = _polars(path)
    _must_exist(path)
    try:
        frame = polars.read_excel(path, **({"sheet_name": sheet} if sheet else {}))
    except ModuleNotFoundError:
        raise _missing(path) from None
    except Exception as error:
        raise _unreadable(path, error) from error

    def rows() -> Iterator[Row]:
        return iter(frame.iter_rows(named=True))

    name = f"{path}::{sheet}" if sheet else str(path)
    return Source(name, "table", tuple(frame.columns), rows, count=frame.height, base=path.parent)


def _polars(path: Path) -> Any:
    try:
        import polars
    except ImportError:
        raise _missing(path) from None
    return polars


def _must_exist(path: Path) -> None:
    if not path.is_file():
        raise InputError(f"{quoted(str(path), 200)} does not exist", "Look at the path.", path=path)


def _missing(path: Path) -> InputError:
    return InputError(
        f"{quoted(path.name)} needs the extra 'tables', which is not installed",
        "Run: pip install 'batchdeck[tables]' — or save the table as CSV.",
        path=path,
    )


def _unreadable(path: Path, error: Exception) -> InputError:
    return InputError(
        f"{quoted(path.name)} cannot be read: {one_line(str(error), 160)}",
        "Look whether it is what its ending says.",
        path=path,
    )
