"""The view of a virtual table: drawing, scrolling, and a cursor that stays on its row."""

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

from tui.ui.text.tones import TONES, Parts
from tui.ui.widgets.basics import WidgetMessage
from tui.ui.widgets.table import model
from tui.ui.widgets.table.painter import GAP, GUTTER, Layout, paint_header, paint_row

STRIPS_KEPT = 512
"""Maximum number of cached lines: several screens."""


class TableView(ScrollView, can_focus=True):
    """A scrolling table that only reads and draws visible rows.

    The cost does not depend on the number of rows: pages are fetched from the source, and lines
    are drawn, on demand.
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
    class CursorMoved(WidgetMessage):
        """Posted when the cursor moved to another row; ``row_id`` is ``None`` without rows."""

        row_id: Hashable | None

        def can_replace(self, message: Message) -> bool:
            """Only the last position matters."""
            return isinstance(message, TableView.CursorMoved) and message.widget is self.widget

    def __init__(
        self,
        columns: Sequence[model.Column],
        *,
        show_header: bool,
        steady_cursor: bool,
        id: str | None,
    ) -> None:
        super().__init__(id=id)
        self.columns = tuple(columns)
        self.marks = model.Marks()
        self.sort_column = ""
        self.sort_descending = False
        self.header_lines = 1 if show_header else 0
        self.column_cursor = 0
        self.placeholder: Parts = ()
        self.resizable = False
        self._steady_cursor = steady_cursor
        self._source: model.TableSource = model.EmptySource()
        self._pages = model.PageCache(self._source)
        self._strips: LRUCache[tuple[int, int, str], Strip] = LRUCache(STRIPS_KEPT)
        self._styles: dict[str, Style] = {}
        self._cursor_id: Hashable | None = None

    @property
    def source(self) -> model.TableSource:
        """The source of the rows."""
        return self._source

    @property
    def row_count(self) -> int:
        """The number of rows."""
        return self._source.row_count()

    @property
    def cursor_id(self) -> Hashable | None:
        """The id of the row under the cursor; ``None`` without rows."""
        return self._cursor_id

    @property
    def page_size(self) -> int:
        """The number of rows that fit on the screen."""
        return max(1, self.scrollable_content_region.height - self.header_lines)

    def set_source(self, source: model.TableSource, *, keep_cursor: bool = True) -> None:
        """Show the rows of another source; keeps the cursor on the same row if it is present."""
        self._source = source
        self._pages = model.PageCache(source)
        self._rearrange(keep_cursor)

    def refresh_rows(self) -> None:
        """Update after the content of rows changed, but not their order.

        Only changed lines are redrawn.
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
        """Redraw all lines."""
        self._strips.clear()
        self.refresh()

    def move_to_id(self, row_id: Hashable) -> bool:
        """Move the cursor to a row; returns ``False`` if it is not shown."""
        index = self._source.index_of(row_id)
        if index is None:
            return False
        self.move_to(index)
        return True

    def move_to(self, index: int) -> None:
        """Move the cursor to an index, clamped to the rows."""
        self.cursor = index
        self._post_cursor()
        self._show_cursor()

    def show_sort(self, column: str, *, descending: bool) -> None:
        """Show the sort column and direction in the header."""
        self.sort_column = column
        self.sort_descending = descending
        self.refresh()

    def set_columns(self, columns: Sequence[model.Column]) -> None:
        """Set the columns; call ``set_source`` next with a source that matches them."""
        self.columns = tuple(columns)
        self.column_cursor = min(self.column_cursor, len(self.columns) - 1)
        self._pages.clear()
        self.redraw()

    def layout_of(self, width: int) -> Layout:
        """The columns that fit into a width."""
        return model.fit_columns(self.columns, width - GUTTER - 1, GAP)

    def index_at(self, y: int) -> int | None:
        """The index of the row at a y coordinate."""
        index = self.scroll_offset.y + y - self.header_lines
        return index if y >= self.header_lines and index < self.row_count else None

    def render_line(self, y: int) -> Strip:
        """Draw one line."""
        width = self.scrollable_content_region.width
        if y < self.header_lines:
            return self._render_header(width)
        index = self.scroll_offset.y + y - self.header_lines
        if not self.row_count and index == 1:
            cell = (model.Column("", "", width),)
            layout = model.fit_columns(cell, width - GUTTER - 1, GAP)
            words = (self.placeholder,)
            base = self._style("")
            return paint_row(words, layout, width, base, self._tone, cursor=False, marked=False)
        if index >= self.row_count:
            return Strip.blank(width, self._style(""))
        state = self._state_of(index)
        key = (index, width, state)
        strip = self._strips.get(key)
        if strip is None:
            strip = self._strips[key] = paint_row(
                self._pages.row(index),
                self.layout_of(width),
                width,
                self._style(state.rstrip("+")),
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
            self._style("header"),
            self._style("header-cursor"),
            arrow=lambda column: arrow if column.key == self.sort_column else "",
            chosen=self._highlighted_column(),
            hidden=len(self.columns) - len(layout) if self.resizable else 0,
        )

    def _highlighted_column(self) -> int | None:
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

    def _style(self, name: str) -> Style:
        style = self._styles.get(name)
        if style is None:
            full = f"virtual-table--{name}"
            style = self.get_component_rich_style(full) if name else self.rich_style
            self._styles[name] = style
        return style

    def _tone(self, name: str) -> Style:
        """The colour and weight that a tone adds to a line."""
        style = self._styles.get("tone " + name)
        if style is None:
            full = self._style(name)
            style = self._styles["tone " + name] = Style(
                color=full.color, bold=full.bold, dim=full.dim
            )
        return style

    def _rearrange(self, keep_cursor: bool) -> None:
        """Find the cursor's row again after rows moved, and keep its position on the screen."""
        above = self.cursor - self.scroll_offset.y
        index = self._source.index_of(self._cursor_id) if self._cursor_id is not None else None
        if not keep_cursor:
            index = above = 0
        self._resize()
        self.cursor = self.cursor if index is None else index
        if self.size.height:
            self.scroll_to(y=max(0, self.cursor - above), animate=False, force=True)
            self._show_cursor()
        self._post_cursor()
        self.redraw()

    def _resize(self) -> None:
        width = self.scrollable_content_region.width
        self.virtual_size = Size(width, self.row_count + self.header_lines)

    def _post_cursor(self) -> None:
        row_id = self._source.row_id(self.cursor) if self.row_count else None
        if row_id != self._cursor_id:
            if row_id is None or self._cursor_id is None:
                # Without rows there is nothing to open or mark.
                self.refresh_bindings()
            self._cursor_id = row_id
            self.post_message(self.CursorMoved(self, row_id))

    def _show_cursor(self) -> None:
        top = self.scroll_offset.y
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False, force=True)
        elif self.cursor >= top + self.page_size:
            self.scroll_to(y=self.cursor - self.page_size + 1, animate=False, force=True)

    def validate_cursor(self, cursor: int) -> int:
        """Clamp the cursor to the rows."""
        return max(0, min(cursor, self.row_count - 1))

    def watch_cursor(self, old: int, new: int) -> None:
        """Redraw the two changed lines."""
        self.refresh_lines(old + self.header_lines)
        self.refresh_lines(new + self.header_lines)

    def watch_hover(self, old: int, new: int) -> None:
        """Redraw the two changed lines."""
        for index in (old, new):
            if index >= 0:
                self.refresh_lines(index + self.header_lines)

    def notify_style_update(self) -> None:
        """Drop drawn lines after a change of theme or focus."""
        super().notify_style_update()
        self._strips.clear()
        self._styles.clear()

    def on_resize(self, event: events.Resize) -> None:
        """Keep the cursor on the screen."""
        self._resize()
        self._strips.clear()
        self._show_cursor()
