"""How many requests go to a provider: counted where they leave, so that nothing is forgotten."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

_MINUTES = 60


class Traffic:
    """Counts requests by the minute, for the last hour; the memory that it takes is bounded.

    Args:
        clock: Seconds; may be set back, as clocks of machines are.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._minutes: deque[tuple[int, int]] = deque(maxlen=_MINUTES)
        self.total = 0
        self.busiest = 0

    def note(self) -> None:
        """A request goes out."""
        minute = int(self._clock() // 60)
        self.total += 1
        count = 1
        if self._minutes and self._minutes[-1][0] == minute:
            count += self._minutes.pop()[1]
        self._minutes.append((minute, count))
        self.busiest = max(self.busiest, count)

    @property
    def last_minute(self) -> int:
        """Requests of this minute and the one before, which is at least the last sixty seconds."""
        return self._since(1)

    @property
    def last_hour(self) -> int:
        """Requests of the last sixty minutes."""
        return self._since(_MINUTES - 1)

    def _since(self, minutes: int) -> int:
        now = int(self._clock() // 60)
        return sum(count for minute, count in self._minutes if now - minutes <= minute <= now)
