"""The types of columns that frames of each library have, as plain values."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa

from tui.client.frames.libraries import recognised


def rows(frame: Any) -> list[list[Any]]:
    library, table = recognised(frame)
    assert library.count(table) == 2
    return [list(row) for row in library.rows(table)]


def check(columns: dict[str, tuple[Any, Any, Any]], frame: Any) -> None:
    """Each column has its values; the others of the dict are how it was made."""
    first, second = rows(frame)
    found = {name: (one, two) for name, one, two in zip(columns, first, second, strict=True)}
    assert found == {name: (one, two) for name, (_, one, two) in columns.items()}
    assert all(
        type(one) is type(wanted)
        for one, (_, wanted, _) in zip(first, columns.values(), strict=True)
    )


MOMENT = dt.datetime(2026, 1, 1, 1, 2, 3, 4)


def test_types_of_polars() -> None:
    columns: dict[str, tuple[Any, Any, Any]] = {
        "category": (pl.Series(["a", None], dtype=pl.Categorical), "a", None),
        "enum": (pl.Series(["u", "v"], dtype=pl.Enum(["u", "v"])), "u", "v"),
        "date": (pl.Series([dt.date(2026, 1, 1), None]), "2026-01-01", None),
        "time": (
            pl.Series([MOMENT, None], dtype=pl.Datetime("ns", "UTC")),
            "2026-01-01T01:02:03.000004+00:00",
            None,
        ),
        "clock": (pl.Series([dt.time(1), None]), "01:00:00", None),
        "decimal": (pl.Series([Decimal("1.10"), None]), "1.10", None),
        "struct": (pl.Series([{"d": [dt.date(2026, 1, 1)]}, None]), {"d": ["2026-01-01"]}, None),
        "list": (pl.Series([[1, None], []]), [1, None], []),
        "array": (pl.Series([[1, 2], [3, 4]], dtype=pl.Array(pl.Int8, 2)), [1, 2], [3, 4]),
        "bytes": (pl.Series([b"ab", b"\xff"]), "ab", "/w=="),
        "null": (pl.Series([None, None]), None, None),
        "float": (pl.Series([1.0, float("nan")]), 1.0, None),
    }
    check(columns, pl.DataFrame({name: made for name, (made, _, _) in columns.items()}))


def test_types_of_arrow() -> None:
    nanoseconds = 1_700_000_000_123_456_789
    columns: dict[str, tuple[Any, Any, Any]] = {
        "dictionary": (pa.array(["a", None]).dictionary_encode(), "a", None),
        "time": (
            pa.array([nanoseconds, None], pa.timestamp("ns")),
            "2023-11-14T22:13:20.123456",
            None,
        ),
        "map": (pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int64())), [["k", 1]], None),
        "decimal": (pa.array([Decimal("1.1"), None]), "1.1", None),
        "struct": (pa.array([{"a": None}, None]), {"a": None}, None),
        "half": (pa.array([np.float16(1.5), None]), 1.5, None),
        "view": (pa.array(["x", "y"], pa.string_view()), "x", "y"),
    }
    table = pa.table({name: made for name, (made, _, _) in columns.items()})
    check(columns, table)
    check(columns, table.to_batches()[0])


def test_types_of_pandas() -> None:
    columns: dict[str, tuple[Any, Any, Any]] = {
        "day": (pd.to_datetime(["2026-01-01", None]), "2026-01-01", None),
        "time": (pd.to_datetime(["2026-01-01 10:00", None]), "2026-01-01T10:00:00", None),
        "zone": (
            pd.to_datetime(["2026-01-01 10:00", "2026-01-02 00:00"]).tz_localize("UTC"),
            "2026-01-01T10:00:00+00:00",
            "2026-01-02T00:00:00+00:00",
        ),
        "whole": ([7, np.nan], 7, None),
        "floats": ([1.0, 2.0], 1.0, 2.0),
        "large": ([1e20, np.nan], 1e20, None),
        "Int64": (pd.array([1, None], dtype="Int64"), 1, None),
        "Float64": (pd.array([1.5, None], dtype="Float64"), 1.5, None),
        "boolean": (pd.array([True, None], dtype="boolean"), True, None),
        "string": (pd.array(["a", None], dtype="string"), "a", None),
        "category": (pd.Categorical([1, None]), 1, None),
        "sparse": (pd.arrays.SparseArray([0, 1]), 0, 1),
        "delta": (pd.to_timedelta([1, None], unit="h"), "0 days 01:00:00", None),
        "period": (pd.period_range("2026-01", periods=2, freq="M"), "2026-01", "2026-02"),
        "arrow": (pd.array([[1], None], dtype=pd.ArrowDtype(pa.list_(pa.int64()))), [1], None),
        "objects": ([{"a": np.array([1])}, pd.NA], {"a": [1]}, None),
    }
    check(columns, pd.DataFrame({name: made for name, (made, _, _) in columns.items()}))
