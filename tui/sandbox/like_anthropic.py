"""Anthropic's Message Batches: rows inside the create, no counts until the end, one result stream.

Quirks: `404-after-create` hides a new batch from its first retrieves, `spend-limit` refuses a
create with 429 and no `retry-after`, `413-html` with the edge's HTML page.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from . import fates, model
from .anthropic_shape import SHAPE, accept, error_of, fault
from .desk import Desk
from .dialect import Dialect
from .failures import ApiError
from .inline import InlineReader, read_inline
from .messages import message
from .paging import limit_of
from .state import StoredBatch
from .sync import run
from .timeline import View
from .wire import in_thread, json_body, route

_DAY = 86_400.0
_KEPT_DAYS = 29
_MOST_BYTES = 256_000_000
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
"""The model names that are listed; any other name works as well."""


def error(failure: ApiError) -> Response:
    """Answer `{"type": "error", "error": {type, message}, "request_id"}`."""
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


class MessageBatches:
    """The batch routes."""

    def __init__(self, desk: Desk) -> None:
        """Serve the batches of `desk`."""
        self.desk = desk

    def routes(self) -> list[Route]:
        """The six routes."""
        desk = self.desk
        return [
            route(desk, "POST", _PATH, self.create, "create"),
            route(desk, "GET", _PATH, self.list_batches, "list"),
            route(desk, "GET", _PATH + "/{id}", self.retrieve, "retrieve"),
            route(desk, "POST", _PATH + "/{id}/cancel", self.cancel, "cancel"),
            route(desk, "DELETE", _PATH + "/{id}", self.delete, "delete"),
            route(desk, "GET", _PATH + "/{id}/results", self.results, "content"),
        ]

    async def create(self, request: Request) -> Response:
        """Create a batch from the rows in the body, read as a stream."""
        version = version_of(request)
        if self.desk.quirks.spend("spend-limit"):
            text = "You have reached your specified API usage limits."
            raise ApiError(429, text, code="enforced_spend_limit_reached")
        if self.desk.quirks.spend("413-html"):
            raise ApiError(413, "too large", code="html")
        draft = self.desk.draft()
        try:
            seen: set[str] = set()
            reader = await read_inline(request.stream(), draft, partial(accept, seen), _MOST_BYTES)
            batch = await in_thread(partial(self._create, draft, reader, version))
        finally:
            draft.unlink(missing_ok=True)
        return JSONResponse(self.show(request, batch, self.desk.view(batch, fresh=True)))

    def _create(self, draft: Any, reader: InlineReader, version: str) -> StoredBatch:
        if "requests" not in reader.order:
            raise ApiError(400, "requests: Field required")
        if not 1 <= reader.rows <= SHAPE.max_rows:
            text = "requests: List should have at least 1 and at most 100000 items"
            raise ApiError(400, text)
        return self.desk.create(
            draft,
            batch_id=f"msgbatch_{self.desk.token()[:24]}",
            endpoint="/v1/messages",
            window="24h",
            seconds=_DAY,
            extra={"version": version},
        )

    def list_batches(self, request: Request) -> Response:
        """List batches, newest first, behind `after_id` or before `before_id`."""
        version_of(request)
        found = self.desk.state.batches(self.desk.options.like)
        return JSONResponse(cursor_page(request, found, lambda batch: self.show(request, batch)))

    def retrieve(self, request: Request) -> Response:
        """Describe a batch."""
        batch = self._find(request)
        if self.desk.hidden(batch):
            raise _missing()
        return JSONResponse(self.show(request, batch))

    def cancel(self, request: Request) -> Response:
        """Ask for a cancel."""
        batch = self._find(request)
        if self.desk.view(batch).ended:
            raise ApiError(400, f"Message Batch {batch.id} has already ended.")
        self.desk.state.claim_cancel(batch, self.desk.now())
        shown = self.show(request, batch)
        if shown["processing_status"] == "ended":
            # At rate 0 the batch ends at once; the answer still shows the step before.
            waiting = sum(shown["request_counts"].values())
            shown |= {"processing_status": "canceling", "ended_at": None, "results_url": None}
            shown["request_counts"] = _counts(processing=waiting)
        return JSONResponse(shown)

    def delete(self, request: Request) -> Response:
        """Delete an ended batch."""
        batch = self._find(request)
        if not self.desk.view(batch).ended:
            text = "Message Batches can only be deleted once they have finished processing."
            raise ApiError(400, text)
        self.desk.remove_batch(batch)
        return JSONResponse({"id": batch.id, "type": "message_batch_deleted"})

    def results(self, request: Request) -> Response:
        """Send the results of an ended batch; there is no range."""
        batch = self._find(request)
        view = self.desk.view(batch)
        result = self.desk.results(batch, view, errors=False)
        if result is None or not view.ended or self._archived(batch):
            raise ApiError(404, "The results of this Message Batch are not available.")
        return StreamingResponse(result.chunks(), 200, None, "application/x-jsonl")

    def show(
        self, request: Request, batch: StoredBatch, view: View | None = None
    ) -> dict[str, Any]:
        """Build the MessageBatch object."""
        view = view or self.desk.view(batch)
        plan = self.desk.plan_of(batch)
        rows = plan.rows if plan else 0
        counts = _counts(processing=rows)
        status = "canceling" if view.status == "cancelling" else "in_progress"
        if view.ended:
            status = "ended"
            lost = {"expired" if view.status == "expired" else "canceled": view.unrun}
            counts = _counts(succeeded=view.succeeded, errored=view.failed, **lost)
        archived = self._archived(batch)
        ended = max(view.moments.values(), default=batch.created) if view.ended else None
        url = f"{request.base_url}{_PATH[1:]}/{batch.id}/results"
        return {
            "id": batch.id,
            "type": "message_batch",
            "processing_status": status,
            "request_counts": counts,
            "created_at": _iso(batch.created),
            "expires_at": _iso(batch.created + batch.seconds),
            "ended_at": _iso(ended),
            "cancel_initiated_at": _iso(batch.cancel),
            "archived_at": _iso(batch.created + _KEPT_DAYS * _DAY) if archived else None,
            "results_url": url if view.ended and not archived else None,
        }

    def _archived(self, batch: StoredBatch) -> bool:
        return self.desk.now() > batch.created + _KEPT_DAYS * _DAY

    def _find(self, request: Request) -> StoredBatch:
        version_of(request)
        return self.desk.batch(request.path_params["id"], _missing())


def version_of(request: Request) -> str:
    """Read the API version (400 without one)."""
    version = request.headers.get("anthropic-version")
    if not version:
        raise ApiError(400, "anthropic-version: header is required")
    return version


def cursor_page(request: Request, items: list[Any], show: Any) -> dict[str, Any]:
    """Build a page behind `after_id` or before `before_id`."""
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


def _routes(desk: Desk) -> list[Route]:
    async def create_message(request: Request) -> Response:
        version = version_of(request)
        row = await run(request, desk, "/v1/messages", _fault_of(version))
        row.extra = {"version": version}
        if row.fate not in fates.GOOD:
            _, text = error_of(row)
            headers = {"retry-after": "1"} if fates.STATUS[row.fate] == 429 else None
            raise ApiError(fates.STATUS[row.fate], text, headers=headers)
        made, _, _ = message(row.body, row.fate, row.words, row.mark, row.when, row.seed)
        made["usage"]["service_tier"] = "standard"
        return JSONResponse(made)

    async def count_tokens(request: Request) -> Response:
        version_of(request)
        _, size = model.prompt(await json_body(request))
        return JSONResponse({"input_tokens": model.tokens(size)})

    def models(request: Request) -> Response:
        version_of(request)
        return JSONResponse(cursor_page(request, list(MODELS), _model))

    def one_model(request: Request) -> Response:
        version_of(request)
        return JSONResponse(_model(request.path_params["id"]))

    return [
        *MessageBatches(desk).routes(),
        route(desk, "POST", "/v1/messages", create_message, "messages"),
        route(desk, "POST", "/v1/messages/count_tokens", count_tokens, "count"),
        route(desk, "GET", "/v1/models", models, "models"),
        route(desk, "GET", "/v1/models/{id:path}", one_model, "model"),
    ]


def dialect(like: str) -> Dialect:
    """The dialect."""
    return Dialect(SHAPE, _routes, error, "request-id")


def _fault_of(version: str) -> Any:
    return lambda url, body, extra: fault(url, body, {"version": version})


def _missing() -> ApiError:
    return ApiError(404, "Message Batch not found.")


def _counts(**known: int) -> dict[str, int]:
    return {
        name: known.get(name, 0)
        for name in ("processing", "succeeded", "errored", "canceled", "expired")
    }


def _iso(when: float | None) -> str | None:
    if when is None:
        return None
    return datetime.fromtimestamp(when, UTC).isoformat().replace("+00:00", "Z")
