"""The ``Store`` protocol: what a dialect needs of a bucket of the user's."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote

from tui.core.remote_batches import ResultSource
from tui.errors import RequestRejectedError
from tui.progress import NO_PROGRESS, Progress
from tui.providers.wire.download import Download

JSON_LINES = "application/jsonl"
"""The media type of the files that providers read."""


@dataclass(frozen=True)
class StoredObject:
    """An object of a bucket, as a list shows it.

    Attributes:
        key: Its key, without the bucket.
        size: Its size in bytes.
        created_at: When its bytes were written, in Unix seconds.
        version: What tells its bytes from earlier ones of the same key: the ETag of S3, the
            generation of GCS; empty if the store does not say.
    """

    key: str
    size: int
    created_at: float
    version: str = ""


def time_in(text: str) -> float:
    """The Unix seconds of a time of a list (RFC 3339); 0 if it is none."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        return 0.0


def key_at(address: str, patterns: Iterable[str], bucket: str) -> str:
    """The key of an object by its address.

    Args:
        address: The address, without a query.
        patterns: The forms of addresses of the bucket, whose first group is the quoted key.
        bucket: The name of the bucket.

    Raises:
        RequestRejectedError: It is the address of something else.
    """
    for pattern in patterns:
        if match := re.fullmatch(pattern, address):
            return unquote(match[1])
    raise RequestRejectedError(
        f"{address} is not in the bucket {bucket}", "Check params.bucket of the account."
    )


class Store(Protocol):
    """The bucket of one account. Raises the errors of ``tui.errors``."""

    @property
    def prefix(self) -> str:
        """The start of the keys of the account's files."""

    def uri(self, key: str) -> str:
        """How the provider is told of an object."""

    def key_of(self, uri: str) -> str:
        """The key of an object of this bucket, from any address of it.

        Raises:
            RequestRejectedError: It is the address of something else.
        """

    async def check(self) -> str:
        """Write, list, read and delete a small object; returns the place of the files."""

    async def put(
        self,
        path: Path,
        name: str,
        *,
        content_type: str = JSON_LINES,
        progress: Progress = NO_PROGRESS,
    ) -> str:
        """Store a file and return its address; an object of that name is replaced."""

    def open(
        self, source: ResultSource, *, have_bytes: int = 0, version: str = ""
    ) -> AbstractAsyncContextManager[Download]:
        """Open an object by its address; see ``Dialect.download``.

        With a ``version`` only that one is resumed.
        """

    async def describe(self, uri: str) -> StoredObject | None:
        """What the store says of one object; ``None`` if there is none."""

    def objects(self, folder: str) -> AsyncIterator[StoredObject]:
        """Yield all objects whose keys start with ``folder``, by key."""

    async def delete(self, uri: str) -> None:
        """Delete an object; one that is gone counts as deleted."""

    async def aclose(self) -> None:
        """Close the connections."""
