"""OpenRouter: rows as the last key of the create body, results in the batch object."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tui.sandbox.app import route
from tui.sandbox.backend import Dialect
from tui.sandbox.errors import ApiError
from tui.sandbox.json_stream import InlineParser
from tui.sandbox.providers.base import Batches, create_inline, required_choice
from tui.sandbox.providers.mistral import fault, render
from tui.sandbox.results import number_of
from tui.sandbox.rows import Problem, RowFormat
from tui.sandbox.state import BatchView, StoredBatch
from tui.sandbox.sync import SyncEndpoints

_MAX_ID = 256
_MAX_BYTES = 200_000_000
_COST_PER_TOKEN = 0.000_000_2


def check(entry: dict[str, Any], endpoint: str) -> Problem | None:
    """Require a body and an id of at most 256 bytes; one violation fails the whole batch."""
    if len(entry["custom_id"].encode()) > _MAX_ID:
        return Problem("invalid_request", "custom_id is longer than 256 bytes", "custom_id")
    if not isinstance(entry.get("body"), dict):
        return Problem("invalid_request", "body must be an object", "body")
    return None


def not_run(custom_id: str, mark: str, reason: str) -> bytes:
    """Build the result of a row that never ran."""
    error = {"type": f"batch_{reason}", "message": "The request was not executed.", "param": None}
    line = {"id": "batch_req_" + mark, "custom_id": custom_id, "response": None, "error": error}
    return msgspec.json.encode(line)


def error(failure: ApiError) -> Response:
    """Build the response `{"error": {code, message}}`, with the status as code."""
    body = {"error": {"code": failure.status, "message": failure.message}}
    return JSONResponse(failure.body or body, failure.status, failure.headers)


class RouterBatches(Batches):
    """The batch routes; there is no cancel."""

    endpoints = ("/v1/chat/completions", "/v1/responses", "/v1/messages", "/v1/embeddings")

    def routes(self) -> list[Route]:
        """The routes, with a delete instead of a cancel."""
        kept = [item for item in super().routes() if item.name != "cancel"]
        return [*kept, route(self.backend, "DELETE", self.path + "/{id}", self.delete, "delete")]

    async def create(self, request: Request) -> Response:
        """Create a batch from the rows in the streamed body."""
        made = await create_inline(request, self.backend, _check_row, self._create, _MAX_BYTES)
        return JSONResponse(made, 202)

    def _create(self, draft: Path, parser: InlineParser) -> dict[str, Any]:
        body = parser.fields
        if parser.order[-1:] != ["requests"]:
            raise ApiError(400, "requests must be the last key of the body")
        endpoint = required_choice(body, "endpoint", self.endpoints)
        if not isinstance(body.get("model"), str):
            raise ApiError(400, "model is required")
        required_choice({"completion_window": "24h", **body}, "completion_window", ("24h",))
        batch = self.backend.create(
            draft,
            endpoint=endpoint,
            extra={"model": body["model"], "provider": body.get("provider")},
        )
        return self.show_created(batch)

    def select(self, request: Request, batches: list[StoredBatch]) -> list[StoredBatch]:
        """Filter by time and by `status`, which may be repeated."""
        wanted = request.query_params.getlist("status")
        after, before = number_of(request, "created_after"), number_of(request, "created_before")
        return [
            batch
            for batch in batches
            if (not wanted or self.backend.view(batch).status in wanted)
            and batch.created > after
            and (not before or batch.created < before)
        ]

    def retrieve(self, request: Request) -> Response:
        """Return a batch; an ended one includes its results, which are streamed."""
        batch = self.visible(request)
        view = self.backend.view(batch)
        shown = self.batch_object(batch, view)
        if batch.problems or not view.ended:
            return JSONResponse({**shown, "results": None})
        head = msgspec.json.encode(shown)[:-1] + b',"results":['
        return StreamingResponse(self._body(head, batch, view), 200, None, "application/json")

    def _body(self, head: bytes, batch: StoredBatch, view: BatchView) -> Iterator[bytes]:
        yield head
        first = True
        for errors in (False, True):
            result = self.backend.results(batch, view, errors=errors)
            for chunk in result.chunks() if result else ():
                # A chunk has only whole lines, and JSON lines contain no raw line breaks.
                lines = chunk.rstrip(b"\n").replace(b"\n", b",")
                yield lines if first else b"," + lines
                first = False
        yield b"]}"

    def delete(self, request: Request) -> Response:
        """Delete an ended batch with its data."""
        if not self.backend.view(self.find(request)).ended:
            raise ApiError(409, "The batch has not ended.")
        return super().delete(request)

    def batch_object(self, batch: StoredBatch, view: BatchView) -> dict[str, Any]:
        """Build the batch object without its results."""
        problem = batch.problems[0] if view.status == "failed" and batch.problems else None
        text = f"line {problem['line']}: {problem['message']}" if problem else ""
        return {
            "id": batch.id,
            "object": "batch",
            "endpoint": batch.endpoint,
            "model": batch.extra["model"],
            "provider": batch.extra["provider"],
            "status": view.status,
            "completion_window": "24h",
            "created_at": int(batch.created),
            "expires_at": int(batch.created + batch.seconds),
            "finalized_at": int(view.ended_at) if view.ended_at else None,
            "request_counts": {
                "total": view.total,
                "completed": view.succeeded,
                "failed": view.unsuccessful,
            },
            "error": {"message": text} if problem else None,
            "usage": self._usage(batch, view) if view.ended and not batch.problems else None,
        }

    def _usage(self, batch: StoredBatch, view: BatchView) -> dict[str, Any]:
        spent, made = self.backend.tokens(batch, view)
        return {
            "prompt_tokens": spent,
            "completion_tokens": made,
            "total_tokens": spent + made,
            "cost": round((spent + made) * _COST_PER_TOKEN, 8),
            "is_byok": False,
        }


def _check_row(index: int, row: Any) -> None:
    if not isinstance(row, dict):
        raise ApiError(400, f"requests.{index} must be an object")


ROW_FORMAT = RowFormat(render=render, not_run=not_run, check=check, fault=fault)
"""The row format."""

DIALECT = Dialect(ROW_FORMAT, (RouterBatches, SyncEndpoints), error)
"""OpenRouter."""
