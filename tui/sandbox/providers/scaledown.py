"""ScaleDown in both API generations: JSON Lines as create body, answers as JSON in a string.

`scaledown` is generation 1 (`batch_id`, `queued`, `total_count`), `scaledown-2` generation 2 (an
OpenAI batch object, at most 50 rows). Neither can list, cancel or delete batches.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tui.sandbox import answers
from tui.sandbox.app import in_thread, route
from tui.sandbox.backend import Dialect
from tui.sandbox.bodies import BuiltBody
from tui.sandbox.errors import ApiError
from tui.sandbox.outcomes import RowOutcome
from tui.sandbox.providers.base import Batches
from tui.sandbox.rows import Problem, Rendered, Row, RowFormat
from tui.sandbox.state import BatchView, StoredBatch
from tui.sandbox.sync import run

_ENDPOINT = "/v1/chat/completions"
_FIRST_STATUSES = {"validating": "queued", "in_progress": "processing", "finalizing": "processing"}
_SECOND_STATUSES = {"finalizing": "in_progress"}
_ROW_ERRORS = {
    RowOutcome.FAIL_400: ("invalid_request", "the request was refused by the model"),
    RowOutcome.FAIL_401: ("unauthorized", "the key may not use this model"),
    RowOutcome.FAIL_404: ("model_not_found", "the model is not available"),
    RowOutcome.FAIL_429: ("rate_limited", "too many requests to the model"),
    RowOutcome.FAIL_500: ("model_error", "upstream failed"),
    RowOutcome.NEVER: ("timeout", "the request was not executed in time"),
}


def fault(url: str, body: Any, extra: dict[str, Any]) -> str:
    """Describe what is wrong with a body, or return ""."""
    return answers.fault(body)


def check(entry: dict[str, Any], endpoint: str) -> Problem | None:
    """Reject a line with an invalid method, url or body."""
    if entry.get("method") != "POST" or entry.get("url") != _ENDPOINT:
        return Problem("invalid_request", f"method and url must be POST {_ENDPOINT}", "url")
    text = fault(_ENDPOINT, entry.get("body"), {})
    return Problem("invalid_request", text, "body") if text else None


def completion(row: Row, *, second: bool) -> BuiltBody:
    """Build the response body; its content is a JSON string."""
    body = row.body
    text = str(body.get("text", ""))
    message: dict[str, Any] = {"role": "assistant"}
    if row.outcome is RowOutcome.REFUSED:
        message |= {"content": None, "refusal": answers.REFUSAL}
    elif row.words.say is not None:
        message["content"] = row.words.say
    else:
        cut = row.outcome is RowOutcome.TRUNCATED
        value = answers.scaledown_answer(body, row.seed, cut=cut, second=second)
        message["content"] = msgspec.json.encode(value).decode()
    choice: dict[str, Any] = {"message": message}
    if row.outcome is RowOutcome.TRUNCATED:
        choice["finish_reason"] = "length"
    return {"model": body["model"], "choices": [choice]}, answers.tokens(len(text)), 0


def render(row: Row, *, second: bool) -> Rendered:
    """Build a result line; successful and failed rows share the output."""
    line: dict[str, Any] = {"custom_id": row.custom_id}
    if row.succeeded:
        body, spent, made = completion(row, second=second)
        line |= {"response": {"status_code": 200, "body": body}, "error": None}
        return Rendered(msgspec.json.encode(line), False, spent, made)
    code, text = _row_error(row)
    line |= {"response": None, "error": {"code": code, "message": text}}
    return Rendered(msgspec.json.encode(line))


def _row_error(row: Row) -> tuple[str, str]:
    return _ROW_ERRORS.get(row.outcome, ("invalid_request", fault(row.url, row.body, {})))


def error(failure: ApiError) -> Response:
    """Build the response `{"detail": text}`; the real format is not documented."""
    return JSONResponse({"detail": failure.message}, failure.status, failure.headers)


class ScaleDown(Batches):
    """The routes of generation 1; of OpenAI's batch routes only two exist."""

    second = False

    def routes(self) -> list[Route]:
        """All routes."""
        backend = self.backend
        return [
            *(item for item in super().routes() if item.name in ("create", "retrieve")),
            route(backend, "GET", self.path + "/{id}/output", self.output, "content"),
            route(backend, "GET", "/v1/models", self.models, "models"),
            route(backend, "POST", _ENDPOINT, self.answer, "chat"),
        ]

    async def create(self, request: Request) -> Response:
        """Create a batch from the lines in the body, with any content type."""
        if self.backend.quirks.use("502-submit"):
            raise ApiError(502, "bad gateway")
        draft = self.backend.draft()
        try:
            with draft.open("wb") as target:
                async for piece in request.stream():
                    await in_thread(target.write, piece)
            made = await in_thread(self._create, draft)
        except ClientDisconnect as problem:
            raise ApiError(400, "the body was not sent whole") from problem
        finally:
            draft.unlink(missing_ok=True)
        return JSONResponse(made)

    def _create(self, draft: Path) -> dict[str, Any]:
        batch_id = f"batch_{self.backend.token()}"
        batch = self.backend.create(
            draft,
            batch_id=batch_id,
            endpoint=_ENDPOINT,
            out_id=f"{batch_id}_output",
            refuse=_rejection,
        )
        return self.show_created(batch)

    def missing(self, item_id: str) -> ApiError:
        """The error for an unknown id."""
        return ApiError(404, "batch not found")

    def show_created(self, batch: StoredBatch) -> dict[str, Any]:
        """Build the response to a create call, which has no counts of ended rows."""
        rows = self.backend.rows(batch)
        return {"batch_id": batch.id, "status": "queued", "total_count": rows}

    def batch_object(self, batch: StoredBatch, view: BatchView) -> dict[str, Any]:
        """Build the batch object."""
        return {
            "batch_id": batch.id,
            "status": _FIRST_STATUSES.get(view.status, view.status),
            "total_count": self.backend.rows(batch),
            "completed_count": view.succeeded,
            "failed_count": view.failed,
        }

    def output(self, request: Request) -> Response:
        """Send the results; 404 until they are ready."""
        if self.backend.quirks.use("503-output"):
            raise ApiError(503, "service unavailable")
        batch = self.find(request)
        view = self.backend.view(batch)
        result = self.backend.results(batch, view, errors=False)
        if result is None or not view.ended:
            raise ApiError(404, "output not found")
        headers = {"content-length": str(result.size)}
        return StreamingResponse(result.chunks(), 200, headers, "application/jsonl")

    def models(self, request: Request) -> Response:
        """List the three models."""
        data = [{"id": name, "object": "model", "owned_by": "scaledown"} for name in answers.MODELS]
        return JSONResponse({"object": "list", "data": data})

    async def answer(self, request: Request) -> Response:
        """Answer a single request synchronously."""
        row = await run(request, self.backend, _ENDPOINT, fault)
        if not row.succeeded:
            raise ApiError(row.status, _row_error(row)[1])
        return JSONResponse(completion(row, second=self.second)[0])


