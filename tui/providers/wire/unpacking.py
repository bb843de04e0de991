"""The body of a response without its content encoding, also where the headers are wrong."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator

import httpx

_GZIP = b"\x1f\x8b"


_PLAIN = frozenset({"", "identity", "aws-chunked", "utf-8", "utf8", "binary", "none"})
"""Values that do not pack a body: S3 and stores like it repeat what was said at the upload, and
programs name the character set there."""


def content_encoding(response: httpx.Response) -> str:
    """How the body of a response is packed; empty if it is not."""
    words = response.headers.get("content-encoding", "").lower().split(",")
    return ", ".join(word.strip() for word in words if word.strip() not in _PLAIN)


async def unpacked(response: httpx.Response) -> AsyncIterator[bytes]:
    """Stream the body of an open response, unpacked.

    Proxies that unpack a body may leave the header of the packed one: a body that does not begin
    as gzip is passed on as it is.

    Raises:
        httpx.DecodingError: It begins as its headers say, and cannot be unpacked.
    """
    if content_encoding(response) not in ("gzip", "x-gzip") or response.is_stream_consumed:
        async for chunk in response.aiter_bytes():
            yield chunk
        return
    raw = response.aiter_raw()
    head = b""
    async for chunk in raw:
        head += chunk
        if len(head) >= len(_GZIP):
            break
    if not head.startswith(_GZIP):
        yield head
        async for chunk in raw:
            yield chunk
        return
    member = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        yield member.decompress(head)
        async for chunk in raw:
            yield member.decompress(chunk)
    except zlib.error as error:
        raise httpx.DecodingError(str(error), request=response.request) from error
