"""A table of any number of rows that draws, reads and remembers only what is on screen."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.cache import LRUCache
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.ui.commands import Scope, bindings
from tui.ui.tones import TONES
from tui.ui.widgets.table_model import (
    Cell,
    Column,
    EmptySource,
    Marks,
    PageCache,
    TableSource,
    lay_out,
)

_GAP = 2
_GUTTER = 2


class VirtualTable(ScrollView, can_focus=True):
    """Rows of a source under a header, with a cursor, marks and a sort column.

    The table never asks for more rows than are near the screen, so that the first paint and
    every key take as long for a million rows as for ten.
    """

    BINDING_GROUP_TITLE = "Table"
    BINDINGS = bindings(Scope.TABLE)
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "virtual-table--header",
        "virtual-table--header-cursor",
        "virtual-table--cursor",
        "virtual-table--hover",
        "virtual-table--marked",
        *(f"virtual-table--{tone}" for tone in TONES),
    }
    DEFAULT_CSS = """
    VirtualTable {
        height: 1fr;
        overflow-x: hidden;
        overflow-y: auto;
        scrollbar-size-vertical: 1;
    }
    """

    cursor: reactive[int] = reactive(0, repaint=False)
    """Index of the row under the cursor."""
    hover: reactive[int] = reactive(-1, repaint=False)
    """Index of the row under the mouse, -1 for none."""

    @dataclass
    class CursorMoved(Message):
        """Posted when another row is under the cursor; ``row_id`` is ``None`` without rows."""

        table: VirtualTable
        row_id: Hashable | None

        @property
        def control(self) -> VirtualTable:
            """The table."""
            return self.table

        def can_replace(self, message: Message) -> bool:
            """Only the last position matters."""
            return isinstance(message, VirtualTable.CursorMoved) and message.table is self.table

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
        steady_cursor: bool = True,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self.columns = tuple(columns)
        self.marks = Marks()
        self.markable = markable
        self._openable = openable
        self.sort_column = ""
        self.sort_descending = False
        self._steady_cursor = steady_cursor
        self._header = 1 if show_header else 0
        self._column_cursor = 0
        self._anchor: int | None = None
        self._source: TableSource = EmptySource()
        self._pages = PageCache(self._source)
        self._strips: LRUCache[tuple[int, int, str], Strip] = LRUCache(512)
        self._styles: dict[str, Style] = {}
        self._cursor_id: Hashable | None = None

    @property
    def source(self) -> TableSource:
        """Where the rows come from."""
        return self._source

    @property
    def row_count(self) -> int:
        """How many rows there are."""
        return self._source.row_count()

    @property
    def cursor_id(self) -> Hashable | None:
        """The id of the row under the cursor; ``None`` without rows."""
        return self._cursor_id

    @property
    def page_size(self) -> int:
        """How many rows fit on the screen."""
        return max(1, self.scrollable_content_region.height - self._header)

    def set_source(self, source: TableSource, *, keep_cursor: bool = True) -> None:
        """Show the rows of another source, with the cursor on the same row if it is there."""
        self._source = source
        self._pages = PageCache(source)
        self._rearranged(keep_cursor)

    def rows_rearranged(self) -> None:
        """Tell that rows came, went or were sorted anew in the same source."""
        self._pages.clear()
        self._rearranged(True)

    def rows_changed(self) -> None:
        """Tell that rows have other contents, at the same places."""
        self._pages.clear()
        self._strips.clear()
        if self.row_count + self._header != self.virtual_size.height:
            self._rearranged(True)
        self.refresh()

    def move_to_id(self, row_id: Hashable) -> bool:
        """Put the cursor on a row; false when it is not shown."""
        index = self._source.index_of(row_id)
        if index is None:
            return False
        self.move_to(index)
        return True

    def move_to(self, index: int) -> None:
        """Put the cursor on the row at an index, or the nearest one."""
        self.cursor = index
        self._cursor_moved()
        self._show_cursor()

    def show_sort(self, column: str, descending: bool) -> None:
        """Show by which column the rows are sorted, and which way."""
        self.sort_column = column
        self.sort_descending = descending
        self._strips.clear()
        self.refresh()

    def clear_marks(self) -> None:
        """Take all marks away."""
        self.marks.clear()
        self._anchor = None
        self._marks_changed()

    def _rearranged(self, keep_cursor: bool) -> None:
        above = self.cursor - self.scroll_offset.y
        index = self._source.index_of(self._cursor_id) if self._cursor_id is not None else None
        if not keep_cursor:
            index = 0
        self._strips.clear()
        self._resize()
        self.cursor = self.cursor if index is None else index
        if self.size.height:
            self.scroll_to(y=max(0, self.cursor - above), animate=False)
            self._show_cursor()
        self._cursor_moved()
        self.refresh()

    def _resize(self) -> None:
        width = self.scrollable_content_region.width
        self.virtual_size = Size(width, self.row_count + self._header)

    def _cursor_moved(self) -> None:
        row_id = self._source.row_id(self.cursor) if self.row_count else None
        if row_id != self._cursor_id:
            self._cursor_id = row_id
            self.post_message(self.CursorMoved(self, row_id))

    def _show_cursor(self) -> None:
        top = self.scroll_offset.y
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False)
        elif self.cursor >= top + self.page_size:
            self.scroll_to(y=self.cursor - self.page_size + 1, animate=False)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Hide what this table cannot do."""
        if "mark" in action and not self.markable:
            return False
        if action == "open_row" and not self._openable:
            return False
        if action in ("sort", "column") and not any(column.sortable for column in self.columns):
            return False
        return super().check_action(action, parameters)

    def validate_cursor(self, cursor: int) -> int:
        """Keep the cursor among the rows."""
        return max(0, min(cursor, self.row_count - 1))

    def watch_cursor(self, old: int, new: int) -> None:
        """Draw the two lines that look different now."""
        self.refresh_lines(old + self._header)
        self.refresh_lines(new + self._header)

    def watch_hover(self, old: int, new: int) -> None:
        """Draw the two lines that look different now."""
        for index in (old, new):
            if index >= 0:
                self.refresh_lines(index + self._header)

    def notify_style_update(self) -> None:
        """Forget drawn lines: the theme, or the focus, changed."""
        super().notify_style_update()
        self._strips.clear()
        self._styles.clear()

    def on_resize(self, event: events.Resize) -> None:
        """Keep the cursor on the screen."""
        self._resize()
        self._strips.clear()
        self._show_cursor()

    def render_line(self, y: int) -> Strip:
        """Draw one line of the screen."""
        width = self.scrollable_content_region.width
        if y < self._header:
            return self._render_header(width)
        index = self.scroll_offset.y + y - self._header
        if index >= self.row_count:
            return Strip.blank(width, self._style(""))
        state = self._state(index)
        key = (index, width, state)
        strip = self._strips.get(key)
        if strip is None:
            strip = self._strips[key] = self._render_row(index, width, state)
        return strip

    def _state(self, index: int) -> str:
        if index == self.cursor and (self.has_focus or self._steady_cursor):
            state = "cursor"
        elif index == self.hover:
            state = "hover"
        else:
            state = ""
        if self.markable and self._source.row_id(index) in self.marks:
            state += "+"
        return state

    def _tone(self, name: str) -> Style:
        """Only what a tone adds to a line: its colour, blended already, and its weight."""
        style = self._styles.get("tone " + name)
        if style is None:
            full = self._style(name)
            style = self._styles["tone " + name] = Style(color=full.color, bold=full.bold)
        return style

    def _style(self, name: str) -> Style:
        style = self._styles.get(name)
        if style is None:
            style = (
                self.get_component_rich_style(f"virtual-table--{name}") if name else self.rich_style
            )
            self._styles[name] = style
        return style

    def _layout(self, width: int) -> list[tuple[int, Column, int]]:
        return lay_out(self.columns, width - _GUTTER - 1, _GAP)

    def _render_row(self, index: int, width: int, state: str) -> Strip:
        base = self._style(state.rstrip("+"))
        marked = state.endswith("+")
        bar = "▌" if state.startswith("cursor") else " "
        segments = [
            Segment(bar, base + self._tone("accent")),
            Segment("●" if marked else " ", base + self._tone("accent")),
        ]
        cells = self._pages.row(index)
        if cells is not None:
            for position, (column_index, column, cells_wide) in enumerate(self._layout(width)):
                if position:
                    segments.append(Segment(" " * _GAP, base))
                segments.extend(self._render_cell(cells[column_index], column, cells_wide, base))
        return Strip(segments).adjust_cell_length(width, base)

    def _render_cell(self, cell: Cell, column: Column, width: int, base: Style) -> list[Segment]:
        parts = ((cell, ""),) if isinstance(cell, str) else cell
        total = sum(cell_len(text) for text, _ in parts)
        pad = max(0, width - total)
        segments: list[Segment] = []
        if column.align == "right" and pad:
            segments.append(Segment(" " * pad, base))
        room = width
        for text, tone in parts:
            style = base + self._tone(tone) if tone else base
            length = cell_len(text)
            if length > room or (total > width and length == room):
                if room > 0:
                    segments.append(Segment(set_cell_size(text, room - 1) + "…", style))
                break
            segments.append(Segment(text, style))
            room -= length
        if column.align == "left" and pad:
            segments.append(Segment(" " * pad, base))
        return segments

    def _render_header(self, width: int) -> Strip:
        style = self._style("header")
        segments = [Segment(" " * _GUTTER, style)]
        for position, (index, column, cells) in enumerate(self._layout(width)):
            if position:
                segments.append(Segment(" " * _GAP, style))
            arrow = ""
            if column.key == self.sort_column:
                arrow = "↓" if self.sort_descending else "↑"
            label = column.label + arrow
            label = label.rjust(cells) if column.align == "right" else label.ljust(cells)
            chosen = column.sortable and index == self._column_cursor and self.has_focus
            look = self._style("header-cursor") if chosen else style
            segments.append(Segment(set_cell_size(label, cells), look))
        return Strip(segments).adjust_cell_length(width, style)

    def _column_at(self, x: int) -> Column | None:
        left = _GUTTER
        for _, column, cells in self._layout(self.scrollable_content_region.width):
            if left <= x < left + cells + _GAP:
                return column
            left += cells + _GAP
        return None

    def _index_at(self, y: int) -> int | None:
        index = self.scroll_offset.y + y - self._header
        return index if y >= self._header and index < self.row_count else None

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Highlight the row under the mouse."""
        index = self._index_at(event.y)
        self.hover = -1 if index is None else index

    def on_leave(self, event: events.Leave) -> None:
        """No row is under the mouse any more."""
        self.hover = -1

    def on_click(self, event: events.Click) -> None:
        """Move the cursor, mark in the gutter, sort by the header, open on a double click."""
        event.stop()
        if event.y < self._header:
            column = self._column_at(event.x)
            if column is not None and column.sortable:
                self._column_cursor = self.columns.index(column)
                self.post_message(self.SortRequested(self, column.key))
            return
        index = self._index_at(event.y)
        if index is None:
            return
        self.move_to(index)
        if self.markable and event.x < _GUTTER:
            self.action_toggle_mark(stay=True)
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
        """To another column that rows can be sorted by."""
        laid = self._layout(self.scrollable_content_region.width)
        choices = [index for index, column, _ in laid if column.sortable]
        if not choices:
            return
        if self._column_cursor in choices:
            place = choices.index(self._column_cursor) + step
            self._column_cursor = choices[max(0, min(place, len(choices) - 1))]
        else:
            self._column_cursor = choices[0]
        self.refresh()

    def action_sort(self) -> None:
        """Sort by the chosen column, or the other way round."""
        column = self.columns[self._column_cursor]
        if column.sortable:
            self.post_message(self.SortRequested(self, column.key))

    def action_open_row(self) -> None:
        """Open the row under the cursor."""
        if self._cursor_id is not None:
            self.post_message(self.Opened(self, self._cursor_id))

    def action_toggle_mark(self, stay: bool = False) -> None:
        """Mark the row under the cursor, or take its mark away, and go one down."""
        if not self.markable or self._cursor_id is None:
            return
        self.marks.toggle(self._cursor_id)
        self._anchor = self.cursor
        self._marks_changed()
        if not stay:
            self.action_cursor_down()

    def action_mark_range(self) -> None:
        """Mark all rows from the last marked one to the cursor."""
        if not self.markable or self._cursor_id is None:
            return
        start = self.cursor if self._anchor is None else self._anchor
        low, high = sorted((start, self.cursor))
        self.marks.add([self._source.row_id(index) for index in range(low, high + 1)])
        self._anchor = self.cursor
        self._marks_changed()

    def action_mark_all(self) -> None:
        """Mark all rows that are shown, or none if all are."""
        if not self.markable:
            return
        all_marked = self.marks.inverted and not self.marks.named
        self.marks.clear()
        self.marks.inverted = not all_marked
        self._marks_changed()

    def action_invert_marks(self) -> None:
        """Mark what is not marked, and the other way round."""
        if self.markable:
            self.marks.invert()
            self._marks_changed()

    def _marks_changed(self) -> None:
        self._strips.clear()
        self.refresh()
        self.post_message(self.MarksChanged(self))
