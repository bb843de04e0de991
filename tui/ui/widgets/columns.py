"""Cards side by side in as many columns as there is room for."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll

from tui.ui.widgets.card import Card

MOST = 3
NARROWEST = 46
"""Cells that a card has at the least, unless the screen itself is narrower."""


class Column(Vertical):
    """One column of cards."""

    DEFAULT_CSS = """
    Column { width: 1fr; height: auto; }
    Column.-empty { display: none; }
    """


class CardColumns(VerticalScroll):
    """Puts each card into the column that is the shortest so far."""

    DEFAULT_CSS = """
    CardColumns > Horizontal { height: auto; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._cards: tuple[Card, ...] = ()
        self._number = 0
        self._arranging = asyncio.Lock()
        self._columns = [Column() for _ in range(MOST)]

    def compose(self) -> ComposeResult:
        """The columns."""
        with Horizontal():
            yield from self._columns

    async def show(self, cards: Sequence[Card]) -> None:
        """Show other cards, from the top; cards about the same stay where they are."""
        async with self._arranging:
            before = [card.title for card in self._cards]
            self._cards = tuple(cards)
            if before == [card.title for card in cards]:
                drawn = {card.title: card for card in cards}
                for card in self.query(Card):
                    card.take(drawn[card.title])
                return
            await self._arrange()
            self.scroll_home(animate=False)

    async def on_resize(self, event: events.Resize) -> None:
        """Arrange the cards anew when another number of columns fits."""
        if self._fitting() != self._number:
            async with self._arranging:
                await self._arrange()

    def _fitting(self) -> int:
        return max(1, min(MOST, self.size.width // NARROWEST))

    async def _arrange(self) -> None:
        self._number = number = self._fitting()
        width = max(1, self.size.width // number)
        stacks: list[list[Card]] = [[] for _ in range(number)]
        heights = [0] * number
        for card in self._cards:
            place = heights.index(min(heights))
            stacks[place].append(card)
            heights[place] += card.lines_at(width)
        for column in self._columns:
            # A card that is mounted already cannot be mounted elsewhere: it is made anew.
            await column.remove_children()
        for place, column in enumerate(self._columns):
            column.set_class(place >= number, "-empty")
            if place < number:
                await column.mount_all(card.copy() for card in stacks[place])
