"""Cards in columns."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widget import Widget

from tui.ui.text.plots import Lines
from tui.ui.text.tones import content

Draw = Callable[[int], Lines]
"""Takes a width in cells and returns lines."""

_FRAME = 4
"""Width of border and padding, in cells."""


class Card(Widget):
    """A titled box that redraws its content for its width.

    Args:
        title: The title, without control characters.
        draw: Returns the lines for a width.
        note: A note in the lower border, such as a key hint.
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
        """The number of lines at this width."""
        return max(1, len(self._lines(width)))

    def render(self) -> Content:
        """The lines, drawn to the current width."""
        lines = self._lines(self.content_size.width)
        return Content("\n").join([content(line) for line in lines])

    def _lines(self, width: int) -> Lines:
        """The lines for a width; in a tiny window the layout may leave none."""
        return self._draw(max(1, width))

    @property
    def title(self) -> str:
        """The title."""
        return self._title

    def update_from(self, other: Card) -> None:
        """Take over the content of another card with the same title."""
        height = len(self._lines(self.content_size.width))
        self._draw, self._note = other._draw, other._note
        self.border_subtitle = other._note
        self.refresh(layout=height != len(self._lines(self.content_size.width)))

    def height_at(self, width: int) -> int:
        """The height at this width, border included."""
        return len(self._lines(width - _FRAME)) + 2

    def copy(self) -> Card:
        """Return an unmounted copy."""
        return Card(self._title, self._draw, self._note)


MAX_COLUMNS = 3
MIN_CARD_WIDTH = 46
"""Minimum width of a card in cells, unless the screen is narrower."""


class Column(Vertical):
    """One column of cards."""

    DEFAULT_CSS = """
    Column { width: 1fr; height: auto; }
    Column.-empty { display: none; }
    """


class CardColumns(VerticalScroll):
    """Places each card in the column that is the shortest so far."""

    DEFAULT_CSS = """
    CardColumns > Horizontal { height: auto; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._cards: tuple[Card, ...] = ()
        self._column_count = 0
        self._lock = asyncio.Lock()
        self._columns = [Column() for _ in range(MAX_COLUMNS)]

    def compose(self) -> ComposeResult:
        """The columns."""
        with Horizontal():
            yield from self._columns

    async def show(self, cards: Sequence[Card]) -> None:
        """Show cards; if the titles are the same as before, update them in index."""
        async with self._lock:
            before = [card.title for card in self._cards]
            self._cards = tuple(cards)
            if before == [card.title for card in cards]:
                drawn = {card.title: card for card in cards}
                for card in self.query(Card):
                    card.update_from(drawn[card.title])
                return
            await self._arrange()
            self.scroll_home(animate=False)

    async def on_resize(self, event: events.Resize) -> None:
        """Rearrange the cards when the number of columns that fit changes."""
        if self._columns_that_fit() != self._column_count:
            async with self._lock:
                await self._arrange()

    def _columns_that_fit(self) -> int:
        return max(1, min(MAX_COLUMNS, self.size.width // MIN_CARD_WIDTH))

    async def _arrange(self) -> None:
        self._column_count = number = self._columns_that_fit()
        width = max(1, self.size.width // number)
        stacks: list[list[Card]] = [[] for _ in range(number)]
        heights = [0] * number
        for card in self._cards:
            index = heights.index(min(heights))
            stacks[index].append(card)
            heights[index] += card.height_at(width)
        for column in self._columns:
            # A mounted card cannot be mounted elsewhere, so columns get copies.
            await column.remove_children()
        for index, column in enumerate(self._columns):
            column.set_class(index >= number, "-empty")
            if index < number:
                await column.mount_all(card.copy() for card in stacks[index])
