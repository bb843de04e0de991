"""``column``: derived columns of a job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from tui.cli.options import Settings, complete_columns, job_argument, shared
from tui.cli.output import print_result, table
from tui.cli.session import run
from tui.errors import UsageError

if TYPE_CHECKING:
    from tui.core.analysis.derived import DerivedColumn
    from tui.engine.engine import Engine


@click.command(short_help="Add a column that is captured from another one.")
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
@click.option("--remove", is_flag=True, help="Remove the column.")
@shared
def column(settings: Settings, job: str, name: str, match: str, of: str, remove: bool) -> None:
    """Add a derived column NAME to a JOB; without NAME, list them.

    Its values are used as calc.NAME in filters, facets and exports, like those of any column.
    Rows that do not match have no value.
    """

    async def work(engine: Engine) -> None:
        import asyncio

        from tui.core.analysis.derived import DerivedColumn

        rows = engine.history.rows
        found = engine.history.jobs.find(job)
        if remove and not name:
            raise UsageError("--remove needs the name of the column", "Name it after the job.")
        if name and not remove and not match:
            raise UsageError(f"the column {name!r} needs a pattern", "Add --match 'Score: (\\d+)'.")
        if remove:
            await asyncio.to_thread(rows.remove_derived_column, found.id, name)
        elif name:
            made = DerivedColumn(name, of, match)
            await asyncio.to_thread(rows.set_derived_column, found.id, made)
        known = rows.derived_columns(found.id)
        print_result(
            settings, lambda: {"job": found.id, "columns": _documents(known)}, lambda: _lines(known)
        )

    run(settings, work)


def _documents(known: list[DerivedColumn]) -> list[dict[str, Any]]:
    return [
        {"column": f"calc.{one.name}", "name": one.name, "of": one.of, "match": one.pattern}
        for one in known
    ]


def _lines(known: list[DerivedColumn]) -> list[str]:
    if not known:
        return ["This job has no derived columns."]
    rows = [[f"calc.{one.name}", one.of, one.pattern] for one in known]
    return table(("COLUMN", "OF", "MATCH"), rows, elastic=2)
