"""The values of a job's columns: how often each occurs, to filter the rows by."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import partial

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import Static

from tui.core import formatting
from tui.core.analysis.columns import DERIVED_PREFIX, FIELD_PREFIX, INPUT_PREFIX
from tui.core.analysis.facets import ColumnInfo, Facet, Numbers
from tui.core.jobs import Job
from tui.core.text import one_line, value_label
from tui.errors import BatchdeckError
from tui.progress import Progress
from tui.ui.commands.command_table import Scope, bindings
from tui.ui.commands.dispatch import CommandTarget
from tui.ui.models.row_search import FacetAnswer, RowQuery
from tui.ui.screens.pivot import PivotScreen, column_dialog
from tui.ui.session import Session
from tui.ui.text.tones import Part, content
from tui.ui.widgets.key_footer import SteadyFooter
from tui.ui.widgets.table.model import Cells, Column, ListSource
from tui.ui.widgets.table.table import VirtualTable

COLUMN_COLUMNS = (
    Column("name", "Column", 12, flex=3),
    Column("filled", "Filled", 6, align="right"),
    Column("distinct", "Values", 8, align="right", drop=1, from_width=34),
    Column("type", "Type", 9, drop=2, from_width=44),
    Column("median", "Median", 9, align="right", drop=4, from_width=62),
    Column("commonest", "Most frequent", 14, flex=2, drop=3, from_width=62),
)

VALUE_COLUMNS = (
    Column("value", "Value", 14, flex=1),
    Column("rows", "Rows", 9, align="right"),
    Column("share", "Share", 5, align="right"),
    Column("bar", "", 10, flex=1, drop=1, from_width=44),
)

READ_DELAY = 0.08
"""Seconds without a cursor move before a column is counted."""

_REDRAW_SECONDS = 0.1
_WIDE = 150
"""Screen width from which bars are longer, and the quartiles fit on the line."""

_BAR_CELLS, _WIDE_BAR_CELLS = 10, 40

_BLOCKS = " ▁▂▃▄▅▆▇█"
_EIGHTHS = " ▏▎▍▌▋▊▉█"


@dataclass(frozen=True)
class Entry:
    """A line of the values: one value, a range of numbers, rows without a value, or the rest."""

    label: str
    rows: int
    value: str | None = None
    range: str = ""
    is_rest: bool = False

    @property
    def id(self) -> Hashable:
        """What tells it from the other lines."""
        return (self.value, self.range, self.is_rest)


class FacetScreen(CommandTarget, Screen[FacetAnswer]):
    """The columns of a job on the left, the values of the chosen one on the right.

    Counts are those of the rows that the filter selects, without its conditions on the column
    itself, so that other values of the column can be chosen.

    Args:
        session: The session.
        job: The job.
        query: The filter of the rows.
        column: The column to start with; empty for the first field of the answers.
    """

    DEFAULT_CSS = """
    FacetScreen #facet-head {
        height: 1; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis;
    }
    FacetScreen #facet-columns { width: 2fr; height: 1fr; }
    FacetScreen #facet-side { width: 3fr; padding-left: 1; }
    FacetScreen #facet-values { height: 1fr; }
    FacetScreen #facet-numbers { height: auto; padding: 0 1; }
    """
    SCOPE = Scope.FACETS
    BINDINGS = bindings(Scope.FACETS)

    def __init__(self, session: Session, job: Job, query: RowQuery, column: str) -> None:
        super().__init__()
        self._session = session
        self._job = job
        self._query = query
        self._column = column
        self._infos: list[ColumnInfo] = []
        self._facets: dict[str, Facet] = {}
        self._progress = Progress()
        self.is_counting = False
        """Whether rows are being counted."""
        self.facet: Facet | None = None
        """The values shown."""
        self._read_timer: Timer | None = None
        self._head = Static("", id="facet-head", markup=False)
        self._columns = VirtualTable(COLUMN_COLUMNS, id="facet-columns")
        self._values = VirtualTable(VALUE_COLUMNS, markable=True, id="facet-values")
        self._values.placeholder = (("Counting …", "muted"),)
        self._numbers = Static("", id="facet-numbers", markup=False)

    def compose(self) -> ComposeResult:
        """The head, the columns, the values, the numbers and the footer."""
        yield self._head
        with Horizontal():
            yield self._columns
            with Vertical(id="facet-side"):
                yield self._values
                yield self._numbers
        yield SteadyFooter()

    def on_mount(self) -> None:
        """Find the columns, and count the first one."""
        self._values.focus()
        self.set_interval(_REDRAW_SECONDS, self._draw_head)
        self._draw_head()
        self._find_columns()

    def on_unmount(self) -> None:
        """Stop counting."""
        self._progress.stop()

    # Counting

    @work(group="columns", exit_on_error=False)
    async def _find_columns(self) -> None:
        try:
            self._infos = await self._session.engine.results.columns(self._job.id)
        except BatchdeckError as error:
            self._fail(error)
            return
        self._infos.sort(key=_importance)
        names = [info.column for info in self._infos]
        if self._column not in names:
            self._column = names[0]
        self._show_columns()
        self._columns.move_to(names.index(self._column))
        self._count(self._column)

    @work(group="facet", exclusive=True, exit_on_error=False)
    async def _count(self, column: str) -> None:
        self._progress.stop()
        progress = self._progress = Progress()
        self.is_counting = True
        rows = self._query.without_column(column).rows
        results = self._session.engine.results
        try:
            (facet,) = await results.facets(
                self._job.id, [column], rows, progress=progress, partial=self._show_partial
            )
            self._show_facet(facet)
            if len(self._facets) < len(self._infos):
                # The other columns, for the overview on the left.
                found = await results.facets(
                    self._job.id,
                    [info.column for info in self._infos],
                    self._query.rows,
                    progress=progress,
                )
                if not progress.stopped:
                    self._facets = {facet.column: facet for facet in found}
                    self._show_columns()
        except BatchdeckError as error:
            if progress is self._progress:
                self._fail(error)
        finally:
            if progress is self._progress:
                self.is_counting = False
                self._draw_head()

    def _fail(self, error: BatchdeckError) -> None:
        self.app.notify(error.message, markup=False, severity="error")
        self._leave()

    def _show_partial(self, facets: list[Facet]) -> None:
        self._show_facet(facets[0])

    def _show_facet(self, facet: Facet) -> None:
        """Show the values of the column, if it is still the chosen one."""
        if facet.column != self._column or not self.is_attached:
            return
        self.facet = facet
        if facet.is_whole:
            self._values.placeholder = (("No row has a value in this column.", "muted"),)
        entries = facet_entries(facet)
        highest = max([entry.rows for entry in entries], default=1)
        bar = _BAR_CELLS if self.size.width < _WIDE else _WIDE_BAR_CELLS
        cells = partial(_value_cells, facet.rows, highest, bar)
        self._values.set_source(ListSource(entries, cells, lambda entry: entry.id))
        parts = _number_parts(facet.numbers, self.size.width)
        if facet.failed:
            rows = formatting.counted(facet.failed, "row")
            start = "\n" if parts else ""
            parts.append((f"{start}{rows} failed: {one_line(facet.problem, 100)}", "warn"))
        self._numbers.update(content(parts))
        self._draw_head()

    # Drawing

    def _draw_head(self) -> None:
        parts: list[Part] = [(one_line(self._job.name, 30), "strong")]
        where = self._query.without_column(self._column).where
        if self.facet is not None and self.facet.column == self._column:
            parts.append((f" · {formatting.counted(self.facet.rows, 'row')}", "muted"))
        parts.append((f" · {one_line(where, 60)}" if where else " · all rows", "muted"))
        if self.is_counting:
            done, total = self._progress.done, self._progress.total
            words = f"counting {done:,} of {total:,} rows" if total else "counting"
            parts.append((f" · {words}", "live"))
        if self._values.marked:
            parts.append((f" · {formatting.counted(self._values.marked, 'value')} marked", "warn"))
        self._head.update(content(parts), layout=False)

    def _show_columns(self) -> None:
        self._columns.set_source(
            ListSource(self._infos, self._column_cells, lambda info: info.column)
        )

    def _column_cells(self, info: ColumnInfo) -> Cells:
        facet = self._facets.get(info.column)
        name = one_line(info.column, 60)
        if facet is None:
            share = "" if info.filled is None else formatting.percent(info.filled)
            return (name, ((share, "muted"),), "", "", "", "")
        most = facet.values[0] if facet.values else None
        more = "" if facet.is_exact else ">"
        return (
            name,
            formatting.percent(facet.filled, facet.rows),
            f"{more}{formatting.short_number(facet.distinct)}",
            (("/".join(facet.types), "muted"),),
            "" if facet.numbers is None else formatting.plain_number(facet.numbers.median),
            "" if most is None else one_line(most.value, 40),
        )

    @on(VirtualTable.CursorMoved, "#facet-columns")
    def _column_moved(self) -> None:
        column = self._columns.cursor_id
        if not isinstance(column, str) or column == self._column:
            return
        self._column = column
        self._values.clear_marks()
        self._values.placeholder = (("Counting …", "muted"),)
        if column in self._facets and not self._query.where:
            self._show_facet(self._facets[column])
            return
        if self._read_timer is not None:
            self._read_timer.stop()
        self._read_timer = self.set_timer(READ_DELAY, lambda: self._count(column))

    @on(VirtualTable.MarksChanged, "#facet-values")
    def _marks_changed(self) -> None:
        self._draw_head()

    @on(VirtualTable.Opened, "#facet-columns")
    def _column_opened(self) -> None:
        self._values.focus()

    @on(VirtualTable.Opened, "#facet-values")
    def _value_opened(self) -> None:
        self._answer()

    # Commands

    def _chosen(self) -> list[Entry]:
        """The marked lines, else the one under the cursor."""
        source = self._values.source
        entries: Sequence[Entry] = source.items if isinstance(source, ListSource) else ()
        marked = [entry for entry in entries if entry.id in self._values.marks]
        return marked or [entry for entry in entries if entry.id == self._values.cursor_id]

    def _answer(self, command: str = "", *, negated: bool = False) -> None:
        chosen = self._chosen()
        ranges = [entry.range for entry in chosen if entry.range]
        if not chosen:
            self.notify("No value is chosen.", markup=False, timeout=3)
        elif any(entry.is_rest for entry in chosen):
            self.notify("Choose values that are listed.", markup=False, timeout=3)
        elif ranges and (negated or len(chosen) > 1):
            self.notify("Choose one range of numbers.", markup=False, timeout=3)
        elif ranges:
            self._leave(self._query.with_range(self._column, ranges[0]), command)
        else:
            values = [entry.value for entry in chosen]
            query = self._query.with_values(self._column, values, negated=negated)
            self._leave(query, command)

    def _leave(self, query: RowQuery | None = None, command: str = "", *, column: str = "") -> None:
        self.dismiss(FacetAnswer(query, command, column, counted=self._column))

    def action_leave(self) -> None:
        """Go back without a change."""
        self._leave()

    def action_exclude(self) -> None:
        """Leave out the rows with the chosen values."""
        self._answer(negated=True)

    def action_retry_values(self) -> None:
        """Filter by the chosen values, and retry their rows."""
        self._answer("retry")

    def action_review_values(self) -> None:
        """Filter by the chosen values, and review their answers."""
        self._answer("review")

    def action_export_values(self) -> None:
        """Filter by the chosen values, and export their rows."""
        self._answer("export")

    @work(group="pivot", exit_on_error=False)
    async def action_pivot(self) -> None:
        """Count the rows by this column and a second one, and filter by a cell."""
        down = self._column
        dialog = column_dialog(f"{one_line(down, 40)} by which column?", self._infos, (down,))
        across = await self.app.push_screen_wait(dialog)
        if across is None:
            return
        screen = PivotScreen(self._session, self._job, self._query, self._infos, down, across)
        query = await self.app.push_screen_wait(screen)
        if query is not None:
            self._leave(query)

    def action_show_column(self) -> None:
        """Show the column in the table of rows."""
        self._leave(column=self._column)


def _importance(info: ColumnInfo) -> int:
    """Fields of the answers first, then input columns, then facts of the rows."""
    if info.column.startswith((FIELD_PREFIX, DERIVED_PREFIX)):
        return 0
    return 1 if info.column.startswith(INPUT_PREFIX) else 2


def facet_entries(facet: Facet) -> list[Entry]:
    """The lines of a facet; their rows together are those of the facet."""
    ranges = facet.ranges
    last = len(ranges) - 1
    entries = [
        Entry(
            f"{formatting.plain_number(one.low)} – {formatting.plain_number(one.high)}",
            one.rows,
            range=f">={one.low!r},{'<=' if place == last else '<'}{one.high!r}",
        )
        for place, one in enumerate(ranges)
    ]
    entries += (
        Entry(value_label(one.value, 300), one.rows, one.value) for one in facet.shown_values
    )
    if rest := facet.rest():
        entries.append(Entry(facet.rest_name(), rest, is_rest=True))
    if facet.missing:
        entries.append(Entry("(no value)", facet.missing))
    return entries


def _value_cells(total: int, highest: int, cells: int, entry: Entry) -> Cells:
    is_value = entry.value is not None or bool(entry.range)
    return (
        ((entry.label, "" if is_value else "muted"),),
        f"{entry.rows:,}",
        ((formatting.percent(entry.rows, total), "muted"),),
        ((_bar(entry.rows, highest, cells), "accent"),),
    )


def _bar(rows: int, highest: int, cells: int) -> str:
    eighths = math.ceil(8 * cells * rows / max(1, highest))
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def _number_parts(numbers: Numbers | None, width: int) -> list[Part]:
    """The distribution of the numbers on one or two lines."""
    if numbers is None:
        return []
    plain = formatting.plain_number
    highest = max(one.rows for one in numbers.bins)
    bars = "".join(_BLOCKS[math.ceil(8 * one.rows / highest)] for one in numbers.bins)
    parts: list[Part] = [
        (plain(numbers.minimum) + " ", "muted"),
        (bars, "accent"),
        (" " + plain(numbers.maximum), "muted"),
        (f"   median\u00a0{plain(numbers.median)} · mean\u00a0{plain(numbers.mean)}", ""),
    ]
    if width >= _WIDE:
        low, high = plain(numbers.lower_quartile), plain(numbers.upper_quartile)
        parts.append((f" · middle half {low} to {high}", "muted"))
    return parts
