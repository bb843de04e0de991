"""Files in buckets, by ``s3://BUCKET/KEY`` and ``gs://BUCKET/KEY``: fetched, and put there.

The stores are those of accounts (``tui.providers.stores``); the credentials are this machine's.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal, cast

import httpx

from tui.addresses import FileAddress
from tui.core.remote_batches import ResultSource
from tui.errors import InputError, RequestRejectedError, UnexpectedResponseError
from tui.progress import NO_PROGRESS, Progress
from tui.providers.remote_files.remote_file import Copy, Transfer, Version
from tui.providers.stores.open import open_typed_bucket
from tui.providers.stores.store import Store, StoredObject
from tui.providers.wire.download import no_chunks

_MEDIA_TYPES = {
    ".jsonl": "application/jsonl",
    ".ndjson": "application/x-ndjson",
    ".csv": "text/csv; charset=utf-8",
    ".tsv": "text/tab-separated-values; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".parquet": "application/vnd.apache.parquet",
    ".sqlite": "application/vnd.sqlite3",
    ".gz": "application/gzip",
}
_OCTETS = "application/octet-stream"


class BucketFile:
    """One file in a bucket.

    Args:
        address: Its address.
        store: The bucket, opened for it.
    """

    def __init__(self, address: FileAddress, store: Store) -> None:
        self._address = address
        self._store = store
        self._uri = store.uri(address.path)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._store.aclose()

    async def exists(self) -> bool:
        """Whether there is a file at the address.

        Raises:
            BatchdeckError: That cannot be told; the error names the right that is missing.
        """
        return await self._store.describe(self._uri) is not None

    async def put(self, path: Path, progress: Progress = NO_PROGRESS) -> None:
        """Store a file at the address; what is there is replaced.

        Raises:
            BatchdeckError: It was not stored; the error names the right that is missing.
        """
        kind = _MEDIA_TYPES.get(path.suffix.lower(), _OCTETS)
        await self._store.put(path, self._address.path, content_type=kind, progress=progress)

    @asynccontextmanager
    async def open(self, copy: Copy | None = None) -> AsyncIterator[Transfer]:
        """Ask for the file, or for what the copy lacks of it; see ``RemoteFile``."""
        found = await self._described()
        version = Version(found.version)
        if copy is not None and copy.is_whole and version and copy.version == version:
            yield Transfer(no_chunks(), 0, found.size, version, is_same=True)
            return
        have = 0
        if copy is not None and not copy.is_whole and version and copy.version == version:
            have = copy.size
        if have and have >= found.size:
            yield Transfer(no_chunks(), have, found.size, version)
            return
        source = ResultSource(kind="output", ref=self._uri)
        try:
            async with self._store.open(source, have_bytes=have, version=found.version) as download:
                start = have if download.appends else 0
                total = None if download.total is None else start + download.total
                if download.etag and found.version.startswith('"'):
                    version = Version(download.etag)
                yield Transfer(download.chunks, start, total, version)
        except RequestRejectedError as error:
            if error.status != 404:
                raise
            raise UnexpectedResponseError(
                f"{self._address.shown} was replaced while it was read", "Try again."
            ) from None

    async def _described(self) -> StoredObject:
        found = await self._store.describe(self._uri)
        if found is None:
            raise InputError(f"there is no file at {self._address.shown}", "Check the address.")
        return found


async def open_bucket_file(
    address: FileAddress,
    *,
    transport: httpx.AsyncBaseTransport | None = None,
    clock: Callable[[], float],
) -> BucketFile:
    """Open a file in a bucket; see ``open_typed_bucket`` for the credentials and the errors."""
    scheme = cast("Literal['s3', 'gs']", address.scheme)
    store = await open_typed_bucket(scheme, address.host, transport=transport, clock=clock)
    return BucketFile(address, store)
