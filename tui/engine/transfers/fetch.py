"""Files at addresses, fetched into a cache in the data folder: ``fetched/ADDRESS/VERSION/NAME``.

Readers get the path of a whole file that never changes: another version is another file. A file
that has not changed is not fetched again, and one that broke off goes on where it stopped. The
name of the folder is a hash of the address, which may hold a key: only the address without its
query is written down.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import shutil
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

import msgspec

from tui.addresses import FileAddress, parse_address
from tui.core.formatting import size
from tui.engine.context import Context
from tui.errors import InputError, UnreachableError, UsageError
from tui.files import atomic_write, write_error
from tui.paths import lock_file, open_private, private_folder
from tui.progress import NO_PROGRESS, Progress
from tui.providers.remote_files.open import open_remote_file
from tui.providers.remote_files.remote_file import Copy, RemoteFile, Transfer, Version

KEPT_SECONDS = 30 * 86_400.0
"""How long a file is kept after it was last used."""

EARLIER_SECONDS = 2 * 86_400.0
"""How long another version is kept, which an open dashboard may read."""

_FOLDER = "fetched"
_FAILURES = 4
_LONGEST_PAUSE = 8.0
_LOCK_PAUSE = 0.2
_LOOK_SECONDS = 0.2
_ENTRY, _PART, _PART_ENTRY, _LOCK = "entry.json", "part", "part.json", "lock"
_ENDINGS = {
    "text/csv": ".csv",
    "text/tab-separated-values": ".tsv",
    "application/json": ".json",
    "application/jsonl": ".jsonl",
    "application/x-jsonlines": ".jsonl",
    "application/x-ndjson": ".jsonl",
    "application/ndjson": ".jsonl",
    "application/vnd.apache.parquet": ".parquet",
    "application/vnd.sqlite3": ".sqlite",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ".xlsx",
    "application/vnd.oasis.opendocument.spreadsheet": ".ods",
    "application/vnd.ms-excel": ".xls",
    "text/html": ".html",
    "text/markdown": ".md",
}
"""What a media type says of a file whose name has no ending; without one, its content decides."""


class _Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored beside a file, whole or not.

    Attributes:
        address: Where it is from, without the query.
        version: The version of the file.
        media_type: What the server calls it.
        file: The path of the whole file in the folder of the address; empty for a part.
        size: The size of the whole file in bytes.
    """

    address: str
    version: Version = Version()
    media_type: str = ""
    file: str = ""
    size: int = 0


@dataclass(frozen=True)
class FetchedFile:
    """A file of the cache.

    Attributes:
        address: Where it is from.
        path: The file on this machine.
        size: Its size in bytes.
        is_new: It was fetched by this call, and not there already.
    """

    address: FileAddress
    path: Path
    size: int
    is_new: bool

    @property
    def spec(self) -> str:
        """The source to open: the path, with the part of the address."""
        return f"{self.path}::{self.address.part}" if self.address.part else str(self.path)

    @property
    def note(self) -> str:
        """What is said of it."""
        return f"fetched, {size(self.size)}" if self.is_new else "unchanged, not fetched again"


async def fetch(
    context: Context, spec: str, *, fresh: bool = True, progress: Progress = NO_PROGRESS
) -> FetchedFile:
    """Fetch the file at an address, unless it is there and has not changed.

    Args:
        context: The engine context; its ``fetch_bytes`` bound the size.
        spec: The address, with ``::PART`` after it.
        fresh: Ask whether the file has changed; else one that is there is used as it is.
        progress: Counts the bytes. If it is stopped, what has arrived is kept for the next time.

    Raises:
        InputError: The address or the file cannot be used, or the file is too large.
        UsageError: The fetch was stopped.
        BatchdeckError: The server cannot be reached, or has failed.
    """
    address = parse_address(spec)
    if PurePosixPath(address.name).suffix.lower() == ".py":
        raise InputError(
            f"{address.shown} is a program, which is not run from an address",
            "Download it, read it, and give its path.",
        )
    cache = _Cache(context.paths.data / _FOLDER, address)
    async with cache.alone(context, progress):
        if not fresh and (found := cache.whole()) is not None:
            return found
        remote = await open_remote_file(address, clock=context.clock)
        try:
            return await _until_stopped(
                _fetched(context, cache, remote, progress), progress, cache.stopped
            )
        finally:
            await remote.aclose()


def address_of(path: Path) -> str:
    """The address that a file of the cache was fetched from, as it may be shown; else empty."""
    folder = path.parent.parent
    if folder.parent.name != _FOLDER:
        return ""
    entry = _read(folder / _ENTRY)
    return "" if entry is None or not entry.file else entry.address


