"""TensorZero as served by BudEcosystem's fork: a thin proxy in front of OpenAI.

Upstream TensorZero has no such API. The fork turns most upstream errors into a 500, requires a
`.jsonl` file name, cannot list files, and returns 500 for a delete that worked.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tui.sandbox.backend import Dialect
from tui.sandbox.errors import ApiError
from tui.sandbox.providers.base import Batches, Files, first_invalid_line
from tui.sandbox.providers.openai import ROW_FORMAT
from tui.sandbox.results import read_file
from tui.sandbox.state import BatchView, StoredBatch, StoredFile
from tui.sandbox.sync import SyncEndpoints

_PASSED_ON = (400, 401, 403, 429)


def error(failure: ApiError) -> Response:
    """Build an error response in one of the fork's three formats.

    Rejected keys have an integer code; rejected uploads and creates (kind `request`) have
    OpenAI's object with a null code; all others are `{"error": "text"}`, with status 500 unless
    the status is passed on.
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
    max_bytes = 100_000_000
    default_purpose = "batch"

    def routes(self) -> list[Route]:
        """OpenAI's routes without the list."""
        return [route for route in super().routes() if route.name != "list"]

    async def receive(self, request: Request) -> StoredFile:
        """Store an upload; what is wrong with it is the fork's own error."""
        try:
            return await super().receive(request)
        except ApiError as problem:
            raise ApiError(400, problem.message, kind="request") from problem

    def rejection(self, file: StoredFile) -> ApiError | None:
        """Require a name that ends in `.jsonl` and lines that are JSON."""
        text = "" if file.name.endswith(".jsonl") else "The file name must end with .jsonl"
        text = text or first_invalid_line(self.backend.file_path(file))
        return ApiError(400, text, kind="request") if text else None

    def delete(self, request: Request) -> Response:
        """Delete a file, then return 500: the fork parses OpenAI's response as the wrong type."""
        super().delete(request)
        raise ApiError(500, "Error parsing OpenAI response: missing field `bytes`")

    def content(self, request: Request) -> Response:
        """Send a whole file with its name."""
        file, _, result = self.find(request.path_params["id"])
        chunks = result.chunks if result else partial(read_file, self.backend.file_path(file))
        headers = {
            "content-length": str(file.bytes),
            "content-disposition": f'attachment; filename="{file.name}"',
        }
        # The fork buffers the whole response; here it is streamed.
        return StreamingResponse(chunks(0), 200, headers, self.media)


class ProxyBatches(Batches):
    """The batch routes of the fork."""

    endpoints = ("/v1/chat/completions", "/v1/embeddings")

    def make(self, body: dict[str, Any]) -> dict[str, Any]:
        """Create a batch; the fork itself checks the prefix of the file id."""
        if not str(body.get("input_file_id")).startswith("file-"):
            text = "input_file_id must start with 'file-'"
            raise ApiError(400, text, kind="request")
        try:
            return super().make(body)
        except ApiError as problem:
            raise ApiError(problem.status, problem.message, kind="request") from problem

    def batch_object(self, batch: StoredBatch, view: BatchView) -> dict[str, Any]:
        """Build the batch object without the keys that OpenAI added later."""
        shown = super().batch_object(batch, view)
        del shown["usage"], shown["model"]
        return shown


DIALECT = Dialect(ROW_FORMAT, (ProxyFiles, ProxyBatches, SyncEndpoints), error)
"""The fork."""
