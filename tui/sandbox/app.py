"""Puts a sandbox together: the desk, a dialect, and what surrounds its routes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response

from .desk import Desk
from .dialect import Dialect
from .failures import ApiError
from .options import SandboxOptions
from .wire import Gate

_MODULES = {
    "doubleword-old": "like_doubleword",
    "scaledown-2": "like_scaledown",
}


def create_app(options: SandboxOptions | None = None) -> Starlette:
    """Create the ASGI app of a sandbox.

    The state is opened here and closed when the app's lifespan ends; `app.state.desk` is the
    `Desk`, whose `close()` an owner without a lifespan calls.

    Args:
        options: The settings; the defaults are OpenAI's dialect at 2,000 rows per second.
    """
    options = options or SandboxOptions()
    module = _MODULES.get(options.like, f"like_{options.like}")
    dialect: Dialect = import_module(f"{__package__}.{module}").dialect(options.like)
    desk = Desk(options, dialect.shape)

    async def refused(request: Request, problem: Exception) -> Response:
        if isinstance(problem, ApiError):
            return dialect.error(problem)
        assert isinstance(problem, HTTPException)
        text = f"Invalid URL ({request.method} {request.url.path})"
        return dialect.error(ApiError(problem.status_code, text))

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        desk.close()

    app = Starlette(
        routes=dialect.routes(desk),
        exception_handlers={ApiError: refused, HTTPException: refused},
        middleware=[
            Middleware(Gate, key=options.key, answer=dialect.error, id_header=dialect.id_header)
        ],
        lifespan=lifespan,
    )
    app.state.desk = desk
    return app
