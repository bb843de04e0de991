"""Index a growing result file: its lines become rows, slice by slice."""

from __future__ import annotations

import itertools
import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any, BinaryIO, Literal, NamedTuple

from tui.core.results.google.row_ids import is_repeated
from tui.core.results.openai_lines import read_openai_line
from tui.core.results.readers import Reader
from tui.core.rows import OUTCOME_CODES, OUTCOMES, outcome_rank
from tui.errors import HistoryError
from tui.progress import NO_PROGRESS, Progress
from tui.store.database import Database, chunked
from tui.store.indexing.altered_ids import altered_lines, ids_of
from tui.store.indexing.parse import (
    LENGTH,
    OFFSET,
    VALUE_COLUMNS,
    CommonValues,
    RowSlice,
    Values,
)
from tui.store.indexing.rows_by_request import RepeatedRequests
from tui.store.job_folder import REQUESTS, ResultFile
from tui.store.job_records import add_counts, batch_pk
from tui.store.rows.attempts import find_pending, select_best
from tui.store.rows.error_groups import Groups
from tui.store.rows.lookup import InternedStrings, RowLookup

FullValues = tuple[Any, ...]
"""The ``Values`` of a row followed by those of its ``Shape``, of which outcome is the first."""

_OUTCOME_INDEX = 12


class StoredResult(NamedTuple):
    """The stored result of a row: its batch, its line, and the table that holds it.

    ``file`` is ``None`` if the row was finished without a result line.
    """

    batch: int
    file: int | None
    outcome: int
    offset: int
    length: int
    table: str


def join_rows(
    connection: sqlite3.Connection,
    job: int,
    batch: int,
    file: int,
    rows: Sequence[FullValues],
    ids: dict[int, str],
    insert: str,
) -> None:
    """Store lines of rows that may have a result already.

    Args:
        connection: In a transaction.
        job: Primary key of the job.
        batch: Primary key of the batch that the lines belong to.
        file: Primary key of the file that contains them.
        rows: The values of each line.
        ids: The ``custom_id`` of each row, by row number.
        insert: Statement that stores a line, with the fields ``{verb}`` and ``{table}``.
    """
    visible_results = _read_known(connection, job, "results", list(ids))
    own = {seq: known for seq, known in visible_results.items() if known.batch == batch}
    own |= _read_known(connection, job, "attempts", list(ids), batch)
    kept: dict[int, FullValues] = {}
    strays: list[tuple[int | None, int, int, str]] = []
    for row in rows:
        seq = row[0]
        line = StoredResult(batch, file, row[_OUTCOME_INDEX], row[OFFSET], row[LENGTH], "")
        earlier = own.get(seq)
        if earlier is not None:
            line = line._replace(table=earlier.table)
            better = outcome_rank(OUTCOMES[line.outcome]) > outcome_rank(OUTCOMES[earlier.outcome])
            # A row finished without a line has none yet: a line that arrives late is its first.
            if earlier.file is not None:
                worse = earlier if better else line
                strays.append((worse.file, worse.offset, worse.length, ids[seq]))
                if not better:
                    continue
        own[seq] = line
        kept[seq] = row
    connection.executemany(
        "INSERT INTO strays (file, offset, length, kind, custom_id) VALUES (?,?,?,'duplicate',?)",
        strays,
    )
    counts: Counter[int] = Counter()
    visible: list[FullValues] = []
    hidden: list[FullValues] = []
    candidates: list[int] = []
    for seq, row in kept.items():
        holder = visible_results.get(seq)
        if holder is not None and holder.batch != batch:
            hidden.append(row)
        elif holder is None and own[seq].table == "attempts":
            # The row is being retried and stays pending.
            hidden.append(row)
            continue
        else:
            visible.append(row)
            counts[row[_OUTCOME_INDEX]] += 1
            if holder is not None:
                counts[holder.outcome] -= 1
        candidates.append(seq)
    connection.executemany(insert.format(verb="INSERT OR REPLACE", table="results"), visible)
    connection.executemany(insert.format(verb="INSERT OR REPLACE", table="attempts"), hidden)
    add_counts(connection, job, dict(counts))
    select_best(connection, job, candidates)


def _read_known(
    connection: sqlite3.Connection,
    job: int,
    table: Literal["results", "attempts"],
    seqs: list[int],
    batch: int | None = None,
) -> dict[int, StoredResult]:
    """Stored results of rows in one table, of any batch or of one."""
    found: dict[int, StoredResult] = {}
    only = "" if batch is None else f" AND batch={batch}"
    for marks, part in chunked(seqs):
        for seq, holder, file, outcome, offset, length in connection.execute(
            f"SELECT seq, batch, file, outcome, offset, length FROM {table}"
            f" WHERE job=? AND seq IN ({marks}){only}",
            (job, *part),
        ):
            found[seq] = StoredResult(holder, file, outcome, offset, length, table)
    return found


_SLICE_BYTES = 1 << 21
"""Bytes indexed in one transaction: about 20 ms of work."""

