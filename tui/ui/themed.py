"""An app that wears the colours and the density of its settings."""

from __future__ import annotations

import os
from pathlib import Path

from textual.app import App
from textual.worker import Worker, WorkerState

from tui.config import Config, set_option
from tui.core.text import one_line
from tui.errors import BatchdeckError, UsageError
from tui.paths import Paths
from tui.ui.journal import Journal
from tui.ui.theme import DEFAULT, THEMES, is_ansi, tone_variables, usable_theme, wear


class ThemedApp(App[int]):
    """Knows our themes, and keeps the one that is chosen."""

    paths: Paths
    config: Config
    journal: Journal
    may_keep = False
    """Are settings written yet? Not before the person could have chosen anything."""
    trying_themes = False
    """Is a theme shown that is not chosen?"""
    _without_theme = ""
    """What is to be told of a theme that there is not."""

    def __init__(self, config: Config) -> None:
        # What becomes of colours on their way to the terminal is decided here, before there is a
        # theme. For NO_COLOR it stays so: of terminal colours nothing is left, of others greys
        # that are wrong on a light ground.
        no_color = "NO_COLOR" in os.environ
        super().__init__(ansi_color=True if no_color or is_ansi(config.theme) else None)
        self.config = config
        if not no_color:
            self.set_reactive(App.ansi_color, None)

    def get_css_variables(self) -> dict[str, str]:
        """The colours of the theme, and what our tones make of them."""
        variables = super().get_css_variables()
        variables |= tone_variables(self.native_ansi_color, variables)
        self.theme_variables = variables
        return variables

    def dress(self) -> None:
        """Put on what the settings say, before anything is painted."""
        for theme in THEMES:
            self.register_theme(theme)
        try:
            theme = usable_theme(self, self.config.theme)
        except UsageError as error:
            # Told when there is a screen to tell it on.
            self._without_theme = f"config.toml: {error.message}. {error.hint}"
            theme = self.available_themes[DEFAULT]
        wear(self, theme)
        self.set_class(self.config.compact, "-compact", update=False)

    def dress_panes(self) -> None:
        """Read how all looks that follows the first paint."""
        for name in ("panes.tcss", "ansi.tcss"):
            file = Path(__file__).with_name(name)
            self.stylesheet.add_source(file.read_text("utf-8"), read_from=(str(file), ""))
        if self._without_theme:
            self.journal.note(self._without_theme, bad=True)
            self.notify(self._without_theme, markup=False, severity="warning")

    def tell_failure(self, error: BaseException) -> None:
        """Tell of an error that nobody thought of; the log file has all of it."""
        self.journal.note_crash(error)
        words = one_line(f"{type(error).__name__}: {error}", 160)
        self.notify(
            f"Something unexpected happened: {words}\n{self.paths.log_file} has the details",
            markup=False,
            severity="error",
        )

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """The same of the work of the app itself."""
        if event.state is WorkerState.ERROR and event.worker.error is not None:
            self.tell_failure(event.worker.error)

    def take_config(self, config: Config) -> None:
        """Go by other settings from now on."""
        self.config = config
        self.set_class(config.compact, "-compact")

    def action_theme(self) -> None:
        """Choose other colours, and keep them."""
        self.search_themes()

    def try_theme(self, theme: str) -> None:
        """Show other colours without keeping them."""
        self.trying_themes = True
        self.theme = theme

    def end_trying(self, theme: str) -> None:
        """Show the colours that were chosen, or those from before."""
        self.theme = theme
        self.trying_themes = False

    def watch_theme(self, theme: str) -> None:
        """Keep the colours that were chosen."""
        if not self.may_keep or self.trying_themes or theme == self.config.theme:
            return
        try:
            self.take_config(set_option(self.paths, "theme", theme))
        except BatchdeckError as error:
            self.notify(f"Not kept: {error.message}", markup=False, severity="warning")
