"""``sync``, ``adopt`` and ``import-results``: batches that were created elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from tui.cli.commands.jobs import print_job
from tui.cli.formatting import status_cell
from tui.cli.input_file import InputFile, local_file
from tui.cli.options import Settings, account_option, complete_jobs, shared
from tui.cli.output import Cell, print_json, print_lines, say, table
from tui.cli.progress import file_progress
from tui.cli.session import run
from tui.core.formatting import local_time, number, rfc3339
from tui.errors import UsageError

if TYPE_CHECKING:
    from tui.core.jobs import Job
    from tui.engine.engine import Engine
    from tui.engine.remote import RemoteEntry


@click.command(short_help="List the provider's batches.")
@account_option
@shared
def sync(settings: Settings, account: str | None) -> None:
    """List the provider's batches, each with its job in the local history.

    Use `adopt` to import a batch that has no job.
    """

    async def work(engine: Engine) -> None:
        name = account or engine.accounts.default
        entries = await engine.remote.sync(name)
        if settings.json:
            print_json(list(map(_document, entries)))
            return
        if not entries:
            say(f"{engine.account(name).provider_name} has no batches of this account.")
            return
        headers = ("BATCH", "STATUS", "ROWS", "CREATED", "JOB")
        print_lines(table(headers, list(map(_cells, entries)), right=frozenset({2})))
        without_job = sum(entry.job_id is None for entry in entries)
        if without_job:
            say(
                f"{without_job:,} of {len(entries):,} are not in the history;"
                f" `batchdeck adopt ID --account {name}` imports one."
            )

    run(settings, work)


def _document(entry: RemoteEntry) -> dict[str, Any]:
    remote = entry.remote
    return {
        "remote_id": remote.id,
        "status": remote.status.value,
        "raw_status": remote.raw_status,
        "rows": remote.counts.total,
        "endpoint": remote.endpoint,
        "model": remote.model,
        "input_tokens": remote.counts.input_tokens,
        "output_tokens": remote.counts.output_tokens,
        "created_at": rfc3339(remote.created_at),
        "ended_at": rfc3339(remote.ended_at),
        "expires_at": rfc3339(remote.expires_at),
        "job": entry.job_id,
    }


def _cells(entry: RemoteEntry) -> list[Cell | str]:
    remote = entry.remote
    return [
        remote.id,
        status_cell(remote.status, remote.raw_status),
        number(remote.counts.total),
        local_time(remote.created_at) or "-",
        entry.job_id or "-",
    ]


@click.command(short_help="Import a batch that was created elsewhere.")
@click.argument("remote_id")
@account_option
@click.option("--name", metavar="NAME", help="Job name; default: the name of the batch.")
@click.option("--job", metavar="JOB", shell_complete=complete_jobs,
              help="Existing job with an unconfirmed batch that this one belongs to.")  # fmt: skip
@shared
def adopt(
    settings: Settings, remote_id: str, account: str | None, name: str | None, job: str | None
) -> None:
    """Import the batch REMOTE_ID from the provider into the history, with its rows.

    The requests are read from the input file of the batch, if the provider still has it.

    With --job, REMOTE_ID is attached to JOB as the batch whose creation was unconfirmed.
    """
    if job is not None and (account is not None or name is not None):
        raise UsageError(
            "the job already has an account and a name",
            "Leave out --account and --name with --job.",
        )

    async def work(engine: Engine) -> None:
        if job is None:
            found = await engine.remote.adopt(remote_id, account=account, name=name)
        else:
            found = await engine.remote.attach(engine.history.jobs.find(job).id, remote_id)
        if found.id in {batch.job_id for batch in engine.history.batches.unfinished()}:
            # Download the results that are ready.
            found = await engine.collect(found.id)
        print_job(engine, found, settings)

    run(settings, work)


@click.command("import-results", short_help="Open a job archive, or results from elsewhere.")
@click.argument("requests", metavar="ARCHIVE | REQUESTS", type=InputFile())
@click.argument("results", type=InputFile(), nargs=-1)
@account_option
@click.option("--name", metavar="NAME",
              help="Job name; default: the name it had, or that of the requests file.")  # fmt: skip
@shared
def import_results(
    settings: Settings,
    requests: str,
    results: tuple[str, ...],
    account: str | None,
    name: str | None,
) -> None:
    """Open an ARCHIVE of a job, or REQUESTS and RESULTS of a batch, as a job; nothing is sent.

    An ARCHIVE is what `batchdeck export JOB -o FILE.batchdeck` writes: the job with its requests,
    answers, reviews, columns and views. What ran elsewhere is not polled or cancelled here; a
    retry sends new requests with an account of yours, and asks first.

    RESULTS are the output file and, if there is one, the error file, in the format of OpenAI,
    Azure, Mistral, ScaleDown, Anthropic, Gemini, Vertex AI or Bedrock. The job can be browsed,
    searched, exported and retried like any other.
    """

    async def work(engine: Engine) -> None:
        job: Job | None
        sent = (await local_file(engine, requests)).path
        received = [(await local_file(engine, file)).path for file in results]
        with file_progress("importing") as progress:
            if received:
                job = await engine.import_results(
                    sent, received, account=account, name=name, progress=progress
                )
            else:
                job = await engine.open_archive(sent, account=account, name=name, progress=progress)
        if job is not None:
            print_job(engine, job, settings)

    run(settings, work)
