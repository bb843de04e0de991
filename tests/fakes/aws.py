"""AWS in front of moto and of the sandbox's Bedrock, when something is wrong with an account."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.sax.saxutils import escape

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.fakes.bucket import BUCKET
from tests.threads import in_thread

_TIME = "%Y%m%dT%H%M%SZ"
_SKEW = {"s3": timedelta(minutes=15), "iam": timedelta(minutes=5), "bedrock": timedelta(minutes=5)}
_METHODS = ["GET", "HEAD", "PUT", "POST", "DELETE"]
_HOP = frozenset({"content-length", "transfer-encoding", "connection", "date", "server"})


@dataclass
class Aws:
    """The services of an AWS account at one address; other servers answer what is not wrong.

    Its errors are those that AWS's pages show (S3 error responses; Signature Version 4
    troubleshooting; common errors of each service).

    Attributes:
        bedrock: The address of Bedrock.
        store: The address of S3, STS and IAM.
        url: The address of all.
        clock_ahead: How far AWS's clock is ahead of this machine's.
        ended: The session of the temporary credentials has ended.
        denies_lists: The bucket may not be listed; then S3 says 403 of a missing object too.
        bucket_region: The region of the bucket, if requests are not made for it.
        moved: The answer for a bucket of another region: 301, or 307 with the right address.
        asked: The method, path and query of every request, and the status of its answer.
    """

    bedrock: str
    store: str
    url: str = ""
    clock_ahead: timedelta = timedelta()
    ended: bool = False
    denies_lists: bool = False
    bucket_region: str = ""
    moved: int = 301
    asked: list[tuple[str, str, str, int]] = field(default_factory=list)

    def app(self) -> Starlette:
        """The application."""

        @asynccontextmanager
        async def lifespan(app: Starlette) -> Any:
            async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
                self._client = client
                yield

        return Starlette(
            routes=[Route("/{path:path}", self._answer, methods=_METHODS)], lifespan=lifespan
        )

    def lists(self) -> list[str]:
        """The queries of the lists of objects that were asked for."""
        return [query for _, _, query, _ in self.asked if "list-type=2" in query]

    async def _answer(self, request: Request) -> Response:
        body = await request.body()
        service = _service(request)
        answer = self._refusal(request, service) or await self._sent_on(request, service, body)
        path, query = request.url.path, request.url.query
        self.asked.append((request.method, path, query, answer.status_code))
        return answer

    async def _sent_on(self, request: Request, service: str, body: bytes) -> Response:
        base = self.bedrock if service == "bedrock" else self.store
        target = request.scope["raw_path"].decode()
        if request.url.query:
            target += f"?{request.url.query}"
        # The host stays the one that was signed.
        headers = [
            (name, value) for name, value in request.headers.raw if name != b"content-length"
        ]
        found = await self._client.request(
            request.method, base + target, headers=headers, content=body
        )
        if self.denies_lists and service == "s3" and found.status_code == 404:
            return _s3_error(403, "AccessDenied", "Access Denied", request)
        kept = {name: value for name, value in found.headers.items() if name not in _HOP}
        kept.pop("content-encoding", None)
        answer = Response(found.content, found.status_code, kept)
        if request.method == "HEAD":
            answer.headers["content-length"] = found.headers.get("content-length", "0")
        return answer

    def _refusal(self, request: Request, service: str) -> Response | None:
        """The answer to a request that AWS does not carry out."""
        signed = datetime.strptime(request.headers["x-amz-date"], _TIME).replace(tzinfo=UTC)
        now = datetime.now(UTC) + self.clock_ahead
        if abs(now - signed) > _SKEW[service]:
            return self._skewed(request, service, signed, now)
        if self.ended:
            text = "The security token included in the request is expired"
            if service == "s3":
                return _s3_error(400, "ExpiredToken", "The provided token has expired.", request)
            if service == "iam":
                return _query_error("ExpiredToken", text)
            return _json_error(403, "ExpiredTokenException", text)
        if service != "s3":
            return None
        if self.bucket_region:
            return self._elsewhere(request)
        if self.denies_lists and "list-type=2" in request.url.query:
            user = "arn:aws:iam::111122223333:user/us"
            action = "is not authorized to perform: s3:ListBucket on resource"
            text = f'User: {user} {action}: "arn:aws:s3:::{BUCKET}"'
            return _s3_error(403, "AccessDenied", text, request)
        return None

    def _skewed(self, request: Request, service: str, signed: datetime, now: datetime) -> Response:
        if service == "s3":
            text = "The difference between the request time and the current time is too large."
            return _s3_error(403, "RequestTimeTooSkewed", text, request)
        early = signed < now
        edge = now - _SKEW[service] if early else now + _SKEW[service]
        word, what = ("expired", "now earlier") if early else ("not yet current", "still later")
        sign = "-" if early else "+"
        text = (
            f"Signature {word}: {signed:%Y%m%dT%H%M%SZ} is {what} than {edge:%Y%m%dT%H%M%SZ}"
            f" ({now:%Y%m%dT%H%M%SZ} {sign} 5 min.)"
        )
        if service == "iam":
            return _query_error("SignatureDoesNotMatch", text)
        return _json_error(403, "InvalidSignatureException", text)

    def _elsewhere(self, request: Request) -> Response:
        region = self.bucket_region
        code = {301: "PermanentRedirect", 307: "TemporaryRedirect"}[self.moved]
        host = f"{BUCKET}.s3.{region}.amazonaws.com"
        text = "The bucket you are attempting to access must be addressed using the specified"
        text += " endpoint. Please send all future requests to this endpoint."
        more = f"<Endpoint>{host}</Endpoint><Bucket>{BUCKET}</Bucket>"
        answer = _s3_error(self.moved, code, text, request, more)
        answer.headers["x-amz-bucket-region"] = region
        if self.moved == 307:
            key = request.url.path.removeprefix(f"/{BUCKET}")
            answer.headers["location"] = f"https://{host}{key}"
        return answer


def _service(request: Request) -> str:
    """The service that a request is for, by its path: ``iam`` is STS too."""
    if request.url.path == "/":
        return "iam"
    return "s3" if request.url.path.startswith(f"/{BUCKET}") else "bedrock"


def _s3_error(status: int, code: str, text: str, request: Request, more: str = "") -> Response:
    body = f"<Error><Code>{code}</Code><Message>{escape(text)}</Message>{more}</Error>"
    if request.method == "HEAD":
        body = ""
    return Response(body, status, media_type="application/xml")


def _query_error(code: str, text: str) -> Response:
    error = f"<Type>Sender</Type><Code>{code}</Code><Message>{escape(text)}</Message>"
    body = f"<ErrorResponse><Error>{error}</Error><RequestId>1</RequestId></ErrorResponse>"
    return Response(body, 403, media_type="text/xml")


def _json_error(status: int, kind: str, text: str) -> Response:
    return JSONResponse({"message": text}, status, {"x-amzn-errortype": kind})


@contextmanager
def aws(bedrock: str, store: str) -> Iterator[Aws]:
    """Serve it while the block runs."""
    made = Aws(bedrock, store)
    with in_thread(uvicorn.Config(made.app(), ws="none", log_config=None)) as url:
        made.url = url
        yield made
