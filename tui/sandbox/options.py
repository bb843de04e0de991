"""What a sandbox can be told when it starts."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

LIKES = (
    "openai",
    "anthropic",
    "doubleword",
    "doubleword-old",
    "groq",
    "melious",
    "mistral",
    "openrouter",
    "scaledown",
    "scaledown-2",
    "tensorzero",
    "together",
)
"""The profiles whose wire behaviour can be spoken."""

ROUTES = ("upload", "create", "retrieve", "list", "cancel", "content", "content-half", "delete")
"""Route names whose answer can be lost; `content-half` breaks off inside the body."""

QUIRKS = (
    "404-after-create",
    "spend-limit",
    "413-html",
    "502-submit",
    "503-output",
    "503-no-route",
    "502-all-failed",
)
"""Faults of one dialect that are switched on by hand; see the module of the dialect."""


@dataclass(frozen=True, slots=True)
class SandboxOptions:
    """The settings of one sandbox.

    Attributes:
        home: Folder for the state; `None` is a temporary folder that goes when the app stops.
        like: Whose wire behaviour is spoken, one of `LIKES`.
        rows_per_second: Speed of each batch; 0 finishes a batch before its first retrieve.
        key: The API key that is asked for; `None` takes any key and none.
        fail_rate: Share of rows, 0 to 1, that fail without a fault word.
        seed: Changes answers, order and the rows that `fail_rate` picks.
        lose_answer: Names from `ROUTES`: the route acts, then the connection is dropped.
            `name:N` loses only the first N answers.
        quirks: Names from `QUIRKS`; `name:N` acts only the first N times.
        window_seconds: Seconds until a batch expires; `None` takes the asked window.
        clock: Gives the Unix time in seconds; progress is derived from it.
    """

    home: Path | None = None
    like: str = "openai"
    rows_per_second: float = 2000.0
    key: str | None = None
    fail_rate: float = 0.0
    seed: int = 0
    lose_answer: tuple[str, ...] = ()
    quirks: tuple[str, ...] = ()
    window_seconds: float | None = None
    clock: Callable[[], float] = time.time

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ValueError: A value is out of its range; the message names the range.
        """
        if self.like not in LIKES:
            raise ValueError(f"unknown profile {self.like!r}; choose from {', '.join(LIKES)}")
        if self.rows_per_second < 0:
            raise ValueError("rows per second must be 0 or more")
        if not 0 <= self.fail_rate <= 1:
            raise ValueError("the fail rate must lie between 0 and 1")
        _check_names("route", self.lose_answer, ROUTES)
        _check_names("quirk", self.quirks, QUIRKS)


class Charges:
    """Fault names that are spent by use: `name` for ever, `name:3` three times."""

    def __init__(self, names: tuple[str, ...]) -> None:
        """Read the names with their optional counts."""
        self._left: dict[str, int | None] = {}
        for entry in names:
            name, _, count = entry.partition(":")
            self._left[name] = int(count) if count else None

    def __contains__(self, name: str) -> bool:
        """Whether the fault was asked for at all."""
        return name in self._left

    def count(self, name: str) -> int | None:
        """How often a fault still acts; `None` is for ever."""
        return self._left.get(name)

    def spend(self, name: str) -> bool:
        """Use the fault once and say whether it acts now."""
        if name not in self._left:
            return False
        left = self._left[name]
        if left is None:
            return True
        self._left[name] = max(0, left - 1)
        return left > 0


def _check_names(kind: str, names: tuple[str, ...], known: tuple[str, ...]) -> None:
    for entry in names:
        name, colon, count = entry.partition(":")
        if name not in known:
            raise ValueError(f"unknown {kind} {name!r}; choose from {', '.join(known)}")
        if colon and not count.isdigit():
            raise ValueError(f"{entry!r}: the part after the colon must be a whole number")
