"""Progress of one piece of work: how far it is, and whether it should stop.

Whoever starts long work makes a ``Progress`` and hands it down; every function that touches many
rows takes one as its keyword ``progress``. The same object reports, throttles and stops, so that no
function needs a callback for each.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar

Report = Callable[[int, int | None], None]
"""Called with what is done and how much there is in all (``None`` while that is not known)."""


class Progress:
    """How far one piece of work is. Safe to use from a thread.

    Args:
        report: Called with ``(done, total)`` in the thread that does the work, at most every
            ``seconds``, and always when ``done`` reaches ``total``.
        seconds: The shortest time between two reports.
        stop: Asked as well by ``stopped``: for a caller that has its own sign to stop.
        clock: Seconds that only grow; tests hand in their own.
    """

    __slots__ = ("_clock", "_last", "_report", "_seconds", "_stop", "_stopped", "done", "total")

    def __init__(
        self,
        report: Report | None = None,
        *,
        seconds: float = 0.1,
        stop: Callable[[], bool] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.done = 0
        self.total: int | None = None
        self._report = report
        self._seconds = seconds
        self._stop = stop
        self._clock = clock
        self._last: float | None = None
        self._stopped = False

    @property
    def stopped(self) -> bool:
        """Should the work end early? Workers look at this between two steps."""
        return self._stopped or (self._stop is not None and self._stop())

    def stop(self) -> None:
        """Ask the work to end at its next step."""
        self._stopped = True

    def update(self, done: int, total: int | None = None) -> None:
        """Say how far the work is; cheap enough to be called for every slice of rows.

        Args:
            done: What is done in all, in rows or bytes.
            total: How much there is; keeps its last value when it is not given.
        """
        self.done = done
        if total is not None:
            self.total = total
        if self._report is None:
            return
        now = self._clock()
        if self._last is None or now - self._last >= self._seconds or done == self.total:
            self._last = now
            self._report(done, self.total)


class _Nobody(Progress):
    """What functions use when no caller asked: it reports nothing and never stops."""

    def stop(self) -> None:
        raise RuntimeError("NO_PROGRESS is shared; make a Progress to stop work")


NO_PROGRESS = _Nobody()
"""The default of every ``progress`` parameter."""


class Throttle:
    """Limits how often results so far are shown, and what part of the time that takes.

    Args:
        first: Seconds until they are shown for the first time.
        seconds: The shortest time from one to the next, in seconds.
        share: Showing them takes at most one part in so many of the time.
        clock: Seconds that only grow; tests hand in their own.
    """

    __slots__ = ("_clock", "_next", "_seconds", "_share")

    def __init__(
        self,
        first: float,
        seconds: float,
        share: float,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._seconds = seconds
        self._share = share
        self._clock = clock
        self._next = clock() + first

    def run(self, show: Callable[[], None]) -> bool:
        """Call ``show`` if it is time to; returns whether it was called."""
        start = self._clock()
        if start < self._next:
            return False
        show()
        now = self._clock()
        self._next = now + max(self._seconds, (now - start) * self._share)
        return True


_current: ContextVar[Progress] = ContextVar("progress", default=NO_PROGRESS)


def current_progress() -> Progress:
    """The progress of the work that this thread does now, for code that is not handed it."""
    return _current.get()


@contextlib.contextmanager
def as_current(progress: Progress) -> Iterator[None]:
    """Make ``progress`` the current one of the block, and of the threads that it starts."""
    token = _current.set(progress)
    try:
        yield
    finally:
        _current.reset(token)


_EXIT_SECONDS = 3.0


class ExitTimer:
    """Ends this process a few seconds after ``start``, even if a thread never stops.

    For a user who wants to leave when everything is stored: Python would wait for a thread that
    is busy in a call of foreign code.
    """

    def __init__(self) -> None:
        self._timer: threading.Timer | None = None

    def start(self, code: int) -> None:
        """Start the time; ``code`` is the exit code."""
        self._timer = threading.Timer(_EXIT_SECONDS, os._exit, (code,))
        self._timer.daemon = True
        self._timer.start()

    def cancel(self) -> None:
        """Every thread has ended: leave the ordinary way."""
        if self._timer is not None:
            self._timer.cancel()
