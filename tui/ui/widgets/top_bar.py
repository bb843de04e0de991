"""The top bar: the program name, the three panes, and what is running."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from rich.cells import cell_len
from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Static

from tui.progress import Progress
from tui.ui.text.tones import Part, content

if TYPE_CHECKING:
    from tui.ui.models.job_list import JobList

PaneName = Literal["compose", "batches", "results"]

_PANES: tuple[tuple[PaneName, str], ...] = (
    ("compose", "Compose"),
    ("batches", "Batches"),
    ("results", "Results"),
)

PROGRESS_SECONDS = 0.25
"""Seconds between progress updates."""


class _Tab(Static):
    """A tab with a pane's name and key."""

    def __init__(self, pane: PaneName, number: int, label: str) -> None:
        super().__init__(
            content([(f" {number} ", "accent"), (f"{label} ", "")]), classes="tab", id=f"tab-{pane}"
        )
        self.pane = pane

    def on_click(self, event: events.Click) -> None:
        """Go to the pane."""
        event.stop()
        self.post_message(TopBar.PaneChosen(self.pane))


@dataclass(frozen=True)
class _Wording:
    """How much room the summary takes.

    Attributes:
        gap: Cells between two facts.
        stuck: Whether the jobs that need attention are told in words.
        running: Whether the running jobs are.
    """

    gap: int
    stuck: bool
    running: bool


class TopBar(Horizontal):
    """Shows the current pane, the number of running jobs and warnings."""

    DEFAULT_CSS = """
    TopBar { height: 1; }
    TopBar #brand { width: auto; padding: 0 1; }
    TopBar .tab { width: auto; }
    TopBar #running { width: 1fr; height: 1; text-align: right; padding: 0 1; }
    """

    _WORDINGS: ClassVar = (
        _Wording(gap=3, stuck=True, running=True),
        _Wording(gap=2, stuck=True, running=True),
        _Wording(gap=2, stuck=False, running=True),
        _Wording(gap=2, stuck=False, running=False),
    )
    """The longest that fits is shown."""

    @dataclass
    class PaneChosen(Message):
        """Posted when a tab is clicked."""

        pane: PaneName

    def __init__(self) -> None:
        super().__init__(id="top-bar")
        self._progress = ""
        self._live = self._stuck = 0
        self._drawn: list[Part] = []
        self._summary = Static("", id="running", markup=False)
        self._tabs = [_Tab(pane, index + 1, label) for index, (pane, label) in enumerate(_PANES)]

    def compose(self) -> ComposeResult:
        """The name, the tabs and the summary."""
        yield Static(content([("▚ ", "accent"), ("batchdeck", "strong")]), id="brand")
        yield from self._tabs
        yield self._summary

    @contextmanager
    def meter(self, verb: str, words: Callable[[int], str]) -> Iterator[Progress]:
        """Show the progress that is yielded while the context is open and the work is not done.

        Args:
            verb: What is being done, such as ``Writing``.
            words: Formats a number.
        """

        def draw(done: int, total: int | None) -> None:
            of = f" of {words(total)}" if total else ""
            self._progress = "" if total and done >= total else f"{verb} {words(done)}{of}"
            self._draw()

        try:
            yield Progress(draw, seconds=PROGRESS_SECONDS)
        finally:
            self._progress = ""
            self._draw()

    def show(self, pane: PaneName, board: JobList | None) -> None:
        """Show the current pane and the number of running jobs."""
        for tab in self._tabs:
            tab.set_class(tab.pane == pane, "-active")
        self._live = 0 if board is None else len(board.live())
        self._stuck = 0 if board is None else board.count_stuck()
        self._draw()

    def on_resize(self) -> None:
        """Choose the words that fit the new width, once the tabs have theirs."""
        self.call_after_refresh(self._draw)

    def _draw(self) -> None:
        width = self._summary.content_size.width
        parts = self._parts(self._WORDINGS[0])
        for wording in self._WORDINGS:
            parts = self._parts(wording)
            if not width or sum(cell_len(text) for text, _ in parts) <= width:
                break
        if parts != self._drawn:
            self._drawn = parts
            self._summary.update(content(parts), layout=False)

    def _parts(self, wording: _Wording) -> list[Part]:
        """What is to be told, in the given words."""
        told: list[Part] = []
        if self._progress:
            told.append((self._progress, "live"))
        if self._stuck:
            words = (" needs attention" if self._stuck == 1 else " need attention") * wording.stuck
            told.append((f"! {self._stuck}{words}", "warn"))
        if self._live:
            told.append((f"◑ {self._live}" + " running" * wording.running, "live"))
        gaps: list[Part] = [(" " * wording.gap, "")] * len(told)
        return [part for pair in zip(told, gaps, strict=True) for part in pair][:-1]
