"""A table for any number of rows, with key and mouse commands."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

from textual import events

from tui.ui.commands.command_table import Scope, bindings
from tui.ui.widgets.basics import WidgetMessage
from tui.ui.widgets.table.model import MAX_COLUMN_WIDTH, MIN_COLUMN_WIDTH, Column
from tui.ui.widgets.table.painter import GUTTER, column_at, edge_at
from tui.ui.widgets.table.view import TableView


class VirtualTable(TableView):
    """A table with commands to move, open, mark, sort and resize.

    Args:
        columns: The columns to show.
        show_header: Whether to show the column names.
        markable: Whether rows can be marked.
        openable: Whether enter opens a row.
        resizable: Whether columns can be resized.
        steady_cursor: Whether the cursor is shown without the focus.
        id: The id of the widget.
    """

    BINDING_GROUP_TITLE = "Table"
    BINDINGS = bindings(Scope.TABLE)

    @dataclass
    class Opened(WidgetMessage):
        """Posted when a row should be opened: enter or a double click."""

        row_id: Hashable

    @dataclass
    class SortRequested(WidgetMessage):
        """Posted when rows should be sorted by a column: ``s`` or a click on the header."""

        column: str

    @dataclass
    class ColumnResized(WidgetMessage):
        """Posted when a column was resized, by a key or by dragging its edge in the header."""

        column: str
        width: int

    class MarksChanged(WidgetMessage):
        """Posted when rows were marked or unmarked."""

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
        self._was_drag = False
        self._anchor: int | None = None

    @property
    def marked(self) -> int:
        """The number of marked rows."""
        return self.marks.count(self.row_count)

    def clear_marks(self) -> None:
        """Remove all marks."""
        self.marks.clear()
        self._anchor = None
        self._post_marks()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Disable commands that this table does not support."""
        if "mark" in action and not self._markable:
            return False
        if action == "open_row" and not self._openable:
            return False
        if not self.row_count and (action == "open_row" or "mark" in action):
            return False
        if (
            action in ("sort", "column")
            and not self.resizable
            and not any(column.sortable for column in self.columns)
        ):
            return False
        return super().check_action(action, parameters)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Highlight the row under the mouse, or resize a dragged column."""
        if self._dragged is not None:
            column, width, start = self._dragged
            self._resize_to(column.key, width + event.screen_x - start)
            return
        index = self.index_at(event.y)
        self.hover = -1 if index is None else index

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Start to drag the edge of a column."""
        self._was_drag = False
        if not self.resizable or event.y >= self.header_lines:
            return
        layout = self.layout_of(self.scrollable_content_region.width)
        column = edge_at(layout, event.x)
        if column is not None:
            width = next(cells for _, other, cells in layout if other is column)
            self._dragged = (column, width, event.screen_x)
            # The click that follows the release, however late, must not sort.
            self._was_drag = True
            self.capture_mouse()
            event.stop()

    def on_mouse_up(self, event: events.MouseUp) -> None:
        """Stop dragging."""
        if self._dragged is not None:
            self.release_mouse()
            self._dragged = None

    def on_leave(self, event: events.Leave) -> None:
        """Remove the highlight."""
        self.hover = -1

    def on_click(self, event: events.Click) -> None:
        """Move the cursor; mark in the gutter, sort in the header, open on a double click."""
        event.stop()
        if self._was_drag:
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
        """Move by a number of pages, or a fraction."""
        self.move_to(self.cursor + int(self.page_size * pages))

    def action_column(self, step: int) -> None:
        """Select another column, for sorting or resizing."""
        layout = self.layout_of(self.scrollable_content_region.width)
        choices = [index for index, column, _ in layout if self.resizable or column.sortable]
        if self.column_cursor in choices:
            place = choices.index(self.column_cursor) + step
            self.column_cursor = choices[max(0, min(place, len(choices) - 1))]
        elif choices:
            self.column_cursor = choices[0]
        self.refresh()

    def resize_column(self, step: int) -> None:
        """Widen or narrow the selected column by ``step`` cells."""
        layout = self.layout_of(self.scrollable_content_region.width)
        for index, column, cells in layout:
            if index == self.column_cursor:
                self._resize_to(column.key, cells + step)

    def _resize_to(self, key: str, width: int) -> None:
        width = max(MIN_COLUMN_WIDTH, min(MAX_COLUMN_WIDTH, width))
        self.columns = tuple(
            replace(column, width=width, flex=0) if column.key == key else column
            for column in self.columns
        )
        self.redraw()
        self.post_message(self.ColumnResized(self, key, width))

    def action_sort(self) -> None:
        """Sort by the selected column, or reverse the order."""
        column = self.columns[self.column_cursor]
        if column.sortable:
            self.post_message(self.SortRequested(self, column.key))
        elif column.label:
            words = f"Cannot sort by {column.label}. Select another column with left and right."
            self.notify(words, markup=False, timeout=3)

    def action_open_row(self) -> None:
        """Open the row under the cursor."""
        if self.cursor_id is not None and self._openable:
            self.post_message(self.Opened(self, self.cursor_id))

    def action_toggle_mark(self) -> None:
        """Mark or unmark the row under the cursor, and move one down."""
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
        self._post_marks()

    def action_mark_all(self) -> None:
        """Mark all rows shown, or none if all are marked."""
        all_marked = self.marks.inverted and not self.marks.named
        self.marks.clear()
        self.marks.inverted = not all_marked
        self._post_marks()

    def action_invert_marks(self) -> None:
        """Invert the marks."""
        self.marks.invert()
        self._post_marks()

    def _toggle_mark(self) -> None:
        self.marks.toggle(self.cursor_id)
        self._anchor = self.cursor
        self._post_marks()

    def _post_marks(self) -> None:
        self.redraw()
        self.post_message(self.MarksChanged(self))
