"""Ports without HTTP, for accounts with a wrong address."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

from tests.faults.wire_bench import Case


@asynccontextmanager
async def listening(case: Case, folder: Path) -> AsyncIterator[Case]:
    """The case with its address filled in; something listens there while the block runs."""
    async with AsyncExitStack() as stack:
        address = case.address
        if "{plain}" in address:
            port = await _listen(stack, b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            address = address.replace("{plain}", str(port))
        if "{closing}" in address:
            address = address.replace("{closing}", str(await _listen(stack, b"")))
        if "{selfsigned}" in address:
            context = await asyncio.to_thread(_untrusted, folder)
            port = await _listen(stack, b"", context)
            address = address.replace("{selfsigned}", str(port))
        yield replace(case, address=address)


async def _listen(stack: AsyncExitStack, says: bytes, context: ssl.SSLContext | None = None) -> int:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1 << 16)
        writer.write(says)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    stack.callback(server.close)
    port: int = server.sockets[0].getsockname()[1]
    return port


def _untrusted(folder: Path) -> ssl.SSLContext | None:
    """A new certificate; ``None`` (a port without TLS) if openssl is missing."""
    openssl = shutil.which("openssl")
    if openssl is None:
        return None
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1"
    names = ["-subj", "/CN=localhost", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([openssl, *words.split(), *names], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context
