"""Gemini's files: resumable uploads, whose bytes need no key, and downloads of results only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tui.sandbox.app import in_thread, json_body, route
from tui.sandbox.backend import DAY, Backend, Endpoints
from tui.sandbox.errors import ApiError
from tui.sandbox.results import Item, number_of, send_bytes
from tui.sandbox.state import StoredFile

_LIFE = 2 * DAY
_RESULTS_LIFE = 42 * DAY
_MAX_BYTES = 2 << 30
_CHUNK = 256 << 10
"""Every part of an upload but the last is a multiple of so many bytes."""
_MAX_ID = 40
VERSION = "/{version}"
"""The part of a path that holds the version of the API, such as `v1beta` or `v1`."""


def iso_nanoseconds(when: float) -> str:
    """A Unix time as Google writes it: RFC 3339 with nine digits after the point."""
    moment = datetime.fromtimestamp(when, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06d}789Z"


def token_page(
    request: Request,
    name: str,
    items: Sequence[Item],
    show: Callable[[Item], dict[str, Any]],
    *,
    default: int,
) -> Response:
    """Send a page of a list: the items under `name`, and the token of the next page if any."""
    size = min(number_of(request, "pageSize", default) or default, 100)
    start = number_of(request, "pageToken") if request.query_params.get("pageToken") else 0
    page: dict[str, Any] = {name: [show(item) for item in items[start : start + size]]}
    if start + size < len(items):
        page["nextPageToken"] = str(start + size)
    return JSONResponse(page)


@dataclass(slots=True)
class _Upload:
    """An upload that has begun; `received` bytes of it are in `path`."""

    path: Path
    name: str
    mime: str
    received: int = 0
    busy: bool = False


class GeminiFiles(Endpoints):
    """The file routes."""

    def __init__(self, backend: Backend) -> None:
        """Serve what `backend` stores."""
        super().__init__(backend)
        self._uploads: dict[str, _Upload] = {}

    def routes(self) -> list[Route]:
        """The upload, the routes of files, and the two addresses of a download."""
        backend, one = self.backend, f"{VERSION}/files/{{id}}"
        return [
            route(backend, "POST", f"/upload{VERSION}/files", self.upload, "upload"),
            route(backend, "GET", f"{VERSION}/files", self.list_files, "list-files"),
            route(backend, "GET", f"{one}:download", self.download, "content"),
            route(backend, "GET", f"/download{one}:download", self.download, "content"),
            route(backend, "GET", one, self.retrieve, "retrieve-file"),
            route(backend, "DELETE", one, self.delete, "delete"),
        ]

    async def upload(self, request: Request) -> Response:
        """Begin an upload, take a part of it, or tell how much of it has arrived."""
        token = request.query_params.get("upload_id")
        if token is None:
            return await self._start(request)
        upload = self._uploads.get(token)
        if upload is None:
            raise ApiError(404, "The upload does not exist.")
        commands = [
            word.strip() for word in request.headers.get("x-goog-upload-command", "").split(",")
        ]
        if commands == ["query"]:
            return Response(headers=_state(upload, "active"))
        if not set(commands) <= {"upload", "finalize"}:
            raise ApiError(400, f"Unknown upload command: {', '.join(commands)}")
        if "upload" in commands:
            await self._receive(request, upload, last="finalize" in commands)
        if "finalize" not in commands:
            return Response(headers=_state(upload, "active"))
        file = await in_thread(self._finish, token, upload)
        return JSONResponse({"file": self.show(file)}, headers=_state(upload, "final"))

    async def _start(self, request: Request) -> Response:
        headers = request.headers
        if headers.get("x-goog-upload-protocol") != "resumable":
            raise ApiError(400, "X-Goog-Upload-Protocol must be resumable")
        if headers.get("x-goog-upload-command") != "start":
            raise ApiError(400, "X-Goog-Upload-Command must be start")
        size = headers.get("x-goog-upload-header-content-length", "0")
        if size.isdigit() and int(size) > _MAX_BYTES:
            raise ApiError(400, "The file is larger than 2147483648 bytes.")
        named = (await json_body(request)).get("file")
        named = named if isinstance(named, dict) else {}
        token = self.backend.token()
        self._uploads[token] = _Upload(
            path=await in_thread(self.backend.draft),
            name=str(named.get("displayName", named.get("display_name", ""))),
            mime=headers.get("x-goog-upload-header-content-type", "application/octet-stream"),
        )
        query = f"upload_id={token}&upload_protocol=resumable"
        url = request.url.replace(query=query)
        head = {"x-goog-upload-url": str(url), "x-goog-upload-status": "active"}
        return Response(headers={**head, "x-goog-upload-chunk-granularity": str(_CHUNK)})

    async def _receive(self, request: Request, upload: _Upload, *, last: bool) -> None:
        """Append a part; what arrives before a cut connection is kept.

        Raises:
            ApiError: The part does not begin where the upload ends, or has a wrong length (400).
        """
        offset = request.headers.get("x-goog-upload-offset", "")
        if offset != str(upload.received):
            text = f"The upload has {upload.received} bytes, and this part begins at {offset}."
            raise ApiError(400, text, headers=_state(upload, "active"))
        begin = upload.received
        with upload.path.open("ab") as file:
            try:
                async for piece in request.stream():
                    file.write(piece)
                    upload.received += len(piece)
            except ClientDisconnect:
                # Google keeps whole chunks of what has arrived.
                upload.received -= (upload.received - begin) % _CHUNK
                file.truncate(upload.received)
                raise
        if not last and (upload.received - begin) % _CHUNK:
            raise ApiError(400, f"A part must be a multiple of {_CHUNK} bytes.")

    def _finish(self, token: str, upload: _Upload) -> StoredFile:
        with upload.path.open("rb") as source:
            file = self.backend.keep(
                source,
                file_id=self.backend.token()[:12],
                name=upload.name,
                purpose=upload.mime,
                life=_LIFE,
            )
        upload.path.unlink(missing_ok=True)
        del self._uploads[token]
        return file

    def show(self, file: StoredFile) -> dict[str, Any]:
        """Build the file object."""
        return {
            "name": f"files/{file.id}",
            "displayName": file.name,
            "mimeType": file.purpose,
            "sizeBytes": str(file.bytes),
            "createTime": iso_nanoseconds(file.created),
            "updateTime": iso_nanoseconds(file.created),
            "expirationTime": iso_nanoseconds(file.expires or file.created),
            "uri": f"https://generativelanguage.googleapis.com/v1beta/files/{file.id}",
            "state": "ACTIVE",
            "source": "UPLOADED",
        }

    def list_files(self, request: Request) -> Response:
        """List a page of uploads, newest first."""
        found = self.backend.state.files(self.backend.options.like)[::-1]
        return token_page(request, "files", found, self.show, default=10)

    def retrieve(self, request: Request) -> Response:
        """Return one upload."""
        return JSONResponse(self.show(self._find(request)))

    def delete(self, request: Request) -> Response:
        """Delete one upload."""
        self.backend.remove_file(self._find(request))
        return JSONResponse({})

    def download(self, request: Request) -> Response:
        """Send a file of results; an upload cannot be read back."""
        file_id = request.path_params["id"]
        if request.query_params.get("alt") != "media":
            raise ApiError(400, "alt=media is required")
        backend = self.backend
        if backend.state.file(file_id) is not None:
            raise ApiError(400, f"The file files/{file_id} was uploaded and cannot be downloaded.")
        batch = backend.state.batch_of_file(file_id)
        view = backend.view(batch) if batch is not None else None
        if batch is None or view is None or view.status != "completed":
            raise _missing(file_id)
        result = backend.results(batch, view, errors=False)
        if result is None or backend.now() > (view.ended_at or 0.0) + _RESULTS_LIFE:
            raise _missing(file_id)
        return send_bytes(request, result.size, partial(result.chunks), "application/jsonl")

    def _find(self, request: Request) -> StoredFile:
        file_id = request.path_params["id"]
        if len(file_id) > _MAX_ID:
            text = f"The file name cannot be more than {_MAX_ID} characters: files/{file_id}"
            raise ApiError(400, text)
        file = self.backend.upload(file_id, _missing(file_id))
        if file.expires is not None and file.expires < self.backend.now():
            raise _missing(file_id)
        return file


def _state(upload: _Upload, status: str) -> dict[str, str]:
    received = str(upload.received)
    return {"x-goog-upload-status": status, "x-goog-upload-size-received": received}


def _missing(file_id: str) -> ApiError:
    text = f"You do not have permission to access the File {file_id} or it may not exist."
    return ApiError(403, text)
