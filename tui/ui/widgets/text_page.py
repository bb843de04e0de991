"""Scrolling text."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.cache import LRUCache
from textual.containers import VerticalScroll
from textual.content import Content
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip
from textual.style import Style
from textual.visual import Visual
from textual.widgets import Static

from tui.ui.commands.dispatch import ShowsWorkerErrors
from tui.ui.text.paged import PagedText
from tui.ui.text.tones import content

_STRIPS_KEPT = 512
_NARROWEST = 8


@dataclass(frozen=True)
class WrappedText:
    """The first parts of a paged text, wrapped to a width. Created in a thread."""

    reading: PagedText
    parts: tuple[Content, ...]
    lines: tuple[Content, ...]
    width: int

    @classmethod
    def of(cls, reading: PagedText, width: int, count: int = 1) -> WrappedText:
        """Wrap the first ``count`` parts of a text."""
        return cls.made(reading, tuple(reading.part(number) for number in range(count)), width)

    @classmethod
    def made(cls, reading: PagedText, parts: Sequence[Content], width: int) -> WrappedText:
        """Wrap parts that are already loaded."""
        lines: list[Content] = []
        rest = reading.more_hint(len(parts) - 1)
        for number, part in enumerate(parts, 1):
            # A trailing newline ends the part; it does not start an empty line.
            follows = number < len(parts) or rest is not None
            ended = follows and part.plain.endswith("\n")
            lines += _lines(part.right_crop(1) if ended else part, width)
        if rest is not None:
            lines += _lines(content([rest]), width)
        return cls(reading, tuple(parts), tuple(lines), width)

    def with_next_part(self) -> WrappedText:
        """Return this text with one more part."""
        part = self.reading.part(len(self.parts))
        return WrappedText.made(self.reading, (*self.parts, part), self.width)

    def rewrapped(self, width: int) -> WrappedText:
        """Return this text wrapped to another width."""
        return WrappedText.made(self.reading, self.parts, width)

    @property
    def is_complete(self) -> bool:
        """Whether all parts are included."""
        return self.reading.more_hint(len(self.parts) - 1) is None


def _lines(part: Content, width: int) -> list[Content]:
    return part.wrap(max(width, _NARROWEST))


_SCROLL_KEYS: list[BindingType] = [
    ("j", "scroll_down"),
    ("k", "scroll_up"),
    ("ctrl+d", "page_down"),
    ("ctrl+u", "page_up"),
    ("G", "scroll_end"),
    ("g", "scroll_home"),
]
"""The letters of pagers."""


class Page(ShowsWorkerErrors, ScrollView, can_focus=True):
    """A scrollable text. ``enter``, or a click on the last line, loads more of it."""

    DEFAULT_CSS = """
    Page {
        height: 1fr; width: 1fr; padding: 0 1; overflow-x: hidden; overflow-y: auto;
        scrollbar-size-vertical: 1;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*_SCROLL_KEYS, ("enter", "more")]

    def __init__(self, title: str, id: str) -> None:
        super().__init__(id=id)
        self.border_title = title
        self._cut: WrappedText | None = None
        self._more = 0
        self._strips: LRUCache[int, Strip] = LRUCache(_STRIPS_KEPT)

    @property
    def text_width(self) -> int:
        """Width of a line in cells; space for a scroll bar is always reserved."""
        return max(_NARROWEST, self.container_size.width - self.styles.gutter.width - 1)

    @property
    def reading(self) -> PagedText | None:
        """The text shown."""
        return None if self._cut is None else self._cut.reading

    @property
    def text(self) -> str:
        """The lines that can be scrolled to."""
        return "" if self._cut is None else "\n".join(line.plain for line in self._cut.lines)

    def show(self, cut: WrappedText | None, *, top: bool = True) -> None:
        """Show another text, from the top or at the current scroll position."""
        self._cut = cut
        self._strips.clear()
        self._measure()
        if top:
            self._more = 0
            self.scroll_home(animate=False)
        if cut is not None and cut.width != self.text_width:
            self._rewrap()
        self.refresh()

    def _measure(self) -> None:
        count = 0 if self._cut is None else len(self._cut.lines)
        self.virtual_size = Size(self.text_width, count)

    def on_resize(self, event: events.Resize) -> None:
        """Rewrap the text to the new width."""
        if self._cut is not None and self._cut.width != self.text_width:
            self._rewrap()

    def on_click(self, event: events.Click) -> None:
        """Load more on a click on the last line."""
        cut = self._cut
        if cut is not None and not cut.is_complete:
            offset = event.get_content_offset(self)
            if offset is not None and offset.y + self.scroll_offset.y >= len(cut.lines) - 1:
                self.action_more()

    def action_more(self) -> None:
        """Load the next part."""
        if self._cut is not None and not self._cut.is_complete:
            self._more += 1
            if self._more == 1:
                self._load_more()

    @work(group="page", exclusive=True, exit_on_error=False)
    async def _rewrap(self) -> None:
        cut = self._cut
        if cut is not None:
            made = await asyncio.to_thread(cut.rewrapped, self.text_width)
            if self._cut is cut:
                self.show(made, top=False)

    @work(group="more", exit_on_error=False)
    async def _load_more(self) -> None:
        """Load the requested parts, one after the other."""
        try:
            while self._more and (cut := self._cut) is not None and not cut.is_complete:
                made = await asyncio.to_thread(cut.with_next_part)
                if self._cut is cut:
                    self.show(made, top=False)
                    self._more -= 1
        finally:
            self._more = 0

    def notify_style_update(self) -> None:
        """Drop drawn lines, which contain theme colours."""
        super().notify_style_update()
        self._strips.clear()

    def render_line(self, y: int) -> Strip:
        """Draw one line."""
        number = y + self.scroll_offset.y
        width = self.scrollable_content_region.width
        cut = self._cut
        if cut is None or number >= len(cut.lines) or cut.width == _NARROWEST < self.text_width:
            # The last: wrapped before the layout was known, and wrapped again at this moment.
            return Strip.blank(width, self.rich_style)
        selection = self.text_selection
        strip = self._strips.get(number) if selection is None else None
        if strip is None:
            strip = self._drawn(cut.lines[number], number, selection)
            if selection is None:
                self._strips[number] = strip
        return strip.crop_extend(0, width, self.rich_style).apply_offsets(0, number)

    def _drawn(self, line: Content, number: int, selection: Selection | None) -> Strip:
        if selection is not None and (span := selection.get_span(number)) is not None:
            start, end = span
            style = Style.from_styles(self.screen.get_component_styles("screen--selection"))
            line = line.stylize(style, start, len(line.plain) if end == -1 else end)
        width = max(line.cell_length, 1)
        strips = Visual.to_strips(self, line, width, 1, self.visual_style, apply_selection=False)
        return strips[0] if strips else Strip.blank(0)

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """The text selected with the mouse, as shown."""
        return selection.extract(self.text), "\n"

    def selection_updated(self, selection: Selection | None) -> None:
        """Redraw with the new selection."""
        self._strips.clear()
        self.refresh()


class TextPage(VerticalScroll):
    """A scrollable text with a title; use ``Page`` for texts of unknown length."""

    DEFAULT_CSS = """
    TextPage { height: 1fr; width: 1fr; padding: 0 1; }
    TextPage Static { width: 1fr; }
    """
    BINDINGS = _SCROLL_KEYS

    def __init__(self, title: str, id: str) -> None:
        super().__init__(id=id)
        self.border_title = title
        self._body = Static("", markup=False)

    def compose(self) -> ComposeResult:
        """The text."""
        yield self._body

    def show_content(self, shown: Content) -> None:
        """Show another text from the top."""
        self._body.update(shown)
        self.scroll_home(animate=False)