async def _until_stopped(
    work: Coroutine[Any, Any, FetchedFile], progress: Progress, error: Callable[[], UsageError]
) -> FetchedFile:
    """Do the work, but end it when the progress is stopped, also while a server is silent.

    Raises:
        UsageError: It was stopped: what ``error`` gives.
    """
    task = asyncio.ensure_future(work)
    try:
        while not task.done():
            await asyncio.wait({task}, timeout=_LOOK_SECONDS)
            if progress.stopped:
                task.cancel()
                await asyncio.wait({task})
        if task.cancelled():
            raise error()
        return task.result()
    finally:
        task.cancel()
        # The file is closed before anybody else may have it.
        await asyncio.wait({task})


class _BrokenOffError(Exception):
    """A transfer broke off after it had begun.

    Args:
        error: What is told if it does not go on.
    """

    def __init__(self, error: UnreachableError) -> None:
        super().__init__(error.message)
        self.error = error


async def _fetched(
    context: Context, cache: _Cache, remote: RemoteFile, progress: Progress
) -> FetchedFile:
    """Fetch a file; a transfer that breaks off goes on while more bytes arrive."""
    failures, furthest = 0, cache.arrived
    while True:
        try:
            return await _fetch_once(context, cache, remote, progress)
        except _BrokenOffError as broken:
            arrived = cache.arrived
            failures = 0 if arrived > furthest else failures + 1
            furthest = max(furthest, arrived)
            if not arrived or failures >= _FAILURES:
                broken.error.hint = "Give the address again to go on." if arrived else "Try again."
                raise broken.error from None
        await context.sleep(min(2.0**failures / 2, _LONGEST_PAUSE))


async def _fetch_once(
    context: Context, cache: _Cache, remote: RemoteFile, progress: Progress
) -> FetchedFile:
    async with remote.open(cache.copy()) as transfer:
        if transfer.is_same and (found := cache.whole()) is not None:
            return found
        _check_size(transfer.total or 0, context.fetch_bytes, cache, size(transfer.total or 0))
        if transfer.start == 0:
            await asyncio.to_thread(cache.begin, transfer)
        try:
            arrived = await _receive(context, cache, transfer, progress)
        except UnreachableError as error:
            raise _BrokenOffError(error) from None
    if not arrived:
        cache.forget_part()
        raise InputError(f"{cache.shown} is empty", "Check the address.")
    return await asyncio.to_thread(cache.finish, arrived)


async def _receive(context: Context, cache: _Cache, transfer: Transfer, progress: Progress) -> int:
    """Add the chunks of a transfer to the part that is there; returns the size of the file.

    Raises:
        InputError: The file is too large, or cannot be written.
        UsageError: It was stopped.
        UnreachableError: It broke off.
    """
    arrived = transfer.start
    with cache.part() as file:
        async for chunk in transfer.chunks:
            if progress.stopped:
                file.flush()
                raise cache.stopped()
            arrived += len(chunk)
            _check_size(arrived, context.fetch_bytes, cache, "more than that")
            file.write(chunk)
            progress.update(arrived, transfer.total)
    if transfer.total is not None and arrived != transfer.total:
        if arrived > transfer.total:
            cache.forget_part()
        raise UnreachableError(
            f"{cache.shown} broke off at {arrived:,} of {transfer.total:,} bytes", "Try again."
        )
    return arrived


def _check_size(found: int, most: int, cache: _Cache, words: str) -> None:
    """Check the size of a file, which ``words`` say; what has arrived of a larger one is removed.

    Raises:
        InputError: It is larger than what is fetched.
    """
    if found > most:
        cache.forget_part()
        raise InputError(
            f"{cache.shown} has {words}, and at most {size(most)} are fetched",
            "Raise it with --max-size 20GB, or max_megabytes under [sources] in config.toml.",
        )


