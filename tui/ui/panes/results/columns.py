"""The columns of the rows in the Results pane: which are shown, and those that are computed."""

from __future__ import annotations

from functools import partial

from tui.core import formatting
from tui.core.analysis.columns import DERIVED_PREFIX
from tui.core.analysis.derived import DerivedColumn
from tui.core.text import one_line
from tui.ui.dialogs.rows.derived import DerivedColumnDialog
from tui.ui.panes.results.row_table import RowTable
from tui.ui.session import Session

_TRIED = 20
"""Rows for which a new column is computed at first."""


class RowColumns:
    """Chooses, adds and removes the columns of a table of rows.

    Args:
        session: The session.
        rows: The table.
    """

    def __init__(self, session: Session, rows: RowTable) -> None:
        self._session = session
        self._rows = rows

    async def choose(self) -> None:
        """Ask for the columns, and for a new one if that is wanted."""
        if self._rows.job is None:
            return
        job_id = self._rows.job.id
        answer = await self._session.app.push_screen_wait(await self._rows.columns_dialog())
        if answer is None or not self._is_open(job_id):
            return
        if answer.shown:
            self._rows.choose_columns(answer.shown)
        results = self._session.engine.results
        if answer.remove:
            await results.remove_derived_column(job_id, answer.remove.removeprefix(DERIVED_PREFIX))
            self._say(f"{answer.remove} removed")
        if answer.derive:
            await self._add(job_id)

    async def _add(self, job_id: str) -> None:
        """Ask for a derived column, show it, and say for how many rows it fails."""
        results = self._session.engine.results
        first = self._rows.first_rows(_TRIED)
        dialog = DerivedColumnDialog(partial(results.try_column, job_id, first))
        column: DerivedColumn | None = await self._session.app.push_screen_wait(dialog)
        if column is None:
            return
        await results.set_derived_column(job_id, column)
        name = DERIVED_PREFIX + column.name
        if self._is_open(job_id):
            self._rows.add_column(name)
        (facet,) = await results.facets(job_id, [name])
        text = f"{name}: {facet.filled:,} of {formatting.counted(facet.rows, 'row')} have a value"
        if facet.failed:
            rows = formatting.counted(facet.failed, "row")
            text += f"; {rows} failed: {one_line(facet.problem, 80)}"
        self._say(text, warn=bool(facet.failed))

    def _is_open(self, job_id: str) -> bool:
        return self._rows.job is not None and self._rows.job.id == job_id

    def _say(self, text: str, *, warn: bool = False) -> None:
        severity = "warning" if warn else "information"
        self._session.app.notify(text, markup=False, severity=severity)  # type: ignore[arg-type]