class SecondScaleDown(ScaleDown):
    """The routes of generation 2, with OpenAI's batch object."""

    second = True

    def show_created(self, batch: StoredBatch) -> dict[str, Any]:
        """Build the batch object of a create response."""
        return self.batch_object(batch, self.backend.view(batch, fresh=True))

    def batch_object(self, batch: StoredBatch, view: BatchView) -> dict[str, Any]:
        """Build the batch object."""
        return {
            "id": batch.id,
            "object": "batch",
            "endpoint": _ENDPOINT,
            "input_file_id": None,
            "completion_window": "24h",
            "status": _SECOND_STATUSES.get(view.status, view.status),
            "output_file_id": batch.out_id if view.ended else None,
            "error_file_id": None,
            "created_at": int(batch.created),
            "request_counts": {
                "total": self.backend.rows(batch),
                "completed": view.succeeded,
                "failed": view.failed,
            },
            "metadata": None,
        }


def _rejection(problems: list[dict[str, Any]]) -> ApiError:
    first = problems[0]
    where = f"line {first['line']}: " if first["line"] and first["code"] != "too_many_tasks" else ""
    return ApiError(400, where + first["message"])


ROW_FORMAT = RowFormat(
    render=partial(render, second=False),
    check=check,
    fault=fault,
    unrun_rows_fail=True,
    unrun_reasons=frozenset(),
)
"""The row format of generation 1."""

DIALECT = Dialect(ROW_FORMAT, (ScaleDown,), error)
"""Generation 1."""
SECOND = Dialect(
    replace(ROW_FORMAT, render=partial(render, second=True), max_rows=50),
    (SecondScaleDown,),
    error,
)
"""Generation 2."""
