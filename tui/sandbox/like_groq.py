"""Groq: OpenAI's flow with other windows, a bare list of errors and cursor pages."""

from __future__ import annotations

from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from . import sync
from .batches import DAY, Batches
from .desk import Desk
from .dialect import Dialect
from .failures import openai_error
from .files import Files
from .openai_shape import SHAPE
from .paging import limit_of, page
from .state import StoredBatch
from .timeline import View


class GroqBatches(Batches):
    """The batch routes of Groq."""

    endpoints = ("/v1/chat/completions",)
    windows: ClassVar[dict[str, float]] = {
        "24h": DAY, "48h": 2 * DAY, "72h": 3 * DAY, "96h": 4 * DAY, "120h": 5 * DAY,
        "144h": 6 * DAY, "168h": 7 * DAY, "7d": 7 * DAY,
    }  # fmt: skip

    def show(self, batch: StoredBatch, view: View | None = None) -> dict[str, Any]:
        """Build the batch object: `errors` is a bare list, `usage` does not exist."""
        shown = super().show(batch, view)
        shown["errors"] = shown["errors"]["data"] if shown["errors"] else None
        del shown["usage"], shown["model"]
        return shown

    def list_batches(self, request: Request) -> Response:
        """List by `cursor`; several `id` parameters ask for those batches."""
        desk = self.desk
        found = desk.state.batches(desk.options.like)
        wanted = request.query_params.getlist("id")
        if wanted:
            found = [batch for batch in found if batch.id in wanted]
        cursor = request.query_params.get("cursor")
        items, more = page(
            found, lambda batch: batch.id, cursor, limit_of(request, 20, 100), self.missing
        )
        reply: dict[str, Any] = {"object": "list", "data": [self.show(batch) for batch in items]}
        reply["paging"] = {"next_cursor": items[-1].id if more else None}
        return JSONResponse(reply)


def dialect(like: str) -> Dialect:
    """The dialect."""
    return Dialect(SHAPE, _routes, openai_error)


def _routes(desk: Desk) -> list[Route]:
    return [*Files(desk).routes(), *GroqBatches(desk).routes(), *sync.routes(desk)]
