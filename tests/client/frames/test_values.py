"""Values as frames have them, as the plain values of a request."""

from __future__ import annotations

import datetime as dt
import enum
import uuid
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from tui.client.frames.values import column_names, free_names, plain_value
from tui.errors import InputError


class Colour(enum.IntEnum):
    RED = 1


MISSING = [
    None, float("nan"), np.nan, np.float32("nan"), pd.NA, pd.NaT, np.datetime64("NaT", "ns"),
    np.timedelta64("NaT", "ns"), Decimal("NaN"),
]  # fmt: skip

VALUES: list[tuple[Any, Any]] = [
    ("text", "text"),
    (np.str_("text"), "text"),
    (True, True),
    (np.bool_(True), True),
    (np.int64(7), 7),
    (np.float32(0.5), 0.5),
    (2**70, 2**70),
    (Decimal("1.10"), "1.10"),
    (Colour.RED, 1),
    (dt.date(2026, 1, 2), "2026-01-02"),
    (dt.time(1, 2), "01:02:00"),
    (dt.datetime(2026, 1, 2, 3), "2026-01-02T03:00:00"),
    (pd.Timestamp("2026-01-02 03:00", tz="UTC"), "2026-01-02T03:00:00+00:00"),
    (np.datetime64("2026-01-02T03:00:00", "ns"), "2026-01-02T03:00:00.000000000"),
    (dt.timedelta(days=1), "1 day, 0:00:00"),
    (pd.Period("2026-01", "M"), "2026-01"),
    (pd.Interval(0, 1), "(0, 1]"),
    (b"bytes", "bytes"),
    (b"\xff\xfe", "//4="),
    (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    (PurePosixPath("a/b"), "a/b"),
    ({1: np.nan, "a": [Decimal(2)]}, {"1": None, "a": ["2"]}),
    (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
    (pl.Series([1, None]), [1, None]),
    ((1, None, pd.NaT), [1, None, None]),
]


@pytest.mark.parametrize("value", MISSING, ids=repr)
def test_what_is_missing_is_none(value: Any) -> None:
    assert plain_value(value) is None


@pytest.mark.parametrize(("value", "plain"), VALUES, ids=repr)
def test_values_become_plain(value: Any, plain: Any) -> None:
    found = plain_value(value)
    assert (found, type(found)) == (plain, type(plain))


def test_names_of_columns_are_texts() -> None:
    labels = ["a", 5, None, ("price", "EUR"), ("x", "")]
    assert column_names(labels) == ("a", "5", "None", "price.EUR", "x")
    for same in (["a", "a"], ["1", 1], [("a", "b"), "a.b"]):
        with pytest.raises(InputError, match="two columns"):
            column_names(same)


def test_new_columns_give_way() -> None:
    assert free_names(["a", "b"], ["b", "c"], "_x") == ["a", "b_x"]
    assert free_names(["b", "b"], ["b", "b_x"], "_x") == ["b_x_2", "b_x_3"]
    assert free_names(["b"], ["b"], "") == ["b_2"]
