"""When the next request of a direct lane may go out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tui.providers.lane import Lane


class Gate:
    """Lets requests through one after the other: so many a minute, and none during a pause.

    Args:
        lane: How fast it may go.
        clock: Seconds that only grow.
    """

    def __init__(self, lane: Lane, clock: Callable[[], float] | None = None) -> None:
        self._interval = 60.0 / lane.per_minute if lane.per_minute > 0 else 0.0
        self._slots = asyncio.Semaphore(lane.concurrency)
        self._turn = asyncio.Lock()
        self._clock = clock
        self._next = 0.0
        self._closed_until = 0.0

    @property
    def slots(self) -> asyncio.Semaphore:
        """What bounds the requests that are under way at a time."""
        return self._slots

    def close_for(self, seconds: float) -> None:
        """Let nobody through for a while: the server asked for it."""
        self._closed_until = max(self._closed_until, self._now() + seconds)

    async def passed(self, stop: asyncio.Event) -> bool:
        """Wait for one's turn; ``False`` when there is to be none any more."""
        async with self._turn:
            while not stop.is_set():
                pause = max(self._next, self._closed_until) - self._now()
                if pause <= 0:
                    self._next = self._now() + self._interval
                    return True
                await waited(pause, stop)
        return False

    def _now(self) -> float:
        return self._clock() if self._clock else asyncio.get_running_loop().time()


async def waited(seconds: float, stop: asyncio.Event) -> None:
    """Wait for so long, or until it is to be stopped."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
