"""Indexing a result file while it grows: from bytes on the disk to rows that can be shown.

How far a file is indexed is stored in the transaction that stores its rows, so a crash
repeats nothing and loses nothing. Only complete lines are read until the file is complete.
"""

from __future__ import annotations

import itertools
import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from tui.core.outcome import OUTCOME_CODES
from tui.core.results import read_openai_line
from tui.errors import HistoryError
from tui.store.database import Database
from tui.store.groups import Groups
from tui.store.jobs import add_counts, batch_pk
from tui.store.joining import join_rows
from tui.store.seqs import SeqFinder
from tui.store.slicing import LENGTH, OFFSET, VARYING, Likeness, Reader, Slice, Values
from tui.store.terms import Terms

_SLICE_BYTES = 1 << 21
"""Bytes read at a time: some twenty milliseconds of work, which is one transaction."""

SLICE_BYTES_ALONE = 1 << 22
"""The same for a process that has nothing else to do: fewer transactions, fewer pages twice."""

_READ_BYTES = 1 << 18

_AT_ONCE = (256, 32)
"""Rows that one statement stores: SQLite works on many of them without Python in between,
while other threads, the screen's above all, can run."""

_FEW = 8
"""Rows of one shape that are not worth a statement of their own."""


class Shape(NamedTuple):
    """What many rows of a slice have in common, as the table holds it."""

    outcome: int
    http_status: int | None
    error_group: int | None
    finish: int | None
    model: int | None


Shapes = dict[Shape, list[Values]]

_PLACE = itemgetter(0)


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
        slice_bytes: Bytes read at a time, and stored in one transaction.
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
        slice_bytes: int | None = None,
    ) -> None:
        self._database = database
        self._slice_bytes = slice_bytes or _SLICE_BYTES
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
        self._head = (
            f"INTO {{table}} (job, attempt, batch, file, {VARYING}, {', '.join(Shape._fields)})"
            " VALUES "
        )
        # What is the same for every line stands in the statement: fewer values to bind.
        common = f"{self._job}, {self._attempt}, {self._batch}, {file.pk}"
        self._values = f"({common}, {_marks(len(VARYING.split(',')))}, {{shape}})"
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
        with self._file.path.open("rb", buffering=_READ_BYTES) as stream:
            while True:
                part = Slice(self.indexed)
                if not part.read(stream, self._slice_bytes, complete, self._reader, self._rules):
                    break
                self._store(part)
                if stop is not None and stop():
                    break
        return self.lines - before

    def _store(self, part: Slice) -> None:
        count = self.lines + part.lines
        try:
            with self._database.write() as connection:
                self._move_on(connection, part.end, count)
                self._store_rows(connection, part)
                connection.executemany(
                    "INSERT INTO strays (file, offset, length, kind, custom_id) VALUES (?,?,?,?,?)",
                    [(self._file.pk, *stray) for stray in part.strays],
                )
        except BaseException:
            # Words that were stored in the transaction are gone with it.
            self._terms = Terms()
            raise
        self.indexed = part.end
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

    def _store_rows(self, connection: sqlite3.Connection, part: Slice) -> None:
        seqs = self._seqs.find(connection, part.ids())
        shapes = self._placed(connection, part, seqs)
        if self._attempt > 1 or not self._store_at_once(connection, shapes):
            ids = {seq: custom_id for custom_id, seq in seqs.items()}
            rows = [(*row, *shape) for shape, rows in shapes.items() for row in rows]
            # Of equal lines the first one counts.
            rows.sort(key=itemgetter(OFFSET))
            marks = self._values.format(shape=_marks(len(Shape._fields)))
            insert = f"{{verb}} {self._head}{marks}"
            join_rows(connection, self._job, self._batch, self._file.pk, rows, ids, insert)

    def _placed(
        self, connection: sqlite3.Connection, part: Slice, seqs: Mapping[str, int]
    ) -> Shapes:
        """The rows of a slice with their sequence numbers; unknown ones become strays."""
        only = self._only
        strays = part.strays
        shapes: Shapes = {}

        def place(shape: Shape, rows: list[Values]) -> None:
            kept = shapes.setdefault(shape, [])
            for row in rows:
                custom_id = row[0]
                seq = seqs.get(custom_id)
                if seq is None:
                    strays.append((row[OFFSET], row[LENGTH], "unknown", custom_id))
                elif only is None or seq in only:
                    row[0] = seq
                    kept.append(row)

        for alike, rows in part.answered.items():
            place(self._shape(connection, alike, None), rows)
        groups = Groups(connection, self._job)
        for alike, error, row in part.failed:
            # No group for a line that belongs to no row.
            group = groups.number(alike[1], error) if row[0] in seqs else None
            place(self._shape(connection, alike, group), [row])
        return shapes

    def _shape(self, connection: sqlite3.Connection, alike: Likeness, group: int | None) -> Shape:
        outcome, status, finish, model = alike
        term = self._terms.number
        return Shape(
            OUTCOME_CODES[outcome],
            status,
            group,
            term(connection, finish),
            term(connection, model),
        )

    def _store_at_once(self, connection: sqlite3.Connection, shapes: Shapes) -> bool:
        """Store lines of rows of which nothing is known yet, as nearly all are.

        Returns:
            ``False``, with nothing stored, when something may be known of one of them.
        """
        retried = "SELECT 1 FROM attempts WHERE job=? LIMIT 1"
        if connection.execute(retried, (self._job,)).fetchone():
            return False
        connection.execute("SAVEPOINT slice")
        try:
            self._insert(connection, shapes)
            stored = True
        except sqlite3.IntegrityError:
            connection.execute("ROLLBACK TO slice")
            stored = False
        connection.execute("RELEASE slice")
        if stored:
            counts: Counter[int] = Counter()
            for shape, rows in shapes.items():
                counts[shape.outcome] += len(rows)
            add_counts(connection, self._job, dict(counts))
        return stored

    def _insert(self, connection: sqlite3.Connection, shapes: Shapes) -> None:
        head = f"INSERT {self._head.format(table='results')}"
        few: list[tuple[object, ...]] = []
        for shape, rows in shapes.items():
            if len(rows) < _FEW:
                few += ((*row, *shape) for row in rows)
                continue
            # In the order of the table, whose pages are then filled one after the other.
            rows.sort(key=_PLACE)
            one = self._values.format(shape=", ".join(map(_literal, shape)))
            start = 0
            for size in _AT_ONCE:
                many = f"{head}{', '.join([one] * size)}"
                while len(rows) - start >= size:
                    values = itertools.chain.from_iterable(rows[start : start + size])
                    connection.execute(many, list(values))
                    start += size
            connection.executemany(f"{head}{one}", rows[start:])
        connection.executemany(
            f"{head}{self._values.format(shape=_marks(len(Shape._fields)))}", few
        )


def _marks(count: int) -> str:
    return ", ".join("?" * count)


def _literal(value: int | None) -> str:
    return "NULL" if value is None else str(int(value))
