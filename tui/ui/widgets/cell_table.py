"""``CellTable``: a table with a cursor on one cell, scrolled so that the cursor is visible."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from tui.ui.text.tones import Part, content

_GAP = 2


class CellTable(Widget, can_focus=True):
    """A small table: names in the first column, which always stays visible, then numbers.

    The cursor is on a cell; ``enter`` or a click on it opens the cell.

    Args:
        id: Its id.
        opens: Whether cells can be opened.
    """

    DEFAULT_CSS = "CellTable { height: 1fr; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1, 0)", show=False),
        Binding("down,j", "move(1, 0)", show=False),
        Binding("left,h", "move(0, -1)", show=False),
        Binding("right,l", "move(0, 1)", show=False),
        Binding("pageup,home", "move(-1000, 0)", show=False),
        Binding("pagedown,end", "move(1000, 0)", show=False),
        Binding("enter", "open", "Rows"),
    ]

    @dataclass
    class Moved(Message):
        """The cursor is on another cell, or other values are shown."""

        row: int
        column: int

    @dataclass
    class Opened(Message):
        """A cell was opened."""

        row: int
        column: int

    def __init__(self, *, id: str | None = None, opens: bool = True) -> None:
        super().__init__(id=id)
        self._opens = opens
        self._headings: Sequence[str] = ()
        self._rows: Sequence[Sequence[Part]] = ()
        self._widths: list[int] = []
        self.row = self.column = 0
        self._top = self._left = 0

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer ``enter`` only where cells can be opened."""
        return self._opens if action == "open" else True

    @property
    def row_count(self) -> int:
        """Number of rows."""
        return len(self._rows)

    def show(self, headings: Sequence[str], rows: Sequence[Sequence[Part]]) -> None:
        """Show other values; the cursor keeps its place."""
        self._headings, self._rows = headings, rows
        self._widths = [
            max([cell_len(heading), *(cell_len(row[place][0]) for row in rows)])
            for place, heading in enumerate(headings)
        ]
        self.action_move(0, 0)

    def render(self) -> Content:
        """The part of the table around the cursor."""
        columns = self._visible_columns()
        height = max(1, self.size.height - 1)
        self._top = min(max(self._top, self.row - height + 1), self.row)
        parts: list[Part] = []
        for column in columns:
            parts += self._cell((self._headings[column], "strong"), column)
        hidden = len(self._widths) - 1 - columns[-1] if columns else 0
        if hidden:
            parts.append(("→", "muted"))
        for row in range(self._top, min(self.row_count, self._top + height)):
            parts.append(("\n", ""))
            for column in columns:
                text, tone = self._rows[row][column]
                if (row, column) == (self.row, self.column):
                    tone = "mark"
                parts += self._cell((text, tone), column)
        return content(parts)

    def _cell(self, part: Part, column: int) -> list[Part]:
        text, tone = part
        padding = " " * (self._widths[column] - cell_len(text))
        shown = text + padding if column == 0 else padding + text
        return [(shown, tone), (" " * _GAP, "")]

    def _visible_columns(self) -> list[int]:
        """The first column, and those around the cursor that fit beside it."""
        count = len(self._widths)
        if not count:
            return []
        if self.column:
            self._left = min(max(self._left, 1), self.column)
            while self._left < self.column and not self._fits(self._left, self.column):
                self._left += 1
        else:
            self._left = 1
        last = self._left
        while last + 1 < count and self._fits(self._left, last + 1):
            last += 1
        return [0, *range(self._left, min(last + 1, count))]

    def _fits(self, first: int, last: int) -> bool:
        used = self._widths[0] + sum(width + _GAP for width in self._widths[first : last + 1])
        is_last = last == len(self._widths) - 1
        return used <= self.size.width - (0 if is_last else _GAP + 1)

    def action_move(self, rows: int, columns: int) -> None:
        """Move the cursor."""
        self.row = max(0, min(self.row + rows, self.row_count - 1))
        self.column = max(0, min(self.column + columns, len(self._headings) - 1))
        self.refresh()
        self.post_message(self.Moved(self.row, self.column))

    def action_open(self) -> None:
        """Open the cell under the cursor."""
        if self.row_count:
            self.post_message(self.Opened(self.row, self.column))

    def on_click(self, event: events.Click) -> None:
        """Move the cursor to a cell; a click on the cell under the cursor opens it."""
        at = event.get_content_offset(self)
        if at is None:
            return
        row = at.y - 1 + self._top
        start = 0
        for column in self._visible_columns():
            end = start + self._widths[column] + _GAP
            if start <= at.x < end and 0 <= row < self.row_count and at.y:
                if (row, column) == (self.row, self.column):
                    self.action_open()
                else:
                    self.action_move(row - self.row, column - self.column)
                return
            start = end
