"""Together: own upload path, wrapped create response, array lists, percentages, upper case."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tui.sandbox.backend import Dialect
from tui.sandbox.errors import ApiError
from tui.sandbox.providers.base import Batches, Files, required_choice
from tui.sandbox.providers.mistral import fault, render
from tui.sandbox.providers.openai import not_run
from tui.sandbox.results import iso_time
from tui.sandbox.rows import Problem, RowFormat
from tui.sandbox.state import BatchView, StoredBatch, StoredFile
from tui.sandbox.sync import SyncEndpoints

_MAX_ID = 64
_STATUSES = {
    "validating": "VALIDATING",
    "failed": "FAILED",
    "completed": "COMPLETED",
    "expired": "EXPIRED",
    "cancelled": "CANCELLED",
}


def check(entry: dict[str, Any], endpoint: str) -> Problem | None:
    """Require a body and an id of at most 64 characters."""
    if len(entry["custom_id"]) > _MAX_ID:
        return Problem("invalid_request", "custom_id is longer than 64 characters", "custom_id")
    return None if "body" in entry else Problem("invalid_request", "missing body", "body")


class TogetherFiles(Files):
    """The file routes, with another path for the upload."""

    upload_path = "/v1/files/upload"
    max_bytes = 100_000_000
    purposes = ("batch-api",)

    def show(self, file: StoredFile) -> dict[str, Any]:
        """Build the file object."""
        shown = super().show(file)
        del shown["expires_at"], shown["status"], shown["status_details"]
        return {**shown, "FileType": "jsonl", "Processed": True, "LineCount": 0}

    def list_response(self, data: list[dict[str, Any]], more: bool) -> dict[str, Any]:
        """Build the list object."""
        return {"object": "list", "data": data}


class TogetherBatches(Batches):
    """The batch routes."""

    endpoints = ("/v1/chat/completions", "/v1/completions")
    created = 201

    def make(self, body: dict[str, Any]) -> dict[str, Any]:
        """Create a batch; the response wraps the job."""
        endpoint = required_choice(body, "endpoint", self.endpoints)
        missing = ApiError(404, "input file not found", param="input_file_id")
        file = self.backend.upload(str(body.get("input_file_id")), missing)
        model = {"model": body["model_id"]} if body.get("model_id") else {}
        batch = self.backend.create(
            file,
            batch_id=self.backend.token(),
            endpoint=endpoint,
            window=str(body.get("completion_window", "24h")),
            extra={"bytes": file.bytes, **model},
        )
        return {"job": self.show_created(batch), "warning": ""}

    def list_batches(self, request: Request) -> Response:
        """List all batches as a bare array."""
        return JSONResponse([self.show(batch) for batch in self.backend.batches()])

    def too_late(self, view: BatchView) -> ApiError:
        """The error for the cancel of a batch that has ended."""
        return ApiError(400, "batch has already ended")

    def batch_object(self, batch: StoredBatch, view: BatchView) -> dict[str, Any]:
        """Build the job object, with a percentage instead of counts."""
        share = 100 * view.done / view.total if view.total else 0
        broken = batch.problems if view.status == "failed" else []
        return {
            "id": batch.id,
            "user_id": "sandbox",
            "input_file_id": batch.input_id,
            "file_size_bytes": batch.extra["bytes"],
            "status": _STATUSES.get(view.status, "IN_PROGRESS"),
            "job_deadline": iso_time(batch.created + batch.seconds),
            "created_at": iso_time(batch.created),
            "endpoint": batch.endpoint,
            "progress": 100.0 if view.status == "completed" else round(share, 2),
            "model_id": batch.extra.get("model"),
            "output_file_id": batch.out_id if view.ended and view.succeeded else None,
            "error_file_id": batch.err_id if view.ended and view.unsuccessful else None,
            "error": "; ".join(f"line {item['line']}: {item['message']}" for item in broken)
            or None,
            "completed_at": iso_time(view.ended_at) if view.ended_at else None,
        }


ROW_FORMAT = RowFormat(render=render, not_run=not_run, check=check, fault=fault)
"""The row format."""

DIALECT = Dialect(ROW_FORMAT, (TogetherFiles, TogetherBatches, SyncEndpoints))
"""Together."""
