"""A floor for the speed of a body: one that only trickles is as good as one that stopped."""

from __future__ import annotations

import time
from collections.abc import Callable

import httpx

_LEAST_BYTES = 1024


class Pace:
    """Watches that a body comes at a kibibyte per spell of patience, at the least.

    Each byte that arrives resets the time-out of the connection, so that a server, or
    something on the way, could hold up a call for ever by a byte a minute.

    Args:
        patience: Seconds of a spell.
        clock: Seconds that only grow.
    """

    def __init__(self, patience: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._patience = patience
        self._clock = clock
        self._began = clock()
        self._had = 0

    def check(self, received: int) -> None:
        """Take note of the bytes that came so far, as they went over the wire.

        Raises:
            httpx.ReadTimeout: Fewer than 1,024 came in a whole spell.
        """
        now = self._clock()
        if now - self._began < self._patience:
            return
        if received - self._had < _LEAST_BYTES:
            raise httpx.ReadTimeout("the answer only trickles")
        self._began, self._had = now, received
