"""TensorZero as its fork by BudEcosystem serves it: a thin proxy in front of OpenAI.

Upstream TensorZero has no such API. The fork turns most upstream errors into a 500, asks for a
`.jsonl` file name, has no list of files, and answers 500 to a delete that worked.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from . import sync
from .batches import Batches
from .desk import Desk
from .dialect import Dialect
from .failures import ApiError
from .files import Files, receive_upload
from .openai_shape import SHAPE
from .paging import read_file
from .state import StoredBatch
from .timeline import View
from .wire import in_thread, json_body

_MOST_BYTES = 100_000_000
_PASSED_ON = (400, 401, 403, 429)


def error(failure: ApiError) -> Response:
    """Answer in one of the fork's three shapes.

    Refused keys have an integer code; refused uploads and creates (kind `request`) have
    OpenAI's object with a null code; all else is `{"error": "text"}`, as a 500 where the status
    is not passed on.
    """
    if failure.status == 401:
        body: Any = {"message": failure.message, "type": failure.kind, "code": 401}
    elif failure.kind == "request":
        body = {"message": failure.message, "type": "invalid_request_error", "code": None}
    else:
        body = failure.message
    status = failure.status if failure.status in _PASSED_ON else 500
    return JSONResponse({"error": body}, status, failure.headers)


class ProxyFiles(Files):
    """The file routes of the fork."""

    media = "application/jsonl"

    def routes(self) -> list[Route]:
        """All but the list, which the fork does not have."""
        return [route for route in super().routes() if route.name != "list"]

    async def upload(self, request: Request) -> Response:
        """Store an upload whose name ends in `.jsonl` and whose lines are JSON."""
        try:
            file = await receive_upload(
                request,
                self.desk,
                f"file-{self.desk.token()}",
                most=_MOST_BYTES,
                default="batch",
            )
        except ApiError as problem:
            raise ApiError(400, problem.message, kind="request") from problem
        path = self.desk.path_of(file)
        text = "" if file.name.endswith(".jsonl") else "The file name must end with .jsonl"
        text = text or await in_thread(bad_line, path)
        if text:
            await in_thread(self.desk.remove_file, file)
            raise ApiError(400, text, kind="request")
        return JSONResponse(self.show(file))

    def delete(self, request: Request) -> Response:
        """Delete a file, then answer 500: the fork reads the reply as the wrong type."""
        super().delete(request)
        raise ApiError(500, "Error parsing OpenAI response: missing field `bytes`")

    def content(self, request: Request) -> Response:
        """Send a file whole, under its name."""
        file, _, result = self.find(request.path_params["id"])
        chunks = result.chunks if result else partial(read_file, self.desk.path_of(file))
        # The fork reads the whole reply before it passes it on; here it is streamed.
        return _whole(chunks(0), result.size if result else file.bytes, file.name)


class ProxyBatches(Batches):
    """The batch routes of the fork."""

    endpoints = ("/v1/chat/completions", "/v1/embeddings")

    async def create(self, request: Request) -> Response:
        """Create a batch; the fork checks the file id's prefix itself."""
        body = await json_body(request)
        input_id = body.get("input_file_id")
        if not isinstance(input_id, str) or not input_id.startswith("file-"):
            text = "input_file_id must start with 'file-'"
            raise ApiError(400, text, kind="request")
        try:
            return await super().create(request)
        except ApiError as problem:
            raise ApiError(problem.status, problem.message, kind="request") from problem

    def show(self, batch: StoredBatch, view: View | None = None) -> dict[str, Any]:
        """Build the batch object without the keys that OpenAI added later."""
        shown = super().show(batch, view)
        del shown["usage"], shown["model"]
        return shown


def bad_line(path: Path) -> str:
    """Say which line of a file is not JSON; empty when all are."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                if line.strip():
                    msgspec.json.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError) as problem:
                return f"Invalid JSON on line {number}: {problem}"
    return ""


def dialect(like: str) -> Dialect:
    """The dialect."""
    return Dialect(SHAPE, _routes, error)


def _routes(desk: Desk) -> list[Route]:
    return [*ProxyFiles(desk).routes(), *ProxyBatches(desk).routes(), *sync.routes(desk)]


def _whole(chunks: Iterator[bytes], size: int, name: str) -> Response:
    headers = {
        "content-length": str(size),
        "content-disposition": f'attachment; filename="{name}"',
    }
    return StreamingResponse(chunks, 200, headers, "application/jsonl")
