"""Bounds on what a server may make of one response: time for its head, growth, parsed size."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx

Trace = Callable[[str, Mapping[str, Any]], Awaitable[None]]

_MAX_RATIO = 256
"""The most bytes that one byte of a packed body may become; JSON Lines reach about 100."""

_SMALL_BYTES = 64 << 20
"""A body of so many bytes may be packed as well as it likes."""

_MAX_VALUES = 2_000_000
"""The most objects and arrays of a parsed body; each takes 60 to 250 bytes."""


@asynccontextmanager
async def head_within(seconds: float) -> AsyncIterator[Trace]:
    """Bound the time from the end of a request to the end of the response's headers.

    Every byte that arrives resets the read timeout of the connection, so it does not bound them.

    Args:
        seconds: How long the headers may take.

    Yields:
        The function to be given to httpx as the extension ``trace``.

    Raises:
        httpx.ReadTimeout: They took longer.
    """
    try:
        async with asyncio.timeout(None) as limit:

            async def trace(name: str, _: Mapping[str, Any]) -> None:
                if name.endswith("receive_response_headers.started"):
                    limit.reschedule(asyncio.get_running_loop().time() + seconds)

            yield trace
            limit.reschedule(None)
    except TimeoutError:
        raise httpx.ReadTimeout("the headers of the response did not end") from None


def is_bomb(packed: int, size: int) -> bool:
    """Whether a body unpacks to far more than any result file."""
    return size > _SMALL_BYTES and size > packed * _MAX_RATIO


def has_too_many_values(body: bytes) -> bool:
    """Whether JSON has more objects and arrays than any response of a provider."""
    return body.count(b"{") + body.count(b"[") > _MAX_VALUES
