"""``facet``, ``describe`` and ``pivot``: the values of columns, counted."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from tui.cli.options import (
    Settings,
    complete_columns,
    job_argument,
    row_filter,
    row_options,
    shared,
)
from tui.cli.output import Cell, glyph, print_result, table
from tui.cli.progress import file_progress
from tui.cli.session import run
from tui.core.formatting import counted, percent, plain_number
from tui.core.text import value_label

if TYPE_CHECKING:
    from tui.core.analysis.facets import Facet, Numbers
    from tui.core.analysis.pivot import Pivot, PivotCell, PivotLine
    from tui.core.query import RowFilter
    from tui.engine.engine import Engine

_BAR_CELLS = 24
_MAX_VALUES = 20
_LONGEST = 60


@click.command(short_help="Count the values of a column.")
@job_argument
@click.argument(
    "columns", metavar="COLUMN...", nargs=-1, required=True, shell_complete=complete_columns
)
@row_options
@click.option(
    "--limit",
    type=click.IntRange(min=1, max=200),
    default=_MAX_VALUES,
    metavar="N",
    show_default=True,
    help="List at most N values of each column.",
)
@shared
def facet(
    settings: Settings, job: str, columns: tuple[str, ...], limit: int, **selection: Any
) -> None:
    """Count the values of one or several COLUMNs among the rows of a JOB.

    A COLUMN is a field of the JSON answers (@label, @items[0].name), an input column (in.lang),
    or a fact of the row: outcome, code, status, attempt, input_tokens, output_tokens, finish,
    model, cost, length, answer. `batchdeck describe JOB` lists those that a job has.
    """

    async def work(engine: Engine) -> None:
        found = engine.history.jobs.find(job)
        with file_progress("counting", plural_of="row") as progress:
            facets = await engine.results.facets(
                found.id, columns, row_filter(**selection), progress=progress
            )
        _print(settings, found.id, facets, limit, _values)

    run(settings, work)


@click.command(short_help="List all columns of a job with their types and values.")
@job_argument
@row_options
@shared
def describe(settings: Settings, job: str, **selection: Any) -> None:
    """List all columns of a JOB: type, filled, distinct values, numbers, the commonest value.

    The columns are those of a sample of the rows; `batchdeck facet JOB COLUMN` counts the values
    of one.
    """

    async def work(engine: Engine) -> None:
        found = engine.history.jobs.find(job)
        rows: RowFilter = row_filter(**selection)
        with file_progress("counting", plural_of="row") as progress:
            facets = await engine.results.describe(found.id, rows, progress=progress)
        _print(settings, found.id, facets, 1, _overview)

    run(settings, work)


@click.command(short_help="Count rows by the values of two columns.")
@job_argument
@click.argument("down", metavar="ROWS", shell_complete=complete_columns)
@click.argument("across", metavar="COLUMNS", shell_complete=complete_columns)
@click.option(
    "--mean",
    default="",
    metavar="COLUMN",
    shell_complete=complete_columns,
    help="Show the mean of this column in each cell instead of the number of rows.",
)
@row_options
@shared
def pivot(
    settings: Settings, job: str, down: str, across: str, mean: str, **selection: Any
) -> None:
    """Count the rows of a JOB by the values of two columns, named ROWS and COLUMNS.

    Each line of the table is a value of ROWS, each column one of COLUMNS.
    """

    async def work(engine: Engine) -> None:
        found = engine.history.jobs.find(job)
        with file_progress("counting", plural_of="row") as progress:
            made = await engine.results.pivot(
                found.id, down, across, row_filter(**selection), value=mean, progress=progress
            )
        print_result(settings, lambda: _pivot_document(found.id, made), lambda: _pivot_lines(made))

    run(settings, work)


def _pivot_document(job_id: str, made: Pivot) -> dict[str, Any]:
    import msgspec

    return {"job": job_id, **msgspec.to_builtins(made)}


def _pivot_lines(made: Pivot) -> list[str]:
    def shown(cell: PivotCell) -> str:
        if not made.value:
            return f"{cell.rows:,}"
        return "-" if cell.mean is None else plain_number(cell.mean)

    def name(line: PivotLine) -> str:
        return value_label(line.value, _LONGEST)

    heads = [f"{made.down} / {made.across}", *map(name, made.columns), "ALL"]
    records: list[Sequence[Cell | str]] = [
        [name(line), *map(shown, cells), Cell(shown(line.total), "bold")]
        for line, cells in zip(made.lines, made.cells, strict=True)
    ]
    totals = [shown(column.total) for column in made.columns]
    records.append([Cell(text, "bold") for text in ["ALL", *totals, shown(made.total)]])
    return table(heads, records, right=frozenset(range(1, len(heads))), elastic=0)


def _print(settings: Settings, job_id: str, facets: list[Facet], limit: int, lines: Any) -> None:
    print_result(
        settings,
        lambda: {"job": job_id, "facets": [_document(facet, limit) for facet in facets]},
        lambda: lines(facets, limit),
    )


def _document(facet: Facet, limit: int) -> dict[str, Any]:
    import msgspec

    document: dict[str, Any] = msgspec.to_builtins(facet)
    document["missing"] = facet.missing
    document["values"] = document["values"][:limit]
    document["others"] = facet.filled - sum(value.rows for value in facet.values[:limit])
    return document


def _values(facets: list[Facet], limit: int) -> list[str]:
    lines: list[str] = []
    for facet in facets:
        if lines:
            lines.append("")
        lines += _of_one(facet, limit)
    return lines


def _of_one(facet: Facet, limit: int) -> list[str]:
    bar = glyph("█", "#", sys.stdout)
    named = [
        (f"{plain_number(one.low)} - {plain_number(one.high)}", one.rows) for one in facet.ranges
    ]
    named += ((value_label(one.value, _LONGEST), one.rows) for one in facet.shown_values[:limit])
    highest = max([rows for _, rows in named] + [1])

    def line(name: Cell | str, rows: int, cells: int = 0) -> list[Cell | str]:
        return [name, f"{rows:,}", percent(rows, facet.rows), bar * cells]

    records = [
        line(name, rows, max(1 if rows else 0, round(_BAR_CELLS * rows / highest)))
        for name, rows in named
    ]
    if rest := facet.rest(limit):
        records.append(line(Cell(facet.rest_name(limit), "dim"), rest))
    if facet.missing:
        records.append(line(Cell("(no value)", "dim"), facet.missing))
    lines = table((facet.column, "ROWS", "SHARE", ""), records, right=frozenset({1, 2}), elastic=0)
    if facet.numbers is not None:
        lines.append(_numbers(facet.numbers))
    if facet.failed:
        lines.append(f"{counted(facet.failed, 'row')} failed: {facet.problem}")
    return lines


def _numbers(numbers: Numbers) -> str:
    return (
        f"min {plain_number(numbers.minimum)}  quartiles {plain_number(numbers.lower_quartile)},"
        f" {plain_number(numbers.median)}, {plain_number(numbers.upper_quartile)}"
        f"  max {plain_number(numbers.maximum)}  mean {plain_number(numbers.mean)}"
    )


def _overview(facets: list[Facet], _: int) -> list[str]:
    records: list[Sequence[Cell | str]] = []
    for facet in facets:
        numbers = facet.numbers
        commonest = facet.values[0] if facet.values else None
        at_least = "" if facet.is_exact else ">"
        records.append(
            [
                facet.column,
                "/".join(facet.types) or "-",
                percent(facet.filled, facet.rows),
                f"{at_least}{facet.distinct:,}",
                "-" if numbers is None else plain_number(numbers.minimum),
                "-" if numbers is None else plain_number(numbers.median),
                "-" if numbers is None else plain_number(numbers.maximum),
                "-"
                if commonest is None
                else f"{value_label(commonest.value, _LONGEST)} ({commonest.rows:,})",
            ]
        )
    heads = ("COLUMN", "TYPE", "FILLED", "DISTINCT", "MIN", "MEDIAN", "MAX", "COMMONEST")
    return table(heads, records, right=frozenset({2, 3, 4, 5, 6}), elastic=7)
