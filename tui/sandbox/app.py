"""The ASGI app of a sandbox, its middleware, and how handlers read requests."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any

import anyio.to_thread
import msgspec
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tui.sandbox.backend import Backend, Dialect
from tui.sandbox.errors import ApiError, no_key
from tui.sandbox.options import FaultBudget, SandboxOptions

Endpoint = Callable[[Request], Awaitable[Response] | Response]
"""A handler; a plain function runs in a thread."""


def route(backend: Backend, method: str, path: str, endpoint: Endpoint, name: str) -> Route:
    """Build a route whose response is dropped if the options say so."""
    drops = backend.dropped_responses
    around = [
        Middleware(DropResponse, drops=drops, name=fault, half=fault.endswith("-half"))
        for fault in (name, f"{name}-half")
        if fault in drops
    ]
    return Route(path, endpoint, methods=[method], name=name, middleware=around)


async def in_thread(work: Callable[..., Any], *values: Any) -> Any:
    """Run a blocking function in a thread."""
    return await anyio.to_thread.run_sync(work, *values)


async def json_body(request: Request) -> dict[str, Any]:
    """Read the body as a JSON object.

    Raises:
        ApiError: The body is not a JSON object (400).
    """
    try:
        body = msgspec.json.decode(await request.body())
    except (msgspec.DecodeError, UnicodeDecodeError):
        body = None
    if not isinstance(body, dict):
        text = (
            "We could not parse the JSON body of your request. The API expects a JSON payload, "
            "but what was sent was not valid JSON."
        )
        raise ApiError(400, text)
    return body


class DropResponse:
    """Runs a route, then drops the connection before the response or in the middle of its body."""

    def __init__(self, app: ASGIApp, drops: FaultBudget, name: str, half: bool) -> None:
        """Wrap a route; `half` sends the first half of the response."""
        self._app = app
        self._drops = drops
        self._name = name
        self._half = half

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if not self._drops.use(self._name):
            await self._app(scope, receive, send)
            return
        sent = 0

        async def swallow(message: Message) -> None:
            nonlocal sent
            if not self._half:
                return
            if message["type"] == "http.response.body":
                if sent:
                    return
                part = message.get("body", b"")
                message = {**message, "body": part[: len(part) // 2 + 1], "more_body": True}
                sent += len(message["body"])
            await send(message)

        await self._app(scope, receive, swallow)
        await _drop(receive)


async def _drop(receive: Receive) -> None:
    # Uvicorn's receive is a method of the object that has the transport.
    transport = getattr(getattr(receive, "__self__", None), "transport", None)
    if transport is None:
        raise ConnectionResetError("the sandbox dropped this response on purpose")
    # Bytes that are already written are still sent, as needed for half a response.
    transport.close()
    while (await receive())["type"] != "http.disconnect":
        pass


class AuthMiddleware:
    """Middleware that checks the API key and adds the request id to every response."""

    def __init__(
        self,
        app: ASGIApp,
        key: str | None,
        answer: Callable[[ApiError], Response],
        id_header: str = "x-request-id",
    ) -> None:
        """Wrap the app; `answer` builds the dialect's error response."""
        self._app = app
        self._key = key
        self._answer = answer
        self._id_header = id_header

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        mark = f"req_{secrets.token_hex(12)}"
        scope.setdefault("state", {})["request_id"] = mark

        async def stamped(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).setdefault(self._id_header, mark)
            await send(message)

        if self._key is not None:
            headers = Headers(scope=scope)
            given = headers.get("authorization", "").removeprefix("Bearer ").strip()
            for name in ("x-api-key", "api-key", "x-goog-api-key"):
                given = given or headers.get(name, "")
            if given != self._key and not _is_signed(scope):
                await self._answer(no_key(given))(scope, receive, stamped)
                return
        await self._app(scope, receive, stamped)


def _is_signed(scope: Scope) -> bool:
    """Whether the address itself holds the right to what it names: the request needs no key."""
    query = scope.get("query_string", b"")
    return b"upload_id=" in query or scope["path"].startswith("/storage/")


_DIALECTS = {
    "bedrock": "bedrock.jobs.DIALECT",
    "doubleword-old": "doubleword.DIALECT",
    "fireworks": "fireworks.jobs.DIALECT",
    "gemini": "gemini.batches.DIALECT",
    "scaledown-2": "scaledown.SECOND",
    "vertex": "vertex.jobs.DIALECT",
}
"""Where the dialects are that have no module of their own."""


def create_app(options: SandboxOptions | None = None) -> Starlette:
    """Create the ASGI app of a sandbox.

    The state is opened here and closed when the app's lifespan ends. Without a lifespan, call
    `app.state.backend.close()`.

    Args:
        options: The settings; by default OpenAI's dialect at 2,000 rows per second.
    """
    options = options or SandboxOptions()
    module, _, name = _DIALECTS.get(options.like, f"{options.like}.DIALECT").rpartition(".")
    dialect: Dialect = getattr(import_module(f"tui.sandbox.providers.{module}"), name)
    backend = Backend(options, dialect.row_format)

    async def refused(request: Request, problem: Exception) -> Response:
        if isinstance(problem, ApiError):
            return dialect.error(problem)
        assert isinstance(problem, HTTPException)
        text = f"Invalid URL ({request.method} {request.url.path})"
        return dialect.error(ApiError(problem.status_code, text))

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        backend.close()

    app = Starlette(
        routes=[route for part in dialect.parts for route in part(backend).routes()],
        exception_handlers={ApiError: refused, HTTPException: refused},
        middleware=[
            Middleware(
                AuthMiddleware,
                key=None if dialect.checks_key else options.key,
                answer=dialect.error,
                id_header=dialect.id_header,
            )
        ],
        lifespan=lifespan,
    )
    app.state.backend = backend
    return app
