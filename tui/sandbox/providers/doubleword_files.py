"""Doubleword's file routes; result files grow while a batch runs and are read with `skip`."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from itertools import islice
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from tui.sandbox import answers
from tui.sandbox.app import route
from tui.sandbox.errors import ApiError
from tui.sandbox.providers.base import Files
from tui.sandbox.providers.doubleword_rows import first_invalid_line
from tui.sandbox.results import ResultFile
from tui.sandbox.state import StoredBatch, StoredFile

_MAX_PAGE = 101
DOLLARS_PER_TOKEN = 0.000_000_1
"""What a token costs, in either direction."""


class DoublewordFiles(Files):
    """The file routes."""

    created = 201

    def routes(self) -> list[Route]:
        """OpenAI's routes and the cost estimate."""
        path = "/v1/files/{id}/cost-estimate"
        return [*super().routes(), route(self.backend, "GET", path, self.estimate, "estimate")]

    def new_id(self) -> str:
        """Generate a UUID."""
        return str(uuid.uuid4())

    def rejection(self, file: StoredFile) -> ApiError | None:
        """The error for the first invalid line, which rejects the whole upload."""
        text = first_invalid_line(self.backend.file_path(file))
        return ApiError(400, text) if text else None

    def show(self, file: StoredFile) -> dict[str, Any]:
        """Build the file object, without unset keys."""
        shown = super().show(file)
        del shown["status"], shown["status_details"]
        expires = shown.pop("expires_at")
        return shown if expires is None else {**shown, "expires_at": expires}

    def list_files(self, request: Request) -> Response:
        """List files; `limit` is silently capped at 101."""
        query = request.query_params
        search = query.get("search", "")
        found = [file for file in self.all(query.get("purpose")) if search in file.name]
        newest_first = query.get("order", "desc") == "desc"
        return self.page(request, found[::-1] if newest_first else found, self.show)

    def limit(self, request: Request) -> int:
        """Read the number of items of a page."""
        return page_limit(request) or 20

    def list_response(self, data: list[dict[str, Any]], more: bool) -> dict[str, Any]:
        """Build the list object."""
        return list_reply(data, more)

    def find(self, file_id: str) -> tuple[StoredFile, StoredBatch | None, ResultFile | None]:
        """Find a file by its UUID."""
        check_uuid(file_id, "file")
        return super().find(file_id)

    def missing(self, item_id: str) -> ApiError:
        """The error for an unknown id."""
        return missing(item_id)

    def result_ids(self, batch: StoredBatch) -> list[str]:
        """Both result files, which exist from the start."""
        if batch.problems:
            return []
        return [batch.out_id] * (not batch.out_gone) + [batch.err_id] * (not batch.err_gone)

    def _result(self, batch: StoredBatch, file_id: str) -> tuple[StoredFile, ResultFile]:
        file, result = super()._result(batch, file_id)
        file.purpose = "batch_error" if file_id == batch.err_id else "batch_output"
        file.created = batch.created
        return file, result

    def delete(self, request: Request) -> Response:
        """Delete a file; running batches created from it are cancelled."""
        file_id = request.path_params["id"]
        _, batch, _ = self.find(file_id)
        state = self.backend.state
        if batch is None:
            for user in self.backend.batches():
                if user.input_id == file_id:
                    if not self.backend.view(user).ended:
                        state.record_cancel(user, self.backend.now())
                    state.change(user, input_id="")
        return super().delete(request)

    def content(self, request: Request) -> Response:
        """Send lines from `skip` on, with `X-Incomplete` and `X-Last-Line`.

        `offset` is ignored; `doubleword-old` supports `offset` and ignores `skip`.
        """
        file, batch, result = self.find(request.path_params["id"])
        old = self.backend.options.like == "doubleword-old"
        skip = number_of(request, "offset" if old else "skip")
        limit, search = page_limit(request), request.query_params.get("search")
        stop = None if limit is None else skip + limit
        running, total = False, None
        if batch is None or result is None:
            lines = self._input_lines(file)
            if limit is not None:
                total = sum(1 for _ in self._input_lines(file))
        else:
            view = self.backend.view(batch)
            running = not view.ended
            total = view.failed if file.id == batch.err_id else view.succeeded
            lines = result.lines(0 if search is not None else skip)
        if search is not None:
            matching = (line for line in lines if search.encode() in line)
            return _ndjson(islice(matching, skip, stop), {"X-Incomplete": str(running).lower()})
        if total is None:
            return _ndjson(islice(lines, skip, None), {})
        last = total if stop is None else min(total, stop)
        last = last if batch is None else max(skip, last)
        headers = {
            "X-Incomplete": str(running or last < total).lower(),
            "X-Last-Line": str(last),
        }
        rest = islice(lines, skip, stop) if batch is None else islice(lines, last - skip)
        return _ndjson(rest, headers)

    def _input_lines(self, file: StoredFile) -> Iterator[bytes]:
        with self.backend.file_path(file).open("rb") as handle:
            for line in handle:
                if line.strip():
                    yield line.rstrip(b"\r\n") + b"\n"

    def estimate(self, request: Request) -> Response:
        """Estimate the cost of a file: input is bytes / 4, output 1.1 times the input."""
        file, batch, _ = self.find(request.path_params["id"])
        if batch is not None:
            raise ApiError(400, "Cost estimates are for input files")
        models: dict[str, list[int]] = {}
        for line in self._input_lines(file):
            name = str(msgspec.json.decode(line)["body"]["model"])
            entry = models.setdefault(name, [0, 0])
            entry[0] += 1
            entry[1] += answers.tokens(len(line))
        rate = DOLLARS_PER_TOKEN * (2 if request.query_params.get("completion_window") == "1h"
                                     else 1)  # fmt: skip
        shown = []
        rows_in_all = read_in_all = made_in_all = 0
        for name, (rows, size) in models.items():
            made = int(size * 1.1)
            rows_in_all, read_in_all = rows_in_all + rows, read_in_all + size
            made_in_all += made
            shown.append(
                {
                    "model": name,
                    "request_count": rows,
                    "estimated_input_tokens": size,
                    "estimated_output_tokens": made,
                    "estimated_cost": f"{(size + made) * rate:.8f}",
                }
            )
        reply = {
            "file_id": file.id,
            "total_requests": rows_in_all,
            "total_estimated_input_tokens": read_in_all,
            "total_estimated_output_tokens": made_in_all,
            "total_estimated_cost": f"{(read_in_all + made_in_all) * rate:.8f}",
            "models": shown,
        }
        return JSONResponse(reply)


