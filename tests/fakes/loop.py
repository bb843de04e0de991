"""An event loop in which waiting takes no time: it jumps to the next timer when all is still.

Work in threads (the history, the files) is waited for in real time; time stands still then.
There must be no sockets but the loop's own: waiting for one would not count as being busy.
"""

from __future__ import annotations

import asyncio
import contextlib
import selectors
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")

LONGEST = 7200.0
"""Seconds of its own time that a test may take."""

BEGIN = 1_790_000_000.0
"""Unix seconds at which every test begins."""


class _JumpingSelector(selectors.BaseSelector):
    """A selector that moves the loop's time on in place of waiting."""

    def __init__(self) -> None:
        self._real = selectors.DefaultSelector()
        self.now = 0.0
        self.longest = LONGEST
        self.busy = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or (timeout > 0 and self.busy):
            # A thread will wake the loop up; a minute without that is a hang.
            ready = self._real.select(60.0)
            assert ready, "nothing happens and nobody works"
            return ready
        ready = self._real.select(0)
        if not ready and timeout > 0:
            self.now += timeout + 1e-6
            if self.now > self.longest:
                self.longest = float("inf")
                raise AssertionError("what the test waits for does not happen")
        return ready

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._real.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.modify(fileobj, events, data)

    def close(self) -> None:
        self._real.close()

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._real.get_map()


class JumpingLoop(asyncio.SelectorEventLoop):
    """An event loop with a time of its own."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)
        self._threads = ThreadPoolExecutor(thread_name_prefix="jumping")
        self.set_default_executor(self._threads)

    def time(self) -> float:
        return self._jumping.now

    def clock(self) -> float:
        """Unix seconds by the loop's own time."""
        return BEGIN + self._jumping.now

    def allow(self, seconds: float) -> None:
        """Let the test take so much longer than it has taken until now."""
        self._jumping.longest = self._jumping.now + seconds

    async def stillness(self) -> None:
        """Wait until no thread works; the loop's own time goes on for moments."""
        while self._jumping.busy:  # noqa: ASYNC110 - the time jumps
            await asyncio.sleep(0.001)

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109
        """Wait for the threads, however far the loop's own time jumps meanwhile."""
        await super().shutdown_default_executor()

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        self._jumping.busy += 1
        if executor is None:
            executor = self._threads
        working = executor.submit(func, *args)
        future = asyncio.wrap_future(working, loop=self)
        # Whoever waits for it may be cancelled; the thread works on all the same, and what it
        # does takes time in which nothing else becomes due.
        working.add_done_callback(self._worked)
        return future

    def _worked(self, _: object) -> None:
        def done() -> None:
            self._jumping.busy -= 1

        # After the end nobody counts any more.
        with contextlib.suppress(RuntimeError):
            self.call_soon_threadsafe(done)


def clock() -> float:
    """Unix seconds of the running loop; stands still where none runs (in threads)."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, JumpingLoop)
    return loop.clock()


def run(work: Callable[[JumpingLoop], Coroutine[Any, Any, T]]) -> T:
    """Run a test's coroutine, which gets its loop, to the end."""
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, JumpingLoop)
        return runner.run(work(loop))
