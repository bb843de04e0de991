"""S3 for the buckets that the sandbox keeps itself: put, get, list and delete of whole objects.

Requests name the bucket in their path, and must be signed. Bodies are taken as they are: the form
`aws-chunked` is refused.

Sources: botocore's service model `s3/2006-03-01`; the S3 API reference, "Error responses".
"""

from __future__ import annotations

from functools import partial
from typing import Any
from xml.sax.saxutils import escape

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tui.sandbox.app import in_thread, route
from tui.sandbox.backend import Backend, Endpoints
from tui.sandbox.clouds.signatures import check_key
from tui.sandbox.clouds.stored_objects import StoredObject
from tui.sandbox.errors import ApiError
from tui.sandbox.results import iso_time, read_file, send_bytes

_SPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_PAGE = 1000
_OCTETS = "application/octet-stream"
_REFUSALS = {
    "MissingAuthenticationTokenException": "AccessDenied",
    "UnrecognizedClientException": "InvalidAccessKeyId",
    "InvalidSignatureException": "SignatureDoesNotMatch",
}


class S3Objects(Endpoints):
    """The routes of objects, unless the buckets are elsewhere."""

    def __init__(self, backend: Backend) -> None:
        """Serve the buckets of `backend`."""
        super().__init__(backend)
        self._buckets = backend.buckets

    def routes(self) -> list[Route]:
        """The five routes; they stand behind those of the provider."""
        if self._buckets is None:
            return []
        one, backend = "/{bucket}/{key:path}", self.backend
        return [
            route(backend, "PUT", one, self.put, "put"),
            route(backend, "GET", one, self.get, "content"),
            route(backend, "DELETE", one, self.delete, "delete"),
            route(backend, "GET", "/{bucket}", self.list_objects, "list objects"),
        ]

    async def put(self, request: Request) -> Response:
        """Create or replace an object."""
        if refusal := self._refusal(request):
            return refusal
        if "aws-chunked" in request.headers.get("content-encoding", ""):
            return _error(501, "NotImplemented", "The sandbox takes bodies as they are.")
        assert self._buckets is not None
        draft = self._buckets.draft()
        with draft.open("wb") as file:
            async for chunk in request.stream():
                file.write(chunk)
        bucket, key = _place(request)
        made = await in_thread(self._buckets.keep, bucket, key, draft)
        return Response(headers={"etag": f'"{made.etag}"'})

    def get(self, request: Request) -> Response:
        """Return an object, or a part of it; `HEAD` is answered too."""
        if refusal := self._refusal(request):
            return refusal
        if request.path_params["key"] == "":
            return self.list_objects(request)
        assert self._buckets is not None
        found = self._buckets.find(*_place(request))
        if found is None:
            return _error(404, "NoSuchKey", "The specified key does not exist.")
        etag = f'"{found.etag}"'
        if request.headers.get("if-match", etag) != etag:
            return _error(412, "PreconditionFailed", "At least one precondition did not hold.")
        chunks = partial(read_file, self._buckets.path(found))
        return send_bytes(request, found.size, chunks, _OCTETS, {"etag": etag})

    def delete(self, request: Request) -> Response:
        """Delete an object; one that does not exist is deleted too."""
        if refusal := self._refusal(request):
            return refusal
        assert self._buckets is not None
        self._buckets.delete(*_place(request))
        return Response(status_code=204)

    def list_objects(self, request: Request) -> Response:
        """List a page of the objects of a bucket."""
        if refusal := self._refusal(request):
            return refusal
        assert self._buckets is not None
        asked = request.query_params
        if asked.get("list-type") != "2":
            return _error(501, "NotImplemented", "The sandbox lists objects with list-type=2 only.")
        prefix, bucket = asked.get("prefix", ""), request.path_params["bucket"]
        after = asked.get("continuation-token") or asked.get("start-after") or ""
        size = min(int(asked.get("max-keys", str(_PAGE))), _PAGE)
        found = self._buckets.page(bucket, prefix, after, size + 1)
        return Response(_listed(bucket, prefix, found, size), media_type="application/xml")

    def _refusal(self, request: Request) -> Response | None:
        """The answer to a request that is not signed as it must be; `None` if it is."""
        options = self.backend.options
        try:
            check_key(request, b"", options.key or "", region=options.region, service="s3")
        except ApiError as error:
            code = _REFUSALS.get(error.code or "", "AccessDenied")
            return _error(403, code, error.message)
        return None


def _place(request: Request) -> tuple[str, str]:
    return request.path_params["bucket"], request.path_params["key"]


def _error(status: int, code: str, text: str) -> Response:
    body = f"<Error><Code>{code}</Code><Message>{escape(text)}</Message></Error>"
    return Response(body, status, media_type="application/xml")


def _listed(bucket: str, prefix: str, found: list[StoredObject], size: int) -> str:
    items = "".join(
        f"<Contents><Key>{escape(item.key)}</Key><LastModified>{iso_time(item.written)}"
        f'</LastModified><ETag>"{item.etag}"</ETag><Size>{item.size}</Size>'
        "<StorageClass>STANDARD</StorageClass></Contents>"
        for item in found[:size]
    )
    more = len(found) > size
    token = escape(found[size - 1].key) if more else ""
    fields: dict[str, Any] = {
        "Name": escape(bucket),
        "Prefix": escape(prefix),
        "KeyCount": min(len(found), size),
        "MaxKeys": size,
        "IsTruncated": str(more).lower(),
    }
    head = "".join(f"<{name}>{value}</{name}>" for name, value in fields.items())
    tail = f"<NextContinuationToken>{token}</NextContinuationToken>" if more else ""
    return f'<ListBucketResult xmlns="{_SPACE}">{head}{items}{tail}</ListBucketResult>'