CHILD_SLICE_BYTES = 1 << 22
"""The same in a child process, where fewer transactions write fewer pages twice."""

_READ_BYTES = 1 << 18

_ROWS_PER_STATEMENT = (256, 32)
"""Rows per INSERT statement. SQLite releases the interpreter lock while it runs one, so larger
statements let other threads run, above all the one that draws the screen."""

_FEW_ROWS = 8
"""With fewer rows than this, rows of one shape do not get a statement of their own."""


class RowShape(NamedTuple):
    """Column values that many rows of a slice have in common."""

    outcome: int
    http_status: int | None
    error_group: int | None
    finish: int | None
    model: int | None


RowShapes = dict[RowShape, list[Values]]

_ROW_NUMBER = itemgetter(0)

_ALTERED_AT_ONCE = 2000
"""Lines with an altered id that are stored in one transaction."""


class ResultIndexer:
    """Stores the lines of one result file in the history, slice by slice.

    Args:
        database: The history.
        batch_id: The batch that the file belongs to.
        file: The record of the file, see ``tui.store.job_folder``.
        reader: Parses a line of the batch's dialect.
        rules: Whether each error code of the profile can be retried.
        only: Index only these row numbers; lines of other rows are known already.
        slice_bytes: Bytes to read for one transaction.

    Attributes:
        indexed: Number of bytes that are indexed.
        lines: Number of lines that are indexed.
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
        self._terms = InternedStrings()
        self._batch, self._job = batch_pk(database.read, batch_id)
        self._attempt, first = database.read.execute(
            "SELECT attempt, first_seq FROM batches WHERE pk=?", (self._batch,)
        ).fetchone()
        self._seqs = RowLookup(self._job, (first or 0) + file.lines)
        folder = file.path.parent
        sent = (folder / f"{batch_id}.input.jsonl", folder / REQUESTS)
        self._repeated = RepeatedRequests(self._job, self._batch, sent)
        self._head = (
            f"INTO {{table}} (job, attempt, batch, file, {VALUE_COLUMNS},"
            f" {', '.join(RowShape._fields)})"
            " VALUES "
        )
        # Values that are the same for every line are part of the statement: fewer to bind.
        common = f"{self._job}, {self._attempt}, {self._batch}, {file.pk}"
        self._values = f"({common}, {_placeholders(len(VALUE_COLUMNS.split(',')))}, {{shape}})"
        self.indexed = file.indexed
        self.lines = file.lines

    def run(self, *, complete: bool, progress: Progress = NO_PROGRESS) -> int:
        """Index the lines that were appended since the last call.

        Args:
            complete: The file will not grow: a last line without a line end is indexed too.
            progress: Can stop the work between slices.

        Returns:
            Number of lines that were indexed.

        Raises:
            HistoryError: The rows cannot be stored, or another process indexes this file.
        """
        before = self.lines
        with self._file.path.open("rb", buffering=_READ_BYTES) as stream:
            while True:
                part = RowSlice(self.indexed)
                if not part.read(stream, self._slice_bytes, complete, self._reader, self._rules):
                    break
                self._store(part)
                if progress.stopped:
                    break
            if complete and not progress.stopped:
                self._store_altered(stream)
        return self.lines - before

    def _store_altered(self, stream: BinaryIO) -> None:
        """Give the lines that no row has to the rows whose id they have in another form."""
        unknown = "SELECT 1 FROM strays WHERE file=? AND kind='unknown' LIMIT 1"
        if not self._database.read.execute(unknown, (self._file.pk,)).fetchone():
            return
        lines = altered_lines(self._database.read, self._file.pk, self._lacking)
        for start in range(0, len(lines), _ALTERED_AT_ONCE):
            some = lines[start : start + _ALTERED_AT_ONCE]
            part = RowSlice(0)
            names = {}
            for line in some:
                part.end = line.offset
                part.read(stream, 1, True, self._reader, self._rules)
                names[line.offset] = line
            for row in part.rows():
                row[0] = names[row[OFFSET]].custom_id
            with self._database.write() as connection:
                seqs = {line.custom_id: line.seq for line in some}
                self._join(connection, self._with_row_numbers(connection, part, seqs), seqs)
                connection.executemany(
                    "DELETE FROM strays WHERE pk=?", [(line.stray,) for line in some]
                )

    def _lacking(self) -> dict[int, str]:
        """The ``custom_id`` of each row of the batch that was sent and has no line."""
        read = self._database.read
        first, last = read.execute(
            "SELECT first_seq, last_seq FROM batches WHERE pk=?", (self._batch,)
        ).fetchone()
        bounds = None if first is None or last is None else (first, last)
        seqs = set(find_pending(read, self._batch, self._job, bounds))
        seqs.update(
            seq
            for (seq,) in read.execute(
                "SELECT seq FROM results WHERE job=? AND batch=? AND file IS NULL",
                (self._job, self._batch),
            )
        )
        shared = read.execute("SELECT seq FROM repeats WHERE batch=?", (self._batch,))
        return ids_of(read, self._job, seqs - {seq for (seq,) in shared})

    def _store(self, part: RowSlice) -> None:
        count = self.lines + part.lines
        try:
            with self._database.write() as connection:
                self._advance(connection, part.end, count)
                self._store_rows(connection, part)
                connection.executemany(
                    "INSERT INTO strays (file, offset, length, kind, custom_id) VALUES (?,?,?,?,?)",
                    [(self._file.pk, *stray) for stray in part.strays],
                )
        except BaseException:
            # The cache may hold strings whose transaction was rolled back.
            self._terms = InternedStrings()
            self._repeated.forget_given()
            raise
        self.indexed = part.end
        self.lines = count

    def _advance(self, connection: sqlite3.Connection, indexed: int, lines: int) -> None:
        """Store the indexed position, unless another process has changed it."""
        cursor = connection.execute(
            "UPDATE files SET indexed=?, lines=? WHERE pk=? AND indexed=?",
            (indexed, lines, self._file.pk, self.indexed),
        )
        if cursor.rowcount != 1:
            raise HistoryError(
                f"another process is indexing {self._file.path.name} at the same time",
                "It is retried automatically.",
            )

    def _store_rows(self, connection: sqlite3.Connection, part: RowSlice) -> None:
        seqs = self._seqs.find(connection, part.ids())
        self._name_repeated(connection, part, seqs)
        shapes = self._with_row_numbers(connection, part, seqs)
        if self._attempt > 1 or not self._store_in_bulk(connection, shapes):
            self._join(connection, shapes, seqs)

    def _join(
        self, connection: sqlite3.Connection, shapes: RowShapes, seqs: Mapping[str, int]
    ) -> None:
        """Store lines of rows that may have an earlier result."""
        ids = {seq: custom_id for custom_id, seq in seqs.items()}
        rows = [(*row, *shape) for shape, rows in shapes.items() for row in rows]
        # Among equal lines the first one counts.
        rows.sort(key=itemgetter(OFFSET))
        marks = self._values.format(shape=_placeholders(len(RowShape._fields)))
        insert = f"{{verb}} {self._head}{marks}"
        join_rows(connection, self._job, self._batch, self._file.pk, rows, ids, insert)

    def _name_repeated(
        self, connection: sqlite3.Connection, part: RowSlice, seqs: dict[str, int]
    ) -> None:
        """Give lines that only repeat their request the id of its row, where there is one."""
        if len(seqs) == part.lines - len(part.strays):
            return
        for row in part.rows():
            if row[0] in seqs or not is_repeated(row[0]):
                continue
            found = self._repeated.row_of(connection, row[0])
            if found is not None:
                row[0], seqs[found[0]] = found

    def _with_row_numbers(
        self, connection: sqlite3.Connection, part: RowSlice, seqs: Mapping[str, int]
    ) -> RowShapes:
        """Fill in the row numbers of a slice; lines with an unknown id become strays."""
        only = self._only
        strays = part.strays
        shapes: RowShapes = {}

        def place(shape: RowShape, rows: list[Values]) -> None:
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
            # A line that belongs to no row gets no error group.
            group = groups.number(alike[1], error) if row[0] in seqs else None
            place(self._shape(connection, alike, group), [row])
        return shapes

    def _shape(
        self, connection: sqlite3.Connection, alike: CommonValues, group: int | None
    ) -> RowShape:
        outcome, status, finish, model = alike
        term = self._terms.number
        return RowShape(
            OUTCOME_CODES[outcome],
            status,
            group,
            term(connection, finish),
            term(connection, model),
        )

    def _store_in_bulk(self, connection: sqlite3.Connection, shapes: RowShapes) -> bool:
        """Store lines of rows without an earlier result, the usual case, in bulk.

        Returns:
            ``False``, with nothing stored, if any of the rows may have an earlier result.
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

    def _insert(self, connection: sqlite3.Connection, shapes: RowShapes) -> None:
        head = f"INSERT {self._head.format(table='results')}"
        few: list[tuple[object, ...]] = []
        for shape, rows in shapes.items():
            if len(rows) < _FEW_ROWS:
                few += ((*row, *shape) for row in rows)
                continue
            # Inserting in primary key order fills the pages of the table one after the other.
            rows.sort(key=_ROW_NUMBER)
            one = self._values.format(shape=", ".join(map(_literal, shape)))
            start = 0
            for size in _ROWS_PER_STATEMENT:
                many = f"{head}{', '.join([one] * size)}"
                while len(rows) - start >= size:
                    values = itertools.chain.from_iterable(rows[start : start + size])
                    connection.execute(many, list(values))
                    start += size
            connection.executemany(f"{head}{one}", rows[start:])
        connection.executemany(
            f"{head}{self._values.format(shape=_placeholders(len(RowShape._fields)))}", few
        )


def _placeholders(count: int) -> str:
    return ", ".join("?" * count)


def _literal(value: int | None) -> str:
    return "NULL" if value is None else str(int(value))
