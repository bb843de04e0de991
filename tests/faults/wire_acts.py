"""Faults on the wire, as actions of the proxy."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
from collections.abc import Callable
from typing import Any

from tests.faults.proxy import Act, Exchange

PAGE = "<!doctype html><html><body><h1>Sign in to Corp\x1b[31m Guest WLAN</h1></body></html>"

_SPAN = re.compile(rb"(?i)content-range: *bytes (\d+)-\d+/(\d+)")
"""The bytes of a resumable upload that a request has."""


def cut_request(upto: float) -> Act:
    """Break the connection within the request's body; the provider sees nothing."""

    async def act(x: Exchange) -> None:
        await x.body(upto)
        x.reset()

    return act


def refuse_connection() -> Act:
    """Break the connection before any data."""

    async def act(x: Exchange) -> None:
        x.reset()

    return act


def cut_answer(where: str, *, gently: bool = False) -> Act:
    """The provider acts, then its answer is cut off: by a reset, or by a normal close."""

    async def act(x: Exchange) -> None:
        answer = await x.act()
        head = answer.index(b"\r\n\r\n") + 4
        at = {
            "nothing": 0,
            "one byte": 1,
            "status line": answer.index(b"\r\n"),
            "in the head": head // 2,
            "head": head,
            "one byte of the body": head + 1,
            "a quarter": head + (len(answer) - head) // 4,
            "half": head + (len(answer) - head) // 2,
            "all but one byte": len(answer) - 1,
        }[where]
        await x.give(answer[:at])
        if not gently:
            # What was written shall arrive before the connection breaks.
            await asyncio.sleep(0.01)
            x.reset()

    return act


def answer(status: int, body: str = "", kind: str = "application/json", **headers: str) -> Act:
    """An answer from a gateway; the provider never saw the request."""

    async def act(x: Exchange) -> None:
        await x.body()
        await x.answer(status, body, kind, **headers)

    return act


def early(status: int, body: str = "") -> Act:
    """An answer before the request's body was read; the connection is closed."""

    async def act(x: Exchange) -> None:
        await x.answer(status, body)
        await x.body()

    return act


def acted_but(status: int, body: str = "", kind: str = "application/json", **headers: str) -> Act:
    """The provider acts, and a gateway gives another answer."""

    async def act(x: Exchange) -> None:
        await x.act()
        await x.answer(status, body, kind, **headers)

    return act


def acts_late(status: int, seconds: float) -> Act:
    """A gateway gives up, and the provider acts some time later."""

    async def act(x: Exchange) -> None:
        await x.body()
        await x.answer(status)
        await asyncio.sleep(seconds)
        await x.act()

    return act


def rewritten(change: Callable[[bytes, bytes], bytes]) -> Act:
    """The provider's answer with a changed head and body."""

    async def act(x: Exchange) -> None:
        head, _, body = (await x.act()).partition(b"\r\n\r\n")
        await x.give(change(head, body))

    return act


def with_length(by: int) -> Act:
    """A content-length that is wrong by some bytes."""

    def change(head: bytes, body: bytes) -> bytes:
        plain = without_length(head)
        raw = dechunked(head, body)
        return plain + f"\r\nContent-Length: {max(len(raw) + by, 0)}\r\n\r\n".encode() + raw

    return rewritten(change)


def until_close(keep: float) -> Act:
    """No length, and a normal close after a part of the body."""

    def change(head: bytes, body: bytes) -> bytes:
        plain = without_length(head)
        raw = dechunked(head, body)
        return plain + b"\r\n\r\n" + raw[: int(len(raw) * keep)]

    return rewritten(change)


def packed(keep: float, *, garbage: bool = False) -> Act:
    """The body as gzip: complete, cut short with a matching length, or garbage."""

    def change(head: bytes, body: bytes) -> bytes:
        plain = without_length(head)
        raw = gzip.compress(dechunked(head, body))
        raw = raw[: int(len(raw) * keep)]
        if garbage:
            raw = raw[:20] + bytes(byte ^ 0x5A for byte in raw[20:])
        length = f"\r\nContent-Encoding: gzip\r\nContent-Length: {len(raw)}\r\n\r\n"
        return plain + length.encode() + raw

    return rewritten(change)


