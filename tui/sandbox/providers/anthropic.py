"""Anthropic: Message Batches, with rows in the create body and results at their own route."""

from __future__ import annotations

import re
import secrets
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tui.sandbox import answers
from tui.sandbox.app import json_body, route
from tui.sandbox.backend import DAY, Dialect, Endpoints
from tui.sandbox.bodies import message
from tui.sandbox.errors import ApiError
from tui.sandbox.json_stream import InlineParser
from tui.sandbox.outcomes import RowOutcome
from tui.sandbox.providers.base import create_inline
from tui.sandbox.providers.prompt_cache import cache_facts
from tui.sandbox.results import iso_time, limit_of
from tui.sandbox.rows import Rendered, Row, RowFormat
from tui.sandbox.state import BatchView, StoredBatch
from tui.sandbox.sync import refusal, run

ID_PATTERN = re.compile(r"[a-zA-Z0-9_-]{1,64}")
"""The pattern of a valid `custom_id`."""
STRICT_VERSION = "2026-10-21"
"""The API version that rejects sampling parameters."""
_encode = msgspec.json.encode
_ERRORS = {
    RowOutcome.FAIL_400: ("invalid_request_error", "messages: at least one message is required"),
    RowOutcome.FAIL_401: ("authentication_error", "invalid x-api-key"),
    RowOutcome.FAIL_404: ("not_found_error", "model: {model}"),
    RowOutcome.FAIL_429: (
        "rate_limit_error",
        "Number of request tokens has exceeded your rate limit",
    ),
    RowOutcome.FAIL_500: ("api_error", "Internal server error"),
}


_LONG_BETA = "output-300k-2026-03-24"
_OUTPUT, _LONG_OUTPUT = 128_000, 300_000
"""The most output tokens of a row, and those with the beta that only batches have."""


def fault(url: str, body: Any, extra: dict[str, Any]) -> str:
    """Describe what is wrong with `params`, or return ""; rows of a batch are checked when run."""
    if not isinstance(body, dict):
        return "params: Input should be a valid dictionary"
    for name in ("model", "max_tokens", "messages"):
        if name not in body:
            return f"{name}: Field required"
    if not isinstance(body["max_tokens"], int) or body["max_tokens"] < 1:
        return "max_tokens: Input should be greater than or equal to 1"
    if not isinstance(body["messages"], list) or not body["messages"]:
        return "messages: at least one message is required"
    if body.get("stream"):
        return "stream: Streaming is not supported in batches"
    most = _LONG_OUTPUT if _LONG_BETA in extra.get("beta", "") else _OUTPUT
    if body["max_tokens"] > most:
        return (
            f"max_tokens: {body['max_tokens']} > {most}, which is the maximum allowed number of"
            f" output tokens for {body['model']}"
        )
    if extra.get("version") == STRICT_VERSION:
        for name in ("temperature", "top_p", "top_k"):
            if name in body:
                return f"{name}: sampling parameters are not supported in this API version"
    return ""


def error_of(row: Row) -> tuple[str, str]:
    """The error type and message of a failed row."""
    if row.outcome is RowOutcome.INVALID:
        return "invalid_request_error", fault(row.url, row.body, row.extra)
    kind, text = _ERRORS[row.outcome]
    name = row.body.get("model") if isinstance(row.body, dict) else None
    return kind, text.format(model=name)


def render(row: Row) -> Rendered:
    """Build a result line; a row's error is nested twice."""
    if row.succeeded:
        body, spent, made = message(row)
        result: dict[str, Any] = {"type": "succeeded", "message": body}
    else:
        spent = made = 0
        kind, text = error_of(row)
        outer = {
            "type": "error",
            "error": {"type": kind, "message": text},
            "request_id": "req_" + row.mark,
        }
        result = {"type": "errored", "error": outer}
    return Rendered(_encode({"custom_id": row.custom_id, "result": result}), False, spent, made)


def not_run(custom_id: str, mark: str, reason: str) -> bytes:
    """Build the line of a row that never ran; Anthropic spells `canceled` with one l."""
    word = "expired" if reason == "expired" else "canceled"
    return _encode({"custom_id": custom_id, "result": {"type": word}})


def accept(seen: set[str], index: int, row: Any) -> None:
    """Validate a row of a create call: its id, and that it has `params`.

    Args:
        seen: The ids so far; the row's id is added.
        index: Position of the row.
        row: The decoded row.

    Raises:
        ApiError: The row is invalid (400).
    """
    if not isinstance(row, dict):
        raise ApiError(400, f"requests.{index}: Input should be a valid dictionary")
    custom_id = row.get("custom_id")
    if not isinstance(custom_id, str):
        raise ApiError(400, f"requests.{index}.custom_id: Field required")
    if not ID_PATTERN.fullmatch(custom_id):
        text = f"requests.{index}.custom_id: String should match pattern '^[a-zA-Z0-9_-]{{1,64}}$'"
        raise ApiError(400, text)
    if custom_id in seen:
        raise ApiError(400, f"requests.{index}.custom_id: Duplicate custom_id '{custom_id}'")
    if not isinstance(row.get("params"), dict):
        raise ApiError(400, f"requests.{index}.params: Field required")
    seen.add(custom_id)


