"""What the screens about whole jobs share: many rows are read, which shows and can be stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from textual import work
from textual.screen import Screen
from textual.timer import Timer

from tui.errors import BatchdeckError
from tui.ui.failures import TellsFailures
from tui.ui.tones import Part

T = TypeVar("T")

REDRAW_SECONDS = 0.1
"""How often the progress is drawn while rows are read."""


class WholeScreen(TellsFailures, Screen[None], Generic[T]):
    """Reads rows off the event loop, anew whenever something else is asked; ``esc`` stops it.

    A subclass says what is read (``read_rows``), shows what came of it (``show_read``), and
    draws its head, with ``how_far`` in it while ``is_reading``.
    """

    def __init__(self) -> None:
        super().__init__()
        self._stop = threading.Event()
        self._seen: tuple[int, int] | None = None
        self._timer: Timer | None = None
        self.is_reading = False
        """Are rows being read?"""
        self.made: T | None = None
        """What was read last, and is shown."""

    async def read_rows(self, stop: Callable[[], bool], progress: Callable[[int, int], None]) -> T:
        """Read what is shown.

        Args:
            stop: Asked now and then; true ends it, and what was read so far is the answer.
            progress: Called, from any thread, with rows read and rows in all.
        """
        raise NotImplementedError

    async def show_read(self, made: T) -> None:
        """Show what was read; the head is drawn already."""
        raise NotImplementedError

    def draw_head(self) -> None:
        """Draw the lines on top, which tell how far the reading is."""
        raise NotImplementedError

    def on_mount(self) -> None:
        """Begin to read."""
        self._timer = self.set_interval(REDRAW_SECONDS, self.draw_head, pause=True)
        self.read_anew()

    def on_unmount(self) -> None:
        """Nobody waits for it any more."""
        self._stop.set()

    def read_anew(self) -> None:
        """Read once more; what is being read is let go."""
        self._stop.set()
        self._stop = threading.Event()
        self._read(self._stop)

    @work(group="whole", exclusive=True, exit_on_error=False)
    async def _read(self, stop: threading.Event) -> None:
        self.is_reading = True
        self._seen = None
        self.draw_head()
        if self._timer is not None:
            self._timer.resume()

        def seen(done: int, total: int) -> None:
            # One assignment, seen whole by the thread that draws.
            self._seen = (done, total)

        try:
            made = await self.read_rows(stop.is_set, seen)
        except BatchdeckError as error:
            self.app.notify(error.message, markup=False, severity="error")
            if self.made is None:
                self.dismiss(None)
            return
        finally:
            if stop is self._stop:
                self.is_reading = False
                if self._timer is not None:
                    self._timer.pause()
        if stop is self._stop and self.is_attached:
            self.made = made
            self.draw_head()
            await self.show_read(made)

    def how_far(self, verb: str) -> list[Part]:
        """How far the reading is, and how it is stopped: ``reading 500 of 1,000 rows``."""
        done, total = self._seen or (0, 0)
        words = f"{verb} {done:,} of {total:,} rows  " if total else f"{verb}  "
        if self._stop.is_set():
            return [(f"stopping after {done:,} rows", "warn")]
        return [(words, "live"), ("esc", "accent"), (" stops", "muted")]

    def action_leave(self) -> None:
        """Stop the reading; else go back."""
        if self.is_reading and not self._stop.is_set():
            self._stop.set()
            self.draw_head()
        else:
            self.dismiss(None)
