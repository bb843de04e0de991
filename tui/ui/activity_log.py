"""The activity log: recent events for the log screen, crashes for the log file."""

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

MAX_ENTRIES = 2_000
"""Maximum number of entries shown."""

ENTRIES_FILE = "journal.jsonl"
"""Name of the file, next to the log file, with the entries of earlier runs."""

MAX_FILE_BYTES = 256 * 1024
"""Size in bytes at which the file is rotated; one older file is kept."""


@dataclass(frozen=True)
class Entry:
    """An entry of the log; ``at`` is in Unix seconds, ``bad`` marks an error."""

    at: float
    text: str
    bad: bool


class ActivityLog:
    """The activity log, in memory and in a file; tracebacks go to the log file.

    Args:
        file: The log file, created when first needed; ``None`` writes no files.
        now: The clock, in Unix seconds.
    """

    def __init__(self, file: Path | None, now: Callable[[], float] = time.time) -> None:
        self.file = file
        """The log file; ``None`` if there is none, or none can be written."""
        self._now = now
        self._kept = None if file is None else file.with_name(ENTRIES_FILE)
        self._began = now()
        self.entries: deque[Entry] = deque(maxlen=MAX_ENTRIES)

    def note(self, text: str, *, bad: bool = False) -> None:
        """Add an entry and append it to the file."""
        entry = Entry(self._now(), visible(text), bad)
        self.entries.append(entry)
        if self._kept is None:
            return
        try:
            if self._kept.exists() and self._kept.stat().st_size > MAX_FILE_BYTES:
                self._kept.replace(self._kept.with_suffix(".old"))
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
            with os.fdopen(open_private(self._kept, flags), "ab") as stream:
                stream.write(msgspec.json.encode(entry) + b"\n")
        except OSError:
            # Such as a full disk: keep the log in memory only.
            self._kept = None

    def all(self) -> list[Entry]:
        """The entries of earlier runs and of this one, oldest first."""
        kept = [] if self._kept is None else _read(self._kept.with_suffix(".old"))
        kept += [] if self._kept is None else _read(self._kept)
        earlier = [entry for entry in kept if entry.at < self._began]
        return [*earlier, *self.entries][-MAX_ENTRIES:]

    def note_crash(self, error: BaseException) -> str:
        """Add an entry for an unexpected error and write its traceback to the log file.

        Returns:
            The error on one line. The file may be what failed: then there is no traceback.
        """
        # An error may fail to describe itself; this does not.
        text = traceback.format_exception_only(error)[-1].strip()
        self.note(text, bad=True)
        if self.file is None:
            return text
        report = "".join(traceback.format_exception(error))
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            descriptor = open_private(self.file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            with os.fdopen(descriptor, "a", encoding="utf-8", errors="replace") as stream:
                stream.write(f"{time.strftime('%Y-%m-%dT%H:%M:%S')}\n{report}\n")
        except OSError:
            self.file = None
        return text


def _read(file: Path) -> list[Entry]:
    """The entries of a file; lines that cannot be decoded are skipped."""
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
        # The file may have been edited: escape control characters again.
        entries.append(Entry(entry.at, visible(entry.text), entry.bad))
    return entries
