"""The line on top: the name, the three panes, and what runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Static

from tui.ui.board import Board
from tui.ui.tones import Part, content

PaneName = Literal["compose", "batches", "results"]

_PANES: tuple[tuple[PaneName, str], ...] = (
    ("compose", "Compose"),
    ("batches", "Batches"),
    ("results", "Results"),
)


class _Tab(Static):
    """A pane's name with its key; a click goes there."""

    def __init__(self, pane: PaneName, number: int, label: str) -> None:
        super().__init__(
            content([(f" {number} ", "accent"), (f"{label} ", "")]), classes="tab", id=f"tab-{pane}"
        )
        self.pane = pane

    def on_click(self, event: events.Click) -> None:
        """Go to the pane."""
        event.stop()
        self.post_message(TopBar.PaneChosen(self.pane))


class TopBar(Horizontal):
    """Says where one is, and what goes on elsewhere."""

    DEFAULT_CSS = """
    TopBar { height: 1; }
    TopBar #brand { width: auto; padding: 0 1; }
    TopBar .tab { width: auto; }
    TopBar #running { width: 1fr; text-align: right; padding: 0 1; }
    """

    @dataclass
    class PaneChosen(Message):
        """Posted when a name is clicked."""

        pane: PaneName

    def __init__(self) -> None:
        super().__init__(id="top-bar")
        self._summary = Static("", id="running", markup=False)
        self._tabs = [_Tab(pane, index + 1, label) for index, (pane, label) in enumerate(_PANES)]

    def compose(self) -> ComposeResult:
        """Name, panes, what runs."""
        yield Static(content([("▚ ", "accent"), ("batchdeck", "strong")]), id="brand")
        yield from self._tabs
        yield self._summary

    def show(self, pane: PaneName, board: Board | None) -> None:
        """Show which pane has the keys, and what runs."""
        for tab in self._tabs:
            tab.set_class(tab.pane == pane, "-active")
        parts: list[Part] = []
        if board is not None:
            live = board.live()
            if live:
                parts.append((f"◑ {len(live)} running", "live"))
        self._summary.update(content(parts), layout=False)
