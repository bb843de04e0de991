"""Derived columns from a table of ids and values: kept in a file of the job, a line per row."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Self

import msgspec

from tui.core.analysis.derived import DerivedColumn
from tui.errors import HistoryError, UsageError
from tui.files import atomic_file
from tui.paths import Paths
from tui.store.columns.values import ColumnValues
from tui.store.job_records import JobData
from tui.store.rows.lookup import find_row_numbers

_PAGE = 500
_NONE = -1

_Line = tuple[int, str]


class TableCounts(msgspec.Struct, frozen=True):
    """What became of the lines of a table.

    Attributes:
        rows: Rows of the job that have a value now.
        unknown: Ids that the job does not have.
        repeated: Lines with an id that came before; the last one counts.
    """

    rows: int
    unknown: int
    repeated: int


def table_file(paths: Paths, job_id: str, name: str) -> Path:
    """The file with the values of a column."""
    return paths.job_folder(job_id) / f"column-{name}.jsonl"


def table_stamp(paths: Paths, job_id: str, name: str) -> tuple[int, int]:
    """What changes when the values of a column are written anew."""
    try:
        found = table_file(paths, job_id, name).stat()
    except OSError:
        return (0, 0)
    return found.st_mtime_ns, found.st_size


def write_table(
    data: JobData, column: DerivedColumn, pairs: Iterable[tuple[str, str | None]]
) -> TableCounts:
    """Write the values of a column from pairs of id and value.

    Raises:
        UsageError: None of the ids is one of the job.
        HistoryError: The file cannot be written.
    """
    filled = bytearray(data.job.counts.total)
    unknown = repeated = 0
    encode = msgspec.json.Encoder().encode
    left = iter(pairs)
    with atomic_file(table_file(data.paths, data.id, column.name), HistoryError) as stream:
        while page := list(islice(left, _PAGE)):
            seqs = find_row_numbers(data.connection, data.pk, [one for one, _ in page])
            for one, value in page:
                seq = seqs.get(one)
                if seq is None:
                    unknown += 1
                elif value is not None:
                    repeated += filled[seq]
                    filled[seq] = 1
                    stream.write(encode((seq, value)) + b"\n")
        if not any(filled):
            raise UsageError(
                f"none of the ids in {column.table} is in this job",
                "The table needs the custom_id of each row.",
            )
    return TableCounts(sum(filled), unknown, repeated)


class TableValues:
    """The values of a column, read from its file by row; eight bytes of memory per row.

    Raises:
        HistoryError: The file is missing or damaged.
    """

    def __init__(self, data: JobData, name: str) -> None:
        self._path = table_file(data.paths, data.id, name)
        self._file: BinaryIO | None = None
        self._decode = msgspec.json.Decoder(_Line).decode
        self._places = array("q", [_NONE]) * data.job.counts.total
        try:
            self._file = self._path.open("rb")
            place = 0
            for line in self._file:
                seq, _ = self._decode(line)
                self._places[seq] = place
                place += len(line)
        except (OSError, msgspec.MsgspecError, IndexError) as error:
            self.close()
            raise HistoryError(
                f"{self._path} cannot be read: {error}", f"Remove the column calc.{name}."
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def values(self, seqs: Sequence[int]) -> Iterator[str | None]:
        """The values of rows, in the given order."""
        assert self._file is not None
        for seq in seqs:
            place = self._places[seq]
            if place == _NONE:
                yield None
            else:
                self._file.seek(place)
                yield self._decode(self._file.readline())[1]


def table_column(data: JobData, name: str) -> ColumnValues:
    """The values of a column in all rows."""
    made = ColumnValues(data.job.counts.total)
    with TableValues(data, name) as table:
        for seq, value in enumerate(table.values(range(data.job.counts.total))):
            made.set(seq, value)
    return made
