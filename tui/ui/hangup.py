"""A terminal that may go away while the program draws on it."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Any

from textual.drivers.linux_driver import LinuxDriver

if TYPE_CHECKING:
    from textual.app import App


class Outlet:
    """The terminal to write to; what is written after it has gone is dropped.

    An error would end the thread that writes, and the queue before it would fill up and hold
    whoever draws for ever.

    Args:
        file: The terminal.
        lost: Told once, in the thread that writes, when the terminal has gone.
    """

    def __init__(self, file: IO[str], lost: Callable[[], None]) -> None:
        self._file = file
        self._lost = lost

    def write(self, text: str) -> None:
        """Write, to nobody if nobody is there."""
        self._do(lambda: self._file.write(text))

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


class TerminalDriver(LinuxDriver):
    """Textual's driver, which ends with its terminal.

    Args:
        app: The app; its ``hung_up`` is called, in its loop, when the terminal has gone.
        more: What a driver takes: debug, mouse, size.
    """

    def __init__(self, app: App[Any], **more: Any) -> None:
        super().__init__(app, **more)
        self._file: Any = Outlet(self._file, self._tell)

    def _tell(self) -> None:
        self._loop.call_soon_threadsafe(self._app.hung_up)  # type: ignore[attr-defined]

    def resume_application_mode(self) -> None:
        """Take the terminal again, if it was given away.

        The kernel sends SIGCONT along with the SIGHUP of a terminal that closes, to a program
        that never stopped: a second thread for the keys would read there for ever.
        """
        if self._key_thread is None or not self._key_thread.is_alive():
            super().resume_application_mode()
