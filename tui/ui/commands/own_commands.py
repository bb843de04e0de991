"""The user's own actions as commands of the dashboard, with keys that no other command has."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from textual.binding import Binding, InvalidBinding

from tui.config.actions import ActionConfig, ActionPlace
from tui.config.settings import line_of
from tui.core.text import one_line, quoted, visible
from tui.ui.commands.command_table import BATCHES, COMMANDS, MAIN, RESULTS, TABLE, Command, Scope

PREFIX = "action_"
"""Start of the id of an own command; the name of the action follows."""

_SCOPES: dict[ActionPlace, tuple[Scope, ...]] = {
    "job": (BATCHES, RESULTS),
    "row": (RESULTS,),
    "rows": (RESULTS,),
}
_GETS: dict[ActionPlace, str] = {
    "job": "the job",
    "row": "the row under the cursor",
    "rows": "the marked rows, else those of the filter, else all",
}
_LONGEST_TITLE = 24


class OwnCommands(NamedTuple):
    """The own commands, and what is wrong with their keys, a sentence each."""

    commands: tuple[Command, ...] = ()
    problems: tuple[str, ...] = ()


def own_commands(
    actions: Mapping[str, ActionConfig], keymap: Mapping[str, str], file: Path
) -> OwnCommands:
    """The own commands. One whose key is taken or unknown has no key; the palette has it.

    Args:
        actions: The actions of ``config.toml``.
        keymap: The user's keys, by command id.
        file: ``config.toml``, to say where a problem is.
    """
    made: list[Command] = []
    problems: list[str] = []
    for name, action in actions.items():
        scopes = _SCOPES[action.where]
        keys = keymap.get(PREFIX + name, action.key)
        problem = _problem_of(keys, scopes, made, keymap)
        if problem:
            line = line_of(_text_of(file), f"actions.{name}", "key")
            place = f"{file.name}, line {line}" if line else file.name
            problems.append(f"{place}: {problem}; run {quoted(name)} with ctrl+p instead")
        words = one_line(visible(shlex.join(action.words)), 60)
        made.append(
            Command(
                PREFIX + name,
                one_line(action.title or name, _LONGEST_TITLE),
                "" if problem else keys,
                scopes=scopes,
                help=f"Run {words} with {_GETS[action.where]}.",
            )
        )
    return OwnCommands(tuple(made), tuple(problems))


def own_bindings(commands: Sequence[Command], scope: Scope) -> list[Binding]:
    """The bindings of the own commands in a scope."""
    return [
        Binding(
            command.keys,
            f"run('{command.id}')",
            command.title,
            show=False,
            tooltip=command.help,
            id=command.id,
        )
        for command in commands
        if command.keys and scope in command.scopes
    ]


def _problem_of(
    keys: str, scopes: Sequence[Scope], made: Sequence[Command], keymap: Mapping[str, str]
) -> str:
    """Why an action cannot have its keys; empty if it can."""
    if not keys:
        return ""
    try:
        wanted = _normal(keys)
    except InvalidBinding:
        return f"{quoted(keys)} is not a key"
    around = {*scopes, MAIN, TABLE}
    for command in (*COMMANDS, *made):
        taken = keymap.get(command.id, command.keys)
        if not taken or not around & {*command.scopes, *command.footer}:
            continue
        if both := wanted & _normal(taken):
            return f"the key {quoted(sorted(both)[0])} is taken by {quoted(command.title)}"
    return ""


def _normal(keys: str) -> set[str]:
    return {binding.key for binding in Binding.make_bindings([Binding(keys, "")])}


def _text_of(file: Path) -> str:
    try:
        return file.read_text("utf-8-sig", "replace")
    except OSError:
        return ""
