"""Doubleword's file routes: result files that grow while a batch runs, read with `skip`."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from itertools import islice
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from . import model
from .doubleword_shape import bad_line
from .failures import ApiError
from .files import Files, receive_upload
from .paging import page
from .results import ResultFile
from .state import StoredBatch, StoredFile
from .wire import in_thread, route

_MOST_PAGE = 101
_DOLLARS_PER_TOKEN = 0.000_000_1


class DoublewordFiles(Files):
    """The file routes."""

    def routes(self) -> list[Route]:
        """The usual ones and the cost estimate."""
        path = "/v1/files/{id}/cost-estimate"
        return [*super().routes(), route(self.desk, "GET", path, self.estimate, "estimate")]

    async def upload(self, request: Request) -> Response:
        """Store an upload; the first bad line refuses it."""
        file = await receive_upload(request, self.desk, str(uuid.uuid4()))
        text = await in_thread(bad_line, self.desk.path_of(file))
        if text:
            await in_thread(self.desk.remove_file, file)
            raise ApiError(400, text)
        return JSONResponse(self.show(file), 201)

    def show(self, file: StoredFile) -> dict[str, Any]:
        """Build the file object; what is unset is left out."""
        shown = {
            "id": file.id,
            "object": "file",
            "bytes": file.bytes,
            "created_at": int(file.created),
            "filename": file.name,
            "purpose": file.purpose,
        }
        if file.expires is not None:
            shown["expires_at"] = int(file.expires)
        return shown

    def list_files(self, request: Request) -> Response:
        """List files; `limit` is cut to 101 without notice."""
        query = request.query_params
        found = self.all()
        purpose, search = query.get("purpose"), query.get("search", "")
        found = [file for file in found if purpose in (None, file.purpose) and search in file.name]
        if query.get("order", "desc") == "desc":
            found.reverse()
        items, more = page(
            found, lambda file: file.id, query.get("after"), page_limit(request) or 20, missing
        )
        return JSONResponse(list_reply([self.show(file) for file in items], more))

    def find(self, file_id: str) -> tuple[StoredFile, StoredBatch | None, ResultFile | None]:
        """Find a file by its bare UUID."""
        check_uuid(file_id, "file")
        return super().find(file_id)

    def missing(self, file_id: str) -> ApiError:
        """Refuse an unknown id."""
        return missing(file_id)

    def result_ids(self, batch: StoredBatch) -> list[str]:
        """Both result files are there from the creation."""
        if batch.problems:
            return []
        return [batch.out_id] * (not batch.out_gone) + [batch.err_id] * (not batch.err_gone)

    def _result(self, batch: StoredBatch, file_id: str) -> tuple[StoredFile, ResultFile]:
        file, result = super()._result(batch, file_id)
        file.purpose = "batch_error" if file_id == batch.err_id else "batch_output"
        file.created = batch.created
        return file, result

    def delete(self, request: Request) -> Response:
        """Delete a file; running batches made from it are cancelled."""
        file_id = request.path_params["id"]
        _, batch, _ = self.find(file_id)
        state = self.desk.state
        if batch is None:
            for user in state.batches(self.desk.options.like):
                if user.input_id == file_id:
                    if not self.desk.view(user).ended:
                        state.claim_cancel(user, self.desk.now())
                    state.change(user, input_id="")
        return super().delete(request)

    def content(self, request: Request) -> Response:
        """Send lines from `skip` on, with `X-Incomplete` and `X-Last-Line`.

        `offset` means nothing; the older variant knows `offset` and not `skip`.
        """
        file, batch, result = self.find(request.path_params["id"])
        old = self.desk.options.like == "doubleword-old"
        skip = number_of(request, "offset" if old else "skip")
        limit, search = page_limit(request), request.query_params.get("search")
        if batch is None or result is None:
            lines = self._input_lines(file)
            whole, running = None, False
        else:
            view = self.desk.view(batch)
            whole = view.failed if file.id == batch.err_id else view.succeeded
            running = not view.ended
            lines = None
        headers = {}
        if search is not None:
            source = lines if lines is not None else result.lines(0) if result else iter(())
            needle = search.encode()
            matching = (line for line in source if needle in line)
            stop = None if limit is None else skip + limit
            headers["X-Incomplete"] = str(running).lower()
            return _ndjson(islice(matching, skip, stop), headers)
        if lines is not None:
            stop = None if limit is None else skip + limit
            if limit is not None:
                total = sum(1 for _ in self._input_lines(file))
                last = min(total, skip + limit)
                headers = {"X-Incomplete": str(last < total).lower(), "X-Last-Line": str(last)}
            return _ndjson(islice(lines, skip, stop), headers)
        assert result is not None and whole is not None
        last = max(skip, whole if limit is None else min(whole, skip + limit))
        headers["X-Incomplete"] = str(running or last < whole).lower()
        headers["X-Last-Line"] = str(last)
        return _ndjson(islice(result.lines(skip), last - skip), headers)

    def _input_lines(self, file: StoredFile) -> Iterator[bytes]:
        with self.desk.path_of(file).open("rb") as handle:
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
            entry[1] += model.tokens(len(line))
        rate = _DOLLARS_PER_TOKEN * (2 if request.query_params.get("completion_window") == "1h"
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
    """Answer in plain text, except 429, 503 and 409."""
    headers = dict(failure.headers or {})
    if failure.status in (429, 503):
        word = "too_many_requests" if failure.status == 429 else "service_unavailable"
        headers.setdefault("Retry-After", "60" if failure.status == 429 else "30")
        body = {"error": word, "message": failure.message, "retry_after_seconds": 30}
        return JSONResponse(body, failure.status, headers)
    if failure.status == 409:
        return JSONResponse({"message": failure.message}, 409, headers)
    if failure.body is not None:
        # The inference routes speak OpenAI's JSON.
        return JSONResponse(failure.body, failure.status, headers)
    return PlainTextResponse(failure.message, failure.status, headers)


def check_uuid(text: str, kind: str) -> None:
    """Refuse an id that is not a bare UUID (400)."""
    try:
        good = str(uuid.UUID(text)) == text.lower()
    except ValueError:
        good = False
    if not good:
        raise ApiError(400, f"Invalid {kind} ID format")


def missing(item: str) -> ApiError:
    """Refuse an unknown id."""
    return ApiError(404, f"{item} not found")


def number_of(request: Request, name: str) -> int:
    """Read a whole number; absent is 0 (400 when it is none)."""
    text = request.query_params.get(name, "0")
    if not text.isdecimal():
        raise ApiError(400, f"Failed to deserialize query string: {name}: invalid digit")
    return int(text)


def page_limit(request: Request) -> int | None:
    """Read `limit`, clamped to 1 to 101; `None` when it is absent."""
    if "limit" not in request.query_params:
        return None
    return min(_MOST_PAGE, max(1, number_of(request, "limit")))


def list_reply(data: list[dict[str, Any]], more: bool) -> dict[str, Any]:
    """Build the list object; an empty one names no ids."""
    reply: dict[str, Any] = {"object": "list", "data": data, "has_more": more}
    if data:
        reply |= {"first_id": data[0]["id"], "last_id": data[-1]["id"]}
    return reply


def _ndjson(lines: Iterator[bytes], headers: dict[str, str]) -> Response:
    return StreamingResponse(_grouped(lines), 200, headers, "application/x-ndjson")


def _grouped(lines: Iterator[bytes]) -> Iterator[bytes]:
    while kept := list(islice(lines, 100)):
        yield b"".join(kept)
