"""A proxy between the program and a provider that fails at a chosen byte."""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

_MOVED = "/moved"
"""A path of the proxy itself: what lies behind it is the provider's own path."""

_SESSION = "upload_id="
"""What the address of a resumable upload has, which takes the bytes."""

_ROUTES = (
    ("upload", r"POST (/v1|/upload/v1beta)/files"),
    ("upload", r"PUT /answers/.+"),
    ("create", r"POST /model-invocation-job"),
    ("content", r"GET /answers/.+\.jsonl\.out"),
    ("poll", r"GET /model-invocation-job/[^/]+"),
    ("list", r"GET /model-invocation-jobs"),
    ("create", r"POST /v1/(messages/batches|batches|batch/jobs)/?"),
    ("create", r"POST /v1beta/models/[^/]+:batchGenerateContent"),
    ("upload", r"POST /v1/accounts/acme/datasets(/[^/]+:upload)?"),
    ("create", r"POST /v1/accounts/acme/batchInferenceJobs"),
    ("upload", r"POST /upload/storage/v1/b/answers/o"),
    ("files", r"GET /storage/v1/b/answers/o"),
    ("content", r"GET /storage/.*"),
    ("create", r"POST /v1/projects/[^/]+/locations/[^/]+/batchPredictionJobs"),
    ("poll", r"GET /v1/projects/[^/]+/locations/[^/]+/batchPredictionJobs/[^/]+"),
    ("list", r"GET /v1/projects/[^/]+/locations/[^/]+/batchPredictionJobs"),
    ("poll", r"GET /v1/accounts/acme/batchInferenceJobs/[^/]+"),
    ("list", r"GET /v1/accounts/acme/batchInferenceJobs"),
    ("content", r"GET /v1/files/[^/]+/content"),
    ("content", r"GET /v1/(messages/)?batches/[^/]+/results"),
    ("content", r"GET /download/v1beta/files/[^/]+:download"),
    ("poll", r"GET /v1(beta)?/(messages/batches|batches|batch/jobs)/[^/]+"),
    ("list", r"GET /v1(beta)?/(messages/batches|batches|batch/jobs)/?"),
)


def route_of(line: str) -> str:
    """The route of a request line."""
    method, target, *_ = line.split(" ")
    path, _, query = target.removeprefix(_MOVED).partition("?")
    if _SESSION in query and method in ("POST", "PUT"):
        return "send"
    for name, pattern in _ROUTES:
        if re.fullmatch(pattern, f"{method} {path}"):
            return name
    return "other"


Change = Callable[[bytes, bytes], tuple[bytes, bytes]]


