"""The rows of an export, read page by page, and the fields of their JSON answers as columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import msgspec

from tui.core.analysis.columns import INPUT_PREFIX, Column, ColumnKind, parse_column
from tui.core.analysis.derived import CompileExpression, DerivedColumn
from tui.core.query import RowSelection
from tui.core.results.json_answers import parse_answer, row_line
from tui.core.results.openai_lines import UnreadableLineError
from tui.core.results.readers import READERS
from tui.core.reviews.review import Review, newest_first
from tui.core.rows import ANSWERED, Attempt, Outcome, RowLine, Usage
from tui.errors import HistoryError, UsageError
from tui.store.columns.derived import read_derived
from tui.store.columns.expressions import compute, no_expressions
from tui.store.columns.joined import read_joined
from tui.store.columns.reader import column_of
from tui.store.columns.tables import TableValues
from tui.store.database import sqlite_errors
from tui.store.export.options import ExportOptions
from tui.store.job_records import JobData
from tui.store.reviews.index import has_reviews
from tui.store.rows.inputs import InputColumns
from tui.store.rows.reader import RowReader
from tui.store.rows.strays import read_stray_lines

_PAGE = 1000
"""Rows read at a time."""

PAGE_BYTES = 4 << 20
"""Bytes of their lines read at a time; a longer row is read alone."""


class ExportRow(msgspec.Struct, frozen=True, gc=False):
    """A row or an attempt, ready to be written.

    ``inputs`` are the values of the input columns. With the option ``raw``, ``wire`` is the
    provider's line, and ``line`` has no meaning. ``reviews`` are about this answer, the newest
    first. ``others`` are the values of ``ExportRows.joined``, ``computed`` those of derived columns
    that are expressions or from a table, by their name.
    """

    seq: int
    line: RowLine
    inputs: tuple[object, ...] | None = None
    wire: bytes = b""
    reviews: tuple[Review, ...] = ()
    others: tuple[object, ...] = ()
    computed: dict[str, str | None] = {}


def _needs_inputs(column: Column, derived: Sequence[DerivedColumn]) -> bool:
    """Whether a column is an input column, or derived from one."""
    return column.kind is ColumnKind.INPUT or any(
        column == Column(ColumnKind.DERIVED, one.name) and one.of.startswith(INPUT_PREFIX)
        for one in derived
    )


_NO_LINE = RowLine(
    custom_id="",
    outcome=Outcome.PENDING,
    attempt=1,
    http_status=None,
    error=None,
    finish_reason=None,
    model=None,
    text="",
    data=None,
    usage=Usage(),
    cost=None,
)
"""Placeholder for rows that are exported as raw lines."""


class ExportRows:
    """Reads the rows of an export; a context manager.

    Args:
        data: The job.
        selection: Row numbers in the order to write.
        options: Options of the export.

    Raises:
        UsageError: The option ``join`` is set, and the job has no input columns; or a column is
            named that it does not have.
    """

    def __init__(
        self,
        data: JobData,
        selection: RowSelection,
        options: ExportOptions,
        compile_expression: CompileExpression = no_expressions,
    ) -> None:
        self.data = data
        self.options = options
        self._selection = selection
        self._open = ExitStack()
        self._inputs: InputColumns | None = None
        self.has_reviews = has_reviews(data.connection, data.pk) and not options.raw
        """Whether any row of the job is reviewed, so that there are columns for it."""
        # Shared by all rows, so the files stay open.
        self._reader = self._open.enter_context(RowReader(data))
        chosen = [column_of(data, name) for name in options.columns if name not in REVIEW_COLUMNS]
        self.derived = read_derived(data.paths, data.id) if options.columns else []
        """The derived columns of the job, if columns are chosen."""
        names = {column.name for column in chosen if column.kind is ColumnKind.DERIVED}
        derived = [one for one in self.derived if one.name in names]
        self._expressions = {
            one.name: compile_expression(one.expression) for one in derived if one.expression
        }
        self._tables = {
            one.name: self._open.enter_context(TableValues(data, one.name))
            for one in derived
            if one.table
        }
        used = [*chosen, *(parse_column(one.of) for one in derived if one.of)]
        self._joined = [column for column in used if column.kind is ColumnKind.JOINED]
        if options.join or any(_needs_inputs(column, self.derived) for column in chosen):
            self._inputs = self._open.enter_context(InputColumns(data.paths, data.id))
            if not self._inputs.columns:
                raise UsageError(
                    "this job has no input columns to join",
                    "Only jobs composed from a table have them. Export without join.",
                )
        elif any("row" in each.names for each in self._expressions.values()):
            self._inputs = self._open.enter_context(InputColumns(data.paths, data.id))

    def __enter__(self) -> ExportRows:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def __len__(self) -> int:
        return len(self._selection)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the input columns; empty if none are written."""
        return () if self._inputs is None else self._inputs.columns

    @property
    def joined(self) -> tuple[str, ...]:
        """Names of the chosen columns of other jobs."""
        return tuple(map(str, self._joined))

    def pages(self, options: ExportOptions | None = None) -> Iterator[tuple[int, list[ExportRow]]]:
        """Yield the rows, or their attempts, page by page in order.

        Args:
            options: Used instead of the options of the export.

        Yields:
            The number of rows read so far, and what is written for those of this page.

        Raises:
            HistoryError: A result file was changed or is missing, or the job was deleted.
        """
        options = options or self.options
        seqs = self._selection.seqs
        done = 0
        for start in range(0, len(seqs), _PAGE):
            with sqlite_errors(self.data.paths.history_db):
                parts = list(self._reader.parts(seqs[start : start + _PAGE], PAGE_BYTES))
            for part in parts:
                done += len(part)
                yield done, self._read(part, options)
        if options.raw and done == self.data.job.counts.total:
            # Of a whole job, also the lines that belong to no row.
            for stray in read_stray_lines(self.data):
                yield done, [ExportRow(-1, _NO_LINE, None, stray.line)]

    def _read(self, seqs: Sequence[int], options: ExportOptions) -> list[ExportRow]:
        with sqlite_errors(self.data.paths.history_db):
            if options.attempts:
                return self._with_computed(self._attempts(seqs, options))
            if options.raw:
                lines = self._reader.raw_lines(seqs)
                return [ExportRow(seq, _NO_LINE, None, wire) for seq, wire in lines]
            return self._with_computed(self._merged(seqs))

    def _with_computed(self, records: list[ExportRow]) -> list[ExportRow]:
        """The records with the values of expressions, which are computed for all at once."""
        if not self._expressions and not self._tables:
            return records
        lines = [record.line for record in records]
        rows = [dict(zip(self.columns, record.inputs or (), strict=False)) for record in records]
        seqs = [record.seq for record in records]
        found: dict[str, list[str | None]] = {
            name: [one.value for one in compute(each, lines, rows)]
            for name, each in self._expressions.items()
        }
        found |= {name: list(table.values(seqs)) for name, table in self._tables.items()}
        return [
            msgspec.structs.replace(record, computed=dict(zip(found, values, strict=True)))
            for record, values in zip(records, zip(*found.values(), strict=True), strict=True)
        ]

    def _merged(self, seqs: Sequence[int]) -> list[ExportRow]:
        lines = list(self._reader.lines(seqs))
        if len(lines) != len(seqs):
            raise _rows_missing()
        values = [None] * len(seqs) if self._inputs is None else self._inputs.rows(seqs)
        others = self._others(seqs)
        if not self.has_reviews:
            rows = zip(seqs, lines, values, others, strict=True)
            return [ExportRow(seq, line, given, others=more) for seq, line, given, more in rows]
        reviews = self._reader.reviews(seqs, shown=True)
        records = []
        for seq, line, inputs, more in zip(seqs, lines, values, others, strict=True):
            own = tuple(newest_first(reviews.get(seq, ())))
            if self.options.reviewed:
                line = corrected(line, own)
            records.append(ExportRow(seq, line, inputs, b"", own, more))
        return records

    def _others(self, seqs: Sequence[int]) -> list[tuple[object, ...]]:
        """For each row the values of the columns of other jobs."""
        read = [read_joined(self.data, column, seqs) for column in self._joined]
        if not read:
            return [()] * len(seqs)
        return [tuple(value for _, value in pairs) for pairs in zip(*read, strict=True)]

    def _attempts(self, seqs: Sequence[int], options: ExportOptions) -> list[ExportRow]:
        values = [None] * len(seqs) if self._inputs is None else self._inputs.rows(seqs)
        reviews = self._reader.reviews(seqs) if self.has_reviews else {}
        records: list[ExportRow] = []
        for seq, inputs in zip(seqs, values, strict=True):
            detail = self._reader.detail(seq)
            if detail is None:
                raise _rows_missing()
            # Oldest first.
            shown = sorted(detail.attempts, key=_number)
            if not shown and not options.raw:
                shown = [Attempt(row=detail.row)]
            for attempt in shown:
                line = line_of(attempt)
                if not options.raw:
                    batch = attempt.row.batch_id
                    own = [each for each in reviews.get(seq, ()) if each.is_of(batch)]
                    about = tuple(newest_first(own))
                    records.append(ExportRow(seq, line, inputs, b"", about))
                elif attempt.line:
                    records.append(ExportRow(seq, line, None, attempt.line))
        return records


