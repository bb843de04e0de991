"""Store and read the input columns of a job that was composed from a table."""

from __future__ import annotations

import os
import sys
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from tui.core.rows import ColumnsHeader, RowOrigin, decode_columns, read_header
from tui.core.text import split_lines
from tui.files import atomic_file
from tui.paths import Paths

INPUTS = "inputs.jsonl"
"""Name of the file with the columns, in a job's folder: a head line, then one line per row."""

INDEX = "inputs.idx"
"""Name of its index: offset of each row and of the end, as 64-bit little-endian integers."""

Columns = tuple[ColumnsHeader, Iterator[bytes]]
"""The head, and one line per request in order; an argument of ``import_requests``."""

_OFFSET_SIZE = 8
_MAX_SPREAD = 4
_OFFSETS_PER_WRITE = 100_000


@contextmanager
def write_inputs(folder: Path, head: ColumnsHeader) -> Iterator[Callable[[bytes], None]]:
    r"""Write the input columns of a new job; the files are complete or do not exist.

    Args:
        folder: The folder of the job.
        head: Names of the columns.

    Yields:
        A function that writes the line of the next row, given without ``\n``.
    """
    with atomic_file(folder / INPUTS, None) as lines, atomic_file(folder / INDEX, None) as index:
        offset = lines.write(head.line())
        places = array("Q")

        def add(line: bytes) -> None:
            nonlocal offset
            places.append(offset)
            offset += lines.write(line) + lines.write(b"\n")
            if len(places) >= _OFFSETS_PER_WRITE:
                _write_offsets(places, index)

        yield add
        places.append(offset)
        _write_offsets(places, index)


def rebuild_index(folder: Path) -> None:
    """Write the index of the input columns of a job anew; nothing if it has none. Blocking.

    Args:
        folder: The folder of the job.

    Raises:
        OSError: A file cannot be read or written.
    """
    try:
        lines = (folder / INPUTS).open("rb")
    except FileNotFoundError:
        return
    with lines, atomic_file(folder / INDEX, None) as index:
        end = len(lines.readline())
        places = array("Q")
        for offset, line in split_lines(lines, end):
            places.append(offset)
            end = offset + len(line) + 1
            if len(places) >= _OFFSETS_PER_WRITE:
                _write_offsets(places, index)
        places.append(end)
        _write_offsets(places, index)


def _write_offsets(places: array[int], stream: BinaryIO) -> None:
    if sys.byteorder == "big":
        places.byteswap()
    stream.write(places.tobytes())
    del places[:]


class InputColumns:
    """Reads the input columns of a job; a context manager, to be used in one thread.

    A job that did not come from a table has no columns: ``columns`` is empty, and every row
    is ``None``.

    Args:
        paths: Locates the folder of the job.
        job_id: The job.

    Attributes:
        columns: Names of the columns, in the order of the table.
        source: Name of the table.
        origin: The job whose rows the table is made of, if it is.
        table: The table as it can be opened again; empty if it cannot.
        template: What rendered its rows, as plain values; ``None`` without one.
    """

    def __init__(self, paths: Paths, job_id: str) -> None:
        folder = paths.job_folder(job_id)
        self._lines: BinaryIO | None = None
        self._index: BinaryIO | None = None
        self._rows = 0
        self.columns: tuple[str, ...] = ()
        self.source = ""
        self.origin: RowOrigin | None = None
        self.table = ""
        self.template: dict[str, Any] | None = None
        try:
            self._lines = (folder / INPUTS).open("rb")
            self._index = (folder / INDEX).open("rb", buffering=0)
        except OSError:
            self.close()
            return
        head = read_header(self._lines.readline())
        if head is None:
            self.close()
            return
        self.columns = head.columns
        self.source = head.source
        self.origin = head.origin
        self.table = head.table
        self.template = head.template
        self._rows = os.fstat(self._index.fileno()).st_size // _OFFSET_SIZE - 1

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
        """Values of rows, in the given order.

        Args:
            seqs: Row numbers; a few hundred at most.

        Returns:
            For each row a tuple as long as ``columns``, or ``None`` if the row has no values.
        """
        if not seqs or self._lines is None or self._index is None:
            return [None] * len(seqs)
        known = [seq for seq in seqs if 0 <= seq < self._rows]
        if not known:
            return [None] * len(seqs)
        read = self._read_block(min(known), max(known)) if _is_dense(known) else self._read_line
        width = len(self.columns)
        return [decode_columns(read(seq), width) if 0 <= seq < self._rows else None for seq in seqs]

    def _read_block(self, first: int, last: int) -> Callable[[int], bytes]:
        """Read neighbouring rows at once, and return a function that gives the line of each."""
        places = self._places(first, last - first + 2)
        block = self._bytes(places[0], places[-1] - places[0])
        start = places[0]

        def read(seq: int) -> bytes:
            at = seq - first
            return block[places[at] - start : places[at + 1] - start]

        return read

    def _read_line(self, seq: int) -> bytes:
        begin, end = self._places(seq, 2)
        return self._bytes(begin, end - begin)

    def _places(self, first: int, number: int) -> array[int]:
        assert self._index is not None
        found = array(
            "Q", os.pread(self._index.fileno(), number * _OFFSET_SIZE, first * _OFFSET_SIZE)
        )
        if sys.byteorder == "big":
            found.byteswap()
        return found

    def _bytes(self, offset: int, length: int) -> bytes:
        assert self._lines is not None
        return os.pread(self._lines.fileno(), length, offset)


def _is_dense(seqs: Sequence[int]) -> bool:
    return max(seqs) - min(seqs) < _MAX_SPREAD * len(seqs)
