"""``ColumnReader``: the values of columns, cached until the rows of the job change."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import msgspec

from tui.core.analysis.columns import FACTS, Column, ColumnKind, as_text, fields_of, parse_column
from tui.core.analysis.derived import CompileExpression, DerivedColumn
from tui.core.analysis.facets import ColumnInfo
from tui.core.rows import ANSWERED, OUTCOMES
from tui.errors import UsageError
from tui.progress import NO_PROGRESS, Progress
from tui.store.columns.answer_fields import ANSWER
from tui.store.columns.answer_pages import read_fields
from tui.store.columns.answers import read_some
from tui.store.columns.derived import derive, derived_column, read_derived
from tui.store.columns.expressions import compute_column, no_expressions, read_expression
from tui.store.columns.joined import joined_columns, joined_job, read_joined
from tui.store.columns.tables import TableValues, table_column, table_stamp
from tui.store.columns.values import UNLISTED, ColumnValues
from tui.store.job_records import JobData
from tui.store.rows.inputs import InputColumns
from tui.store.rows.reader import RowReader
from tui.store.rows.sql_conditions import ANSWER_LENGTH

_CACHE_BYTES = 96 << 20
_PAGE = 500
_SAMPLE = 300
"""Rows from which the fields of the answers are found."""

_MOST_FIELDS = 500

_FACT_SQL = {
    "custom_id": "q.custom_id",
    "outcome": "coalesce(r.outcome, 0)",
    "status": "r.http_status",
    "code": "(SELECT nullif(g.code, '') FROM error_groups g WHERE g.pk=r.error_group)",
    "attempt": "coalesce(r.attempt, 1)",
    "input_tokens": "r.input_tokens",
    "output_tokens": "r.output_tokens",
    "finish": "(SELECT text FROM terms WHERE pk=r.finish)",
    "model": "(SELECT text FROM terms WHERE pk=r.model)",
    "cost": "r.cost",
    "length": ANSWER_LENGTH,
    "review": (
        "(SELECT t.text FROM reviews v JOIN terms t ON t.pk=v.label"
        " WHERE v.job=q.job AND v.seq=q.seq AND (v.batch IS NULL OR v.batch=r.batch)"
        " ORDER BY v.at DESC LIMIT 1)"
    ),
}

_UNREAD = "…"
_THE_ANSWER = parse_column("answer")
_THE_REVIEW = parse_column("review")

_Version = tuple[Any, ...]
_Key = tuple[str, Column]


class _Entry(msgspec.Struct):
    version: _Version
    files: dict[int, int]
    values: ColumnValues
    hidden: _Version = ()
    """What changes whenever a row shows another result than one that was added to a file."""


PartialColumns = Callable[[dict[Column, ColumnValues], int], None]
"""Called in the reading thread with the values so far, and the number of answers read."""


class ColumnReader:
    """Reads columns of jobs; used by all threads.

    The values of a column stay in memory, at four bytes per row, until the rows change or other
    columns need the room.

    Args:
        compile_expression: Compiles the expressions of derived columns.
    """

    def __init__(self, compile_expression: CompileExpression = no_expressions) -> None:
        self._compile = compile_expression
        self._entries: OrderedDict[_Key, _Entry] = OrderedDict()
        self._lock = threading.Lock()

    def read(
        self,
        data: JobData,
        columns: Iterable[Column],
        progress: Progress = NO_PROGRESS,
        partial: PartialColumns | None = None,
    ) -> dict[Column, ColumnValues]:
        """The values of columns.

        Columns that are not in memory are read in one pass over the answers. Values that were read
        while results came in are continued, not read again.

        Args:
            data: The job.
            columns: The columns.
            progress: Told the rows read; if it is stopped, the values read so far are returned
                and not kept.
            partial: Called now and then while answers are read.

        Raises:
            UsageError: The job has no input column of this name.
        """
        files = _files(data)
        versions = {column: _version(data, column) for column in columns}
        found: dict[Column, ColumnValues] = {}
        unread: dict[Column, _Entry | None] = {}
        for column, version in versions.items():
            entry = self._entry((data.id, column))
            if entry is not None and entry.version == version:
                found[column] = entry.values
            elif column.kind is ColumnKind.DERIVED:
                found[column] = self._read_derived(data, column, progress)
            elif _is_of_answer(column):
                unread[column] = entry
            else:
                found[column] = self._read_other(data, column, progress)
                self._keep((data.id, column), _Entry(version, files, found[column]), progress)
        if not unread:
            return found
        hidden = _hidden_results(data)
        after = _common_start(unread.values(), files, hidden)
        fields = {
            column: entry.values.copy()
            if after and entry is not None
            else ColumnValues(data.job.counts.total)
            for column, entry in unread.items()
        }
        page_done = None
        if partial is not None:
            so_far = found | fields

            def page_done(done: int) -> None:
                partial(so_far, done)

        _read_fields(data, fields, after, progress, page_done)
        for column, values in fields.items():
            entry = _Entry(versions[column], files, values, hidden)
            self._keep((data.id, column), entry, progress)
        return found | fields

    def texts(
        self, data: JobData, column: Column, seqs: Sequence[int], largest: int = 0
    ) -> Iterator[str | None]:
        """The values of some rows as text, in the given order, read from the files.

        Result lines of more than ``largest`` bytes, unless it is 0, are not decoded: ``…`` stands
        for their values.
        """
        if _is_of_answer(column):
            return map(as_text, read_some(data, seqs, _path(column), largest))
        if column.kind is ColumnKind.DERIVED:
            definition = derived_column(data.paths, data.id, column)
            if not definition.of:
                return self._computed_texts(data, column, definition, seqs, largest)
            source = column_of(data, definition.of)
            return map(definition.capture(), self.texts(data, source, seqs, largest))
        return (as_text(value) for _, value in _READERS[column.kind](data, column, seqs))

    def _computed_texts(
        self,
        data: JobData,
        column: Column,
        definition: DerivedColumn,
        seqs: Sequence[int],
        largest: int,
    ) -> Iterator[str | None]:
        """The values of an expression or a table: those in memory, else read without a limit."""
        entry = self._entry((data.id, column))
        if entry is not None and entry.version == _made_from(data, column, definition):
            known = entry.values
            if largest or UNLISTED not in known.codes:
                for seq in seqs:
                    code = known.codes[seq]
                    yield _UNREAD if code == UNLISTED else known.texts[code] if code else None
                return
        if largest:
            yield from [_UNREAD] * len(seqs)
            return
        if definition.table:
            with TableValues(data, column.name) as table:
                yield from table.values(seqs)
            return
        pairs = read_expression(data, definition.expression, self._compile, seqs)
        yield from (one.value for _, one in pairs)

    def _entry(self, key: _Key) -> _Entry | None:
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None:
                self._entries.move_to_end(key)
            return entry

    def _keep(self, key: _Key, entry: _Entry, progress: Progress) -> None:
        if progress.stopped:
            return
        with self._lock:
            self._entries[key] = entry
            self._entries.move_to_end(key)
            size = sum(entry.values.size for entry in self._entries.values())
            while size > _CACHE_BYTES and len(self._entries) > 1:
                _, dropped = self._entries.popitem(last=False)
                size -= dropped.values.size

    def _read_derived(self, data: JobData, column: Column, progress: Progress) -> ColumnValues:
        """Compute a derived column from the one that it is taken from."""
        definition = derived_column(data.paths, data.id, column)
        source = column_of(data, definition.of) if definition.of else column
        version = _made_from(data, source, definition)
        entry = self._entry((data.id, column))
        if entry is not None and entry.version == version:
            return entry.values
        if not definition.of:
            if definition.table:
                made = table_column(data, column.name)
            else:
                made = compute_column(data, definition.expression, self._compile, progress)
            self._keep((data.id, column), _Entry(version, {}, made), progress)
            return made
        values = self.read(data, [source], progress)[source]
        made = derive(values, definition, lambda seqs: self.texts(data, source, seqs))
        self._keep((data.id, column), _Entry(version, {}, made), progress)
        return made

    def _read_other(self, data: JobData, column: Column, progress: Progress) -> ColumnValues:
        """Read an input column, a column of another job, or a fact of the rows."""
        total = data.job.counts.total
        values = ColumnValues(total)
        read = _READERS[column.kind]
        pairs = read(data, column, range(total))
        for seq, value in pairs:
            values.set(seq, value)
            if seq % _PAGE == 0 and progress.stopped:
                break
        return values


def _read_fields(
    data: JobData,
    fields: dict[Column, ColumnValues],
    after: dict[int, int],
    progress: Progress,
    page_done: Callable[[int], None] | None,
) -> None:
    size = sum(_files(data).values()) - sum(after.values())
    paths = [_path(column) for column in fields]
    read_fields(data, paths, list(fields.values()), progress, after, size, page_done)


def column_infos(data: JobData) -> list[ColumnInfo]:
    """The columns of a job, as found in a sample of its rows.

    First the facts, then inputs, fields, and the answers of jobs that were made of its rows.
    """
    total = data.job.counts.total
    infos = [
        ColumnInfo(column=name, kind=ColumnKind.FACT, help=text) for name, text in FACTS.items()
    ]
    seqs = range(0, total, max(1, total // _SAMPLE))[: _SAMPLE + 1]
    with InputColumns(data.paths, data.id) as inputs:
        rows = inputs.rows(seqs)
        for place, name in enumerate(inputs.columns):
            filled = sum(row is not None and row[place] not in (None, "") for row in rows)
            infos.append(
                ColumnInfo(
                    column=str(Column(ColumnKind.INPUT, name)),
                    kind=ColumnKind.INPUT,
                    filled=filled / len(seqs) if seqs else None,
                )
            )
    infos += (
        ColumnInfo(
            column=str(Column(ColumnKind.DERIVED, one.name)),
            kind=ColumnKind.DERIVED,
            help=one.about,
        )
        for one in read_derived(data.paths, data.id)
    )
    filled_of: dict[str, int] = {}
    answered = 0
    with RowReader(data) as reader:
        for line in reader.lines(seqs):
            answered += line.outcome in ANSWERED
            for path in fields_of(line.data, _MOST_FIELDS):
                if path in filled_of or len(filled_of) < _MOST_FIELDS:
                    filled_of[path] = filled_of.get(path, 0) + 1
    infos += (
        ColumnInfo(
            column=str(Column(ColumnKind.FIELD, path)),
            kind=ColumnKind.FIELD,
            filled=count / answered,
        )
        for path, count in filled_of.items()
    )
    infos += (
        ColumnInfo(column=str(column), kind=ColumnKind.JOINED) for column in joined_columns(data)
    )
    return infos


def column_of(data: JobData, name: str) -> Column:
    """The column with this name.

    Raises:
        UsageError: It is not the name of a column, or not one of this job's.
    """
    column = parse_column(name)
    if column.kind is ColumnKind.INPUT:
        with InputColumns(data.paths, data.id) as inputs:
            _place_of(inputs, column)
    elif column.kind is ColumnKind.DERIVED:
        derived_column(data.paths, data.id, column)
    elif column.kind is ColumnKind.JOINED:
        joined_job(data, column)
    return column


def _is_of_answer(column: Column) -> bool:
    """Whether the values are read from the answers."""
    return column.is_field or column == _THE_ANSWER


def _hidden_results(data: JobData) -> _Version:
    """What changes with the results of earlier attempts, which their rows show no longer."""
    sql = "SELECT count(*), total(batch), total(batch * 1.0 * (seq + 1)) FROM attempts WHERE job=?"
    return tuple(data.connection.execute(sql, (data.pk,)).fetchone())


def _common_start(
    entries: Iterable[_Entry | None], files: dict[int, int], hidden: _Version
) -> dict[int, int]:
    """From where in each file several columns can be continued; empty if from the start."""
    starts = [
        entry.files if entry is not None and entry.hidden == hidden else {} for entry in entries
    ]
    first = starts[0]
    has_grown = all(files.get(file, -1) >= size for file, size in first.items())
    return first if has_grown and all(start == first for start in starts) else {}


def _path(column: Column) -> str:
    return column.name if column.is_field else ANSWER


def _version(data: JobData, column: Column) -> _Version:
    """What changes whenever rows change; for the column of reviews, whenever they change.

    That of a column of another job changes with the rows of that job too.
    """
    job = data.job
    rows = (job.counts, job.cost, tuple(_files(data).items()))
    if column.kind is ColumnKind.JOINED:
        other = joined_job(data, column)
        return (*rows, other.id, other.job.counts, tuple(_files(other).items()))
    if column != _THE_REVIEW:
        return rows
    sql = "SELECT indexed FROM review_logs WHERE job=?"
    return (*rows, data.connection.execute(sql, (data.pk,)).fetchone())


def _made_from(data: JobData, source: Column, definition: DerivedColumn) -> _Version:
    """What changes whenever the values of a derived column do."""
    version = (*_version(data, source), definition)
    if definition.table:
        return (*version, table_stamp(data.paths, data.id, definition.name))
    return version


def _files(data: JobData) -> dict[int, int]:
    """The indexed bytes of each result file by its primary key."""
    return dict(
        data.connection.execute(
            "SELECT f.pk, f.indexed FROM files f JOIN batches b ON b.pk=f.batch"
            " WHERE b.job=? ORDER BY f.pk",
            (data.pk,),
        ).fetchall()
    )


def _read_fact(data: JobData, column: Column, seqs: Sequence[int]) -> Iterator[tuple[int, Any]]:
    sql = (
        f"SELECT q.seq, {_FACT_SQL[column.name]} FROM requests q"
        " LEFT JOIN results r ON r.job=q.job AND r.seq=q.seq WHERE q.job=?"
    )
    is_outcome = column.name == "outcome"
    if isinstance(seqs, range):
        for seq, value in data.connection.execute(sql, (data.pk,)):
            yield seq, str(OUTCOMES[value]) if is_outcome else value
        return
    for seq in seqs:
        row = data.connection.execute(f"{sql} AND q.seq=?", (data.pk, seq)).fetchone()
        value = None if row is None else row[1]
        yield seq, str(OUTCOMES[value]) if is_outcome and value is not None else value


def _read_input(data: JobData, column: Column, seqs: Sequence[int]) -> Iterator[tuple[int, Any]]:
    with InputColumns(data.paths, data.id) as inputs:
        place = _place_of(inputs, column)
        for start in range(0, len(seqs), _PAGE):
            page = seqs[start : start + _PAGE]
            for seq, row in zip(page, inputs.rows(page), strict=True):
                value = None if row is None else row[place]
                # An empty cell of a table is a missing value.
                yield seq, None if value == "" else value


_READERS = {
    ColumnKind.INPUT: _read_input,
    ColumnKind.JOINED: read_joined,
    ColumnKind.FACT: _read_fact,
}


def _place_of(inputs: InputColumns, column: Column) -> int:
    if column.name in inputs.columns:
        return inputs.columns.index(column.name)
    names = ", ".join(f"in.{name}" for name in inputs.columns[:12])
    raise UsageError(
        f"this job has no input column {column.name!r}",
        f"Its input columns: {names}." if names else "It was not composed from a table.",
    )
