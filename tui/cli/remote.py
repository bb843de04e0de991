"""What the provider has: listing its batches, and bringing one into the history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from tui.cli import words
from tui.cli.completion import complete_jobs
from tui.cli.jobs import print_job
from tui.cli.options import account_option, shared
from tui.cli.output import Cell, print_json, print_lines, say, table
from tui.cli.session import run
from tui.cli.settings import Settings
from tui.errors import UsageError

if TYPE_CHECKING:
    from tui.engine.adopter import RemoteEntry
    from tui.engine.engine import Engine


@click.command(short_help="List the batches that the provider has.")
@account_option
@shared
def sync(settings: Settings, account: str | None) -> None:
    """List the batches that the provider has, with the job of each that is here.

    `adopt` brings one without a job into the history.
    """

    async def work(engine: Engine) -> None:
        name = account or engine.accounts.default
        entries = await engine.sync(name)
        if settings.json:
            print_json(list(map(_document, entries)))
            return
        if not entries:
            say(f"{engine.account(name).provider_name} has no batches of this account.")
            return
        headers = ("BATCH AT THE PROVIDER", "STATUS", "ROWS", "CREATED", "JOB HERE")
        print_lines(table(headers, list(map(_cells, entries)), right=frozenset({2})))
        strange = sum(entry.job_id is None for entry in entries)
        if strange:
            say(
                f"{strange:,} of {len(entries):,} have no job here;"
                f" `batchdeck adopt ID --account {name}` brings one in."
            )

    run(settings, work)


def _document(entry: RemoteEntry) -> dict[str, Any]:
    from tui.core.times import rfc3339

    remote = entry.remote
    return {
        "remote_id": remote.id,
        "status": remote.status.value,
        "raw_status": remote.raw_status,
        "rows": remote.counts.total,
        "endpoint": remote.endpoint,
        "created_at": rfc3339(remote.created_at),
        "ended_at": rfc3339(remote.ended_at),
        "expires_at": rfc3339(remote.expires_at),
        "job": entry.job_id,
    }


def _cells(entry: RemoteEntry) -> list[Cell | str]:
    remote = entry.remote
    total = remote.counts.total
    return [
        remote.id,
        words.status_cell(remote.status, remote.raw_status),
        "-" if total is None else f"{total:,}",
        words.moment_words(remote.created_at) or "-",
        entry.job_id or "-",
    ]


@click.command(short_help="Bring a batch that was made elsewhere into the history.")
@click.argument("remote_id")
@account_option
@click.option("--name", metavar="NAME", help="The job's name; else the batch's own.")
@click.option(
    "--job",
    metavar="JOB",
    shell_complete=complete_jobs,
    help="The job here whose uncertain batch it is.",
)
@shared
def adopt(
    settings: Settings, remote_id: str, account: str | None, name: str | None, job: str | None
) -> None:
    """Bring the batch REMOTE_ID of the provider into the history, with its rows.

    The requests come from the batch's input file where the provider still has it.

    With --job it is the batch of which JOB could not be certain whether it was taken.
    """
    if job is not None and (account is not None or name is not None):
        raise UsageError(
            "a job keeps its account and its name", "Leave --account and --name out with --job."
        )

    async def work(engine: Engine) -> None:
        if job is None:
            found = await engine.adopt(remote_id, account=account, name=name)
        else:
            found = await engine.attach(engine.history.find_job(job).id, remote_id)
        if found.id in {batch.job_id for batch in engine.history.unfinished()}:
            # What there is already is worth having at once.
            found = await engine.collect(found.id)
        print_job(engine, found, settings)

    run(settings, work)
