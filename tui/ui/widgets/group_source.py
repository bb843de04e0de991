"""Groups of errors as rows of a table."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from rich.cells import cell_len

from tui.core.grouping import ADVICE, ErrorClass
from tui.core.jobs import ErrorGroup
from tui.core.text import one_line
from tui.ui import formatting
from tui.ui.tones import Part, Parts, Tone, plain
from tui.ui.widgets.table_model import Cells, Column

GROUP_COLUMNS = (
    Column("count", "Rows", 6, align="right"),
    Column("share", "Share", 4, align="right", drop=2),
    Column("class", "Trouble", 15),
    Column("status", "HTTP", 4),
    Column("code", "Code", 18, flex=1, drop=1),
    Column("message", "Message", 14, flex=4),
    Column("advice", "What helps", 34, flex=2, drop=3),
    Column("seen", "Seen", 13, drop=4),
)

_TONES: dict[ErrorClass, Tone] = {
    ErrorClass.TRANSIENT: "good",
    ErrorClass.REQUEST: "bad",
    ErrorClass.CREDIT: "bad",
    ErrorClass.KEY: "bad",
    ErrorClass.UNCLEAR: "muted",
}


class GroupSource:
    """The groups of one job, the largest first.

    Args:
        groups: The groups.
        chosen: The key of the one that the rows are filtered to.
        now: Unix seconds, for the times.
    """

    def __init__(self, groups: Sequence[ErrorGroup], chosen: str = "", now: float = 0.0) -> None:
        self.groups = list(groups)
        self._chosen = chosen
        self._now = now

    def row_count(self) -> int:
        """How many groups there are."""
        return len(self.groups)

    def fetch(self, start: int, stop: int) -> Sequence[Cells]:
        """The cells of some groups."""
        return [self._cells(group) for group in self.groups[start:stop]]

    def row_id(self, index: int) -> Hashable:
        """The key of a group."""
        return self.groups[index].key

    def index_of(self, row_id: Hashable) -> int | None:
        """Where a group stands."""
        for index, group in enumerate(self.groups):
            if group.key == row_id:
                return index
        return None

    def _cells(self, group: ErrorGroup) -> Cells:
        chosen = group.key == self._chosen
        status = str(group.http_status) if group.http_status is not None else ""
        message = one_line(group.message, 400)
        tone = _TONES.get(group.kind, "warn")
        return (
            ((f"{group.count:,}", tone),),
            ((formatting.percent(group.share, 1.0), "muted"),),
            ((group.kind.value, tone),),
            status,
            one_line(group.code or "", 40),
            ((message, "accent"),) if chosen else message,
            (("only these shown", "accent"),) if chosen else ((ADVICE[group.kind], "muted"),),
            ((self._seen(group), "muted"),),
        )

    def _seen(self, group: ErrorGroup) -> str:
        """When it was seen: one moment, or the first and the last."""
        if group.first_seen is None or group.last_seen is None:
            return ""
        first = formatting.moment(group.first_seen, self._now)
        last = formatting.moment(group.last_seen, self._now)
        return last if first == last else f"{first}–{last}"


def group_words(group: ErrorGroup) -> str:
    """A group in two words: ``429 rate_limit_exceeded``, ``truncated``."""
    if group.id < 0:
        return group.kind.value
    status = "" if group.http_status is None else str(group.http_status)
    return f"{status} {one_line(group.code or '', 40)}".strip() or group.kind.value


def summary_parts(groups: Sequence[ErrorGroup], width: int) -> Parts:
    """All groups on one line: how many rows each has, and what it is called.

    Args:
        groups: The groups, the largest first.
        width: Cells; groups for which there is no room are counted at the end.
    """
    parts: list[Part] = [("E ", "accent"), (formatting.counted(len(groups), "problem"), "strong")]
    for place, group in enumerate(groups):
        told: list[Part] = [
            ("  ", ""),
            (f"{group.count:,}×", _TONES.get(group.kind, "warn")),
            (f" {one_line(group_words(group), 32)}", ""),
        ]
        left = len(groups) - place - 1
        more = f"  and {left} more" if left else ""
        if place and cell_len(plain([*parts, *told])) + len(more) > width:
            parts.append((f"  and {left + 1} more", "muted"))
            break
        parts += told
    return tuple(parts)
