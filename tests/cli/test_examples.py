"""Every command shows examples, and the program accepts all of them."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

import click
import pytest

from tui.cli.examples import EXAMPLES
from tui.cli.program import program


def commands(
    group: click.Group, words: tuple[str, ...] = ()
) -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        yield " ".join((*words, name)), command
        if isinstance(command, click.Group):
            yield from commands(command, (*words, name))


def test_exactly_the_commands_have_examples() -> None:
    assert {words for words, _ in commands(program)} == set(EXAMPLES)


@pytest.mark.parametrize("words", EXAMPLES)
def test_help_shows_examples_without_wrapping(words: str) -> None:
    command = dict(commands(program))[words]
    context = click.Context(command, info_name=words, **program.context_settings)
    shown = command.get_help(context).splitlines()
    for line in EXAMPLES[words]:
        assert f"    {line}" in shown


@pytest.mark.parametrize(
    ("words", "line"), [(words, line) for words in EXAMPLES for line in EXAMPLES[words]]
)
def test_examples_can_be_parsed(words: str, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is parsed down to its command; nothing is run."""
    found: list[str] = []

    def parsed(self: click.Command, context: click.Context) -> Any:
        if not isinstance(self, click.Group):
            found.append(context.command_path)
            return None
        return real(self, context)

    real = click.Command.invoke
    monkeypatch.setattr(click.Command, "invoke", parsed)
    typed = line.rpartition("| ")[2]
    arguments = shlex.split(typed)
    assert arguments[0] == "batchdeck"
    assert program.main(arguments[1:], standalone_mode=False) == 0
    (path,) = found
    assert path.removeprefix("batchdeck ").startswith(words)
