"""The columns that a table of rows can have, and how a row fills them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from tui.core.rows import Row
from tui.core.text import one_line
from tui.ui import formatting
from tui.ui.state import TableLook
from tui.ui.status import outcome_parts
from tui.ui.tones import Parts
from tui.ui.widgets.table_model import NARROWEST, WIDEST, Cell, Column

PREVIEW_WIDTH = 300

INPUT = "input:"
"""Before the name of a column of the table that the job was composed of."""

_NOTHING: Parts = (("-", "muted"),)


@dataclass(frozen=True)
class RowColumn:
    """A column of rows: how it looks, what it holds, and whether it is shown at first."""

    column: Column
    cell: Callable[[Row], Cell]
    help: str
    usual: bool = True


def _code(row: Row) -> Cell:
    if row.error is None or not row.error.code:
        return ""
    return ((one_line(row.error.code, 40), "bad"),)


def _status(row: Row) -> Cell:
    """The HTTP status where it says something: not for 200."""
    if row.http_status is None or row.http_status == 200:
        return ""
    return ((str(row.http_status), "bad" if row.error is not None else ""),)


def _number(count: int | None) -> Parts:
    return _NOTHING if count is None else ((formatting.number(count), ""),)


def _word(word: str | None) -> Cell:
    return one_line(word, 40) if word else _NOTHING


ALL: tuple[RowColumn, ...] = (
    RowColumn(
        Column("seq", "#", 6, align="right", drop=8, sortable=True),
        lambda row: ((formatting.number(row.seq + 1), "muted"),),
        "place in the input",
    ),
    RowColumn(
        Column("custom_id", "Id", 14, flex=1, sortable=True),
        lambda row: one_line(row.custom_id, 120),
        "custom_id",
    ),
    RowColumn(
        Column("outcome", "Outcome", 11, sortable=True),
        lambda row: outcome_parts(row.outcome),
        "what became of it",
    ),
    RowColumn(
        Column("status", "HTTP", 5, align="right", drop=4, sortable=True),
        _status,
        "HTTP status, unless 200",
    ),
    RowColumn(
        Column("code", "Code", 16, drop=10, sortable=True), _code, "the provider's error code"
    ),
    RowColumn(
        Column("attempt", "Try", 4, align="right", drop=7, sortable=True),
        lambda row: str(row.attempt) if row.attempt > 1 else (("1", "muted"),),
        "number of the attempt",
    ),
    RowColumn(
        Column("input_tokens", "In", 6, align="right", drop=9, sortable=True),
        lambda row: _number(row.usage.input_tokens),
        "input tokens",
    ),
    RowColumn(
        Column("output_tokens", "Out", 6, align="right", drop=3, sortable=True),
        lambda row: _number(row.usage.output_tokens),
        "output tokens",
    ),
    RowColumn(
        Column("finish", "Finish", 10, drop=11, sortable=True),
        lambda row: _word(row.finish_reason),
        "why the model stopped",
    ),
    RowColumn(
        Column("length", "Chars", 6, align="right", drop=12, sortable=True),
        lambda row: _number(row.length),
        "characters of the answer",
        usual=False,
    ),
    RowColumn(
        Column("model", "Model", 14, drop=13, sortable=True),
        lambda row: _word(row.model),
        "the model that answered",
        usual=False,
    ),
    RowColumn(
        Column("cost", "Cost", 8, align="right", drop=6, sortable=True),
        lambda row: formatting.money(row.cost) if row.cost is not None else _NOTHING,
        "what the row cost",
    ),
    RowColumn(
        Column("preview", "Answer", 28, flex=3),
        lambda row: one_line(row.preview, PREVIEW_WIDTH),
        "start of the answer or the error",
    ),
)
"""In the order in which they are offered."""

BY_KEY = {entry.column.key: entry for entry in ALL}

ROW_COLUMNS = tuple(entry.column for entry in ALL if entry.usual)
"""What is shown before a person has chosen."""

_INPUTS_AT_FIRST = 2
"""Columns of a table that are shown beside the answers before a person has chosen."""


def offered(inputs: Iterable[str]) -> list[tuple[str, str, str]]:
    """Key, name and help of every column, those of the input last."""
    own = [(entry.column.key, entry.column.label, entry.help) for entry in ALL]
    return own + [(INPUT + name, one_line(name, 40), "column of the table") for name in inputs]


def chosen_columns(look: TableLook, inputs: Sequence[str]) -> tuple[Column, ...]:
    """The columns of a table as a person has arranged it.

    Args:
        look: What was remembered.
        inputs: The columns of the table that the job was composed of.
    """
    keys = look.columns or usual_keys(inputs)
    columns = [_column(key, inputs) for key in keys]
    kept = [column for column in columns if column is not None]
    if not kept:
        kept = list(ROW_COLUMNS)
    return tuple(
        replace(column, width=max(NARROWEST, min(WIDEST, look.widths[column.key])), flex=0)
        if column.key in look.widths
        else column
        for column in kept
    )


def usual_keys(inputs: Sequence[str]) -> list[str]:
    """The keys of the columns that are shown before a person has chosen."""
    keys = [column.key for column in ROW_COLUMNS]
    place = keys.index("outcome")
    # The source's own id is what most tables begin with, and stands in the row already.
    first = [INPUT + name for name in inputs if name.lower() not in ("id", "custom_id")]
    keys[place:place] = first[:_INPUTS_AT_FIRST]
    return keys


def _column(key: str, inputs: Sequence[str]) -> Column | None:
    if key in BY_KEY:
        return BY_KEY[key].column
    name = key.removeprefix(INPUT)
    if key.startswith(INPUT) and name in inputs:
        return Column(key, one_line(name, 24), 12, flex=2, drop=5)
    return None


def cells_of(
    row: Row, values: tuple[Any, ...] | None, columns: Sequence[Column], inputs: Sequence[str]
) -> tuple[Cell, ...]:
    """One cell for each column of a row.

    Args:
        row: The row.
        values: What it had in the table, in the order of ``inputs``.
        columns: What is to be shown.
        inputs: The names of the input columns.
    """
    cells: list[Cell] = []
    for column in columns:
        entry = BY_KEY.get(column.key)
        if entry is not None:
            cells.append(entry.cell(row))
            continue
        place = inputs.index(column.key.removeprefix(INPUT))
        cells.append(_input(None if values is None else values[place]))
    return tuple(cells)


def _input(value: Any) -> Cell:
    if value is None:
        return _NOTHING
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return one_line(text, PREVIEW_WIDTH)
