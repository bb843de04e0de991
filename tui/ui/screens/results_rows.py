"""The rows of a job in a table, as a query and a person's arrangement want them."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import msgspec
from textual import events, on
from textual.containers import Vertical

from tui.core.filtering import RowSelection, RowSort
from tui.core.jobs import Job
from tui.errors import BatchdeckError
from tui.ui.rowquery import RowQuery
from tui.ui.screens.rowsearch import Question, RowSearch
from tui.ui.state import RowsAsked, State, TableLook
from tui.ui.targets import CommandTarget
from tui.ui.tones import Part
from tui.ui.widgets.chip_bar import Chip, ChipBar
from tui.ui.widgets.error_groups import ErrorGroups
from tui.ui.widgets.filter_line import FilterLine
from tui.ui.widgets.query_hint import QueryHint
from tui.ui.widgets.query_line import QueryLine
from tui.ui.widgets.row_columns import ROW_COLUMNS
from tui.ui.widgets.row_source import NoInputs, RowSource
from tui.ui.widgets.virtual_table import VirtualTable

if TYPE_CHECKING:
    from tui.engine.engine import Engine
    from tui.store.inputs import InputColumns
    from tui.ui.app import BatchdeckApp

_MARKS = -1
"""The chip of the marks, which are no condition."""


class ResultsRows(CommandTarget, Vertical):
    """Groups of errors, a filter line and a table that show the same rows."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._engine: Engine | None = None
        self._job: Job | None = None
        self._query = RowQuery()
        self._note = ""
        self._inputs: InputColumns | NoInputs = NoInputs()
        self._search = RowSearch(self, self._rows_found, self._tell, self._search_failed)
        self._groups = ErrorGroups(id="error-groups")
        self._filter = QueryLine("outcome:failed code:429 or words to look for", id="row-filter")
        self._hint = QueryHint(id="row-hint")
        self._rows = VirtualTable(ROW_COLUMNS, markable=True, resizable=True, id="rows")
        self._rows.placeholder = (("No row fits.  ", "muted"), ("esc", "accent"), _SHOWS_ALL)

    @property
    def job_id(self) -> str | None:
        """The job shown."""
        return self._job.id if self._job is not None else None

    @property
    def rows_table(self) -> VirtualTable:
        """The table of rows."""
        return self._rows

    @property
    def where(self) -> str:
        """The query that is on."""
        return self._query.where

    @property
    def state(self) -> State:
        """What is remembered from one run to the next."""
        return cast("BatchdeckApp", self.app).state

    @property
    def look(self) -> TableLook:
        """How the table is arranged for this kind of job."""
        kind = self._job.endpoint if self._job is not None else ""
        return self.state.looks.get(kind) or TableLook()

    def _read_row(self) -> None:
        """Another row may be under the cursor."""

    def _draw_filter(self) -> None:
        if self._job is None:
            return
        labels = self._query.labels(self._groups.words_of)
        chips = [Chip(index, label) for index, label in enumerate(labels)]
        if self._rows.marked:
            chips.append(Chip(_MARKS, f"{self._rows.marked:,} marked", "warn"))
        hint: list[Part] = [("All rows", "muted")]
        if chips:
            what = " shows all" if labels else " takes the marks away"
            hint = [("  esc", "accent"), (what, "muted")]
        self._filter.show_chips(chips, hint)
        self._draw_count()

    def _draw_count(self) -> None:
        if self._job is not None:
            self._filter.show_count(self._rows.row_count, self._job.counts.total, self._note)

    def _ask_for(self, query: RowQuery) -> None:
        """Look at other rows, or in another order."""
        if query.rows != self._query.rows and self._rows.marks.inverted:
            # "All but these" would mean other rows now.
            self._rows.clear_marks()
        self._query = query
        self._filter.restore(query.where)
        self._hint.hush()
        self._rows.show_sort(query.sort.column, descending=query.sort.descending)
        self._groups.choose(query.group)
        self._draw_filter()
        self._select()

    def _select(self) -> None:
        if self._job is not None and self._engine is not None:
            self._search.ask(self._engine, Question(self._job.id, self._query))

    def _rows_found(self, selection: RowSelection, whole: bool) -> None:
        if not whole and self._search.is_running:
            self._note = "looking"
        self._show_rows(selection)

    def _tell(self, note: str) -> None:
        self._note = note
        self._draw_count()

    def _search_failed(self, error: BatchdeckError) -> None:
        self._tell("")
        self._hint.complain(f"{error.message}. {error.hint}" if error.hint else error.message)

    def _show_rows(self, selection: RowSelection, *, keep_cursor: bool = True) -> None:
        if self._job is None or self._engine is None:
            return
        source = RowSource(
            self._engine.history,
            self._job.id,
            selection,
            ascending=self._query.sort == RowSort(),
            columns=self._rows.columns,
            inputs=self._inputs,
        )
        self._rows.set_source(source, keep_cursor=keep_cursor)
        self._draw_filter()
        self._read_row()

    @on(VirtualTable.MarksChanged, "#rows")
    def _marks_changed(self) -> None:
        self._draw_filter()
        self.update_commands()

    @on(VirtualTable.Opened, "#error-groups")
    def _group_opened(self, event: VirtualTable.Opened) -> None:
        self._ask_for(self._query.toggled_group(str(event.row_id)))
        self._rows.focus()

    @on(VirtualTable.SortRequested, "#rows")
    def _sort_requested(self, event: VirtualTable.SortRequested) -> None:
        query = self._query.sorted_by(event.column)
        self.note_look(sort=query.sort.column, descending=query.sort.descending)
        self._ask_for(query)

    @on(VirtualTable.ColumnResized, "#rows")
    def _column_resized(self, event: VirtualTable.ColumnResized) -> None:
        self.note_look(widths=self.look.widths | {event.column: event.width})

    def remember(self) -> None:
        """Note which rows of the job are looked at, for the next time it is opened."""
        if self._job is None:
            return
        asked = RowsAsked(self._query.where, self._query.sort.column, self._query.sort.descending)
        usual = RowsAsked("", self.look.sort, self.look.descending)
        self.state.note_rows(self._job.id, None if asked == usual else asked)

    def note_look(self, **changes: object) -> None:
        """Remember how the table is arranged for this kind of job."""
        if self._job is not None:
            look = msgspec.structs.replace(self.look, **changes)
            self.state.looks[self._job.endpoint] = look

    @on(FilterLine.Changed, "#row-filter")
    def _text_changed(self, event: FilterLine.Changed) -> None:
        query = self._query.asking(event.text)
        if self._job is not None and query.where != self._query.where:
            before = self._query
            self._query = query
            if query.rows != before.rows:
                if self._rows.marks.inverted:
                    self._rows.clear_marks()
                self._groups.choose(query.group)
                self._select()
            self._draw_filter()

    @on(QueryLine.Edited)
    def _being_edited(self) -> None:
        if self._filter.is_editing:
            self._hint.teach(self._filter.typed)

    @on(FilterLine.Left, "#row-filter")
    def _filter_left(self) -> None:
        self._filter.recollect([self._query.where])
        self._hint.hush()
        self._draw_filter()
        self._rows.focus()

    @on(ChipBar.Removed)
    def _chip_removed(self, event: ChipBar.Removed) -> None:
        event.stop()
        if event.key == _MARKS:
            self._rows.clear_marks()
        else:
            self._ask_for(self._query.without(event.key))

    @on(events.DescendantBlur)
    def _filter_blurred(self) -> None:
        if self._filter.is_editing and not self._filter.has_focus_within:
            self._filter.keep()
            self._hint.hush()


_SHOWS_ALL: Part = (" shows all", "muted")
