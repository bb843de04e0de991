"""Commands that send and wait: submit, watch; and what retrying has in common with them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tui.cli import words
from tui.cli.completion import complete_files_and_jobs, complete_jobs
from tui.cli.costs import budget_option, is_free
from tui.cli.failures import GOOD, SOME_ROWS_FAILED
from tui.cli.importing import Draft
from tui.cli.jobs import print_job
from tui.cli.options import (
    account_option,
    edits_of,
    set_option,
    shared,
    yes_option,
)
from tui.cli.output import is_terminal, print_json, say
from tui.cli.session import ask, run
from tui.cli.settings import Settings
from tui.errors import (
    BatchdeckError,
    BudgetError,
    InputError,
    QuotaError,
    UnknownJobError,
    UsageError,
)

if TYPE_CHECKING:
    from tui.cli.progress import Progress
    from tui.core.jobs import Job
    from tui.engine.engine import Engine


@click.command(short_help="Send a file of requests as a new job.")
@click.argument("file", metavar="FILE|JOB", shell_complete=complete_files_and_jobs)
@account_option
@click.option("--name", metavar="NAME", help="The job's name; else that of the file.")
@click.option("--window", metavar="24h", help="How long the provider may take.")
@set_option
@click.option(
    "--fix", is_flag=True, help="Mend what changes no request: BOM, line ends, blank lines."
)
@budget_option
@click.option(
    "--sample",
    type=click.IntRange(min=1),
    metavar="N",
    help="Send N rows of the file as a job NAME-sample; the rest waits as the job NAME.",
)
@click.option("--wait", is_flag=True, help="Wait until the job has ended and is collected.")
@click.option(
    "--resend",
    is_flag=True,
    help="Send a batch again of which it is not certain whether the provider has it.",
)
@yes_option
@shared
def submit(
    settings: Settings,
    file: str,
    account: str | None,
    name: str | None,
    window: str | None,
    edits: tuple[tuple[str, Any], ...],
    fix: bool,
    budget: float | None,
    sample: int | None,
    wait: bool,
    resend: bool,
) -> int:
    """Send a FILE of requests as a new job, or a JOB that was not sent yet.

    With --sample N the file becomes two jobs: N rows, evenly spread over it, are sent as
    NAME-sample; the others wait as NAME until `batchdeck submit NAME` sends them.

    A budget (--budget, or [budget] in config.toml) is compared with the most that the job may
    cost. -y does not lift it, and a cost that nobody knows does not keep it.
    """
    path = Path(file)
    is_file = path.is_file()

    async def work(engine: Engine) -> int:
        made: list[Job] = []
        if is_file:
            draft = Draft(path, account, name, window, edits_of(edits), fix, sample)
            await _ask_for_file(engine, settings, draft)
            made = await draft.jobs(engine)
            job = made[0]
        else:
            job = _stored_job(engine, file)
            if account is not None or name is not None or window is not None or edits or sample:
                raise UsageError(
                    f"{job.name} ({job.id}) keeps its account, name, window and requests",
                    "Leave these options out, or submit a file.",
                )
            await ask_to_send(engine, settings, job.account, job.counts.total, job.model)
        async with shown_progress(engine, [job.id]):
            try:
                # All parts are left waiting when the queue is full, not only the first.
                await engine.submit(job.id, resend_uncertain=resend, patient=True, budget=budget)
            except BudgetError:
                # Nothing was sent, and what is too dear is not to stand in the list.
                for job in made:
                    await engine.delete(job.id)
                raise
            except BatchdeckError as error:
                if is_file:
                    again = f"The job is kept: `batchdeck submit {job.id}` sends it again."
                    error.hint = f"{error.hint} {again}".lstrip()
                raise
            if wait:
                await engine.wait([job.id])
            else:
                tell_waiting(engine, job)
        code = finish(engine, [job.id], settings, waited=wait)
        for rest in made[1:]:
            more = words.plural(rest.counts.total, "other request")
            say(f"The {more} wait as {rest.name}: `batchdeck submit {rest.id}` sends them.")
        return code

    return run(settings, work)


def tell_waiting(engine: Engine, job: Job) -> None:
    """Tell that something was not taken yet.

    Raises:
        QuotaError: A batch waits for room in the provider's queue.
    """
    from tui.core.status import Submission

    batches = engine.history.batches(job.id)
    waiting = [batch for batch in batches if batch.submission is Submission.WAITING]
    if waiting:
        raise QuotaError(
            waiting[0].trouble or "the provider's queue is full",
            f"The job is kept: `batchdeck watch {job.id}` sends it when there is room.",
        )


async def _ask_for_file(engine: Engine, settings: Settings, draft: Draft) -> None:
    name = draft.account or engine.accounts.default
    if settings.yes or not is_terminal(sys.stdin) or is_free(engine, name):
        return
    report = await engine.check(draft.path, account=draft.account)
    # A file that may not be sent is refused by the import, with the line that is wrong.
    if report.ok or (draft.fix and report.ok_when_fixed):
        rows, model, cost = await draft.in_words(engine, report)
        await ask_to_send(engine, settings, name, rows, model, cost)


async def ask_to_send(
    engine: Engine, settings: Settings, account: str, rows: int, model: str, cost: str = ""
) -> None:
    """Ask whether requests may be sent; what costs nothing is not asked about."""
    if is_free(engine, account):
        return
    provider = engine.account(account).provider_name
    what = (
        f"{words.plural(rows, 'request')} for {model}" if model else words.plural(rows, "request")
    )
    if cost and not settings.yes and is_terminal(sys.stdin):
        say(f"Cost: {cost}.")
    await ask(settings, f"Send {what} to {provider} with account {account}?")


def _stored_job(engine: Engine, ref: str) -> Job:
    """The job that was named in place of a file.

    Raises:
        InputError: The words are those of a file that is not there.
        UnknownJobError: There is neither a file nor a job.
    """
    path = Path(ref)
    try:
        return engine.history.find_job(ref)
    except UnknownJobError as error:
        if path.is_dir():
            raise InputError(f"{ref} is a folder", "Name a file of requests.", path=path) from None
        if path.suffix or path.name != ref:
            raise InputError(f"there is no file {ref}", "Check the spelling.", path=path) from None
        raise UnknownJobError(f"there is no file, and {error.message}", error.hint) from None


@click.command(short_help="Watch jobs until they end.")
@click.argument("job_refs", metavar="[JOB]...", nargs=-1, shell_complete=complete_jobs)
@shared
def watch(settings: Settings, job_refs: tuple[str, ...]) -> int:
    """Watch JOBs, or all that run, until they end.

    With --json the answer is the job's document, or an array of them unless one JOB is named.
    """

    async def work(engine: Engine) -> int:
        history = engine.history
        running = {batch.job_id for batch in history.unfinished()}
        jobs = [history.find_job(ref) for ref in job_refs]
        if not job_refs:
            jobs = [job for job in history.jobs() if job.id in running]
        for job in jobs:
            if job.status == "draft" and job.id not in running:
                raise UsageError(
                    f"{job.name} ({job.id}) was not sent yet",
                    f"`batchdeck submit {job.id}` sends it.",
                )
        ids = list(dict.fromkeys(job.id for job in jobs))
        if not ids:
            say("Nothing is running.")
        async with shown_progress(engine, ids):
            await engine.wait(ids)
        return finish(engine, ids, settings, waited=True, many=len(job_refs) != 1)

    return run(settings, work)


def shown_progress(engine: Engine, job_ids: Sequence[str]) -> Progress:
    """Progress of some jobs on stderr while a block runs."""
    from tui.cli.progress import Progress

    return Progress(engine, job_ids)


def finish(
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
