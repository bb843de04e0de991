"""Making a call again after trouble that passes."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tui.errors import BatchdeckError

T = TypeVar("T")
Again = Callable[[BatchdeckError], bool | float]
"""Shall it be made again? Seconds are a pause that was asked for."""

sleep = asyncio.sleep
"""How pauses are waited for; tests put something faster here."""


async def repeated(
    act: Callable[[], Awaitable[T]],
    *,
    again: Again,
    attempts: int,
    first: float = 0.5,
    longest: float = 8.0,
    jitter: float = 0.5,
) -> T:
    """Make a call until it works, is not worth repeating, or was made often enough.

    Args:
        act: Makes the call.
        again: Looks at what went wrong.
        attempts: How often the call is made at most.
        first: Seconds before the second try; doubled for each further one.
        longest: Where the doubling ends.
        jitter: Up to so many seconds more, at random, so that many do not come at once.

    Raises:
        BatchdeckError: What went wrong the last time.
    """
    pause = first
    for attempt in range(1, attempts + 1):
        try:
            return await act()
        except BatchdeckError as error:
            verdict = again(error)
            if verdict is False or attempt == attempts:
                raise
        wait = pause + random.uniform(0.0, jitter) if verdict is True else float(verdict)
        await sleep(wait)
        pause = min(pause * 2, longest)
    raise ValueError("a call is made at least once")
