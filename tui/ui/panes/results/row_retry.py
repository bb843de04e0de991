"""Which rows `r` and `R` retry in the Results pane."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tui.core.query import RowFilter
from tui.core.rows import Outcome
from tui.ui.panes.results.row_table import RowTable
from tui.ui.session import Session
from tui.ui.widgets.error_groups import ErrorGroups, group_label
from tui.ui.widgets.row_view import RowView


class RowRetry:
    """Retries the group under the cursor, the marked rows, the row that is read, or the filter's.

    Args:
        session: The session.
        rows: The table of rows.
        groups: The error groups.
        view: Shows the row that is read.
        is_reading: Whether one row fills the pane.
    """

    def __init__(
        self,
        session: Session,
        rows: RowTable,
        groups: ErrorGroups,
        view: RowView,
        is_reading: Callable[[], bool],
    ) -> None:
        self._session = session
        self._rows = rows
        self._groups = groups
        self._view = view
        self._is_reading = is_reading

    @property
    def row_read(self) -> int | None:
        """The number of the row that fills the pane, if it has ended."""
        detail = self._view.detail
        if not self._is_reading() or detail is None or detail.row.outcome is Outcome.PENDING:
            return None
        return detail.row.seq

    @property
    def has_rows(self) -> bool:
        """Whether rows are chosen by a mark, a group, the filter, or by reading one."""
        chosen = self._rows.marked or self._groups.has_focus or self._rows.asked.selects_rows
        return bool(chosen) or self.row_read is not None

    def start(self, *, edit: bool) -> bool:
        """Ask, and retry the rows; ``False`` if no rows are chosen: then it is the whole job."""
        asked = self._rows.asked
        group = self._groups.group if self._groups.has_focus else None
        if group is not None:
            # Unchanged, rows with a permanent error would fail again.
            edit = edit or group.retryable is False
            rows = RowFilter(groups=frozenset({group.key}))
            self._retry(rows, edit, f"the rows with {group_label(group)}")
        elif self._rows.marked:
            self._rows.run_worker(self._retry_marked(edit), group="marks", exit_on_error=False)
        elif (seq := self.row_read) is not None:
            self._retry([seq], edit, "this row")
        elif asked.is_filtered:
            subject = "the rows shown" if asked.selects_rows else "the failed rows shown"
            self._retry(asked.unanswered, edit, subject)
        else:
            return False
        return True

    async def _retry_marked(self, edit: bool) -> None:
        self._retry(await self._rows.marked_rows(), edit, "the marked rows")

    def _retry(self, rows: RowFilter | Sequence[int], edit: bool, subject: str) -> None:
        if self._rows.job is not None:
            self._session.tasks.retry(self._rows.job.id, rows, edit=edit, subject=subject)
