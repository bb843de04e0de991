"""xAI: batches without a status word, with results in pages that grow while a batch runs."""

from __future__ import annotations

from itertools import islice
from typing import Any

import msgspec
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tui.sandbox import outcomes
from tui.sandbox.app import route
from tui.sandbox.backend import DAY, Dialect
from tui.sandbox.bodies import chat
from tui.sandbox.errors import ApiError
from tui.sandbox.providers.base import Batches, Files, missing_parameter
from tui.sandbox.results import iso_time, limit_of
from tui.sandbox.rows import Problem, Rendered, Row, RowFormat
from tui.sandbox.state import BatchView, StoredBatch
from tui.sandbox.sync import SyncEndpoints

_encode = msgspec.json.encode
_ENDPOINTS = ("/v1/chat/completions", "/v1/responses")
_TICKS_IN, _TICKS_OUT = 1_000, 2_500
"""Price of a token in ticks of 1e-10 USD: 0.1 and 0.25 USD for a million."""
_CODES = {400: 3, 401: 16, 404: 5, 429: 8, 500: 13}
"""The gRPC code of each HTTP status; 1 is a cancelled row."""
_MAX_PAGE = 1000


def _ticks(spent: int, made: int) -> int:
    return spent * _TICKS_IN + made * _TICKS_OUT


def check(entry: dict[str, Any], endpoint: str) -> Problem | None:
    """Require POST, a text endpoint as url, and a body; the urls of a file may differ."""
    if entry.get("method") != "POST":
        return Problem("invalid_method", "method must be POST", "method")
    if entry.get("url") not in _ENDPOINTS:
        return Problem("invalid_url", f"unsupported url {entry.get('url')!r}", "url")
    return None if "body" in entry else Problem("missing_body", "body is required", "body")


def render(row: Row) -> Rendered:
    """Build the result of a row; text always has the form of a chat completion.

    Every fifth good row carries an error of code 0, which means that there is none.
    """
    result: dict[str, Any] = {}
    spent = made = 0
    message = ""
    if row.succeeded:
        body, spent, made = chat(row)
        body["usage"]["cost_in_usd_ticks"] = _ticks(spent, made)
        result["response"] = {"chat_get_completion": body}
        if row.index % 5 == 4:
            result["error"] = {"code": 0, "message": ""}
    else:
        message = outcomes.error_body(row.outcome, row.url, row.body)["error"]["message"]
        result["error"] = {"code": _CODES[row.status], "message": message}
    line = {"batch_request_id": row.custom_id, "batch_result": result, "error_message": message}
    return Rendered(_encode(line), False, spent, made)


def not_run(custom_id: str, mark: str, reason: str) -> bytes:
    """Build the result of a row that was cancelled."""
    text = f"The request was {reason}."
    error = {"error": {"code": 1, "message": text}}
    return _encode({"batch_request_id": custom_id, "batch_result": error, "error_message": text})


ROW_FORMAT = RowFormat(
    render=render,
    not_run=not_run,
    check=check,
    unrun_reasons=frozenset({"cancelled"}),
    unrun_in_output=True,
)
"""The row format."""


def error(failure: ApiError) -> Response:
    """Build the response `{"code": TEXT, "error": TEXT}`."""
    words = {400: "invalid-argument", 401: "unauthenticated", 404: "not-found", 413: "too-large"}
    body = {"code": words.get(failure.status, "internal"), "error": failure.message}
    return JSONResponse(body, failure.status, failure.headers)


class XaiFiles(Files):
    """The file routes; the purpose is optional, and the lifetime stands before the file."""

    default_purpose = "batch"

    def new_id(self) -> str:
        """Generate the id of an upload."""
        return f"file_{self.backend.token()}"

    def lifetime(self, form: FormData) -> float:
        """Read `expires_after`, in seconds; it must come before the file."""
        names = [name for name, _ in form.multi_items()]
        text = str(form.get("expires_after") or "")
        if not text:
            return 30 * DAY
        if names.index("expires_after") > names.index("file"):
            raise ApiError(400, "expires_after must come before the file")
        if not text.isdigit() or not 3600 <= int(text) <= 2_592_000:
            raise ApiError(400, "expires_after must be between 3600 and 2592000")
        return float(text)

    def result_ids(self, batch: StoredBatch) -> list[str]:
        """Results are not files."""
        return []


