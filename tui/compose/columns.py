"""The columns of a table beside the requests that were made of them.

``reviews.jsonl`` gets ``reviews.jsonl.inputs``, so that answers can be joined to the table
that they came from. It counts only as long as the requests are byte for byte those that were
composed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tui.compose.atomic import atomic_file
from tui.compose.sources.source import Source
from tui.core.columns import ENDING, ColumnsHead, read_head

_BLOCK = 1 << 20
_DIGEST = 16
_LONGEST_HEAD = 1 << 20


def columns_path(requests: Path) -> Path:
    """Where the columns of a file of requests are kept."""
    return requests.with_name(requests.name + ENDING)


class ColumnsWriter:
    """Takes rows and their request lines, and writes the columns.

    Args:
        stream: Where to; it must be able to seek.
        source: Where the rows come from.
    """

    def __init__(self, stream: BinaryIO, source: Source) -> None:
        self._stream = stream
        self._head = ColumnsHead(columns=source.columns, source=source.name)
        self._digest = hashlib.blake2b(digest_size=_DIGEST)
        self._rows = 0
        stream.write(self._line())

    def add(self, count: int, arrays: bytes, lines: bytes) -> None:
        r"""Keep the values of rows, as ``columns_line`` has them, with their request lines.

        Args:
            count: How many rows.
            arrays: A JSON array for each, with ``\n``.
            lines: A request for each, with ``\n``.
        """
        self._stream.write(arrays)
        self._digest.update(lines)
        self._rows += count

    def finish(self) -> None:
        """Put the number of rows and the digest into the head."""
        self._stream.seek(0)
        self._stream.write(self._line())

    def _line(self) -> bytes:
        head = ColumnsHead(
            columns=self._head.columns,
            source=self._head.source.encode("utf-8", "replace").decode("utf-8"),
            rows=self._rows,
            requests=self._digest.hexdigest(),
        )
        return head.line()


def columns_file(source: Source, requests: Path) -> AbstractContextManager[BinaryIO | None]:
    """A file for the columns of a source; ``None`` where it has none, and an old one goes."""
    path = columns_path(requests)
    if source.kind != "requests" and source.columns:
        return atomic_file(path)
    path.unlink(missing_ok=True)
    return nullcontext()


@dataclass(frozen=True)
class ColumnsBeside:
    """The columns that lie beside a file of requests, and whether they still belong to it."""

    path: Path
    head: ColumnsHead
    fits: bool

    def lines(self) -> Iterator[bytes]:
        r"""The rows as they are kept, without ``\n``, one for each request in order."""
        with self.path.open("rb") as stream:
            next(stream)
            for line in stream:
                yield line.rstrip(b"\n")


def columns_beside(requests: Path) -> ColumnsBeside | None:
    """Look for columns beside a file of requests; reads that whole when there are some."""
    path = columns_path(requests)
    try:
        with path.open("rb") as stream:
            head = read_head(stream.readline(_LONGEST_HEAD))
        if head is None:
            return None
        digest = hashlib.blake2b(digest_size=_DIGEST)
        with requests.open("rb") as stream:
            while block := stream.read(_BLOCK):
                digest.update(block)
    except OSError:
        return None
    return ColumnsBeside(path, head, digest.hexdigest() == head.requests)
