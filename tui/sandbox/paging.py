"""Cursor lists and ranges of bytes, as OpenAI's API has them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from .failures import ApiError

Item = TypeVar("Item")
_CHUNK = 1 << 18


def limit_of(request: Request, default: int, most: int) -> int:
    """Read `limit`.

    Raises:
        ApiError: It is not a whole number from 1 to `most` (400).
    """
    text = request.query_params.get("limit")
    if text is None:
        return default
    if not text.isdigit() or not 1 <= int(text) <= most:
        message = f"Invalid 'limit': expected a whole number between 1 and {most}, got '{text}'."
        raise ApiError(400, message, param="limit", code="invalid_value")
    return int(text)


def number_of(request: Request, name: str, default: int = 0) -> int:
    """Read a whole number from the query (400 when it is none)."""
    text = request.query_params.get(name, str(default))
    if not text.isdecimal():
        message = f"Invalid '{name}': expected a whole number, got '{text}'."
        raise ApiError(400, message, param=name, code="invalid_value")
    return int(text)


def list_object(data: list[dict[str, Any]], more: bool) -> dict[str, Any]:
    """Build OpenAI's list object."""
    return {
        "object": "list",
        "data": data,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
        "has_more": more,
    }


def page(
    items: list[Item], identify: Callable[[Item], str], after: str | None, limit: int,
    missing: Callable[[str], ApiError],
) -> tuple[list[Item], bool]:  # fmt: skip
    """Cut one page out of a list.

    Returns:
        The items behind `after`, at most `limit`, and whether more follow.

    Raises:
        ApiError: `after` is not in the list.
    """
    start = 0
    if after:
        for place, item in enumerate(items):
            if identify(item) == after:
                start = place + 1
                break
        else:
            raise missing(after)
    return items[start : start + limit], start + limit < len(items)


def send_bytes(
    request: Request, size: int, chunks: Callable[[int], Iterator[bytes]], media: str,
    headers: dict[str, str] | None = None,
) -> Response:  # fmt: skip
    """Send a file of known length, from `Range: bytes=N-` where that is asked for."""
    found = re.fullmatch(r"bytes=(\d+)-", request.headers.get("range", "").strip())
    more = {"accept-ranges": "bytes", **(headers or {})}
    if found is None:
        more["content-length"] = str(size)
        return StreamingResponse(chunks(0), 200, more, media)
    start = int(found[1])
    if start >= size:
        return Response(status_code=416, headers={"content-range": f"bytes */{size}"})
    more["content-length"] = str(size - start)
    more["content-range"] = f"bytes {start}-{size - 1}/{size}"
    return StreamingResponse(chunks(start), 206, more, media)


def read_file(path: Path, start: int = 0) -> Iterator[bytes]:
    """Yield the bytes of a file from `start`."""
    with path.open("rb") as file:
        file.seek(start)
        while piece := file.read(_CHUNK):
            yield piece
