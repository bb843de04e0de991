"""``reindex``: the records of rows, built anew from the files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from tui.cli.completion import complete_jobs
from tui.cli.options import shared
from tui.cli.output import print_json, say
from tui.cli.session import run
from tui.cli.settings import Settings
from tui.cli.words import count_words, plural
from tui.errors import UsageError

if TYPE_CHECKING:
    from tui.engine.engine import Engine


@click.command(short_help="Build the records of a job anew from its files.")
@click.argument("job", required=False, shell_complete=complete_jobs)
@shared
def reindex(settings: Settings, job: str | None) -> None:
    """Build the records of a JOB, or of all, anew from the requests and result files.

    The files are the truth; this mends a history that was damaged. Jobs that still run are
    left alone.
    """

    async def work(engine: Engine) -> None:
        if job is not None:
            documents = [await _rebuild(engine, engine.history.find_job(job).id)]
        else:
            documents = []
            for found in reversed(engine.history.jobs()):
                try:
                    documents.append(await _rebuild(engine, found.id))
                except UsageError as error:
                    say(f"{found.name} ({found.id}): {error.message}; left as it is.")
        if settings.json:
            print_json(documents if job is None else documents[0])

    run(settings, work)


async def _rebuild(engine: Engine, job_id: str) -> dict[str, Any]:
    import asyncio
    import time

    from tui.core.rules import RetryRules
    from tui.store.reindexing import reindex_job

    def rules_of(account: str) -> Mapping[str, bool]:
        try:
            return RetryRules(engine.accounts.profile(account).retry_codes)
        except UsageError:
            # The account is gone from the configuration; the common rules still hold.
            return {}

    done = await asyncio.to_thread(
        reindex_job, engine.history, job_id, rules_of=rules_of, now=time.time()
    )
    job = engine.history.job(job_id)
    lines = plural(done.lines, "result line")
    say(f"{job.name} ({job.id}): {lines} read; {count_words(job.counts)}.")
    for name in done.missing:
        say(f"The file {name} is not there.")
    return {
        "job": job_id,
        "requests_found": done.requests,
        "lines": done.lines,
        "rows_without_line": done.silent,
        "missing_files": done.missing,
        "counts": engine.history.document(job_id)["counts"],
    }
