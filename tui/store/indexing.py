"""Indexing a result file while it grows: from bytes on the disk to rows that can be shown.

How far a file is indexed is stored in the transaction that stores its rows, so a crash
repeats nothing and loses nothing. Only complete lines are read until the file is complete.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tui.core.outcome import OUTCOME_CODES
from tui.core.results import UnreadableLineError, read_openai_line
from tui.core.rows import RowResult
from tui.store.database import Database
from tui.store.groups import Groups
from tui.store.jobs import add_counts, batch_pk
from tui.store.merging import RESULT_COLUMNS, RESULT_MARKS, show_best
from tui.store.terms import Terms

Reader = Callable[[bytes, Mapping[str, bool] | None], RowResult]

_SLICE_BYTES = 1 << 20
"""Bytes read at a time. A slice is one transaction of some ten milliseconds."""

_PREVIEW = 160
_IDS_AT_ONCE = 500


@dataclass(frozen=True)
class Place:
    """Where a line stands: offset and length in bytes, without its end."""

    offset: int
    length: int


@dataclass(frozen=True)
class ResultFile:
    """A result file of a batch and how far it is known."""

    pk: int
    path: Path
    received: int
    indexed: int
    lines: int
    complete: bool


class ResultIndexer:
    """Reads the lines of one result file into the history, slice by slice.

    Args:
        database: The history.
        batch_id: Whose file it is.
        file: The file, as ``tui.store.files`` knows it.
        reader: Reads a line in the batch's dialect.
        rules: The profile's codes and whether they can be retried.
    """

    def __init__(
        self,
        database: Database,
        batch_id: str,
        file: ResultFile,
        *,
        reader: Reader = read_openai_line,
        rules: Mapping[str, bool] | None = None,
    ) -> None:
        self._database = database
        self._file = file
        self._reader = reader
        self._rules = rules
        self._terms = Terms()
        self._batch, self._job = batch_pk(database.read, batch_id)
        (self._attempt,) = database.read.execute(
            "SELECT attempt FROM batches WHERE pk=?", (self._batch,)
        ).fetchone()
        self.indexed = file.indexed
        self.lines = file.lines

    def run(self, *, complete: bool, stop: Callable[[], bool] | None = None) -> int:
        """Index what is on the disk and not indexed yet; the answer is the number of lines.

        Args:
            complete: The file will not grow: a last line without an end is a line.
            stop: Asked between slices.
        """
        before = self.lines
        with self._file.path.open("rb") as stream:
            stream.seek(self.indexed)
            for lines in _slices(stream, complete):
                self._store(lines)
                if stop is not None and stop():
                    break
        return self.lines - before

    def _store(self, lines: list[bytes]) -> None:
        readable: list[tuple[Place, RowResult]] = []
        strays: list[tuple[Place, str, str]] = []
        offset = self.indexed
        count = 0
        read = self._reader
        rules = self._rules
        for line in lines:
            length = len(line)
            if line and not line.isspace():
                count += 1
                place = Place(offset, length)
                try:
                    readable.append((place, read(line, rules)))
                except UnreadableLineError:
                    strays.append((place, "unreadable", ""))
            offset += length + 1
        try:
            with self._database.write() as connection:
                self._store_rows(connection, readable, strays)
                connection.executemany(
                    "INSERT INTO strays (file, kind, custom_id, offset, length) VALUES (?,?,?,?,?)",
                    [(self._file.pk, kind, id_, p.offset, p.length) for p, kind, id_ in strays],
                )
                connection.execute(
                    "UPDATE files SET indexed=?, lines=? WHERE pk=?",
                    (offset, self.lines + count, self._file.pk),
                )
        except BaseException:
            # Words that were stored in the transaction are gone with it.
            self._terms = Terms()
            raise
        self.indexed = offset
        self.lines += count

    def _store_rows(
        self,
        connection: sqlite3.Connection,
        readable: list[tuple[Place, RowResult]],
        strays: list[tuple[Place, str, str]],
    ) -> None:
        seqs = self._seqs(connection, [result.custom_id for _, result in readable])
        taken = self._taken(connection, list(seqs.values()))
        groups = Groups(connection, self._job)
        counts: Counter[int] = Counter()
        fresh: list[tuple[object, ...]] = []
        rivals: list[tuple[object, ...]] = []
        rivalled: list[int] = []
        replaced: list[tuple[int, int]] = []
        for place, result in readable:
            seq = seqs.get(result.custom_id)
            if seq is None:
                strays.append((place, "unknown", result.custom_id))
                continue
            values = self._values(connection, groups, seq, place, result)
            holder = taken.get(seq)
            if holder is None:
                fresh.append(values)
                counts[values[2]] += 1  # type: ignore[index]
            elif holder[0] != self._batch:
                rivals.append(values)
                rivalled.append(seq)
            elif holder[1] is None:
                # The row was given up (missing, cancelled), and its line came after all.
                replaced.append((self._job, seq))
                fresh.append(values)
                counts[values[2]] += 1  # type: ignore[index]
                counts[holder[2]] -= 1
            else:
                strays.append((place, "duplicate", result.custom_id))
                continue
            taken[seq] = (self._batch, self._file.pk, 0)
        connection.executemany("DELETE FROM results WHERE job=? AND seq=?", replaced)
        connection.executemany(
            f"INSERT INTO results ({RESULT_COLUMNS}) VALUES ({RESULT_MARKS})", fresh
        )
        add_counts(connection, self._job, dict(counts))
        connection.executemany(
            f"INSERT OR REPLACE INTO attempts ({RESULT_COLUMNS}) VALUES ({RESULT_MARKS})", rivals
        )
        if self._attempt > 1:
            rivalled.extend(seqs.values())
        if rivalled:
            show_best(connection, self._job, rivalled)

    def _values(
        self,
        connection: sqlite3.Connection,
        groups: Groups,
        seq: int,
        place: Place,
        result: RowResult,
    ) -> tuple[object, ...]:
        error = result.error
        usage = result.usage
        return (
            self._job,
            seq,
            OUTCOME_CODES[result.outcome],
            self._attempt,
            self._batch,
            result.http_status,
            None if error is None else groups.number(result.http_status, error),
            self._terms.number(connection, result.finish_reason),
            self._terms.number(connection, result.model),
            usage.input_tokens,
            usage.output_tokens,
            usage.cached_tokens,
            result.cost,
            self._file.pk,
            place.offset,
            place.length,
            (result.text if error is None else error.message)[:_PREVIEW],
        )

    def _seqs(self, connection: sqlite3.Connection, ids: list[str]) -> dict[str, int]:
        found: dict[str, int] = {}
        for start in range(0, len(ids), _IDS_AT_ONCE):
            part = ids[start : start + _IDS_AT_ONCE]
            marks = ",".join("?" * len(part))
            found.update(
                connection.execute(
                    f"SELECT custom_id, seq FROM requests WHERE job=? AND custom_id IN ({marks})",
                    (self._job, *part),
                ).fetchall()
            )
        return found

    def _taken(
        self, connection: sqlite3.Connection, seqs: list[int]
    ) -> dict[int, tuple[int, int | None, int]]:
        """Rows that have a result already: its batch, file and outcome code."""
        found: dict[int, tuple[int, int | None, int]] = {}
        for start in range(0, len(seqs), _IDS_AT_ONCE):
            part = seqs[start : start + _IDS_AT_ONCE]
            marks = ",".join("?" * len(part))
            for seq, batch, file, outcome in connection.execute(
                f"SELECT seq, batch, file, outcome FROM results WHERE job=? AND seq IN ({marks})",
                (self._job, *part),
            ):
                found[seq] = (batch, file, outcome)
        return found


def _slices(stream: BinaryIO, complete: bool) -> Iterator[list[bytes]]:
    """Complete lines, about a slice of bytes at a time; a longer line makes a longer slice."""
    rest = b""
    while chunk := stream.read(_SLICE_BYTES):
        head, newline, tail = chunk.rpartition(b"\n")
        if not newline:
            rest += chunk
            continue
        yield (rest + head).split(b"\n")
        rest = tail
    if rest and complete:
        yield [rest]
