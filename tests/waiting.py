"""How long a test waits: in the time that its processes really had.

A machine with other work gives a process perhaps a twentieth of a core, and what takes a second
takes twenty. Linux tells how long each thread was ready to run and was not let run; that time
is not counted. A wait that runs out is then a thing that does not happen, and not a slow one.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

_MOST = 15.0
"""So many times the patience have passed on the wall: it is over, whatever was held up."""

_LOOK_SECONDS = 0.2


class Patience:
    """Runs out when so many seconds have passed for the processes that are waited for.

    Args:
        seconds: How long, on a machine that does nothing else.
        pids: Processes that have to get on beside this one.
    """

    def __init__(self, seconds: float, *pids: int) -> None:
        self._seconds = seconds
        self._pids = (os.getpid(), *pids)
        self._begin = time.monotonic()
        self._held_up = self._delays()

    @property
    def is_over(self) -> bool:
        """Was there time enough?"""
        passed = time.monotonic() - self._begin
        if passed <= self._seconds:
            return False
        return passed - self._delay() > self._seconds or passed > self._seconds * _MOST

    def __str__(self) -> str:
        passed = time.monotonic() - self._begin
        return f"{passed:.1f} s, of which {self._delay():.1f} s held up by other work"

    def _delay(self) -> float:
        before = self._held_up
        now = self._delays()
        return sum(seconds - before.get(task, 0.0) for task, seconds in now.items())

    def _delays(self) -> dict[str, float]:
        """Seconds that each thread was kept from running, by its folder; none where unknown."""
        found: dict[str, float] = {}
        for pid in self._pids:
            for task in Path(f"/proc/{pid}/task").glob("*"):
                try:
                    _, delay, _ = (task / "schedstat").read_text("ascii").split()
                except (OSError, ValueError):
                    # It has ended meanwhile, or this system does not count.
                    continue
                found[str(task)] = int(delay) / 1e9
        return found


@contextlib.asynccontextmanager
async def within(seconds: float, *pids: int) -> AsyncIterator[None]:
    """``asyncio.timeout`` with a ``Patience``: for what ends by itself, once it gets on.

    Raises:
        TimeoutError: The patience ran out.
    """
    patience = Patience(seconds, *pids)
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(None) as limit:

        def look() -> None:
            nonlocal next_look
            if patience.is_over:
                limit.reschedule(loop.time())
            else:
                next_look = loop.call_later(_LOOK_SECONDS, look)

        next_look = loop.call_later(_LOOK_SECONDS, look)
        try:
            yield
        finally:
            next_look.cancel()


def ends(thread: threading.Thread, seconds: float = 20.0) -> bool:
    """Wait for the end of a thread; ``False`` if it goes on for longer than that."""
    patience = Patience(seconds)
    while thread.is_alive() and not patience.is_over:
        thread.join(_LOOK_SECONDS)
    return not thread.is_alive()
