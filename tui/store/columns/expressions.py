"""Derived columns that are expressions: computed a page of rows at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tui.core.analysis.derived import VARIABLES, CompileExpression, Computed, Expression
from tui.core.rows import ANSWERED, RowLine
from tui.errors import UsageError
from tui.progress import NO_PROGRESS, Progress
from tui.store.columns.values import ColumnValues
from tui.store.job_records import JobData
from tui.store.rows.inputs import InputColumns
from tui.store.rows.reader import RowReader

_PAGE = 250
_PAGE_BYTES = 8 << 20
_ROW = "row"


def no_expressions(text: str) -> Expression:
    """What compiles expressions where nothing else is given.

    Raises:
        UsageError: Always.
    """
    raise UsageError("expressions cannot be computed here", "Use the dashboard or a command.")


def compute(
    expression: Expression, lines: Sequence[RowLine], rows: Sequence[Mapping[str, Any]]
) -> list[Computed]:
    """The values of an expression for rows.

    A row without an answer that the expression needs has no value, which is no problem.

    Args:
        expression: The expression.
        lines: The rows.
        rows: The input columns of each, by name.
    """
    variables = [
        _variables(expression.names, line, row) for line, row in zip(lines, rows, strict=True)
    ]
    return [
        Computed() if one.problem and line.outcome not in ANSWERED else one
        for one, line in zip(expression.values(variables), lines, strict=True)
    ]


def _variables(names: frozenset[str], line: RowLine, row: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if isinstance(line.data, dict):
        found.update((name, line.data[name]) for name in names if name in line.data)
    for name in names & VARIABLES.keys():
        if name == "answer":
            found[name] = line.text if line.outcome in ANSWERED else None
        elif name == _ROW:
            found[name] = dict(row)
        elif name == "outcome":
            found[name] = line.outcome.value
        else:
            found[name] = getattr(line, name)
    return found


def read_expression(
    data: JobData,
    text: str,
    compile_expression: CompileExpression,
    seqs: Sequence[int],
    progress: Progress = NO_PROGRESS,
) -> Iterator[tuple[int, Computed]]:
    """The values of an expression in rows, in the given order.

    Args:
        data: The job.
        text: The expression.
        compile_expression: Compiles it.
        seqs: Row numbers.
        progress: Told the rows read; can stop it.

    Raises:
        UsageError: The expression is not valid, or takes too much time or memory.
        HistoryError: A result file was changed or is missing.
    """
    expression = compile_expression(text)
    done = 0
    with RowReader(data) as reader, InputColumns(data.paths, data.id) as inputs:
        for start in range(0, len(seqs), _PAGE):
            for part in reader.parts(seqs[start : start + _PAGE], _PAGE_BYTES):
                lines = list(reader.lines(part))
                rows: list[dict[str, Any]] = [{}] * len(lines)
                if _ROW in expression.names:
                    rows = [
                        dict(zip(inputs.columns, values or (), strict=False))
                        for values in inputs.rows(part)
                    ]
                yield from zip(part, compute(expression, lines, rows), strict=True)
                done += len(part)
            progress.update(done, len(seqs))
            if progress.stopped:
                return


def compute_column(
    data: JobData, text: str, compile_expression: CompileExpression, progress: Progress
) -> ColumnValues:
    """The values of an expression in all rows; see ``read_expression``."""
    made = ColumnValues(data.job.counts.total)
    rows = range(data.job.counts.total)
    for seq, one in read_expression(data, text, compile_expression, rows, progress):
        made.set(seq, one.value)
        if one.problem:
            made.failed += 1
            made.problem = made.problem or one.problem
    return made