def corrected(line: RowLine, reviews: Sequence[Review]) -> RowLine:
    """A row with the newest correction in place of its answer, if there is one."""
    text = _correction(reviews)
    if text is None:
        return line
    return msgspec.structs.replace(line, text=text, data=parse_answer(text))


def _correction(reviews: Sequence[Review]) -> str | None:
    return next((review.correction for review in reviews if review.correction is not None), None)


REVIEW_COLUMNS = ("review", "reviewer", "correction", "note")
"""Columns of exports of jobs with reviews: label and reviewer of the newest review of the answer,
its newest correction and its newest note."""


def review_cells(reviews: Sequence[Review]) -> tuple[str | None, ...]:
    """The values of ``REVIEW_COLUMNS``: label, reviewer, correction and note."""
    if not reviews:
        return (None,) * len(REVIEW_COLUMNS)
    newest = next((review for review in reviews if review.label), reviews[0])
    note = next((review.note for review in reviews if review.note), None)
    return newest.label or None, newest.reviewer, _correction(reviews), note


def _rows_missing() -> HistoryError:
    return HistoryError("rows of this job are missing", "The job may have been deleted.")


def _number(attempt: Attempt) -> int:
    return attempt.row.attempt


def line_of(attempt: Attempt) -> RowLine:
    """Convert an attempt to the form of the JSON output.

    Raises:
        HistoryError: Its result line is missing.
    """
    row = attempt.row
    text = ""
    error = row.error
    if attempt.line:
        try:
            result = READERS[attempt.style](attempt.line, None)
        except UnreadableLineError:
            result = None
        if result is not None:
            text = result.text
            if error is not None and result.error is not None:
                error = msgspec.structs.replace(error, message=result.error.message)
    elif row.outcome in ANSWERED:
        raise HistoryError(
            f"the answer of {row.custom_id!r} is missing from its result file",
            "Run `batchdeck doctor` to check the whole history.",
        )
    return row_line(row, text, error)


