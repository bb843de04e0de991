"""The list of jobs: a table in which two can be marked, to be compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message

from tui.ui.commands import Scope, bindings
from tui.ui.widgets.job_source import JOB_COLUMNS
from tui.ui.widgets.virtual_table import VirtualTable

MOST_MARKS = 2
"""A comparison has two sides."""


def _quiet(binding: BindingType) -> BindingType:
    """The same key, without a place at the bottom: there it has room for more frequent ones."""
    if isinstance(binding, Binding) and binding.id == "mark":
        return replace(binding, show=False)
    return binding


class JobTable(VirtualTable, inherit_bindings=False):
    """Jobs to walk through, open and sort; ``space`` marks one, or two at most."""

    BINDINGS: ClassVar[list[BindingType]] = [_quiet(binding) for binding in bindings(Scope.TABLE)]

    @dataclass
    class MarksFull(Message):
        """Posted when a third job was to be marked."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(JOB_COLUMNS, markable=True, id=id)

    @property
    def marked_jobs(self) -> list[str]:
        """The ids of the marked jobs."""
        return [str(job_id) for job_id in self.marks.named]

    def keep_marks(self, is_there: Callable[[str], bool]) -> None:
        """Let go of the marks of jobs that are gone."""
        self.marks.named.difference_update(
            [job_id for job_id in self.marked_jobs if not is_there(job_id)]
        )

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Jobs are marked one by one."""
        if action in ("mark_range", "mark_all", "invert_marks"):
            return False
        return super().check_action(action, parameters)

    def _toggle_mark(self) -> None:
        if self.cursor_id not in self.marks and len(self.marks.named) >= MOST_MARKS:
            self.post_message(self.MarksFull())
        else:
            super()._toggle_mark()
