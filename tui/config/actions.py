"""The ``[actions.NAME]`` tables: commands of the user, with keys of their own."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec

ActionPlace = Literal["job", "row", "rows"]
"""What an action gets: a job, the row under the cursor, or the rows that are marked or shown."""

_PLACEHOLDER = re.compile(r"\{(file|job|name|id)\}")
"""What is replaced in the arguments: the file of JSON, id and name of the job, id of the row."""


class ActionConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A command of the user.

    Attributes:
        command: The program and its arguments; a text is split as a shell would, but no shell runs.
        where: What it gets as JSON on its standard input.
        key: Its key in the dashboard; without one it is in the palette.
        title: Its name in footer and palette; by default that of its table.
        confirm: Ask before it is run.
        terminal: It is a full-screen program: the dashboard makes room for it. Its standard input
            is the terminal, so it needs ``{file}``.
        env: Further environment variables that it gets.
        timeout: Seconds after which it is stopped; ``None`` for never.
    """

    command: str | tuple[str, ...]
    where: ActionPlace = "job"
    key: str = ""
    title: str = ""
    confirm: bool = False
    terminal: bool = False
    env: tuple[str, ...] = ()
    timeout: Annotated[float, msgspec.Meta(gt=0, le=86400)] | None = None

    def __post_init__(self) -> None:
        try:
            words = self.words
        except ValueError as error:
            raise ValueError(f"the command cannot be split into words: {error}") from None
        if not words or not words[0]:
            raise ValueError("the command is empty")
        if self.terminal and not any("{file}" in word for word in words):
            raise ValueError("with terminal = true the command needs {file}, a file with the JSON")

    @property
    def words(self) -> list[str]:
        """The program and its arguments, with placeholders."""
        if isinstance(self.command, str):
            return shlex.split(self.command)
        return list(self.command)

    def arguments(self, values: Mapping[str, str]) -> list[str]:
        """The program and its arguments.

        Args:
            values: What stands for each placeholder, by its name. Other
                braces stay as they are.
        """
        # One pass: what is put in is not looked at again.
        return [
            _PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), w) for w in self.words
        ]
