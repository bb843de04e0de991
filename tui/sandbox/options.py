"""The settings of a sandbox: which provider it imitates, how fast, and which faults it has."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tui.sandbox.clouds.objects import ObjectStore

LIKES = (
    "openai",
    "anthropic",
    "bedrock",
    "doubleword",
    "doubleword-old",
    "fireworks",
    "gemini",
    "groq",
    "melious",
    "mistral",
    "openrouter",
    "scaledown",
    "scaledown-2",
    "tensorzero",
    "together",
    "vertex",
    "xai",
)
"""The profiles that can be simulated."""

BUCKETS = frozenset({"bedrock", "vertex"})
"""The profiles whose files are in buckets of the user."""

ROUTES = ("upload", "create", "retrieve", "list", "cancel", "content", "content-half", "delete")
"""The routes whose response can be dropped; `content-half` drops it inside the body."""

QUIRKS = (
    "404-after-create",
    "spend-limit",
    "413-html",
    "502-submit",
    "503-output",
    "503-no-route",
    "502-all-failed",
    "queue-full",
    "role-without-trust",
    "no-pass-role",
    "no-counts",
    "several-files",
    "incremental-predictions",
    "numeric-labels",
)
"""Faults of single dialects that can be enabled; see the module of the dialect."""


@dataclass(frozen=True, slots=True)
class SandboxOptions:
    """The settings of one sandbox.

    Attributes:
        home: Folder for the state; `None` uses a temporary folder that is removed on exit.
        like: The simulated profile, one of `LIKES`.
        rows_per_second: Speed of each batch; 0 finishes a batch before its first retrieve.
        key: The required API key; `None` accepts any key or none.
        fail_rate: Fraction of rows, 0 to 1, that fail without a fault word.
        seed: Changes the answers, the order and which rows fail by `fail_rate`.
        lose_answer: Names from `ROUTES`: the route acts, then the connection is dropped.
            `name:N` drops only the first N responses.
        quirks: Names from `QUIRKS`; `name:N` acts only the first N times.
        window_seconds: Seconds until a batch expires; `None` uses the requested window.
        late_file: Seconds after the end of a batch until it names its result files.
        stale_list: The list shows every batch as it was when it was created.
        signed_results: Results are a redirect to a signed address of another origin, which
            refuses a request with a key.
        unknown_word: The status of ended batches, in place of the usual word.
        objects: The buckets of the user, for the profiles in `BUCKETS`; `None` serves its own.
        region: The region of the provider, for those that have regions.
        clock: Returns Unix seconds; the progress of batches is derived from it.
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
    late_file: float = 0.0
    stale_list: bool = False
    signed_results: bool = False
    unknown_word: str = ""
    objects: ObjectStore | None = None
    region: str = "us-east-1"
    clock: Callable[[], float] = time.time

    def __post_init__(self) -> None:
        """Validate the values.

        Raises:
            ValueError: A value is not allowed; the message says which are.
        """
        if self.like not in LIKES:
            raise ValueError(f"unknown profile {self.like!r}; choose from {', '.join(LIKES)}")
        if self.rows_per_second < 0:
            raise ValueError("rows per second must be 0 or more")
        if self.late_file < 0:
            raise ValueError("the seconds until a file is named must be 0 or more")
        if not 0 <= self.fail_rate <= 1:
            raise ValueError("fail rate must be between 0 and 1")
        _check_names("route", self.lose_answer, ROUTES)
        _check_names("quirk", self.quirks, QUIRKS)


class FaultBudget:
    """How often each fault still acts: `name` forever, `name:3` three times."""

    def __init__(self, names: tuple[str, ...]) -> None:
        """Parse the names and their optional counts."""
        self._left: dict[str, int | None] = {}
        for entry in names:
            name, _, count = entry.partition(":")
            self._left[name] = int(count) if count else None

    def __contains__(self, name: str) -> bool:
        """Whether the fault was enabled."""
        return name in self._left

    def count(self, name: str) -> int | None:
        """How often a fault still acts; `None` means forever."""
        return self._left.get(name)

    def use(self, name: str) -> bool:
        """Count one use and return whether the fault acts now."""
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
            raise ValueError(f"{entry!r}: the count after the colon must be a whole number")
