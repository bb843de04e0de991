"""Exports to buckets: written to a file of this machine first, then put at an address.

A file in a bucket cannot be written in pieces that somebody may read meanwhile, and some formats go
back in the file. What is uploaded is therefore whole, and what was there before stays until then.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tui.addresses import FileAddress, parse_address
from tui.engine.context import Context
from tui.errors import UsageError
from tui.progress import NO_PROGRESS, Progress
from tui.temporary import folder_of_task

if TYPE_CHECKING:
    from tui.providers.remote_files.bucket import BucketFile


def check_target(spec: str) -> FileAddress:
    """The address of a file in a bucket, to which an export can be written.

    Raises:
        UsageError: It is another address.
    """
    address = parse_address(spec)
    if not address.is_bucket:
        raise UsageError(
            f"an export cannot be written to {address.scheme}://",
            "Use s3://BUCKET/PATH/FILE or gs://BUCKET/PATH/FILE, or a file of this machine.",
        )
    if address.part:
        raise UsageError(f"{address.shown} names a part of a file", "Leave out what follows ::.")
    return address


class BucketTarget:
    """A file in a bucket that is being made.

    Args:
        address: Its address.
        path: The file of this machine to write, whose name has the same ending.
        file: The file in the bucket.

    Attributes:
        address: Its address.
        path: The file of this machine to write.
    """

    def __init__(self, address: FileAddress, path: Path, file: BucketFile) -> None:
        self.address = address
        self.path = path
        self._file = file

    async def exists(self) -> bool:
        """Whether there is a file at the address, which would be replaced.

        Raises:
            BatchdeckError: That cannot be told; the error names the right that is missing.
        """
        return await self._file.exists()

    async def upload(self, progress: Progress = NO_PROGRESS) -> None:
        """Put what was written to ``path`` at the address.

        Args:
            progress: Counts the bytes. If it is stopped, nothing is stored.

        Raises:
            UsageError: It was stopped.
            BatchdeckError: It was not stored; the error names the right that is missing.
        """

        def report(done: int, total: int | None) -> None:
            if progress.stopped:
                raise UsageError(
                    f"the upload to {self.address.shown} was stopped", "Nothing was stored there."
                )
            progress.update(done, total)

        await self._file.put(self.path, Progress(report, seconds=0.0))


@asynccontextmanager
async def open_target(context: Context, spec: str) -> AsyncIterator[BucketTarget]:
    """A file in a bucket to write; the file of this machine is removed at the end of the block.

    Raises:
        UsageError: The address is none of a bucket.
        AccountKeyError: There are no credentials for it.
        ConfigError: The bucket does not exist, or an extra is not installed.
    """
    address = check_target(spec)
    from tui.providers.remote_files.bucket import open_bucket_file

    file = await open_bucket_file(address, clock=context.clock)
    try:
        async with folder_of_task("export") as folder:
            yield BucketTarget(address, folder / address.name, file)
    finally:
        await file.aclose()
