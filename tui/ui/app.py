"""The dashboard: opens the engine after the first paint; joins session, screens and tasks."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import events, on, work
from textual.actions import ActionParseResult, parse
from textual.binding import Binding
from textual.command import CommandPalette
from textual.dom import DOMNode
from textual.driver import Driver
from textual.notifications import Notification, Notify, SeverityLevel
from textual.screen import Screen
from textual.worker import Worker, WorkerState

from tui.config.settings import Config, set_option
from tui.core.text import one_line, shorten_paths
from tui.errors import BatchdeckError, ConfigError, HistoryError, UnknownJobError, UsageError
from tui.paths import Paths
from tui.ui.commands.dispatch import CommandDispatcher, CommandProvider, CommandTarget
from tui.ui.event_guard import GuardedApp
from tui.ui.repaints import install as install_repaints
from tui.ui.screens.main import MainScreen
from tui.ui.session import ConfigChanged, JobGone, Session
from tui.ui.text.terminal_safe import TerminalDoor
from tui.ui.text.tones import Part
from tui.ui.theme import DEFAULT, THEMES, is_ansi, set_initial_theme, tone_variables, usable_theme
from tui.ui.theme_files import read_theme_files

if TYPE_CHECKING:
    from tui.engine.engine import Engine
    from tui.ui.engine_updates import EngineUpdates
    from tui.ui.notifications import Notifications
    from tui.ui.tasks.runner import TaskRunner

# Dialogs, workers and helpers are imported where they are first used, after the first paint.

QUIT_CONFIRM_SECONDS = 3.0
"""Seconds for which the notice of the first ctrl+c is shown; a second one meanwhile quits."""

PAUSE_SECONDS = 4.0
"""How often it is looked whether no key was pressed for half of this time."""

TITLE_SECONDS = 30.0
"""How often the terminal title is updated while no events arrive (stuck jobs depend on time)."""


class BatchdeckApp(GuardedApp[int]):
    """The dashboard.

    Args:
        paths: Paths of the Batchdeck home.
        config: The settings.
        open_engine: Opens the engine; called after the first paint.
        open_file: A request file to open in Compose.
        tour: Whether to show the guided first run.
        now: The clock for ages, in Unix seconds.
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
        tour: bool = False,
        now: Callable[[], float] = time.time,
    ) -> None:
        # Textual decides in its constructor how to convert colours, before a theme is set. With
        # NO_COLOR this stays on: it strips the terminal's colours completely, but turns other
        # colours into greys that are unreadable on a light background.
        no_color = "NO_COLOR" in os.environ
        install_repaints()
        super().__init__(ansi_color=True if no_color or is_ansi(config.theme) else None)
        if not no_color:
            self.set_reactive(BatchdeckApp.ansi_color, None)
        self.session = Session(self, paths, config, self._load_tasks, now)
        self.activity_log = self.session.log
        self.config_error: BatchdeckError | None = None
        self._filters.append(TerminalDoor())
        self.on_started: Callable[[], None] | None = None
        self.on_pause: Callable[[], None] | None = None
        """Called now and then when no key was pressed for a moment."""
        self.on_left: Callable[[int], None] | None = None
        self.notifications: Notifications | None = None
        self.updates: EngineUpdates | None = None
        """Collects the events of the engine; ``None`` until it is open."""
        self.main = MainScreen(self.session)
        self.dispatcher = CommandDispatcher(
            self,
            lambda: self.main.active_scope,
            self.main.target,
            config.keymap,
            self.session.own.commands,
        )
        self._open_engine, self._open_file, self._tour = open_engine, open_file, tour
        self._leaving = False
        self._pressed_at = 0.0
        self._quit_notice: Notification | None = None
        self._reason: Notification | None = None
        self._clashes: set[str] = set()
        self._gone: set[str] = set()
        self._theme_problem = ""
        self._apply_theme()

    @property
    def engine(self) -> Engine | None:
        """The engine; ``None`` until it is open."""
        return self.session.engine if self.session.is_open else None

    def get_default_screen(self) -> Screen[None]:
        """The main screen."""
        return self.main

    def _load_tasks(self) -> TaskRunner:
        from tui.ui.tasks.context import TaskContext
        from tui.ui.tasks.runner import TaskRunner

        return TaskRunner(TaskContext(self.session, self.main))

    # Start

    def on_mount(self) -> None:
        """Set the keymap and signal handlers, and open the engine after the first paint."""
        self.set_keymap(self.dispatcher.keymap_for(self.session.log))
        for problem in self.session.own.problems:
            self.session.log.note(problem, bad=True)
            self.notify(problem, markup=False, severity="warning", timeout=10)
        loop = asyncio.get_running_loop()
        for name in ("SIGTERM", "SIGHUP"):
            # Event loops on Windows do not support signal handlers.
            with contextlib.suppress(AttributeError, NotImplementedError):
                loop.add_signal_handler(getattr(signal, name), self._terminated)
        self.call_after_refresh(self._start_engine)

    @work(group="engine", exit_on_error=False)
    async def _start_engine(self) -> None:
        self._load_pane_styles()
        await self.main.mount_panes()
        session = self.session
        try:
            engine = await self._open_engine()
        except BatchdeckError as error:
            session.log.note(error.message, bad=True)
            await self._end_by(error)
            return
        except Exception as error:
            if self._exit:
                raise
            # Without a history there is nothing to go on with.
            text = one_line(session.log.note_crash(error), 200)
            hint = "" if session.log.file is None else f"Details are in {session.log.file}"
            await self._end_by(HistoryError(f"the history was not opened: {text}", hint))
            return
        from tui.ui.engine_updates import EngineUpdates
        from tui.ui.notifications import Notifications

        session.open(engine)
        self.notifications = Notifications(session)
        await self.main.open()
        # In a thread, to stay responsive.
        await asyncio.to_thread(import_module, "tui.ui.tasks.runner")
        self.updates = EngineUpdates(
            lambda: self.call_later(self.apply_changes), session.log, self._name_of
        )
        self.updates.set_slow(not self.app_focus)
        engine.events.subscribe(self.updates.receive)
        if engine.history.is_read_only:
            self._say_read_only(engine.history.paths)
        else:
            engine.watch()
        self._restore()
        if self._tour:
            from tui.ui.screens.tour import TourGuide

            guide = TourGuide(self.main, self.dispatcher.keys())
            engine.events.subscribe(guide.receive)
            await self.main.show_tour(guide)
        self.set_interval(TITLE_SECONDS, self._show_title)
        self.set_interval(PAUSE_SECONDS, self._pause)
        self._show_title()
        if self.config_error is not None:
            self._show_config_error(self.config_error)
        session.ready.set()
        if self.on_started is not None:
            self.call_after_refresh(self.on_started)

    async def _end_by(self, error: BatchdeckError) -> None:
        from tui.ui.dialogs.text import ErrorDialog

        await self.push_screen_wait(ErrorDialog(error))
        self.exit(error.exit_code, return_code=error.exit_code)

    def _name_of(self, job_id: str) -> str:
        board = self.main.batches.board
        return job_id if board is None else board.name_of(job_id)

    def _say_read_only(self, paths: Paths) -> None:
        from tui.ui.dialogs.text import ErrorDialog

        error = HistoryError(
            f"{paths.data} cannot be written",
            "The history is shown as it is. To send or change anything, check the permissions of"
            " the folder, or choose another with --home.",
        )
        self.session.log.note(error.message, bad=True)
        self.push_screen(ErrorDialog(error, "Read only"))

    def _show_config_error(self, error: BatchdeckError) -> None:
        from tui.ui.dialogs.text import ErrorDialog

        self.session.log.note(error.message, bad=True)
        hint = (
            f"{error.hint}\nThe valid settings and defaults are used."
            " With no known budget, only free jobs are submitted."
        )
        shown = ConfigError(error.message, hint)
        self.push_screen(ErrorDialog(shown, "Problem in config.toml"))

    def _restore(self) -> None:
        state = self.session.state
        board = self.main.batches.board
        if board is not None and board.view(state.job_id) is not None:
            self.main.batches.select_job(state.job_id)
            if state.pane == "results":
                self.main.open_job(state.job_id)
        if self._open_file is not None:
            self.main.open_file(self._open_file)

    # Theme and settings

    def get_css_variables(self) -> dict[str, str]:
        """The variables of the theme and of our tones."""
        variables = super().get_css_variables()
        variables |= tone_variables(self.native_ansi_color, variables)
        self.theme_variables = variables
        return variables

    def _apply_theme(self) -> None:
        """Apply theme and density from the settings, before the first paint."""
        own = read_theme_files(self.session.paths.config)
        for theme in (*THEMES, *own.themes):
            self.register_theme(theme)
        config = self.session.config
        # Shown once there is a screen.
        problems = list(own.problems)
        try:
            theme = usable_theme(self, config.theme)
        except UsageError as error:
            problems.append(f"config.toml: {error.message}. {error.hint}")
            theme = self.available_themes[DEFAULT]
        self._theme_problem = "\n".join(problems)
        set_initial_theme(self, theme)
        self.set_class(config.compact, "-compact", update=False)

    def _load_pane_styles(self) -> None:
        """Load the stylesheets that are not needed for the first paint."""
        for name in ("panes.tcss", "ansi.tcss"):
            file = Path(__file__).with_name(name)
            self.stylesheet.add_source(file.read_text("utf-8"), read_from=(str(file), ""))
        if self._theme_problem:
            self.session.log.note(self._theme_problem, bad=True)
            self.notify(self._theme_problem, markup=False, severity="warning")

    def action_theme(self) -> None:
        """Choose a theme and save it."""
        self.search_themes()

    def watch_theme(self, theme: str) -> None:
        """Save a theme that the user chose."""
        session = self.session
        if session.is_previewing_theme or not session.is_open or theme == session.config.theme:
            return
        try:
            session.set_config(set_option(session.paths, "theme", theme))
        except BatchdeckError as error:
            self.notify(f"Theme not saved: {error.message}", markup=False, severity="warning")

    @on(JobGone)
    def _job_gone(self, event: JobGone) -> None:
        if self.session.is_open and event.job_id not in self._gone:
            # Once for each job: a table may read it again before the list knows.
            self._gone.add(event.job_id)
            self.main.close_deleted({event.job_id})

    def survive(self, error: Exception) -> bool:
        """Report an error of a handler; a job that another program deleted is none.

        Nor is what a handler finds while the dashboard ends, with the history already closed.
        """
        if self.session.is_open and self.session.engine.is_closed:
            return True
        if isinstance(error, UnknownJobError) and self.session.is_open:
            self.call_later(self.main.close_deleted, set())
            return True
        return super().survive(error)

    @on(ConfigChanged)
    def _config_changed(self) -> None:
        self.set_class(self.session.config.compact, "-compact")
        self._show_title()

    # Changes

    def apply_changes(self) -> None:
        """Show the changes that the engine has reported since the last call."""
        changes = None if self.updates is None else self.updates.drain()
        if not changes or self.session.engine.is_closed:
            # The last events may arrive after the history has been closed.
            return
        self.main.apply(changes)
        from tui.ui.engine_updates import JobsChanged

        for screen in self.screen_stack[1:]:
            screen.post_message(JobsChanged())
        if self.notifications is not None:
            self.notifications.notify_ended(changes.ended)
        for job_id, (what, good) in changes.deadlines.items():
            text = f"{one_line(self._name_of(job_id), 40)}: {what}"
            self.notify(text, markup=False, severity="information" if good else "warning")
        self._show_title()

    def _pause(self) -> None:
        if self.on_pause is not None and time.monotonic() - self._pressed_at > PAUSE_SECONDS / 2:
            self.on_pause()

    def _show_title(self) -> None:
        if self.notifications is not None:
            self.notifications.show_title(self.main.batches.board)

    def watch_app_focus(self, focused: bool) -> None:
        """Pause the clock and slow down updates while the terminal does not have the focus."""
        self.main.pause_clock(not focused)
        if self.updates is not None:
            self.updates.set_slow(not focused)
        if focused:
            self._show_title()

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Show the error of a failed worker of the app itself."""
        error = event.worker.error
        if event.state is not WorkerState.ERROR or error is None:
            return
        if self.session.is_open and self.session.engine.is_closed:
            return
        if isinstance(error, UnknownJobError):
            self.main.close_deleted(set())
        else:
            self.report_unexpected(error)

    def post_display_hook(self) -> None:
        """Let the tour see what is shown."""
        if self.main.tour is not None:
            self.main.tour.look()

    # Commands and keys

    async def run_action(
        self,
        action: str | ActionParseResult,
        default_namespace: DOMNode | None = None,
        namespaces: Mapping[str, DOMNode] | None = None,
    ) -> bool:
        """Run an action; if its command is disabled, show the reason instead."""
        reason: str | None = ""
        if isinstance(action, str) and isinstance(default_namespace, CommandTarget):
            _, name, parameters = parse(action)
            reason = default_namespace.why_disabled(str(parameters[0])) if name == "run" else ""
        self._show_reason(reason or "")
        if reason:
            return True
        return await super().run_action(action, default_namespace, namespaces)

    def _show_reason(self, reason: str) -> None:
        """Show why a command is disabled, until the next command; empty shows nothing."""
        if self._reason is not None:
            self._unnotify(self._reason)
            self._reason = None
        if reason:
            self._reason = Notification(reason, timeout=3, markup=False)
            self.post_message(Notify(self._reason))

    def handle_bindings_clash(self, clashed_bindings: set[Binding], node: DOMNode) -> None:
        """Log, once per clash, that the keymap gives two commands the same key."""
        ids = sorted(binding.id or binding.action for binding in clashed_bindings)
        if (clash := " and ".join(ids)) not in self._clashes:
            self._clashes.add(clash)
            self.session.log.note(f"config.toml gives {clash} the same key", bad=True)

    def action_command_palette(self) -> None:
        """Show the command palette, once; the one before may not be quite gone."""
        # Without Textual's fixed id, which two of them could not have.
        if not any(isinstance(screen, CommandPalette) for screen in self.screen_stack):
            self.push_screen(CommandPalette())

    def action_help(self) -> None:
        """Explain the field that has the focus, and show all keys."""
        from tui.ui.dialogs.help.dialog import HelpDialog
        from tui.ui.text.field_help import field_help

        dispatcher = self.dispatcher
        reasons = {command.id: dispatcher.why_disabled(command) for command in dispatcher.commands}
        field = field_help(self.focused)
        if field is not None and self.screen is not self.main:
            # The commands of the panes do not work in a dialog.
            self.push_screen(HelpDialog(None, {}, {}, field))
            return
        here = self.main.active_scope
        self.push_screen(HelpDialog(here, dispatcher.keys(), reasons, field, dispatcher.commands))

    def action_log(self) -> None:
        """Show the activity log."""
        from tui.ui.dialogs.text import LogDialog, traffic_parts

        def traffic() -> list[Part]:
            if not self.session.is_open:
                return [("The history is not open yet.", "muted")]
            return traffic_parts(self.session.engine, self.session.now())

        self.push_screen(LogDialog(self.session.log.all(), traffic))

    def action_settings(self) -> None:
        """Show and change the settings."""
        self.session.tasks.settings()

    def action_add_account(self) -> None:
        """Add an account."""
        self.session.tasks.add_account()

    def action_set_key(self) -> None:
        """Give an account a key."""
        self.session.tasks.set_key()

    def action_new(self) -> None:
        """Choose a file for a new job."""
        self.session.tasks.pick_file()

    def action_sample(self) -> None:
        """Create a sample request file for the sandbox."""
        self.session.tasks.sample()

    async def on_event(self, event: events.Event) -> None:
        """Remember when a key was pressed, which may be long before it is handled."""
        if isinstance(event, events.Key):
            self._pressed_at = event.time
        await super().on_event(event)

    def action_help_quit(self) -> None:
        """Quit at a ctrl+c that was pressed while the notice of the first one was shown."""
        delay = time.monotonic() - self._pressed_at
        notice = self._quit_notice
        if notice is not None and notice.time_left + delay > 0:
            self._leave(0)
        self._quit_notice = Notification(
            "Press ctrl+c again (or q) to quit", timeout=QUIT_CONFIRM_SECONDS
        )
        self.post_message(Notify(self._quit_notice))

    async def action_quit(self) -> None:
        """Finish what is being stored, then quit; quit immediately the second time."""
        self._leave(0)

    def get_driver_class(self) -> type[Driver]:
        """Textual's driver, or our subclass of its Linux driver."""
        driver = super().get_driver_class()
        if driver.__name__ == "LinuxDriver":
            from tui.ui.terminal_driver import TerminalDriver

            return TerminalDriver
        return driver

    def _terminated(self) -> None:
        from tui.ui.terminal_driver import TerminalDriver

        if isinstance(self._driver, TerminalDriver):
            self._driver.stop_input_if_gone()
        self._leave(130)

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = True,
    ) -> None:
        """Show a text for a moment; its long paths are cut, so that the rest can be seen."""
        super().notify(
            shorten_paths(message), title=title, severity=severity, timeout=timeout, markup=markup
        )

    def terminal_closed(self) -> None:
        """Save and quit because the terminal is gone, whether or not a signal arrived."""
        if not self._leaving:
            self._leave(130)

    @work(group="quit", exit_on_error=False)
    async def _leave(self, code: int) -> None:
        if self._leaving or not self.session.is_open:
            self._end(code)
            return
        self._leaving = True
        self.main.remember()
        self.notify("Finishing up… press q again to quit now", markup=False)
        await self.session.engine.drain()
        await self.session.engine.close()
        if self.notifications is not None:
            self.notifications.terminal.restore_title()
        self._end(code)

    def _end(self, code: int) -> None:
        if self.on_left is not None:
            self.on_left(code)
        self.exit(code, return_code=code)
