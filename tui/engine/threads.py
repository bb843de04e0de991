"""Blocking work in a thread that ends when nobody waits for it any more."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

T = TypeVar("T")

Stop = Callable[[], bool]
"""Asked now and then by work in a thread; true ends it."""

Progress = Callable[[int, int | None], None]
"""Told, from another thread, what is done and how much there is in all, where that is known."""


async def stoppable(work: Callable[[Stop], T], stop: Stop | None = None) -> T:
    """Run ``work`` in a thread; a cancel of the caller ends it too.

    Args:
        work: Takes the ``stop`` that it is to ask.
        stop: The caller's own.
    """
    left = threading.Event()

    def asked() -> bool:
        return left.is_set() or (stop is not None and stop())

    try:
        return await asyncio.to_thread(work, asked)
    finally:
        left.set()


@contextlib.contextmanager
def told_on_loop(tell: Callable[[T], None] | None) -> Iterator[Callable[[T], None] | None]:
    """A callback for a thread that calls ``tell`` on this event loop, until the block is left."""
    if tell is None:
        yield None
        return
    loop = asyncio.get_running_loop()
    listening = True

    def hand_on(news: T) -> None:
        if listening:
            tell(news)

    def call(news: T) -> None:
        # The loop may be gone when a thread that nobody waits for has one more thing to say.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(hand_on, news)

    try:
        yield call
    finally:
        listening = False
