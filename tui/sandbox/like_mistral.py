"""Mistral: batch jobs with their own words and counts, from files or from rows in the create."""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from . import openai_shape, sync
from .batches import check_metadata, choice
from .desk import Desk
from .dialect import Dialect
from .failures import ApiError, openai_error
from .files import Files
from .inline import read_inline
from .paging import number_of
from .shape import Problem, Shape
from .shape import openai_fault as base_fault
from .state import StoredBatch
from .timeline import View
from .wire import in_thread, route

_HOUR = 3600.0
_MOST_INLINE = 10_000
_ENDPOINTS = ("/v1/chat/completions", "/v1/embeddings", "/v1/moderations")
_WORDS = {
    "validating": "QUEUED",
    "in_progress": "RUNNING",
    "finalizing": "RUNNING",
    "completed": "SUCCESS",
    "failed": "FAILED",
    "expired": "TIMEOUT_EXCEEDED",
    "cancelling": "CANCELLATION_REQUESTED",
    "cancelled": "CANCELLED",
}


def fault(url: str, body: Any, extra: dict[str, Any]) -> str:
    """Say what is wrong with a body; the model may stand on the job."""
    if isinstance(body, dict) and extra.get("model"):
        body = {"model": extra["model"], **body}
    return base_fault(url, body, extra)


def check(entry: dict[str, Any], endpoint: str) -> Problem | None:
    """Ask for a body; method and url are not needed."""
    return None if "body" in entry else Problem("invalid_request", "Missing 'body'.", "body")


def with_model(row: Any) -> Any:
    """Fill the model of the job into a row that names none."""
    if row.extra.get("model") and isinstance(row.body, dict):
        row.body.setdefault("model", row.extra["model"])
    return openai_shape.render(row)


SHAPE = Shape(
    name="mistral",
    render=with_model,
    unrun=openai_shape.unrun,
    check=check,
    fault=fault,
    max_rows=1_000_000,
)
"""The row rules."""