ROW_FORMAT = RowFormat(
    render=render,
    not_run=not_run,
    body_key="params",
    fault=fault,
    unrun_reasons=frozenset({"expired", "cancelled"}),
    unrun_in_output=True,
    max_rows=100_000,
)
"""The row format."""


_KEPTDAYS = 29
_MAX_BYTES = 256_000_000
_PATH = "/v1/messages/batches"
_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
}
MODELS = {"claude-sandbox-large": "Claude Sandbox Large", "claude-sandbox-small": "Sandbox Small"}
"""The listed models; any other name works as well."""


def error(failure: ApiError) -> Response:
    """Build the response `{"type": "error", "error": {type, message}, "request_id"}`."""
    if failure.code == "html":
        return HTMLResponse("<html><body><h1>413 Payload Too Large</h1></body></html>", 413)
    mark = f"req_{secrets.token_hex(12)}"
    inner: dict[str, Any] = {
        "type": _TYPES.get(failure.status, "api_error"),
        "message": failure.message,
    }
    if failure.status == 401:
        inner["message"] = "invalid x-api-key"
    if failure.code:
        inner["details"] = {"error_code": failure.code}
    headers = {**(failure.headers or {}), "request-id": mark}
    body = {"type": "error", "error": inner, "request_id": mark}
    return JSONResponse(body, failure.status, headers)


class MessageBatches(Endpoints):
    """The batch routes."""

    def routes(self) -> list[Route]:
        """The six routes."""
        backend = self.backend
        return [
            route(backend, "POST", _PATH, self.create, "create"),
            route(backend, "GET", _PATH, self.list_batches, "list"),
            route(backend, "GET", _PATH + "/{id}", self.retrieve, "retrieve"),
            route(backend, "POST", _PATH + "/{id}/cancel", self.cancel, "cancel"),
            route(backend, "DELETE", _PATH + "/{id}", self.delete, "delete"),
            route(backend, "GET", _PATH + "/{id}/results", self.results, "content"),
        ]

    async def create(self, request: Request) -> Response:
        """Create a batch from the rows in the streamed body."""
        version = version_of(request)
        if self.backend.quirks.use("spend-limit"):
            text = "You have reached your specified API usage limits."
            raise ApiError(429, text, code="enforced_spend_limit_reached")
        if self.backend.quirks.use("413-html"):
            raise ApiError(413, "too large", code="html")
        accepted = partial(accept, set())
        make = partial(self._create, version, request.headers.get("anthropic-beta", ""))
        batch = await create_inline(request, self.backend, accepted, make, _MAX_BYTES)
        return JSONResponse(self.show(request, batch, self.backend.view(batch, fresh=True)))

    def _create(self, version: str, beta: str, draft: Path, parser: InlineParser) -> StoredBatch:
        if "requests" not in parser.order:
            raise ApiError(400, "requests: Field required")
        if not 1 <= parser.rows <= ROW_FORMAT.max_rows:
            text = "requests: List should have at least 1 and at most 100000 items"
            raise ApiError(400, text)
        return self.backend.create(
            draft,
            batch_id=f"msgbatch_{self.backend.token()[:24]}",
            endpoint="/v1/messages",
            extra={"version": version, "beta": beta, **cache_facts(self.backend, draft)},
        )

    def list_batches(self, request: Request) -> Response:
        """List batches, newest first, after `after_id` or before `before_id`."""
        version_of(request)
        found = self.backend.batches()
        return JSONResponse(cursor_page(request, found, lambda batch: self.show(request, batch)))

    def retrieve(self, request: Request) -> Response:
        """Return a batch."""
        batch = self._find(request)
        if self.backend.is_hidden(batch):
            raise _missing()
        return JSONResponse(self.show(request, batch))

    def cancel(self, request: Request) -> Response:
        """Cancel a batch."""
        batch = self._find(request)
        if self.backend.view(batch).ended:
            raise ApiError(400, f"Message Batch {batch.id} has already ended.")
        self.backend.state.record_cancel(batch, self.backend.now())
        shown = self.show(request, batch)
        if shown["processing_status"] == "ended":
            # At rate 0 the batch ends immediately; the response still shows `canceling`.
            waiting = sum(shown["request_counts"].values())
            shown |= {"processing_status": "canceling", "ended_at": None, "results_url": None}
            shown["request_counts"] = _counts(processing=waiting)
        return JSONResponse(shown)

    def delete(self, request: Request) -> Response:
        """Delete an ended batch."""
        batch = self._find(request)
        if not self.backend.view(batch).ended:
            text = "Message Batches can only be deleted once they have finished processing."
            raise ApiError(400, text)
        self.backend.remove_batch(batch)
        return JSONResponse({"id": batch.id, "type": "message_batch_deleted"})

    def results(self, request: Request) -> Response:
        """Send the results of an ended batch; ranges are not supported."""
        batch = self._find(request)
        view = self.backend.view(batch)
        result = self.backend.results(batch, view, errors=False)
        if result is None or not view.ended or self._archived(batch):
            raise ApiError(404, "The results of this Message Batch are not available.")
        return StreamingResponse(result.chunks(), 200, None, "application/x-jsonl")

    def show(
        self, request: Request, batch: StoredBatch, view: BatchView | None = None
    ) -> dict[str, Any]:
        """Build the MessageBatch object."""
        view = view or self.backend.view(batch)
        counts = _counts(processing=self.backend.rows(batch))
        status = "canceling" if view.status == "cancelling" else "in_progress"
        if view.ended:
            status = "ended"
            lost = {"expired" if view.status == "expired" else "canceled": view.not_run}
            counts = _counts(succeeded=view.succeeded, errored=view.failed, **lost)
        archived = self._archived(batch)
        url = f"{request.base_url}{_PATH[1:]}/{batch.id}/results"
        return {
            "id": batch.id,
            "type": "message_batch",
            "processing_status": status,
            "request_counts": counts,
            "created_at": _iso(batch.created),
            "expires_at": _iso(batch.created + batch.seconds),
            "ended_at": _iso(view.ended_at),
            "cancel_initiated_at": _iso(batch.cancel),
            "archived_at": _iso(batch.created + _KEPTDAYS * DAY) if archived else None,
            "results_url": url if view.ended and not archived else None,
        }

    def _archived(self, batch: StoredBatch) -> bool:
        return self.backend.now() > batch.created + _KEPTDAYS * DAY

    def _find(self, request: Request) -> StoredBatch:
        version_of(request)
        return self.backend.batch(request.path_params["id"], _missing())


