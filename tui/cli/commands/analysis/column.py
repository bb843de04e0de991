"""``column``: derived columns of a job."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tui.cli.options import Settings, complete_columns, job_argument, shared
from tui.cli.output import print_result, say, table
from tui.cli.progress import file_progress
from tui.cli.session import run
from tui.core.formatting import counted
from tui.core.text import one_line
from tui.errors import UsageError

if TYPE_CHECKING:
    from tui.core.analysis.derived import DerivedColumn
    from tui.core.analysis.facets import Facet
    from tui.engine.engine import Engine
    from tui.store.history import TableCounts


@click.command(short_help="Add a column that is computed from others.")
@job_argument
@click.argument("name", required=False, default="")
@click.option(
    "--match",
    default="",
    metavar="REGEX",
    help="The values: what the first group of REGEX matches, or the whole match without a group.",
)
@click.option(
    "--of",
    default="answer",
    metavar="COLUMN",
    show_default=True,
    shell_complete=complete_columns,
    help="The column that is searched.",
)
@click.option(
    "--expr",
    default="",
    metavar="JINJA",
    help="The values: a Jinja expression, or a template, in place of --match.",
)
@click.option(
    "--from",
    "table_path",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The values: from a table with a column custom_id, such as true values.",
)
@click.option(
    "--values",
    default="",
    metavar="COLUMN",
    help="The column of --from; may be left out if there is only one besides the id.",
)
@click.option("--remove", is_flag=True, help="Remove the column.")
@shared
def column(
    settings: Settings,
    job: str,
    name: str,
    match: str,
    of: str,
    expr: str,
    table_path: Path | None,
    values: str,
    remove: bool,
) -> None:
    """Add a derived column NAME to a JOB; without NAME, list them.

    Its values are used as calc.NAME in filters, facets and exports, like those of any column.
    Rows that do not match, or for which an expression fails, have no value.

    \b
    Variables of an expression:
      answer          the answer as text
      label, score    the fields of JSON answers, by their names
      data            the answer as JSON
      row             the input columns: row.lang, row['Price (EUR)']
      custom_id, outcome, model
    """  # noqa: D301 - the backspace stops click from wrapping the lines

    async def work(engine: Engine) -> None:
        import asyncio

        from tui.core.analysis.derived import DerivedColumn

        rows = engine.history.rows
        found = engine.history.jobs.find(job)
        if remove and not name:
            raise UsageError("--remove needs the name of the column", "Name it after the job.")
        if name and not remove and not (match or expr or table_path):
            raise UsageError(
                f"the column {name!r} needs a pattern, an expression or a file",
                "Add --match 'Score: (\\d+)', --expr 'score > 3', or --from labels.csv.",
            )
        if table_path is not None and (match or expr):
            raise UsageError("--from does not go with --match or --expr", "Use only one of them.")
        if remove:
            await asyncio.to_thread(rows.remove_derived_column, found.id, name)
        elif name and table_path is not None:
            counts = await engine.results.add_table_column(found.id, name, table_path, values)
            say(_table_outcome(name, counts))
        elif name:
            made = DerivedColumn(name, "" if expr else of, match, expr)
            await asyncio.to_thread(rows.set_derived_column, found.id, made)
            with file_progress("computing", plural_of="row") as progress:
                (facet,) = await engine.results.facets(
                    found.id, [f"calc.{name}"], progress=progress
                )
            say(_outcome(facet))
        known = rows.derived_columns(found.id)
        print_result(
            settings, lambda: {"job": found.id, "columns": _documents(known)}, lambda: _lines(known)
        )

    run(settings, work)


def _outcome(facet: Facet) -> str:
    """How many rows have a value of a new column, and why others have none."""
    text = f"{facet.filled:,} of {counted(facet.rows, 'row')} have a value in {facet.column}."
    if facet.failed:
        text += f" {counted(facet.failed, 'row')} failed: {one_line(facet.problem, 120)}"
    return text


def _table_outcome(name: str, counts: TableCounts) -> str:
    text = f"{counted(counts.rows, 'row')} have a value in calc.{name}."
    if counts.unknown:
        text += f" {counted(counts.unknown, 'id')} not in this job."
    if counts.repeated:
        text += f" {counted(counts.repeated, 'id')} repeated."
    return text


def _documents(known: list[DerivedColumn]) -> list[dict[str, Any]]:
    return [
        {
            "column": f"calc.{one.name}",
            "name": one.name,
            "of": one.of,
            "match": one.pattern,
            "expression": one.expression,
            "table": one.table,
        }
        for one in known
    ]


def _lines(known: list[DerivedColumn]) -> list[str]:
    if not known:
        return ["This job has no derived columns."]
    rows = [
        [f"calc.{one.name}", one.of or "-", one.table or one.expression or one.pattern]
        for one in known
    ]
    return table(("COLUMN", "OF", "VALUES"), rows, elastic=2)
