"""Which widget runs a command now, and why a command is disabled; the command palette."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, cast

from textual.app import App
from textual.binding import Binding
from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.dom import DOMNode
from textual.widget import Widget
from textual.worker import Worker, WorkerState

from tui.ui.activity_log import ActivityLog
from tui.ui.commands.command_table import (
    COMMANDS,
    Command,
    Scope,
    action_in,
    of_scope,
)
from tui.ui.commands.own_commands import own_bindings
from tui.ui.text.tones import content


class ShowsWorkerErrors:
    """Mixin for widgets with workers: shows the error of a worker that failed.

    Textual posts the state of a worker to its owner only; without a handler there, the error of
    a worker started with ``exit_on_error=False`` would be lost.
    """

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Let the app show the error of a failed worker, as it does for its own."""
        if event.state is WorkerState.ERROR:
            cast("Widget", self).app.post_message(event)


class CommandTarget(ShowsWorkerErrors, Widget):
    """A widget with the commands of a scope, and a reason for each disabled command.

    A disabled command stays in the footer, greyed out; pressing its key shows the reason.
    """

    SCOPE: ClassVar[Scope]

    _commands: Sequence[Command] = COMMANDS
    _reasons: tuple[object, ...] = ()

    def add_commands(self, own: Sequence[Command]) -> None:
        """Add the commands of the user's own actions, with their keys."""
        self._commands = (*COMMANDS, *own)
        keys = self._bindings.key_to_bindings
        for binding in Binding.make_bindings(own_bindings(own, self.SCOPE)):
            keys[binding.key] = [*keys.get(binding.key, ()), binding]

    def watch_has_focus(self, _has_focus: bool) -> None:
        """Style nothing: it looks alike with the focus, and Textual would style all in it anew."""

    def why_disabled(self, command_id: str) -> str | None:
        """Why a command is disabled now: a sentence; empty if enabled, ``None`` to hide it."""
        return ""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Grey out disabled commands, and hide those that do not apply."""
        if action != "run":
            return super().check_action(action, parameters)
        reason = self.why_disabled(str(parameters[0]))
        if reason is None:
            return False
        return True if not reason else None

    def action_run(self, command_id: str) -> None:
        """Run a command of this scope."""
        self.run(command_id)

    def run(self, command_id: str) -> bool:
        """Run a command with the method ``action_<id>``; ``False`` if there is none."""
        method = getattr(self, f"action_{command_id}", None)
        if method is not None:
            method()
        return method is not None

    def update_commands(self) -> None:
        """Redraw the footer if a command was enabled or disabled."""
        commands = of_scope(self.SCOPE, self._commands)
        reasons = tuple(self.why_disabled(command.id) for command in commands)
        if reasons != self._reasons:
            self._reasons = reasons
            self.refresh_bindings()


class CommandDispatcher:
    """Runs commands that are chosen by name in the widget that they belong to.

    Args:
        app: The app, which runs the actions.
        active_scope: Returns the scope of the current pane.
        target: Returns the widget that runs the commands of a scope.
        keymap: The user's own keys, by command id.
        own: The commands of the user's own actions.
    """

    def __init__(
        self,
        app: App[Any],
        active_scope: Callable[[], Scope],
        target: Callable[[Scope], DOMNode | None],
        keymap: Mapping[str, str],
        own: Sequence[Command] = (),
    ) -> None:
        self._app = app
        self._active_scope = active_scope
        self._target = target
        # The keys of own commands have the keymap in them, unless the key is taken.
        ids = {command.id for command in own}
        self._keymap = {id: keys for id, keys in keymap.items() if id not in ids}
        self.commands = (*COMMANDS, *own)
        """All commands, those of the user last."""

    @property
    def scope(self) -> Scope:
        """The scope of the current pane."""
        return self._active_scope()

    def _scope_of(self, command: Command) -> Scope:
        """The scope in which a command runs: the current pane's if it has the command."""
        return self.scope if self.scope in command.scopes else command.scopes[0]

    def why_disabled(self, command: Command) -> str:
        """Why a command is disabled now; empty if it is enabled."""
        target = self._target(self._scope_of(command))
        if isinstance(target, CommandTarget):
            if not target.is_attached:
                return "The dashboard is still starting."
            reason = target.why_disabled(command.id)
            return "Open a row first (enter)." if reason is None else reason
        name = (command.action or command.id).partition("(")[0]
        if target is not None and target.check_action(name, ()) is False:
            return "Not available in this list."
        return ""

    def run(self, command: Command) -> None:
        """Run a command, or show why it is disabled."""
        reason = self.why_disabled(command)
        if reason:
            self._app.notify(reason, markup=False, timeout=3)
        else:
            scope = self._scope_of(command)
            action = action_in(command, scope)
            self._app.call_later(self._app.run_action, action, self._target(scope))

    def keymap_for(self, journal: ActivityLog) -> dict[str, str]:
        """The user's own keys; unknown command ids are left out and logged."""
        known = {command.id for command in self.commands}
        for unknown in sorted(self._keymap.keys() - known):
            import difflib

            near = difflib.get_close_matches(unknown, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            journal.note(f"config.toml: unknown command {unknown!r} in [keymap]{hint}", bad=True)
        return {id: keys for id, keys in self._keymap.items() if id in known}

    def keys(self) -> dict[str, str]:
        """Command id to its current keys in display form."""
        shown: dict[str, str] = {}
        for command in self.commands:
            keys = self._keymap.get(command.id, command.keys)
            bindings = Binding.make_bindings([Binding(keys, "")]) if keys else ()
            shown[command.id] = " ".join(self._app.get_key_display(binding) for binding in bindings)
        return shown


HELP_MATCH_SCORE = 0.01
"""The score of a command that matches by its help only."""


@dataclass(frozen=True)
class _Choice:
    command: Command
    title: str
    help: str
    run: Callable[[], object]
    is_off: bool


class CommandProvider(Provider):
    """Offers all commands; a disabled one shows the reason instead of its help."""

    def _choices(self) -> list[_Choice]:
        dispatcher: CommandDispatcher = cast(Any, self.app).dispatcher
        keys = dispatcher.keys()
        choices: list[_Choice] = []
        for command in dispatcher.commands:
            if not command.in_palette:
                continue
            reason = dispatcher.why_disabled(command)
            words = f"Not now: {reason}" if reason else command.help
            title = _title(command, dispatcher.scope)
            if keys[command.id]:
                title += f"  ({keys[command.id]})"
            choices.append(
                _Choice(command, title, words, partial(dispatcher.run, command), bool(reason))
            )
        # Commands of the current pane come first, disabled ones last.
        return sorted(
            choices,
            key=lambda choice: (choice.is_off, dispatcher.scope not in choice.command.scopes),
        )

    async def discover(self) -> Hits:
        """All commands, before anything is typed."""
        for choice in self._choices():
            yield DiscoveryHit(content([(choice.title, "")]), choice.run, choice.title, choice.help)

    async def search(self, query: str) -> Hits:
        """The commands that match the query by name, or with a lower score by help."""
        matcher = self.matcher(query)
        needle = query.strip().casefold()
        for choice in self._choices():
            score = matcher.match(choice.title)
            if score <= 0 and needle and needle in choice.command.help.casefold():
                score = HELP_MATCH_SCORE
            if score > 0:
                shown = matcher.highlight(choice.title)
                yield Hit(score, shown, choice.run, choice.title, choice.help)


def _title(command: Command, here: Scope) -> str:
    """The title with its scope, ``Results: Retry``; prefers the current pane."""
    scope = here if here in command.scopes else command.scopes[0]
    if scope in (Scope.MAIN, Scope.TABLE):
        return command.title
    return f"{scope.value}: {command.title}"
