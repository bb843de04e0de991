"""Views of the rows in the Results pane: by name, and the one that a job was left with."""

from __future__ import annotations

from tui.core.analysis.views import View
from tui.errors import UnknownJobError
from tui.ui.dialogs.rows.views import ViewsDialog
from tui.ui.models.row_search import RowQuery
from tui.ui.panes.results.row_table import RowTable
from tui.ui.session import Session


class RowViews:
    """Saves views of a table of rows, and applies them.

    Args:
        session: The session.
        rows: The table.
    """

    def __init__(self, session: Session, rows: RowTable) -> None:
        self._session = session
        self._rows = rows

    async def choose(self) -> RowQuery | None:
        """Show the views by name, and the columns of the one that is chosen.

        Returns:
            The filter and order of that view; ``None`` if none was chosen.
        """
        job = self._rows.job
        if job is None:
            return None
        dialog = ViewsDialog(self._session.engine.history.views, self._rows.view, self._job_name)
        view = await self._session.app.push_screen_wait(dialog)
        if view is None or self._rows.job is None or self._rows.job.id != job.id:
            # Closed, or the job was deleted meanwhile.
            return None
        self._use_columns(view)
        return RowQuery(view.where, view.order)

    def _use_columns(self, view: View) -> None:
        missing = self._rows.use_columns(view.columns, view.facet)
        if missing:
            names = ", ".join(missing)
            self._session.app.notify(
                f"Not columns of this job: {names}", markup=False, severity="warning"
            )

    def _job_name(self, job_id: str) -> str:
        try:
            return self._session.engine.history.jobs.get(job_id).name
        except UnknownJobError:
            return ""
