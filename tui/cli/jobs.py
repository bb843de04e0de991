"""Commands that look at jobs and end them: list, show, collect, cancel, delete."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import click

from tui.cli import words
from tui.cli.options import STATUSES, account_option, job_argument, shared, yes_option
from tui.cli.output import Cell, is_terminal, pairs, print_json, print_lines, say, table
from tui.cli.session import ask, look, run
from tui.cli.settings import Settings
from tui.core.money import cost_words
from tui.errors import UsageError

if TYPE_CHECKING:
    from tui.core.jobs import Job
    from tui.engine.engine import Engine
    from tui.store.history import History


def print_job(engine: Engine, job: Job, settings: Settings) -> None:
    """Print a job: its document with ``--json``, else its main figures."""
    if settings.json:
        print_json(engine.history.document(job.id))
    else:
        print_lines(pairs(words.job_pairs(job)))


@click.command("list")
@click.option("--status", type=click.Choice(STATUSES), help="Only jobs with this status.")
@account_option
@click.option("--search", default="", metavar="TEXT", help="Only jobs with TEXT in their words.")
@click.option("--tag", metavar="TAG", help="Only jobs with this tag.")
@click.option("--limit", type=click.IntRange(min=1), help="Only the newest N jobs.")
@shared
def list_jobs(
    settings: Settings,
    status: str | None,
    account: str | None,
    search: str,
    tag: str | None,
    limit: int | None,
) -> None:
    """List the jobs of the history, newest first."""

    def read(history: History) -> list[Job]:
        from tui.core.status import BatchStatus

        wanted = BatchStatus(status) if status else None
        jobs = history.jobs(search=search, status=wanted, account=account, tag=tag, limit=limit)
        if settings.json and (jobs or account is None):
            print_json([history.document(job.id) for job in jobs])
        elif jobs:
            print_lines(_job_table(jobs))
            _warn(history, jobs)
        return jobs

    async def doubt(engine: Engine) -> None:
        # Without jobs an account may be a misspelt one: only the engine knows them all.
        if account is not None:
            engine.account(account)
            if settings.json:
                print_json([])

    if look(settings, read):
        return
    if account is not None:
        run(settings, doubt)
    if not settings.json:
        say("No job fits." if search or status or account or tag else "There is no job yet.")


def _warn(history: History, jobs: list[Job]) -> None:
    """Name the jobs whose results will soon be gone at the provider, or are."""
    from tui.core.keeping import keeping_flag

    expiring = history.expiring()
    now = time.time()
    for job in jobs:
        if flag := keeping_flag(expiring.get(job.id), now, collected=False):
            say(f"! {job.name} ({job.id}): {flag}. `batchdeck collect {job.id}` fetches them.")


def _job_table(jobs: list[Job]) -> list[str]:
    rows: list[list[Cell | str]] = [
        [
            words.status_cell(job.status),
            job.id,
            job.name,
            job.account,
            words.rows_cell(job.counts),
            words.trouble_cell(job.counts),
            cost_words(job.cost),
            words.moment_words(job.created_at),
        ]
        for job in jobs
    ]
    headers = ("STATUS", "JOB", "NAME", "ACCOUNT", "ROWS", "FAILED", "COST", "CREATED")
    return table(headers, rows, right=frozenset({4, 5, 6}), elastic=2)


@click.command(short_help="Show a job, its batches and its errors.")
@job_argument
@shared
def show(settings: Settings, job: str) -> None:
    """Show a JOB: counts, batches, error groups and what happened."""

    def work(history: History) -> None:
        found = history.find_job(job)
        if settings.json:
            print_json(history.document(found.id))
        else:
            print_lines(_story(history, found))

    look(settings, work)


def _story(history: History, job: Job) -> list[str]:
    facts = words.job_pairs(job)
    facts["stray lines"] = words.stray_words(history.strays(job.id))
    batches = history.batches(job.id)
    facts["results"] = words.kept_words(batches, time.time())
    lines = pairs(facts)
    if batches:
        titles = ("BATCH", "STATUS", "ROWS", "AT THE PROVIDER", "SENT", "ENDED")
        cells = words.batch_rows(batches)
        lines += ["", *table(titles, cells, right=frozenset({2}), elastic=3)]
    groups = history.error_groups(job.id)
    if groups:
        headers = ("ROWS", "SHARE", "TROUBLE", "CODE", "MESSAGE", "EXAMPLE", "LAST SEEN")
        cells = words.group_rows(groups)
        lines += ["", *table(headers, cells, right=frozenset({0, 1}), elastic=4)]
        lines += ["", *words.group_advice(groups)]
    timeline = history.timeline(job.id)
    if timeline:
        lines += ["", *table(("WHEN", "WHAT"), words.timeline_rows(timeline), elastic=1)]
    return lines


@click.command(short_help="Download what a job has given so far.")
@job_argument
@shared
def collect(settings: Settings, job: str) -> None:
    """Download what a JOB has given so far, and index it."""

    async def work(engine: Engine) -> None:
        found = engine.history.find_job(job)
        print_job(engine, await engine.collect(found.id), settings)

    run(settings, work)


@click.command(short_help="Write tags or a note on a job.")
@job_argument
@click.argument("tags", nargs=-1)
@click.option("--note", metavar="TEXT", help="A note in place of the one there is; '' for none.")
@click.option("--clear", is_flag=True, help="Take all tags away first.")
@shared
def tag(settings: Settings, job: str, tags: tuple[str, ...], note: str | None, clear: bool) -> None:
    """Add TAGS to a JOB, by which `list --tag` and the dashboard find it."""

    async def work(engine: Engine) -> None:
        found = engine.history.find_job(job)
        wanted = [*(() if clear else found.tags), *tags]
        print_job(engine, await engine.annotate(found.id, tags=wanted, note=note), settings)

    run(settings, work)


@click.command(short_help="Ask the provider to end a job.")
@job_argument
@yes_option
@shared
def cancel(settings: Settings, job: str) -> None:
    """Ask the provider to end a JOB; rows that are done stay."""

    async def work(engine: Engine) -> None:
        found = engine.history.find_job(job)
        rows = words.plural(found.counts.pending, "row")
        await ask(settings, f"Cancel {found.name} ({found.id}) with {rows} pending?")
        print_job(engine, await engine.cancel(found.id), settings)

    run(settings, work)


@click.command(short_help="Delete a job from the history.")
@job_argument
@click.option("--remote", is_flag=True, help="Delete its files and batches at the provider first.")
@yes_option
@shared
def delete(settings: Settings, job: str, remote: bool) -> None:
    """Delete a JOB with its requests and answers from the local history.

    With --remote also what the provider keeps of it, as far as the provider can delete.
    """

    async def work(engine: Engine) -> None:
        found = engine.history.find_job(job)
        if not settings.yes and not is_terminal(sys.stdin):
            raise UsageError(
                f"deleting {found.name} ({found.id}) cannot be undone", "Add --yes to delete it."
            )
        rows = words.plural(found.counts.total, "row")
        where = "the history"
        if remote:
            where += f" and at {engine.account(found.account).provider_name}"
        await ask(settings, f"Delete {found.name} ({found.id}) with {rows} from {where}?")
        await engine.delete(found.id, remote=remote)
        answer: dict[str, Any] = {"deleted": found.id, "name": found.name}
        if settings.json:
            print_json(answer)
        else:
            say(f"Deleted {found.name} ({found.id}).")

    run(settings, work)