MOST_FIELDS = 256
"""Maximum number of fields with a column of their own; the others share the column ``REST``."""

MAX_DEPTH = 4
"""Levels of objects whose fields have columns of their own; deeper ones stay whole."""

REST = "data.*"
"""Column with all fields beyond ``MOST_FIELDS``, as a JSON object."""


class AnswerFields:
    """Names of the fields of JSON answers, in order of first appearance."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}
        self._has_rest = False

    def add(self, answers: Iterable[Any]) -> None:
        """Add the fields of some answers."""
        for data in answers:
            for name, _ in flattened(data):
                if name in self._places:
                    continue
                if len(self._places) < MOST_FIELDS:
                    self._places[name] = len(self._places)
                else:
                    self._has_rest = True

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns, such as ``data.label`` and ``data.score``."""
        return (*self._places, *((REST,) if self._has_rest else ()))

    def values(self, data: Any) -> list[Any]:
        """Values of one answer, one per column; ``None`` for missing fields."""
        values: list[Any] = [None] * len(self._places)
        rest: dict[str, Any] = {}
        for name, value in flattened(data):
            place = self._places.get(name)
            if place is None:
                rest[name] = value
            else:
                values[place] = value
        if self._has_rest:
            values.append(rest or None)
        return values


def flattened(data: Any) -> Iterator[tuple[str, Any]]:
    """Fields of an answer by dotted path; lists and deeply nested objects are not split."""
    if data is None:
        return
    yield from _walk("data", data, MAX_DEPTH)


def _walk(name: str, value: Any, depth: int) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value and depth:
        for key, inner in value.items():
            yield from _walk(f"{name}.{key}", inner, depth - 1)
    else:
        yield name, value
