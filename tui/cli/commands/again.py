"""``again``: the template of a job over a newer table; only new and changed rows are sent."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tui.addresses import shown_address
from tui.cli.commands.submit import SavingOptions, deadline_option, print_jobs, submit_file
from tui.cli.input_file import open_source
from tui.cli.options import (
    MOMENT,
    Settings,
    account_option,
    budget_option,
    complete_jobs,
    complete_sources,
    max_size_option,
    shared,
    wait_option,
    yes_option,
)
from tui.cli.output import say
from tui.cli.progress import file_progress
from tui.cli.session import run
from tui.core.formatting import counted
from tui.core.text import visible
from tui.errors import UsageError

if TYPE_CHECKING:
    from tui.engine.engine import Engine


@click.command(short_help="Compose a job anew, and send only new or changed rows.")
@click.argument("job_ref", metavar="JOB", shell_complete=complete_jobs)
@click.option("--source", metavar="TABLE", shell_complete=complete_sources,
              help="The newer table; default: the table of the job.")  # fmt: skip
@account_option
@click.option("--name", metavar="NAME", help="Job name; default: the name of the table.")
@click.option("--dedupe", is_flag=True,
              help="Send equal requests once; all their rows get the answer.")  # fmt: skip
@click.option("--reuse-since", type=MOMENT, metavar="WHEN",
              help="Reuse only answers since WHEN: a date, or 12h, 7d ago.")  # fmt: skip
@budget_option
@deadline_option
@max_size_option
@wait_option
@yes_option
@shared
def again(
    settings: Settings,
    job_ref: str,
    source: str | None,
    account: str | None,
    name: str | None,
    dedupe: bool,
    reuse_since: float | None,
    budget: float | None,
    deadline: float | None,
    wait: bool,
) -> int:
    """Use the template of JOB for a newer table, as a new job.

    A row whose request has a good answer in the history (of this job, or of another one) is not
    sent: the answer is copied. Only rows that are new or changed are sent.
    """

    async def work(engine: Engine) -> int:
        job = engine.history.jobs.find(job_ref)
        recipe = await engine.requests.recipe(job.id)
        table = source or recipe.table
        if not table:
            raise UsageError(
                f"the table of {job.name!r} cannot be opened again", "Name it with --source TABLE."
            )
        opened = await open_source(engine, table)
        with file_progress("composing") as progress:
            report = await engine.requests.compose(opened, recipe.template, progress=progress)
        say(f"{counted(report.rows, 'row')} from {visible(shown_address(table))}.")
        jobs = await submit_file(
            engine,
            settings,
            Path(report.path),
            account or job.account,
            {"sample": None, "seed": 0, "by": ""},
            budget,
            SavingOptions(dedupe, reuse=True, since=reuse_since or 0.0),
            wait=wait,
            deadline=deadline,
            name=name,
            fix=False,
            window=None if account else job.window or None,
        )
        return print_jobs(engine, [jobs[0].id], settings, waited=wait)

    return run(settings, work)
