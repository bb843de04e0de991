"""Applications on a real port of this machine, with a record of the requests."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.responses import JSONResponse

from tests.threads import in_thread, join_all
from tui.sandbox.options import SandboxOptions
from tui.sandbox.serve import configure

__all__ = ["Asked", "Served", "join_all", "sandbox", "serving"]


@dataclass(frozen=True)
class Asked:
    """One call and the status of its answer."""

    method: str
    path: str
    status: int


@dataclass
class Served:
    """A running server.

    Attributes:
        url: Its address, ``http://127.0.0.1:PORT``.
        asked: The requests in the order of their answers.
    """

    url: str
    asked: list[Asked] = field(default_factory=list)

    def count(self, method: str, end: str, *, good: bool = True) -> int:
        """The number of requests to a path with this end, answered with 2xx or not."""
        return sum(
            call.method == method and call.path.endswith(end) and (call.status < 300) is good
            for call in self.asked
        )


_FULL = {
    "message": "Enqueued token limit reached for this model. Limit: 90,000 enqueued tokens.",
    "type": "invalid_request_error",
    "code": "token_limit_exceeded",
}
"""What OpenAI says when too many tokens are queued."""

_BUSY = {"message": "Too many requests.", "type": "rate_limit_error", "code": "rate_limited"}


class _Rejecting:
    """Rejects the first creates with a 429, after those that are taken."""

    def __init__(
        self, app: Any, times: int, error: dict[str, str], *, taken: int = 0, **headers: str
    ) -> None:
        self.app = app
        self.left = times
        self.taken = taken
        self.error = error
        self.headers = headers

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        creates = scope["type"] == "http" and scope["method"] == "POST"
        if creates and scope["path"].endswith("/batches") and self.left:
            if not self.taken:
                self.left -= 1
                await JSONResponse({"error": self.error}, 429, self.headers)(scope, receive, send)
                return
            self.taken -= 1
        await self.app(scope, receive, send)


class _Recorder:
    """Middleware that records the method, the path and the status."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.asked: list[Asked] = []

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def noting(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                self.asked.append(Asked(scope["method"], scope["path"], message["status"]))
            await send(message)

        await self.app(scope, receive, noting)


@contextmanager
def serving(config: uvicorn.Config) -> Iterator[Served]:
    """Serve an application over TCP from a thread while the block runs."""
    recorder = _Recorder(config.app)
    config.app = recorder
    with in_thread(config) as url:
        yield Served(url, recorder.asked)


@contextmanager
def sandbox(
    like: str, *, full: int = 0, busy: int = 0, taken: int = 0, **options: Any
) -> Iterator[Served]:
    """A sandbox without delays, unless the options set some.

    Args:
        like: The provider to imitate.
        full: The number of creates that are rejected because the queue is full.
        busy: The number of creates after which the server asks to wait for a minute.
        taken: The number of creates that are accepted before those.
        **options: More of ``SandboxOptions``.
    """
    config = configure(SandboxOptions(like=like, **{"rows_per_second": 0, **options}))
    if full:
        config.app = _Rejecting(config.app, full, _FULL, taken=taken)
    if busy:
        headers = {"retry-after": "60"}
        config.app = _Rejecting(config.app, busy, _BUSY, taken=taken, **headers)
    with serving(config) as one:
        yield one
