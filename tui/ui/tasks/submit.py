"""Submit: confirm a checked file with its cost and budget, import it, send it; and drafts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from tui.compose.estimate import Estimate
from tui.compose.requests.report import CheckReport
from tui.compose.sources.base import Source
from tui.compose.templates.model import Template
from tui.core import formatting
from tui.core.analysis.experiment import short_names
from tui.core.jobs import Batch, Deadline, Job, Submission
from tui.core.send_plans import NO_SAVING, ReuseOptions, Saving
from tui.core.status_words import batch_name, deadline_bound
from tui.core.text import one_line
from tui.engine.costs.budget import cost_text
from tui.engine.experiments.service import ExperimentFacts, joint_deadline, plan_deadlines
from tui.engine.submit_facts import CheckedFile, SubmitAnswer, SubmitCost, SubmitFacts
from tui.errors import AccountKeyError, UsageError
from tui.ui.dialogs.confirm import (
    ConfirmDialog,
    DeadlineDialog,
    ShownCost,
    SubmitChoice,
    SubmitDialog,
)
from tui.ui.dialogs.input import SampleAnswer, SampleDialog
from tui.ui.dialogs.uncertain import UncertainDialog
from tui.ui.tasks.context import TaskContext
from tui.ui.tasks.jobs import short_name


async def submit(
    context: TaskContext,
    path: Path,
    report: CheckReport,
    *,
    account: str,
    name: str,
    window: str = "",
    fix: bool = False,
    estimate: Estimate | None = None,
    repeated: Estimate | None = None,
    sample: int = 0,
) -> None:
    """Confirm, import a file as a job, and submit it.

    With a sample of so many rows, which the user can change, the file becomes two jobs, and only
    the sample is submitted.
    """
    chosen = SampleAnswer(sample)
    if sample:
        columns = await context.engine.requests.input_columns(path)
        answer = await context.ask(SampleDialog(sample, report.rows, columns))
        if answer is None:
            return
        chosen = answer
    saving = Saving()
    deadline: Deadline | None = None

    async def ask(facts: SubmitFacts) -> SubmitAnswer:
        nonlocal saving, deadline
        info = facts.account
        agreed = 0
        rest_estimate: Estimate | None = None

        async def count_reusable() -> tuple[ShownCost, str]:
            nonlocal agreed, rest_estimate
            rest = await engine.requests.price_reuse(
                path, report, account, ReuseOptions(), name=name, fix=fix, window=window or None
            )
            agreed, rest_estimate = rest.whole.rows, rest.whole.estimate
            rows = f"{agreed:,} of {report.rows:,}"
            return _cost(rest.whole, rows, free=info.is_free), rest.reused

        rows = [
            ("provider", _provider(info.provider_name, account)),
            ("model", one_line(facts.model, 44) or "-"),
            *([] if info.direct else [("window", facts.window)]),
            *([("time", facts.forecast.text)] if facts.forecast is not None else []),
            *([("repeats", facts.repeats)] if facts.repeats else []),
            *([("cache", facts.priming.short)] if facts.priming is not None else []),
        ]
        note = "Runs on this machine: free." if info.is_free else _budget_note(facts)
        if info.direct:
            note = f"Rows are sent one by one while Batchdeck runs. {note}"
        has_earlier_jobs = any(
            job.provider == info.provider and job.counts.succeeded
            for job in engine.history.jobs.list()
        )
        whole, few, distinct = facts.whole, facts.sample, facts.distinct

        def plan_deadline(text: str, choice: SubmitChoice) -> Deadline:
            estimates = {
                "whole": whole.estimate,
                "sample": None if few is None else few.estimate,
                "distinct": None if distinct is None else distinct.estimate,
                "rest": rest_estimate,
            }
            estimate = estimates[choice] or whole.estimate
            at = engine.deadlines.parse_time(text)
            return engine.deadlines.plan(info.name, at, estimate, window=facts.window)

        def describe_deadline(text: str, choice: SubmitChoice) -> str:
            return deadline_bound(plan_deadline(text, choice), context.session.now())

        dialog = SubmitDialog(
            f"Submit {one_line(facts.name, 36)}?",
            rows,
            _cost(whole, f"{whole.rows:,}", free=info.is_free),
            None
            if few is None
            else _cost(few, _sample_text(few.rows, whole.rows, chosen), free=info.is_free),
            None
            if distinct is None
            else _cost(distinct, f"{distinct.rows:,} of {whole.rows:,}", free=info.is_free),
            note,
            sample=bool(sample),
            count_reusable=count_reusable if has_earlier_jobs else None,
            can_prime=facts.priming is not None,
            describe_deadline=describe_deadline if _has_lane(context, info.name) else None,
        )
        if not await context.ask(dialog):
            return "no"
        if dialog.deadline:
            deadline = plan_deadline(dialog.deadline, dialog.choice)
        if dialog.reuse:
            saving = Saving(dialog.distinct, ReuseOptions(), agreed, dialog.prime)
        else:
            saving = Saving(dialog.distinct, prime=dialog.prime)
        return "sample" if dialog.sample else "yes"

    engine = context.engine
    with context.main.top_bar.meter("Reading", formatting.size) as progress:
        jobs = await engine.requests.import_to_submit(
            path,
            account,
            ask=ask,
            sample=chosen.rows or None,
            seed=chosen.seed,
            by=chosen.by,
            checked=None if estimate is None else CheckedFile(report, estimate, repeated),
            progress=progress,
            name=name,
            fix=fix,
            window=window or None,
        )
    if not jobs:
        return
    context.main.show_imported(jobs[0].id)
    await context.with_key(
        account, lambda: engine.submit_imported(jobs, saving=saving, deadline=deadline)
    )
    text = f"{short_name(jobs[0])} submitted"
    if len(jobs) > 1:
        rest = formatting.counted(jobs[1].counts.total, "row")
        text += f"; the other {rest} wait as draft {short_name(jobs[1])} (S submits)"
    context.say(text)


def _has_lane(context: TaskContext, account: str) -> bool:
    """Whether a deadline is possible with an account."""
    try:
        context.engine.deadlines.require_lane(account)
    except UsageError:
        return False
    return True


def _sample_text(rows: int, total: int, chosen: SampleAnswer) -> str:
    shares = f", equal shares of {one_line(chosen.by, 30)}" if chosen.by else ""
    return f"{rows:,} of {total:,} at random, seed {chosen.seed}{shares}"


def _cost(cost: SubmitCost, rows: str, *, free: bool) -> ShownCost:
    tokens = f"about {formatting.short_number(cost.input_tokens)} tokens"
    return ShownCost(rows, tokens, "free" if free else cost_text(cost.estimate), cost.over_budget)


def _budget_note(facts: SubmitFacts | ExperimentFacts) -> str:
    """The budget and what is left of it, as a sentence."""
    budget = facts.budget
    words = []
    if budget.per_submit is not None:
        words.append(f"{formatting.money(budget.per_submit, budget.currency)} per submit")
    if facts.left_this_month is not None:
        words.append(f"{formatting.money(facts.left_this_month, budget.currency)} left this month")
    if not words:
        return "No budget set. The settings (,) have one that caps the cost of a month."
    return f"Budget: {', '.join(words)}."


async def submit_experiment(
    context: TaskContext,
    source: Source,
    name: str,
    templates: Sequence[Template],
    models: Sequence[str],
    *,
    account: str,
    window: str = "",
) -> None:
    """Confirm all jobs of an experiment at once, import and submit them."""
    engine = context.engine
    deadlines: dict[str, Deadline] = {}

    async def ask(facts: ExperimentFacts) -> bool:
        nonlocal deadlines

        def plan(text: str) -> dict[str, Deadline]:
            return plan_deadlines(
                engine.deadlines, facts, engine.deadlines.parse_time(text), budget=None
            )

        def describe(text: str) -> str:
            return deadline_bound(joint_deadline(plan(text).values()), context.session.now())

        jobs = formatting.counted(facts.price.jobs, "job")
        dialog = DeadlineDialog(
            f"Submit {jobs} of {one_line(facts.name, 30)}?",
            _jobs(facts),
            _note(facts),
            describe_deadline=describe if _has_lane(context, account) else None,
        )
        if not await context.ask(dialog):
            return False
        if dialog.deadline:
            deadlines = plan(dialog.deadline)
        return True

    with context.main.top_bar.meter("Writing", formatting.number) as progress:
        made = await engine.experiments.make(
            name,
            source,
            templates,
            models,
            account=account,
            ask=ask,
            window=window or None,
            progress=progress,
        )
    if not made.jobs:
        return
    context.main.show_imported(made.jobs[0].id)
    errors = await engine.submit_experiment(made.jobs, deadlines=deadlines)
    for job in made.jobs:
        if isinstance(errors.get(job.id), AccountKeyError):
            await context.with_key(job.account, partial(engine.submit, job.id, wait_if_busy=True))
            del errors[job.id]
    sent = formatting.counted(len(made.jobs) - len(errors), "job")
    context.say(f"{sent} of {one_line(name, 40)} submitted (X compares them)", warn=bool(errors))
    for error in errors.values():
        raise error


_LISTED_JOBS = 8


def _jobs(facts: ExperimentFacts) -> list[tuple[str, str]]:
    """The jobs of an experiment with their cost, and the cost of all."""
    names = short_names(facts.name, [variant.name for variant in facts.variants])
    rows = []
    for name, one in zip(names, facts.variants[:_LISTED_JOBS], strict=False):
        cost = "free" if one.account.is_free else cost_text(one.estimate)
        rows.append((one_line(name, 24), f"{formatting.counted(one.rows, 'request')}, {cost}"))
    if len(names) > _LISTED_JOBS:
        rows.append(("and", f"{len(names) - _LISTED_JOBS} more"))
    return [*rows, ("together", facts.price.text)]


def _note(facts: ExperimentFacts) -> str:
    note = "Runs on this machine: free." if facts.price.is_free else _budget_note(facts)
    if facts.sent:
        sent = formatting.counted(len(facts.sent), "job")
        note = f"{sent} of this experiment sent before; not sent again. {note}"
    return note


async def submit_draft(context: TaskContext, job_id: str) -> None:
    """Confirm and submit a draft job, or ask about its unconfirmed batches."""
    engine = context.engine
    job = engine.history.jobs.get(job_id)
    if _unconfirmed(context, job):
        await _resolve(context, job)
        return
    rows = await engine.first_attempts.count_to_send(job.id, NO_SAVING)
    of = "" if rows == job.counts.total else f" of {job.counts.total:,}"
    facts = [
        ("requests", f"{rows:,}{of}"),
        ("provider", _provider(engine.account(job.account).provider_name, job.account)),
        ("model", one_line(job.model, 44) or "-"),
        ("window", job.window or "-"),
    ]
    expected = await engine.costs.forecast(job.account, job.model, job.window)
    if expected is not None:
        facts.append(("time", expected.text))
    saving = Saving(most_rows=rows)
    if engine.account(job.account).is_free:
        facts.append(("cost", "free"))
    else:
        estimate = await engine.costs.estimate_unsent(job.id)
        facts.append(("cost", cost_text(estimate)))
        saving = saving._replace(most_cost=estimate.high)
    title = f"Submit {one_line(job.name, 36)}?"
    if await context.ask(ConfirmDialog(title, facts, "Submit")):
        await context.with_key(
            job.account, lambda: engine.submit(job.id, wait_if_busy=True, saving=saving)
        )
        context.say(f"{short_name(job)} submitted")


async def _resolve(context: TaskContext, job: Job) -> None:
    """Ask about the unconfirmed batches in order, until none is left or the user stops."""
    engine = context.engine

    async def attach(remote_id: str) -> None:
        await context.with_key(job.account, lambda: engine.remote.attach(job.id, remote_id))

    while batches := _unconfirmed(context, job):
        answer = await context.ask(UncertainDialog(_batch_facts(context, job, batches), attach))
        if answer is None:
            return
        if answer == "resend":
            await context.with_key(
                job.account, lambda: engine.submit(job.id, resend=True, wait_if_busy=True)
            )
            context.say(f"{short_name(job)} submitted")
            return
        context.say(f"{short_name(job)}: attached to the provider's batch")


def _unconfirmed(context: TaskContext, job: Job) -> list[Batch]:
    """The batches of a job that the provider may or may not have received, in order."""
    batches = context.engine.history.batches.of_job(job.id)
    return [batch for batch in batches if batch.submission is Submission.UNCERTAIN]


def _batch_facts(context: TaskContext, job: Job, batches: list[Batch]) -> list[tuple[str, str]]:
    """The facts about the first of the unconfirmed batches."""
    batch = batches[0]
    info = context.engine.account(batch.account)
    more = f", and {len(batches) - 1:,} more after it" if len(batches) > 1 else ""
    sent = batch.submitted_at
    now = context.session.now()
    return [
        ("job", one_line(job.name, 50)),
        ("batch", f"{batch_name(batch)}, {formatting.counted(batch.rows, 'row')}{more}"),
        ("provider", _provider(info.provider_name, batch.account)),
        ("sent", "unknown" if sent is None else formatting.moment(sent, now)),
    ]


def _provider(name: str, account: str) -> str:
    return f"{one_line(name, 30)} (account {one_line(account, 20)})"
