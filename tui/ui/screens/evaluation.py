"""Answers compared with true values: accuracy, scores of each class, and the confusion matrix."""

from __future__ import annotations

from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widgets import Static

from tui.core.analysis.columns import DERIVED_PREFIX, ColumnKind
from tui.core.analysis.evaluation import Evaluation
from tui.core.analysis.facets import ColumnInfo
from tui.core.formatting import counted, percent
from tui.core.query import parse_query
from tui.core.text import one_line, value_label
from tui.errors import BatchdeckError
from tui.progress import Progress
from tui.store.history import EvaluationOptions
from tui.ui.commands.command_table import Scope, bindings
from tui.ui.dialogs.choose import Choice, SearchChoiceDialog
from tui.ui.dialogs.pick_file import PickFileDialog, start_folder
from tui.ui.models.evaluation import (
    GOLD_COLUMN,
    SCORES,
    Comparison,
    cell_query,
    head_parts,
    headings,
    likely_columns,
    table_rows,
    wrong_query,
)
from tui.ui.screens.report import ReportReader, ReportScreen
from tui.ui.session import Session
from tui.ui.text.tones import Part, content
from tui.ui.widgets.cell_table import CellTable
from tui.ui.widgets.key_footer import SteadyFooter

_FIRST_ANSWER = 1 + len(SCORES)
"""Index of the first column of the table that counts an answer."""

_OF_ANSWERS = (2, 3)
"""Indexes of the columns about all rows with one answer: how many, and their precision."""

_FILE = "file"

_KIND_WORDS: dict[str, str] = {
    ColumnKind.INPUT: "input column",
    ColumnKind.FIELD: "field of the answer",
    ColumnKind.DERIVED: "derived column",
    ColumnKind.JOINED: "answer of another job",
    ColumnKind.FACT: "fact of the row",
}