class _Cache:
    """The files of one address.

    Args:
        root: The folder of all addresses.
        address: The address.

    Attributes:
        address: The address.
        shown: The address of the whole file, without its query.
    """

    def __init__(self, root: Path, address: FileAddress) -> None:
        self.address = address
        self._root = root
        key = hashlib.sha256(address.url.encode("utf-8", "surrogatepass")).hexdigest()[:24]
        self._folder = root / key
        self.shown = address.shown.removesuffix(f"::{address.part}" if address.part else "")

    @asynccontextmanager
    async def alone(self, context: Context, progress: Progress) -> AsyncIterator[None]:
        """Wait until no other program fetches this address; old files are removed first."""
        descriptor = await asyncio.to_thread(self._open_lock, context.clock())
        try:
            # Where there are no locks, it goes on without one.
            while lock_file(descriptor) is False:
                if progress.stopped:
                    raise self.stopped()
                await context.sleep(_LOCK_PAUSE)
            yield
        finally:
            os.close(descriptor)

    def _open_lock(self, now: float) -> int:
        try:
            private_folder(self._root)
            private_folder(self._folder)
            descriptor = open_private(self._folder / _LOCK, os.O_RDWR | os.O_CREAT)
            os.utime(self._folder / _LOCK, (now, now))
        except OSError as error:
            raise write_error(self._folder, error, InputError) from error
        _remove_old(self._root, now - KEPT_SECONDS)
        return descriptor

    def whole(self, *, is_new: bool = False) -> FetchedFile | None:
        """The file, if all of it is there."""
        entry = self._read(_ENTRY)
        if entry is None or not entry.file:
            return None
        path = self._folder / entry.file
        if not path.is_file() or path.stat().st_size != entry.size:
            return None
        return FetchedFile(self.address, path, entry.size, is_new)

    def copy(self) -> Copy | None:
        """What there is of the file: a part that another version left, or all of the last one."""
        entry = self._read(_PART_ENTRY)
        if entry is not None and entry.version.exact and self.arrived:
            return Copy(entry.version, self.arrived)
        found, entry = self.whole(), self._read(_ENTRY)
        if found is None or entry is None or not entry.version:
            return None
        return Copy(entry.version, found.size, is_whole=True)

    @property
    def arrived(self) -> int:
        """The bytes of the part that is there."""
        try:
            return (self._folder / _PART).stat().st_size
        except OSError:
            return 0

    def begin(self, transfer: Transfer) -> None:
        """Forget what has arrived, and note the version of what comes now; blocking.

        Raises:
            InputError: It cannot be written.
        """
        self.forget_part()
        entry = _Entry(address=self.shown, version=transfer.version, media_type=transfer.media_type)
        atomic_write(self._folder / _PART_ENTRY, msgspec.json.encode(entry))

    @contextlib.contextmanager
    def part(self) -> Iterator[BinaryIO]:
        """The file that takes the bytes of a transfer, behind those that have arrived.

        Raises:
            InputError: It cannot be written.
        """
        path = self._folder / _PART
        try:
            descriptor = open_private(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            with os.fdopen(descriptor, "ab") as file:
                yield file
        except OSError as error:
            raise write_error(path, error, InputError) from error

    def stopped(self) -> UsageError:
        """The error for a fetch that was stopped."""
        entry = self._read(_PART_ENTRY)
        if entry is None or not self.arrived:
            hint = "Give the address again to fetch it."
        elif entry.version.exact:
            hint = "Give the address again to go on."
        else:
            hint = "Give the address again; its server cannot go on, so it starts anew."
        return UsageError(f"fetching {self.shown} was stopped after {size(self.arrived)}", hint)

    def forget_part(self) -> None:
        """Remove what has arrived."""
        for name in (_PART, _PART_ENTRY):
            (self._folder / name).unlink(missing_ok=True)

    def finish(self, arrived: int) -> FetchedFile:
        """Keep a part that is whole as the file; blocking.

        Raises:
            InputError: It cannot be written.
        """
        part = self._folder / _PART
        entry = self._read(_PART_ENTRY) or _Entry(address=self.shown)
        try:
            folder = private_folder(self._folder / os.urandom(6).hex())
            path = folder / _named(self.address, entry.media_type)
            with part.open("rb") as file:
                os.fsync(file.fileno())
            part.replace(path)
            path.chmod(0o400)
        except OSError as error:
            raise write_error(part, error, InputError) from error
        whole = msgspec.structs.replace(entry, file=f"{folder.name}/{path.name}", size=arrived)
        atomic_write(self._folder / _ENTRY, msgspec.json.encode(whole))
        self.forget_part()
        self._remove_earlier(folder)
        return FetchedFile(self.address, path, arrived, is_new=True)

    def _remove_earlier(self, newest: Path) -> None:
        """Remove the earlier versions, but for those that somebody may still read."""
        before = newest.stat().st_mtime - EARLIER_SECONDS
        for folder in self._folder.iterdir():
            if folder.is_dir() and folder != newest and folder.stat().st_mtime < before:
                shutil.rmtree(folder, ignore_errors=True)

    def _read(self, name: str) -> _Entry | None:
        return _read(self._folder / name)


def _read(path: Path) -> _Entry | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Entry)
    except (OSError, msgspec.MsgspecError):
        # There is none, or a crash left half of it: the file is fetched again.
        return None


def _named(address: FileAddress, media_type: str) -> str:
    """The name of a file, with an ending that says what it is, if anything does."""
    from tui.compose.sources.open import has_known_ending

    name = address.name
    if has_known_ending(name):
        return name
    return f"{name}{_ENDINGS.get(media_type, '')}"


def _remove_old(root: Path, before: float) -> None:
    """Remove the files of addresses that were last used before a time (Unix seconds)."""
    with contextlib.suppress(OSError):
        for folder in root.iterdir():
            with contextlib.suppress(OSError):
                if (folder / _LOCK).stat().st_mtime < before:
                    shutil.rmtree(folder, ignore_errors=True)
