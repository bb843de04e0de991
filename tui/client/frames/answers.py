"""The rows of a job as typed columns, read page by page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any

import msgspec

from tui.client.frames.columns import (
    INTEGER,
    NOTHING,
    NUMBER,
    TEXT,
    ColumnLibrary,
    ColumnType,
    TypedColumn,
    schema_columns,
)
from tui.core.query import ALL_ROWS, INPUT_ORDER, RowSelection
from tui.core.rows import ANSWERED, RowLine
from tui.store.export.rows import MOST_FIELDS, flattened
from tui.store.history import History

_PAGE = 2_000
"""Rows whose values are Python objects at a time."""

Fact = Callable[[RowLine], Any]

ANSWER: dict[str, tuple[ColumnType, Fact]] = {
    "answer": (TEXT, lambda line: line.text if line.outcome in ANSWERED else None),
}
"""The column before the fields of JSON answers: its type, and how it is read."""

FACTS: dict[str, tuple[ColumnType, Fact]] = {
    "outcome": (TEXT, lambda line: line.outcome.value),
    "error": (TEXT, lambda line: _error_text(line)),
    "input_tokens": (INTEGER, lambda line: line.usage.input_tokens),
    "output_tokens": (INTEGER, lambda line: line.usage.output_tokens),
    "cost": (NUMBER, lambda line: line.cost),
}
"""The columns behind the fields."""


class AnswerColumns:
    """Columns of answers: the text, the fields of JSON objects, outcome, error, tokens and cost.

    Args:
        library: Makes the columns.
        schema: The JSON schema of the answers; its fields are columns even if no answer has them.
    """

    def __init__(self, library: ColumnLibrary, schema: Mapping[str, Any] | None = None) -> None:
        self._library = library
        self._rows = 0
        self._facts = {
            name: (TypedColumn(library, kind), read)
            for name, (kind, read) in {**ANSWER, **FACTS}.items()
        }
        expected = islice(schema_columns(schema).items(), MOST_FIELDS)
        self._fields = {name: TypedColumn(library, kind) for name, kind in expected}

    def add(self, lines: Sequence[RowLine]) -> None:
        """Add rows."""
        for column, read in self._facts.values():
            column.add([read(line) for line in lines])
        found = [_fields(line.data) for line in lines]
        for name in dict.fromkeys(name for fields in found for name in fields):
            if name not in self._fields and len(self._fields) < MOST_FIELDS:
                self._fields[name] = TypedColumn(self._library, NOTHING, self._rows)
        for name, column in self._fields.items():
            column.add([fields.get(name) for fields in found])
        self._rows += len(lines)

    def finish(self) -> dict[str, Any]:
        """The columns by name; a field that is named like a fact is ``field.NAME``."""
        facts = {name: column.finish() for name, (column, _) in self._facts.items()}
        fields = {
            f"field.{name}" if name in facts else name: column.finish()
            for name, column in self._fields.items()
        }
        before = {name: facts.pop(name) for name in ANSWER}
        return {**before, **fields, **facts}


def _fields(data: Any) -> dict[str, Any]:
    """The fields of an answer by dotted path; none if it is no object."""
    if not isinstance(data, dict) or not data:
        return {}
    return {name.removeprefix("data."): value for name, value in flattened(data)}


def _error_text(line: RowLine) -> str | None:
    error = line.error
    if error is None:
        return None
    return ": ".join(part for part in (error.code, error.message) if part) or line.outcome.value


def read_answers(
    history: History, job_id: str, library: ColumnLibrary, schema: Mapping[str, Any] | None
) -> dict[str, Any]:
    """The answers of all rows of a job as columns, in the order of its requests. Blocking.

    Raises:
        HistoryError: A result file was changed or is missing.
    """
    columns = AnswerColumns(library, schema)
    lines = history.rows.lines(job_id, history.rows.select(job_id, ALL_ROWS, INPUT_ORDER))
    while page := list(islice(lines, _PAGE)):
        columns.add(page)
    return columns.finish()


def read_job(
    history: History, job_id: str, library: ColumnLibrary, selection: RowSelection, *, inputs: bool
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Selected rows of a job as columns. Blocking.

    Args:
        history: The history.
        job_id: The job.
        library: Makes the columns.
        selection: The rows, in order.
        inputs: Read the input columns too.

    Returns:
        The id and the input columns; the columns of the answers. Both by name.

    Raises:
        HistoryError: A result file was changed or is missing.
    """
    answers = AnswerColumns(library)
    ids = TypedColumn(library, TEXT)
    with history.rows.inputs(job_id) as table:
        names = table.columns if inputs else ()
        given = [TypedColumn(library) for _ in names]
        for start in range(0, len(selection), _PAGE):
            part = msgspec.structs.replace(selection, seqs=selection.seqs[start : start + _PAGE])
            lines = list(history.rows.lines(job_id, part))
            answers.add(lines)
            ids.add([line.custom_id for line in lines])
            values = table.rows(part.seqs) if names else []
            for place, column in enumerate(given):
                column.add([None if row is None else row[place] for row in values])
    before = {"custom_id": ids.finish()}
    for name, column in zip(names, given, strict=True):
        before[f"in.{name}" if name in before else name] = column.finish()
    return before, answers.finish()
