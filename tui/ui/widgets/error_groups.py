"""The errors of a job in groups: a short list above its rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from textual import events
from textual.strip import Strip

from tui.core.jobs import ErrorGroup
from tui.ui.widgets.group_source import GROUP_COLUMNS, GroupSource, group_words, summary_parts
from tui.ui.widgets.table_model import Column
from tui.ui.widgets.table_painter import paint_row
from tui.ui.widgets.virtual_table import VirtualTable

SHOWN = 5
"""Lines; more groups can be scrolled to."""

TALL = 30
"""Lines of the screen from which on the groups are spread out all the time."""


class ErrorGroups(VirtualTable):
    """One line for each kind of error; opening one filters the rows to it.

    On a low screen all of them take one line, until they have the keys.
    """

    DEFAULT_CSS = """
    ErrorGroups.-none { display: none; }
    """

    def __init__(self, *, id: str, now: Callable[[], float] = time.time) -> None:
        super().__init__(GROUP_COLUMNS, show_header=False, steady_cursor=False, id=id)
        self._groups: list[ErrorGroup] = []
        self._now = now
        self._folded = False

    @property
    def is_folded(self) -> bool:
        """Are all groups on one line?"""
        return self._folded

    @property
    def group(self) -> ErrorGroup | None:
        """The group under the cursor."""
        return self.group_of(str(self.cursor_id))

    def show(self, groups: Sequence[ErrorGroup], chosen: str = "") -> None:
        """Show the groups of a job, none being as good as no list."""
        self._groups = list(groups)
        self.set_class(not groups, "-none")
        self.set_source(GroupSource(groups, chosen, self._now()))
        self._fold()

    def choose(self, chosen: str) -> None:
        """Show which group the rows are filtered to."""
        self.set_source(GroupSource(self._groups, chosen, self._now()))

    def group_of(self, key: str) -> ErrorGroup | None:
        """The group with a key."""
        return next((group for group in self._groups if group.key == key), None)

    def words_of(self, key: str) -> str:
        """A group in two words: ``429 rate_limit_exceeded``."""
        group = self.group_of(key)
        return "that is gone" if group is None else group_words(group)

    def render_line(self, y: int) -> Strip:
        """Draw the groups, or all of them on one line."""
        if not self._folded or not self._groups:
            return super().render_line(y)
        width = self.scrollable_content_region.width
        column = Column("", "", width, flex=1)
        room = max(1, width - 3)
        cells = (summary_parts(self._groups, room),)
        layout = [(0, column, room)]
        return paint_row(
            cells, layout, width, self._look(""), self._tone, cursor=False, marked=False
        )

    def watch_has_focus(self, has_focus: bool) -> None:
        """Spread out while the keys are here, and make room for the rows again."""
        super().watch_has_focus(has_focus)
        self._fold()

    def on_resize(self, event: events.Resize) -> None:
        """A higher screen has room for all of them."""
        super().on_resize(event)
        self._fold()

    def _fold(self) -> None:
        low = self.app.size.height < TALL
        self._folded = low and not self.has_focus and len(self._groups) > 1
        height = 1 if self._folded else min(len(self._groups), SHOWN)
        if self.styles.height is None or self.styles.height.value != height:
            self.styles.height = height
        self.styles.overflow_y = "hidden" if self._folded else "auto"
        self.redraw()
