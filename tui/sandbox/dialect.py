"""One way to speak: the rows, the routes and the errors of a provider."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from starlette.responses import Response
from starlette.routing import Route

from .desk import Desk
from .failures import ApiError
from .shape import Shape


@dataclass(frozen=True)
class Dialect:
    """What the app needs to know of a provider.

    Attributes:
        shape: Its row rules.
        routes: Makes its routes for a desk.
        error: Gives a refusal its shape.
        id_header: The reply header that carries the request id.
    """

    shape: Shape
    routes: Callable[[Desk], list[Route]]
    error: Callable[[ApiError], Response]
    id_header: str = "x-request-id"
