"""What carries out commands: a pane or screen that can say why it cannot just now."""

from __future__ import annotations

from typing import ClassVar

from textual.widget import Widget

from tui.ui.commands import Scope, by_action, of_scope
from tui.ui.failures import TellsFailures


class CommandTarget(TellsFailures, Widget):
    """A widget that has the commands of a scope, and a reason for each that is off.

    A command that is off stays in the footer, greyed; its key gives the reason.
    """

    SCOPE: ClassVar[Scope]

    _told: tuple[object, ...] = ()

    def why_not(self, command_id: str) -> str | None:
        """Why a command is off now: a sentence, empty when it is on, ``None`` to hide it."""
        return ""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Grey out the commands that are off, hide those that make no sense now."""
        command = by_action(self.SCOPE, action)
        if command is None:
            return super().check_action(action, parameters)
        reason = self.why_not(command.id)
        if reason is None:
            return False
        return True if not reason else None

    def update_commands(self) -> None:
        """Draw the footer anew if a command went on or off."""
        told = tuple(self.why_not(command.id) for command in of_scope(self.SCOPE))
        if told != self._told:
            self._told = told
            self.refresh_bindings()
