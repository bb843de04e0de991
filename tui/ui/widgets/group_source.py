"""Groups of errors as rows of a table."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from tui.core.jobs import ErrorGroup
from tui.core.text import one_line
from tui.ui.tones import Parts
from tui.ui.widgets.table_model import Cells, Column

GROUP_COLUMNS = (
    Column("count", "Rows", 7, align="right"),
    Column("status", "Status", 3),
    Column("code", "Code", 12, flex=1, drop=1),
    Column("message", "Message", 20, flex=4),
    Column("advice", "Retry", 15, drop=2),
)

_ADVICE: dict[bool | None, Parts] = {
    True: (("retry can help", "good"),),
    False: (("fix the request", "warn"),),
    None: (("may help", "muted"),),
}


class GroupSource:
    """The groups of one job, the largest first.

    Args:
        groups: The groups.
        chosen: The id of the one that the rows are filtered to.
    """

    def __init__(self, groups: Sequence[ErrorGroup], chosen: int | None = None) -> None:
        self.groups = list(groups)
        self._chosen = chosen

    def row_count(self) -> int:
        """How many groups there are."""
        return len(self.groups)

    def fetch(self, start: int, stop: int) -> Sequence[Cells]:
        """The cells of some groups."""
        return [self._cells(group) for group in self.groups[start:stop]]

    def row_id(self, index: int) -> Hashable:
        """The id of a group."""
        return self.groups[index].id

    def index_of(self, row_id: Hashable) -> int | None:
        """Where a group stands."""
        for index, group in enumerate(self.groups):
            if group.id == row_id:
                return index
        return None

    def _cells(self, group: ErrorGroup) -> Cells:
        chosen = group.id == self._chosen
        status = str(group.http_status) if group.http_status is not None else "-"
        message = one_line(group.message, 400)
        return (
            ((f"{group.count:,}", "bad"),),
            ((status, "bad"),),
            one_line(group.code or "-", 40),
            ((message, "accent"),) if chosen else message,
            (("only these shown", "accent"),) if chosen else _ADVICE[group.retryable],
        )
