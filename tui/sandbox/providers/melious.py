"""Melious: OpenAI's flow with its own words, counts without a total, and errors in the output.

From its documents; what they leave open (the words between `queued` and the end, partial output)
is filled with OpenAI's behaviour.
"""

from __future__ import annotations

from typing import Any
from zlib import crc32

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from . import fates, openai_shape, sync
from .batches import Batches, check_metadata, choice
from .desk import Desk
from .dialect import Dialect
from .endpoints import MAKERS
from .failures import ApiError
from .fates import Fate
from .files import Files, receive_upload, result_ids
from .like_tensorzero import bad_line
from .shape import Rendered, Row, Shape
from .state import StoredBatch
from .timeline import View
from .wire import in_thread, json_body

_MOST_BYTES = 105_000_000
_CREDITS_PER_TOKEN = 0.0000004
_WORDS = {"validating": "queued", "completed": "succeeded"}
_MOMENTS = (
    "created_at", "in_progress_at", "expires_at", "finalizing_at", "completed_at", "failed_at",
    "expired_at",
)  # fmt: skip
_CODES = {400: "VALIDATION_4001", 401: "AUTH_1007", 404: "INFERENCE_3001", 413: "VALIDATION_4013",
          429: "AUTH_1028", 409: "VALIDATION_4009"}  # fmt: skip


def row_error(fate: Fate, mark: str) -> tuple[str, str]:
    """The code and text of a failed row."""
    if fate is Fate.FAIL_500:
        # 3103 and 3107 both stand for trouble that may pass.
        if crc32(mark.encode()) & 1:
            return "INFERENCE_3103", "All providers failed for this request"
        return "INFERENCE_3107", "Upstream took too long"
    return {
        Fate.FAIL_400: ("INFERENCE_3207", "The prompt is longer than the context of the model"),
        Fate.FAIL_401: ("AUTH_1015", "The key lacks the scope for this endpoint"),
        Fate.FAIL_404: ("INFERENCE_3001", "Model not found"),
        Fate.FAIL_429: ("INFERENCE_3108", "Provider rate limit reached"),
    }.get(fate, ("VALIDATION_4001", "The request body is not valid"))


def render(row: Row) -> Rendered:
    """Make a line; good and failed rows share the output file."""
    line: dict[str, Any] = {"custom_id": row.custom_id}
    spent = made = 0
    if row.fate in fates.GOOD:
        body, spent, made = MAKERS[row.url](
            row.body, row.fate, row.words, row.mark, row.when, row.seed
        )
        credits = round((spent + made) * _CREDITS_PER_TOKEN, 8)
        body["billing_cost"] = {"energy": 0.0, "credits": credits, "paid_with": "credits"}
        body["environment_impact"] = {}
        line |= {"response": {"status_code": 200, "body": body}, "error": None}
    else:
        code, text = row_error(row.fate, row.mark)
        line |= {"response": None, "error": {"code": code, "message": text}}
    return Rendered(msgspec.json.encode(line), False, spent, made)


SHAPE = Shape(
    name="melious",
    render=render,
    unrun=openai_shape.unrun,
    check=openai_shape.check,
    unrun_reasons=frozenset(),
)
"""The row rules."""


def error(failure: ApiError) -> Response:
    """Answer `{"error": {code, message}}`."""
    code = failure.code if failure.code and "_" in failure.code else ""
    code = code if code[-4:].isdigit() else _CODES.get(failure.status, "SYSTEM_9001")
    body = {"error": {"code": code, "message": failure.message}}
    return JSONResponse(body, failure.status, failure.headers)


class MeliousFiles(Files):
    """The file routes."""

    media = "application/jsonl"
    default_limit = 20
    most_limit = 100

    async def upload(self, request: Request) -> Response:
        """Store an upload; its lines are checked at once."""
        file = await receive_upload(
            request, self.desk, f"file-{self.desk.token()}", most=_MOST_BYTES
        )
        text = await in_thread(bad_line, self.desk.path_of(file))
        if text:
            await in_thread(self.desk.remove_file, file)
            raise ApiError(400, text, code="VALIDATION_4002")
        return JSONResponse(self.show(file))

    def envelope(self, data: list[dict[str, Any]], more: bool) -> dict[str, Any]:
        """Build the list object, which names no first and no last id."""
        return {"object": "list", "data": data, "has_more": more}

    def result_ids(self, batch: StoredBatch) -> list[str]:
        """The output file; there is no error file."""
        return list(result_ids(batch, self.desk.view(batch), together=True))


class MeliousBatches(Batches):
    """The batch routes."""

    endpoints = ("/v1/chat/completions", "/v1/embeddings")

    async def create(self, request: Request) -> Response:
        """Create a batch; the window may be left out."""
        if self.desk.quirks.spend("503-no-route"):
            text = "No provider fits the routing filters"
            raise ApiError(503, text, code="INFERENCE_3104")
        if self.desk.quirks.spend("502-all-failed"):
            raise ApiError(502, "All providers failed", code="INFERENCE_3103")
        body = await json_body(request)
        body.setdefault("completion_window", "24h")
        endpoint = choice(body, "endpoint", self.endpoints)
        window = choice(body, "completion_window", tuple(self.windows))
        metadata = check_metadata(body.get("metadata"))
        made = await in_thread(
            self.make, str(body.get("input_file_id")), endpoint, window, metadata
        )
        return JSONResponse(made)

    def missing_file(self, file_id: str) -> ApiError:
        """Refuse a create from an unknown file."""
        return ApiError(404, f"File {file_id} not found", code="VALIDATION_4004")

    def show(self, batch: StoredBatch, view: View | None = None) -> dict[str, Any]:
        """Build the batch object."""
        view = view or self.desk.view(batch)
        moments = {
            **view.moments,
            "created_at": batch.created,
            "expires_at": batch.created + batch.seconds,
        }
        waiting = view.total - view.done
        problems = batch.problems if view.status == "failed" else None
        return {
            "id": batch.id,
            "object": "batch",
            "endpoint": batch.endpoint,
            "errors": {"object": "list", "data": problems} if problems else None,
            "status": _WORDS.get(view.status, view.status),
            "input_file_id": batch.input_id,
            "output_file_id": batch.out_id if view.ended and view.done else None,
            "error_file_id": None,
            **{name: int(moments[name]) if name in moments else None for name in _MOMENTS},
            "request_counts": {
                "processing": waiting,
                "succeeded": view.succeeded,
                "errored": view.failed,
            },
            "metadata": batch.metadata,
        }


def dialect(like: str) -> Dialect:
    """The dialect."""
    return Dialect(SHAPE, _routes, error)


def _routes(desk: Desk) -> list[Route]:
    return [*MeliousFiles(desk).routes(), *MeliousBatches(desk).routes(), *sync.routes(desk)]
