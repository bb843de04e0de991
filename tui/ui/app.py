"""The app: engine, screens, workers and signals wired together, and nothing else."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import events, on, work
from textual.actions import ActionParseResult
from textual.binding import Binding
from textual.dom import DOMNode
from textual.screen import Screen
from textual.widgets import Input

from tui.config import Config
from tui.errors import BatchdeckError
from tui.paths import Paths
from tui.ui.commands import COMMANDS, by_action
from tui.ui.journal import Journal
from tui.ui.screens.main import MainScreen
from tui.ui.signals import CopyRequested, EngineChanged, StateChanged, WorkRequested
from tui.ui.state import State
from tui.ui.switchboard import Switchboard
from tui.ui.targets import CommandTarget
from tui.ui.themed import ThemedApp

if TYPE_CHECKING:
    from textual.command import Provider
    from textual.driver import Driver

    from tui.engine.engine import Engine
    from tui.ui.bridge import EngineBridge
    from tui.ui.herald import Herald
    from tui.ui.tones import Part
    from tui.ui.work import Work

# Dialogs, workers and helpers are imported where they are first needed: after the first paint.

AGAIN_SECONDS = 3.0
"""Within so many seconds a second ctrl+c leaves."""

TITLE_SECONDS = 30.0
"""Between two looks at what hangs, for the terminal's title, while nothing happens."""


def _command_provider() -> type[Provider]:
    from tui.ui.palette import CommandProvider

    return CommandProvider