class Jobs:
    """The job routes."""

    def __init__(self, desk: Desk) -> None:
        """Serve the jobs of `desk`."""
        self.desk = desk

    def routes(self) -> list[Route]:
        """The five routes."""
        path = "/v1/batch/jobs"
        return [
            route(self.desk, "POST", path, self.create, "create"),
            route(self.desk, "GET", path, self.list_jobs, "list"),
            route(self.desk, "GET", path + "/{id}", self.retrieve, "retrieve"),
            route(self.desk, "POST", path + "/{id}/cancel", self.cancel, "cancel"),
            route(self.desk, "DELETE", path + "/{id}", self.delete, "delete"),
        ]

    async def create(self, request: Request) -> Response:
        """Create a job from `input_files` or from `requests`."""
        draft = self.desk.draft()
        try:
            reader = await read_inline(request.stream(), draft, _few)
            made = await in_thread(partial(self._create, draft, reader.fields, reader.rows))
        finally:
            draft.unlink(missing_ok=True)
        return JSONResponse(made)

    def _create(self, draft: Any, body: dict[str, Any], rows: int) -> dict[str, Any]:
        desk = self.desk
        endpoint = choice(body, "endpoint", _ENDPOINTS)
        hours = body.get("timeout_hours", 24)
        if not isinstance(hours, int) or not 1 <= hours < 168:
            text = "timeout_hours must be from 1 to 167."
            raise ApiError(422, text, param="timeout_hours")
        source, input_ids = draft, body.get("input_files") or []
        if bool(rows) == bool(input_ids):
            raise ApiError(422, "Give either input_files or requests.", param="input_files")
        if input_ids:
            file = desk.state.file(str(input_ids[0]))
            if file is None or file.like != desk.options.like:
                raise ApiError(404, f"File {input_ids[0]} not found.", param="input_files")
            source = desk.path_of(file)
        extra = {"inline": bool(rows), "files": input_ids}
        if body.get("model"):
            extra["model"] = body["model"]
        batch = desk.create(
            source,
            batch_id=desk.token(),
            endpoint=endpoint,
            window=f"{hours}h",
            seconds=hours * _HOUR,
            out_id=desk.token(),
            err_id=desk.token(),
            metadata=check_metadata(body.get("metadata")),
            extra=extra,
        )
        return self.show(batch, desk.view(batch, fresh=True))

    def list_jobs(self, request: Request) -> Response:
        """List a page of jobs, newest first, with the number of all."""
        query = request.query_params
        size = number_of(request, "page_size", 100)
        start = number_of(request, "page") * size
        found = self.desk.state.batches(self.desk.options.like)
        wanted = query.getlist("status")
        shown = [self.show(batch, self.desk.view(batch)) for batch in found]
        shown = [job for job in shown if not wanted or job["status"] in wanted]
        page = shown[start : start + size]
        return JSONResponse({"object": "list", "data": page, "total": len(shown)})

    def retrieve(self, request: Request) -> Response:
        """Describe a job; `inline=true` adds the `outputs` of an ended one."""
        batch = self._find(request)
        if self.desk.hidden(batch):
            raise _missing(batch.id)
        view = self.desk.view(batch)
        shown = self.show(batch, view)
        if request.query_params.get("inline") == "true" and view.ended:
            shown["outputs"] = [
                msgspec.json.decode(line)
                for errors in (False, True)
                for line in self._lines(batch, view, errors)
            ]
        return JSONResponse(shown)

    def _lines(self, batch: StoredBatch, view: View, errors: bool) -> list[bytes]:
        result = self.desk.results(batch, view, errors=errors)
        return b"".join(result.chunks()).split(b"\n")[:-1] if result else []

    def cancel(self, request: Request) -> Response:
        """Ask for a cancel."""
        batch = self._find(request)
        if self.desk.view(batch).ended:
            raise ApiError(409, "The job has already ended.")
        self.desk.state.claim_cancel(batch, self.desk.now())
        shown = self.show(batch, self.desk.view(batch))
        return JSONResponse({**shown, "status": "CANCELLATION_REQUESTED"})

    def delete(self, request: Request) -> Response:
        """Delete a job."""
        batch = self._find(request)
        self.desk.remove_batch(batch)
        return JSONResponse({"id": batch.id, "object": "batch", "deleted": True})

    def show(self, batch: StoredBatch, view: View) -> dict[str, Any]:
        """Build the job object; `completed_requests` are the good and the failed ones."""
        started = view.moments.get("in_progress_at")
        ended = [view.moments[name] for name in view.moments if name.endswith(("ed_at",))]
        failed = view.failed + (view.unrun if view.status == "expired" else 0)
        files = view.ended and not batch.extra["inline"]
        return {
            "id": batch.id,
            "object": "batch",
            "input_files": batch.extra["files"],
            "metadata": batch.metadata,
            "endpoint": batch.endpoint,
            "model": batch.extra.get("model"),
            "agent_id": None,
            "output_file": batch.out_id if files and view.succeeded else None,
            "error_file": batch.err_id if files and failed else None,
            "errors": [{"message": item["message"], "count": 1} for item in batch.problems]
            if view.status == "failed"
            else [],
            "status": _WORDS[view.status],
            "created_at": int(batch.created),
            "total_requests": view.total,
            "completed_requests": view.done,
            "succeeded_requests": view.succeeded,
            "failed_requests": failed,
            "started_at": None if started is None else int(started),
            "completed_at": int(max(ended)) if view.ended and ended else None,
        }

    def _find(self, request: Request) -> StoredBatch:
        batch_id = request.path_params["id"]
        return self.desk.batch(batch_id, _missing(batch_id))


class MistralFiles(Files):
    """The file routes; ids are bare."""

    default_limit = 100

    def result_ids(self, batch: StoredBatch) -> list[str]:
        """The result files; a job made from rows has none."""
        return [] if batch.extra["inline"] else super().result_ids(batch)


def dialect(like: str) -> Dialect:
    """The dialect."""
    return Dialect(SHAPE, _routes, openai_error)


def _routes(desk: Desk) -> list[Route]:
    return [*MistralFiles(desk).routes(), *Jobs(desk).routes(), *sync.routes(desk)]


def _missing(batch_id: str) -> ApiError:
    return ApiError(404, f"Batch job {batch_id} not found.")


def _few(index: int, row: Any) -> None:
    if index >= _MOST_INLINE:
        raise ApiError(422, f"At most {_MOST_INLINE} requests may stand in a create.")
