"""A long text that scrolls: cut into lines in a thread, drawn line by line when it is seen."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events, work
from textual.binding import BindingType
from textual.cache import LRUCache
from textual.content import Content
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip
from textual.style import Style
from textual.visual import Visual

from tui.ui.failures import TellsFailures
from tui.ui.reading import Reading
from tui.ui.tones import content

_STRIPS_KEPT = 512
_NARROWEST = 8


@dataclass(frozen=True)
class Cut:
    """The first parts of a reading, cut into lines of a width. Made in a thread."""

    reading: Reading
    parts: tuple[Content, ...]
    lines: tuple[Content, ...]
    width: int

    @classmethod
    def of(cls, reading: Reading, width: int, count: int = 1) -> Cut:
        """Cut the first ``count`` parts of a reading."""
        return cls.made(reading, tuple(reading.part(number) for number in range(count)), width)

    @classmethod
    def made(cls, reading: Reading, parts: Sequence[Content], width: int) -> Cut:
        """Cut parts that there are already, in another width."""
        lines: list[Content] = []
        rest = reading.rest_after(len(parts) - 1)
        for number, part in enumerate(parts, 1):
            # The end of a line ends the part; it does not begin an empty one.
            follows = number < len(parts) or rest is not None
            ended = follows and part.plain.endswith("\n")
            lines += _lines(part.right_crop(1) if ended else part, width)
        if rest is not None:
            lines += _lines(content([rest]), width)
        return cls(reading, tuple(parts), tuple(lines), width)

    def longer(self) -> Cut:
        """With one part more."""
        part = self.reading.part(len(self.parts))
        return Cut.made(self.reading, (*self.parts, part), self.width)

    def wide(self, width: int) -> Cut:
        """In another width."""
        return Cut.made(self.reading, self.parts, width)

    @property
    def is_whole(self) -> bool:
        """Does nothing follow?"""
        return self.reading.rest_after(len(self.parts) - 1) is None


def _lines(part: Content, width: int) -> list[Content]:
    return part.wrap(max(width, _NARROWEST))


class Page(TellsFailures, ScrollView, can_focus=True):
    """A reading, from its top. ``enter``, or a click on its last line, shows more of it."""

    DEFAULT_CSS = """
    Page {
        height: 1fr; width: 1fr; padding: 0 1; overflow-x: hidden; overflow-y: auto;
        scrollbar-size-vertical: 1;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        ("j", "scroll_down"),
        ("k", "scroll_up"),
        ("ctrl+d", "page_down"),
        ("ctrl+u", "page_up"),
        ("G", "scroll_end"),
        ("g", "scroll_home"),
        ("enter", "more"),
    ]

    def __init__(self, title: str, id: str) -> None:
        super().__init__(id=id)
        self.border_title = title
        self._cut: Cut | None = None
        self._more = 0
        self._strips: LRUCache[int, Strip] = LRUCache(_STRIPS_KEPT)

    @property
    def text_width(self) -> int:
        """Cells of a line; a scroll bar is reckoned with, so that its coming moves nothing."""
        return max(_NARROWEST, self.container_size.width - self.styles.gutter.width - 1)

    @property
    def reading(self) -> Reading | None:
        """What is shown."""
        return None if self._cut is None else self._cut.reading

    @property
    def text(self) -> str:
        """The lines that can be scrolled to."""
        return "" if self._cut is None else "\n".join(line.plain for line in self._cut.lines)

    def show(self, cut: Cut | None, *, top: bool = True) -> None:
        """Show another text, from its top or from where the page stands."""
        self._cut = cut
        self._strips.clear()
        self._measure()
        if top:
            self._more = 0
            self.scroll_home(animate=False)
        if cut is not None and cut.width != self.text_width:
            self._wrap_anew()
        self.refresh()

    def _measure(self) -> None:
        count = 0 if self._cut is None else len(self._cut.lines)
        self.virtual_size = Size(self.text_width, count)

    def on_resize(self, event: events.Resize) -> None:
        """Lines are as wide as the page."""
        if self._cut is not None and self._cut.width != self.text_width:
            self._wrap_anew()

    def on_click(self, event: events.Click) -> None:
        """A click on the line that tells of more."""
        cut = self._cut
        if cut is not None and not cut.is_whole:
            offset = event.get_content_offset(self)
            if offset is not None and offset.y + self.scroll_offset.y >= len(cut.lines) - 1:
                self.action_more()

    def action_more(self) -> None:
        """Show the next part as well."""
        if self._cut is not None and not self._cut.is_whole:
            self._more += 1
            if self._more == 1:
                self._lengthen()

    @work(group="page", exclusive=True, exit_on_error=False)
    async def _wrap_anew(self) -> None:
        cut = self._cut
        if cut is not None:
            made = await asyncio.to_thread(cut.wide, self.text_width)
            if self._cut is cut:
                self.show(made, top=False)

    @work(group="more", exit_on_error=False)
    async def _lengthen(self) -> None:
        """Show as many parts more as were asked for, one after the other."""
        try:
            while self._more and (cut := self._cut) is not None and not cut.is_whole:
                made = await asyncio.to_thread(cut.longer)
                if self._cut is cut:
                    self.show(made, top=False)
                    self._more -= 1
        finally:
            self._more = 0

    def notify_style_update(self) -> None:
        """Lines hold colours of the theme."""
        super().notify_style_update()
        self._strips.clear()

    def render_line(self, y: int) -> Strip:
        """One line of the screen."""
        number = y + self.scroll_offset.y
        width = self.scrollable_content_region.width
        cut = self._cut
        if cut is None or number >= len(cut.lines):
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
            look = Style.from_styles(self.screen.get_component_styles("screen--selection"))
            line = line.stylize(look, start, len(line.plain) if end == -1 else end)
        width = max(line.cell_length, 1)
        strips = Visual.to_strips(self, line, width, 1, self.visual_style, apply_selection=False)
        return strips[0] if strips else Strip.blank(0)

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """The text that the mouse has marked, as it stands on the screen."""
        return selection.extract(self.text), "\n"

    def selection_updated(self, selection: Selection | None) -> None:
        """Draw with the new marking."""
        self._strips.clear()
        self.refresh()
