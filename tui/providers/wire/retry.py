"""When a call is made again: retries, what ``Retry-After`` asks for, and the minimum speed."""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextvars import ContextVar
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TypeVar

import httpx

from tui.errors import BatchdeckError

T = TypeVar("T")
ShouldRetry = Callable[[BatchdeckError], bool | float]
"""Whether to retry after an error; a number is the delay in seconds that the server asked for."""

sleep = asyncio.sleep
"""Waits for a pause; tests replace it with something faster."""

Pause = Callable[[BatchdeckError, float], Awaitable[None]]
"""Waits after an error for so many seconds; what it raises ends the call instead."""

_pause: ContextVar[Pause | None] = ContextVar("pause", default=None)


@contextlib.contextmanager
def pausing(pause: Pause) -> Iterator[None]:
    """Have ``pause`` wait between the calls that are made in the block."""
    token = _pause.set(pause)
    try:
        yield
    finally:
        _pause.reset(token)


async def with_retries(
    act: Callable[[], Awaitable[T]],
    *,
    should_retry: ShouldRetry,
    attempts: int,
    first: float = 0.5,
    longest: float = 8.0,
    jitter: float = 0.5,
) -> T:
    """Make a call until it succeeds, fails permanently, or has been tried ``attempts`` times.

    Args:
        act: Makes the call.
        should_retry: Decides whether an error is retried.
        attempts: The maximum number of calls.
        first: Seconds before the second call; doubled for each further one.
        longest: The longest pause in seconds.
        jitter: Maximum of the random seconds added to each pause, which spreads out clients.

    Raises:
        BatchdeckError: The error of the last call.
    """
    delay = first
    for attempt in range(1, attempts + 1):
        try:
            return await act()
        except BatchdeckError as error:
            verdict = should_retry(error)
            if verdict is False or attempt == attempts:
                raise
            met = error
        wait = delay + random.uniform(0.0, jitter) if verdict is True else float(verdict)
        pause = _pause.get()
        await (sleep(wait) if pause is None else pause(met, wait))
        delay = min(delay * 2, longest)
    raise ValueError("attempts must be at least 1")


MAX_RETRY_AFTER = 3600.0
"""The longest delay in seconds; longer ones are capped."""

_UNIX_TIMES = (1e9, 1e11)
"""Between these, a number is no delay: some servers send the time in Unix seconds."""

_UNIX_MILLIS = (1e12, 1e14)
"""Between these, it is the time in Unix milliseconds."""


def parse_retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Read the delay in seconds, 0 to ``MAX_RETRY_AFTER``; ``None`` without a valid header.

    ``retry-after-ms`` takes precedence (Anthropic, Azure). ``retry-after`` is a number of seconds,
    possibly with a fraction, or an HTTP date, or a Unix time in seconds or milliseconds. A date is
    compared with the response's own ``Date`` header, because the clocks may differ.

    Args:
        headers: The response headers, case-insensitive.
        now: Unix seconds, used if the response has no ``Date`` header.
    """
    if (millis := _number(headers.get("retry-after-ms"))) is not None:
        return _bounded(millis / 1000)
    text = headers.get("retry-after")
    until = _date(text)
    if (seconds := _number(text)) is not None:
        if _UNIX_MILLIS[0] <= seconds < _UNIX_MILLIS[1]:
            seconds /= 1000
        if not _UNIX_TIMES[0] <= seconds < _UNIX_TIMES[1]:
            return _bounded(seconds)
        until = seconds
    if until is None:
        return None
    return _bounded(until - (_date(headers.get("date")) or now))


def _bounded(seconds: float) -> float:
    return min(max(seconds, 0.0), MAX_RETRY_AFTER)


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return None if math.isnan(value) else value


def date_in(headers: Mapping[str, str]) -> float | None:
    """The time in the ``Date`` header in Unix seconds: the server's clock."""
    return _date(headers.get("date"))


def _date(text: str | None) -> float | None:
    if not text:
        return None
    try:
        moment = parsedate_to_datetime(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


_MIN_BYTES = 1024


class MinimumSpeed:
    """Checks that at least 1 KiB of a body arrives per ``read_timeout`` seconds.

    Every byte that arrives resets the read timeout of the connection; without this check a server
    or proxy could block a call forever by sending one byte a minute.

    Args:
        read_timeout: Length of the period in seconds.
        clock: A monotonic clock, in seconds.
    """

    def __init__(self, read_timeout: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._period = read_timeout
        self._clock = clock
        self._started = clock()
        self._received = 0

    def check(self, received: int) -> None:
        """Record how many bytes have been received, before decompression.

        Raises:
            httpx.ReadTimeout: Fewer than 1,024 bytes arrived in the last period.
        """
        now = self._clock()
        if now - self._started < self._period:
            return
        if received - self._received < _MIN_BYTES:
            raise httpx.ReadTimeout("the response is arriving too slowly")
        self._started, self._received = now, received
