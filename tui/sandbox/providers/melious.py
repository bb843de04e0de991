"""Melious: OpenAI's API with other statuses, counts without a total, and errors in the output.

Based on its documentation; what it leaves open (the statuses between `queued` and the end, partial
output) follows OpenAI.
"""

from __future__ import annotations

from typing import Any
from zlib import crc32

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tui.sandbox.backend import Dialect
from tui.sandbox.bodies import build
from tui.sandbox.errors import ApiError
from tui.sandbox.outcomes import RowOutcome
from tui.sandbox.providers import openai
from tui.sandbox.providers.base import Batches, Files, first_invalid_line
from tui.sandbox.rows import Rendered, Row, RowFormat
from tui.sandbox.state import BatchView, StoredBatch, StoredFile
from tui.sandbox.sync import SyncEndpoints

_CREDITS_PER_TOKEN = 0.0000004
_STATUSES = {"validating": "queued", "completed": "succeeded"}
_MOMENTS = (
    "created_at", "in_progress_at", "expires_at", "finalizing_at", "completed_at", "failed_at",
    "expired_at",
)  # fmt: skip
_CODES = {400: "VALIDATION_4001", 401: "AUTH_1007", 404: "INFERENCE_3001", 413: "VALIDATION_4013",
          429: "AUTH_1028", 409: "VALIDATION_4009"}  # fmt: skip


def row_error(outcome: RowOutcome, mark: str) -> tuple[str, str]:
    """The error code and message of a failed row."""
    if outcome is RowOutcome.FAIL_500:
        # 3103 and 3107 are both temporary errors.
        if crc32(mark.encode()) & 1:
            return "INFERENCE_3103", "All providers failed for this request"
        return "INFERENCE_3107", "Upstream took too long"
    return {
        RowOutcome.FAIL_400: (
            "INFERENCE_3207",
            "The prompt is longer than the context of the model",
        ),
        RowOutcome.FAIL_401: ("AUTH_1015", "The key lacks the scope for this endpoint"),
        RowOutcome.FAIL_404: ("INFERENCE_3001", "Model not found"),
        RowOutcome.FAIL_429: ("INFERENCE_3108", "Provider rate limit reached"),
    }.get(outcome, ("VALIDATION_4001", "The request body is not valid"))


def render(row: Row) -> Rendered:
    """Build a result line; successful and failed rows share the output file."""
    line: dict[str, Any] = {"custom_id": row.custom_id}
    spent = made = 0
    if row.succeeded:
        body, spent, made = build(row)
        credits = round((spent + made) * _CREDITS_PER_TOKEN, 8)
        body["billing_cost"] = {"energy": 0.0, "credits": credits, "paid_with": "credits"}
        body["environment_impact"] = {}
        line |= {"response": {"status_code": 200, "body": body}, "error": None}
    else:
        code, text = row_error(row.outcome, row.mark)
        line |= {"response": None, "error": {"code": code, "message": text}}
    return Rendered(msgspec.json.encode(line), False, spent, made)


def error(failure: ApiError) -> Response:
    """Build the response `{"error": {code, message}}`."""
    code = failure.code if failure.code and "_" in failure.code else ""
    code = code if code[-4:].isdigit() else _CODES.get(failure.status, "SYSTEM_9001")
    body = {"error": {"code": code, "message": failure.message}}
    return JSONResponse(body, failure.status, failure.headers)


class MeliousFiles(Files):
    """The file routes."""

    media = "application/jsonl"
    default_limit = 20
    max_limit = 100
    max_bytes = 105_000_000

    def rejection(self, file: StoredFile) -> ApiError | None:
        """Require lines that are JSON."""
        text = first_invalid_line(self.backend.file_path(file))
        return ApiError(400, text, code="VALIDATION_4002") if text else None

    def list_response(self, data: list[dict[str, Any]], more: bool) -> dict[str, Any]:
        """Build the list object, which has no first and last id."""
        return {"object": "list", "data": data, "has_more": more}

    def result_ids(self, batch: StoredBatch) -> list[str]:
        """The id of the output file; there is no error file."""
        view = self.backend.view(batch)
        return [batch.out_id] if view.ended and view.done and not batch.out_gone else []


class MeliousBatches(Batches):
    """The batch routes."""

    endpoints = ("/v1/chat/completions", "/v1/embeddings")

    async def create(self, request: Request) -> Response:
        """Create a batch, unless a quirk makes it fail."""
        if self.backend.quirks.use("503-no-route"):
            text = "No provider fits the routing filters"
            raise ApiError(503, text, code="INFERENCE_3104")
        if self.backend.quirks.use("502-all-failed"):
            raise ApiError(502, "All providers failed", code="INFERENCE_3103")
        return await super().create(request)

    def make(self, body: dict[str, Any]) -> dict[str, Any]:
        """Create the batch; the completion window is optional."""
        usual = {"completion_window": "24h"}
        return super().make({**usual, **body, "input_file_id": str(body.get("input_file_id"))})

    def missing_file(self, file_id: str) -> ApiError:
        """The error for a create from an unknown file."""
        return ApiError(404, f"File {file_id} not found", code="VALIDATION_4004")

    def batch_object(self, batch: StoredBatch, view: BatchView) -> dict[str, Any]:
        """Build the batch object."""
        moments = {
            **view.moments,
            "created_at": batch.created,
            "expires_at": batch.created + batch.seconds,
        }
        problems = batch.problems if view.status == "failed" else None
        return {
            "id": batch.id,
            "object": "batch",
            "endpoint": batch.endpoint,
            "errors": {"object": "list", "data": problems} if problems else None,
            "status": _STATUSES.get(view.status, view.status),
            "input_file_id": batch.input_id,
            "output_file_id": batch.out_id if view.ended and view.done else None,
            "error_file_id": None,
            **{name: int(moments[name]) if name in moments else None for name in _MOMENTS},
            "request_counts": {
                "processing": view.total - view.done,
                "succeeded": view.succeeded,
                "errored": view.failed,
            },
            "metadata": batch.metadata,
        }


ROW_FORMAT = RowFormat(
    render=render, not_run=openai.not_run, check=openai.check, unrun_reasons=frozenset()
)
"""The row format."""

DIALECT = Dialect(ROW_FORMAT, (MeliousFiles, MeliousBatches, SyncEndpoints), error)
"""Melious."""
