"""What a command is: its id, keys, words and places."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Scope(Enum):
    """Where the keys of a command work; the value is the heading in help and palette."""

    MAIN = "Everywhere"
    COMPOSE = "Compose"
    BATCHES = "Batches"
    RESULTS = "Results"
    TABLE = "Tables"


@dataclass(frozen=True)
class Command:
    """Something a person can do.

    ``keys`` is a list with commas, as in a keymap. ``footer`` names the scopes in which the
    command is shown at the bottom; at most seven are, so that 80 columns hold them.
    ``action`` is the action string where it is not the id.
    """

    id: str
    title: str
    keys: str
    help: str
    scopes: tuple[Scope, ...]
    footer: tuple[Scope, ...] = ()
    action: str = ""
    in_palette: bool = True

    @property
    def action_string(self) -> str:
        """What the binding runs."""
        return self.action or self.id

    @property
    def action_name(self) -> str:
        """The action without its arguments."""
        return self.action_string.partition("(")[0].rpartition(".")[2]
