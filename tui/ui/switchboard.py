"""Who carries out a command now, and with which keys: for palette and help."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from textual.app import App
from textual.binding import Binding
from textual.dom import DOMNode

from tui.ui.commands import BY_ID, COMMANDS, Command, Scope
from tui.ui.journal import Journal
from tui.ui.targets import CommandTarget

if TYPE_CHECKING:
    from tui.ui.screens.main import MainScreen


class Switchboard:
    """Connects commands that were chosen by name to the pane they are meant for.

    Args:
        app: Runs the actions.
        main: Has the panes.
        keymap: The person's own keys, by command id.
    """

    def __init__(self, app: App[Any], main: MainScreen, keymap: Mapping[str, str]) -> None:
        self._app = app
        self._main = main
        self._keymap = keymap

    @property
    def scope(self) -> Scope:
        """The scope of the pane in use."""
        return self._main.active_scope

    def target(self, command: Command) -> DOMNode | None:
        """What carries out a command: the pane in use, where it can."""
        if self.scope in command.scopes:
            return self._main.target(self.scope)
        if Scope.TABLE in command.scopes:
            return self._main.table
        if Scope.MAIN in command.scopes:
            return self._main
        return self._main.target(command.scopes[0])

    def why_not(self, command: Command) -> str:
        """Why a command is off now; empty when it is on."""
        target = self.target(command)
        if isinstance(target, CommandTarget):
            reason = target.why_not(command.id)
            return "Open a row first (enter)." if reason is None else reason
        if target is not None and target.check_action(command.action_name, ()) is False:
            return "This list has nothing of the kind."
        return ""

    def run(self, command: Command) -> None:
        """Carry out a command, or say why not."""
        reason = self.why_not(command)
        if reason:
            self._app.notify(reason, markup=False, timeout=3)
        else:
            self._app.call_later(self._app.run_action, command.action_string, self.target(command))

    def keymap_for(self, journal: Journal) -> dict[str, str]:
        """The person's own keys for commands that there are; the rest is noted."""
        for unknown in sorted(self._keymap.keys() - BY_ID.keys()):
            import difflib

            near = difflib.get_close_matches(unknown, BY_ID, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            journal.note(f"config.toml: there is no command {unknown!r}{hint}", bad=True)
        return {id: keys for id, keys in self._keymap.items() if id in BY_ID}

    def keys(self) -> dict[str, str]:
        """The keys of every command as they are mapped now, as a person reads them."""
        shown: dict[str, str] = {}
        for command in COMMANDS:
            keys = self._keymap.get(command.id, command.keys)
            bindings = Binding.make_bindings([Binding(keys, "")]) if keys else ()
            shown[command.id] = " ".join(self._app.get_key_display(binding) for binding in bindings)
        return shown
