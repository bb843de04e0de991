"""The main screen: one line on top, the three panes, the keys at the bottom."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Literal, TypeAlias

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.reactive import reactive
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import Footer, Static

from tui.ui.commands import Scope, bindings
from tui.ui.room import HEIGHTS, VERY_WIDE, WIDE, WIDTHS
from tui.ui.signals import Changes, JobHighlighted, JobOpened, RowFilled
from tui.ui.tones import content
from tui.ui.widgets.top_bar import TopBar

if TYPE_CHECKING:
    from tui.engine.engine import Engine
    from tui.ui.screens.batches import BatchesPane
    from tui.ui.screens.compose import ComposePane
    from tui.ui.screens.results import ResultsPane
    from tui.ui.state import State
    from tui.ui.widgets.virtual_table import VirtualTable

    Pane: TypeAlias = ComposePane | BatchesPane | ResultsPane

# The panes are imported where they are made: the frame alone is the first paint, the list of
# jobs the second; the others follow when both are there.

PaneName = Literal["compose", "batches", "results"]

FOLLOW_PAUSE = 0.12
"""Seconds for which the cursor rests on a job before its rows are shown beside it."""


class MainScreen(Screen[None]):
    """Shows one pane, or Batches and Results side by side where there is room."""

    BINDINGS = bindings(Scope.MAIN)
    BINDING_GROUP_TITLE = "Everywhere"
    AUTO_FOCUS = ""
    HORIZONTAL_BREAKPOINTS = WIDTHS
    VERTICAL_BREAKPOINTS = HEIGHTS
    DEFAULT_CSS = """
    MainScreen { layout: vertical; }
    MainScreen #panes { height: 1fr; }
    MainScreen #panes > * { width: 1fr; height: 1fr; }
    MainScreen.-wide #panes > BatchesPane { width: 2fr; }
    MainScreen.-wide #panes > ResultsPane { width: 3fr; }
    MainScreen.-tall ResultsPane #row-view { display: block; }
    MainScreen.-tall ResultsPane.-empty #row-view { display: none; }
    MainScreen.-tall JobStrip { height: 45%; min-height: 11; max-height: 16; }
    MainScreen.-tall.-wide JobStrip { height: 50%; max-height: 28; layout: vertical; }
    MainScreen.-tall.-wide JobStrip #strip-facts { height: 12; }
    MainScreen.-tall.-medium JobStrip #strip-story,
    MainScreen.-tall.-wide JobStrip #strip-story { display: block; }
    MainScreen #too-small {
        display: none; height: 1fr; content-align: center middle; text-align: center;
    }
    MainScreen.-tiny > *, MainScreen.-flat > * { display: none; }
    MainScreen.-tiny > #too-small, MainScreen.-flat > #too-small { display: block; }
    """

    pane: reactive[PaneName] = reactive("batches", init=False)
    """The pane that has the keys."""

    def __init__(self, *, now: Callable[[], float] = time.time) -> None:
        super().__init__()
        self._clock: Timer | None = None
        self._follow: Timer | None = None
        self._now = now
        self._panes: dict[PaneName, Pane] = {}
        self._complete = False
        self._opening = ""
        self.top_bar = TopBar()

    @cached_property
    def compose_pane(self) -> ComposePane:
        """The pane in which a job is made."""
        from tui.ui.screens.compose import ComposePane

        return ComposePane(id="compose-pane")

    @cached_property
    def batches(self) -> BatchesPane:
        """The pane with all jobs."""
        from tui.ui.screens.batches import BatchesPane

        return BatchesPane(now=self._now, id="batches-pane")

    @cached_property
    def results(self) -> ResultsPane:
        """The pane with the rows of a job."""
        from tui.ui.screens.results import ResultsPane

        return ResultsPane(id="results-pane")

    def compose(self) -> ComposeResult:
        """The frame; the panes follow when it is painted."""
        yield self.top_bar
        yield Horizontal(id="panes")
        yield Static(_TOO_SMALL, id="too-small")
        yield Footer(show_command_palette=False, compact=True)

    def on_mount(self) -> None:
        """Show the list, and let the clock tick."""
        self._show_pane()
        self._clock = self.set_interval(1.0, self._tick)

    def on_resize(self) -> None:
        """Show one pane or two, and go on where the person was before there was too little room."""
        self._show_pane()
        self.call_after_refresh(self._go_on)

    def _go_on(self) -> None:
        if not self._complete or self.has_class("-tiny") or self.has_class("-flat"):
            return
        if self.focused is None:
            self._active.focus_rows()
        job = self.batches.job
        if self.has_class("-wide") and self.pane == "batches" and job is not None:
            self._follow_job(job.id)

    async def fill(self) -> None:
        """Put the list into the frame, and the rows beside it where both have room."""
        self._panes["batches"] = self.batches
        if self.app.size.width >= WIDE:
            self._panes["results"] = self.results
        await self.query_one("#panes").mount_all(self._panes.values())
        self._show_pane()
        if self.pane == "batches":
            self.set_focus(self.batches.jobs_table)

    async def _fill_up(self, engine: Engine) -> None:
        """Put in what was not shown so far, and do what was asked of it meanwhile."""
        for name in ("results", "compose"):
            # In a thread: keys are answered meanwhile.
            await asyncio.to_thread(import_module, f"tui.ui.screens.{name}")
        frame = self.query_one("#panes")
        # Out of sight until it is their turn: the list would be squeezed for a moment.
        self.compose_pane.display = False
        await frame.mount(self.compose_pane, before=self.batches)
        if "results" not in self._panes:
            self.results.display = False
            await frame.mount(self.results, after=self.batches)
        self._panes |= {"compose": self.compose_pane, "results": self.results}
        self.compose_pane.set_engine(engine)
        self.results.set_engine(engine)
        self._complete = True
        self._show_pane()
        if self._opening:
            self.open_job(self._opening)
        elif self.pane != "batches":
            self.action_show(self.pane)
        elif self.has_class("-wide") and self.batches.job is not None:
            self._follow_job(self.batches.job.id)

    def on_screen_resume(self) -> None:
        """Take note of a size that changed while a dialog was open."""
        self.post_message(events.Resize(self.app.size, self.app.size))

    async def set_engine(self, engine: Engine, state: State) -> None:
        """Give the engine to the panes, and show the jobs as they were listed last."""
        await self.batches.set_engine(engine, state)
        self._draw_top()
        await self._fill_up(engine)

    def apply(self, changes: Changes) -> None:
        """Show what the engine told."""
        self.batches.apply(changes)
        self.results.apply(changes)
        self._pass_done()
        self._draw_top()

    def watch_pane(self) -> None:
        """Show another pane, and give it the keys unless it has them."""
        self._show_pane()
        if self.pane in self._panes and not self._active.has_focus_within:
            self._active.focus_rows()

    @property
    def _active(self) -> Pane:
        return self._pane_of(self.pane)

    def _pane_of(self, name: PaneName) -> Pane:
        match name:
            case "compose":
                return self.compose_pane
            case "batches":
                return self.batches
            case "results":
                return self.results

    @property
    def active_scope(self) -> Scope:
        """The scope of the pane that has the keys."""
        return self._active.SCOPE

    def target(self, scope: Scope) -> Pane | None:
        """The pane that carries out the commands of a scope."""
        name = _PANE_OF_SCOPE.get(scope)
        return None if name is None else self._pane_of(name)

    @property
    def table(self) -> VirtualTable:
        """The table that has the keys, else the one of the pane."""
        from tui.ui.widgets.virtual_table import VirtualTable

        focused = self.focused
        if isinstance(focused, VirtualTable):
            return focused
        return self.results.rows_table if self.pane == "results" else self.batches.jobs_table

    def open_job(self, job_id: str) -> None:
        """Show the rows of a job, as soon as there is a pane for them."""
        if not self._complete:
            self._opening = job_id
            return
        if self._follow is not None:
            # The list may be about to show another one beside it.
            self._follow.stop()
        self.batches.select_job(job_id)
        self.results.show_job(job_id)
        self._pass_done()
        self.pane = "results"
        self.results.focus_rows()

    def show_in_list(self, job_id: str) -> None:
        """Show a job in the list."""
        self.pane = "batches"
        self.batches.select_job(job_id)

    def pause_clock(self, paused: bool) -> None:
        """Stop or start the clock: nobody looks at a terminal without focus."""
        if self._clock is None:
            return
        if paused:
            self._clock.pause()
        else:
            self._clock.resume()
            self._tick()

    def _show_pane(self) -> None:
        # Set at once rather than by a class: only what is displayed can take the focus.
        width = self.app.size.width
        beside = width >= WIDE and self.pane != "compose"
        if self.pane == "results" and width < VERY_WIDE and self.results.is_reading:
            # Request and answer beside each other need the room of both panes.
            beside = False
        for name, pane in self._panes.items():
            pane.display = name == self.pane or (beside and name != "compose")
        self._draw_top()

    def _draw_top(self) -> None:
        self.top_bar.show(self.pane, self.batches.board if self._panes else None)

    def _tick(self) -> None:
        if self._panes:
            self.batches.tick()

    def _pass_done(self) -> None:
        board, job_id = self.batches.board, self.results.job_id
        view = board.view(job_id) if board is not None and job_id is not None else None
        if view is not None:
            self.results.show_done(view.done)

    @on(events.DescendantFocus)
    def _pane_focused(self, event: events.DescendantFocus) -> None:
        # The event may be older than the last change of panes.
        if event.widget is not self.focused:
            return
        for name, pane in self._panes.items():
            if pane.display and pane in event.widget.ancestors_with_self:
                self.pane = name

    @on(RowFilled)
    def _row_filled(self) -> None:
        self._show_pane()

    @on(JobHighlighted)
    def _job_highlighted(self, event: JobHighlighted) -> None:
        if self._follow is not None:
            self._follow.stop()
        if self.has_class("-wide") and self.pane == "batches":
            job_id = event.job_id
            self._follow = self.set_timer(FOLLOW_PAUSE, lambda: self._follow_job(job_id))

    def _follow_job(self, job_id: str | None) -> None:
        if self.is_attached and self._complete and self.pane == "batches":
            self.results.show_job(job_id)
            self._pass_done()

    @on(JobOpened)
    def _job_opened(self, event: JobOpened) -> None:
        self.open_job(event.job_id)

    @on(TopBar.PaneChosen)
    def _pane_chosen(self, event: TopBar.PaneChosen) -> None:
        self.action_show(event.pane)

    def action_show(self, pane: PaneName) -> None:
        """Go to a pane; Results shows the job under the cursor when it shows none."""
        if not self._complete:
            # Shown as soon as it is there.
            self.pane = pane
            return
        if pane == "results" and self.results.job_id is None and self.batches.job is not None:
            self.results.show_job(self.batches.job.id)
        self.pane = pane
        self._active.focus_rows()

    async def action_leave(self) -> None:
        """Leave the row that is read; else leave the program."""
        if not (self.pane == "results" and self.results.is_reading and self.results.go_back()):
            await self.app.action_quit()

    def action_back(self) -> None:
        """Leave the innermost thing; from a pane, go to the list."""
        if not self._active.go_back() and self.pane != "batches":
            self.action_show("batches")


_PANE_OF_SCOPE: dict[Scope, PaneName] = {
    Scope.COMPOSE: "compose",
    Scope.BATCHES: "batches",
    Scope.RESULTS: "results",
}

_TOO_SMALL = content(
    [
        ("A little more room, please\n\n", "strong"),
        ("Batchdeck needs 60 columns and 16 lines.\n", "muted"),
        ("Everything goes on meanwhile; ", "muted"),
        ("q", "accent"),
        (" leaves.", "muted"),
    ]
)
