"""The result files of a folder of a bucket, read as one file of lines.

Files are read in the order in which they were written, so that one that appears later is added at
the end, and a reading that broke off can go on where it stopped. After each file comes a line end,
because its last line may have none. Parts that were written before the end stay in a folder of
their own beside the final files, which have the same lines: they are read only without those.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

from tui.core.remote_batches import ResultSource
from tui.errors import RequestRejectedError, UnexpectedResponseError
from tui.providers.stores.store import Store, StoredObject
from tui.providers.wire.download import Download

_MOST_FILES = 100_000
_LINE_END = b"\n"


class FolderReader:
    """Reads the folders of one bucket.

    Args:
        store: The bucket.
        suffix: How the names of result files end.
        parts: The name of the folder with parts of the results; empty if there is none.
    """

    def __init__(self, store: Store, suffix: str, parts: str = "") -> None:
        self._store = store
        self._suffix = suffix
        self._parts = f"/{parts}/" if parts else ""
        self._read: dict[str, tuple[StoredObject, ...]] = {}
        self._changed: set[str] = set()

    @asynccontextmanager
    async def open(self, source: ResultSource, *, have_bytes: int = 0) -> AsyncIterator[Download]:
        """Open all result files of a folder; see ``Dialect.download``.

        Args:
            source: The folder; its ``ref`` is its address.
            have_bytes: The bytes of an earlier reading that are stored already.

        Raises:
            RequestRejectedError: There is no result file in it, with the status 404.
            BatchdeckError: It cannot be listed or read.
        """
        files = await self._files(source.ref)
        start = have_bytes if self._goes_on(source.ref, files, have_bytes) else 0
        self._read[source.ref] = files
        async with aclosing(self._chunks(source, files, start)) as chunks:
            yield Download(
                chunks,
                appends=start > 0,
                growing=source.growing,
                total=_length(files) - start,
            )

    async def delete(self, folder: str) -> None:
        """Delete all objects of a folder, result files or not.

        Raises:
            BatchdeckError: One was not deleted.
        """
        async for item in self._store.objects(self._key_of(folder)):
            await self._store.delete(self._store.uri(item.key))

    async def _files(self, folder: str) -> tuple[StoredObject, ...]:
        found: list[StoredObject] = []
        async for item in self._store.objects(self._key_of(folder)):
            if item.key.endswith(self._suffix) and item.size:
                found.append(item)
            if len(found) > _MOST_FILES:
                raise UnexpectedResponseError(
                    f"{folder} has more than {_MOST_FILES:,} result files",
                    "Check whether it is the folder of one batch.",
                )
        if not found:
            raise RequestRejectedError(
                f"there is no file *{self._suffix} in {folder} yet", status=404
            )
        final = [item for item in found if not self._parts or self._parts not in item.key]
        return tuple(sorted(final or found, key=lambda item: (item.created_at, item.key)))

    def _key_of(self, folder: str) -> str:
        """The start of the keys of a folder, with the slash that ends its name."""
        return f"{self._store.key_of(folder).rstrip('/')}/"

    def _goes_on(self, folder: str, files: tuple[StoredObject, ...], have: int) -> bool:
        """Whether the bytes of an earlier reading are still the first ones of the folder."""
        earlier = self._read.get(folder)
        if folder in self._changed:
            self._changed.discard(folder)
            return False
        if not 0 < have <= _length(files):
            return False
        return earlier is None or files[: len(earlier)] == earlier

    async def _chunks(
        self, source: ResultSource, files: tuple[StoredObject, ...], start: int
    ) -> AsyncGenerator[bytes]:
        for item in files:
            if start > item.size:
                start -= item.size + len(_LINE_END)
                continue
            if start < item.size:
                async with aclosing(self._file(source, item, start)) as chunks:
                    async for chunk in chunks:
                        yield chunk
            yield _LINE_END
            start = 0

    async def _file(
        self, source: ResultSource, item: StoredObject, start: int
    ) -> AsyncGenerator[bytes]:
        """The bytes of a file from a place on.

        Raises:
            UnexpectedResponseError: It has another size than in the list.
        """
        part = ResultSource(kind=source.kind, ref=self._store.uri(item.key))
        async with self._store.open(part, have_bytes=start) as download:
            skip = 0 if download.appends else start
            at = start - skip
            async for chunk in download.chunks:
                at += len(chunk)
                if at > item.size:
                    break
                if skip:
                    skip, chunk = max(0, skip - len(chunk)), chunk[skip:]
                if chunk:
                    yield chunk
        if at != item.size:
            # Part of what was read may be of its earlier bytes.
            self._changed.add(source.ref)
            raise UnexpectedResponseError(
                f"{part.ref} was changed while it was read",
                "It is read again from its start.",
            )


def _length(files: tuple[StoredObject, ...]) -> int:
    return sum(item.size + len(_LINE_END) for item in files)
