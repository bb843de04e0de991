"""The images of an answer, one at a time, before they are saved."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import ClassVar

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual import events, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Static

from tui.core.formatting import size
from tui.core.results.media import Medium, file_suffix
from tui.ui.dialogs.base import Dialog
from tui.ui.models.half_cells import HalfCells, draw
from tui.ui.text.tones import content, key_hints

_UPPER_HALF = "▀"


class Picture(Widget):
    """A drawn image, in the middle of its place."""

    DEFAULT_CSS = "Picture { width: 1fr; height: 1fr; }"

    def __init__(self) -> None:
        super().__init__()
        self._drawn: HalfCells | None = None

    def show(self, drawn: HalfCells | None) -> None:
        """Show an image, or nothing."""
        self._drawn = drawn
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """One line of cells."""
        drawn, width = self._drawn, self.size.width
        y -= 0 if drawn is None else (self.size.height - drawn.height) // 2
        if drawn is None or not 0 <= y < drawn.height:
            return Strip.blank(width, self.rich_style)
        left = max(0, (width - drawn.width) // 2)
        segments = [Segment(" " * left, self.rich_style)]
        for x in range(drawn.width):
            upper, lower = drawn.cell(x, y)
            style = Style(color=Color.from_rgb(*upper), bgcolor=Color.from_rgb(*lower))
            segments.append(Segment(_UPPER_HALF, style))
        return Strip(segments).adjust_cell_length(width, self.rich_style)


class ImagesDialog(Dialog[bool]):
    """The images of an answer; the result is whether the user wants to save the files.

    Args:
        images: The images, at least one.
    """

    DEFAULT_CSS = """
    ImagesDialog > .dialog { width: 96%; height: 96%; padding: 0 1; }
    ImagesDialog .dialog-keys { margin: 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right,down,j,space", "turn(1)", show=False),
        Binding("left,up,k", "turn(-1)", show=False),
        Binding("s,enter", "save", show=False),
        Binding("i", "leave", show=False),
    ]

    def __init__(self, images: Sequence[Medium]) -> None:
        super().__init__("Images" if len(images) > 1 else "Image")
        self._images = images
        self._shown = 0
        self._picture = Picture()
        self._fact = Static("", classes="dialog-keys", markup=False)

    def compose_content(self) -> ComposeResult:
        """The image, what it is, and the keys."""
        yield self._picture
        yield self._fact
        several = (("←→", "other images"),) if len(self._images) > 1 else ()
        keys = key_hints(*several, ("s", "save files"), ("esc", "close"))
        yield Static(content(keys), classes="dialog-keys")

    def on_resize(self, _: events.Resize) -> None:
        """Draw the image again in its new size."""
        self.call_after_refresh(self._draw)

    def action_turn(self, step: int) -> None:
        """Show the next or the previous image."""
        self._shown = (self._shown + step) % len(self._images)
        self._draw()

    def action_save(self) -> None:
        """Go on to the question where the files are saved."""
        self.dismiss(True)

    @work(group="image", exclusive=True, exit_on_error=False)
    async def _draw(self) -> None:
        medium = self._images[self._shown]
        columns, lines = self._picture.size
        data = await asyncio.to_thread(medium.data)
        drawn = await asyncio.to_thread(draw, data, columns, lines)
        self._picture.show(drawn)
        what = f"{file_suffix(data).removeprefix('.').upper()}, {size(len(data))}"
        if len(self._images) > 1:
            what = f"{self._shown + 1} of {len(self._images)} · {what}"
        if drawn is None:
            what += " · cannot be drawn here; s saves it"
        self._fact.update(content([(what, "muted")]))
