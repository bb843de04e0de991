"""Rows of a job counted by the values of two columns; a cell opens its rows."""

from __future__ import annotations

from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widgets import Static

from tui.core.analysis.facets import ColumnInfo
from tui.core.analysis.pivot import Pivot, PivotCell, PivotLine
from tui.core.formatting import counted, percent, plain_number
from tui.core.jobs import Job
from tui.core.text import one_line, value_label
from tui.progress import Progress
from tui.ui.commands.command_table import Scope, bindings
from tui.ui.dialogs.choose import Choice, SearchChoiceDialog
from tui.ui.models.row_search import RowQuery
from tui.ui.screens.report import ReportReader, ReportScreen
from tui.ui.session import Session
from tui.ui.text.tones import Part, Tone, content
from tui.ui.widgets.cell_table import CellTable
from tui.ui.widgets.key_footer import SteadyFooter

_LONGEST_NAME = 24


class PivotScreen(ReportScreen[Pivot, RowQuery | None]):
    """A table of the rows with each pair of values of two columns.

    It is closed with the query for the rows of a cell, or with ``None``.

    Args:
        session: The session.
        job: The job.
        query: The filter of the rows.
        columns: The columns of the job.
        down: The column whose values are the lines.
        across: The column whose values are the columns.
    """

    SCOPE = Scope.PIVOT
    BINDINGS: ClassVar[list[BindingType]] = bindings(Scope.PIVOT)

    def __init__(
        self,
        session: Session,
        job: Job,
        query: RowQuery,
        columns: list[ColumnInfo],
        down: str,
        across: str,
    ) -> None:
        super().__init__()
        self._session = session
        self._job = job
        self._query = query
        self._columns = columns
        self._down, self._across = down, across
        self._mean = ""
        self._head = Static("", id="pivot-head", classes="report-line", markup=False)
        self._table = CellTable(id="pivot-table")
        self._cell = Static("", id="pivot-cell", classes="report-line", markup=False)
        self.reader = ReportReader(self, self._load, self._draw_head, self._show)

    def compose(self) -> ComposeResult:
        """The head, the table, a line about its cell, and the footer."""
        yield self._head
        yield self._table
        yield self._cell
        yield SteadyFooter()

    def on_mount(self) -> None:
        """Count the rows."""
        self._table.focus()
        self.reader.read()

    async def _load(self, progress: Progress) -> Pivot:
        return await self._session.engine.results.pivot(
            self._job.id,
            self._down,
            self._across,
            self._query.rows,
            value=self._mean,
            progress=progress,
        )

    def _draw_head(self) -> None:
        what = f"{one_line(self._down, 40)} by {one_line(self._across, 40)}"
        parts: list[Part] = [(one_line(self._job.name, 30), "strong"), (f" · {what}", "")]
        if self._mean:
            parts.append((f" · mean of {one_line(self._mean, 40)}", ""))
        if self.reader.is_running:
            parts += [(" · ", "muted"), *self.reader.progress_parts("counting")]
        elif self.reader.report is not None:
            parts.append((f" · {counted(self.reader.report.total.rows, 'row')}", "muted"))
        if self._query.where:
            parts.append((f" · {one_line(self._query.where, 60)}", "muted"))
        self._head.update(content(parts), layout=False)

    async def _show(self, made: Pivot) -> None:
        """Show the table: names, the cells, and the totals last."""
        headings = ["", *map(_name, made.columns), "all"]
        rows: list[list[Part]] = [
            [
                (_name(line), _tone(line)),
                *map(self._part, cells),
                (self._text(line.total), "strong"),
            ]
            for line, cells in zip(made.lines, made.cells, strict=True)
        ]
        totals: list[Part] = [(self._text(one.total), "strong") for one in made.columns]
        rows.append([("all", "strong"), *totals, (self._text(made.total), "strong")])
        self._table.show(headings, rows)

    def _text(self, cell: PivotCell) -> str:
        if not self._mean:
            return f"{cell.rows:,}"
        return "-" if cell.mean is None else plain_number(cell.mean)

    def _part(self, cell: PivotCell) -> Part:
        return (self._text(cell), "" if cell.rows else "muted")

    def _at(self, row: int, column: int) -> tuple[PivotLine | None, PivotLine | None, PivotCell]:
        """The line, the column and the cell at a place of the table; ``None`` for a total."""
        made = self.reader.report
        assert made is not None, "a table is shown"
        line = made.lines[row] if row < len(made.lines) else None
        other = made.columns[column - 1] if 0 < column <= len(made.columns) else None
        if line is not None and other is not None:
            return line, other, made.cells[row][column - 1]
        total = line or other
        return line, other, made.total if total is None else total.total

    @on(CellTable.Moved)
    def _moved(self, event: CellTable.Moved) -> None:
        made = self.reader.report
        if made is None:
            return
        line, other, cell = self._at(event.row, event.column)
        names = [
            f"{column} {_name(one)}"
            for column, one in ((self._down, line), (self._across, other))
            if one is not None
        ]
        parts: list[Part] = [(", ".join(names) or "all rows", "")]
        share = percent(cell.rows, made.total.rows)
        parts.append((f": {counted(cell.rows, 'row')}, {share}", "strong"))
        if cell.mean is not None:
            parts.append((f", mean {plain_number(cell.mean)}", ""))
        self._cell.update(content(parts), layout=False)

    @on(CellTable.Opened)
    def _opened(self, event: CellTable.Opened) -> None:
        if self.reader.report is None:
            return
        line, other, _ = self._at(event.row, event.column)
        query = self._query
        for column, one in ((self._down, line), (self._across, other)):
            if one is not None and one.is_rest:
                self.notify("Choose one value.", markup=False, timeout=3)
                return
            if one is not None:
                query = query.with_values(column, [one.value])
        self.dismiss(query)

    # Commands

    def action_swap(self) -> None:
        """Swap lines and columns."""
        self._down, self._across = self._across, self._down
        self.reader.read()

    @work(group="choose", exit_on_error=False)
    async def action_mean(self) -> None:
        """Choose the column whose mean is shown; the same again shows numbers of rows."""
        dialog = column_dialog("Mean of which column?", self._columns, (self._down, self._across))
        column = await self.app.push_screen_wait(dialog)
        if column is not None:
            self._mean = "" if column == self._mean else column
            self.reader.read()


def column_dialog(
    title: str, columns: list[ColumnInfo], without: tuple[str, ...]
) -> SearchChoiceDialog:
    """A dialog to choose a column.

    Args:
        title: The question.
        columns: The columns of the job.
        without: Columns that are not offered.
    """
    return SearchChoiceDialog(
        title,
        [
            Choice(info.column, one_line(info.column, 40), info.help)
            for info in columns
            if info.column not in without
        ],
    )


def _name(line: PivotLine) -> str:
    return value_label(line.value, _LONGEST_NAME)


def _tone(line: PivotLine) -> Tone:
    return "muted" if line.value is None or line.is_rest else ""
