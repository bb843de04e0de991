"""The routes of files and batches in OpenAI's format; a façade overrides what differs."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import msgspec
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tui.sandbox.app import in_thread, json_body, route
from tui.sandbox.backend import DAY, Backend, Endpoints
from tui.sandbox.bodies import OPENAI
from tui.sandbox.clouds.signed_addresses import other_origin
from tui.sandbox.errors import ApiError
from tui.sandbox.json_stream import InlineParser, parse_inline
from tui.sandbox.results import Item, ResultFile, limit_of, list_object, page, read_file, send_bytes
from tui.sandbox.state import BatchView, StoredBatch, StoredFile

_MAX_PAIRS, _MAX_KEY, _MAX_VALUE = 16, 64, 512
_MOMENTS = (
    "in_progress_at",
    "expires_at",
    "finalizing_at",
    "completed_at",
    "failed_at",
    "expired_at",
    "cancelling_at",
    "cancelled_at",
)


class _Resource(Endpoints):
    """The files or the batches of a provider, and how they are listed.

    Attributes:
        default_limit: Items per page without `limit`.
        max_limit: The largest `limit`.
        cursor: The query parameter with the id of the last item of the page before.
    """

    default_limit = 20
    max_limit = 100
    cursor = "after"

    @abstractmethod
    def missing(self, item_id: str) -> ApiError:
        """The error for an unknown id."""

    def limit(self, request: Request) -> int:
        """Read the number of items of a page."""
        return limit_of(request, self.default_limit, self.max_limit)

    def list_response(self, data: list[dict[str, Any]], more: bool) -> dict[str, Any]:
        """Build the list object."""
        return list_object(data, more)

    def page(
        self, request: Request, items: list[Item], show: Callable[[Item], dict[str, Any]]
    ) -> Response:
        """Send the page of a list that the request asks for."""
        limit = self.limit(request)
        found, more = page(items, request.query_params.get(self.cursor), limit, self.missing)
        return JSONResponse(self.list_response([show(item) for item in found], more))


class Batches(_Resource):
    """The batch routes of a sandbox.

    Attributes:
        path: The path of the routes.
        endpoints: The supported endpoints.
        windows: The supported completion windows, in seconds.
        created: The HTTP status of a create call.
    """

    path = "/v1/batches"
    endpoints: tuple[str, ...] = OPENAI
    windows: ClassVar[dict[str, float]] = {"24h": DAY}
    created = 200

    def routes(self) -> list[Route]:
        """The four routes."""
        backend = self.backend
        return [
            route(backend, "POST", self.path, self.create, "create"),
            route(backend, "GET", self.path, self.list_batches, "list"),
            route(backend, "GET", self.path + "/{id}", self.retrieve, "retrieve"),
            route(backend, "POST", self.path + "/{id}/cancel", self.cancel, "cancel"),
        ]

    async def create(self, request: Request) -> Response:
        """Create a batch from an uploaded file."""
        made = await in_thread(self.make, await json_body(request))
        return JSONResponse(made, self.created)

    def make(self, body: dict[str, Any]) -> dict[str, Any]:
        """Create the batch of a create body and build its object; blocking."""
        endpoint = required_choice(body, "endpoint", self.endpoints)
        window = required_choice(body, "completion_window", tuple(self.windows))
        metadata = check_metadata(body.get("metadata"))
        input_id = body.get("input_file_id")
        if not isinstance(input_id, str) or not input_id:
            raise missing_parameter("input_file_id")
        batch = self.backend.create(
            self.backend.upload(input_id, self.missing_file(input_id)),
            endpoint=endpoint,
            window=window,
            seconds=self.windows[window],
            metadata=metadata,
            extra=self.extra(body),
        )
        return self.show_created(batch)

    def extra(self, body: dict[str, Any]) -> dict[str, Any]:
        """What else of a create body is kept with the batch."""
        return {}

    def missing(self, item_id: str) -> ApiError:
        """The error for an unknown batch id."""
        return ApiError(404, f"No batch found with id '{item_id}'.")

    def missing_file(self, file_id: str) -> ApiError:
        """The error for a create from an unknown file."""
        text = f"Invalid 'input_file_id': no file with id '{file_id}' exists."
        return ApiError(400, text, param="input_file_id", code="invalid_file_id")

    def list_batches(self, request: Request) -> Response:
        """List the batches that `select` keeps, newest first."""
        show = self.show_created if self.backend.options.stale_list else self.show
        return self.page(request, self.select(request, self.backend.batches()), show)

    def select(self, request: Request, batches: list[StoredBatch]) -> list[StoredBatch]:
        """Apply the filters of a list call."""
        return batches

    def retrieve(self, request: Request) -> Response:
        """Return one batch."""
        return JSONResponse(self.show(self.visible(request)))

    def cancel(self, request: Request) -> Response:
        """Cancel a batch that has not ended."""
        batch = self.find(request)
        view = self.backend.view(batch)
        if view.ended:
            raise self.too_late(view)
        self.backend.state.record_cancel(batch, self.backend.now())
        return JSONResponse(self.show_cancelled(batch, self.backend.view(batch)))

    def too_late(self, view: BatchView) -> ApiError:
        """The error for the cancel of a batch that has ended."""
        return ApiError(409, f"Cannot cancel a batch with status '{view.status}'.")

    def delete(self, request: Request) -> Response:
        """Delete a batch with its data, for providers with such a route."""
        batch = self.find(request)
        self.backend.remove_batch(batch)
        return JSONResponse({"id": batch.id, "object": "batch", "deleted": True})

    def find(self, request: Request) -> StoredBatch:
        """Find the batch of a request, or raise 404."""
        batch_id = request.path_params["id"]
        return self.backend.batch(batch_id, self.missing(batch_id))

    def visible(self, request: Request) -> StoredBatch:
        """Find the batch of a retrieve; the quirk `404-after-create` hides it at first."""
        batch = self.find(request)
        if self.backend.is_hidden(batch):
            raise self.missing(batch.id)
        return batch

    def show(self, batch: StoredBatch) -> dict[str, Any]:
        """Build the batch object as it is now, with the faults of the options."""
        view = self.backend.view(batch)
        shown = self.batch_object(batch, view)
        options = self.backend.options
        if view.ended and options.unknown_word:
            shown["status"] = options.unknown_word
        ended = max(view.moments.values(), default=batch.created)
        if view.ended and self.backend.now() < ended + options.late_file:
            shown |= {name: None for name in ("output_file_id", "error_file_id") if name in shown}
        return shown

    def show_created(self, batch: StoredBatch) -> dict[str, Any]:
        """Build the batch object of a create response."""
        return self.batch_object(batch, self.backend.view(batch, fresh=True))

    def show_cancelled(self, batch: StoredBatch, view: BatchView) -> dict[str, Any]:
        """Build the batch object of the response to a cancel: `cancelling`, even at rate 0."""
        moments = {name: when for name, when in view.moments.items() if name != "cancelled_at"}
        shown = replace(view, status="cancelling", not_run=0, moments=moments)
        return self.batch_object(batch, shown)

    def batch_object(self, batch: StoredBatch, view: BatchView) -> dict[str, Any]:
        """Build the batch object of a view; unset keys are null."""
        moments = {**view.moments, "expires_at": batch.created + batch.seconds}
        failed = view.status == "failed"
        usage = None
        if view.ended and not failed:
            spent, made = self.backend.tokens(batch, view)
            usage = {
                "input_tokens": spent,
                "input_tokens_details": {"cached_tokens": 0},
                "output_tokens": made,
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": spent + made,
            }
        return {
            "id": batch.id,
            "object": "batch",
            "endpoint": batch.endpoint,
            "model": batch.extra.get("model"),
            "errors": {"object": "list", "data": batch.problems} if failed else None,
            "input_file_id": batch.input_id,
            "completion_window": batch.window,
            "status": view.status,
            "output_file_id": batch.out_id if view.ended and view.succeeded else None,
            "error_file_id": batch.err_id if view.ended and view.unsuccessful else None,
            "created_at": int(batch.created),
            **{name: int(moments[name]) if name in moments else None for name in _MOMENTS},
            "request_counts": {
                "total": view.total,
                "completed": view.succeeded,
                "failed": view.unsuccessful,
            },
            "usage": usage,
            "metadata": batch.metadata,
        }


async def create_inline(
    request: Request,
    backend: Backend,
    accept: Callable[[int, Any], None],
    make: Callable[[Path, InlineParser], Any],
    max_bytes: int = 0,
) -> Any:
    """Create a batch from the rows in a streamed create body.

    Args:
        request: The create call.
        backend: The backend that stores the rows.
        accept: Checks each row and may raise.
        make: Creates the batch from the file of rows and the rest of the body; blocking.
        max_bytes: The largest body in bytes; 0 means no limit.

    Returns:
        What `make` returns.
    """
    draft = backend.draft()
    try:
        parser = await parse_inline(request.stream(), draft, accept, max_bytes)
        return await in_thread(make, draft, parser)
    finally:
        draft.unlink(missing_ok=True)


def missing_parameter(name: str) -> ApiError:
    """The error for a parameter that is required."""
    text = f"Missing required parameter: '{name}'."
    return ApiError(400, text, param=name, code="missing_required_parameter")


def required_choice(body: dict[str, Any], name: str, choices: tuple[str, ...]) -> str:
    """Read a parameter that must be one of `choices`, or raise 400."""
    value = body.get(name)
    if value is None:
        raise missing_parameter(name)
    if value not in choices:
        shown = ", ".join(f"'{item}'" for item in choices)
        text = f"Invalid value: '{value}'. Supported values are: {shown}."
        raise ApiError(400, text, param=name, code="invalid_value")
    return str(value)


def check_metadata(metadata: Any) -> Any:
    """Check OpenAI's limits: 16 pairs, keys of 64 and values of 512 characters; 400 beyond."""
    if metadata is None:
        return None
    if not isinstance(metadata, dict):
        text = "Invalid type for 'metadata': expected an object."
        raise ApiError(400, text, param="metadata", code="invalid_type")
    if len(metadata) > _MAX_PAIRS:
        text = (
            f"Invalid 'metadata': too many properties. Expected an object with at most "
            f"{_MAX_PAIRS} properties, but got an object with {len(metadata)} properties instead."
        )
        raise ApiError(400, text, param="metadata", code="object_above_max_properties")
    for key, value in metadata.items():
        if not isinstance(value, str):
            text = f"Invalid type for 'metadata.{key}': expected a string."
            raise ApiError(400, text, param=f"metadata.{key}", code="invalid_type")
        for size, maximum in ((len(key), _MAX_KEY), (len(value), _MAX_VALUE)):
            if size > maximum:
                text = (
                    f"Invalid 'metadata.{key}': string too long. Expected a string with maximum "
                    f"length {maximum}, but got a string with length {size} instead."
                )
                raise ApiError(400, text, param=f"metadata.{key}", code="string_above_max_length")
    return metadata


