"""Groq: OpenAI's API with other windows, errors as an array and cursor pagination."""

from __future__ import annotations

from typing import Any, ClassVar

from starlette.requests import Request

from tui.sandbox.backend import DAY, Dialect
from tui.sandbox.providers.base import Batches, Files
from tui.sandbox.providers.openai import ROW_FORMAT
from tui.sandbox.state import BatchView, StoredBatch
from tui.sandbox.sync import SyncEndpoints


class GroqBatches(Batches):
    """Groq's batch routes."""

    endpoints = ("/v1/chat/completions",)
    windows: ClassVar[dict[str, float]] = {
        "24h": DAY, "48h": 2 * DAY, "72h": 3 * DAY, "96h": 4 * DAY, "120h": 5 * DAY,
        "144h": 6 * DAY, "168h": 7 * DAY, "7d": 7 * DAY,
    }  # fmt: skip
    cursor = "cursor"

    def batch_object(self, batch: StoredBatch, view: BatchView) -> dict[str, Any]:
        """Build the batch object: `errors` is an array, and there is no `usage`."""
        shown = super().batch_object(batch, view)
        shown["errors"] = shown["errors"]["data"] if shown["errors"] else None
        del shown["usage"], shown["model"]
        return shown

    def select(self, request: Request, batches: list[StoredBatch]) -> list[StoredBatch]:
        """Keep the batches of the `id` parameters, if there are any."""
        wanted = request.query_params.getlist("id")
        return [batch for batch in batches if not wanted or batch.id in wanted]

    def list_response(self, data: list[dict[str, Any]], more: bool) -> dict[str, Any]:
        """Build the list object with the cursor of the next page."""
        cursor = data[-1]["id"] if more else None
        return {"object": "list", "data": data, "paging": {"next_cursor": cursor}}


DIALECT = Dialect(ROW_FORMAT, (Files, GroqBatches, SyncEndpoints))
"""Groq."""