@dataclass
class Exchange:
    """One request of the program, and how it is answered.

    ``head`` is the request's head with its blank line; the body is read by ``body``.
    """

    proxy: Proxy
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    head: bytes
    sent: bytes = b""

    @property
    def line(self) -> str:
        """The request line."""
        return self.head.partition(b"\r\n")[0].decode("latin-1")

    @property
    def route(self) -> str:
        """The route of the request."""
        return route_of(self.line)

    def header(self, name: str) -> str:
        """A header of the request; empty if it is missing."""
        found = re.search(rf"(?im)^{re.escape(name)}:[ \t]*(.*?)\r$", self.head.decode("latin-1"))
        return found[1] if found else ""

    @property
    def length(self) -> int:
        """The length of the request's body by its header."""
        return int(self.header("content-length") or 0)

    async def body(self, upto: float = 1.0) -> bytes:
        """Read the request's body, or part of it."""
        if "chunked" in self.header("transfer-encoding"):
            if upto >= 1.0:
                self.sent += await self.reader.readuntil(b"\r\n0\r\n\r\n")
            return self.sent
        want = int(self.length * upto) - len(self.sent)
        if want > 0:
            self.sent += await self.reader.readexactly(want)
        return self.sent

    async def act(self, change: Change | None = None) -> bytes:
        """Send the request to the provider; returns the whole answer, head and body.

        Args:
            change: Makes another head and body of those of the request.
        """
        body = await self.body()
        head = re.sub(rb"(?im)^connection:.*\r\n", b"", self.head)
        if change is not None:
            head, body = change(head, body)
        head = head.replace(_MOVED.encode() + b"/", b"/", 1)
        head = head.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
        port = self.proxy.port_for(self.line)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(head + body)
            head, blank, content = (await reader.read()).partition(b"\r\n\r\n")
            # A server that names an address of its own means the one by which it was asked.
            own = f"http://127.0.0.1:{port}".encode()
            return head.replace(own, self.proxy.url.encode()) + blank + content
        finally:
            writer.close()

    async def pass_on(self) -> None:
        """Send the request to the provider and pass on its answer unchanged."""
        await self.give(await self.act())

    async def give(self, data: bytes) -> None:
        """Send a part of an answer."""
        self.writer.write(data)
        await self.writer.drain()

    async def answer(
        self, status: int, body: str | bytes = "", kind: str = "application/json", **headers: str
    ) -> None:
        """Send an answer that the provider never gave; names of headers with ``_`` for ``-``."""
        raw = body.encode() if isinstance(body, str) else body
        head = f"HTTP/1.1 {status} Made up\r\nContent-Type: {kind}\r\n"
        head += f"Content-Length: {len(raw)}\r\nConnection: close\r\n"
        head += "".join(f"{name.replace('_', '-')}: {text}\r\n" for name, text in headers.items())
        await self.give(head.encode("latin-1") + b"\r\n" + raw)

    def reset(self) -> None:
        """Reset the connection."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Act = Callable[[Exchange], Awaitable[None]]


@dataclass
class Proxy:
    """Listens, counts requests, and applies a fault to chosen ones.

    Args:
        behind: The provider's port.
        places: Ports of other servers, by the start of the paths that lead there.
    """

    behind: int
    places: dict[str, int] = field(default_factory=dict)
    port: int = 0
    asked: Counter[str] = field(default_factory=Counter)
    armed: dict[str, deque[Act]] = field(default_factory=dict)
    hits: list[float] = field(default_factory=list)
    heads: list[bytes] = field(default_factory=list)
    troubles: list[BaseException] = field(default_factory=list)
    serving: set[asyncio.Task[None]] = field(default_factory=set)

    def arm(self, route: str, act: Act, times: int = 1) -> None:
        """Apply a fault to the next requests of a route, after those that it has already."""
        self.armed.setdefault(route, deque()).extend([act] * times)

    async def quiet(self) -> None:
        """Wait until no request is under way, not even one that nobody waits for."""
        while self.serving:
            await asyncio.wait(set(self.serving))

    def _fault(self, route: str) -> Act | None:
        waiting = self.armed.get(route)
        return waiting.popleft() if waiting else None

    def port_for(self, line: str) -> int:
        """The port of the server for a request line."""
        path = line.split(" ")[1]
        found = (port for start, port in self.places.items() if path.startswith(start))
        return next(found, self.behind)

    @property
    def url(self) -> str:
        """The proxy's origin."""
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Handle a connection, which carries one request."""
        try:
            if (act := self._fault("connect")) is not None:
                await act(Exchange(self, reader, writer, b""))
                return
            exchange = Exchange(self, reader, writer, await reader.readuntil(b"\r\n\r\n"))
            await self._handle(exchange)
        except (ConnectionError, asyncio.IncompleteReadError):
            # The program hung up: it may.
            pass
        except Exception as error:
            self.troubles.append(error)
        finally:
            writer.close()

    async def _handle(self, exchange: Exchange) -> None:
        route = exchange.route
        self.asked[route] += 1
        self.heads.append(exchange.head)
        if route in self.armed:
            self.hits.append(asyncio.get_running_loop().time())
        if (act := self._fault(route)) is not None:
            await act(exchange)
        else:
            await exchange.pass_on()


_P = TypeVar("_P", bound=Proxy)


@asynccontextmanager
async def running(proxy: _P) -> AsyncIterator[_P]:
    """A proxy that listens while the block runs."""

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(proxy.serve(reader, writer))
        proxy.serving.add(task)
        task.add_done_callback(proxy.serving.discard)

    server = await asyncio.start_server(begin, "127.0.0.1", 0, limit=1 << 24)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        left = list(proxy.serving)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


@asynccontextmanager
async def proxy_to(behind: int) -> AsyncIterator[Proxy]:
    """A proxy for a port, while the block runs."""
    async with running(Proxy(behind)) as proxy:
        yield proxy


@asynccontextmanager
async def trap() -> AsyncIterator[tuple[str, list[bytes]]]:
    """Another origin: its address, and all bytes that are sent to it."""
    got: list[bytes] = []

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        data = await reader.read(1 << 16)
        got.append(data)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
        writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", got
    finally:
        server.close()