def without_length(head: bytes) -> bytes:
    """A head that does not say how long the body is."""
    return re.sub(rb"(?im)\r\n(content-length|transfer-encoding):[^\r]*", b"", head)


def dechunked(head: bytes, body: bytes) -> bytes:
    """The body of an answer, in one piece."""
    if b"chunked" not in head.lower():
        return body
    raw = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        count = int(size, 16)
        raw += body[:count]
        body = body[count + 2 :]
        if not count:
            break
    return raw


def dribble(pieces: int = 1, *, at_most: int = 4096) -> Act:
    """The whole answer, with its start one byte per packet."""

    async def act(x: Exchange) -> None:
        data = await x.act()
        for start in range(0, min(len(data), at_most), pieces):
            await x.give(data[start : min(start + pieces, at_most)])
            await asyncio.sleep(0)
        await x.give(data[at_most:])

    return act


def silence(*, acted: bool) -> Act:
    """No answer; the connection stays open."""

    async def act(x: Exchange) -> None:
        if acted:
            await x.act()
        else:
            await x.body()
        await x.reader.read()

    return act


def loris(seconds: float = 0.1) -> Act:
    """The provider acts, and its answer trickles byte by byte without end."""

    async def act(x: Exchange) -> None:
        await x.act()
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99999\r\n\r\n"
        await x.give(head)
        while not x.reader.at_eof():
            await x.give(b" ")
            await asyncio.sleep(seconds)

    return act


def stored_in_part(part: float, *, answers: bool = False) -> Act:
    """A part of a resumable upload arrives, then the connection breaks or the store says so."""

    def change(head: bytes, body: bytes) -> tuple[bytes, bytes]:
        found = _SPAN.search(head)
        assert found is not None, head
        start, size = int(found[1]), int(found[2])
        kept = body[: int(len(body) * part)]
        span = f"bytes {start}-{start + len(kept) - 1}/{size}"
        head = re.sub(rb"(?i)\r\ncontent-length: *\d+", b"\r\nContent-Length: %d" % len(kept), head)
        return _SPAN.sub(b"content-range: " + span.encode(), head), kept

    async def act(x: Exchange) -> None:
        if not _SPAN.search(x.head):
            await x.pass_on()
            return
        answer = await x.act(change)
        if answers:
            await x.give(answer)
        else:
            x.reset()

    return act


def changed_json(change: Callable[[Any], Any]) -> Act:
    """The provider's answer with another JSON value in place of its own."""

    def rewrite(head: bytes, body: bytes) -> bytes:
        value = change(json.loads(dechunked(head, body) or b"null"))
        raw = json.dumps(value).encode()
        length = f"\r\nContent-Length: {len(raw)}\r\n\r\n"
        return without_length(head) + length.encode() + raw

    return rewritten(rewrite)


def part_of_it(keep: float) -> Act:
    """A file that is not written to its end: a part of it, as a whole answer."""

    def rewrite(head: bytes, body: bytes) -> bytes:
        raw = dechunked(head, body)
        raw = raw[: int(len(raw) * keep)]
        return without_length(head) + f"\r\nContent-Length: {len(raw)}\r\n\r\n".encode() + raw

    return rewritten(rewrite)


def redirect(status: int, target: str = "", *, acted: bool = False) -> Act:
    """A redirect; without a target, to another path of this origin."""

    async def act(x: Exchange) -> None:
        if acted:
            await x.act()
        else:
            await x.body()
        path = x.line.split(" ")[1]
        await x.answer(status, Location=target + path if target else f"/moved{path}")

    return act


def jump(clock: Callable[[float], None], seconds: float, *, acted_first: bool) -> Act:
    """The clock of this machine jumps; the answer comes, or is lost after the provider acted."""

    async def act(x: Exchange) -> None:
        clock(seconds)
        if acted_first:
            await x.act()
            x.reset()
        else:
            await x.pass_on()

    return act
