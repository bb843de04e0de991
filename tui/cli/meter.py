"""How far the reading or writing of one file is, for a person who has begun to wonder."""

from __future__ import annotations

import sys
import time

from tui.cli.output import is_terminal, write_stderr
from tui.cli.words import plural, size_words

_PATIENCE_SECONDS = 0.5
_REDRAW_SECONDS = 0.2


class Meter:
    """One line on a terminal, shown when the work takes more than a moment.

    Args:
        verb: What is done, such as ``checking``.
        plural_of: What is counted, such as ``row``; else bytes are.
    """

    def __init__(self, verb: str, *, plural_of: str = "") -> None:
        self._verb = verb
        self._words = (lambda count: plural(count, plural_of)) if plural_of else size_words
        self._next = time.monotonic() + _PATIENCE_SECONDS
        self._is_on = is_terminal(sys.stderr)
        self._is_drawn = False

    def show(self, done: int, total: int | None) -> None:
        """Tell how much is done; called from the thread that works.

        ``total`` may be a guess, or ``None`` where nobody knows.
        """
        if not self._is_on:
            return
        if total is not None and done >= total:
            self._wipe()
        elif time.monotonic() >= self._next:
            self._next = time.monotonic() + _REDRAW_SECONDS
            self._is_drawn = True
            whole = "" if total is None else f" of {self._words(total)}"
            write_stderr(f"\r{self._verb} {self._words(done)}{whole}\x1b[K")

    def _wipe(self) -> None:
        if self._is_drawn:
            write_stderr("\r\x1b[K")
            self._is_drawn = False
