"""The table of a job's rows, with the user's query, order, columns and widths."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import msgspec
from textual import on
from textual.message import Message

from tui.core.jobs import Job
from tui.core.query import RowSelection, RowSort, SortColumn
from tui.errors import BatchdeckError
from tui.ui.commands.dispatch import ShowsWorkerErrors
from tui.ui.dialogs.settings import ColumnsDialog
from tui.ui.models.row_search import RowQuery, RowSearch, SearchRequest
from tui.ui.session import Session
from tui.ui.state import RowViewState, TableLayout
from tui.ui.widgets import row_columns
from tui.ui.widgets.table.model import EmptySource
from tui.ui.widgets.table.table import VirtualTable

if TYPE_CHECKING:
    from tui.store.history import InputColumns


class RowTable(ShowsWorkerErrors, VirtualTable):
    """The rows of one job that match a query.

    Args:
        session: The session.
        id: The id of the widget.
    """

    @dataclass
    class Changed(Message):
        """Other rows are shown (``rows``), or only the note about the search changed."""

        rows: bool

    @dataclass
    class SearchFailed(Message):
        """A search ended with an error."""

        error: BatchdeckError

    def __init__(self, session: Session, *, id: str | None = None) -> None:
        super().__init__(row_columns.ROW_COLUMNS, markable=True, resizable=True, id=id)
        self.placeholder = (
            ("No matching rows.  ", "muted"),
            ("esc", "accent"),
            (" show all", "muted"),
        )
        self.session = session
        self.job: Job | None = None
        """The job shown."""
        self.asked = RowQuery()
        """The query and order."""
        self.note = ""
        """What the search is doing: ``searching``, ``stopped`` or empty."""
        self._inputs: InputColumns | row_columns.NoInputColumns = row_columns.NoInputColumns()
        self._search = RowSearch(self, self._found, self._show_note, self._failed)

    @property
    def look(self) -> TableLayout:
        """The configuration of the table for jobs with this endpoint."""
        kind = self.job.endpoint if self.job is not None else ""
        return self.session.state.looks.get(kind) or TableLayout()

    def _note_look(self, **changes: object) -> None:
        if self.job is not None:
            look = msgspec.structs.replace(self.look, **changes)
            self.session.state.looks[self.job.endpoint] = look

    def open_job(self, job: Job) -> bool:
        """Show the rows of a job from the first one, with its last query and order.

        Returns:
            Whether it is still there.
        """
        inputs = self.session.read_job(job.id, lambda history: history.rows.inputs(job.id), None)
        if inputs is None:
            return False
        self.job = job
        self._inputs = inputs
        look = self.look
        self.set_columns(row_columns.configured_columns(look, self._inputs.columns))
        last = self.session.state.rows.get(job.id) or RowViewState("", look.sort, look.descending)
        sort = RowSort(column=cast(SortColumn, last.sort), descending=last.descending)
        self.asked = RowQuery(last.where, sort)
        self.show_sort(sort.column, descending=sort.descending)
        total = job.counts.total
        self._show(RowSelection(seqs=range(total), total=total), keep_cursor=False)
        if not self.asked.is_plain:
            self.select()
        return True

    def close_job(self) -> None:
        """Remember query and order, and show nothing."""
        self.remember()
        self._search.reset()
        self._inputs.close()
        self._inputs = row_columns.NoInputColumns()
        self.note = ""
        self.clear_marks()
        self.job = None
        self.set_source(EmptySource())

    def remember(self) -> None:
        """Save the query and order of this job to the state."""
        if self.job is None:
            return
        sort = self.asked.sort
        now = RowViewState(self.asked.where, sort.column, sort.descending)
        usual = RowViewState("", self.look.sort, self.look.descending)
        self.session.state.remember_rows(self.job.id, None if now == usual else now)

    # Query

    def ask(self, query: RowQuery, *, again: bool = True) -> None:
        """Apply another query; without ``again`` only if it selects other rows."""
        other = query.rows != self.asked.rows
        if other and self.marks.inverted:
            # Inverted marks would refer to other rows now.
            self.clear_marks()
        self.asked = query
        self.show_sort(query.sort.column, descending=query.sort.descending)
        if other or again:
            self.select()

    def select(self) -> None:
        """Search for the rows of the query."""
        if self.job is not None:
            self._search.start(self.session.engine, SearchRequest(self.job.id, self.asked))

    def stop_search(self) -> bool:
        """Stop the search; ``False`` if none is running."""
        if not self._search.stop():
            return False
        self._show_note("stopped")
        return True

    def reload(self) -> None:
        """Read the rows again after the engine changed them."""
        self.refresh_rows()
        if not self.asked.is_plain:
            self._search.search_again()

    def _found(self, selection: RowSelection, whole: bool) -> None:
        if not whole and self._search.is_running:
            self.note = "searching"
        self._show(selection)

    def _show_note(self, note: str) -> None:
        self.note = note
        self.post_message(self.Changed(rows=False))

    def _failed(self, error: BatchdeckError) -> None:
        self._show_note("")
        self.post_message(self.SearchFailed(error))

    def _show(self, selection: RowSelection, *, keep_cursor: bool = True) -> None:
        if self.job is None:
            return
        source = row_columns.RowSource(
            self.session.engine.history,
            self.job.id,
            selection,
            ascending=self.asked.sort == RowSort(),
            columns=self.columns,
            inputs=self._inputs,
        )
        self.set_source(source, keep_cursor=keep_cursor)
        self.post_message(self.Changed(rows=True))

    # Marked rows and rows shown

    async def marked_rows(self) -> list[int]:
        """The marked rows, in the order of the job or as shown."""
        marks, source = self.marks, self.source
        if not marks.inverted or not isinstance(source, row_columns.RowSource):
            return sorted(seq for seq in marks.named if isinstance(seq, int))
        # May be a million rows, so not on the event loop.
        named, seqs = set(marks.named), source.selection.seqs
        return await asyncio.to_thread(lambda: [seq for seq in seqs if seq not in named])

    def export(self) -> None:
        """Export rows: all, those shown, or those marked."""
        if (sets := self._row_sets()) is not None and self.job is not None:
            self.session.tasks.export(self.job.id, *sets)

    def review(self) -> None:
        """Review answers: all, those shown, or those marked."""
        if (sets := self._row_sets()) is not None and self.job is not None:
            self.session.tasks.review(self.job.id, *sets)

    def _row_sets(self) -> tuple[Sequence[int] | None, Sequence[int] | None] | None:
        """The rows shown and the marked rows, each ``None`` if there is no such choice."""
        if not isinstance(self.source, row_columns.RowSource):
            return None
        seqs, marks = self.source.selection.seqs, self.marks
        # In display order; all rows in input order count as "all".
        shown = None if isinstance(seqs, range) and seqs.step == 1 else seqs
        marked = None
        if self.marked and shown is None and not marks.inverted:
            # Fast path: no need to iterate over all rows.
            marked = array("q", sorted(seq for seq in marks.named if isinstance(seq, int)))
        elif self.marked:
            marked = array("q", (seq for seq in seqs if seq in marks))
        return shown, marked

    # Columns and order

    def columns_dialog(self) -> ColumnsDialog:
        """The dialog that chooses columns."""
        names = self._inputs.columns
        shown = [column.key for column in self.columns]
        return ColumnsDialog(
            row_columns.column_offers(names), shown, row_columns.default_keys(names)
        )

    def choose_columns(self, keys: list[str]) -> None:
        """Show these columns, in this order, for all jobs with this endpoint."""
        usual = keys == row_columns.default_keys(self._inputs.columns)
        self._note_look(columns=[] if usual else keys, **({"widths": {}} if usual else {}))
        self.session.save_state()
        self.set_columns(row_columns.configured_columns(self.look, self._inputs.columns))
        if isinstance(self.source, row_columns.RowSource):
            self._show(self.source.selection)

    @on(VirtualTable.SortRequested)
    def _sort_requested(self, event: VirtualTable.SortRequested) -> None:
        event.stop()
        query = self.asked.sorted_by(event.column)
        self._note_look(sort=query.sort.column, descending=query.sort.descending)
        self.ask(query)

    @on(VirtualTable.ColumnResized)
    def _column_resized(self, event: VirtualTable.ColumnResized) -> None:
        event.stop()
        self._note_look(widths=self.look.widths | {event.column: event.width})