class BatchdeckApp(ThemedApp):
    """The dashboard.

    Args:
        paths: The home.
        config: The settings.
        open_engine: Opens the engine, after the first paint.
        open_file: A file of requests to show in Compose.
        now: The clock for ages, Unix seconds.
    """

    CSS_PATH = "app.tcss"
    TITLE = "Batchdeck"
    COMMANDS: ClassVar = {_command_provider}
    COMMAND_PALETTE_BINDING: ClassVar[str] = "ctrl+p"
    ENABLE_COMMAND_PALETTE = True

    def __init__(
        self,
        paths: Paths,
        config: Config,
        open_engine: Callable[[], Awaitable[Engine]],
        *,
        open_file: Path | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        super().__init__()
        self.paths = paths
        self.config = config
        self.state = State.load(paths)
        self.now = now
        self.journal = Journal(paths.log_file, now)
        self.engine: Engine | None = None
        self.deck: Work | None = None
        self._early: list[WorkRequested] = []
        self.herald: Herald | None = None
        self.complaint: BatchdeckError | None = None
        self.main = MainScreen(now=now)
        self.switch = Switchboard(self, self.main, config.keymap)
        self._open_engine, self._open_file, self._now = open_engine, open_file, now
        self._leaving, self._asked_at = False, 0.0
        self._clashes: set[str] = set()
        self.dress()

    @cached_property
    def bridge(self) -> EngineBridge:
        """Collects what the engine tells."""
        from tui.ui.bridge import EngineBridge

        return EngineBridge(lambda: self.post_message(EngineChanged()), self.journal)

    def get_driver_class(self) -> type[Driver]:
        """Textual's driver for this machine; one that ends with its terminal where it can."""
        chosen = super().get_driver_class()
        if chosen.__name__ != "LinuxDriver":
            return chosen
        from tui.ui.hangup import TerminalDriver

        return TerminalDriver

    def get_default_screen(self) -> Screen[None]:
        """The main screen."""
        return self.main

    def on_mount(self) -> None:
        """Put on the keys, and open the engine when the screen is painted."""
        self.set_keymap(self.switch.keymap_for(self.journal))
        loop = asyncio.get_running_loop()
        for name in ("SIGTERM", "SIGHUP"):
            if hasattr(signal, name):
                loop.add_signal_handler(getattr(signal, name), self._terminated)
        self.call_after_refresh(self._start_engine)

    @work(group="engine", exit_on_error=False)
    async def _start_engine(self) -> None:
        self.dress_panes()
        await self.main.fill()
        from tui.ui.work import Work

        try:
            engine = await self._open_engine()
        except BatchdeckError as error:
            from tui.ui.dialogs.error import ErrorDialog

            self.journal.note(error.message, bad=True)
            await self.push_screen_wait(ErrorDialog(error))
            self.exit(error.exit_code, return_code=error.exit_code)
            return
        from tui.ui.herald import Herald

        self.engine, self.may_keep = engine, True
        self.herald = Herald(self, engine.history, lambda: self.config.notifications)
        await self.main.set_engine(engine, self.state)
        self.bridge.watch_calmly(not self.app_focus)
        engine.events.subscribe(self.bridge.receive)
        self.deck = Work(self, engine)
        engine.watch()
        self._restore()
        self.set_interval(TITLE_SECONDS, self._show_title)
        self._show_title()
        if self.complaint is not None:
            self.deck.complain(self.complaint)
        for asked in self._early:
            self.deck.take(asked)

    def _show_title(self) -> None:
        if self.herald is not None:
            self.herald.show_title(self.main.batches.board)

    def take_config(self, config: Config) -> None:
        """Go by other settings from now on."""
        super().take_config(config)
        if self.engine is not None:
            self.engine.take_config(config)
        self._show_title()

    def _restore(self) -> None:
        job_id = self.state.job_id
        board = self.main.batches.board
        if board is not None and board.view(job_id) is not None:
            self.main.batches.select_job(job_id)
            if self.state.pane == "results":
                self.main.open_job(job_id)
        if self._open_file is not None:
            self.main.action_show("compose")
            self.main.compose_pane.open_file(self._open_file)

    def remember(self) -> None:
        """Keep where the person is for the next run."""
        job = self.main.batches.job
        self.state.job_id = job.id if job is not None else ""
        self.state.pane = self.main.pane
        self.main.batches.remember(self.state)
        self.main.results.remember()
        self.state.save(self.paths)

    def take_changes(self) -> None:
        """Show what the engine told since the last look."""
        changes = self.bridge.take()
        if self.engine is None or self.engine.is_closed or not changes:
            # The last events may arrive when there is no history left to read them from.
            return
        self.main.apply(changes)
        if self.herald is not None:
            self.herald.take(changes.ended)
        self._show_title()

    @on(EngineChanged)
    def _engine_changed(self) -> None:
        self.take_changes()

    @on(WorkRequested)
    def _work_requested(self, event: WorkRequested) -> None:
        if self.deck is None:
            # What is asked for while the program starts is done when it has.
            self._early.append(event)
        else:
            self.deck.take(event)

    @on(StateChanged)
    def _state_changed(self) -> None:
        self.state.save(self.paths)

    @on(CopyRequested)
    def _copy_requested(self, event: CopyRequested) -> None:
        from tui.ui.external import copy

        copy(self, event)

    async def run_action(
        self,
        action: str | ActionParseResult,
        default_namespace: DOMNode | None = None,
        namespaces: Mapping[str, DOMNode] | None = None,
    ) -> bool:
        """Run an action; the key of a command that is off says why."""
        if isinstance(action, str) and isinstance(default_namespace, CommandTarget):
            command = by_action(default_namespace.SCOPE, action.partition("(")[0])
            reason = default_namespace.why_not(command.id) if command is not None else ""
            if reason:
                self.clear_notifications()
                self.notify(reason, markup=False, timeout=3)
                return True
        return await super().run_action(action, default_namespace, namespaces)

    def on_key(self, event: events.Key) -> None:
        """Give a line what was typed ahead of it: keys in one breath with / went to the list.

        A line keeps the keys that it was given; one that comes here while it has the focus
        was on its way before.
        """
        if isinstance(self.focused, Input) and event.is_printable and event.character:
            event.prevent_default()
            self.focused.insert_text_at_cursor(event.character)

    def handle_bindings_clash(self, clashed_bindings: set[Binding], node: DOMNode) -> None:
        """Note, once, that two commands were given the same key."""
        ids = sorted(binding.id or binding.action for binding in clashed_bindings)
        if (clash := " and ".join(ids)) not in self._clashes:
            self._clashes.add(clash)
            self.journal.note(f"config.toml gives {clash} the same key", bad=True)

    def watch_app_focus(self, focused: bool) -> None:
        """Let the clock rest while nobody looks."""
        self.main.pause_clock(not focused)
        if self.engine is None:
            return
        self.bridge.watch_calmly(not focused)
        if focused:
            self._show_title()

    def action_help(self) -> None:
        """Show all keys."""
        from tui.ui.dialogs.help import HelpDialog

        switch = self.switch
        reasons = {command.id: switch.why_not(command) for command in COMMANDS}
        self.push_screen(HelpDialog(self.main.active_scope, switch.keys(), reasons))

    def action_log(self) -> None:
        """Show what the program did."""
        from tui.ui.dialogs.log import LogDialog
        from tui.ui.traffictext import traffic_parts

        def traffic() -> list[Part]:
            if self.engine is None:
                return [("The history is not open yet.", "muted")]
            return traffic_parts(self.engine, self._now())

        self.push_screen(LogDialog(self.journal.all(), traffic))

    def action_settings(self) -> None:
        """Change what people change."""
        from tui.ui.messages import SettingsRequested

        self.post_message(SettingsRequested())

    def action_new(self) -> None:
        """Choose a file for a new job."""
        from tui.ui.messages import FileRequested

        self.post_message(FileRequested())

    def action_sample(self) -> None:
        """Make a sample for the sandbox."""
        from tui.ui.messages import SampleRequested

        self.post_message(SampleRequested())

    def action_help_quit(self) -> None:
        """Leave at the second ctrl+c."""
        now = time.monotonic()
        if now - self._asked_at < AGAIN_SECONDS:
            self._leave(0)
        self._asked_at = now
        self.notify("Press ctrl+c again, or q, to leave", markup=False, timeout=AGAIN_SECONDS)

    async def action_quit(self) -> None:
        """Store what is under way, then leave; the second time leave at once."""
        self._leave(0)

    def _terminated(self) -> None:
        self._leave(130)

    def hung_up(self) -> None:
        """Store what is under way and leave: the terminal has gone, whatever signals came."""
        if not self._leaving:
            self._leave(130)

    @work(group="quit", exit_on_error=False)
    async def _leave(self, code: int) -> None:
        if self._leaving or self.engine is None:
            self.exit(code, return_code=code)
            return
        self._leaving = True
        self.remember()
        self.notify("Storing what is under way; q again leaves at once", markup=False)
        await self.engine.drain()
        await self.engine.close()
        if self.herald is not None:
            self.herald.terminal.restore_title()
        self.exit(code, return_code=code)
