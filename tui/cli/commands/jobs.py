"""Commands on jobs: ``list``, ``show``, ``provenance``, ``collect``, ``tag``, ``delete``."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import click

from tui.cli import formatting, output
from tui.cli.options import (
    MOMENT,
    NEW_DEADLINE,
    NO_DEADLINE,
    STATUSES,
    Settings,
    account_option,
    budget_option,
    complete_sections,
    job_argument,
    shared,
    yes_option,
)
from tui.cli.output import is_terminal
from tui.cli.progress import file_progress
from tui.cli.session import confirm, read_history, run
from tui.core.formatting import counted, format_cost, local_time
from tui.core.status_words import orphan_text
from tui.errors import UsageError

if TYPE_CHECKING:
    from tui.core.jobs import Deadline, Job
    from tui.engine.engine import Engine
    from tui.store.history import History


def print_job(engine: Engine, job: Job, settings: Settings) -> None:
    """Print a job: its document with ``--json``, else its main fields."""
    output.print_result(
        settings,
        lambda: engine.history.jobs.document(job.id),
        lambda: output.pairs(formatting.job_pairs(job)),
    )


@click.command("list")
@click.option("--status", type=click.Choice(STATUSES), help="Only jobs with this status.")
@account_option
@click.option("--search", default="", metavar="TEXT",
              help="Only jobs with TEXT in name, id, model, account, tags or note.")  # fmt: skip
@click.option("--tag", metavar="TAG", help="Only jobs with this tag.")
@click.option(
    "--section", metavar="NAME", shell_complete=complete_sections,
    help="Only jobs of a section of the dashboard: running, needs-me, this-week, or one of"
    " [sections] in config.toml.",
)  # fmt: skip
@click.option(
    "--since", type=MOMENT, metavar="WHEN",
    help="Only jobs created since WHEN: a date such as 2026-11-20, or 12h, 7d, 3w ago.",
)  # fmt: skip
@click.option("--before", type=MOMENT, metavar="WHEN", help="Only jobs created before WHEN.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the newest N jobs.")
@click.option("--short", is_flag=True,
              help="One line for a status line: what runs, and what needs attention.")  # fmt: skip
@shared
def list_jobs(
    settings: Settings,
    short: bool,
    status: str | None,
    account: str | None,
    search: str,
    tag: str | None,
    section: str | None,
    since: float | None,
    before: float | None,
    limit: int | None,
) -> None:
    """List the jobs in the history, newest first."""

    def read(history: History) -> list[Job]:
        from tui.core.jobs import BatchStatus

        wanted = BatchStatus(status) if status else None
        jobs = history.jobs.list(
            search=search,
            status=wanted,
            account=account,
            tag=tag,
            since=since,
            before=before,
            limit=limit if section is None else None,
        )
        if section is not None:
            jobs = _in_section(history, jobs, section, settings)[:limit]
        if short:
            found = _short(history, jobs)
            output.print_result(settings, lambda: found, lambda: [_short_text(found)])
            return jobs
        if settings.json and (jobs or account is None):
            output.print_json([history.jobs.document(job.id) for job in jobs])
        elif jobs:
            output.print_lines(_job_table(jobs))
            _warn(history, jobs)
        return jobs

    async def check_account(engine: Engine) -> None:
        # No jobs: the account may be misspelt, and only the engine knows all accounts.
        if account is not None:
            engine.account(account)
            if settings.json:
                output.print_json([])

    if read_history(settings, read) or short:
        return
    if account is not None:
        run(settings, check_account)
    if not settings.json:
        given = (search, status, account, tag, section)
        narrowed = any(given) or since is not None or before is not None
        output.say("No matching jobs." if narrowed else "No jobs yet.")


def _in_section(history: History, jobs: list[Job], name: str, settings: Settings) -> list[Job]:
    """The jobs that a section of the dashboard shows."""
    from tui.core.analysis.sections import ListedJob, matching, section_named, sections

    wanted = section_named(name, sections(settings.load_config().sections))
    expiring = history.batches.expiring()
    listed = [ListedJob(job, expiring.get(job.id)) for job in jobs]
    for one in listed:
        if one.is_live:
            one.batches = history.batches.of_job(one.job.id)
    return [one.job for one in matching(listed, wanted.text, time.time())]


def _short(history: History, jobs: list[Job]) -> dict[str, int]:
    """Counts of jobs by what is to be done about them, and the rows of those that run."""
    from tui.core.alerts import stuck_flags
    from tui.core.jobs import is_terminal, rows_done

    now = time.time()
    found = {"running": 0, "rows": 0, "done": 0, "attention": 0, "drafts": 0}
    for job in jobs:
        if job.status == "draft":
            found["drafts"] += 1
        elif not is_terminal(job.status):
            batches = history.batches.of_job(job.id)
            found["running"] += 1
            found["rows"] += job.counts.total
            found["done"] += rows_done(job, batches)
            found["attention"] += bool(stuck_flags(batches, now))
    return found


def _short_text(found: dict[str, int]) -> str:
    """``2 running, 68% · 1 needs attention · 3 drafts``; ``nothing running``."""
    from tui.core.formatting import percent

    running, attention = found["running"], found["attention"]
    share = percent(found["done"], max(1, found["rows"]))
    words = [f"{running} running, {share}" if running else "nothing running"]
    if attention:
        words.append(f"{attention} need{'s' if attention == 1 else ''} attention")
    if found["drafts"]:
        words.append(counted(found["drafts"], "draft"))
    return " · ".join(words)


def _warn(history: History, jobs: list[Job]) -> None:
    """Warn of jobs whose results the provider will soon delete, or has deleted."""
    from tui.core.alerts import retention_warning

    expiring = history.batches.expiring()
    now = time.time()
    for job in jobs:
        if flag := retention_warning(expiring.get(job.id), now, collected=False):
            output.say(
                f"! {job.name} ({job.id}): {flag}. `batchdeck collect {job.id}` downloads them."
            )


def _job_table(jobs: list[Job]) -> list[str]:
    from tui.core.formatting import moment
    from tui.core.jobs import is_terminal

    now = time.time()
    open_ones = {
        job.id: job.deadline
        for job in jobs
        if job.deadline is not None and job.deadline.is_open and not is_terminal(job.status)
    }
    rows: list[list[output.Cell | str]] = [
        [
            formatting.status_cell(job.status),
            job.id,
            job.name,
            job.account,
            f"{job.counts.ended:,}/{job.counts.total:,}",
            formatting.failed_cell(job.counts),
            format_cost(job.cost),
            local_time(job.created_at),
            *([moment(open_ones[job.id].at, now) if job.id in open_ones else ""] * bool(open_ones)),
        ]
        for job in jobs
    ]
    headers = ["STATUS", "JOB", "NAME", "ACCOUNT", "ROWS", "FAILED", "COST", "CREATED"]
    headers += ["DEADLINE"] if open_ones else []
    return output.table(headers, rows, right=frozenset({4, 5, 6}), elastic=2)


@click.command(short_help="Show a job, its batches and its errors.")
@job_argument
@shared
def show(settings: Settings, job: str) -> None:
    """Show a JOB: counts, batches, error groups and timeline."""

    def work(history: History) -> None:
        found = history.jobs.find(job)
        output.print_result(
            settings, lambda: history.jobs.document(found.id), lambda: _lines(history, found)
        )

    read_history(settings, work)


def _lines(history: History, job: Job) -> list[str]:
    facts = formatting.job_pairs(job)
    facts["unmatched lines"] = orphan_text(history.rows.orphan_lines(job.id))
    batches = history.batches.of_job(job.id)
    facts["results"] = formatting.retention_fact(batches, time.time())
    lines = output.pairs(facts)
    if batches:
        titles = ("BATCH", "STATUS", "ROWS", "PROVIDER ID", "SENT", "ENDED")
        cells = formatting.batch_rows(batches)
        lines += ["", *output.table(titles, cells, right=frozenset({2}), elastic=3)]
    groups = history.rows.error_groups(job.id)
    if groups:
        headers = ("ROWS", "SHARE", "KIND", "CODE", "MESSAGE", "EXAMPLE", "LAST SEEN")
        cells = formatting.group_rows(groups)
        lines += ["", *output.table(headers, cells, right=frozenset({0, 1}), elastic=4)]
        lines += ["", *formatting.group_advice(groups)]
    timeline = history.jobs.timeline(job.id)
    if timeline:
        lines += [
            "",
            *output.table(("TIME", "EVENT"), formatting.timeline_rows(timeline), elastic=1),
        ]
    return lines


@click.command(short_help="Download the results that a job has so far.")
@job_argument
@shared
def collect(settings: Settings, job: str) -> None:
    """Download and index the results that a JOB has so far."""

    async def work(engine: Engine) -> None:
        found = engine.history.jobs.find(job)
        print_job(engine, await engine.collect(found.id), settings)

    run(settings, work)


@click.command(short_help="Set tags or a note on a job.")
@job_argument
@click.argument("tags", nargs=-1)
@click.option("--note", metavar="TEXT", help="Set the note; '' removes it.")
@click.option("--clear", is_flag=True, help="Remove all existing tags first.")
@shared
def tag(settings: Settings, job: str, tags: tuple[str, ...], note: str | None, clear: bool) -> None:
    """Add TAGS to a JOB. Find it by a tag with `list --tag` or in the dashboard."""

    async def work(engine: Engine) -> None:
        found = engine.history.jobs.find(job)
        new_tags = [*(() if clear else found.tags), *tags]
        print_job(engine, await engine.annotate(found.id, tags=new_tags, note=note), settings)

    run(settings, work)


async def plan_deadline(engine: Engine, job: Job, at: float, budget: float | None) -> Deadline:
    """The deadline of a stored job, after saying what happens then; nothing is stored."""
    until = await engine.deadlines.plan_for(job.id, at, budget=budget)
    output.say(engine.deadlines.describe(until, job.account))
    return until


@click.command(short_help="Set, change or remove the deadline of a job.")
@job_argument
@click.argument("when", type=NEW_DEADLINE, metavar="[WHEN|none]", required=False)
@budget_option
@yes_option
@shared
def deadline(settings: Settings, job: str, when: float | str | None, budget: float | None) -> None:
    """Set the deadline of a JOB to WHEN, or remove it with none; without WHEN, show the job.

    At that time its running batches are cancelled, what is done is kept, and the rows without an
    answer are sent one by one, at the price of single requests (asks first). WHEN is 18:00 (the
    next time that a clock here shows it), +90m, +6h, +2d, or 2026-12-01T18:00; times are local
    unless they end in Z or +01:00.

    It needs a program that runs then: the dashboard, `watch` or --wait; if none does, the next one
    that starts acts on it. A job that has ended before its deadline is left as it is. With
    --budget, USD is the most that the whole job may cost: what it has cost already counts.
    """

    async def work(engine: Engine) -> None:
        found = engine.history.jobs.find(job)
        if when == NO_DEADLINE:
            if not await engine.deadlines.set(found.id, None):
                raise UsageError(f"{found.name} ({found.id}) has no deadline")
        elif isinstance(when, float):
            until = await plan_deadline(engine, found, when, budget)
            if not engine.account(found.account).is_free:
                await confirm(settings, f"Set the deadline of {found.name} ({found.id})?")
            await engine.deadlines.set(found.id, until)
        print_job(engine, engine.history.jobs.get(found.id), settings)

    run(settings, work)


@click.command(short_help="Cancel a job.")
@job_argument
@yes_option
@shared
def cancel(settings: Settings, job: str) -> None:
    """Ask the provider to cancel a JOB; rows that are done are kept. Its deadline is removed."""

    async def work(engine: Engine) -> None:
        found = engine.history.jobs.find(job)
        rows = counted(found.counts.pending, "row")
        await confirm(settings, f"Cancel {found.name} ({found.id}) with {rows} pending?")
        print_job(engine, await engine.cancel(found.id), settings)

    run(settings, work)


@click.command(short_help="Delete a job from the history.")
@job_argument
@click.option("--remote", is_flag=True, help="First delete its files and batches at the provider.")
@click.option(
    "--forget",
    is_flag=True,
    help="Delete it although a batch may be running at the provider, or it has reviews.",
)
@yes_option
@shared
def delete(settings: Settings, job: str, remote: bool, forget: bool) -> None:
    """Delete a JOB with its requests and answers from the local history.

    With --remote its files and batches at the provider are deleted too, if the provider supports
    that. A job that is the only trace of a batch, whose results are not downloaded yet, or that has
    reviews, is deleted with --forget only. What it cost stays in the budget.
    """

    async def work(engine: Engine) -> None:
        found = engine.history.jobs.find(job)
        if not settings.yes and not is_terminal(sys.stdin):
            raise UsageError(
                f"deleting {found.name} ({found.id}) cannot be undone", "Add --yes to confirm."
            )
        rows = counted(found.counts.total, "row")
        where = "the history"
        if remote:
            where += f" and at {engine.account(found.account).provider_name}"
        await confirm(settings, f"Delete {found.name} ({found.id}) with {rows} from {where}?")
        left = await engine.remote.delete(found.id, remote=remote, forget=forget)
        for what in left:
            output.say(what)
        document = {"deleted": found.id, "name": found.name}
        output.print_done(settings, document, f"Deleted {found.name} ({found.id}).")

    run(settings, work)


@click.command(short_help="Say where the answers of a job come from.")
@job_argument
@shared
def provenance(settings: Settings, job: str) -> None:
    """Say where the answers of a JOB come from, in a form that can be kept and compared.

    It has checksums of requests and results, the template, models that were asked for and that
    answered, the seed of a sample, addresses, attempts, dates, and the prices of the day. It
    depends on the job alone: an archive has it too, and whoever opens it gets the same.
    """

    def work(history: History) -> None:
        found = history.jobs.find(job)
        with file_progress("reading") as progress:
            document = history.archives.provenance(found.id, progress)
        output.print_result(settings, lambda: document, lambda: _provenance_lines(document))

    read_history(settings, work)


_SHOWN_DIGITS = 16


def _provenance_lines(document: dict[str, Any]) -> list[str]:
    table, template, models = document["table"], document["template"], document["models"]
    answered = ", ".join(f"{each['model']} ({each['rows']:,})" for each in models["answered"])
    facts = {
        "job": f"{document['job']['name']} ({document['job']['id']})",
        "provider": f"{document['provider']} {document['endpoint']}",
        "requests": f"{document['requests']['rows']:,}, {_digest(document['requests'])}",
        "table": table["name"] if table else "",
        "template": _digest(template) if template else "",
        "models asked": ", ".join(models["asked"]),
        "models answered": answered,
    }
    lines = output.pairs({name: fact for name, fact in facts.items() if fact})
    rows: list[list[output.Cell | str]] = [
        [
            each["batch"],
            str(each["attempt"]),
            f"{each['rows']:,}",
            each["status"],
            each["address"] or "-",
            each["batchdeck"] or "-",
            each["submitted_at"] or "-",
        ]
        for each in document["attempts"]
    ]
    if rows:
        titles = ("BATCH", "ATTEMPT", "ROWS", "STATUS", "ADDRESS", "BATCHDECK", "SENT")
        lines += ["", *output.table(titles, rows, right=frozenset({1, 2}), elastic=4)]
    files: list[list[output.Cell | str]] = [
        [each["file"], f"{each['bytes']:,}", _digest(each)] for each in document["results"]
    ]
    if files:
        headers = ("RESULTS", "BYTES", "CHECKSUM")
        lines += ["", *output.table(headers, files, right=frozenset({1}), elastic=0)]
    return lines


def _digest(value: dict[str, Any]) -> str:
    return f"sha256 {value['sha256'][:_SHOWN_DIGITS]}…"
