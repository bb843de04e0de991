"""Several jobs over the same rows: figures of each, and how they agree; a cell opens its rows."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import msgspec
from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.timer import Timer
from textual.widgets import Static

from tui.core.analysis.columns import ANSWER
from tui.core.analysis.experiment import ExperimentReport, short_names
from tui.core.analysis.facets import ColumnInfo
from tui.core.text import one_line
from tui.engine.experiments.matrix import MatrixOptions
from tui.errors import UnknownJobError
from tui.progress import Progress
from tui.ui.commands.command_table import Scope, bindings
from tui.ui.dialogs.choose import Choice, SearchChoiceDialog
from tui.ui.engine_updates import JobsChanged
from tui.ui.models.evaluation import likely_columns
from tui.ui.models.experiment import (
    Figure,
    cell_parts,
    head_parts,
    headings,
    shown_figures,
    table_rows,
)
from tui.ui.screens.compare import CompareScreen
from tui.ui.screens.report import ReportReader, ReportScreen
from tui.ui.session import Session
from tui.ui.text.tones import Part, content
from tui.ui.widgets.cell_table import CellTable
from tui.ui.widgets.key_footer import SteadyFooter

_PAUSE_SECONDS, _PAUSE_SHARE = 1.0, 4.0
"""Between two readings of jobs whose results arrive: seconds, and times the last reading."""

_NO_GOLD = " "
"""The choice of no true values."""


@dataclass(frozen=True)
class ShownJob:
    """A job of the screen."""

    id: str
    name: str


class ExperimentScreen(ReportScreen[ExperimentReport, str | None]):
    """A line for each job: failures, accuracy, score, cost, tokens, agreement with the others.

    It is closed with the id of the job whose rows are wanted, or with ``None``.

    Args:
        session: The session.
        jobs: The jobs.
        name: The name of their experiment; empty for other jobs.
    """

    SCOPE = Scope.EXPERIMENT
    BINDINGS: ClassVar[list[BindingType]] = bindings(Scope.EXPERIMENT)

    def __init__(self, session: Session, jobs: Sequence[ShownJob], name: str = "") -> None:
        super().__init__()
        self._session = session
        self._jobs = jobs
        self._experiment = name
        self._labels = short_names(name, [job.name for job in jobs])
        self._columns: list[ColumnInfo] = []
        self._figures: list[Figure] = []
        self._shown_state: list[object] = []
        self._started = self._seconds = 0.0
        self._again: Timer | None = None
        self.options = MatrixOptions()
        """What is measured."""
        self._title = Static("", id="experiment-title", classes="report-line", markup=False)
        self._head = Static("", id="experiment-head", classes="report-line", markup=False)
        self._table = CellTable(id="experiment-table")
        self._cell = Static("", id="experiment-cell", classes="report-line", markup=False)
        self.reader = ReportReader(self, self._load, self._draw_head, self._show)

    def compose(self) -> ComposeResult:
        """The title, the rows in common, the table, a line about its cell, and the footer."""
        yield self._title
        yield self._head
        yield self._table
        yield self._cell
        yield SteadyFooter()

    def on_mount(self) -> None:
        """Find the columns, and start reading."""
        self._table.focus()
        self._find_columns()

    @work(group="columns", exit_on_error=False)
    async def _find_columns(self) -> None:
        """Compare a field that looks like a label, with the input column of the same name."""
        self._columns = await self._session.engine.results.columns(self._jobs[0].id)
        gold, answer = likely_columns(self._columns)
        self._measure(gold=gold, column="" if answer == ANSWER else answer)

    def _measure(self, *, gold: str | None = None, column: str | None = None) -> None:
        options = self.options
        if column is not None:
            compare = msgspec.structs.replace(options.compare, column=column)
            options = msgspec.structs.replace(options, compare=compare)
        if gold is not None:
            options = msgspec.structs.replace(options, gold=gold)
        self.options = options
        self._read()

    def _read(self) -> None:
        self._shown_state, self._started = self._state(), time.monotonic()
        self.reader.read()

    def _state(self) -> list[object]:
        """What changes whenever results of one of the jobs arrive; empty if one was deleted."""
        jobs = self._session.engine.history.jobs
        try:
            return [(job.counts, job.status) for job in (jobs.get(one.id) for one in self._jobs)]
        except UnknownJobError:
            return []

    @on(JobsChanged)
    def _read_again_later(self) -> None:
        """Read changed jobs again, but for a part of the time only; what is shown stays."""
        state = self._state()
        if self._again is None and state and state != self._shown_state:
            pause = max(_PAUSE_SECONDS, _PAUSE_SHARE * self._seconds)
            self._again = self.set_timer(pause, self._read_again)

    def _read_again(self) -> None:
        self._again = None
        if not self.reader.is_running:
            self._read()

    async def _load(self, progress: Progress) -> ExperimentReport:
        ids = [job.id for job in self._jobs]
        experiments = self._session.engine.experiments
        return (await experiments.compare(ids, self.options, progress=progress))[0]

    async def _show(self, made: ExperimentReport) -> None:
        self._figures = shown_figures(made)
        self._head.update(content(head_parts(made)))
        self._table.show(
            headings(self._figures, len(self._jobs)),
            table_rows(made, self._labels, self._figures),
        )
        self._seconds = time.monotonic() - self._started
        # Results may have arrived while it was read.
        self._read_again_later()

    def _draw_head(self) -> None:
        parts: list[Part] = [
            (one_line(self._experiment, 40) or f"{len(self._jobs)} jobs", "strong"),
            ("  ", ""),
        ]
        if self.reader.is_running:
            parts += self.reader.progress_parts("comparing")
        else:
            column = self.options.compare.column
            parts += [("answer ", "muted"), (one_line(column or ANSWER, 30), "accent")]
            if self.options.gold:
                parts += [("  true values ", "muted"), (one_line(self.options.gold, 30), "accent")]
        self._title.update(content(parts), layout=False)

    # The cell under the cursor

    @on(CellTable.Moved)
    def _moved(self, event: CellTable.Moved) -> None:
        event.stop()
        made = self.reader.report
        if made is not None:
            parts = cell_parts(made, self._labels, self._figures, event.row, event.column)
            self._cell.update(content(parts))

    @on(CellTable.Opened)
    def _opened(self, event: CellTable.Opened) -> None:
        event.stop()
        if self.reader.report is None:
            return
        other = event.column - 1 - len(self._figures)
        if other < 0 or other == event.row:
            self.dismiss(self._jobs[event.row].id)
        else:
            self._compare(sorted((event.row, other)))

    def _compare(self, places: Sequence[int]) -> None:
        ids = [self._jobs[place].id for place in places]
        names = [self._labels[place] for place in places]
        self.app.push_screen(CompareScreen(self._session, ids, self.options.compare, names))

    # Commands

    def action_rows(self) -> None:
        """Show the rows of all jobs side by side, those that differ first."""
        self._compare(range(len(self._jobs)))

    def action_reload(self) -> None:
        """Read the jobs again, as far as they are."""
        self._read()

    @work(group="choose", exclusive=True, exit_on_error=False)
    async def action_column(self) -> None:
        """Choose the column that is compared."""
        now = self.options.compare.column or ANSWER
        chosen = await self._choose("Column to compare", now, [])
        if chosen:
            self._measure(column="" if chosen == ANSWER else chosen)

    @work(group="choose", exclusive=True, exit_on_error=False)
    async def action_truth(self) -> None:
        """Choose the column with the true values."""
        none = Choice(_NO_GOLD, "(none)", "no true values")
        chosen = await self._choose("Column with the true values", self.options.gold, [none])
        if chosen:
            self._measure(gold=chosen.strip())

    async def _choose(self, title: str, chosen: str, first: list[Choice]) -> str | None:
        choices = [Choice(info.column, info.column, info.help) for info in self._columns]
        dialog = SearchChoiceDialog(title, [*first, *choices], chosen=chosen)
        return await self.app.push_screen_wait(dialog)
