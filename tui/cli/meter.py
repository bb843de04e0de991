"""How far the reading or writing of one file is, for a person who has begun to wonder."""

from __future__ import annotations

import sys
import time

from tui.cli.output import is_terminal, write_stderr
from tui.cli.words import size_words

_PATIENCE_SECONDS = 0.5
_REDRAW_SECONDS = 0.2


class Meter:
    """One line on a terminal, shown when the work takes more than a moment.

    Args:
        verb: What is done, such as ``checking``.
    """

    def __init__(self, verb: str) -> None:
        self._verb = verb
        self._next = time.monotonic() + _PATIENCE_SECONDS
        self._is_on = is_terminal(sys.stderr)
        self._is_drawn = False

    def show(self, done: int, total: int) -> None:
        """Tell how many bytes are done; called from the thread that works."""
        if not self._is_on:
            return
        if done >= total:
            self._wipe()
        elif time.monotonic() >= self._next:
            self._next = time.monotonic() + _REDRAW_SECONDS
            self._is_drawn = True
            write_stderr(f"\r{self._verb} {size_words(done)} of {size_words(total)}\x1b[K")

    def _wipe(self) -> None:
        if self._is_drawn:
            write_stderr("\r\x1b[K")
            self._is_drawn = False