def version_of(request: Request) -> str:
    """Read the API version header; 400 without one."""
    version = request.headers.get("anthropic-version")
    if not version:
        raise ApiError(400, "anthropic-version: header is required")
    return version


def cursor_page(request: Request, items: list[Any], show: Any) -> dict[str, Any]:
    """Build a page after `after_id` or before `before_id`."""
    limit = limit_of(request, 20, 1000)
    shown = [show(item) for item in items]
    names = [item["id"] for item in shown]
    after, before = request.query_params.get("after_id"), request.query_params.get("before_id")
    for cursor in (after, before):
        if cursor is not None and cursor not in names:
            raise ApiError(400, f"unknown cursor {cursor}")
    if before is not None:
        end = names.index(before)
        start = max(0, end - limit)
        data, more = shown[start:end], start > 0
    else:
        start = names.index(after) + 1 if after is not None else 0
        data, more = shown[start : start + limit], start + limit < len(shown)
    return {
        "data": data,
        "has_more": more,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
    }


def _model(name: str) -> dict[str, Any]:
    supported = {"supported": True}
    return {
        "type": "model",
        "id": name,
        "display_name": MODELS.get(name, name),
        "lifecycle": "active",
        "line": None,
        "deprecated_at": None,
        "created_at": "2026-01-01T00:00:00Z",
        "max_input_tokens": 200_000,
        "max_tokens": 64_000,
        "capabilities": {
            "batch": supported, "citations": supported, "image_input": supported,
            "pdf_input": supported, "structured_outputs": supported,
        },
    }  # fmt: skip


class Messages(Endpoints):
    """The synchronous routes and the models."""

    def routes(self) -> list[Route]:
        """The four routes."""
        backend = self.backend
        return [
            route(backend, "POST", "/v1/messages", self.create, "messages"),
            route(backend, "POST", "/v1/messages/count_tokens", self.count_tokens, "count"),
            route(backend, "GET", "/v1/models", self.models, "models"),
            route(backend, "GET", "/v1/models/{id:path}", self.model, "model"),
        ]

    async def create(self, request: Request) -> Response:
        """Answer a single request."""
        extra = {"version": version_of(request)}
        row = await run(
            request, self.backend, "/v1/messages", lambda url, body, _: fault(url, body, extra)
        )
        row.extra = extra
        if not row.succeeded:
            raise refusal(row, error_of(row)[1])
        made, _, _ = message(row)
        made["usage"]["service_tier"] = "standard"
        return JSONResponse(made)

    async def count_tokens(self, request: Request) -> Response:
        """Count the tokens of a prompt."""
        version_of(request)
        _, size = answers.prompt(await json_body(request))
        return JSONResponse({"input_tokens": answers.tokens(size)})

    def models(self, request: Request) -> Response:
        """List the models."""
        version_of(request)
        return JSONResponse(cursor_page(request, list(MODELS), _model))

    def model(self, request: Request) -> Response:
        """Return a model of any name."""
        version_of(request)
        return JSONResponse(_model(request.path_params["id"]))


def _missing() -> ApiError:
    return ApiError(404, "Message Batch not found.")


def _counts(**known: int) -> dict[str, int]:
    return {
        name: known.get(name, 0)
        for name in ("processing", "succeeded", "errored", "canceled", "expired")
    }


def _iso(when: float | None) -> str | None:
    return None if when is None else iso_time(when)


DIALECT = Dialect(ROW_FORMAT, (MessageBatches, Messages), error, "request-id")
"""Anthropic."""
