"""``submit`` and ``watch``: send the requests of a file or a stored job, and follow jobs."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from tui.addresses import is_address
from tui.cli.commands.jobs import plan_deadline, print_job
from tui.cli.errors import EXIT_OK, EXIT_ROWS_FAILED
from tui.cli.input_file import InputFile, local_file
from tui.cli.options import (
    DEADLINE,
    MOMENT,
    Settings,
    account_option,
    budget_option,
    complete_files_and_jobs,
    complete_jobs,
    max_size_option,
    set_option,
    shared,
    timeout_option,
    wait_option,
    wait_timeout,
    yes_option,
)
from tui.cli.output import print_json, say
from tui.cli.progress import JobProgress, file_progress
from tui.cli.session import asks_before_sending, confirm, run
from tui.core.formatting import counted
from tui.errors import (
    BatchdeckError,
    BudgetError,
    InputError,
    ProviderError,
    QuotaError,
    UnconfirmedError,
    UnknownJobError,
    UsageError,
)

if TYPE_CHECKING:
    from tui.compose.estimate import Estimate
    from tui.core.jobs import Batch, Deadline, Job
    from tui.core.send_plans import ReuseOptions, Saving
    from tui.engine.engine import Engine
    from tui.engine.submit_facts import SubmitAnswer, SubmitFacts


deadline_option = click.option(
    "--deadline", type=DEADLINE, metavar="WHEN",
    help="At 18:00, +6h …: cancel what runs, send the rest one by one.",
)  # fmt: skip
"""``--deadline``, of commands that send a job."""


@click.command(short_help="Submit a requests file as a new job.")
@click.argument(
    "file", type=InputFile(), metavar="FILE|JOB", shell_complete=complete_files_and_jobs
)
@account_option
@click.option("--name", metavar="NAME", help="Job name; default: the name of the file.")
@click.option("--window", metavar="24h", help="Completion window: how long the provider may take.")
@set_option
@click.option(
    "--fix", is_flag=True, help="Fix BOM, line ends and blank lines; requests stay the same."
)
@budget_option
@click.option("--sample", type=click.IntRange(min=1), metavar="N",
              help="Submit N random rows as job NAME-sample; the rest waits as NAME.")  # fmt: skip
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    metavar="N",
    help="Seed of the sample, by default 0; the same seed chooses the same rows.",
)
@click.option(
    "--by",
    default="",
    metavar="COLUMN",
    help="Sample the same number of rows with each value of an input column: in.lang.",
)
@click.option("--dedupe", is_flag=True,
              help="Send equal requests once; all their rows get the answer.")  # fmt: skip
@click.option("--reuse", is_flag=True,
              help="Use answers of earlier jobs to the same requests; send the rest.")  # fmt: skip
@click.option("--reuse-since", type=MOMENT, metavar="WHEN",
              help="With --reuse: only answers since WHEN: a date, or 12h, 7d ago.")  # fmt: skip
@click.option("--prime", is_flag=True,
              help="Send the first row alone; the rest reads the cache that it wrote.")  # fmt: skip
@deadline_option
@max_size_option
@wait_option
@click.option(
    "--resend",
    is_flag=True,
    help="Resend a batch that the provider may already have (you may pay twice).",
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
    seed: int | None,
    by: str,
    dedupe: bool,
    reuse: bool,
    reuse_since: float | None,
    prime: bool,
    deadline: float | None,
    wait: bool,
    resend: bool,
) -> int:
    """Submit a FILE of requests as a new job, or a JOB that was not submitted yet.

    With --sample N the file becomes two jobs: N rows, chosen at random, are submitted as
    NAME-sample; the others wait as NAME until you run `batchdeck submit NAME`. The job keeps the
    seed of the sample (--seed).

    With --dedupe, requests that are equal but for their ids are sent once. Every row of the file
    gets its answer, and a retry sends one row for all of them.

    With --reuse, a request that an earlier job sent with the same model, texts and parameters to
    the same provider is not sent again if its answer was good: the answer is copied.

    With --prime (Anthropic; cache = "1h" in the template), the first row is a batch of its own, and
    the others are sent when it has ended: they read its cached prompt instead of writing one each.

    With --deadline, the batches that run at that time are cancelled, what is done is kept, and the
    rows without an answer are sent one by one, at the price of single requests: the most that this
    costs is shown before the submit, and what the job has cost counts against --budget. WHEN is
    18:00 (the next time that a clock here shows it), +90m, +6h, +2d, or 2026-12-01T18:00; times are
    local unless they end in Z or +01:00. It needs a program that runs then: the dashboard, `watch`
    or --wait; if none does, the next one that starts acts on it. `batchdeck deadline` changes it.

    As FILE, - is standard input; requests that cost money then need -y. A FILE at an address
    (https://, hf://, s3://, gs://) is fetched first; see `batchdeck compose --help`.

    A budget (--budget, or [budget] in config.toml) is compared with the highest cost that the
    job may have. An unknown cost counts as over any budget. -y does not override it.
    """
    is_file = is_address(file) or Path(file).is_file()
    options: dict[str, Any] = {"name": name, "window": window, "edits": dict(edits)}
    if sample is None and (by or seed is not None):
        raise UsageError("--seed and --by need the size of a sample", "Add --sample N.")
    if reuse_since is not None and not reuse:
        raise UsageError("--reuse-since limits which answers are reused", "Add --reuse.")
    saving = SavingOptions(dedupe, reuse, reuse_since or 0.0, prime)
    chosen = {"sample": sample, "seed": seed or 0, "by": by}

    async def work(engine: Engine) -> int:
        if is_file:
            options["fix"] = fix
            source = await local_file(engine, file)
            jobs = await submit_file(
                engine,
                settings,
                source.path,
                account,
                chosen,
                budget,
                saving,
                wait=wait,
                deadline=deadline,
                **options,
            )
        else:
            jobs = [_stored_job(engine, file)]
            if account is not None or sample or any(options.values()):
                raise UsageError(
                    f"{jobs[0].name} ({jobs[0].id}) has its account, name, window and requests"
                    " already",
                    "Leave out these options, or submit a file.",
                )
            await _submit_job(
                engine,
                settings,
                jobs[0],
                budget,
                saving,
                resend=resend,
                wait=wait,
                deadline=deadline,
            )
        code = print_jobs(engine, [jobs[0].id], settings, waited=wait)
        for rest in jobs[1:]:
            others = counted(rest.counts.total, "other request")
            # The sample has answers to some of their requests.
            again = saving._replace(reuse=saving.reuse or saving.dedupe)
            say(f"{others} waiting as {rest.name}; to submit: `{again.command(rest.id)}`.")
        return code

    return run(settings, work)


class SavingOptions(NamedTuple):
    """The ways to send less that the user chose."""

    dedupe: bool
    reuse: bool
    since: float = 0.0
    prime: bool = False

    @property
    def reuse_options(self) -> ReuseOptions | None:
        """Which answers of earlier jobs are used."""
        from tui.core.send_plans import ReuseOptions

        return ReuseOptions(self.since) if self.reuse else None

    def agreed(self, rows: int | None) -> Saving:
        """What the engine does about it, if so many requests are agreed to."""
        from tui.core.send_plans import Saving

        return Saving(self.dedupe, self.reuse_options, rows, self.prime)

    def command(self, job_id: str) -> str:
        """What the user may type to submit a job with the same options."""
        from tui.core.jobs import moment_text

        words = ["batchdeck submit", job_id]
        words += ["--dedupe"] if self.dedupe else []
        words += ["--reuse"] if self.reuse else []
        if self.reuse and self.since:
            words += ["--reuse-since", moment_text(self.since, time.time())]
        words += ["--prime"] if self.prime else []
        return " ".join(words)


async def submit_file(
    engine: Engine,
    settings: Settings,
    path: Path,
    account: str | None,
    chosen: dict[str, Any],
    budget: float | None,
    saving: SavingOptions,
    *,
    wait: bool,
    deadline: float | None = None,
    **options: Any,
) -> list[Job]:
    """Check a file, ask, submit it as a job, and show the progress.

    Args:
        engine: The engine.
        settings: The settings of this call.
        path: The file.
        account: The account; the default account if ``None``.
        chosen: ``sample``, ``seed`` and ``by``, as in ``import_to_submit``.
        budget: A cost limit.
        saving: The ways to send less.
        wait: Wait for the end.
        deadline: When what runs is cancelled, Unix seconds.
        options: See ``ImportOptions``.

    Returns:
        The job, and after a sample the draft of the other rows.

    Raises:
        BatchdeckError: It was not submitted.
    """
    from tui.engine.costs.budget import cost_text

    sample = chosen["sample"]

    agreed: int | None = None
    name = account or engine.accounts.default
    until: Deadline | None = None
    if deadline is not None:
        engine.deadlines.plan(name, deadline, None)

    async def ask(facts: SubmitFacts) -> SubmitAnswer:
        nonlocal agreed, until
        cost = facts.whole if sample is None else facts.sample or facts.whole
        if facts.distinct is not None and sample is None:
            hint = "" if saving.dedupe else "; --dedupe sends each request once"
            say(f"{facts.repeats}{hint}.")
            cost = facts.distinct if saving.dedupe else cost
        if facts.reused:
            say(f"{facts.reused}.")
        if facts.reused or saving.dedupe:
            agreed = cost.rows
        if not cost.rows:
            return "yes" if sample is None else "sample"
        say(f"Cost: {cost_text(cost.estimate)}.")
        if facts.priming is not None:
            hint = "" if saving.prime else "; --prime sends the first row alone"
            say(f"Cache: {facts.priming.text}{hint}.")
        if facts.forecast is not None:
            say(f"Time: {facts.forecast.text}.")
        if deadline is not None:
            until = engine.deadlines.plan(
                name, deadline, cost.estimate, window=facts.window, budget=budget
            )
            say(engine.deadlines.describe(until, name))
        await confirm_send(engine, settings, facts.account.name, cost.rows, facts.model)
        return "yes" if sample is None else "sample"

    sender = engine.account(name)
    asks = not sender.is_free and asks_before_sending(settings)
    with file_progress("checking") as progress:
        jobs = await engine.requests.import_to_submit(
            path,
            account,
            ask=ask if asks else None,
            budget=budget,
            reuse=saving.reuse_options,
            progress=progress,
            **chosen,
            **options,
        )
    job = jobs[0]
    try:
        if deadline is not None and until is None:
            until = await plan_deadline(engine, job, deadline, budget)
        send = engine.submit_imported(
            jobs, budget=budget, saving=saving.agreed(agreed), deadline=until
        )
        await follow(engine, job.id, job.account, send, wait=wait)
    except BudgetError:
        raise
    except BatchdeckError as error:
        if job.id not in error.hint:
            # Other advice about this job says what to do; "again" would frighten then.
            hint = f"The job is stored; to submit it again: `{saving.command(job.id)}`."
            error.hint = f"{error.hint} {hint}".lstrip()
        raise
    return jobs


async def _submit_job(
    engine: Engine,
    settings: Settings,
    job: Job,
    budget: float | None,
    saving: SavingOptions,
    *,
    resend: bool,
    wait: bool,
    deadline: float | None,
) -> None:
    until = None
    if deadline is not None:
        until = await plan_deadline(engine, job, deadline, budget)
    if not engine.account(job.account).is_free and asks_before_sending(settings):
        expected = await engine.costs.forecast(job.account, job.model, job.window)
        if expected is not None:
            say(f"Time: {expected.text}.")
    rows = await engine.first_attempts.count_to_send(job.id, saving.agreed(None))
    most = None
    if rows:
        most = await confirm_cost(
            engine,
            settings,
            job.account,
            rows,
            job.model,
            lambda: engine.costs.estimate_unsent(job.id),
        )
    if until is not None:
        await engine.deadlines.set(job.id, until)
    # When the queue is full, all parts stay waiting, not only the first.
    send = engine.submit(
        job.id,
        resend=resend,
        wait_if_busy=True,
        budget=budget,
        saving=saving.agreed(rows)._replace(most_cost=most),
    )
    await follow(engine, job.id, job.account, send, wait=wait)


async def confirm_cost(
    engine: Engine,
    settings: Settings,
    account: str,
    rows: int,
    model: str,
    estimate: Callable[[], Awaitable[Estimate]],
) -> float | None:
    """Say what requests cost, and ask for confirmation to send them, unless they are free.

    Args:
        engine: The engine.
        settings: The settings of the command.
        account: The account that sends them.
        rows: Their number.
        model: Their model.
        estimate: Estimates their cost; called if the user is asked.

    Returns:
        The most that was agreed to; ``None`` if nobody was asked, or the cost has no bound.
    """
    from tui.engine.costs.budget import cost_text

    if engine.account(account).is_free or not asks_before_sending(settings):
        return None
    found = await estimate()
    say(f"Cost: {cost_text(found)}.")
    await confirm_send(engine, settings, account, rows, model)
    return found.high


async def confirm_send(
    engine: Engine, settings: Settings, account: str, rows: int, model: str
) -> None:
    """Ask for confirmation to send requests, unless they are free."""
    info = engine.account(account)
    if info.is_free:
        return
    mode = " one by one, at the price of single requests," if info.direct else ""
    requests = counted(rows, "request") + (f" for {model}" if model else "")
    question = f"Send {requests}{mode} to {info.provider_name} with account {account}?"
    await confirm(settings, question)


async def follow(
    engine: Engine, job_id: str, account: str, send: Awaitable[object], *, wait: bool
) -> None:
    """Send rows of a job and show their progress: to the end with ``wait``, else until sent.

    Raises:
        QuotaError: A batch waits for the provider's queue, and ``wait`` is not given.
    """
    async with JobProgress(engine, [job_id]):
        try:
            await send
        except (QuotaError, ProviderError):
            # The watcher goes on with a batch that waits, or whose create got no response.
            if not wait or _unfinished_batch(engine, job_id) is None:
                raise
        if wait:
            await engine.wait([job_id], timeout_seconds=wait_timeout())
        elif unfinished := _unfinished_batch(engine, job_id):
            if unfinished.submission != "waiting":
                raise UnconfirmedError(
                    unfinished.trouble or "the provider may or may not have received the batch",
                    f"The provider's list is read again by `batchdeck watch {job_id}`.",
                )
            raise QuotaError(
                unfinished.trouble or "the provider's queue is full",
                f"The job is stored; `batchdeck watch {job_id}` submits it when the queue allows.",
            )
        elif any(
            batch.after and batch.is_unsent for batch in engine.history.batches.of_job(job_id)
        ):
            say(f"The first row is sent; for the rest: `batchdeck watch {job_id}`.")
        elif engine.account(account).direct:
            say(f"Rows are sent while Batchdeck runs; to continue: `batchdeck watch {job_id}`.")


def _unfinished_batch(engine: Engine, job_id: str) -> Batch | None:
    """The first batch of the newest attempt that the watcher has still to send or to find."""
    batches = engine.history.batches.of_job(job_id)
    newest = max((batch.attempt for batch in batches), default=1)
    for batch in batches:
        if batch.attempt == newest and batch.submission in ("waiting", "creating", "uncertain"):
            return batch
    return None


def _stored_job(engine: Engine, ref: str) -> Job:
    """Find the job that was given instead of a file.

    Raises:
        InputError: The argument is a folder, or looks like a file that does not exist.
        UnknownJobError: There is neither a file nor a job of that name.
    """
    path = Path(ref)
    try:
        return engine.history.jobs.find(ref)
    except UnknownJobError as error:
        if path.is_dir():
            raise InputError(f"{ref} is a folder", "Give a requests file.", path=path) from None
        if path.suffix or path.name != ref:
            raise InputError(f"no such file: {ref}", "Check the spelling.", path=path) from None
        raise UnknownJobError(f"no such file, and {error.message}", error.hint) from None


@click.command(short_help="Watch jobs until they end.")
@click.argument("job_refs", metavar="[JOB]...", nargs=-1, shell_complete=complete_jobs)
@timeout_option
@shared
def watch(settings: Settings, job_refs: tuple[str, ...]) -> int:
    """Watch the given JOBs, or all running jobs, until they end, and act on their deadlines.

    With --json the output is one job document if exactly one JOB is given, else an array.
    """

    async def work(engine: Engine) -> int:
        history = engine.history
        running = {batch.job_id for batch in history.batches.unfinished()}
        # What a deadline has cut short goes on although no batch runs.
        running |= {
            job.id
            for job in history.jobs.with_open_deadline()
            if job.deadline is not None and job.deadline.is_under_way
        }
        jobs = [history.jobs.find(ref) for ref in job_refs]
        if not job_refs:
            jobs = [job for job in history.jobs.list() if job.id in running]
        for job in jobs:
            if job.status == "draft" and job.id not in running:
                raise UsageError(
                    f"{job.name} ({job.id}) was not submitted yet",
                    f"To submit it: `batchdeck submit {job.id}`.",
                )
        ids = list(dict.fromkeys(job.id for job in jobs))
        if not ids:
            say("Nothing is running.")
        async with JobProgress(engine, ids):
            await engine.wait(ids, timeout_seconds=wait_timeout())
        return print_jobs(engine, ids, settings, waited=True, many=len(job_refs) != 1)

    return run(settings, work)


def print_jobs(
    engine: Engine, job_ids: Sequence[str], settings: Settings, *, waited: bool, many: bool = False
) -> int:
    """Print the current state of the jobs and return the exit code."""
    jobs = [engine.history.jobs.get(job_id) for job_id in job_ids]
    if many and settings.json:
        print_json([engine.history.jobs.document(job_id) for job_id in job_ids])
    else:
        for job in jobs:
            print_job(engine, job, settings)
    if not waited or all(job.counts.all_succeeded for job in jobs):
        return EXIT_OK
    return EXIT_ROWS_FAILED
