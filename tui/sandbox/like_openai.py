"""OpenAI, the reference; it also answers the flat bodies of ScaleDown's three models.

OpenAI itself would refuse those: they are taken so that all that can be composed can be tried here.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from starlette.routing import Route

from . import openai_shape, scaledown_answers, sync
from .batches import Batches
from .desk import Desk
from .dialect import Dialect
from .failures import openai_error
from .files import Files
from .shape import Rendered, Row, openai_fault

_CHAT = "/v1/chat/completions"


def fault(url: str, body: Any, extra: dict[str, Any]) -> str:
    """Say what is refused in a row, by the rules of the model that it is for."""
    return _flat_fault(url, body) if _is_flat(url, body) else openai_fault(url, body, extra)


def render(row: Row) -> Rendered:
    """Make OpenAI's line."""
    return openai_shape.render(row, _flat_fault(row.url, row.body))


def dialect(like: str) -> Dialect:
    """The dialect."""
    shape = replace(openai_shape.SHAPE, render=render, fault=fault)
    return Dialect(shape, _routes, openai_error)


def _is_flat(url: str, body: Any) -> bool:
    return url == _CHAT and scaledown_answers.asks(body)


def _flat_fault(url: str, body: Any) -> str:
    """Say what is wrong with a flat body; empty for any other."""
    return scaledown_answers.fault(body) if _is_flat(url, body) else ""


def _routes(desk: Desk) -> list[Route]:
    return [*Files(desk).routes(), *Batches(desk).routes(), *sync.routes(desk, fault)]
