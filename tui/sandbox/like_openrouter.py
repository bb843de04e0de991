"""OpenRouter: rows in the create, which must come last, and results inside the batch object."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from . import sync
from .batches import Batches, choice
from .desk import Desk
from .dialect import Dialect
from .failures import ApiError
from .inline import InlineReader, read_inline
from .like_mistral import fault as model_fault
from .like_mistral import with_model
from .paging import limit_of, number_of, page
from .planfile import Plan
from .shape import Problem, Shape
from .state import StoredBatch
from .timeline import View
from .wire import in_thread, route

_LONGEST_ID = 256
_MOST_BYTES = 200_000_000
_DAY = 86_400.0
_COST_PER_TOKEN = 0.000_000_2


def check(entry: dict[str, Any], endpoint: str) -> Problem | None:
    """Ask for a body and an id of at most 256 bytes; a breach fails the whole batch."""
    if len(entry["custom_id"].encode()) > _LONGEST_ID:
        return Problem("invalid_request", "custom_id is longer than 256 bytes", "custom_id")
    if not isinstance(entry.get("body"), dict):
        return Problem("invalid_request", "body must be an object", "body")
    return None


def unrun(custom_id: str, mark: str, reason: str) -> bytes:
    """Make the result of a row that never ran."""
    error = {"type": f"batch_{reason}", "message": "The request was not executed.", "param": None}
    line = {"id": "batch_req_" + mark, "custom_id": custom_id, "response": None, "error": error}
    return msgspec.json.encode(line)


SHAPE = Shape(name="openrouter", render=with_model, unrun=unrun, check=check, fault=model_fault)
"""The row rules."""


def error(failure: ApiError) -> Response:
    """Answer `{"error": {code, message}}` with the status as the code."""
    body = {"error": {"code": failure.status, "message": failure.message}}
    return JSONResponse(failure.body or body, failure.status, failure.headers)


class RouterBatches(Batches):
    """The batch routes; there is no cancel."""

    endpoints = ("/v1/chat/completions", "/v1/responses", "/v1/messages", "/v1/embeddings")

    def routes(self) -> list[Route]:
        """The routes, with a delete in place of the cancel."""
        kept = [item for item in super().routes() if item.name != "cancel"]
        return [*kept, route(self.desk, "DELETE", self.path + "/{id}", self.delete, "delete")]

    async def create(self, request: Request) -> Response:
        """Create a batch from the rows in the body, read as a stream."""
        draft = self.desk.draft()
        try:
            reader = await read_inline(request.stream(), draft, _any, _MOST_BYTES)
            made = await in_thread(partial(self._start, draft, reader))
        finally:
            draft.unlink(missing_ok=True)
        return JSONResponse(made, 202)

    def _start(self, draft: Path, reader: InlineReader) -> dict[str, Any]:
        body = reader.fields
        if reader.order[-1:] != ["requests"]:
            raise ApiError(400, "requests must be the last key of the body")
        endpoint = choice(body, "endpoint", self.endpoints)
        if not isinstance(body.get("model"), str):
            raise ApiError(400, "model is required")
        choice({"completion_window": "24h", **body}, "completion_window", ("24h",))
        batch = self.desk.create(
            draft,
            batch_id=f"batch_{self.desk.token()}",
            endpoint=endpoint,
            window="24h",
            seconds=_DAY,
            extra={"model": body["model"], "provider": body.get("provider")},
        )
        return self.show(batch, self.desk.view(batch, fresh=True))

    def list_batches(self, request: Request) -> Response:
        """List batches without their results; `status` may be given more than once."""
        query = request.query_params
        wanted = query.getlist("status")
        found = self.desk.state.batches(self.desk.options.like)
        found = [item for item in found if not wanted or self.desk.view(item).status in wanted]
        after, before = number_of(request, "created_after"), number_of(request, "created_before")
        found = [item for item in found if item.created > after]
        found = [item for item in found if not before or item.created < before]
        limit = limit_of(request, 20, 100)
        items, more = page(found, lambda item: item.id, query.get("after"), limit, self.missing)
        return JSONResponse(self.envelope([self.show(item) for item in items], more))

    def retrieve(self, request: Request) -> Response:
        """Describe a batch; an ended one carries its results, sent row by row."""
        batch = self.visible(request)
        view = self.desk.view(batch)
        plan = self.desk.plan_of(batch)
        shown = self.show(batch, view)
        if plan is None or not view.ended:
            return JSONResponse({**shown, "results": None})
        head = msgspec.json.encode(shown)[:-1] + b',"results":['
        return StreamingResponse(self._body(head, batch, view), 200, None, "application/json")

    def _body(self, head: bytes, batch: StoredBatch, view: View) -> Iterator[bytes]:
        yield head
        first = True
        for errors in (False, True):
            result = self.desk.results(batch, view, errors=errors)
            for chunk in result.chunks() if result else ():
                # Each chunk is whole lines; a raw line break never stands inside one.
                lines = chunk.rstrip(b"\n").replace(b"\n", b",")
                yield lines if first else b"," + lines
                first = False
        yield b"]}"

    def delete(self, request: Request) -> Response:
        """Delete an ended batch with its data."""
        batch = self.find(request)
        if not self.desk.view(batch).ended:
            raise ApiError(409, "The batch has not ended.")
        self.desk.remove_batch(batch)
        return JSONResponse({"id": batch.id, "object": "batch", "deleted": True})

    def show(self, batch: StoredBatch, view: View | None = None) -> dict[str, Any]:
        """Build the batch object without its results."""
        view = view or self.desk.view(batch)
        plan = self.desk.plan_of(batch)
        failed = view.failed + (view.unrun if view.status == "expired" else 0)
        ended = max(view.moments.values(), default=batch.created) if view.ended else None
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
            "finalized_at": None if ended is None else int(ended),
            "request_counts": {
                "total": view.total,
                "completed": view.succeeded,
                "failed": failed,
            },
            "error": {"message": text} if problem else None,
            "usage": _usage(plan, view) if plan and view.ended else None,
        }


def dialect(like: str) -> Dialect:
    """The dialect."""
    return Dialect(SHAPE, _routes, error)


def _routes(desk: Desk) -> list[Route]:
    return [*RouterBatches(desk).routes(), *sync.routes(desk)]


def _usage(plan: Plan, view: View) -> dict[str, Any]:
    spent, made = plan.total("tokens_in", view.done), plan.total("tokens_out", view.done)
    return {
        "prompt_tokens": spent,
        "completion_tokens": made,
        "total_tokens": spent + made,
        "cost": round((spent + made) * _COST_PER_TOKEN, 8),
        "is_byok": False,
    }


def _any(index: int, row: Any) -> None:
    if not isinstance(row, dict):
        raise ApiError(400, f"requests.{index} must be an object")
