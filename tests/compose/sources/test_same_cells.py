"""For any table that csv, openpyxl or json reads, the same cells are read, or it is told."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui.compose.sources.base import Source
from tui.compose.sources.open import open_source
from tui.compose.sources.table_format import DELIMITER_NAMES
from tui.errors import InputError

TEXTS = st.text(st.sampled_from("ab1,;'\"\n |\té你{[<#=-."), max_size=8)


def tables(cells: st.SearchStrategy[Any]) -> st.SearchStrategy[list[list[Any]]]:
    return st.integers(1, 4).flatmap(
        lambda width: st.lists(
            st.lists(cells, min_size=width, max_size=width), min_size=1, max_size=6
        )
    )


@contextmanager
def written(name: str, content: bytes) -> Iterator[Path]:
    with TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(content)
        yield path


def opened(path: Path) -> Source | None:
    """The source, or nothing if it is told why it cannot be opened."""
    try:
        return open_source(str(path))
    except InputError as error:
        assert error.message and error.hint
        return None


def cells_of(source: Source) -> list[list[Any]]:
    """All cells, with the header as the first row."""
    rows = [[row.get(column) for column in source.columns] for row in source.rows()]
    return rows if "no header" in source.notes else [list(source.columns), *rows]


@settings(max_examples=150, deadline=None)
@given(tables(TEXTS), st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]), st.sampled_from(",;\t|"))
def test_csv(table: list[list[str]], quoting: Any, delimiter: str) -> None:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, quoting=quoting).writerows(table)
    content = text.getvalue()
    right = [row for row in csv.reader(io.StringIO(content), delimiter=delimiter) if row]
    with written("t.csv", content.encode()) as path:
        source = opened(path)
        # Another delimiter, or another reading of the marks, is told.
        if source is None or source.notes[1] != f"{DELIMITER_NAMES[delimiter]}-separated":
            return
        if any(word in doubt for doubt in source.doubts for word in READ_OTHERWISE):
            return
        read = cells_of(source)
        assert len(read[0]) == len(right[0])
        named = "header row" in source.notes
        assert read[named:] == right[named:]


READ_OTHERWISE = (
    "above the table", "stray quotation", "--quoting", "fewer", "more cells",
    "lines have no common",
)  # fmt: skip


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)
OBJECTS = st.lists(st.dictionaries(st.text(max_size=4), VALUES, max_size=3), min_size=1, max_size=5)


def said(value: Any) -> Any:
    """A value as it is read: constants that are no JSON are words."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, list):
        return [said(each) for each in value]
    if isinstance(value, dict):
        return {name: said(each) for name, each in value.items()}
    return value


@settings(max_examples=80, deadline=None)
@given(OBJECTS, st.sampled_from(["array", "lines", "pretty", "apart", "commas"]), st.booleans())
def test_json(rows: list[dict[str, Any]], form: str, ascii: bool) -> None:
    each = [json.dumps(row, ensure_ascii=ascii) for row in rows]
    content = {
        "array": json.dumps(rows, ensure_ascii=ascii),
        "lines": "\n".join(each),
        "pretty": "\n".join(json.dumps(row, indent=1, ensure_ascii=ascii) for row in rows),
        "apart": "".join(each),
        "commas": ",\n".join(each),
    }[form]
    with written(
        "t.json" if form == "array" else "t.jsonl", content.encode("utf-8", "replace")
    ) as path:
        source = opened(path)
        # One object may be a table as a whole, which is told.
        if source is not None and not (len(rows) == 1 and source.notes):
            right = [said(json.loads(one.encode("utf-8", "replace"))) for one in each]
            assert list(source.rows()) == right


CELLS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**9), 10**9)
    | st.text(st.sampled_from("ab1,é你 \n'<&"), min_size=1, max_size=6).map(
        lambda text: text.strip() or "x"
    )
)


@settings(max_examples=25, deadline=None)
@given(tables(CELLS))
def test_openpyxl(table: list[list[Any]]) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    pytest.importorskip("python_calamine")
    book = openpyxl.Workbook()
    for row in table:
        book.active.append(row)
    made = io.BytesIO()
    book.save(made)
    with written("t.xlsx", made.getvalue()) as path:
        source = opened(path)
        filled = [row for row in table if any(cell is not None for cell in row)]
        if source is None:
            assert not filled
            return
        if any("above the table" in doubt for doubt in source.doubts):
            return
        places = [n for n in range(len(table[0])) if any(row[n] is not None for row in filled)]
        right = [[shown(row[n]) for n in places] for row in filled]
        read = cells_of(source)
        if "header row" in source.notes:
            assert len(read[0]) == len(places)
            right, read = right[1:], read[1:]
        assert read == right


def shown(cell: Any) -> Any:
    return {True: "TRUE", False: "FALSE"}[cell] if isinstance(cell, bool) else cell
