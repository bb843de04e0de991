"""The libraries of data frames: their columns, and which of them a frame belongs to.

Each is imported when a frame of it is made. A frame that a program hands in is recognised without
importing anything: its library is loaded already.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from itertools import chain
from typing import Any, Protocol

from tui.client.frames.columns import ColumnLibrary, ColumnType
from tui.client.frames.values import column_names, free_names, plain_value
from tui.core.text import one_line, quoted
from tui.errors import InputError, UsageError

_SLICE = 10_000
_LARGEST_WHOLE = 1e15


class FrameLibrary(ColumnLibrary, Protocol):
    """What is done with the frames of one library."""

    def columns(self, frame: Any) -> Sequence[Any]:
        """The labels of the columns."""
        ...

    def count(self, frame: Any) -> int:
        """The number of rows."""
        ...

    def rows(self, frame: Any) -> Iterator[Sequence[Any]]:
        """The plain values of each row; see ``plain_value``."""
        ...

    def frame(self, columns: Mapping[str, Any]) -> Any:
        """A frame of columns of equal length."""
        ...

    def with_columns(self, frame: Any, columns: Mapping[str, Any]) -> Any:
        """A new frame: the given one, which is not changed, with columns added at its end."""
        ...


def load(name: str, use: str) -> Any:
    """Import a library that is not a dependency of Batchdeck.

    Raises:
        UsageError: It is not installed.
    """
    try:
        return import_module(name)
    except ImportError:
        raise UsageError(
            f"{use} needs {name}, which is not installed", f"Install it: pip install {name}"
        ) from None


class Polars:
    """Frames of polars."""

    def __init__(self) -> None:
        self._polars = load("polars", "a polars frame")

    def columns(self, frame: Any) -> Sequence[Any]:
        """The names of the columns."""
        return list(frame.columns)

    def count(self, frame: Any) -> int:
        """The number of rows."""
        return int(frame.height)

    def rows(self, frame: Any) -> Iterator[Sequence[Any]]:
        """The plain values of each row, read in slices."""
        for row in frame.iter_rows(buffer_size=_SLICE):
            yield [plain_value(value) for value in row]

    def array(self, values: list[Any], kind: ColumnType) -> Any:
        """A series."""
        polars = self._polars
        types = {
            "text": polars.String,
            "integer": polars.Int64,
            "number": polars.Float64,
            "boolean": polars.Boolean,
        }
        scalar = types[kind.scalar]
        return polars.Series(values, dtype=polars.List(scalar) if kind.is_list else scalar)

    def values(self, array: Any) -> list[Any]:
        """The values of a series."""
        found: list[Any] = array.to_list()
        return found

    def joined(self, arrays: list[Any], kind: ColumnType) -> Any:
        """The series as one."""
        return self._polars.concat(arrays)

    def frame(self, columns: Mapping[str, Any]) -> Any:
        """A data frame."""
        return self._polars.DataFrame(dict(columns))

    def with_columns(self, frame: Any, columns: Mapping[str, Any]) -> Any:
        """The frame with more columns."""
        return frame.hstack([column.alias(name) for name, column in columns.items()])


class LazyPolars(Polars):
    """Lazy frames of polars; they are collected once, before this."""

    def with_columns(self, frame: Any, columns: Mapping[str, Any]) -> Any:
        """A lazy frame with more columns."""
        return super().with_columns(frame, columns).lazy()


class Pandas:
    """Frames of pandas. Rows keep their order and their index."""

    def __init__(self) -> None:
        self._pandas = load("pandas", "a pandas frame")
        # pandas 2 has no text type that is its default.
        self._text = "str" if int(self._pandas.__version__.split(".")[0]) >= 3 else object

    def columns(self, frame: Any) -> Sequence[Any]:
        """The labels of the columns."""
        return list(frame.columns)

    def count(self, frame: Any) -> int:
        """The number of rows."""
        return len(frame)

    def rows(self, frame: Any) -> Iterator[Sequence[Any]]:
        """The plain values of each row.

        Whole numbers that are floats because a value is missing are whole numbers again, and
        times that are all at midnight are dates.
        """
        places = range(frame.shape[1])
        read = [self._reader(frame.iloc[:, place]) for place in places]
        for start in range(0, len(frame), _SLICE):
            part = frame.iloc[start : start + _SLICE]
            columns = [
                [one(value) for value in part.iloc[:, place].array]
                for place, one in zip(places, read, strict=True)
            ]
            if columns:
                yield from zip(*columns, strict=True)
            else:
                yield from ([] for _ in range(len(part)))

    def _reader(self, column: Any) -> Callable[[Any], Any]:
        """What makes the values of a column plain."""
        types = self._pandas.api.types
        if types.is_float_dtype(column.dtype):
            known = column.dropna()
            if len(known) < len(column) and bool(
                ((known % 1 == 0) & (known.abs() < _LARGEST_WHOLE)).all()
            ):
                return lambda value: None if (one := plain_value(value)) is None else int(one)
        if types.is_datetime64_any_dtype(column.dtype):
            known = column.dropna()
            if bool((known == known.dt.normalize()).all()):
                return lambda value: None if plain_value(value) is None else str(value.date())
        return plain_value

    def array(self, values: list[Any], kind: ColumnType) -> Any:
        """A series; whole numbers and booleans with missing values stay what they are."""
        types = {"text": self._text, "integer": "Int64", "number": "float64", "boolean": "boolean"}
        dtype = object if kind.is_list else types[kind.scalar]
        return self._pandas.Series(values, dtype=dtype)

    def values(self, array: Any) -> list[Any]:
        """The values of a series."""
        return [plain_value(value) for value in array]

    def joined(self, arrays: list[Any], kind: ColumnType) -> Any:
        """The series as one."""
        return self._pandas.concat(arrays, ignore_index=True)

    def frame(self, columns: Mapping[str, Any]) -> Any:
        """A data frame."""
        return self._pandas.DataFrame(dict(columns))

    def with_columns(self, frame: Any, columns: Mapping[str, Any]) -> Any:
        """The frame with more columns, which have the same index."""
        pandas = self._pandas
        made = pandas.DataFrame({name: column.array for name, column in columns.items()})
        made.index = frame.index
        if frame.columns.nlevels > 1:
            padding = ("",) * (frame.columns.nlevels - 1)
            made.columns = pandas.MultiIndex.from_tuples([(name, *padding) for name in columns])
        joined = pandas.concat([frame, made], axis=1)
        joined.attrs = dict(frame.attrs)
        return joined


class Arrow:
    """Tables and record batches of pyarrow."""

    def __init__(self) -> None:
        self._arrow = load("pyarrow", "an Arrow table")

    def columns(self, frame: Any) -> Sequence[Any]:
        """The names of the columns."""
        return list(frame.schema.names)

    def count(self, frame: Any) -> int:
        """The number of rows."""
        return int(frame.num_rows)

    def rows(self, frame: Any) -> Iterator[Sequence[Any]]:
        """The plain values of each row, read in slices."""
        for start in range(0, frame.num_rows, _SLICE):
            part = frame.slice(start, _SLICE)
            columns = [self._python_values(column) for column in part.columns]
            yield from zip(*([plain_value(one) for one in column] for column in columns))  # noqa: B905

    def _python_values(self, column: Any) -> list[Any]:
        """The values of a column; Python has no nanoseconds, so times are cut to microseconds."""
        arrow = self._arrow
        kind = column.type
        if arrow.types.is_timestamp(kind) and kind.unit == "ns":
            column = column.cast(arrow.timestamp("us", kind.tz), safe=False)
        try:
            return self.values(column)
        except ValueError:
            # Durations of nanoseconds, where pandas is not installed.
            return self.values(column.cast(arrow.string()))

    def array(self, values: list[Any], kind: ColumnType) -> Any:
        """An array."""
        arrow = self._arrow
        types = {
            "text": arrow.large_string(),
            "integer": arrow.int64(),
            "number": arrow.float64(),
            "boolean": arrow.bool_(),
        }
        scalar = types[kind.scalar]
        return arrow.array(values, arrow.large_list(scalar) if kind.is_list else scalar)

    def values(self, array: Any) -> list[Any]:
        """The values of an array."""
        found: list[Any] = array.to_pylist()
        return found

    def joined(self, arrays: list[Any], kind: ColumnType) -> Any:
        """The arrays as the chunks of one."""
        return self._arrow.chunked_array(arrays)

    def frame(self, columns: Mapping[str, Any]) -> Any:
        """A table."""
        return self._arrow.table(dict(columns))

    def with_columns(self, frame: Any, columns: Mapping[str, Any]) -> Any:
        """The table, or the record batch, with more columns."""
        is_batch = isinstance(frame, self._arrow.RecordBatch)
        for name, column in columns.items():
            frame = frame.append_column(name, column.combine_chunks() if is_batch else column)
        return frame


class Dicts:
    """Lists of dicts, or of texts, which are the column ``text``."""

    def columns(self, frame: Any) -> Sequence[Any]:
        """The keys of all rows, in the order in which they appear."""
        return list(dict.fromkeys(chain.from_iterable(frame)))

    def count(self, frame: Any) -> int:
        """The number of rows."""
        return len(frame)

    def rows(self, frame: Any) -> Iterator[Sequence[Any]]:
        """The plain values of each row, in the order of the columns."""
        keys = self.columns(frame)
        for row in frame:
            yield [plain_value(row.get(key)) for key in keys]

    def array(self, values: list[Any], kind: ColumnType) -> Any:
        """The list itself."""
        return values

    def values(self, array: Any) -> list[Any]:
        """The list itself."""
        found: list[Any] = array
        return found

    def joined(self, arrays: list[Any], kind: ColumnType) -> Any:
        """The lists as one."""
        return list(chain.from_iterable(arrays))

    def frame(self, columns: Mapping[str, Any]) -> Any:
        """A dict for each row."""
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def with_columns(self, frame: Any, columns: Mapping[str, Any]) -> Any:
        """New dicts with more keys."""
        added = self.frame(columns)
        return [{**row, **more} for row, more in zip(frame, added, strict=True)]


def recognised(frame: Any) -> tuple[FrameLibrary, Any]:
    """The library of a frame, and the frame as that library reads it.

    pandas, polars (also lazy frames), tables and record batches of pyarrow, whatever else hands out
    an Arrow stream (DuckDB, Ibis, nanoarrow …), and iterables of dicts or texts.

    Raises:
        UsageError: It is something else, or it needs a library that is not installed.
        InputError: A row is neither a dict nor a text.
    """
    pandas, polars = sys.modules.get("pandas"), sys.modules.get("polars")
    arrow = sys.modules.get("pyarrow")
    if pandas is not None and isinstance(frame, pandas.DataFrame):
        return Pandas(), frame
    if polars is not None and isinstance(frame, polars.DataFrame):
        return Polars(), frame
    if polars is not None and isinstance(frame, polars.LazyFrame):
        return LazyPolars(), frame.collect()
    if arrow is not None and isinstance(frame, arrow.Table | arrow.RecordBatch):
        return Arrow(), frame
    is_series = hasattr(frame, "to_frame")
    if hasattr(frame, "__arrow_c_stream__") and not is_series:
        arrow = load("pyarrow", f"a frame of {type(frame).__module__}")
        try:
            return Arrow(), arrow.RecordBatchReader.from_stream(frame).read_all()
        except (arrow.ArrowException, TypeError) as error:
            raise UsageError(
                f"the Arrow stream cannot be read: {one_line(str(error), 160)}",
                "Give a table, not a single column.",
            ) from error
    if isinstance(frame, Mapping | str | bytes) or is_series or not isinstance(frame, Iterable):
        what = quoted(type(frame).__qualname__, 40)
        raise UsageError(
            f"a {what} is not a frame",
            "Use series.to_frame()."
            if is_series
            else "Give a pandas, polars or Arrow frame, or a list of dicts.",
        )
    return Dicts(), [_as_dict(row, number) for number, row in enumerate(frame, 1)]


def _as_dict(row: Any, number: int) -> Mapping[Any, Any]:
    if isinstance(row, Mapping):
        return row
    if isinstance(row, str):
        return {"text": row}
    raise InputError(
        f"row {number} is a {one_line(type(row).__qualname__, 40)}, neither a dict nor a text",
        'Write rows such as {"name": "…"}.',
        line=number,
    )


def join(library: FrameLibrary, frame: Any, columns: Mapping[str, Any], suffix: str) -> Any:
    """The frame with columns at its end; a name that is taken gets the suffix."""
    names = free_names(list(columns), column_names(library.columns(frame)), suffix)
    return library.with_columns(frame, dict(zip(names, columns.values(), strict=True)))
