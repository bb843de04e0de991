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
from tui.errors import HistoryError
from tui.store.database import Database
from tui.store.groups import Groups
from tui.store.jobs import add_counts, batch_pk
from tui.store.joining import Values, join_rows
from tui.store.seqs import SeqFinder
from tui.store.terms import Terms

Reader = Callable[[bytes, Mapping[str, bool] | None], RowResult]

_VARYING = (
    "seq, outcome, http_status, error_group, finish, model, input_tokens, output_tokens,"
    " cached_tokens, cost, offset, length, preview"
)

_MARKS = ",".join("?" * 13)

_SLICE_BYTES = 1 << 21
"""Bytes read at a time: some twenty milliseconds of work, which is one transaction."""

_PREVIEW = 160


Found = tuple[int, int, RowResult]
"""Offset and length of a line in bytes, without its end, and what it says."""

Stray = tuple[int, int, str, str]
"""Offset and length of a line, why it belongs to no row, and its ``custom_id``."""


@dataclass(frozen=True)
class ResultFile:
    """A result file of a batch and how far it is known."""

    pk: int
    path: Path
    received: int
    indexed: int
    lines: int
    complete: bool
    ref: str = ""


class ResultIndexer:
    """Reads the lines of one result file into the history, slice by slice.

    Args:
        database: The history.
        batch_id: Whose file it is.
        file: The file, as ``tui.store.files`` knows it.
        reader: Reads a line in the batch's dialect.
        rules: The profile's codes and whether they can be retried.
        only: Rows that the file may speak of; lines of others are known already.
    """

    def __init__(
        self,
        database: Database,
        batch_id: str,
        file: ResultFile,
        *,
        reader: Reader = read_openai_line,
        rules: Mapping[str, bool] | None = None,
        only: frozenset[int] | None = None,
    ) -> None:
        self._database = database
        self._only = only
        self._file = file
        self._reader = reader
        self._rules = rules
        self._terms = Terms()
        self._batch, self._job = batch_pk(database.read, batch_id)
        (self._attempt,) = database.read.execute(
            "SELECT attempt FROM batches WHERE pk=?", (self._batch,)
        ).fetchone()
        self._seqs = SeqFinder(self._job, self._first_seq() + file.lines)
        # What is the same for every line stands in the statement: fewer values to bind.
        self._insert = (
            f"{{verb}} INTO {{table}} (job, attempt, batch, file, {_VARYING}) VALUES"
            f" ({self._job}, {self._attempt}, {self._batch}, {file.pk}, {_MARKS})"
        )
        self.indexed = file.indexed
        self.lines = file.lines

    def _first_seq(self) -> int:
        (first,) = self._database.read.execute(
            "SELECT first_seq FROM batches WHERE pk=?", (self._batch,)
        ).fetchone()
        return first or 0

    def run(self, *, complete: bool, stop: Callable[[], bool] | None = None) -> int:
        """Index what is on the disk and not indexed yet; the answer is the number of lines.

        Args:
            complete: The file will not grow: a last line without an end is a line.
            stop: Asked between slices.
        """
        before = self.lines
        with self._file.path.open("rb") as stream:
            stream.seek(self.indexed)
            for lines, ended in _slices(stream, complete):
                self._store(lines, ended=ended)
                if stop is not None and stop():
                    break
        return self.lines - before

    def _store(self, lines: list[bytes], *, ended: bool) -> None:
        found: list[Found] = []
        strays: list[Stray] = []
        offset = self.indexed
        read = self._reader
        rules = self._rules
        for line in lines:
            length = len(line)
            if length:
                try:
                    found.append((offset, length, read(line, rules)))
                except UnreadableLineError:
                    if not line.isspace():
                        strays.append((offset, length, "unreadable", ""))
            offset += length + 1
        if not ended:
            offset -= 1
        count = self.lines + len(found) + len(strays)
        try:
            with self._database.write() as connection:
                self._move_on(connection, offset, count)
                self._store_rows(connection, found, strays)
                connection.executemany(
                    "INSERT INTO strays (file, offset, length, kind, custom_id) VALUES (?,?,?,?,?)",
                    [(self._file.pk, *stray) for stray in strays],
                )
        except BaseException:
            # Words that were stored in the transaction are gone with it.
            self._terms = Terms()
            raise
        self.indexed = offset
        self.lines = count

    def _move_on(self, connection: sqlite3.Connection, indexed: int, lines: int) -> None:
        """Note how far the file is known, if nobody else has read on in it."""
        cursor = connection.execute(
            "UPDATE files SET indexed=?, lines=? WHERE pk=? AND indexed=?",
            (indexed, lines, self._file.pk, self.indexed),
        )
        if cursor.rowcount != 1:
            raise HistoryError(
                f"another program reads {self._file.path.name} at the same time",
                "It is looked at again by itself.",
            )

    def _store_rows(
        self, connection: sqlite3.Connection, found: list[Found], strays: list[Stray]
    ) -> None:
        groups = Groups(connection, self._job)
        seqs = self._seqs.find(connection, [result.custom_id for _, _, result in found])
        rows: list[Values] = []
        term = self._terms.number
        terms: dict[str | None, int | None] = {None: None}
        for offset, length, result in found:
            seq = seqs.get(result.custom_id)
            if seq is None:
                strays.append((offset, length, "unknown", result.custom_id))
                continue
            if self._only is not None and seq not in self._only:
                continue
            for word in (result.finish_reason, result.model):
                if word not in terms:
                    terms[word] = term(connection, word)
            error = result.error
            usage = result.usage
            rows.append(
                (
                    seq,
                    OUTCOME_CODES[result.outcome],
                    result.http_status,
                    None if error is None else groups.number(result.http_status, error),
                    terms[result.finish_reason],
                    terms[result.model],
                    usage.input_tokens,
                    usage.output_tokens,
                    usage.cached_tokens,
                    result.cost,
                    offset,
                    length,
                    (result.text if error is None else error.message)[:_PREVIEW],
                )
            )
        if self._attempt > 1 or not self._store_at_once(connection, rows):
            ids = {seq: custom_id for custom_id, seq in seqs.items()}
            join_rows(connection, self._job, self._batch, self._file.pk, rows, ids, self._insert)

    def _store_at_once(self, connection: sqlite3.Connection, rows: list[Values]) -> bool:
        """Store lines of rows of which nothing is known yet, as nearly all are.

        Returns:
            ``False``, with nothing stored, when something may be known of one of them.
        """
        retried = "SELECT 1 FROM attempts WHERE job=? LIMIT 1"
        if connection.execute(retried, (self._job,)).fetchone():
            return False
        connection.execute("SAVEPOINT slice")
        try:
            connection.executemany(self._insert.format(verb="INSERT", table="results"), rows)
            stored = True
        except sqlite3.IntegrityError:
            connection.execute("ROLLBACK TO slice")
            stored = False
        connection.execute("RELEASE slice")
        if stored:
            add_counts(connection, self._job, dict(Counter(row[1] for row in rows)))
        return stored


def _slices(stream: BinaryIO, complete: bool) -> Iterator[tuple[list[bytes], bool]]:
    """Lines, about a slice of bytes at a time, and whether the last of them has an end.

    Only lines with an end, until the file is complete. A longer line makes a longer slice.
    """
    rest: list[bytes] = []
    while chunk := stream.read(_SLICE_BYTES):
        head, newline, tail = chunk.rpartition(b"\n")
        if not newline:
            rest.append(chunk)
            continue
        rest.append(head)
        yield b"".join(rest).split(b"\n"), True
        rest = [tail] if tail else []
    if rest and complete:
        yield [b"".join(rest)], False
