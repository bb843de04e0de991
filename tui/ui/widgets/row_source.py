"""Rows of a job as rows of a table."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable, Sequence
from typing import Protocol

from tui.core.filtering import RowSelection
from tui.core.rows import Row
from tui.core.text import one_line
from tui.ui import formatting
from tui.ui.status import outcome_parts
from tui.ui.tones import Parts
from tui.ui.widgets.table_model import Cell, Cells, Column

PREVIEW_WIDTH = 300

ROW_COLUMNS = (
    Column("seq", "#", 6, align="right", drop=5, sortable=True),
    Column("custom_id", "Id", 14, flex=1, sortable=True),
    Column("outcome", "Outcome", 11, sortable=True),
    Column("code", "Code", 5, align="right", drop=4, sortable=True),
    Column("attempt", "Try", 4, align="right", drop=6, sortable=True),
    Column("input_tokens", "In", 6, align="right", drop=7, sortable=True),
    Column("output_tokens", "Out", 6, align="right", drop=3, sortable=True),
    Column("cost", "Cost", 8, align="right", drop=8, sortable=True),
    Column("preview", "Answer", 36, flex=3),
)


class RowReader(Protocol):
    """The part of the history that a row table reads."""

    def rows(self, job_id: str, seqs: Sequence[int]) -> list[Row]:
        """Rows by sequence number, in the order asked."""
        ...


class RowSource:
    """The rows of a job that a filter let through.

    Args:
        history: Where rows are read from.
        job_id: The job.
        selection: The rows, in order.
        ascending: Are the sequence numbers in rising order?
    """

    def __init__(
        self, history: RowReader, job_id: str, selection: RowSelection, *, ascending: bool
    ) -> None:
        self.selection = selection
        self._history = history
        self._job_id = job_id
        self._ascending = ascending

    def row_count(self) -> int:
        """How many rows are shown."""
        return len(self.selection.seqs)

    def fetch(self, start: int, stop: int) -> Sequence[Cells]:
        """The cells of some rows, read from the history."""
        return [row_cells(row) for row in self._history.rows(self._job_id, self._seqs(start, stop))]

    def row_id(self, index: int) -> Hashable:
        """The sequence number of a row."""
        return self.selection.seqs[index]

    def index_of(self, row_id: Hashable) -> int | None:
        """Where a row stands."""
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

    def _seqs(self, start: int, stop: int) -> Sequence[int]:
        return self.selection.seqs[start:stop]


def row_cells(row: Row) -> Cells:
    """The cells of one row, in the order of ``ROW_COLUMNS``."""
    preview = one_line(row.preview, PREVIEW_WIDTH)
    return (
        ((formatting.number(row.seq + 1), "muted"),),
        one_line(row.custom_id, 120),
        outcome_parts(row.outcome),
        _code(row),
        str(row.attempt) if row.attempt > 1 else (("1", "muted"),),
        _tokens(row.usage.input_tokens),
        _tokens(row.usage.output_tokens),
        formatting.money(row.cost) if row.cost is not None else (("-", "muted"),),
        preview,
    )


def _code(row: Row) -> Cell:
    """The HTTP status where it says something: not for 200."""
    if row.http_status is None or row.http_status == 200:
        return ""
    return ((str(row.http_status), "bad" if row.error is not None else ""),)


def _tokens(count: int | None) -> Parts:
    return (("-", "muted"),) if count is None else ((formatting.number(count), ""),)
