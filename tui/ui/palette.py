"""The palette: every command by its name, with its key and what it does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider

from tui.ui.commands import COMMANDS, Command, Scope
from tui.ui.tones import content

if TYPE_CHECKING:
    from tui.ui.app import BatchdeckApp


BY_WORDS = 0.01
"""The score of a command that only its help speaks for."""


@dataclass(frozen=True)
class _Choice:
    command: Command
    title: str
    help: str
    run: Callable[[], object]
    is_off: bool


class CommandProvider(Provider):
    """Offers the commands of the table, those that are off with the reason."""

    def _choices(self) -> list[_Choice]:
        switch = cast("BatchdeckApp", self.app).switch
        keys = switch.keys()
        choices: list[_Choice] = []
        for command in COMMANDS:
            if not command.in_palette:
                continue
            reason = switch.why_not(command)
            words = f"Not now: {reason}" if reason else command.help
            title = _title(command, switch.scope)
            if keys[command.id]:
                title += f"  ({keys[command.id]})"
            choices.append(
                _Choice(command, title, words, partial(switch.run, command), bool(reason))
            )
        # What can be done here comes first; what cannot be done now comes last.
        return sorted(
            choices, key=lambda choice: (choice.is_off, switch.scope not in choice.command.scopes)
        )

    async def discover(self) -> Hits:
        """All commands, before anything is typed."""
        for choice in self._choices():
            yield DiscoveryHit(content([(choice.title, "")]), choice.run, choice.title, choice.help)

    async def search(self, query: str) -> Hits:
        """The commands that fit what is typed, by their names before by what they do."""
        matcher = self.matcher(query)
        wanted = query.strip().casefold()
        for choice in self._choices():
            score = matcher.match(choice.title)
            if score <= 0 and wanted and wanted in choice.command.help.casefold():
                score = BY_WORDS
            if score > 0:
                shown = matcher.highlight(choice.title)
                yield Hit(score, shown, choice.run, choice.title, choice.help)


def _title(command: Command, here: Scope) -> str:
    """``Results: Retry``; the pane in use where the command belongs to several."""
    scope = here if here in command.scopes else command.scopes[0]
    if scope in (Scope.MAIN, Scope.TABLE):
        return command.title
    return f"{scope.value}: {command.title}"
