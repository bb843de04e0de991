"""The input columns of a job, row by row, for the table and for joined exports."""

from __future__ import annotations

import os
import sys
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from tui.core.columns import ColumnsHead, read_columns, read_head
from tui.paths import Paths, open_private

INPUTS = "inputs.jsonl"
"""The name of the columns in a job's folder: a head line, then a line for each row."""

INDEX = "inputs.idx"
"""Where each row's line begins, and where the last one ends: unsigned, 8 bytes, little-endian."""

Columns = tuple[ColumnsHead, Iterator[bytes]]
"""The head, and a line for each request in order, as ``import_requests`` takes them."""

_WORD = 8
_SPREAD = 4
_INDEXED_AT_ONCE = 100_000


class InputsWriter:
    """Writes the columns of a new job; ``finish`` puts the files in their places.

    Args:
        folder: The job's.
        head: The columns' names.
    """

    def __init__(self, folder: Path, head: ColumnsHead) -> None:
        self._folder = folder
        self._head = head
        self._lines = os.fdopen(open_private(folder / f".{INPUTS}"), "wb", buffering=1 << 18)
        self._index = os.fdopen(open_private(folder / f".{INDEX}"), "wb")
        self._places = array("Q")
        head_line = head.line()
        self._lines.write(head_line)
        self._offset = len(head_line)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for stream in (self._lines, self._index):
            with suppress(OSError):
                stream.close()

    def add(self, line: bytes) -> None:
        r"""Keep the line of the next row, without ``\n``."""
        self._lines.write(line)
        self._lines.write(b"\n")
        self._places.append(self._offset)
        self._offset += len(line) + 1
        if len(self._places) >= _INDEXED_AT_ONCE:
            _dump(self._places, self._index)

    def finish(self) -> None:
        """Flush both files to the disk and give them their names."""
        self._places.append(self._offset)
        _dump(self._places, self._index)
        for stream, name in ((self._lines, INPUTS), (self._index, INDEX)):
            stream.flush()
            os.fsync(stream.fileno())
            (self._folder / f".{name}").replace(self._folder / name)


def remove_inputs(folder: Path) -> None:
    """Take away what an import that came to no end has left."""
    for name in (INPUTS, INDEX):
        (folder / name).unlink(missing_ok=True)
        (folder / f".{name}").unlink(missing_ok=True)


def _dump(places: array[int], stream: BinaryIO) -> None:
    if sys.byteorder == "big":
        places.byteswap()
    stream.write(places.tobytes())
    del places[:]


class InputColumns:
    """Reads the input columns of a job; a context manager, for one thread.

    A job that did not come from a table has no columns: ``columns`` is empty, and every row
    is ``None``.

    Args:
        paths: Where the job's folder is.
        job_id: The job.
    """

    def __init__(self, paths: Paths, job_id: str) -> None:
        folder = paths.job_folder(job_id)
        self._lines: BinaryIO | None = None
        self._index: BinaryIO | None = None
        self._rows = 0
        self.columns: tuple[str, ...] = ()
        """The names, in the order of the table."""
        self.source = ""
        """What the table was called."""
        try:
            self._lines = (folder / INPUTS).open("rb")
            self._index = (folder / INDEX).open("rb", buffering=0)
        except OSError:
            self.close()
            return
        head = read_head(self._lines.readline())
        if head is None:
            self.close()
            return
        self.columns = head.columns
        self.source = head.source
        self._rows = os.fstat(self._index.fileno()).st_size // _WORD - 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the files."""
        for stream in (self._lines, self._index):
            if stream is not None:
                stream.close()
        self._lines = self._index = None

    def rows(self, seqs: Sequence[int]) -> list[tuple[Any, ...] | None]:
        """The values of some rows, in the order asked.

        Args:
            seqs: Sequence numbers; some hundred at the most.

        Returns:
            For each a tuple as long as ``columns``, or ``None`` where the row has none.
        """
        if not seqs or self._lines is None or self._index is None:
            return [None] * len(seqs)
        wanted = [seq for seq in seqs if 0 <= seq < self._rows]
        if not wanted:
            return [None] * len(seqs)
        read = self._span(min(wanted), max(wanted)) if _is_dense(wanted) else self._single
        width = len(self.columns)
        return [read_columns(read(seq), width) if 0 <= seq < self._rows else None for seq in seqs]

    def _span(self, first: int, last: int) -> Callable[[int], bytes]:
        """Read rows that lie together in one go."""
        places = self._places(first, last - first + 2)
        block = self._bytes(places[0], places[-1] - places[0])
        start = places[0]

        def read(seq: int) -> bytes:
            at = seq - first
            return block[places[at] - start : places[at + 1] - start]

        return read

    def _single(self, seq: int) -> bytes:
        begin, end = self._places(seq, 2)
        return self._bytes(begin, end - begin)

    def _places(self, first: int, number: int) -> array[int]:
        assert self._index is not None
        found = array("Q", os.pread(self._index.fileno(), number * _WORD, first * _WORD))
        if sys.byteorder == "big":
            found.byteswap()
        return found

    def _bytes(self, offset: int, length: int) -> bytes:
        assert self._lines is not None
        return os.pread(self._lines.fileno(), length, offset)


def _is_dense(seqs: Sequence[int]) -> bool:
    return max(seqs) - min(seqs) < _SPREAD * len(seqs)
