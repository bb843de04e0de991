"""What happened while the dashboard was open, for the log screen and the log file."""

from __future__ import annotations

import os
import time
import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tui.core.text import visible
from tui.paths import open_private

KEPT = 2_000
"""Entries that the screen can show."""


@dataclass(frozen=True)
class Entry:
    """Something that happened; ``at`` in Unix seconds."""

    at: float
    text: str
    bad: bool


class Journal:
    """The newest entries in memory; errors of the program itself go to a file as well.

    Args:
        file: The log file, made when first needed.
        now: The clock.
    """

    def __init__(self, file: Path | None, now: Callable[[], float] = time.time) -> None:
        self._file = file
        self._now = now
        self.entries: deque[Entry] = deque(maxlen=KEPT)

    def note(self, text: str, *, bad: bool = False) -> None:
        """Add an entry."""
        self.entries.append(Entry(self._now(), visible(text), bad))

    def note_crash(self, error: BaseException) -> None:
        """Add an entry for an error that nobody expected; its traceback goes to the file."""
        self.note(f"{type(error).__name__}: {error}", bad=True)
        if self._file is None:
            return
        report = "".join(traceback.format_exception(error))
        self._file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = open_private(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        with os.fdopen(descriptor, "a", encoding="utf-8") as stream:
            stream.write(f"{time.strftime('%Y-%m-%dT%H:%M:%S')}\n{report}\n")