class Files(_Resource):
    """The file routes of a sandbox.

    Attributes:
        upload_path: The path of the upload.
        created: The HTTP status of an upload.
        max_bytes: The largest upload in bytes.
        purposes: The accepted purposes of an upload.
        default_purpose: The purpose of an upload without one; if empty, it is required.
        media: Content type of downloads.
    """

    upload_path = "/v1/files"
    created = 200
    max_bytes = 200_000_000
    purposes: tuple[str, ...] = ("batch",)
    default_purpose = ""
    media = "application/octet-stream"
    default_limit = 10_000
    max_limit = 10_000

    def routes(self) -> list[Route]:
        """The five routes."""
        backend = self.backend
        return [
            route(backend, "POST", self.upload_path, self.upload, "upload"),
            route(backend, "GET", "/v1/files", self.list_files, "list"),
            route(backend, "GET", "/v1/files/{id}", self.retrieve, "retrieve-file"),
            route(backend, "DELETE", "/v1/files/{id}", self.delete, "delete"),
            route(backend, "GET", "/v1/files/{id}/content", self.redirect_or_content, "content"),
            route(backend, "GET", "/storage/{id}", self.signed_content, "storage"),
        ]

    def redirect_or_content(self, request: Request) -> Response:
        """Send the content of one file, or where it is with `signed_results`."""
        if not self.backend.options.signed_results:
            return self.content(request)
        file_id = request.path_params["id"]
        self.find(file_id)
        query = f"signature={self._signature(file_id)}"
        target = other_origin(request, f"/storage/{file_id}", query)
        return Response(status_code=307, headers={"Location": target})

    def signed_content(self, request: Request) -> Response:
        """Send the content of one file by its signed address, as an object store does."""
        names = ("authorization", "api-key", "x-api-key")
        if any(name in request.headers for name in names):
            raise ApiError(400, "Only one authentication mechanism is allowed.")
        if request.query_params.get("signature") != self._signature(request.path_params["id"]):
            raise ApiError(403, "The signature does not match.")
        return self.content(request)

    def _signature(self, file_id: str) -> str:
        return hashlib.sha256(f"{file_id} {self.backend.options.seed}".encode()).hexdigest()[:32]

    async def upload(self, request: Request) -> Response:
        """Store an upload, unless `rejection` finds something wrong with it."""
        file = await self.receive(request)
        problem = await in_thread(self.rejection, file)
        if problem is not None:
            await in_thread(self.backend.remove_file, file)
            raise problem
        return JSONResponse(self.show(file), self.created)

    def new_id(self) -> str:
        """Generate the id of an upload."""
        return f"file-{self.backend.token()}"

    def rejection(self, file: StoredFile) -> ApiError | None:
        """The error for an upload whose content is not accepted; blocking."""
        return None

    async def receive(self, request: Request) -> StoredFile:
        """Read a multipart upload, which is spooled to disk, and store its file.

        Raises:
            ApiError: A part is missing or wrong (400), or the file is too large (413).
        """
        file_id = self.new_id()
        try:
            form = await request.form(max_files=1, max_fields=20)
        except HTTPException as problem:
            raise ApiError(400, f"Could not read the form: {problem.detail}") from problem
        try:
            upload = form.get("file")
            if not isinstance(upload, UploadFile):
                raise missing_parameter("file")
            purpose = form.get("purpose") or self.default_purpose
            if purpose not in self.purposes:
                choices = ", ".join(f"'{name}'" for name in self.purposes)
                text = f"'{purpose}' is not one of [{choices}] - 'purpose'"
                raise ApiError(400, text, param="purpose", code="invalid_value")
            if (upload.size or 0) > self.max_bytes:
                text = f"The file is larger than {self.max_bytes // 1_000_000} MB."
                raise ApiError(413, text, param="file", code="file_too_large")
            keep = partial(
                self.backend.keep,
                upload.file,
                file_id=file_id,
                name=upload.filename or "upload",
                purpose=str(purpose),
                life=self.lifetime(form),
            )
            stored: StoredFile = await in_thread(keep)
            return stored
        finally:
            await form.close()

    def lifetime(self, form: FormData) -> float:
        """Read how long an upload is kept, in seconds."""
        text = str(form.get("expires_after[seconds]") or form.get("expires_after.seconds") or "")
        if not text:
            return 30 * DAY
        if not text.isdigit() or not 3600 <= int(text) <= 30 * DAY:
            message = "Invalid 'expires_after.seconds': expected between 3600 and 2592000."
            raise ApiError(400, message, param="expires_after.seconds", code="invalid_value")
        return float(text)

    def show(self, file: StoredFile) -> dict[str, Any]:
        """Build the file object."""
        return {
            "id": file.id,
            "object": "file",
            "bytes": file.bytes,
            "created_at": int(file.created),
            "expires_at": None if file.expires is None else int(file.expires),
            "filename": file.name,
            "purpose": file.purpose,
            "status": "processed",
            "status_details": None,
        }

    def missing(self, item_id: str) -> ApiError:
        """The error for an unknown id."""
        return ApiError(404, f"No such File object: {item_id}", param="id")

    def result_ids(self, batch: StoredBatch) -> list[str]:
        """The ids of a batch's current result files; empty files have none."""
        view = self.backend.view(batch)
        good, bad = view.succeeded and not batch.out_gone, view.unsuccessful and not batch.err_gone
        return [batch.out_id] * bool(view.ended and good) + [batch.err_id] * bool(
            view.ended and bad
        )

    def list_files(self, request: Request) -> Response:
        """List uploads and the result files of ended batches."""
        order = request.query_params.get("order", "desc")
        if order not in ("asc", "desc"):
            text = f"Invalid value: '{order}'. Supported values are: 'asc' and 'desc'."
            raise ApiError(400, text, param="order", code="invalid_value")
        found = self.all(request.query_params.get("purpose"))
        return self.page(request, found[::-1] if order == "desc" else found, self.show)

    def all(self, purpose: str | None) -> list[StoredFile]:
        """All current files of a purpose, or of any, oldest first."""
        found = self.backend.state.files(self.backend.options.like)
        for batch in self.backend.batches():
            found += [self._result(batch, file_id)[0] for file_id in self.result_ids(batch)]
        found.sort(key=lambda file: file.created)
        return [file for file in found if purpose in (None, file.purpose)]

    def retrieve(self, request: Request) -> Response:
        """Return one file."""
        return JSONResponse(self.show(self.find(request.path_params["id"])[0]))

    def delete(self, request: Request) -> Response:
        """Delete one file."""
        file_id = request.path_params["id"]
        file, batch, _ = self.find(file_id)
        if batch is None:
            self.backend.remove_file(file)
        else:
            gone = "out_gone" if batch.out_id == file_id else "err_gone"
            self.backend.state.change(batch, **{gone: 1})
        return JSONResponse({"id": file_id, "object": "file", "deleted": True})

    def content(self, request: Request) -> Response:
        """Send the content of one file."""
        file, _, result = self.find(request.path_params["id"])
        source = result.chunks if result else partial(read_file, self.backend.file_path(file))
        return send_bytes(request, file.bytes, source, self.media)

    def find(self, file_id: str) -> tuple[StoredFile, StoredBatch | None, ResultFile | None]:
        """Find an upload, or a result file with its batch.

        Raises:
            ApiError: There is no such file (404).
        """
        state, like = self.backend.state, self.backend.options.like
        file = state.file(file_id)
        if file is not None and file.like == like:
            return file, None, None
        batch = state.batch_of_file(file_id)
        if batch is None or batch.like != like or file_id not in self.result_ids(batch):
            raise self.missing(file_id)
        made, result = self._result(batch, file_id)
        return made, batch, result

    def _result(self, batch: StoredBatch, file_id: str) -> tuple[StoredFile, ResultFile]:
        view = self.backend.view(batch)
        errors = file_id == batch.err_id
        result = self.backend.results(batch, view, errors=errors)
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
            expires=ended + batch.extra.get("output_life", 30 * DAY),
        )
        return made, result


def first_invalid_line(path: Path) -> str:
    """Describe the first line that is not JSON; empty if there is none."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                if line.strip():
                    msgspec.json.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError) as problem:
                return f"Invalid JSON on line {number}: {problem}"
    return ""
