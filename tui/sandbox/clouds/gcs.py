"""Google Cloud Storage for the buckets that the sandbox keeps itself: its JSON API.

Objects are put there by one call or by a resumable upload, fetched, listed and deleted. An upload
that breaks off keeps the bytes that have arrived; it is forgotten when the sandbox ends.

Sources: discovery document `storage.v1`; cloud.google.com/storage/docs, "Resumable uploads".
"""

from __future__ import annotations

import base64
import re
import secrets
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tui.sandbox.app import in_thread, route
from tui.sandbox.backend import Backend, Endpoints
from tui.sandbox.clouds.stored_objects import StoredObject
from tui.sandbox.errors import ApiError, no_key
from tui.sandbox.results import iso_time, number_of, read_file, send_bytes

_BUCKET = "/storage/v1/b/{bucket}"
_OCTETS = "application/octet-stream"
_PAGE = 1000
_SPAN = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")


@dataclass
class _Upload:
    """A resumable upload; `draft` has the bytes that have arrived."""

    bucket: str
    key: str
    draft: Path


class GcsObjects(Endpoints):
    """The routes of buckets and objects, unless the buckets are elsewhere."""

    def __init__(self, backend: Backend) -> None:
        """Serve the buckets of `backend`."""
        super().__init__(backend)
        self._buckets = backend.buckets
        self._uploads: dict[str, _Upload] = {}

    def routes(self) -> list[Route]:
        """The routes of buckets and objects; none if the buckets are elsewhere."""
        if self._buckets is None:
            return []
        backend, one = self.backend, f"{_BUCKET}/o/{{key:path}}"
        return [
            route(backend, "POST", f"/upload{_BUCKET}/o", self.insert, "put"),
            route(backend, "PUT", f"/upload{_BUCKET}/o", self.resume, "put"),
            route(backend, "GET", _BUCKET, self.describe, "bucket"),
            route(backend, "GET", f"{_BUCKET}/o", self.list_objects, "list objects"),
            route(backend, "GET", one, self.get, "content"),
            route(backend, "DELETE", one, self.delete, "delete"),
        ]

    async def insert(self, request: Request) -> Response:
        """Store an object, or begin a resumable upload."""
        self._check_key(request)
        asked = request.query_params
        bucket, key = request.path_params["bucket"], asked.get("name", "")
        kind = asked.get("uploadType")
        if not key or kind not in ("media", "resumable"):
            raise ApiError(400, "Required: name, and an uploadType of media or resumable")
        assert self._buckets is not None
        draft = self._buckets.draft()
        if kind == "media":
            await _append(request, draft)
            return JSONResponse(await self._keep(bucket, key, draft))
        draft.touch(mode=0o600)
        token = secrets.token_hex(16)
        self._uploads[token] = _Upload(bucket, key, draft)
        url = request.url.replace(query=f"uploadType=resumable&upload_id={token}")
        return Response(headers={"location": str(url), "x-guploader-uploadid": token})

    async def resume(self, request: Request) -> Response:
        """Take bytes of an upload, whose address is the right to it, or tell how many there are."""
        token = request.query_params.get("upload_id", "")
        upload = self._uploads.get(token)
        if upload is None:
            raise ApiError(404, "No such upload")
        span = _SPAN.fullmatch(request.headers.get("content-range", ""))
        have = upload.draft.stat().st_size
        total = None
        if span is not None:
            total = None if span[3] == "*" else int(span[3])
            if span[1] is not None and int(span[1]) != have:
                raise ApiError(400, f"Invalid request. The upload goes on at byte {have}.")
        if span is None or span[1] is not None:
            await _append(request, upload.draft)
            have = upload.draft.stat().st_size
        if span is None or have == total:
            del self._uploads[token]
            return JSONResponse(await self._keep(upload.bucket, upload.key, upload.draft))
        headers = {"range": f"bytes=0-{have - 1}"} if have else {}
        return Response(status_code=308, headers=headers)

    def describe(self, request: Request) -> Response:
        """Describe a bucket; every one exists."""
        self._check_key(request)
        name = request.path_params["bucket"]
        place = self.backend.objects.region(name).upper()
        return JSONResponse(
            {"kind": "storage#bucket", "name": name, "location": place, "locationType": "region"}
        )

    def list_objects(self, request: Request) -> Response:
        """List a page of the objects of a bucket."""
        self._check_key(request)
        assert self._buckets is not None
        asked, bucket = request.query_params, request.path_params["bucket"]
        size = min(number_of(request, "maxResults", _PAGE) or _PAGE, _PAGE)
        after = base64.urlsafe_b64decode(asked.get("pageToken", "")).decode()
        found = self._buckets.page(bucket, asked.get("prefix", ""), after, size + 1)
        page: dict[str, Any] = {"kind": "storage#objects"}
        if found:
            page["items"] = [_resource(bucket, item) for item in found[:size]]
        if len(found) > size:
            page["nextPageToken"] = base64.urlsafe_b64encode(found[size - 1].key.encode()).decode()
        return JSONResponse(page)

    def get(self, request: Request) -> Response:
        """Describe an object, or return its content, whole or from a place on."""
        bucket, found = self._found(request)
        if request.query_params.get("alt") != "media":
            return JSONResponse(_resource(bucket, found))
        assert self._buckets is not None
        chunks = partial(read_file, self._buckets.path(found))
        return send_bytes(request, found.size, chunks, _OCTETS, {"etag": found.etag})

    def delete(self, request: Request) -> Response:
        """Delete an object."""
        bucket, found = self._found(request)
        assert self._buckets is not None
        self._buckets.delete(bucket, found.key)
        return Response(status_code=204)

    def _found(self, request: Request) -> tuple[str, StoredObject]:
        self._check_key(request)
        assert self._buckets is not None
        bucket, key = request.path_params["bucket"], request.path_params["key"]
        found = self._buckets.find(bucket, key)
        asked = request.query_params.get("generation", "")
        if found is None or (asked and asked != _generation(found)):
            raise ApiError(404, f"No such object: {bucket}/{key}")
        return bucket, found

    async def _keep(self, bucket: str, key: str, draft: Path) -> dict[str, Any]:
        assert self._buckets is not None
        return _resource(bucket, await in_thread(self._buckets.keep, bucket, key, draft))

    def _check_key(self, request: Request) -> None:
        """Check the token of a request; the app lets paths of object stores pass.

        Raises:
            ApiError: It is not the right one (401).
        """
        given = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
        if self.backend.options.key and given != self.backend.options.key:
            raise no_key(given)


async def _append(request: Request, draft: Path) -> None:
    """Add the body of a request to a file; what has arrived stays if the connection breaks.

    Raises:
        ClientDisconnect: It broke.
    """
    with draft.open("ab") as file:
        async for chunk in request.stream():
            file.write(chunk)


def _generation(item: StoredObject) -> str:
    """The version of an object: when it was written, in microseconds."""
    return str(int(item.written * 1_000_000))


def _resource(bucket: str, item: StoredObject) -> dict[str, Any]:
    written = iso_time(item.written)
    return {
        "kind": "storage#object",
        "bucket": bucket,
        "name": item.key,
        "size": str(item.size),
        "md5Hash": base64.b64encode(bytes.fromhex(item.etag)).decode(),
        "etag": item.etag,
        "generation": _generation(item),
        "timeCreated": written,
        "updated": written,
    }
