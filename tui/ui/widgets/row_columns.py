"""The columns of a job's row table: all there are, which are shown, and their cells."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from tui.core import formatting
from tui.core.analysis import columns
from tui.core.query import RowSelection
from tui.core.rows import Row
from tui.core.text import one_line
from tui.errors import UnknownJobError, UsageError
from tui.ui.state import TableLayout
from tui.ui.text.reviews import mark_parts
from tui.ui.text.status import outcome_parts
from tui.ui.text.tones import Parts
from tui.ui.widgets.table import model

if TYPE_CHECKING:
    from tui.core.analysis.facets import ColumnInfo
    from tui.store.history import History

PREVIEW_WIDTH = 300

INPUT_PREFIX = "input:"
"""Key prefix of the input columns (columns of the table that the job was composed from)."""

_LARGEST_LINE = 1 << 16
"""Result lines that are longer are not decoded while a page is drawn."""

_NOTHING: Parts = (("-", "muted"),)


@dataclass(frozen=True)
class RowColumn:
    """A column: layout, cell function, help text, and whether it is shown by default."""

    column: model.Column
    cell: Callable[[Row], model.Cell]
    help: str
    is_default: bool = True


def _code(row: Row) -> model.Cell:
    if row.error is None or not row.error.code:
        return ""
    return ((one_line(row.error.code, 40), "bad"),)


def _status(row: Row) -> model.Cell:
    """The HTTP status, empty for 200."""
    if row.http_status is None or row.http_status == 200:
        return ""
    return ((str(row.http_status), "bad" if row.error is not None else ""),)


def _number(count: int | None) -> Parts:
    return _NOTHING if count is None else ((formatting.number(count), ""),)


def _word(word: str | None) -> model.Cell:
    return one_line(word, 40) if word else _NOTHING


ALL_COLUMNS: tuple[RowColumn, ...] = (
    RowColumn(
        model.Column("seq", "#", 6, align="right", drop=8, sortable=True),
        lambda row: ((formatting.number(row.seq + 1), "muted"),),
        "position in the input",
    ),
    RowColumn(
        model.Column("custom_id", "Id", 14, flex=1, sortable=True),
        lambda row: one_line(row.custom_id, 120),
        "custom_id",
    ),
    RowColumn(
        model.Column("outcome", "Outcome", 11, sortable=True),
        lambda row: outcome_parts(row.outcome),
        "result",
    ),
    RowColumn(
        model.Column("status", "HTTP", 5, align="right", drop=4, sortable=True),
        _status,
        "HTTP status, unless 200",
    ),
    RowColumn(
        model.Column("code", "Code", 16, drop=10, sortable=True), _code, "the provider's error code"
    ),
    RowColumn(
        model.Column("attempt", "Try", 4, align="right", drop=7, sortable=True),
        lambda row: str(row.attempt) if row.attempt > 1 else (("1", "muted"),),
        "number of the attempt",
    ),
    RowColumn(
        model.Column("input_tokens", "In", 6, align="right", drop=9, sortable=True),
        lambda row: _number(row.usage.input_tokens),
        "input tokens",
    ),
    RowColumn(
        model.Column("output_tokens", "Out", 6, align="right", drop=3, sortable=True),
        lambda row: _number(row.usage.output_tokens),
        "output tokens",
    ),
    RowColumn(
        model.Column("finish", "Finish", 10, drop=11, sortable=True),
        lambda row: _word(row.finish_reason),
        "why the model stopped",
    ),
    RowColumn(
        model.Column("length", "Chars", 6, align="right", drop=12, sortable=True),
        lambda row: _number(row.length),
        "characters of the answer",
        is_default=False,
    ),
    RowColumn(
        model.Column("model", "Model", 14, drop=13, sortable=True),
        lambda row: _word(row.model),
        "the model that answered",
        is_default=False,
    ),
    RowColumn(
        model.Column("cost", "Cost", 8, align="right", drop=6, sortable=True),
        lambda row: formatting.money(row.cost) if row.cost is not None else _NOTHING,
        "what the row cost",
    ),
    RowColumn(
        model.Column("review", "Review", 12, drop=5, sortable=True),
        lambda row: mark_parts(row.reviews),
        "what reviewers said",
        is_default=False,
    ),
    RowColumn(
        model.Column("preview", "Answer", 28, flex=3),
        lambda row: one_line(row.preview, PREVIEW_WIDTH),
        "start of the answer or the error",
    ),
)
"""All columns, in the order of the columns dialog."""

COLUMNS_BY_KEY = {entry.column.key: entry for entry in ALL_COLUMNS}

ROW_COLUMNS = tuple(entry.column for entry in ALL_COLUMNS if entry.is_default)
"""The default columns."""

_DEFAULT_INPUTS = 2
"""Number of input columns shown by default."""


_OF_ONE_JOB = (columns.ColumnKind.FIELD, columns.ColumnKind.DERIVED, columns.ColumnKind.JOINED)


def is_field(key: str) -> bool:
    """Whether a column shows a field of the answer, a derived one, or one of another job.

    Its key is then its name in queries.
    """
    if key in COLUMNS_BY_KEY or key.startswith(INPUT_PREFIX):
        return False
    try:
        return columns.parse_column(key).kind in _OF_ONE_JOB
    except UsageError:
        # Saved by another version.
        return False


def is_derived(key: str) -> bool:
    """Whether a column shows a derived one."""
    return key.startswith(columns.DERIVED_PREFIX)


def is_of_every_job(name: str) -> bool:
    """Whether every job has the column with this name in sort orders."""
    return name in COLUMNS_BY_KEY or name in columns.FACTS


def name_in_query(key: str) -> str:
    """The name of a column in queries and sort orders; empty for the row number."""
    if key.startswith(INPUT_PREFIX):
        return str(columns.Column(columns.ColumnKind.INPUT, key.removeprefix(INPUT_PREFIX)))
    if key == "preview":
        return "answer"
    return key if is_field(key) or key in columns.FACTS else ""


def key_of(name: str) -> str:
    """The key of the column with this name in sort orders; the opposite of ``name_in_query``."""
    if name.startswith(columns.INPUT_PREFIX):
        return INPUT_PREFIX + columns.parse_column(name).name
    return "preview" if name == "answer" else name


def column_offers(
    inputs: Iterable[str], infos: Iterable[ColumnInfo] = ()
) -> list[tuple[str, str, str]]:
    """Key, name and help of every column: facts, input columns, fields of the answers.

    Args:
        inputs: The names of the input columns.
        infos: What a sample of the rows shows; see ``Results.columns``.
    """
    infos = list(infos)
    filled = {key_of(info.column): info.filled for info in infos}
    offers = [(entry.column.key, entry.column.label, entry.help) for entry in ALL_COLUMNS]
    keys = [(INPUT_PREFIX + name, name, "input column") for name in inputs]
    keys += [
        (info.column, info.column, info.help or "field of the answer")
        for info in infos
        if is_field(info.column)
    ]
    for key, name, help in keys:
        share = filled.get(key)
        part = "" if share is None else f", {formatting.percent(share)} filled"
        offers.append((key, one_line(name, 40), help + part))
    return offers


def columns_with_ids(inputs: InputReader, rows: Sequence[Row]) -> frozenset[str]:
    """The input columns whose values are the ids of these rows."""
    values = [found or () for found in inputs.rows([row.seq for row in rows])]
    return frozenset(
        name
        for place, name in enumerate(inputs.columns)
        if rows
        and all(
            place < len(found) and str(found[place]) == row.custom_id
            for found, row in zip(values, rows, strict=True)
        )
    )


def configured_columns(
    look: TableLayout, inputs: Sequence[str], ids: Collection[str] = ()
) -> tuple[model.Column, ...]:
    """The columns of a table as configured by the user.

    Args:
        look: The saved configuration.
        inputs: The names of the input columns.
        ids: See ``default_keys``.
    """
    keys = look.columns or default_keys(inputs, ids)
    found = [_column(key, inputs) for key in keys]
    kept = [column for column in found if column is not None]
    if not kept:
        kept = list(ROW_COLUMNS)
    return tuple(
        replace(
            column,
            width=max(model.MIN_COLUMN_WIDTH, min(model.MAX_COLUMN_WIDTH, look.widths[column.key])),
            flex=0,
        )
        if column.key in look.widths
        else column
        for column in kept
    )


def default_keys(inputs: Sequence[str], ids: Collection[str] = ()) -> list[str]:
    """The keys of the default columns.

    Args:
        inputs: The names of the input columns.
        ids: The input columns that hold the ``custom_id``, which has a column already.
    """
    keys = [column.key for column in ROW_COLUMNS]
    index = keys.index("outcome")
    first = [
        INPUT_PREFIX + name
        for name in inputs
        if name not in ids and name.lower() not in ("id", "custom_id")
    ]
    keys[index:index] = first[:_DEFAULT_INPUTS]
    return keys


def _column(key: str, inputs: Sequence[str]) -> model.Column | None:
    if key in COLUMNS_BY_KEY:
        return COLUMNS_BY_KEY[key].column
    name = key.removeprefix(INPUT_PREFIX)
    if key.startswith(INPUT_PREFIX) and name in inputs:
        return model.Column(key, one_line(name, 24), 12, flex=2, drop=5, sortable=True)
    if is_field(key):
        # Somebody chose it, so it stays longer than facts do.
        return model.Column(key, one_line(key, 24), 12, flex=2, drop=2, sortable=True)
    return None


def cells_of(
    row: Row,
    values: tuple[Any, ...] | None,
    shown: Sequence[model.Column],
    inputs: Sequence[str],
    fields: Mapping[str, str | None],
) -> tuple[model.Cell, ...]:
    """One cell for each column of a row.

    Args:
        row: The row.
        values: Its input values, in the order of ``inputs``.
        shown: The columns to show.
        inputs: The names of the input columns.
        fields: The values of the fields of its answer, by the key of their column.
    """
    cells: list[model.Cell] = []
    for column in shown:
        if is_field(column.key):
            cells.append(_input(fields.get(column.key)))
            continue
        entry = COLUMNS_BY_KEY.get(column.key)
        if entry is not None:
            cells.append(entry.cell(row))
            continue
        index = inputs.index(column.key.removeprefix(INPUT_PREFIX))
        cells.append(_input(None if values is None else values[index]))
    return tuple(cells)


def _input(value: Any) -> model.Cell:
    if value is None:
        return _NOTHING
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return one_line(text, PREVIEW_WIDTH)


class InputReader(Protocol):
    """The input columns of a job that was composed from a table."""

    columns: tuple[str, ...]

    def rows(self, seqs: Sequence[int]) -> list[tuple[Any, ...] | None]:
        """Return the values of rows, in the order given."""
        ...


class NoInputColumns:
    """The job was not composed from a table."""

    columns: tuple[str, ...] = ()

    def rows(self, seqs: Sequence[int]) -> list[tuple[Any, ...] | None]:
        """Return ``None`` for each row."""
        return [None] * len(seqs)

    def close(self) -> None:
        """Nothing to close."""


class RowSource(model.ListSource[int]):
    """The filtered and sorted rows of a job.

    Args:
        history: The history to read rows from.
        job_id: The job.
        selection: The rows, in order.
        ascending: Whether the sequence numbers are in ascending order.
        columns: The columns to show.
        inputs: The input columns of the job.
    """

    def __init__(
        self,
        history: History,
        job_id: str,
        selection: RowSelection,
        *,
        ascending: bool,
        columns: Sequence[model.Column] = ROW_COLUMNS,
        inputs: InputReader | None = None,
    ) -> None:
        super().__init__(selection.seqs)
        self.selection = selection
        self._history = history
        self._job_id = job_id
        self._ascending = ascending
        self._columns = tuple(columns)
        self._inputs = inputs or NoInputColumns()
        self._joined = any(column.key.startswith(INPUT_PREFIX) for column in columns)
        self._fields = [column.key for column in columns if is_field(column.key)]

    def fetch(self, start: int, stop: int) -> Sequence[model.Cells]:
        """The cells of a range of rows, read from the history."""
        seqs = self.selection.seqs[start:stop]
        values: dict[int, tuple[Any, ...] | None] = {}
        fields: dict[int, dict[str, str | None]] = {}
        try:
            rows = self._history.rows.page(self._job_id, seqs)
            if self._joined:
                values = dict(zip(seqs, self._inputs.rows(seqs), strict=True))
            if self._fields:
                fields = self._values(seqs)
        except UnknownJobError:
            # Deleted by another program; the pane closes the job when the list learns that.
            return []
        names = self._inputs.columns
        return [
            cells_of(row, values.get(row.seq), self._columns, names, fields.get(row.seq, {}))
            for row in rows
        ]

    def _values(self, seqs: Sequence[int]) -> dict[int, dict[str, str | None]]:
        """The values of the fields that are shown, by row and key."""
        found: dict[int, dict[str, str | None]] = {seq: {} for seq in seqs}
        for key in self._fields:
            try:
                texts = self._history.rows.values(self._job_id, [key], seqs, largest=_LARGEST_LINE)
            except (UsageError, UnknownJobError):
                # The derived column or the other job was removed: the column stays empty.
                continue
            for seq, (text,) in zip(seqs, texts, strict=True):
                found[seq][key] = text
        return found

    def index_of(self, row_id: Hashable) -> int | None:
        """The index of a row."""
        seqs = self.selection.seqs
        if not isinstance(row_id, int):
            return None
        if self._ascending and not isinstance(seqs, range):
            index = bisect_left(seqs, row_id)
            return index if index < len(seqs) and seqs[index] == row_id else None
        try:
            return seqs.index(row_id)
        except ValueError:
            return None
