"""The line on top: the name, the three panes, and what runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Static

from tui.ui.tones import Part, content

if TYPE_CHECKING:
    from tui.ui.board import Board

PaneName = Literal["compose", "batches", "results"]

_PANES: tuple[tuple[PaneName, str], ...] = (
    ("compose", "Compose"),
    ("batches", "Batches"),
    ("results", "Results"),
)

METER_SECONDS = 0.25
"""Seconds between two looks at how far a piece of work is."""


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
        self._progress = ""
        self._live = self._stuck = 0
        self._drawn: list[Part] = []
        self._summary = Static("", id="running", markup=False)
        self._tabs = [_Tab(pane, index + 1, label) for index, (pane, label) in enumerate(_PANES)]

    def compose(self) -> ComposeResult:
        """Name, panes, what runs."""
        yield Static(content([("▚ ", "accent"), ("batchdeck", "strong")]), id="brand")
        yield from self._tabs
        yield self._summary

    @contextmanager
    def meter(self, verb: str, words: Callable[[int], str]) -> Iterator[Callable[[int, int], None]]:
        """Show how far a piece of work is, for as long as it takes.

        Args:
            verb: What is done: ``Writing``.
            words: How a figure is written.

        Yields:
            To be called with what is done and what there is; from any thread.
        """
        seen: list[tuple[int, int]] = []

        def draw() -> None:
            if seen:
                done, total = seen[-1]
                self._progress = f"{verb} {words(done)} of {words(total)}"
                self._draw()

        timer = self.set_interval(METER_SECONDS, draw)
        try:
            # A list of one, replaced in one step, is safe to share with a thread.
            yield lambda done, total: seen.__setitem__(slice(None), [(done, total)])
        finally:
            timer.stop()
            self._progress = ""
            self._draw()

    def show(self, pane: PaneName, board: Board | None) -> None:
        """Show which pane has the keys, and what runs."""
        for tab in self._tabs:
            tab.set_class(tab.pane == pane, "-active")
        self._live = 0 if board is None else len(board.live())
        self._stuck = 0 if board is None else board.stuck()
        self._draw()

    def _draw(self) -> None:
        parts: list[Part] = []
        if self._progress:
            parts += [(self._progress, "live"), ("   ", "")]
        if self._stuck:
            parts += [(f"! {self._stuck} to look at", "warn"), ("   ", "")]
        if self._live:
            parts.append((f"◑ {self._live} running", "live"))
        if parts != self._drawn:
            self._drawn = parts
            self._summary.update(content(parts), layout=False)
