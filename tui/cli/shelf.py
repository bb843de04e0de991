"""Commands that are loaded when one is taken: a call of the program needs one of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from importlib import import_module

import click

from tui.cli.examples import add_examples


class Shelf(MutableMapping[str, click.Command]):
    """Commands by name, in the order in which they are used.

    Names and their order are there without loading anything; a command comes with its
    examples.

    Args:
        places: Where the command of each name is: ``module:variable``, the module's name
            without ``tui.cli``.
    """

    def __init__(self, places: Mapping[str, str]) -> None:
        self._places = dict(places)
        self._taken: dict[str, click.Command] = {}

    def __getitem__(self, name: str) -> click.Command:
        if name not in self._taken:
            module, _, variable = self._places[name].partition(":")
            command: click.Command = getattr(import_module(f"tui.cli.{module}"), variable)
            add_examples(command, (name,))
            self._taken[name] = command
        return self._taken[name]

    def __setitem__(self, name: str, command: click.Command) -> None:
        self._places.setdefault(name, "")
        self._taken[name] = command

    def __delitem__(self, name: str) -> None:
        del self._places[name]
        self._taken.pop(name, None)

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, name: object) -> bool:
        return name in self._places
