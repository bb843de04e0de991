"""Request bodies that are read from a file while they are sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from tui.core.text import split_lines
from tui.errors import InputError
from tui.progress import NO_PROGRESS, Progress


class ProgressFile:
    """A file opened for reading that reports its progress.

    httpx takes the length from ``fileno`` and reads pieces of 64 KiB while it writes to the socket:
    memory use is constant, and each read blocks the event loop for microseconds only.
    """

    def __init__(self, path: Path, progress: Progress) -> None:
        self._file = _open(path)
        self._size = path.stat().st_size
        self._progress = progress
        self._sent = 0

    def read(self, size: int = -1) -> bytes:
        """Read the next bytes and report the progress."""
        data = self._file.read(size)
        self._sent += len(data)
        if data:
            self._progress.update(self._sent, self._size)
        return data

    def fileno(self) -> int:
        """The file descriptor, from which httpx gets the length."""
        return self._file.fileno()

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move the position and reset the progress, as for a file that is sent again."""
        self._sent = 0
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """The current position."""
        return self._file.tell()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def multipart_body(
    file: ProgressFile, *, field: str, name: str, content_type: str, form: Mapping[str, str]
) -> dict[str, Any]:
    """Build the httpx arguments of a multipart body.

    The plain fields come before the file, because some servers read them in order.
    """
    return {"data": dict(form), "files": {field: (name, file, content_type)}}


_CHUNK = 1 << 16


class FileBody:
    """A request body of the bytes of a file from an offset to its end.

    Args:
        path: The file.
        start: The first byte to send.
    """

    def __init__(self, path: Path, start: int = 0) -> None:
        self._path = path
        self._start = start
        self._size = size_of(path)

    def body(self, progress: Progress = NO_PROGRESS) -> dict[str, Any]:
        """The httpx arguments that send the body once."""
        return {"content": self._chunks(progress)}

    @property
    def headers(self) -> dict[str, str]:
        """The length header, which prevents chunked transfer encoding."""
        return {"Content-Length": str(self._size - self._start)}

    async def _chunks(self, progress: Progress) -> AsyncIterator[bytes]:
        sent = self._start
        with _open(self._path) as file:
            file.seek(sent)
            while chunk := file.read(_CHUNK):
                yield chunk
                sent += len(chunk)
                progress.update(sent, self._size)


def size_of(path: Path) -> int:
    """The size of a file to upload.

    Raises:
        InputError: The file cannot be read.
    """
    with _open(path) as file:
        return file.seek(0, 2)


class RowBody:
    r"""A request body of rows from a file, between a head and a tail.

    The file is read twice: once in a thread for its length, because servers and gateways require
    a ``Content-Length``, and once while it is sent. Blank lines and ``\r`` are skipped.

    Args:
        path: The file, one row per line.
        head: The bytes before the rows.
        separator: The bytes between two rows.
        tail: The bytes after the rows.
    """

    def __init__(self, path: Path, *, head: bytes, separator: bytes, tail: bytes) -> None:
        self._path = path
        self._head = head
        self._separator = separator
        self._tail = tail
        self._length = 0

    async def measure(self) -> int:
        """Compute the length of the body in bytes.

        Raises:
            InputError: The file cannot be read or has no rows.
        """
        self._length = await asyncio.to_thread(self._measure)
        return self._length

    def body(self, progress: Progress = NO_PROGRESS) -> dict[str, Any]:
        """The httpx arguments that send the body once; call ``measure`` first."""
        return {"content": self._chunks(progress)}

    @property
    def headers(self) -> dict[str, str]:
        """The length header, which prevents chunked transfer encoding."""
        return {"Content-Length": str(self._length)}

    def _measure(self) -> int:
        rows = 0
        size = 0
        with _open(self._path) as file:
            for row in _rows(file):
                rows += 1
                size += len(row)
        if rows == 0:
            raise InputError(f"{self._path} contains no requests", path=self._path)
        between = len(self._separator) * (rows - 1)
        return len(self._head) + size + between + len(self._tail)

    async def _chunks(self, progress: Progress) -> AsyncIterator[bytes]:
        sent = 0
        chunk = bytearray(self._head)
        with _open(self._path) as file:
            first = True
            for row in _rows(file):
                if not first:
                    chunk += self._separator
                first = False
                chunk += row
                if len(chunk) >= _CHUNK:
                    yield bytes(chunk)
                    sent += len(chunk)
                    progress.update(sent, self._length)
                    chunk.clear()
        chunk += self._tail
        yield bytes(chunk)
        progress.update(sent + len(chunk), self._length)


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", path=path) from error


def _rows(file: BinaryIO) -> Iterator[bytes]:
    for _, line in split_lines(file):
        row = line.strip()
        if row:
            yield row
