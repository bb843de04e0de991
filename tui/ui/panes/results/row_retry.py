"""Which rows `r` and `R` retry in the Results pane."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tui.core.query import RowFilter
from tui.core.rows import Outcome
from tui.ui.panes.results.row_table import RowTable
from tui.ui.session import Session
from tui.ui.text.rows import THIS_ROW
from tui.ui.widgets.error_groups import ErrorGroups, group_label
from tui.ui.widgets.row_view import RowView


@dataclass(frozen=True)
class RetryTarget:
    """What a retry takes.

    Attributes:
        subject: The rows in words, such as ``the rows shown``.
        rows: The rows; ``None`` for all failed rows of the job, or if ``marked``.
        marked: Whether the marked rows are meant.
        permanent: Whether they would fail again unchanged.
    """

    subject: str
    rows: RowFilter | Sequence[int] | None = None
    marked: bool = False
    permanent: bool = False


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
    def is_waiting(self) -> bool:
        """Whether a retry would take the row that is read, which is known to have no answer yet."""
        detail = self._view.detail
        if not self._is_reading() or self._rows.marked or detail is None:
            return False
        return detail.row.seq == self._rows.cursor_id and detail.row.outcome is Outcome.PENDING

    @property
    def has_rows(self) -> bool:
        """Whether rows are chosen by a mark, a group, the filter, or by reading one."""
        chosen = self._rows.marked or self._groups.has_focus or self._rows.asked.selects_rows
        return bool(chosen) or self._is_reading()

    def target(self) -> RetryTarget:
        """What a retry takes: a group, the marks, the row read, the filter's, or what failed."""
        asked = self._rows.asked
        group = self._groups.group if self._groups.has_focus else None
        if group is not None:
            return RetryTarget(
                f"the rows with {group_label(group)}",
                RowFilter(groups=frozenset({group.key})),
                permanent=group.retryable is False,
            )
        if self._rows.marked:
            return RetryTarget("the marked rows", marked=True)
        if self._is_reading() and isinstance(self._rows.cursor_id, int):
            return RetryTarget(THIS_ROW, [self._rows.cursor_id])
        if asked.is_filtered:
            subject = "the rows shown" if asked.selects_rows else "the failed rows shown"
            return RetryTarget(subject, asked.unanswered)
        return RetryTarget("all failed rows")

    def start(self, *, edit: bool) -> bool:
        """Ask, and retry the rows; ``False`` if no rows are chosen: then it is the whole job."""
        target = self.target()
        # Unchanged, rows with a permanent error would fail again.
        edit = edit or target.permanent
        if target.marked:
            work = self._retry_marked(edit, target.subject)
            self._rows.run_worker(work, group="marks", exit_on_error=False)
        elif target.rows is not None:
            self._retry(target.rows, edit, target.subject)
        return target.marked or target.rows is not None

    async def _retry_marked(self, edit: bool, subject: str) -> None:
        # Inverted marks are all rows of the filter but some, so these must be known.
        if not self._rows.marks.inverted or await self._rows.has_final_rows():
            self._retry(await self._rows.marked_rows(), edit, subject)

    def _retry(self, rows: RowFilter | Sequence[int], edit: bool, subject: str) -> None:
        if self._rows.job is not None:
            self._session.tasks.retry(self._rows.job.id, rows, edit=edit, subject=subject)