class XaiBatches(Batches):
    """The batch routes."""

    def routes(self) -> list[Route]:
        """OpenAI's first three routes, a cancel with a verb, the rows' states and the results."""
        backend, one = self.backend, self.path + "/{id}"
        return [
            *(each for each in super().routes() if each.name != "cancel"),
            route(backend, "POST", one + ":cancel", self.cancel, "cancel"),
            route(backend, "GET", one + "/requests", self.states, "states"),
            route(backend, "GET", one + "/results", self.results, "content"),
        ]

    def make(self, body: dict[str, Any]) -> dict[str, Any]:
        """Create a batch from a file; a batch that is filled row by row is not simulated."""
        name = body.get("name")
        if not isinstance(name, str) or not name:
            raise missing_parameter("name")
        input_id = body.get("input_file_id")
        if not isinstance(input_id, str) or not input_id:
            raise missing_parameter("input_file_id")
        batch = self.backend.create(
            self.backend.upload(input_id, self.missing_file(input_id)),
            batch_id=f"batch_{self.backend.token()}",
            endpoint=_ENDPOINTS[0],
            extra={"name": name},
        )
        return self.show_created(batch)

    def list_batches(self, request: Request) -> Response:
        """List a page of batches, newest first."""
        limit = limit_of(request, 100, 100)
        start = _place(request)
        found = self.backend.batches()
        show = self.show_created if self.backend.options.stale_list else self.show
        shown = [show(batch) for batch in found[start : start + limit]]
        more = _token(start + limit) if start + limit < len(found) else None
        return JSONResponse({"batches": shown, "pagination_token": more})

    def states(self, request: Request) -> Response:
        """List the state of every row, in the order in which rows finish."""
        limit, start = limit_of(request, 100, _MAX_PAGE), _place(request)
        batch = self.find(request)
        view, plan = self.backend.view(batch), self.backend.plan_of(batch)
        result = self.backend.results(batch, view, errors=False)
        if plan is None or result is None:
            return JSONResponse({"batch_request_metadata": [], "pagination_token": None})
        shown = []
        with self.backend.input_path(batch).open("rb") as source:
            for place in range(start, min(start + limit, plan.rows)):
                row = result.row(source.fileno(), place)
                state = "cancelled" if view.ended and view.status == "cancelled" else "pending"
                if place < view.done:
                    state = "succeeded" if row.succeeded else "failed"
                shown.append(
                    {
                        "batch_request_id": row.custom_id,
                        "endpoint": row.url,
                        "model": row.body.get("model") if isinstance(row.body, dict) else None,
                        "state": state,
                        "create_time": iso_time(batch.created),
                        "finish_time": iso_time(row.when) if place < view.done else None,
                    }
                )
        more = _token(start + limit) if start + limit < plan.rows else None
        return JSONResponse({"batch_request_metadata": shown, "pagination_token": more})

    def results(self, request: Request) -> Response:
        """Send a page of the results so far, in the order in which rows finish."""
        limit, start = limit_of(request, 100, _MAX_PAGE), _place(request)
        batch = self.find(request)
        result = self.backend.results(batch, self.backend.view(batch), errors=False)
        lines = result.records(start) if result else iter(())
        page = list(islice(lines, limit + 1))
        more = _token(start + limit) if len(page) > limit else None
        body = b'{"results":[' + b",".join(line.rstrip() for line in page[:limit])
        body += b'],"pagination_token":' + _encode(more) + b"}"
        return Response(body, media_type="application/json")

    def show_cancelled(self, batch: StoredBatch, view: BatchView) -> dict[str, Any]:
        """Build the batch object of the response to a cancel."""
        return self.batch_object(batch, view)

    def batch_object(self, batch: StoredBatch, view: BatchView) -> dict[str, Any]:
        """Build the batch object; there is no status, only counts and moments."""
        cancelled = view.not_run if view.status == "cancelled" else 0
        problems = [f"line {item['line']}: {item['message']}" for item in batch.problems]
        reason = f"JSONL file validation failed: {'; '.join(problems)}" if problems else None
        return {
            "batch_id": batch.id,
            "name": batch.extra["name"],
            "create_time": iso_time(batch.created),
            # With `sandbox:expire`, a batch expires when its other rows are done.
            "expire_time": iso_time(view.moments.get("expired_at", batch.created + batch.seconds)),
            "create_api_key_id": "key-sandbox",
            "cancel_time": None if batch.cancel is None else iso_time(batch.cancel),
            "cancel_by_xai_message": reason,
            "input_file_id": batch.input_id,
            "state": {
                "num_requests": view.total,
                "num_pending": view.total - view.done - cancelled,
                "num_success": view.succeeded,
                "num_error": view.failed,
                "num_cancelled": cancelled,
            },
            "cost_breakdown": {
                "total_cost_usd_ticks": str(_ticks(*self.backend.tokens(batch, view))),
                "endpoint_costs": [],
            },
        }


def _token(place: int) -> str:
    return f"p{place}"


def _place(request: Request) -> int:
    """The position that a page token stands for; 400 for a token that was not given out."""
    text = request.query_params.get("pagination_token") or "p0"
    if not (text[0] == "p" and text[1:].isdigit()):
        raise ApiError(400, f"invalid pagination_token {text!r}")
    return int(text[1:])


DIALECT = Dialect(ROW_FORMAT, (XaiFiles, XaiBatches, SyncEndpoints), error)
"""xAI."""