def error(failure: ApiError) -> Response:
    """Send errors as plain text, except 429, 503 and 409."""
    headers = dict(failure.headers or {})
    if failure.status in (429, 503):
        word = "too_many_requests" if failure.status == 429 else "service_unavailable"
        headers.setdefault("Retry-After", "60" if failure.status == 429 else "30")
        body = {"error": word, "message": failure.message, "retry_after_seconds": 30}
        return JSONResponse(body, failure.status, headers)
    if failure.status == 409:
        return JSONResponse({"message": failure.message}, 409, headers)
    if failure.body is not None:
        # The inference routes send OpenAI's JSON.
        return JSONResponse(failure.body, failure.status, headers)
    return PlainTextResponse(failure.message, failure.status, headers)


def check_uuid(text: str, kind: str) -> None:
    """Raise 400 for an id that is not a UUID in canonical form."""
    try:
        good = str(uuid.UUID(text)) == text.lower()
    except ValueError:
        good = False
    if not good:
        raise ApiError(400, f"Invalid {kind} ID format")


def missing(item: str) -> ApiError:
    """The error for an unknown id."""
    return ApiError(404, f"{item} not found")


def number_of(request: Request, name: str) -> int:
    """Read an integer from the query, 0 if absent; 400 if invalid."""
    text = request.query_params.get(name, "0")
    if not text.isdecimal():
        raise ApiError(400, f"Failed to deserialize query string: {name}: invalid digit")
    return int(text)


def page_limit(request: Request) -> int | None:
    """Read `limit`, clamped to 1 to 101; `None` when it is absent."""
    if "limit" not in request.query_params:
        return None
    return min(_MAX_PAGE, max(1, number_of(request, "limit")))


def list_reply(data: list[dict[str, Any]], more: bool) -> dict[str, Any]:
    """Build the list object; an empty one has no first and last id."""
    reply: dict[str, Any] = {"object": "list", "data": data, "has_more": more}
    if data:
        reply |= {"first_id": data[0]["id"], "last_id": data[-1]["id"]}
    return reply


def _ndjson(lines: Iterator[bytes], headers: dict[str, str]) -> Response:
    return StreamingResponse(_grouped(lines), 200, headers, "application/x-ndjson")


def _grouped(lines: Iterator[bytes]) -> Iterator[bytes]:
    while kept := list(islice(lines, 100)):
        yield b"".join(kept)
