"""Commands that send: check, submit, watch, retry."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tui.cli import words
from tui.cli.failures import GOOD, SOME_ROWS_FAILED
from tui.cli.jobs import print_job
from tui.cli.options import (
    Settings,
    account_option,
    edits_of,
    row_filter,
    row_options,
    set_option,
    shared,
    yes_option,
)
from tui.cli.output import is_terminal, print_json, say
from tui.cli.session import ask, run
from tui.errors import InputError, UnknownJobError, UsageError

if TYPE_CHECKING:
    from tui.cli.progress import Progress
    from tui.core.jobs import Job
    from tui.engine.engine import Engine


@click.command(short_help="Send a file of requests as a new job.")
@click.argument("file", metavar="FILE|JOB")
@account_option
@click.option("--name", metavar="NAME", help="The job's name; else that of the file.")
@click.option("--window", metavar="24h", help="How long the provider may take.")
@click.option(
    "--fix", is_flag=True, help="Mend what changes no request: BOM, line ends, blank lines."
)
@click.option("--wait", is_flag=True, help="Wait until the job has ended and is collected.")
@yes_option
@shared
def submit(
    settings: Settings,
    file: str,
    account: str | None,
    name: str | None,
    window: str | None,
    fix: bool,
    wait: bool,
) -> int:
    """Send a FILE of requests as a new job, or a JOB that was not sent yet."""
    path = Path(file)
    is_file = path.is_file()

    async def work(engine: Engine) -> int:
        if is_file:
            await _ask_for_file(engine, settings, path, account, fix)
            job = await engine.import_file(path, account=account, name=name, fix=fix, window=window)
        else:
            job = _unsent_job(engine, file, account, name, window)
            await _ask_to_send(engine, settings, job.account, job.counts.total, job.model)
        async with shown_progress(engine, [job.id]):
            job = await engine.submit(job.id)
            if wait:
                await engine.wait([job.id])
        return _finish(engine, [job.id], settings, waited=wait)

    return run(settings, work)


async def _ask_for_file(
    engine: Engine, settings: Settings, path: Path, account: str | None, fix: bool
) -> None:
    name = account or engine.config.default_account
    if settings.yes or not is_terminal(sys.stdin) or _is_free(engine, name):
        return
    report = await engine.check(path, account=account)
    # A file that may not be sent is refused by the import, with the line that is wrong.
    if report.ok or (fix and report.ok_when_fixed):
        models = ", ".join(report.models)
        await _ask_to_send(engine, settings, name, report.rows, models)


async def _ask_to_send(
    engine: Engine, settings: Settings, account: str, rows: int, model: str
) -> None:
    if _is_free(engine, account):
        return
    provider = engine.account(account).provider_name
    what = (
        f"{words.plural(rows, 'request')} for {model}" if model else words.plural(rows, "request")
    )
    await ask(settings, f"Send {what} to {provider} with account {account}?")


def _is_free(engine: Engine, account: str) -> bool:
    return engine.account(account).provider == "sandbox"


def _unsent_job(
    engine: Engine, ref: str, account: str | None, name: str | None, window: str | None
) -> Job:
    path = Path(ref)
    try:
        job = engine.history.find_job(ref)
    except UnknownJobError as error:
        if path.is_dir():
            raise InputError(f"{ref} is a folder", "Name a file of requests.", path=path) from None
        if path.suffix or path.name != ref:
            raise InputError(f"there is no file {ref}", "Check the spelling.", path=path) from None
        raise UnknownJobError(
            f"there is no file {ref!r}, and {error.message}", error.hint
        ) from None
    if account is not None or name is not None or window is not None:
        raise UsageError(
            "a job that exists keeps its account, name and window",
            f"Leave these options out, or submit the file again: {job.source or 'as a new job'}.",
        )
    if job.submitted_at is not None and not _has_unsent_batch(engine, job):
        raise UsageError(
            f"{job.name} ({job.id}) was sent already",
            f"'batchdeck retry {job.id}' sends the rows without an answer again.",
        )
    return job


def _has_unsent_batch(engine: Engine, job: Job) -> bool:
    from tui.core.status import BatchStatus

    waiting = (BatchStatus.DRAFT, BatchStatus.SUBMITTING)
    return any(batch.status in waiting for batch in engine.history.batches(job.id))


@click.command(short_help="Watch jobs until they end.")
@click.argument("job_refs", metavar="[JOB]...", nargs=-1)
@shared
def watch(settings: Settings, job_refs: tuple[str, ...]) -> int:
    """Watch JOBs, or all that run, until they end.

    With --json the answer is the job's document, or an array of them unless one JOB is named.
    """

    async def work(engine: Engine) -> int:
        jobs = [engine.history.find_job(ref) for ref in job_refs] or _running_jobs(engine)
        for job in jobs:
            if job.submitted_at is None:
                raise UsageError(
                    f"{job.name} ({job.id}) was not sent yet",
                    f"'batchdeck submit {job.id}' sends it.",
                )
        ids = list(dict.fromkeys(job.id for job in jobs))
        if not ids:
            say("Nothing is running.")
        async with shown_progress(engine, ids):
            await engine.wait(ids)
        return _finish(engine, ids, settings, waited=True, many=len(job_refs) != 1)

    return run(settings, work)


def _running_jobs(engine: Engine) -> list[Job]:
    from tui.core.status import is_terminal as has_ended

    return [
        job
        for job in engine.history.jobs()
        if job.submitted_at is not None and not has_ended(job.status)
    ]


@click.command(short_help="Send the rows without an answer again.")
@click.argument("job")
@row_options
@set_option
@click.option("--model", metavar="MODEL", help="Send the rows to another model.")
@click.option("--wait", is_flag=True, help="Wait until the rows have ended and are collected.")
@yes_option
@shared
def retry(
    settings: Settings,
    job: str,
    outcomes: tuple[str, ...],
    code: str,
    search: str,
    edits: tuple[tuple[str, Any], ...],
    model: str | None,
    wait: bool,
) -> int:
    """Send rows of a JOB again: those without an answer, or those that the options choose."""

    async def work(engine: Engine) -> int:
        found = engine.history.find_job(job)
        chosen = None
        if outcomes or code or search:
            chosen = row_filter(outcomes, code, search)
        plan = await engine.plan_retry(found.id, chosen, edits_of(edits, model) or None)
        if plan.rows == 0:
            raise UsageError(
                f"{found.name} ({found.id}) has no such row to send again",
                f"'batchdeck show {found.id}' tells what became of its rows.",
            )
        if plan.permanent and not plan.edits:
            kind = words.plural(plan.permanent, "row")
            say(f"{kind} will most likely fail again unless changed with --set or --model.")
        await _ask_to_send(engine, settings, plan.account, plan.rows, plan.model)
        async with shown_progress(engine, [found.id]):
            sent = await engine.retry(plan)
            if wait:
                await engine.wait([sent.id])
        return _finish(engine, [sent.id], settings, waited=wait)

    return run(settings, work)


def shown_progress(engine: Engine, job_ids: Sequence[str]) -> Progress:
    """Progress of some jobs on stderr while a block runs."""
    from tui.cli.progress import Progress

    return Progress(engine, job_ids)


def _finish(
    engine: Engine, job_ids: Sequence[str], settings: Settings, *, waited: bool, many: bool = False
) -> int:
    """Print the jobs as they stand; the answer is the exit code."""
    jobs = [engine.history.job(job_id) for job_id in job_ids]
    if many and settings.json:
        print_json([engine.history.document(job_id) for job_id in job_ids])
    else:
        for job in jobs:
            print_job(engine, job, settings)
    if not waited or all(job.counts.all_good for job in jobs):
        return GOOD
    return SOME_ROWS_FAILED
