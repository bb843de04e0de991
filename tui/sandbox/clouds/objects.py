"""Buckets of the user: how a simulated provider reads its input there and puts results there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Protocol


class ObjectStore(Protocol):
    """The buckets of a user, as a provider reaches them with the rights that it was given.

    Every method blocks; handlers call them in a thread.
    """

    def region(self, bucket: str) -> str:
        """The region of a bucket, as its cloud writes it; empty if it has none.

        Raises:
            LookupError: There is no such bucket.
            PermissionError: The provider may not reach it.
        """

    def read(self, bucket: str, key: str, target: Path) -> None:
        """Copy an object into the file `target`.

        Raises:
            LookupError: There is no such bucket or object.
            PermissionError: The provider may not read it.
        """

    def write(self, bucket: str, key: str, chunks: Iterable[bytes]) -> None:
        """Create or replace an object.

        Raises:
            LookupError: There is no such bucket.
            PermissionError: The provider may not write there.
        """


def split_address(address: str, scheme: str) -> tuple[str, str]:
    """The bucket and the key of an address such as `s3://bucket/key`.

    Raises:
        ValueError: It is not an address of this scheme.
    """
    start = f"{scheme}://"
    bucket, _, key = address.removeprefix(start).partition("/")
    if not address.startswith(start) or not bucket:
        raise ValueError(f"not an address of the form {start}bucket/key: {address!r}")
    return bucket, key


class GrowingObjects:
    """Writes result objects that grow while a batch runs, and each size only once."""

    def __init__(self, store: ObjectStore) -> None:
        """Write to `store`."""
        self._store = store
        self._sizes: dict[tuple[str, str], int] = {}
        self._lock = threading.Lock()

    def write(
        self, bucket: str, key: str, size: int, chunks: Callable[[], Iterator[bytes]]
    ) -> None:
        """Replace an object by its first `size` bytes, unless it has as many already.

        Raises:
            LookupError: There is no such bucket.
            PermissionError: The provider may not write there.
        """
        with self._lock:
            if self._sizes.get((bucket, key), -1) < size:
                self._store.write(bucket, key, chunks())
                self._sizes[bucket, key] = size
