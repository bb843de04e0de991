"""The errors of a job in groups: a short list above its rows."""

from __future__ import annotations

from collections.abc import Sequence

from tui.core.jobs import ErrorGroup
from tui.ui.widgets.group_source import GROUP_COLUMNS, GroupSource
from tui.ui.widgets.virtual_table import VirtualTable

SHOWN = 4
"""Lines; more groups can be scrolled to."""


class ErrorGroups(VirtualTable):
    """One line for each kind of error; opening one filters the rows to it."""

    DEFAULT_CSS = """
    ErrorGroups.-none { display: none; }
    """

    def __init__(self, *, id: str) -> None:
        super().__init__(GROUP_COLUMNS, show_header=False, steady_cursor=False, id=id)
        self._groups: list[ErrorGroup] = []

    def show(self, groups: Sequence[ErrorGroup], chosen: int | None) -> None:
        """Show the groups of a job, none being as good as no list."""
        self._groups = list(groups)
        self.set_class(not groups, "-none")
        self.styles.height = min(len(groups), SHOWN)
        self.set_source(GroupSource(groups, chosen))

    def words_of(self, group_id: int) -> str:
        """A group in two words: ``429 rate_limit_exceeded``."""
        for group in self._groups:
            if group.id == group_id:
                status = "" if group.http_status is None else str(group.http_status)
                return f"{status} {group.code or ''}".strip() or "without a code"
        return "that is gone"
