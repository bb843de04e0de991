"""Rows of a source on the screen: drawing and scrolling, with a cursor that stays on its row."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.style import Style
from textual import events
from textual.cache import LRUCache
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.ui.tones import TONES, Parts
from tui.ui.widgets.table_model import Column, EmptySource, Marks, PageCache, TableSource, lay_out
from tui.ui.widgets.table_painter import GAP, GUTTER, Layout, paint_header, paint_row

STRIPS_KEPT = 512
"""Drawn lines held at a time: several screens."""


class TableView(ScrollView, can_focus=True):
    """Draws, reads and remembers only what is near the screen.

    A million rows take as long as ten: the source is asked for pages, lines are drawn when
    they are shown.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "virtual-table--header",
        "virtual-table--header-cursor",
        "virtual-table--cursor",
        "virtual-table--hover",
        *(f"virtual-table--{tone}" for tone in TONES),
    }
    """
    | Class | Description |
    | :- | :- |
    | `virtual-table--header` | The line of column names. |
    | `virtual-table--header-cursor` | The name of the column that `s` would sort by. |
    | `virtual-table--cursor` | The row under the cursor. |
    | `virtual-table--hover` | The row under the mouse. |
    | `virtual-table--<tone>` | Text with that tone. |
    """
    DEFAULT_CSS = """
    TableView {
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

        table: TableView
        row_id: Hashable | None

        @property
        def control(self) -> TableView:
            """The table."""
            return self.table

        def can_replace(self, message: Message) -> bool:
            """Only the last position matters."""
            return isinstance(message, TableView.CursorMoved) and message.table is self.table

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        show_header: bool,
        steady_cursor: bool,
        id: str | None,
    ) -> None:
        super().__init__(id=id)
        self.columns = tuple(columns)
        self.marks = Marks()
        self.sort_column = ""
        self.sort_descending = False
        self.header_lines = 1 if show_header else 0
        self.column_cursor = 0
        self.placeholder: Parts = ()
        self.resizable = False
        self._steady_cursor = steady_cursor
        self._source: TableSource = EmptySource()
        self._pages = PageCache(self._source)
        self._strips: LRUCache[tuple[int, int, str], Strip] = LRUCache(STRIPS_KEPT)
        self._looks: dict[str, Style] = {}
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
        return max(1, self.scrollable_content_region.height - self.header_lines)

    def set_source(self, source: TableSource, *, keep_cursor: bool = True) -> None:
        """Show the rows of another source, with the cursor on the same row if it is there."""
        self._source = source
        self._pages = PageCache(source)
        self._rearrange(keep_cursor)

    def rows_changed(self) -> None:
        """Tell that rows have other contents, at the same places.

        Only the lines that look different are drawn and sent to the terminal.
        """
        if self.row_count + self.header_lines != self.virtual_size.height:
            self._pages.clear()
            self._rearrange(True)
            return
        top = self.scroll_offset.y
        visible = range(top, min(top + self.page_size, self.row_count))
        before = {index: self._pages.row(index) for index in visible}
        self._pages.clear()
        self._strips.clear()
        for index in visible:
            if self._pages.row(index) != before[index]:
                self.refresh_lines(index + self.header_lines)

    def redraw(self) -> None:
        """Draw all lines anew."""
        self._strips.clear()
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
        self._tell_cursor()
        self._show_cursor()

    def show_sort(self, column: str, *, descending: bool) -> None:
        """Show by which column the rows are sorted, and which way."""
        self.sort_column = column
        self.sort_descending = descending
        self.refresh()

    def set_columns(self, columns: Sequence[Column]) -> None:
        """Show other columns, or others widths; a source that fits them must follow."""
        self.columns = tuple(columns)
        self.column_cursor = min(self.column_cursor, len(self.columns) - 1)
        self._pages.clear()
        self.redraw()

    def layout_of(self, width: int) -> Layout:
        """The columns that a width has room for."""
        return lay_out(self.columns, width - GUTTER - 1, GAP)

    def index_at(self, y: int) -> int | None:
        """The index of the row on a line of the screen."""
        index = self.scroll_offset.y + y - self.header_lines
        return index if y >= self.header_lines and index < self.row_count else None

    def render_line(self, y: int) -> Strip:
        """Draw one line of the screen."""
        width = self.scrollable_content_region.width
        if y < self.header_lines:
            return self._render_header(width)
        index = self.scroll_offset.y + y - self.header_lines
        if not self.row_count and index == 1:
            cell = (Column("", "", width),)
            layout = lay_out(cell, width - GUTTER - 1, GAP)
            words = (self.placeholder,)
            base = self._look("")
            return paint_row(words, layout, width, base, self._tone, cursor=False, marked=False)
        if index >= self.row_count:
            return Strip.blank(width, self._look(""))
        state = self._state_of(index)
        key = (index, width, state)
        strip = self._strips.get(key)
        if strip is None:
            strip = self._strips[key] = paint_row(
                self._pages.row(index),
                self.layout_of(width),
                width,
                self._look(state.rstrip("+")),
                self._tone,
                cursor=state.startswith("cursor"),
                marked=state.endswith("+"),
            )
        return strip

    def _render_header(self, width: int) -> Strip:
        arrow = "↓" if self.sort_descending else "↑"
        layout = self.layout_of(width)
        return paint_header(
            layout,
            width,
            self._look("header"),
            self._look("header-cursor"),
            arrow=lambda column: arrow if column.key == self.sort_column else "",
            chosen=self._chosen_column(),
            hidden=len(self.columns) - len(layout) if self.resizable else 0,
        )

    def _chosen_column(self) -> int | None:
        usable = self.resizable or self.columns[self.column_cursor].sortable
        return self.column_cursor if self.has_focus and usable else None

    def _state_of(self, index: int) -> str:
        if index == self.cursor and (self.has_focus or self._steady_cursor):
            state = "cursor"
        elif index == self.hover:
            state = "hover"
        else:
            state = ""
        return state + "+" if self._source.row_id(index) in self.marks else state

    def _look(self, name: str) -> Style:
        style = self._looks.get(name)
        if style is None:
            full = f"virtual-table--{name}"
            style = self.get_component_rich_style(full) if name else self.rich_style
            self._looks[name] = style
        return style

    def _tone(self, name: str) -> Style:
        """Only what a tone adds to a line: its colour, blended already, and its weight."""
        style = self._looks.get("tone " + name)
        if style is None:
            full = self._look(name)
            style = self._looks["tone " + name] = Style(
                color=full.color, bold=full.bold, dim=full.dim
            )
        return style

    def _rearrange(self, keep_cursor: bool) -> None:
        """Rows came, went or changed places: find the cursor's row, keep it where it was."""
        above = self.cursor - self.scroll_offset.y
        index = self._source.index_of(self._cursor_id) if self._cursor_id is not None else None
        if not keep_cursor:
            index = above = 0
        self._resize()
        self.cursor = self.cursor if index is None else index
        if self.size.height:
            self.scroll_to(y=max(0, self.cursor - above), animate=False, force=True)
            self._show_cursor()
        self._tell_cursor()
        self.redraw()

    def _resize(self) -> None:
        width = self.scrollable_content_region.width
        self.virtual_size = Size(width, self.row_count + self.header_lines)

    def _tell_cursor(self) -> None:
        row_id = self._source.row_id(self.cursor) if self.row_count else None
        if row_id != self._cursor_id:
            self._cursor_id = row_id
            self.post_message(self.CursorMoved(self, row_id))

    def _show_cursor(self) -> None:
        top = self.scroll_offset.y
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False, force=True)
        elif self.cursor >= top + self.page_size:
            self.scroll_to(y=self.cursor - self.page_size + 1, animate=False, force=True)

    def validate_cursor(self, cursor: int) -> int:
        """Keep the cursor among the rows."""
        return max(0, min(cursor, self.row_count - 1))

    def watch_cursor(self, old: int, new: int) -> None:
        """Draw the two lines that look different now."""
        self.refresh_lines(old + self.header_lines)
        self.refresh_lines(new + self.header_lines)

    def watch_hover(self, old: int, new: int) -> None:
        """Draw the two lines that look different now."""
        for index in (old, new):
            if index >= 0:
                self.refresh_lines(index + self.header_lines)

    def notify_style_update(self) -> None:
        """Forget drawn lines: the theme, or the focus, changed."""
        super().notify_style_update()
        self._strips.clear()
        self._looks.clear()

    def on_resize(self, event: events.Resize) -> None:
        """Keep the cursor on the screen."""
        self._resize()
        self._strips.clear()
        self._show_cursor()
