"""A table of any number of rows, as keys and mouse use it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

from textual import events
from textual.message import Message

from tui.ui.commands import Scope, bindings
from tui.ui.widgets.table_model import NARROWEST, WIDEST, Column
from tui.ui.widgets.table_painter import GUTTER, column_at, edge_at
from tui.ui.widgets.table_view import TableView

_CLICK_PAUSE = 0.05
"""Seconds within which the click comes that belongs to the release of a button."""


class VirtualTable(TableView):
    """Rows under a header, to walk through, open, mark and sort.

    Args:
        columns: What is shown of a row.
        show_header: Is there a line of column names?
        markable: Can rows be marked?
        openable: Does enter open a row?
        resizable: Can columns be made wider and narrower?
        steady_cursor: Is the cursor shown while the keys are elsewhere?
        id: The id of the widget.
    """

    BINDING_GROUP_TITLE = "Table"
    BINDINGS = bindings(Scope.TABLE)

    @dataclass
    class Opened(Message):
        """Posted when a row is to be opened: enter, or a double click."""

        table: VirtualTable
        row_id: Hashable

        @property
        def control(self) -> VirtualTable:
            """The table."""
            return self.table

    @dataclass
    class SortRequested(Message):
        """Posted when rows are to be sorted by a column: ``s``, or a click on the header."""

        table: VirtualTable
        column: str

        @property
        def control(self) -> VirtualTable:
            """The table."""
            return self.table

    @dataclass
    class ColumnResized(Message):
        """Posted when a column was given a width: by a key, or by its edge in the header."""

        table: VirtualTable
        column: str
        width: int

        @property
        def control(self) -> VirtualTable:
            """The table."""
            return self.table

    @dataclass
    class MarksChanged(Message):
        """Posted when rows were marked or unmarked."""

        table: VirtualTable

        @property
        def control(self) -> VirtualTable:
            """The table."""
            return self.table

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        show_header: bool = True,
        markable: bool = False,
        openable: bool = True,
        resizable: bool = False,
        steady_cursor: bool = True,
        id: str | None = None,
    ) -> None:
        super().__init__(columns, show_header=show_header, steady_cursor=steady_cursor, id=id)
        self._markable = markable
        self._openable = openable
        self.resizable = resizable
        self._dragged: tuple[Column, int, int] | None = None
        self._anchor: int | None = None

    @property
    def marked(self) -> int:
        """How many rows are marked."""
        return self.marks.count(self.row_count)

    def clear_marks(self) -> None:
        """Take all marks away."""
        self.marks.clear()
        self._anchor = None
        self._tell_marks()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Hide what this table cannot do."""
        if "mark" in action and not self._markable:
            return False
        if action == "open_row" and not self._openable:
            return False
        if (
            action in ("sort", "column")
            and not self.resizable
            and not any(column.sortable for column in self.columns)
        ):
            return False
        return super().check_action(action, parameters)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Highlight the row under the mouse."""
        if self._dragged is not None:
            column, width, start = self._dragged
            self._resize_to(column.key, width + event.screen_x - start)
            return
        index = self.index_at(event.y)
        self.hover = -1 if index is None else index

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Take hold of the edge of a column."""
        if not self.resizable or event.y >= self.header_lines:
            return
        layout = self.layout_of(self.scrollable_content_region.width)
        column = edge_at(layout, event.x)
        if column is not None:
            width = next(cells for _, other, cells in layout if other is column)
            self._dragged = (column, width, event.screen_x)
            self.capture_mouse()
            event.stop()

    def on_mouse_up(self, event: events.MouseUp) -> None:
        """Let the edge of a column go."""
        if self._dragged is not None:
            self.release_mouse()
            self.set_timer(_CLICK_PAUSE, self._let_go)

    def _let_go(self) -> None:
        # After the click that follows the release: that one is not meant to sort.
        self._dragged = None

    def on_leave(self, event: events.Leave) -> None:
        """No row is under the mouse any more."""
        self.hover = -1

    def on_click(self, event: events.Click) -> None:
        """Move the cursor, mark in the gutter, sort by the header, open on a double click."""
        event.stop()
        if self._dragged is not None:
            return
        if event.y < self.header_lines:
            layout = self.layout_of(self.scrollable_content_region.width)
            column = column_at(layout, event.x)
            if column is not None and column.sortable:
                self.column_cursor = self.columns.index(column)
                self.post_message(self.SortRequested(self, column.key))
            return
        index = self.index_at(event.y)
        if index is None:
            return
        self.move_to(index)
        if self._markable and event.x < GUTTER:
            self._toggle_mark()
        elif event.chain == 2:
            self.action_open_row()

    def action_cursor_down(self) -> None:
        """One row down."""
        self.move_to(self.cursor + 1)

    def action_cursor_up(self) -> None:
        """One row up."""
        self.move_to(self.cursor - 1)

    def action_cursor_top(self) -> None:
        """To the first row."""
        self.move_to(0)

    def action_cursor_bottom(self) -> None:
        """To the last row."""
        self.move_to(self.row_count - 1)

    def action_page(self, pages: float) -> None:
        """By a page, or a part of one."""
        self.move_to(self.cursor + int(self.page_size * pages))

    def action_column(self, step: int) -> None:
        """To another column, that rows can be sorted by or that can be resized."""
        layout = self.layout_of(self.scrollable_content_region.width)
        choices = [index for index, column, _ in layout if self.resizable or column.sortable]
        if self.column_cursor in choices:
            place = choices.index(self.column_cursor) + step
            self.column_cursor = choices[max(0, min(place, len(choices) - 1))]
        elif choices:
            self.column_cursor = choices[0]
        self.refresh()

    def resize_column(self, step: int) -> None:
        """Make the chosen column wider by some cells, or narrower."""
        layout = self.layout_of(self.scrollable_content_region.width)
        for index, column, cells in layout:
            if index == self.column_cursor:
                self._resize_to(column.key, cells + step)

    def _resize_to(self, key: str, width: int) -> None:
        width = max(NARROWEST, min(WIDEST, width))
        self.columns = tuple(
            replace(column, width=width, flex=0) if column.key == key else column
            for column in self.columns
        )
        self.redraw()
        self.post_message(self.ColumnResized(self, key, width))

    def action_sort(self) -> None:
        """Sort by the chosen column, or the other way round."""
        column = self.columns[self.column_cursor]
        if column.sortable:
            self.post_message(self.SortRequested(self, column.key))
        elif column.label:
            words = f"Rows are not sorted by {column.label}: left and right choose another column"
            self.notify(words, markup=False, timeout=3)

    def action_open_row(self) -> None:
        """Open the row under the cursor."""
        if self.cursor_id is not None and self._openable:
            self.post_message(self.Opened(self, self.cursor_id))

    def action_toggle_mark(self) -> None:
        """Mark the row under the cursor, or take its mark away, and go one down."""
        if self.cursor_id is not None:
            self._toggle_mark()
            self.action_cursor_down()

    def action_mark_range(self) -> None:
        """Mark all rows from the last marked one to the cursor."""
        if self.cursor_id is None:
            return
        start = self.cursor if self._anchor is None else self._anchor
        low, high = sorted((start, self.cursor))
        self.marks.add([self.source.row_id(index) for index in range(low, high + 1)])
        self._anchor = self.cursor
        self._tell_marks()

    def action_mark_all(self) -> None:
        """Mark all rows that are shown, or none if all are."""
        all_marked = self.marks.inverted and not self.marks.named
        self.marks.clear()
        self.marks.inverted = not all_marked
        self._tell_marks()

    def action_invert_marks(self) -> None:
        """Mark what is not marked, and the other way round."""
        self.marks.invert()
        self._tell_marks()

    def _toggle_mark(self) -> None:
        self.marks.toggle(self.cursor_id)
        self._anchor = self.cursor
        self._tell_marks()

    def _tell_marks(self) -> None:
        self.redraw()
        self.post_message(self.MarksChanged(self))
