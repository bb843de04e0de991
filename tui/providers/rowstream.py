"""Rows from disk as the body of one request: a JSON array in a document, or JSON lines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from tui.core.lines import lines_of
from tui.errors import InputError
from tui.providers.base import SendProgress

_PIECE = 1 << 16


class RowStream:
    r"""The rows of a file between a head and a tail, joined by a separator.

    The file is read twice: once in a thread for the length, because servers and gateways want
    a ``Content-Length``, and once while it is sent. Blank lines and ``\r`` are left out.

    Args:
        path: The rows, one a line.
        head: What comes before them.
        separator: What stands between two rows.
        tail: What comes after them.
    """

    def __init__(self, path: Path, *, head: bytes, separator: bytes, tail: bytes) -> None:
        self._path = path
        self._head = head
        self._separator = separator
        self._tail = tail
        self._length = 0

    async def measure(self) -> int:
        """The length of the body in bytes.

        Raises:
            InputError: The file cannot be read, or holds no row.
        """
        self._length = await asyncio.to_thread(self._measure)
        return self._length

    def body(self, progress: SendProgress | None = None) -> dict[str, Any]:
        """Arguments for httpx that send the body once; ``measure`` comes before."""
        return {"content": self._pieces(progress)}

    @property
    def headers(self) -> dict[str, str]:
        """The length, so that the body is not sent in chunks of unknown number."""
        return {"Content-Length": str(self._length)}

    def _measure(self) -> int:
        rows = 0
        size = 0
        with self._open() as file:
            for row in _rows(file):
                rows += 1
                size += len(row)
        if rows == 0:
            raise InputError(f"{self._path} holds no request", path=self._path)
        between = len(self._separator) * (rows - 1)
        return len(self._head) + size + between + len(self._tail)

    async def _pieces(self, progress: SendProgress | None) -> AsyncIterator[bytes]:
        sent = 0
        piece = bytearray(self._head)
        with self._open() as file:
            first = True
            for row in _rows(file):
                if not first:
                    piece += self._separator
                first = False
                piece += row
                if len(piece) >= _PIECE:
                    yield bytes(piece)
                    sent += len(piece)
                    if progress is not None:
                        progress(sent, self._length)
                    piece.clear()
        piece += self._tail
        yield bytes(piece)
        if progress is not None:
            progress(sent + len(piece), self._length)

    def _open(self) -> BinaryIO:
        try:
            return self._path.open("rb")
        except OSError as error:
            raise InputError(
                f"{self._path} cannot be read: {error.strerror}", path=self._path
            ) from error


def _rows(file: BinaryIO) -> Iterator[bytes]:
    for _, line in lines_of(file):
        row = line.strip()
        if row:
            yield row
