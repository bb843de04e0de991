"""``export``: the rows of a job as a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tui.cli import words
from tui.cli.meter import Meter
from tui.cli.options import job_argument, row_filter, row_options, shared, yes_option
from tui.cli.output import print_json, say
from tui.cli.session import ask, run, stop_at_exit
from tui.cli.settings import Settings

if TYPE_CHECKING:
    from tui.engine.engine import Engine

_FORMATS = """\
\b
The ending of FILE chooses the format:
  .jsonl           a JSON object a line; with --raw the provider's own lines
  .csv  .tsv       a table; cells that a spreadsheet would run get a quote in front
  .sqlite  .db     tables rows, errors, meta (and attempts, inputs); fit for Datasette
  .parquet         with the extra `tables`
  .html            a report with plots and error groups, in one file
.gz may follow .jsonl, .csv and .tsv.
"""


@click.command(short_help="Write the rows of a job to a file.", epilog=_FORMATS)
@job_argument
@click.option(
    "-o",
    "--output",
    "file",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Where to write; the ending chooses the format.",
)
@row_options
@click.option("--join", is_flag=True, help="Add the columns of the table it was composed from.")
@click.option("--attempts", is_flag=True, help="Every attempt at a row, not the merged outcome.")
@click.option("--raw", is_flag=True, help="The provider's result lines, byte for byte (.jsonl).")
@click.option("--expand", is_flag=True, help="The fields of JSON answers as columns.")
@click.option("--raw-cells", is_flag=True, help="Leave cells that look like formulas as they are.")
@yes_option
@shared
def export(
    settings: Settings,
    job: str,
    file: Path,
    outcomes: tuple[str, ...],
    code: str,
    search: str,
    where: str,
    join: bool,
    attempts: bool,
    raw: bool,
    expand: bool,
    raw_cells: bool,
) -> None:
    """Write the rows of a JOB to a file, whole or not at all."""
    there = file.exists()

    async def work(engine: Engine) -> None:
        from tui.store.export.options import ExportOptions, check_options

        found = engine.history.find_job(job)
        chosen = row_filter(outcomes, code, search, where)
        options = ExportOptions(
            join=join, attempts=attempts, raw=raw, raw_cells=raw_cells, expand=expand
        )
        check_options(file, options)
        if there:
            await ask(settings, f"{file} is there already. Overwrite it?")
        meter = Meter("writing", plural_of="row")
        with stop_at_exit() as stop:
            rows = await engine.export(
                found.id, file, chosen, options, stop=stop, progress=meter.show
            )
        assert rows is not None, "nobody stopped it"
        if settings.json:
            print_json({"job": found.id, "path": str(file), "rows": rows})
        else:
            noun = "line" if raw else "attempt" if attempts else "row"
            say(f"Wrote {words.plural(rows, noun)} to {file}.")

    run(settings, work)
