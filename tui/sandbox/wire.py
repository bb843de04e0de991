"""What surrounds every route: the key, request ids, and answers that get lost."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from typing import Any

import anyio.to_thread
import msgspec
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .desk import Desk
from .failures import ApiError, no_key
from .options import Charges

Endpoint = Callable[[Request], Awaitable[Response] | Response]
"""A handler; a plain function runs in a thread."""


def route(desk: Desk, method: str, path: str, endpoint: Endpoint, name: str) -> Route:
    """Make a route whose answer is lost when the options say so."""
    around = []
    if name in desk.losses:
        around.append(Middleware(LostAnswer, losses=desk.losses, name=name, half=False))
    if name == "content" and "content-half" in desk.losses:
        around.append(Middleware(LostAnswer, losses=desk.losses, name="content-half", half=True))
    return Route(path, endpoint, methods=[method], name=name, middleware=around)


async def in_thread(work: Callable[..., Any], *values: Any) -> Any:
    """Run blocking work in a thread."""
    return await anyio.to_thread.run_sync(work, *values)


async def json_body(request: Request) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        ApiError: The body is not one (400).
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


class LostAnswer:
    """Lets a route act, then drops the connection without the answer, or inside its body."""

    def __init__(self, app: ASGIApp, losses: Charges, name: str, half: bool) -> None:
        """Wrap a route; `half` lets the answer begin."""
        self._app = app
        self._losses = losses
        self._name = name
        self._half = half

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if not self._losses.spend(self._name):
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
    # Uvicorn's receive is a method of the object that holds the transport.
    transport = getattr(getattr(receive, "__self__", None), "transport", None)
    if transport is None:
        raise ConnectionResetError("the sandbox lost this answer on purpose")
    # Bytes that are already written still go out, which is what the half answer needs.
    transport.close()
    while (await receive())["type"] != "http.disconnect":
        pass


class Gate:
    """Asks for the key and gives every answer its request id."""

    def __init__(
        self,
        app: ASGIApp,
        key: str | None,
        answer: Callable[[ApiError], Response],
        id_header: str = "x-request-id",
    ) -> None:
        """Wrap the app; `answer` shapes the refusal as the dialect does."""
        self._app = app
        self._key = key
        self._answer = answer
        self._id_header = id_header

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
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
            given = given or headers.get("x-api-key", "") or headers.get("api-key", "")
            if given != self._key:
                await self._answer(no_key(given))(scope, receive, stamped)
                return
        await self._app(scope, receive, stamped)
