"""The error groups of a job: one row per kind of failure, or all folded into one line."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from rich.cells import cell_len
from textual import events
from textual.strip import Strip

from tui.core import formatting
from tui.core.jobs import ErrorGroup
from tui.core.retry_rules import ADVICE, ErrorClass
from tui.core.status_words import error_code_text
from tui.core.text import one_line
from tui.ui.text.tones import Part, Parts, Tone, plain
from tui.ui.widgets.table.model import Cells, Column, ListSource
from tui.ui.widgets.table.painter import paint_row
from tui.ui.widgets.table.table import VirtualTable

GROUP_COLUMNS = (
    Column("count", "Rows", 6, align="right"),
    Column("share", "Share", 4, align="right", drop=2),
    Column("class", "Error", 15),
    Column("status", "HTTP", 4),
    Column("code", "Code", 18, flex=1, drop=1),
    Column("message", "Message", 14, flex=4),
    Column("advice", "Suggested fix", 34, flex=2, drop=3, from_width=140),
    Column("seen", "Seen", 13, drop=4, from_width=140),
)

_TONES: dict[ErrorClass, Tone] = {
    ErrorClass.TRANSIENT: "good",
    ErrorClass.REQUEST: "bad",
    ErrorClass.CREDIT: "bad",
    ErrorClass.KEY: "bad",
    ErrorClass.UNCLEAR: "muted",
}


def group_source(
    groups: Sequence[ErrorGroup], chosen: str = "", now: float = 0.0
) -> ListSource[ErrorGroup]:
    """The error groups of a job as table rows.

    Args:
        groups: The groups, the largest first.
        chosen: The key of the group that the rows are filtered to.
        now: The current time, in Unix seconds.
    """

    def cells(group: ErrorGroup) -> Cells:
        is_chosen = group.key == chosen
        message = one_line(group.message, 400)
        tone = _TONES.get(group.kind, "warn")
        return (
            ((f"{group.count:,}", tone),),
            ((formatting.percent(group.share, 1.0), "muted"),),
            ((group.kind.value, tone),),
            str(group.http_status or ""),
            one_line(group.code or "", 40),
            ((message, "accent"),) if is_chosen else message,
            (("shown below", "accent") if is_chosen else (ADVICE[group.kind], "muted"),),
            ((_seen(group, now), "muted"),),
        )

    return ListSource(groups, cells, lambda group: group.key)


def _seen(group: ErrorGroup, now: float) -> str:
    """When the error occurred: one time, or the first and the last."""
    if group.first_seen is None or group.last_seen is None:
        return ""
    first, last = (formatting.moment(at, now) for at in (group.first_seen, group.last_seen))
    return last if first == last else f"{first}–{last}"


def group_label(group: ErrorGroup) -> str:
    """The label of a group, such as ``429 rate_limit_exceeded`` or ``truncated``."""
    if group.id < 0:
        return group.kind.value
    return one_line(error_code_text(group), 44) or group.kind.value


def folded_parts(groups: Sequence[ErrorGroup], width: int) -> Parts:
    """All groups on one line, each with its row count and label.

    Args:
        groups: The groups, the largest first.
        width: Available cells; groups that do not fit are counted at the end.
    """
    parts: list[Part] = [("E ", "accent"), (formatting.counted(len(groups), "problem"), "strong")]
    for index, group in enumerate(groups):
        entry: list[Part] = [
            ("  ", ""),
            (f"{group.count:,}×", _TONES.get(group.kind, "warn")),
            (f" {one_line(group_label(group), 32)}", ""),
        ]
        left = len(groups) - index - 1
        more = f"  and {left} more" if left else ""
        if index and cell_len(plain([*parts, *entry])) + len(more) > width:
            parts.append((f"  and {left + 1} more", "muted"))
            break
        parts += entry
    return tuple(parts)


MAX_HEIGHT = 5
"""Maximum height in lines; further groups can be scrolled to."""

BESIDE_ROWS_HEIGHT = 3
"""Maximum height in lines without the focus, on a screen lower than ``ROOMY_HEIGHT``."""

ROOMY_HEIGHT = 45
"""Screen height in lines from which the groups take no room from the rows."""

UNFOLDED_HEIGHT = 30
"""Screen height in lines from which the groups are never folded."""


class ErrorGroups(VirtualTable):
    """One line per group of errors; opening one filters the rows to it.

    On a small screen the groups are folded into one line until they have the focus; on a medium
    one the largest are shown.
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
        """Whether all groups are on one line."""
        return self._folded

    @property
    def group(self) -> ErrorGroup | None:
        """The group under the cursor."""
        return self.group_of(str(self.cursor_id))

    def show(self, groups: Sequence[ErrorGroup], chosen: str = "") -> None:
        """Show the groups; hide the list if there are none."""
        self._groups = list(groups)
        self.set_class(not groups, "-none")
        self.set_source(group_source(groups, chosen, self._now()))
        self._fold()

    def choose(self, chosen: str) -> None:
        """Highlight the group that the rows are filtered to."""
        self.set_source(group_source(self._groups, chosen, self._now()))

    def group_of(self, key: str) -> ErrorGroup | None:
        """Return the group with this key."""
        return next((group for group in self._groups if group.key == key), None)

    def label_of(self, key: str) -> str:
        """The label of a group, such as ``429 rate_limit_exceeded``."""
        group = self.group_of(key)
        return "group no longer present" if group is None else group_label(group)

    def render_line(self, y: int) -> Strip:
        """Draw a group, or all of them folded into one line."""
        if not self._folded or not self._groups:
            return super().render_line(y)
        width = self.scrollable_content_region.width
        column = Column("", "", width, flex=1)
        text_width = max(1, width - 3)
        cells = (folded_parts(self._groups, text_width),)
        layout = [(0, column, text_width)]
        return paint_row(
            cells, layout, width, self._style(""), self._tone, cursor=False, marked=False
        )

    def watch_has_focus(self, has_focus: bool) -> None:
        """Unfold while focused, fold on blur."""
        super().watch_has_focus(has_focus)
        self._fold()

    def on_resize(self, event: events.Resize) -> None:
        """Fold or unfold for the new height."""
        super().on_resize(event)
        self._fold()

    def _fold(self) -> None:
        lines = self.app.size.height
        self._folded = lines < UNFOLDED_HEIGHT and not self.has_focus and len(self._groups) > 1
        roomy = self.has_focus or lines >= ROOMY_HEIGHT
        most = MAX_HEIGHT if roomy else BESIDE_ROWS_HEIGHT
        height = 1 if self._folded else min(len(self._groups), most)
        if self.styles.height is None or self.styles.height.value != height:
            self.styles.height = height
        self.styles.overflow_y = "hidden" if self._folded else "auto"
        self.redraw()
