"""Responses that do not end, grow without measure, or are more than can be parsed."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import httpx
import pytest

from tests.providers.fakes import KEY, Scripted, raw, wire_to
from tui.errors import RequestRejectedError, UnexpectedResponseError, UnreachableError
from tui.providers.profiles.load import find_profile
from tui.providers.wire.address import parse_base_url
from tui.providers.wire.bounds import is_bomb
from tui.providers.wire.client import Call, HttpClient

READ = Call("GET", "/batches/1", "read the batch")


@asynccontextmanager
async def client_of_a_trickle(head: bytes, piece: bytes) -> AsyncIterator[HttpClient]:
    """A client of a server that sends its first bytes, and then a piece again and again."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head)
        with suppress(OSError):
            while not writer.is_closing():
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0.02)

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    changes = {"t": {"base": "openai-compatible", "http": {"read_seconds": 0.2, "attempts": 1}}}
    profile = find_profile("t", changes)
    address = parse_base_url(f"http://127.0.0.1:{port}/v1", provider=profile.name, query={})
    client = HttpClient(profile, address, KEY)
    try:
        yield client
    finally:
        await client.aclose()
        server.close()


async def test_headers_that_trickle_end() -> None:
    async with client_of_a_trickle(b"HTTP/1.1 200 OK\r\n", b"X-A: 1\r\n") as client:
        with pytest.raises(UnreachableError, match="did not respond in time"):
            await client.ask(READ)


async def test_the_body_of_an_error_that_trickles_ends() -> None:
    async with client_of_a_trickle(b"HTTP/1.1 400 No\r\n\r\n", b" ") as client:
        with pytest.raises(RequestRejectedError) as caught:
            await client.ask(READ)
        assert caught.value.status == 400


async def test_a_body_that_unpacks_without_measure_is_refused() -> None:
    packed = gzip.compress(bytes(80 << 20), 9)
    bomb = raw(200, packed, Content_Encoding="gzip")
    with pytest.raises(UnexpectedResponseError, match="unpacks to far more"):
        await wire_to(Scripted({"GET /v1/batches/1": bomb})).ask(READ)
    # Well packed, but small; large, but not packed that well.
    assert not is_bomb(1 << 10, 32 << 20)
    assert not is_bomb(1 << 20, 100 << 20)


async def test_json_of_too_many_values_is_not_parsed() -> None:
    crowd = httpx.Response(200, content=b"[" + b"{}," * 2_000_000 + b"{}]")
    reply = await wire_to(Scripted({"GET /v1/batches/1": crowd})).ask(READ)
    with pytest.raises(UnexpectedResponseError, match="too many values"):
        reply.value()
