"""Textual's driver for terminals, for windows that are closed and programs that are stopped."""

from __future__ import annotations

import contextlib
import os
import termios
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, TextIO

from textual.drivers.linux_driver import LinuxDriver

if TYPE_CHECKING:
    from textual.app import App


class TerminalDriver(LinuxDriver):
    """Ends with its window, and is what it was after being stopped and let go on.

    A window that is closed sends SIGHUP, and SIGCONT right behind it. Textual takes any SIGCONT
    for the end of its own ctrl+z: it starts once more, with a second thread that reads the
    keyboard and a second one that writes; the writing one dies with the first write, and the
    program waits for it for ever.
    """

    def __init__(
        self,
        app: App[object],
        *,
        debug: bool = False,
        mouse: bool = True,
        size: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        if self._file is not None:
            self._file = _LastingFile(self._file, self._lost)  # type: ignore[assignment]

    @property
    def is_gone(self) -> bool:
        """Is there no terminal any more?"""
        try:
            termios.tcgetattr(self.fileno)
        except termios.error:
            return True
        return False

    def let_go(self) -> None:
        """Read no more keys if the terminal is gone: there it reads an end without end."""
        if self.is_gone:
            self.exit_event.set()

    def _lost(self) -> None:
        # Not every program that closes a window sends a signal.
        self.exit_event.set()
        # The loop may have ended already: then there is nobody to tell.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._app.hung_up)  # type: ignore[attr-defined]

    def run_input_thread(self) -> None:
        """Read keys until the end; that the terminal is gone is no error here, SIGHUP tells it."""
        try:
            super().run_input_thread()
        except OSError:
            if not self.is_gone:
                raise

    def _sigcont_application(self, *_: object) -> None:
        if self._must_signal_resume:
            super()._sigcont_application()
        elif not self.is_gone:
            # Stopped from outside: whoever had the screen meanwhile may have written on it.
            self._app.call_later(self._app.refresh, layout=True)


class _LastingFile:
    """A terminal to write to; what is written after it has gone is dropped.

    Args:
        file: The terminal.
        lost: Told, in the thread that writes, that the terminal has gone.
    """

    def __init__(self, file: TextIO, lost: Callable[[], None]) -> None:
        self._file = file
        self._lost = lost

    def write(self, text: str) -> None:
        """Write, to nobody if nobody is there."""
        self._do(partial(self._file.write, text))

    def flush(self) -> None:
        """Hand on what was written."""
        self._do(self._file.flush)

    def fileno(self) -> int:
        """The number of the terminal's file."""
        return self._file.fileno()

    def _do(self, act: Callable[[], object]) -> None:
        try:
            act()
        except BlockingIOError:
            raise
        except OSError:
            # What the file still holds is flushed once more at the end, and would fail again.
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, self._file.fileno())
            os.close(nothing)
            self._lost()
