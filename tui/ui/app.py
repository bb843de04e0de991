"""The app: engine, screens, workers and signals wired together, and nothing else."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.actions import ActionParseResult
from textual.app import App
from textual.binding import Binding
from textual.dom import DOMNode
from textual.message import Message
from textual.screen import Screen

from tui.config import Config, set_option
from tui.errors import BatchdeckError
from tui.paths import Paths
from tui.ui.bridge import EngineBridge
from tui.ui.commands import COMMANDS, by_action
from tui.ui.journal import Journal
from tui.ui.messages import (
    ComposeRequested,
    CopyRequested,
    DraftSubmitRequested,
    EngineChanged,
    ExportRequested,
    ExternalRequested,
    FileRequested,
    JobRequested,
    RetryRequested,
    SampleRequested,
    SubmitRequested,
)
from tui.ui.palette import CommandProvider
from tui.ui.screens.main import MainScreen
from tui.ui.state import State
from tui.ui.switchboard import Switchboard
from tui.ui.targets import CommandTarget
from tui.ui.theme import THEMES, usable_theme, wear

if TYPE_CHECKING:
    from tui.engine.engine import Engine
    from tui.ui.work import Work

# Dialogs, workers and helpers are imported where they are first needed: after the first paint.

AGAIN_SECONDS = 3.0
"""Within so many seconds a second ctrl+c leaves."""


class BatchdeckApp(App[int]):
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
    COMMANDS: ClassVar = {CommandProvider}
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
        self.journal = Journal(paths.log_file, now)
        self.bridge = EngineBridge(lambda: self.post_message(EngineChanged()), self.journal)
        self.engine: Engine | None = None
        self.deck: Work | None = None
        self.main = MainScreen(now=now)
        self.switch = Switchboard(self, self.main, config.keymap)
        self._open_engine, self._open_file = open_engine, open_file
        self._leaving, self._asked_at = False, 0.0
        self._clashes: set[str] = set()
        for theme in THEMES:
            self.register_theme(theme)
        wear(self, usable_theme(self, config.theme, self.journal))

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
        self.engine = engine
        self.deck = Work(self, engine)
        engine.events.subscribe(self.bridge.receive)
        self.main.set_engine(engine)
        engine.watch()
        self._restore()

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
        self.state.save(self.paths)

    def take_changes(self) -> None:
        """Show what the engine told since the last look."""
        changes = self.bridge.take()
        if self.engine is None or not changes:
            return
        from tui.ui.endings import describe_endings

        self.main.apply(changes)
        note = describe_endings(self.engine.history, changes.ended)
        if note is not None:
            text, good = note
            self.notify(text, markup=False, severity="information" if good else "warning")
            if not self.app_focus:
                self.bell()

    @on(EngineChanged)
    def _engine_changed(self) -> None:
        self.take_changes()

    @on(FileRequested)
    @on(ComposeRequested)
    @on(SubmitRequested)
    @on(DraftSubmitRequested)
    @on(RetryRequested)
    @on(JobRequested)
    @on(ExportRequested)
    @on(ExternalRequested)
    def _work_requested(self, event: Message) -> None:
        if self.deck is not None:
            self.deck.take(event)

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

    def handle_bindings_clash(self, clashed_bindings: set[Binding], node: DOMNode) -> None:
        """Note, once, that two commands were given the same key."""
        ids = sorted(binding.id or binding.action for binding in clashed_bindings)
        if (clash := " and ".join(ids)) not in self._clashes:
            self._clashes.add(clash)
            self.journal.note(f"config.toml gives {clash} the same key", bad=True)

    def watch_app_focus(self, focused: bool) -> None:
        """Let the clock rest while nobody looks."""
        self.main.pause_clock(not focused)

    def action_help(self) -> None:
        """Show all keys."""
        from tui.ui.dialogs.help import HelpDialog

        switch = self.switch
        reasons = {command.id: switch.why_not(command) for command in COMMANDS}
        self.push_screen(HelpDialog(self.main.active_scope, switch.keys(), reasons))

    def action_log(self) -> None:
        """Show what the program did."""
        from tui.ui.dialogs.log import LogDialog

        self.push_screen(LogDialog(self.journal.entries))

    def action_new(self) -> None:
        """Choose a file for a new job."""
        self.post_message(FileRequested())

    def action_sample(self) -> None:
        """Make a sample for the sandbox."""
        self.post_message(SampleRequested())

    def action_theme(self) -> None:
        """Choose other colours, and keep them."""
        self.search_themes()

    def watch_theme(self, theme: str) -> None:
        """Keep the colours that were chosen."""
        if self.engine is not None and theme != self.config.theme:
            set_option(self.paths, "theme", theme)

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
        self.exit(code, return_code=code)


def run_dashboard(
    paths: Paths, config: Config, *, open_file: Path | None = None, demo: bool = False
) -> int:
    """Run the dashboard until the person leaves.

    Args:
        paths: The home.
        config: The settings.
        open_file: A file of requests to show in Compose.
        demo: Fill the home with a history first.

    Returns:
        The exit code.
    """

    async def open_engine() -> Engine:
        from tui.engine.engine import Engine

        if demo:
            from tui.engine.demo import seed_demo

            # In a loop of its own: a few thousand rows are imported while this one paints.
            await asyncio.to_thread(lambda: asyncio.run(seed_demo(paths)))
        return await Engine.open(paths, config)

    app = BatchdeckApp(paths, config, open_engine, open_file=open_file)
    return app.run() or app.return_code or 0
