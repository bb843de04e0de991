"""What happened while the dashboard was open, for the log screen and the log file."""

from __future__ import annotations

import os
import time
import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tui.core.text import visible
from tui.paths import open_private

KEPT = 2_000
"""Entries that the screen can show."""


KEPT_FILE = "journal.jsonl"
"""Beside the log file: what the log screen shows of earlier runs."""

LARGEST = 256 * 1024
"""Bytes from which on a new file is begun; the one before is kept."""


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
        self._kept = None if file is None else file.with_name(KEPT_FILE)
        self._began = now()
        self.entries: deque[Entry] = deque(maxlen=KEPT)

    def note(self, text: str, *, bad: bool = False) -> None:
        """Add an entry, and keep it for the next run."""
        entry = Entry(self._now(), visible(text), bad)
        self.entries.append(entry)
        if self._kept is None:
            return
        try:
            if self._kept.exists() and self._kept.stat().st_size > LARGEST:
                self._kept.replace(self._kept.with_suffix(".old"))
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
            with os.fdopen(open_private(self._kept, flags), "ab") as stream:
                stream.write(msgspec.json.encode(entry) + b"\n")
        except OSError:
            # A full disk: the entry is on the screen, and the work goes on.
            self._kept = None

    def all(self) -> list[Entry]:
        """The entries of this run and, before them, those of earlier ones."""
        kept = [] if self._kept is None else _read(self._kept.with_suffix(".old"))
        kept += [] if self._kept is None else _read(self._kept)
        earlier = [entry for entry in kept if entry.at < self._began]
        return [*earlier, *self.entries][-KEPT:]

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


def _read(file: Path) -> list[Entry]:
    """The entries of a file; lines that a crash cut are left out."""
    try:
        raw = file.read_bytes()
    except OSError:
        return []
    entries: list[Entry] = []
    for line in raw.split(b"\n"):
        try:
            entry = msgspec.json.decode(line, type=Entry)
        except msgspec.MsgspecError:
            continue
        # The file may have been changed by others: nothing in it acts on the terminal.
        entries.append(Entry(entry.at, visible(entry.text), entry.bad))
    return entries
