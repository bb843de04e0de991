"""The main screen: the top bar, the three panes and the footer."""

from __future__ import annotations

import asyncio
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.dom import DOMNode
from textual.reactive import reactive
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import Static

from tui.core.text import one_line
from tui.ui.commands.command_table import Scope, bindings
from tui.ui.models.dropped_paths import existing_paths
from tui.ui.session import Session
from tui.ui.text.tones import content
from tui.ui.theme import HEIGHTS, VERY_WIDE, WIDE, WIDTHS
from tui.ui.widgets.basics import several_dropped
from tui.ui.widgets.key_footer import KeyFooter
from tui.ui.widgets.top_bar import TopBar

if TYPE_CHECKING:
    from tui.compose.sources.base import Source
    from tui.ui.engine_updates import Changes
    from tui.ui.models.tour import Guide
    from tui.ui.panes.batches import BatchesPane
    from tui.ui.panes.compose.pane import ComposePane
    from tui.ui.panes.results.pane import ResultsPane
    from tui.ui.widgets.table.table import VirtualTable

    Pane: TypeAlias = ComposePane | BatchesPane | ResultsPane

# The panes are imported lazily: the first paint is the empty frame, the second the list of
# jobs; the other panes follow.

PaneName = Literal["compose", "batches", "results"]

FOLLOW_DELAY = 0.12
"""Seconds without a cursor move before the rows of a job are shown next to the list."""


