"""Mistral: batch jobs with other statuses and counts, from files or rows in the create body."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tui.sandbox.app import route
from tui.sandbox.backend import Dialect
from tui.sandbox.errors import ApiError
from tui.sandbox.json_stream import InlineParser
from tui.sandbox.providers import openai
from tui.sandbox.providers.base import (
    Batches,
    Files,
    check_metadata,
    create_inline,
    required_choice,
)
from tui.sandbox.results import number_of
from tui.sandbox.rows import Problem, Rendered, Row, RowFormat, openai_fault
from tui.sandbox.state import BatchView, StoredBatch
from tui.sandbox.sync import SyncEndpoints

_HOUR = 3600.0
_MAX_INLINE = 10_000
_STATUSES = {
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
    """Describe what is wrong with a body, or return ""; the job may name the model."""
    if isinstance(body, dict) and extra.get("model"):
        body = {"model": extra["model"], **body}
    return openai_fault(url, body, extra)


def check(entry: dict[str, Any], endpoint: str) -> Problem | None:
    """Require a body; method and url are optional."""
    return None if "body" in entry else Problem("invalid_request", "Missing 'body'.", "body")


def render(row: Row) -> Rendered:
    """Build the result line of a row, with the job's model if it has none of its own."""
    if row.extra.get("model") and isinstance(row.body, dict):
        row.body.setdefault("model", row.extra["model"])
    return openai.render(row)


class MistralJobs(Batches):
    """The job routes."""

    path = "/v1/batch/jobs"
    endpoints = ("/v1/chat/completions", "/v1/embeddings", "/v1/moderations")

    def routes(self) -> list[Route]:
        """OpenAI's routes under another path, and a delete."""
        one = self.path + "/{id}"
        return [*super().routes(), route(self.backend, "DELETE", one, self.delete, "delete")]

    async def create(self, request: Request) -> Response:
        """Create a job from `input_files` or from `requests`."""
        made = await create_inline(request, self.backend, _check_count, self._create)
        return JSONResponse(made)

    def _create(self, draft: Path, parser: InlineParser) -> dict[str, Any]:
        backend, body = self.backend, parser.fields
        endpoint = required_choice(body, "endpoint", self.endpoints)
        hours = body.get("timeout_hours", 24)
        if not isinstance(hours, int) or not 1 <= hours < 168:
            text = "timeout_hours must be from 1 to 167."
            raise ApiError(422, text, param="timeout_hours")
        input_ids = body.get("input_files") or []
        if bool(parser.rows) == bool(input_ids):
            raise ApiError(422, "Give either input_files or requests.", param="input_files")
        source = draft
        if input_ids:
            missing = ApiError(404, f"File {input_ids[0]} not found.", param="input_files")
            source = backend.file_path(backend.upload(str(input_ids[0]), missing))
        model = {"model": body["model"]} if body.get("model") else {}
        batch = backend.create(
            source,
            batch_id=backend.token(),
            endpoint=endpoint,
            window=f"{hours}h",
            seconds=hours * _HOUR,
            out_id=backend.token(),
            err_id=backend.token(),
            metadata=check_metadata(body.get("metadata")),
            extra={"inline": bool(parser.rows), "files": input_ids, **model},
        )
        return self.show_created(batch)

    def missing(self, item_id: str) -> ApiError:
        """The error for an unknown id."""
        return ApiError(404, f"Batch job {item_id} not found.")

    def list_batches(self, request: Request) -> Response:
        """List a page of jobs, newest first, with the total."""
        size = number_of(request, "page_size", 100)
        start = number_of(request, "page") * size
        wanted = request.query_params.getlist("status")
        shown = [self.show(batch) for batch in self.backend.batches()]
        shown = [job for job in shown if not wanted or job["status"] in wanted]
        page = shown[start : start + size]
        return JSONResponse({"object": "list", "data": page, "total": len(shown)})

    def retrieve(self, request: Request) -> Response:
        """Return a job; `inline=true` adds the `outputs` of an ended one."""
        batch = self.visible(request)
        view = self.backend.view(batch)
        shown = self.batch_object(batch, view)
        if request.query_params.get("inline") == "true" and view.ended:
            shown["outputs"] = [
                msgspec.json.decode(line)
                for errors in (False, True)
                for line in self._lines(batch, view, errors)
            ]
        return JSONResponse(shown)

    def _lines(self, batch: StoredBatch, view: BatchView, errors: bool) -> list[bytes]:
        result = self.backend.results(batch, view, errors=errors)
        return b"".join(result.chunks()).split(b"\n")[:-1] if result else []

    def too_late(self, view: BatchView) -> ApiError:
        """The error for the cancel of a job that has ended."""
        return ApiError(409, "The job has already ended.")

    def show_cancelled(self, batch: StoredBatch, view: BatchView) -> dict[str, Any]:
        """Build the job object of the response to a cancel."""
        return {**self.batch_object(batch, view), "status": "CANCELLATION_REQUESTED"}

    def batch_object(self, batch: StoredBatch, view: BatchView) -> dict[str, Any]:
        """Build the job object; `completed_requests` includes failed ones."""
        started = view.moments.get("in_progress_at")
        ended = [when for name, when in view.moments.items() if name.endswith("ed_at")]
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
            "error_file": batch.err_id if files and view.unsuccessful else None,
            "errors": [{"message": item["message"], "count": 1} for item in batch.problems]
            if view.status == "failed"
            else [],
            "status": _STATUSES[view.status],
            "created_at": int(batch.created),
            "total_requests": view.total,
            "completed_requests": view.done,
            "succeeded_requests": view.succeeded,
            "failed_requests": view.unsuccessful,
            "started_at": None if started is None else int(started),
            "completed_at": int(max(ended)) if view.ended and ended else None,
        }


class MistralFiles(Files):
    """The file routes."""

    default_limit = 100

    def result_ids(self, batch: StoredBatch) -> list[str]:
        """The ids of the result files; a job with inline rows has none."""
        return [] if batch.extra["inline"] else super().result_ids(batch)


def _check_count(index: int, row: Any) -> None:
    if index >= _MAX_INLINE:
        raise ApiError(422, f"At most {_MAX_INLINE} requests may stand in a create.")


ROW_FORMAT = RowFormat(
    render=render, not_run=openai.not_run, check=check, fault=fault, max_rows=1_000_000
)
"""The row format."""

DIALECT = Dialect(ROW_FORMAT, (MistralFiles, MistralJobs, SyncEndpoints))
"""Mistral."""
