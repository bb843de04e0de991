"""ScaleDown in both of its wire generations: lines as the body of the create, JSON in a string.

`scaledown` is generation 1 (`batch_id`, `queued`, `total_count`), `scaledown-2` generation 2 (an
OpenAI batch object, at most 50 rows). Neither has a list, a cancel or a delete.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from . import fates, model, scaledown_answers
from .bodies import Produced
from .desk import Desk
from .dialect import Dialect
from .failures import ApiError
from .fates import Fate
from .shape import Problem, Rendered, Row, Shape
from .state import StoredBatch
from .sync import run
from .timeline import View
from .wire import in_thread, route

_MOST_ROWS = {"scaledown": 50_000, "scaledown-2": 50}
_DAY = 86_400.0
_ENDPOINT = "/v1/chat/completions"
_FIRST_WORDS = {"validating": "queued", "in_progress": "processing", "finalizing": "processing"}
_SECOND_WORDS = {"finalizing": "in_progress"}
_ROW_ERRORS = {
    Fate.FAIL_400: ("invalid_request", "the request was refused by the model"),
    Fate.FAIL_401: ("unauthorized", "the key may not use this model"),
    Fate.FAIL_404: ("model_not_found", "the model is not available"),
    Fate.FAIL_429: ("rate_limited", "too many requests to the model"),
    Fate.FAIL_500: ("model_error", "upstream failed"),
    Fate.NEVER: ("timeout", "the request was not executed in time"),
}


def fault(url: str, body: Any, extra: dict[str, Any]) -> str:
    """Say what is wrong with a body; checked before anything is sent on."""
    return scaledown_answers.fault(body)


def check(entry: dict[str, Any], endpoint: str) -> Problem | None:
    """Refuse a line with a bad method, url or body."""
    if entry.get("method") != "POST" or entry.get("url") != _ENDPOINT:
        return Problem("invalid_request", f"method and url must be POST {_ENDPOINT}", "url")
    text = fault(_ENDPOINT, entry.get("body"), {})
    return Problem("invalid_request", text, "body") if text else None


def completion(row: Row, *, second: bool) -> Produced:
    """Build the answer body: the content is a JSON string."""
    body = row.body
    text = str(body.get("text", ""))
    message: dict[str, Any] = {"role": "assistant"}
    if row.fate is Fate.REFUSED:
        message |= {"content": None, "refusal": model.REFUSAL}
    elif row.words.say is not None:
        message["content"] = row.words.say
    else:
        cut = row.fate is Fate.TRUNCATED
        value = scaledown_answers.answer(body, row.seed, cut=cut, second=second)
        message["content"] = msgspec.json.encode(value).decode()
    choice: dict[str, Any] = {"message": message}
    if row.fate is Fate.TRUNCATED:
        choice["finish_reason"] = "length"
    return {"model": body["model"], "choices": [choice]}, model.tokens(len(text)), 0


def render(row: Row, *, second: bool) -> Rendered:
    """Make a line; good and failed rows share the output."""
    line: dict[str, Any] = {"custom_id": row.custom_id}
    if row.fate in fates.GOOD:
        body, spent, made = completion(row, second=second)
        line |= {"response": {"status_code": 200, "body": body}, "error": None}
        return Rendered(msgspec.json.encode(line), False, spent, made)
    code, text = _ROW_ERRORS.get(row.fate, ("invalid_request", fault(row.url, row.body, {})))
    line |= {"response": None, "error": {"code": code, "message": text}}
    return Rendered(msgspec.json.encode(line))


def unrun(custom_id: str, mark: str, reason: str) -> bytes:
    """Rows always run here, so there is no such line."""
    return b""


def error(failure: ApiError) -> Response:
    """Answer `{"detail": text}`; the real body is not documented."""
    return JSONResponse({"detail": failure.message}, failure.status, failure.headers)


class ScaleDown:
    """The routes."""

    def __init__(self, desk: Desk) -> None:
        """Serve the batches of `desk` in the generation of its options."""
        self.desk = desk
        self.second = desk.options.like == "scaledown-2"

    def routes(self) -> list[Route]:
        """All routes there are."""
        desk = self.desk
        return [
            route(desk, "POST", "/v1/batches", self.create, "create"),
            route(desk, "GET", "/v1/batches/{id}", self.retrieve, "retrieve"),
            route(desk, "GET", "/v1/batches/{id}/output", self.output, "content"),
            route(desk, "GET", "/v1/models", self.models, "models"),
            route(desk, "POST", _ENDPOINT, self.answer, "chat"),
        ]

    async def create(self, request: Request) -> Response:
        """Create a batch from the lines in the body, whatever its content type."""
        if self.desk.quirks.spend("502-submit"):
            raise ApiError(502, "bad gateway")
        draft = self.desk.draft()
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
        desk = self.desk
        batch_id = f"batch_{desk.token()}"
        batch = desk.create(
            draft,
            batch_id=batch_id,
            endpoint=_ENDPOINT,
            window="24h",
            seconds=_DAY,
            out_id=f"{batch_id}_output",
            refuse=_refused,
        )
        view = desk.view(batch, fresh=True)
        if self.second:
            return self._second(batch, view)
        plan = desk.plan_of(batch)
        rows = plan.rows if plan else 0
        return {"batch_id": batch.id, "status": "queued", "total_count": rows}

    def retrieve(self, request: Request) -> Response:
        """Describe a batch."""
        batch = self._find(request)
        view = self.desk.view(batch)
        if self.second:
            return JSONResponse(self._second(batch, view))
        plan = self.desk.plan_of(batch)
        return JSONResponse(
            {
                "batch_id": batch.id,
                "status": _FIRST_WORDS.get(view.status, view.status),
                "total_count": plan.rows if plan else 0,
                "completed_count": view.succeeded,
                "failed_count": view.failed,
            }
        )

    def _second(self, batch: StoredBatch, view: View) -> dict[str, Any]:
        plan = self.desk.plan_of(batch)
        return {
            "id": batch.id,
            "object": "batch",
            "endpoint": _ENDPOINT,
            "input_file_id": None,
            "completion_window": "24h",
            "status": _SECOND_WORDS.get(view.status, view.status),
            "output_file_id": batch.out_id if view.ended else None,
            "error_file_id": None,
            "created_at": int(batch.created),
            "request_counts": {
                "total": plan.rows if plan else 0,
                "completed": view.succeeded,
                "failed": view.failed,
            },
            "metadata": None,
        }

    def output(self, request: Request) -> Response:
        """Send the results; 404 while they are not ready."""
        if self.desk.quirks.spend("503-output"):
            raise ApiError(503, "service unavailable")
        batch = self._find(request)
        view = self.desk.view(batch)
        result = self.desk.results(batch, view, errors=False)
        if result is None or not view.ended:
            raise ApiError(404, "output not found")
        headers = {"content-length": str(result.size)}
        return StreamingResponse(result.chunks(), 200, headers, "application/jsonl")

    def models(self, request: Request) -> Response:
        """List the three models."""
        data = [
            {"id": name, "object": "model", "owned_by": "scaledown"}
            for name in scaledown_answers.MODELS
        ]
        return JSONResponse({"object": "list", "data": data})

    async def answer(self, request: Request) -> Response:
        """Answer one request at once."""
        row = await run(request, self.desk, _ENDPOINT, fault)
        if row.fate not in fates.GOOD:
            _, text = _ROW_ERRORS.get(row.fate, ("", fault(_ENDPOINT, row.body, {})))
            raise ApiError(fates.STATUS[row.fate], text)
        return JSONResponse(completion(row, second=self.second)[0])

    def _find(self, request: Request) -> StoredBatch:
        return self.desk.batch(request.path_params["id"], ApiError(404, "batch not found"))


def dialect(like: str) -> Dialect:
    """The dialect of one generation."""
    shape = Shape(
        name=like,
        render=partial(render, second=like == "scaledown-2"),
        unrun=unrun,
        check=check,
        fault=fault,
        never_fails=True,
        unrun_reasons=frozenset(),
        max_rows=_MOST_ROWS[like],
    )
    return Dialect(shape, lambda desk: ScaleDown(desk).routes(), error)


def _refused(problems: list[dict[str, Any]]) -> ApiError:
    first = problems[0]
    where = f"line {first['line']}: " if first["line"] and first["code"] != "too_many_tasks" else ""
    return ApiError(400, where + first["message"])
