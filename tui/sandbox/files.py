"""OpenAI's file routes: upload, list, retrieve, delete, content."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .desk import Desk
from .failures import ApiError, no_file
from .openai_shape import file_object
from .paging import limit_of, list_object, page, read_file, send_bytes
from .results import ResultFile
from .state import StoredBatch, StoredFile
from .timeline import View
from .wire import in_thread, route

MOST_BYTES = 200 * 1_000_000
"""Bytes of a batch input file, OpenAI's limit."""
_DAY = 86_400


class Files:
    """The handlers of the file routes of one sandbox; other dialects override the hooks.

    Attributes:
        media: Content type of downloads.
        default_limit: Files on a page that asks for no number.
        most_limit: Files on the largest page.
        most_bytes: Size of the largest upload.
    """

    media = "application/octet-stream"
    default_limit = 10_000
    most_limit = 10_000
    most_bytes = MOST_BYTES

    def __init__(self, desk: Desk) -> None:
        """Serve the files of `desk`."""
        self.desk = desk

    def routes(self) -> list[Route]:
        """The five routes."""
        desk = self.desk
        return [
            route(desk, "POST", "/v1/files", self.upload, "upload"),
            route(desk, "GET", "/v1/files", self.list_files, "list"),
            route(desk, "GET", "/v1/files/{id}", self.retrieve, "retrieve-file"),
            route(desk, "DELETE", "/v1/files/{id}", self.delete, "delete"),
            route(desk, "GET", "/v1/files/{id}/content", self.content, "content"),
        ]

    async def upload(self, request: Request) -> Response:
        """Store a multipart upload; the body goes to disk as it comes."""
        file = await receive_upload(
            request, self.desk, f"file-{self.desk.token()}", most=self.most_bytes
        )
        return JSONResponse(self.show(file))

    def show(self, file: StoredFile) -> dict[str, Any]:
        """Build the file object."""
        return file_object(file)

    def missing(self, file_id: str) -> ApiError:
        """Refuse an unknown id."""
        return no_file(file_id)

    def envelope(self, data: list[dict[str, Any]], more: bool) -> dict[str, Any]:
        """Build the list object."""
        return list_object(data, more)

    def result_ids(self, batch: StoredBatch) -> list[str]:
        """The ids of the result files that a batch has now."""
        return list(result_ids(batch, self.desk.view(batch)))

    def list_files(self, request: Request) -> Response:
        """List uploads and the result files of ended batches."""
        order = request.query_params.get("order", "desc")
        if order not in ("asc", "desc"):
            text = f"Invalid value: '{order}'. Supported values are: 'asc' and 'desc'."
            raise ApiError(400, text, param="order", code="invalid_value")
        purpose = request.query_params.get("purpose")
        found = [file for file in self.all() if purpose in (None, file.purpose)]
        if order == "desc":
            found.reverse()
        limit = limit_of(request, self.default_limit, self.most_limit)
        after = request.query_params.get("after")
        items, more = page(found, lambda file: file.id, after, limit, self.missing)
        return JSONResponse(self.envelope([self.show(file) for file in items], more))

    def all(self) -> list[StoredFile]:
        """All files there are now, oldest first."""
        state, like = self.desk.state, self.desk.options.like
        found = state.files(like)
        for batch in state.batches(like):
            for file_id in self.result_ids(batch):
                found.append(self._result(batch, file_id)[0])
        return sorted(found, key=lambda file: file.created)

    def retrieve(self, request: Request) -> Response:
        """Describe one file."""
        return JSONResponse(self.show(self.find(request.path_params["id"])[0]))

    def delete(self, request: Request) -> Response:
        """Delete one file."""
        file_id = request.path_params["id"]
        file, batch, _ = self.find(file_id)
        if batch is None:
            self.desk.remove_file(file)
        else:
            gone = "out_gone" if batch.out_id == file_id else "err_gone"
            self.desk.state.change(batch, **{gone: 1})
        return JSONResponse({"id": file_id, "object": "file", "deleted": True})

    def content(self, request: Request) -> Response:
        """Send the bytes of one file."""
        file, _, result = self.find(request.path_params["id"])
        if result is not None:
            return send_bytes(request, result.size, result.chunks, self.media)
        source = partial(read_file, self.desk.path_of(file))
        return send_bytes(request, file.bytes, source, self.media)

    def find(self, file_id: str) -> tuple[StoredFile, StoredBatch | None, ResultFile | None]:
        """Find an upload, or a result file with its batch.

        Raises:
            ApiError: There is no such file (404).
        """
        state, like = self.desk.state, self.desk.options.like
        file = state.file(file_id)
        if file is not None and file.like == like:
            return file, None, None
        batch = state.batch_of_file(file_id)
        if batch is None or batch.like != like or file_id not in self.result_ids(batch):
            raise self.missing(file_id)
        made, result = self._result(batch, file_id)
        return made, batch, result

    def _result(self, batch: StoredBatch, file_id: str) -> tuple[StoredFile, ResultFile]:
        view = self.desk.view(batch)
        errors = file_id == batch.err_id
        result = self.desk.results(batch, view, errors=errors)
        if result is None:
            raise self.missing(file_id)
        ended = max(view.moments.values(), default=batch.created)
        made = StoredFile(
            id=file_id,
            like=batch.like,
            name=f"{batch.id}_{'error' if errors else 'output'}.jsonl",
            purpose="batch_output",
            bytes=result.size,
            created=ended,
            expires=ended + 30 * _DAY,
        )
        return made, result


