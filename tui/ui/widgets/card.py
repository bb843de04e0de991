"""A box with a title in which something is drawn as wide as the box is."""

from __future__ import annotations

from collections.abc import Callable

from textual.content import Content
from textual.widget import Widget

from tui.ui.plots import Lines
from tui.ui.tones import content

Draw = Callable[[int], Lines]
"""Takes a width in cells and gives lines."""

_FRAME = 4
"""Cells that border and padding take."""


class Card(Widget):
    """Draws itself anew for each width.

    Args:
        title: What it is about, free of control characters.
        draw: Makes the lines.
        note: A word at the lower edge, such as the key that changes it.
    """

    DEFAULT_CSS = """
    Card { height: auto; padding: 0 1; }
    """

    def __init__(self, title: str, draw: Draw, note: str = "") -> None:
        super().__init__()
        self._draw = draw
        self._title = title
        self._note = note
        self.border_title = title
        self.border_subtitle = note

    def get_content_height(self, container: object, viewport: object, width: int) -> int:
        """As many lines as are drawn."""
        return max(1, len(self._draw(width)))

    def render(self) -> Content:
        """The lines, as wide as there is room."""
        lines = self._draw(self.content_size.width)
        return Content("\n").join([content(line) for line in lines])

    @property
    def title(self) -> str:
        """What it is about."""
        return self._title

    def take(self, other: Card) -> None:
        """Draw what another card about the same draws, in the same place."""
        height = len(self._draw(max(1, self.content_size.width)))
        self._draw, self._note = other._draw, other._note
        self.border_subtitle = other._note
        self.refresh(layout=height != len(self._draw(max(1, self.content_size.width))))

    def lines_at(self, width: int) -> int:
        """How high it stands in so many cells, frame and all."""
        return len(self._draw(max(1, width - _FRAME))) + 2

    def copy(self) -> Card:
        """The same card, not shown anywhere yet."""
        return Card(self._title, self._draw, self._note)
