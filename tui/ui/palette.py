"""The palette: every command by its name, with its key and what it does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider

from tui.ui.commands import COMMANDS, Command
from tui.ui.tones import content

if TYPE_CHECKING:
    from tui.ui.app import BatchdeckApp


@dataclass(frozen=True)
class _Choice:
    command: Command
    title: str
    help: str
    run: Callable[[], object]


class CommandProvider(Provider):
    """Offers the commands of the table, those that are off with the reason."""

    def _choices(self) -> list[_Choice]:
        app = cast("BatchdeckApp", self.app)
        keys = app.keys_shown()
        choices: list[_Choice] = []
        for command in COMMANDS:
            if not command.in_palette:
                continue
            reason = app.why_not(command)
            key = keys.get(command.id, "")
            help_text = f"{command.help}  {key}".rstrip()
            if reason:
                help_text = f"Not now: {reason}"
            title = f"{command.scopes[0].value}: {command.title}"
            if command.scopes[0].name in ("MAIN", "TABLE"):
                title = command.title
            choices.append(_Choice(command, title, help_text, partial(app.run_command, command)))
        here = app.main.active_scope
        return sorted(choices, key=lambda choice: here not in choice.command.scopes)

    async def discover(self) -> Hits:
        """All commands, before anything is typed."""
        for choice in self._choices():
            yield DiscoveryHit(content([(choice.title, "")]), choice.run, choice.title, choice.help)

    async def search(self, query: str) -> Hits:
        """The commands that fit what is typed."""
        matcher = self.matcher(query)
        for choice in self._choices():
            score = matcher.match(choice.title)
            if score > 0:
                shown = matcher.highlight(choice.title)
                yield Hit(score, shown, choice.run, choice.title, choice.help)
