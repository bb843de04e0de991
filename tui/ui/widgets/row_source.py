"""Rows of a job as rows of a table."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable, Sequence
from typing import Any, Protocol

from tui.core.filtering import RowSelection
from tui.core.rows import Row
from tui.ui.widgets.row_columns import ROW_COLUMNS, cells_of
from tui.ui.widgets.table_model import Cells, Column


class RowReader(Protocol):
    """The part of the history that a row table reads."""

    def rows(self, job_id: str, seqs: Sequence[int]) -> list[Row]:
        """Rows by sequence number, in the order asked."""
        ...


class Inputs(Protocol):
    """The columns of the table that a job was composed of, if it was."""

    columns: tuple[str, ...]

    def rows(self, seqs: Sequence[int]) -> list[tuple[Any, ...] | None]:
        """The values of some rows, in the order asked."""
        ...


class NoInputs:
    """The job did not come from a table."""

    columns: tuple[str, ...] = ()

    def rows(self, seqs: Sequence[int]) -> list[tuple[Any, ...] | None]:
        """Nothing for each row."""
        return [None] * len(seqs)

    def close(self) -> None:
        """Nothing is open."""


class RowSource:
    """The rows of a job that a filter let through.

    Args:
        history: Where rows are read from.
        job_id: The job.
        selection: The rows, in order.
        ascending: Are the sequence numbers in rising order?
        columns: What is shown of a row.
        inputs: The columns of the table that the job came from.
    """

    def __init__(
        self,
        history: RowReader,
        job_id: str,
        selection: RowSelection,
        *,
        ascending: bool,
        columns: Sequence[Column] = ROW_COLUMNS,
        inputs: Inputs | None = None,
    ) -> None:
        self.selection = selection
        self._history = history
        self._job_id = job_id
        self._ascending = ascending
        self._columns = tuple(columns)
        self._inputs = inputs or NoInputs()
        self._joined = any(column.key.startswith("input:") for column in columns)

    def row_count(self) -> int:
        """How many rows are shown."""
        return len(self.selection.seqs)

    def fetch(self, start: int, stop: int) -> Sequence[Cells]:
        """The cells of some rows, read from the history."""
        seqs = self.selection.seqs[start:stop]
        rows = self._history.rows(self._job_id, seqs)
        values: dict[int, tuple[Any, ...] | None] = {}
        if self._joined:
            values = dict(zip(seqs, self._inputs.rows(seqs), strict=True))
        names = self._inputs.columns
        return [cells_of(row, values.get(row.seq), self._columns, names) for row in rows]

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
