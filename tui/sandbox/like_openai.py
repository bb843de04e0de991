"""OpenAI, the reference."""

from __future__ import annotations

from starlette.routing import Route

from . import sync
from .batches import Batches
from .desk import Desk
from .dialect import Dialect
from .failures import openai_error
from .files import Files
from .openai_shape import SHAPE


def dialect(like: str) -> Dialect:
    """The dialect."""
    return Dialect(SHAPE, _routes, openai_error)


def _routes(desk: Desk) -> list[Route]:
    return [*Files(desk).routes(), *Batches(desk).routes(), *sync.routes(desk)]