def result_ids(batch: StoredBatch, view: View, *, together: bool = False) -> Iterator[str]:
    """The ids of the result files of an ended batch; empty files have none.

    Args:
        batch: The batch.
        view: Where it is.
        together: Failed rows are in the output file too.
    """
    if not view.ended:
        return
    failed = view.failed + (view.unrun if view.status == "expired" else 0)
    if (view.done if together else view.succeeded) and not batch.out_gone:
        yield batch.out_id
    if failed and not together and not batch.err_gone:
        yield batch.err_id


async def receive_upload(
    request: Request, desk: Desk, file_id: str, *, most: int = MOST_BYTES,
    purposes: tuple[str, ...] = ("batch",), default: str = "",
) -> StoredFile:  # fmt: skip
    """Read a multipart upload and store its file.

    Args:
        request: The request; its parts are spooled to disk.
        desk: Where to store it.
        file_id: The id that it gets.
        most: Bytes that are taken; more is 413.
        purposes: The purposes that are taken.
        default: The purpose of an upload that names none; empty refuses it.

    Raises:
        ApiError: A part is missing or wrong (400), or the file is too large (413).
    """
    try:
        form = await request.form(max_files=1, max_fields=20)
    except HTTPException as problem:
        raise ApiError(400, f"Could not read the form: {problem.detail}") from problem
    async with _Closing(form):
        upload = form.get("file")
        if not isinstance(upload, UploadFile):
            text = "Missing required parameter: 'file'."
            raise ApiError(400, text, param="file", code="missing_required_parameter")
        purpose = form.get("purpose") or default
        if purpose not in purposes:
            choices = ", ".join(f"'{name}'" for name in purposes)
            text = f"'{purpose}' is not one of [{choices}] - 'purpose'"
            raise ApiError(400, text, param="purpose", code="invalid_value")
        if (upload.size or 0) > most:
            text = f"The file is larger than {most // 1_000_000} MB."
            raise ApiError(413, text, param="file", code="file_too_large")
        life = _life(form)
        keep = partial(
            desk.keep,
            upload.file,
            file_id=file_id,
            name=upload.filename or "upload",
            purpose=str(purpose),
            life=life,
        )
        stored: StoredFile = await in_thread(keep)
        return stored


class _Closing:
    def __init__(self, form: Any) -> None:
        self._form = form

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(self, *_: object) -> None:
        await self._form.close()


def _life(form: Any) -> float:
    text = str(form.get("expires_after[seconds]") or form.get("expires_after.seconds") or "")
    if not text:
        return 30.0 * _DAY
    if not text.isdigit() or not 3600 <= int(text) <= 30 * _DAY:
        message = "Invalid 'expires_after.seconds': expected between 3600 and 2592000."
        raise ApiError(400, message, param="expires_after.seconds", code="invalid_value")
    return float(text)
