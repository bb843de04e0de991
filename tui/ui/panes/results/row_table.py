"""The table of a job's rows, with the user's query, order, columns and widths."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import msgspec
from textual import on
from textual.message import Message

from tui.core.analysis.views import View, sort_keys
from tui.core.jobs import Job
from tui.core.query import RowSelection, RowSort
from tui.errors import BatchdeckError
from tui.ui.commands.dispatch import ShowsWorkerErrors
from tui.ui.dialogs.rows.columns import ColumnsDialog
from tui.ui.models.row_search import RowQuery, RowSearch, SearchRequest
from tui.ui.session import Session
from tui.ui.state import RowViewState, TableLayout
from tui.ui.widgets import row_columns
from tui.ui.widgets.table.model import EmptySource
from tui.ui.widgets.table.table import VirtualTable

if TYPE_CHECKING:
    from textual.notifications import SeverityLevel

    from tui.core.rows import Row
    from tui.store.history import History, InputColumns

Edge = Literal["top", "bottom"]
"""An end of the table."""

_SAMPLE = 20
"""Rows from which it is seen that an input column holds the ids."""


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
        self._searched = asyncio.Event()
        self._is_complete = True
        self._failure: BatchdeckError | None = None
        self._edge: Edge | None = None
        self.facet = ""
        """The column whose values were counted last; empty if none was."""
        self._own_columns: list[str] = []
        self._ids: frozenset[str] = frozenset()
        self._search = RowSearch(self, self._found, self._show_note, self._failed)

    @property
    def look(self) -> TableLayout:
        """The configuration of the table for jobs with this endpoint."""
        kind = self.job.endpoint if self.job is not None else ""
        look = self.session.state.looks.get(kind) or TableLayout()
        return msgspec.structs.replace(look, columns=self._own_columns or look.columns)

    def _note_look(self, **changes: object) -> None:
        if self.job is not None:
            look = self.session.state.looks.get(self.job.endpoint) or TableLayout()
            look = msgspec.structs.replace(look, **changes)
            self.session.state.looks[self.job.endpoint] = look

    def open_job(self, job: Job) -> bool:
        """Show the rows of a job from the first one, with its last query and order.

        Returns:
            Whether it is still there.
        """

        def read(history: History) -> tuple[InputColumns, list[Row]]:
            first = range(min(_SAMPLE, job.counts.total))
            return history.rows.inputs(job.id), history.rows.page(job.id, first)

        found = self.session.read_job(job.id, read, None)
        if found is None:
            return False
        self.job = job
        self._inputs, rows = found
        self._ids = row_columns.columns_with_ids(self._inputs, rows)
        last = self.session.state.rows.get(job.id)
        # Only columns with fields of its answers belong to one job.
        self._own_columns = [] if last is None else last.columns
        self.facet = "" if last is None else last.facet
        look = self.look
        self.set_columns(row_columns.configured_columns(look, self._inputs.columns, self._ids))
        last = last or RowViewState("", look.sort, look.descending)
        more = tuple((column, down) for column, down in last.more)
        sort = RowSort(column=last.sort, descending=last.descending, more=more)
        self.asked = RowQuery(last.where, sort)
        self.show_sort(row_columns.key_of(sort.column), descending=sort.descending)
        total = job.counts.total
        self._is_complete, self._failure = True, None
        self._searched.set()
        self._show(RowSelection(seqs=range(total), total=total), keep_cursor=False)
        if not self.asked.is_plain:
            self.select()
        self._compute_columns()
        return True

    def close_job(self) -> None:
        """Remember query and order, and show nothing."""
        self.remember()
        self._search.reset()
        self._searched.set()
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
        now = RowViewState(
            self.asked.where,
            sort.column,
            sort.descending,
            list(sort.more),
            self._own_columns,
            self.facet,
        )
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
        self.show_sort(row_columns.key_of(query.sort.column), descending=query.sort.descending)
        if other or again:
            self.select()

    def select(self) -> None:
        """Search for the rows of the query."""
        if self.job is not None:
            self._searched.clear()
            self._is_complete, self._failure = False, None
            self._search.start(self.session.engine, SearchRequest(self.job.id, self.asked))

    @property
    def is_stopped(self) -> bool:
        """Whether the search was stopped before all rows were found."""
        return self._searched.is_set() and not self._is_complete and self._failure is None

    async def has_final_rows(self) -> bool:
        """Wait until all rows of the query are shown; say why not if that does not happen."""
        job, asked = self.job, self.asked
        if not self._searched.is_set():
            self._say("Waiting for the search to end; esc stops it.")
            await self._searched.wait()
        if job is None or self.job is None or self.job.id != job.id:
            # Closed or deleted meanwhile; the pane shows it.
            return False
        if self.asked != asked:
            self._say("The filter was changed meanwhile; nothing was done.", warn=True)
        elif self._failure is not None:
            problem = self._failure.message
            self._say(f"The filter cannot be applied, so nothing was done: {problem}", warn=True)
        elif not self._is_complete:
            self._say(
                "The search was stopped, so not all its rows are known. / and enter search again.",
                warn=True,
            )
        else:
            return True
        return False

    def _say(self, text: str, *, warn: bool = False) -> None:
        severity: SeverityLevel = "warning" if warn else "information"
        self.app.notify(text, markup=False, severity=severity)

    def stop_search(self) -> bool:
        """Stop the search; ``False`` if none is running."""
        if not self._search.stop():
            return False
        self._show_note("stopped")
        return True

    def reload(self) -> None:
        """Read the rows again after the engine changed them."""
        self.refresh_rows()
        self._compute_columns()
        if not self.asked.is_plain:
            self._search.search_again()

    def _compute_columns(self) -> None:
        """Compute the derived columns that are shown; until then their cells show ``…``."""
        names = [column.key for column in self.columns if row_columns.is_derived(column.key)]
        if names and self.job is not None:
            work = self._compute(self.job.id, names)
            self.run_worker(work, group="computed", exclusive=True, exit_on_error=False)

    async def _compute(self, job_id: str, names: Sequence[str]) -> None:
        try:
            await self.session.engine.results.compute_columns(job_id, names)
        except BatchdeckError as error:
            # The job or the column was removed, or the expression takes too long.
            self.session.log.note(f"Columns: {error.message}", bad=True)
        else:
            if self.job is not None and self.job.id == job_id:
                self.refresh_rows()

    def _found(self, selection: RowSelection, whole: bool) -> None:
        if not whole and self._search.is_running:
            self.note = "searching"
        self._show(selection)
        if not self._search.is_running:
            self._is_complete = whole
            self._searched.set()

    def _show_note(self, note: str) -> None:
        self.note = note
        self.post_message(self.Changed(rows=False))

    def _failed(self, error: BatchdeckError) -> None:
        self._is_complete, self._failure = False, error
        self._searched.set()
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
        if (edge := self._edge) is not None:
            self.move_to(0 if edge == "top" else self.row_count - 1)
            self._edge = edge if self._search.is_running else None
        self.post_message(self.Changed(rows=True))

    # The cursor while rows are searched for

    def move_to(self, index: int) -> None:
        """Move the cursor to an index, clamped to the rows."""
        self._edge = None
        super().move_to(index)

    def action_cursor_top(self) -> None:
        """To the first row, also of the order or filter that is still being applied."""
        self._go_to("top")

    def action_cursor_bottom(self) -> None:
        """To the last row, also of the order or filter that is still being applied."""
        self._go_to("bottom")

    def _go_to(self, edge: Edge) -> None:
        self.move_to(0 if edge == "top" else self.row_count - 1)
        self._edge = edge if self._search.is_running else None

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
        self._with_final_rows(self.session.tasks.export)

    def review(self) -> None:
        """Review answers: all, those shown, or those marked."""
        self._with_final_rows(self.session.tasks.review)

    def compose_rows(self) -> None:
        """Make a new job from the marked rows, else those of the filter, else all answers."""

        def start(job_id: str, _: Sequence[int] | None, marked: Sequence[int] | None) -> None:
            self.session.tasks.compose_rows(job_id, marked, self.asked.where)

        self._with_final_rows(start)

    def with_chosen_rows(self, start: Callable[[str, Sequence[int] | None], None]) -> None:
        """Start a task with the job and the marked rows, else those shown; ``None`` for all."""

        def chosen(job_id: str, shown: Sequence[int] | None, marked: Sequence[int] | None) -> None:
            # Marks that the filter hides are no choice.
            start(job_id, marked or shown)

        self._with_final_rows(chosen)

    def _with_final_rows(
        self, start: Callable[[str, Sequence[int] | None, Sequence[int] | None], None]
    ) -> None:
        """Start a task with the job, the rows shown and those marked, once all are found."""
        if self._searched.is_set() and self._is_complete:
            self._start_with_rows(start)
            return

        async def wait() -> None:
            if await self.has_final_rows():
                self._start_with_rows(start)

        self.run_worker(wait(), group="final-rows", exclusive=True, exit_on_error=False)

    def _start_with_rows(
        self, start: Callable[[str, Sequence[int] | None, Sequence[int] | None], None]
    ) -> None:
        if (sets := self._row_sets()) is not None and self.job is not None:
            start(self.job.id, *sets)

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

    async def columns_dialog(self) -> ColumnsDialog:
        """The dialog that chooses columns."""
        names = self._inputs.columns
        infos = []
        if self.job is not None:
            infos = await self.session.engine.results.columns(self.job.id)
        shown = [column.key for column in self.columns]
        return ColumnsDialog(
            row_columns.column_offers(names, infos),
            shown,
            row_columns.default_keys(names, self._ids),
        )

    @property
    def column_name(self) -> str:
        """The name, as in a query, of the column that is selected; empty if it has none."""
        if 0 <= self.column_cursor < len(self.columns):
            return row_columns.name_in_query(self.columns[self.column_cursor].key)
        return ""

    def add_column(self, name: str) -> None:
        """Show one more column, before the answer."""
        keys = [column.key for column in self.columns]
        key = row_columns.key_of(name)
        if key not in keys:
            place = keys.index("preview") if "preview" in keys else len(keys)
            self.choose_columns([*keys[:place], key, *keys[place:]])

    def choose_columns(self, keys: list[str]) -> None:
        """Show these columns, in this order.

        They are kept for this job if there are fields of its answers among them, else for all jobs
        with this endpoint.
        """
        usual = keys == row_columns.default_keys(self._inputs.columns, self._ids)
        self._own_columns = keys if any(map(row_columns.is_field, keys)) else []
        if not self._own_columns:
            self._note_look(columns=[] if usual else keys, **({"widths": {}} if usual else {}))
        self._show_columns()

    @property
    def view(self) -> View:
        """How the rows are looked at."""
        keys = [column.key for column in self.columns]
        return View(
            where=self.asked.where,
            sort=sort_keys(self.asked.sort),
            columns=tuple(row_columns.name_in_query(key) or key for key in keys),
            facet=self.facet,
            job="" if self.job is None else self.job.id,
        )

    def use_columns(self, names: Sequence[str], facet: str) -> list[str]:
        """Show the columns of a view in this job, whatever they are.

        Args:
            names: Their names; empty to leave the columns as they are.
            facet: The column whose values are counted next.

        Returns:
            The names of those that this job does not have, which are left out.
        """
        self.facet = facet or self.facet
        if not names or self.job is None:
            return []
        missing = self.session.engine.history.rows.missing_columns(self.job.id, names)
        keys = [row_columns.key_of(name) for name in names if name not in missing]
        if keys:
            self._own_columns = keys
            self._show_columns()
        return missing

    def _show_columns(self) -> None:
        self.remember()
        self.session.save_state()
        self.set_columns(row_columns.configured_columns(self.look, self._inputs.columns, self._ids))
        if isinstance(self.source, row_columns.RowSource):
            self._show(self.source.selection)
        self._compute_columns()

    def first_rows(self, most: int) -> list[int]:
        """The numbers of the first rows shown."""
        if not isinstance(self.source, row_columns.RowSource):
            return []
        return list(self.source.selection.seqs[:most])

    @on(VirtualTable.SortRequested)
    def _sort_requested(self, event: VirtualTable.SortRequested) -> None:
        event.stop()
        self.sort_by(event.column)

    def sort_by(self, key: str, *, within: bool = False) -> None:
        """Sort by a column; see ``RowQuery.sorted_by``."""
        name = row_columns.name_in_query(key) or key
        query = self.asked.sorted_by(name, within=within)
        if row_columns.is_of_every_job(name) and not query.sort.more:
            self._note_look(sort=query.sort.column, descending=query.sort.descending)
        self.ask(query)

    @on(VirtualTable.ColumnResized)
    def _column_resized(self, event: VirtualTable.ColumnResized) -> None:
        event.stop()
        self._note_look(widths=self.look.widths | {event.column: event.width})
