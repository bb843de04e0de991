"""Opens a file elsewhere by its address. Reading buckets takes libraries that load slowly."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import httpx

from tui.addresses import FileAddress
from tui.providers.remote_files.remote_file import RemoteFile


async def open_remote_file(
    address: FileAddress,
    *,
    transport: httpx.AsyncBaseTransport | None = None,
    clock: Callable[[], float],
) -> RemoteFile:
    """Open a file elsewhere. Of its content nothing is asked yet.

    Args:
        address: Its address.
        transport: Replaces the network, for tests.
        clock: Returns Unix seconds.

    Raises:
        InputError: The address cannot be used.
        AccountKeyError: There are no credentials for a bucket, or ``HF_TOKEN`` is not a token.
        ConfigError: The environment cannot be used: a proxy, certificates, an extra.
    """
    if address.is_bucket:
        from tui.providers.remote_files.bucket import open_bucket_file

        return await open_bucket_file(address, transport=transport, clock=clock)
    from tui.providers.remote_files.web import WebFile

    # Loading the certificates takes some time.
    return await asyncio.to_thread(lambda: WebFile(address, transport=transport, clock=clock))