class MainScreen(Screen[None]):
    """Shows one pane, or Batches and Results side by side on a wide terminal."""

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

    pane: reactive[PaneName] = reactive("batches", init=False, repaint=False)
    """The active pane."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._clock: Timer | None = None
        self._follow: Timer | None = None
        self._follow_id: str | None = None
        self._panes: dict[PaneName, Pane] = {}
        self._complete = False
        self._dropped: list[str] = []
        self._opening = ""
        self.top_bar = TopBar()
        self.tour: Guide | None = None
        """Says the next step of the guided first run; ``None`` without one."""

    @cached_property
    def compose_pane(self) -> ComposePane:
        """The Compose pane."""
        from tui.ui.panes.compose.pane import ComposePane

        return ComposePane(self._session, id="compose-pane")

    @cached_property
    def batches(self) -> BatchesPane:
        """The Batches pane."""
        from tui.ui.panes.batches import BatchesPane

        return BatchesPane(self._session, id="batches-pane")

    @cached_property
    def results(self) -> ResultsPane:
        """The Results pane."""
        from tui.ui.panes.results.pane import ResultsPane

        return ResultsPane(self._session, id="results-pane")

    def compose(self) -> ComposeResult:
        """The frame; the panes are mounted after the first paint."""
        yield self.top_bar
        yield Horizontal(id="panes")
        yield Static(_TOO_SMALL, id="too-small")
        yield KeyFooter()

    def on_mount(self) -> None:
        """Show the active pane and start the clock."""
        self._show_pane()
        self._clock = self.set_interval(1.0, self._tick)

    def on_resize(self) -> None:
        """Show one pane or two, and restore the focus after the terminal was too small."""
        self._show_pane()
        self.call_after_refresh(self._restore_focus)

    def _restore_focus(self) -> None:
        if not self._complete or self.has_class("-tiny") or self.has_class("-flat"):
            return
        if self.focused is None:
            self._active.focus_rows()
        job = self.batches.job
        if self.has_class("-wide") and self.pane == "batches" and job is not None:
            self._follow_job(job.id)

    async def mount_panes(self) -> None:
        """Mount the Batches pane, and the Results pane too on a wide terminal."""
        self._panes["batches"] = self.batches
        if self.app.size.width >= WIDE:
            self._panes["results"] = self.results
        await self.query_one("#panes").mount_all(self._panes.values())
        self._show_pane()
        if self.pane == "batches":
            self.set_focus(self.batches.jobs_table)

    async def _mount_remaining(self) -> None:
        """Mount the remaining panes, and do what was requested meanwhile."""
        for name in ("results", "compose"):
            # In a thread, to stay responsive.
            await asyncio.to_thread(import_module, f"tui.ui.panes.{name}.pane")
        frame = self.query_one("#panes")
        # Hidden at first: otherwise the list would shrink for a moment.
        self.compose_pane.display = False
        await frame.mount(self.compose_pane, before=self.batches)
        if "results" not in self._panes:
            self.results.display = False
            await frame.mount(self.results, after=self.batches)
        self._panes |= {"compose": self.compose_pane, "results": self.results}
        self.compose_pane.open()
        self._complete = True
        self._show_pane()
        if self._opening:
            self.open_job(self._opening)
        elif self.pane != "batches":
            self.action_show(self.pane)
        elif self.has_class("-wide") and self.batches.job is not None:
            self._follow_job(self.batches.job.id)
        if self._dropped:
            self._open_dropped(self._dropped)

    def on_screen_resume(self) -> None:
        """Handle a resize that happened while a dialog was open."""
        self.post_message(events.Resize(self.app.size, self.app.size))

    async def open(self) -> None:
        """Show the jobs once the engine is open, then mount the remaining panes."""
        await self.batches.open()
        self._draw_top()
        await self._mount_remaining()

    def account_added(self, name: str) -> None:
        """Offer a new account in Compose, and select it there."""
        self.compose_pane.choose_account(name)

    def remember(self) -> None:
        """Save the current pane, job and filters for the next run."""
        state, job = self._session.state, self.batches.job
        state.job_id = job.id if job is not None else ""
        state.pane = self.pane
        self.batches.remember()
        self.results.remember()
        if "compose" in self._panes:
            self.compose_pane.remember()
        self._session.save_state()

    def apply(self, changes: Changes) -> None:
        """Apply changes reported by the engine."""
        self.batches.apply(changes)
        self._apply_to_results(changes)
        self._update_done()
        self._draw_top()

    def _apply_to_results(self, changes: Changes) -> None:
        before = self.results.job_id
        self.results.apply(changes)
        if before is not None and self.results.job_id is None and self.pane == "results":
            # The job was deleted.
            self.action_show("batches")

    def close_deleted(self, job_ids: set[str]) -> None:
        """Close jobs that another program has deleted."""
        if self.results.job_id in job_ids:
            self.results.show_job(None)
            if self.pane == "results":
                self.action_show("batches")
        self.batches.reload()

    def on_batches_pane_jobs_gone(self, event: BatchesPane.JobsGone) -> None:
        """Say that jobs were deleted by another program."""
        names = [one_line(job.name, 40) for job in event.jobs]
        what = names[0] if len(names) == 1 else f"{len(names)} jobs"
        verb = "was" if len(names) == 1 else "were"
        self.notify(f"{what} {verb} deleted elsewhere", markup=False)
        self._session.log.note(f"deleted elsewhere: {', '.join(names)}")

    def watch_focused(self) -> None:
        """Mark the pane with the focus.

        By a class: with ``:focus-within`` all widgets of a pane would get their styles anew at
        each change of focus inside it.
        """
        for pane in self._panes.values():
            if pane.has_class("-focused") is not pane.has_focus_within:
                pane.set_class(pane.has_focus_within, "-focused", update=False)
                # Its frame alone tells that it has the focus.
                self.app.stylesheet.update_nodes([pane])

    def watch_pane(self) -> None:
        """Show the pane and focus it."""
        if self._stop_following() and self.pane == "results":
            # The cursor has moved, and its job is not shown yet.
            self.results.show_job(self._follow_id)
            self._update_done()
        self._show_pane()
        self._focus_pane()
        # A focus that was asked for before is given only now, also to a widget that is hidden.
        self.app.call_later(self._focus_pane)

    def _focus_pane(self) -> None:
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
        """The command scope of the active pane."""
        return self._active.SCOPE

    def target(self, scope: Scope) -> DOMNode | None:
        """The widget that runs the commands of a scope; ``None`` if it is not on this screen."""
        if scope is Scope.MAIN:
            return self
        if scope is Scope.TABLE:
            return self.table
        name = _PANE_OF_SCOPE.get(scope)
        return None if name is None else self._pane_of(name)

    @property
    def table(self) -> VirtualTable:
        """The focused table, else the one of the active pane."""
        from tui.ui.widgets.table.table import VirtualTable

        focused = self.focused
        if isinstance(focused, VirtualTable):
            return focused
        return self.results.rows_table if self.pane == "results" else self.batches.jobs_table

    def open_job(self, job_id: str) -> None:
        """Show the rows of a job, as soon as the Results pane is mounted."""
        if not self._complete:
            self._opening = job_id
            return
        # A pending timer would show another job.
        self._stop_following()
        self.batches.select_job(job_id)
        self.results.show_job(job_id)
        self._update_done()
        self.pane = "results"
        self.results.focus_rows()

    def open_file(self, path: Path, account: str = "") -> None:
        """Open a file in Compose."""
        self.action_show("compose")
        self.compose_pane.open_file(path, account)

    def open_rows(self, spec: str, source: Source | None = None) -> None:
        """Open rows of a job in Compose; see ``ComposePane.open_rows``."""
        self.action_show("compose")
        self.compose_pane.open_rows(spec, source)

    def show_imported(self, job_id: str) -> None:
        """Close the source in Compose, and select the job that was made of it."""
        self.compose_pane.clear()
        self.batches.add_job(job_id)
        self.show_in_list(job_id)

    def show_in_list(self, job_id: str) -> None:
        """Go to Batches and select a job."""
        self.pane = "batches"
        self.batches.select_job(job_id)

    def pause_clock(self, paused: bool) -> None:
        """Pause or resume the clock, which is not needed while the terminal has no focus."""
        if self._clock is None:
            return
        if paused:
            self._clock.pause()
        else:
            self._clock.resume()
            self._tick()

    def _show_pane(self) -> None:
        # Set directly rather than by a class: only a displayed widget can take the focus.
        width = self.app.size.width
        beside = width >= WIDE and self.pane != "compose"
        if self.pane == "results" and width < VERY_WIDE and self.results.is_reading:
            # Request and answer side by side need the full width.
            beside = False
        for name, pane in self._panes.items():
            pane.display = name == self.pane or (beside and name != "compose")
        self._draw_top()

    def _draw_top(self) -> None:
        self.top_bar.show(self.pane, self.batches.board if self._panes else None)

    def _tick(self) -> None:
        if self._panes:
            self.batches.tick()

    def _update_done(self) -> None:
        board, job_id = self.batches.board, self.results.job_id
        view = board.view(job_id) if board is not None and job_id is not None else None
        if view is not None:
            self.results.show_done(view.done)

    def on_paste(self, event: events.Paste) -> None:
        """Open a file that is dropped on the window, whichever pane is shown."""
        paths = existing_paths(event.text)
        if paths:
            event.stop()
            if self._complete:
                self._open_dropped(paths)
            else:
                # The first screen is painted before Compose exists.
                self._dropped = paths

    def _open_dropped(self, paths: list[str]) -> None:
        self.action_show("compose")
        self.compose_pane.open_source(paths[0])
        if words := several_dropped(paths):
            self.notify(words, markup=False)

    @on(events.DescendantFocus)
    def _pane_focused(self, event: events.DescendantFocus) -> None:
        # The event may be from before the last change of panes.
        if event.widget is not self.focused:
            return
        for name, pane in self._panes.items():
            if pane.display and pane in event.widget.ancestors_with_self:
                self.pane = name

    # By name, since the panes are not imported yet.

    def on_results_pane_row_filled(self) -> None:
        """Make room for one row, or show the list again."""
        self._show_pane()

    def on_batches_pane_job_highlighted(self, event: BatchesPane.JobHighlighted) -> None:
        """Show the rows of the job under the cursor beside the list, after a moment."""
        self._stop_following()
        if self.has_class("-wide") and self.pane == "batches":
            self._follow_id = job_id = event.job_id
            self._follow = self.set_timer(FOLLOW_DELAY, lambda: self._follow_job(job_id))

    def _stop_following(self) -> bool:
        """Stop the timer that shows the job under the cursor; whether it was still due."""
        timer, self._follow = self._follow, None
        if timer is not None:
            timer.stop()
        return timer is not None

    def _follow_job(self, job_id: str | None) -> None:
        self._follow = None
        if self.is_attached and self._complete and self.pane == "batches":
            self.results.show_job(job_id)
            self._update_done()

    def on_batches_pane_job_opened(self, event: BatchesPane.JobOpened) -> None:
        """Show the rows of a job."""
        self.open_job(event.job_id)

    @on(TopBar.PaneChosen)
    def _pane_chosen(self, event: TopBar.PaneChosen) -> None:
        self.action_show(event.pane)

    def action_show(self, pane: PaneName) -> None:
        """Go to a pane; an empty Results pane shows the job under the cursor."""
        if not self._complete:
            # Shown as soon as it is mounted.
            self.pane = pane
            return
        if pane == "results" and self.results.job_id is None and self.batches.job is not None:
            self.results.show_job(self.batches.job.id)
        self.pane = pane
        self._active.focus_rows()

    async def action_leave(self) -> None:
        """Close the row view, else quit."""
        if not (self.pane == "results" and self.results.is_reading and self.results.go_back()):
            await self.app.action_quit()

    async def show_tour(self, tour: Guide) -> None:
        """Show the panel of the guided first run below the top bar."""
        self.tour = tour
        await self.mount(tour.panel, after=self.top_bar)
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The commands of the tour work only while there is one."""
        if action in ("skip_step", "leave_tour"):
            return self.tour is not None
        return super().check_action(action, parameters)

    def action_skip_step(self) -> None:
        """Go on to the next step of the tour."""
        if self.tour is not None:
            self.tour.skip()

    async def action_leave_tour(self) -> None:
        """Close the panel of the tour."""
        tour, self.tour = self.tour, None
        if tour is not None:
            await tour.panel.remove()
            self.refresh_bindings()

    def action_back(self) -> None:
        """Go one level back within the pane, else to Batches."""
        if self.pane not in self._panes:
            # It is still being mounted.
            self.pane = "batches"
        elif not self._active.go_back() and self.pane != "batches":
            self.action_show("batches")


_PANE_OF_SCOPE: dict[Scope, PaneName] = {
    Scope.COMPOSE: "compose",
    Scope.BATCHES: "batches",
    Scope.RESULTS: "results",
}

_TOO_SMALL = content(
    [
        ("Window too small\n\n", "strong"),
        ("Batchdeck needs 60 columns and 16 lines.\n", "muted"),
        ("Jobs keep running; ", "muted"),
        ("q", "accent"),
        (" quits.", "muted"),
    ]
)
