"""Addresses that are signed as Google Cloud Storage signs them, on another origin than the API.

This machine under its other name (`localhost` for `127.0.0.1`) is the other origin. What is behind
such an address needs no key, and a request that carries one is refused.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

PATH = "/storage"
"""Where signed paths begin; the check of the key lets them pass."""
_KEYS = ("authorization", "api-key", "x-api-key", "x-goog-api-key", "cookie")
_TIME = "%Y%m%dT%H%M%SZ"


def other_origin(request: Request, path: str, query: str) -> str:
    """The address of a path on this machine under its other name."""
    host = "localhost" if request.url.hostname != "localhost" else "127.0.0.1"
    return str(request.url.replace(hostname=host, path=path, query=query))


def signed_address(
    request: Request,
    path: str,
    *,
    method: str,
    now: float,
    seconds: int,
    seed: int,
    headers: dict[str, str] | None = None,
) -> str:
    """Sign an address of another origin.

    Args:
        request: The request to the API that asks for it.
        path: The path, without `PATH`.
        method: The method that it allows.
        now: Unix time.
        seconds: How long it is valid.
        seed: The secret.
        headers: The headers that a request must have, with lower-case names.
    """
    moment = datetime.fromtimestamp(now, UTC).strftime(_TIME)
    signed = dict(sorted((headers or {}).items()))
    values = {
        "X-Goog-Algorithm": "GOOG4-RSA-SHA256",
        "X-Goog-Credential": f"sandbox@example.com/{moment[:8]}/auto/storage/goog4_request",
        "X-Goog-Date": moment,
        "X-Goog-Expires": str(seconds),
        "X-Goog-SignedHeaders": ";".join(sorted({"host", *signed})),
        "X-Goog-Signature": _signature(method, path, moment, str(seconds), signed, seed),
    }
    return other_origin(request, PATH + path, urlencode(values))


def refused(request: Request, path: str, *, now: float, seed: int) -> Response | None:
    """The response to a request whose signature does not allow it; `None` if it does."""
    asked = request.query_params
    if any(name in request.headers for name in _KEYS):
        text = "Only one auth mechanism allowed; only the X-Goog-Algorithm query parameter."
        return storage_error(400, "InvalidArgument", text)
    moment, seconds = asked.get("X-Goog-Date", ""), asked.get("X-Goog-Expires", "")
    names = asked.get("X-Goog-SignedHeaders", "").split(";")
    signed = {
        name: request.headers.get(name, "") for name in sorted(names) if name and name != "host"
    }
    wanted = _signature(request.method, path, moment, seconds, signed, seed)
    if asked.get("X-Goog-Signature") != wanted:
        text = "Access denied. The request signature we calculated does not match the signature"
        return storage_error(403, "SignatureDoesNotMatch", f"{text} you provided.")
    start = datetime.strptime(moment, _TIME).replace(tzinfo=UTC)
    if datetime.fromtimestamp(now, UTC) > start + timedelta(seconds=int(seconds)):
        return storage_error(400, "ExpiredToken", "The provided token has expired.")
    return None


def storage_error(status: int, code: str, text: str) -> Response:
    """Build an error of the object store, which is XML."""
    body = f"<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code>"
    body += f"<Message>{text}</Message></Error>"
    return Response(body, status, media_type="application/xml; charset=UTF-8")


def length_range(request: Request) -> tuple[int, int] | None:
    """The least and the greatest length that an upload may have, by its header."""
    text = request.headers.get("x-goog-content-length-range", "")
    found = re.fullmatch(r"(\d+),(\d+)", text)
    return (int(found[1]), int(found[2])) if found else None


def _signature(
    method: str, path: str, moment: str, seconds: str, headers: dict[str, str], seed: int
) -> str:
    parts = [method, path, moment, seconds, str(sorted(headers.items())), str(seed)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
