"""Together: another upload path, a wrapped create, a bare list, a percentage and upper case."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from . import sync
from .batches import Batches, cancelling, choice
from .desk import Desk
from .dialect import Dialect
from .failures import ApiError, openai_error
from .files import Files, receive_upload
from .like_mistral import fault, with_model
from .openai_shape import unrun
from .shape import Problem, Shape
from .state import StoredBatch, StoredFile
from .timeline import View
from .wire import in_thread, json_body, route

_LONGEST_ID = 64
_MOST_BYTES = 100_000_000
_DAY = 86_400.0
_WORDS = {
    "validating": "VALIDATING",
    "failed": "FAILED",
    "completed": "COMPLETED",
    "expired": "EXPIRED",
    "cancelled": "CANCELLED",
}


def check(entry: dict[str, Any], endpoint: str) -> Problem | None:
    """Ask for a body and an id of at most 64 characters."""
    if len(entry["custom_id"]) > _LONGEST_ID:
        return Problem("invalid_request", "custom_id is longer than 64 characters", "custom_id")
    return None if "body" in entry else Problem("invalid_request", "missing body", "body")


SHAPE = Shape(name="together", render=with_model, unrun=unrun, check=check, fault=fault)
"""The row rules."""


class TogetherFiles(Files):
    """The file routes."""

    def routes(self) -> list[Route]:
        """The upload has a path of its own."""
        kept = [item for item in super().routes() if item.name != "upload"]
        return [route(self.desk, "POST", "/v1/files/upload", self.upload, "upload"), *kept]

    async def upload(self, request: Request) -> Response:
        """Store an upload with the purpose `batch-api`."""
        file = await receive_upload(
            request,
            self.desk,
            f"file-{self.desk.token()}",
            most=_MOST_BYTES,
            purposes=("batch-api",),
        )
        return JSONResponse(self.show(file))

    def show(self, file: StoredFile) -> dict[str, Any]:
        """Build the file object."""
        return {
            "id": file.id,
            "object": "file",
            "bytes": file.bytes,
            "created_at": int(file.created),
            "filename": file.name,
            "purpose": file.purpose,
            "FileType": "jsonl",
            "Processed": True,
            "LineCount": 0,
        }

    def envelope(self, data: list[dict[str, Any]], more: bool) -> dict[str, Any]:
        """Build the list object."""
        return {"object": "list", "data": data}


class TogetherBatches(Batches):
    """The batch routes."""

    endpoints = ("/v1/chat/completions", "/v1/completions")

    async def create(self, request: Request) -> Response:
        """Create a batch; the answer wraps the job."""
        body = await json_body(request)
        endpoint = choice(body, "endpoint", self.endpoints)
        made = await in_thread(partial(self._job, body, endpoint))
        return JSONResponse({"job": made, "warning": ""}, 201)

    def _job(self, body: dict[str, Any], endpoint: str) -> dict[str, Any]:
        desk = self.desk
        file = desk.state.file(str(body.get("input_file_id")))
        if file is None or file.like != desk.options.like:
            raise ApiError(404, "input file not found", param="input_file_id")
        extra = {"bytes": file.bytes}
        if body.get("model_id"):
            extra["model"] = body["model_id"]
        batch = desk.create(
            desk.path_of(file),
            batch_id=desk.token(),
            endpoint=endpoint,
            window=str(body.get("completion_window", "24h")),
            seconds=_DAY,
            input_id=file.id,
            extra=extra,
        )
        return self.show(batch, desk.view(batch, fresh=True))

    def list_batches(self, request: Request) -> Response:
        """List all batches as a bare array."""
        found = self.desk.state.batches(self.desk.options.like)
        return JSONResponse([self.show(batch) for batch in found])

    def cancel(self, request: Request) -> Response:
        """Ask for a cancel."""
        batch = self.find(request)
        if self.desk.view(batch).ended:
            raise ApiError(400, "batch has already ended")
        self.desk.state.claim_cancel(batch, self.desk.now())
        return JSONResponse(self.show(batch, cancelling(self.desk.view(batch))))

    def show(self, batch: StoredBatch, view: View | None = None) -> dict[str, Any]:
        """Build the job object: a percentage, no counts."""
        view = view or self.desk.view(batch)
        files = set(self._results(batch, view))
        ended = max(view.moments.values(), default=0) if view.ended else None
        share = 100 * view.done / view.total if view.total else 0
        broken = batch.problems if view.status == "failed" else []
        return {
            "id": batch.id,
            "user_id": "sandbox",
            "input_file_id": batch.input_id,
            "file_size_bytes": batch.extra["bytes"],
            "status": _WORDS.get(view.status, "IN_PROGRESS"),
            "job_deadline": _iso(batch.created + batch.seconds),
            "created_at": _iso(batch.created),
            "endpoint": batch.endpoint,
            "progress": 100.0 if view.status == "completed" else round(share, 2),
            "model_id": batch.extra.get("model"),
            "output_file_id": batch.out_id if batch.out_id in files else None,
            "error_file_id": batch.err_id if batch.err_id in files else None,
            "error": "; ".join(f"line {item['line']}: {item['message']}" for item in broken)
            or None,
            "completed_at": None if ended is None else _iso(ended),
        }

    def _results(self, batch: StoredBatch, view: View) -> list[str]:
        failed = view.failed + (view.unrun if view.status == "expired" else 0)
        good, bad = view.ended and view.succeeded, view.ended and failed
        return [batch.out_id] * bool(good) + [batch.err_id] * bool(bad)


def dialect(like: str) -> Dialect:
    """The dialect."""
    return Dialect(SHAPE, _routes, openai_error)


def _routes(desk: Desk) -> list[Route]:
    return [*TogetherFiles(desk).routes(), *TogetherBatches(desk).routes(), *sync.routes(desk)]


def _iso(when: float) -> str:
    return datetime.fromtimestamp(when, UTC).isoformat().replace("+00:00", "Z")