class EvaluationScreen(ReportScreen[Evaluation, str | None]):
    """Shows how well a column of a job agrees with the true values in another one.

    It is closed with the filter for the rows of a cell, or with ``None``.

    Args:
        session: The session.
        job_id: The id of the job.
        name: The name of the job.
        where: The filter whose rows are compared.
    """

    DEFAULT_CSS = """
    EvaluationScreen #evaluation-head { height: 2; padding: 0 1; }
    """
    SCOPE = Scope.EVALUATION
    BINDINGS: ClassVar[list[BindingType]] = bindings(Scope.EVALUATION)

    def __init__(self, session: Session, job_id: str, name: str, where: str = "") -> None:
        super().__init__()
        self._session = session
        self._job_id = job_id
        self._job_name = name
        self._columns: list[ColumnInfo] = []
        self.compared = Comparison(where=where)
        """What is compared."""
        self._title = Static("", id="evaluation-title", classes="report-line", markup=False)
        self._head = Static("", id="evaluation-head", markup=False)
        self._table = CellTable(id="evaluation-table")
        self._keys = Static("", id="evaluation-keys", classes="report-line", markup=False)
        self.reader = ReportReader(self, self._load, self._draw_head, self._show)

    def compose(self) -> ComposeResult:
        """The title, the scores, the table, a line about its cell, and the footer."""
        yield self._title
        yield self._head
        yield self._table
        yield self._keys
        yield SteadyFooter()

    def on_mount(self) -> None:
        """Find the columns, and start reading."""
        self._table.focus()
        self._find_columns()

    @work(group="columns", exit_on_error=False)
    async def _find_columns(self) -> None:
        self._columns = await self._session.engine.results.columns(self._job_id)
        gold, answer = likely_columns(self._columns)
        self.compared = self.compared.with_columns(gold=gold, answer=answer)
        self._draw_head()
        if gold:
            self.reader.read()
        else:
            self.action_gold()

    async def _load(self, progress: Progress) -> Evaluation:
        compared = self.compared
        return await self._session.engine.results.evaluate(
            self._job_id,
            compared.answer,
            compared.gold,
            parse_query(compared.where).rows,
            options=EvaluationOptions(normalise=compared.normalise),
            progress=progress,
            partial=self.reader.show_part,
        )

    async def _show(self, made: Evaluation) -> None:
        self._head.update(content(head_parts(self.compared, made)))
        self._table.show(headings(made), table_rows(made))

    def _draw_head(self) -> None:
        compared = self.compared
        parts: list[Part] = [(one_line(self._job_name, 40), "strong"), ("  ", "")]
        if self.reader.is_running:
            parts += self.reader.progress_parts("reading")
        else:
            parts += [
                ("true values ", "muted"),
                (one_line(compared.gold, 30) or "-", "accent"),
                ("  answer ", "muted"),
                (one_line(compared.answer, 30), "accent"),
            ]
            if compared.where:
                parts += [("  rows ", "muted"), (one_line(compared.where, 40), "")]
            report = self.reader.report
            if report is not None and not report.is_whole:
                parts.append((f"  first {report.rows:,} rows (stopped)", "warn"))
        self._title.update(content(parts), layout=False)

    # The cell under the cursor

    @on(CellTable.Moved)
    def _moved(self, event: CellTable.Moved) -> None:
        event.stop()
        made = self.reader.report
        if made is None or event.row >= len(made.confusion.headings):
            self._keys.update("")
            return
        gold, answer = _places(event.row, event.column)
        names = made.confusion.headings
        cells = made.confusion.cells
        rows = [
            n
            for row, line in enumerate(cells)
            for column, n in enumerate(line)
            if gold in (None, row) and answer in (None, column)
        ]
        words = " and ".join(
            f"{what} {value_label(names[place], 24)}"
            for what, place in (("true value", gold), ("answer", answer))
            if place is not None
        )
        share = percent(sum(rows), made.compared)
        parts: list[Part] = [("enter", "accent"), (f" {counted(sum(rows), 'row')}", "strong")]
        parts.append((f" with {words} ({share})", "muted"))
        self._keys.update(content(parts))

    @on(CellTable.Opened)
    def _opened(self, event: CellTable.Opened) -> None:
        event.stop()
        made = self.reader.report
        if made is None:
            return
        query = cell_query(self.compared, made, *_places(event.row, event.column))
        if query:
            self.dismiss(query)
        elif made.normalised:
            self.app.notify("Press w first: rows are found by their exact values", markup=False)
        else:
            self.app.notify("The value is too long for a filter", markup=False)

    # Commands

    def action_wrong(self) -> None:
        """Show the rows whose answer differs from gold."""
        if self.reader.report is not None and self.reader.report.compared:
            self.dismiss(wrong_query(self.compared))

    def action_normalise(self) -> None:
        """Ignore case, surrounding space and quotation marks, or not."""
        compared = self.compared
        self.compared = Comparison(
            compared.gold, compared.answer, compared.where, not compared.normalise
        )
        self.reader.read()

    @work(group="choose", exclusive=True, exit_on_error=False)
    async def action_gold(self) -> None:
        """Choose the column with the true values, or a file with them."""
        chosen = await self._choose(
            "Column with the true values",
            self.compared.gold,
            Choice(_FILE, "a file …", "a table with ids and true values"),
        )
        if chosen == _FILE:
            chosen = await self._gold_from_file()
        if chosen:
            self.compared = self.compared.with_columns(gold=chosen)
        if self.compared.gold:
            self.reader.read()
        else:
            self.dismiss(None)

    @work(group="choose", exclusive=True, exit_on_error=False)
    async def action_answer(self) -> None:
        """Choose the column that is evaluated."""
        chosen = await self._choose("Column to evaluate", self.compared.answer)
        if chosen:
            self.compared = self.compared.with_columns(answer=chosen)
            self.reader.read()

    async def _gold_from_file(self) -> str:
        """Make the values of a file a column of the job; empty if that was cancelled or failed."""
        results, state = self._session.engine.results, self._session.state
        path = await self.app.push_screen_wait(PickFileDialog(start_folder(state.folder)))
        if path is None:
            return ""
        try:
            names = await results.value_columns(path)
            column: str | None = names[0]
            if len(names) > 1:
                choices = [Choice(name, name) for name in names]
                dialog = SearchChoiceDialog("Column with the true values", choices)
                column = await self.app.push_screen_wait(dialog)
            if column is None:
                return ""
            name = GOLD_COLUMN.removeprefix(DERIVED_PREFIX)
            counts = await results.add_table_column(self._job_id, name, path, column)
            self._columns = await results.columns(self._job_id)
        except BatchdeckError as error:
            text = f"{error.message}. {error.hint}"
            self.app.notify(text, markup=False, severity="error", timeout=10)
            return ""
        text = f"{GOLD_COLUMN}: {counted(counts.rows, 'row')} with a true value"
        if counts.unknown:
            text += f"; {counted(counts.unknown, 'id')} not in this job"
        if counts.repeated:
            text += f"; {counted(counts.repeated, 'id')} repeated"
        self.app.notify(text, markup=False)
        return GOLD_COLUMN

    async def _choose(self, title: str, chosen: str, *more: Choice) -> str | None:
        order = list(_KIND_WORDS)
        listed = sorted(self._columns, key=lambda info: order.index(info.kind))
        columns = [Choice(info.column, info.column, _KIND_WORDS[info.kind]) for info in listed]
        choices = [*more, *columns]
        return await self.app.push_screen_wait(SearchChoiceDialog(title, choices, chosen=chosen))


def _places(row: int, column: int) -> tuple[int | None, int | None]:
    """Row and column of the confusion matrix for a cell; ``None`` for all of them."""
    if column >= _FIRST_ANSWER:
        return row, column - _FIRST_ANSWER
    return (None, row) if column in _OF_ANSWERS else (row, None)
