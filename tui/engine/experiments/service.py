"""``engine.experiments``: make the jobs of an experiment, and compare what became of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypedDict, Unpack

import msgspec

from tui.compose.estimate import Estimate
from tui.compose.preview import Previewer
from tui.compose.requests.report import CheckReport
from tui.compose.sources.base import Source
from tui.compose.templates.model import Template, with_overrides
from tui.config.settings import BudgetConfig
from tui.core.analysis.experiment import ExperimentReport
from tui.core.formatting import money
from tui.core.jobs import Deadline, Job
from tui.core.submission import NOT_BEGUN
from tui.core.text import quoted
from tui.engine.accounts import AccountInfo
from tui.engine.batches.deadlines import Deadlines
from tui.engine.context import Context, run_in_thread
from tui.engine.costs.budget import Claim
from tui.engine.costs.estimates import Costs
from tui.engine.events import JobImported
from tui.engine.experiments.matrix import MatrixOptions, measure
from tui.engine.experiments.variants import Variant, check_name, find_templates, make_variants
from tui.engine.import_job import FileImport
from tui.engine.requests import Requests
from tui.engine.results import Results
from tui.errors import UnknownJobError, UsageError
from tui.progress import NO_PROGRESS, Progress
from tui.store.history import Comparison
from tui.temporary import folder_of_task


class ExperimentOptions(TypedDict, total=False):
    """Options of the requests of an experiment.

    Attributes:
        custom_id: The ``id`` of all templates.
        settings: More fields of the body, by dotted path.
        limit: The maximum number of rows.
        window: The completion window.
    """

    custom_id: str | None
    settings: Mapping[str, Any] | None
    limit: int | None
    window: str | None


@dataclass(frozen=True)
class VariantCost:
    """What one job of an experiment would send.

    Attributes:
        name: The name of the job.
        account: The account that will send it.
        model: The model of most requests.
        rows: The number of rows.
        estimate: The estimated cost.
        window: The completion window.
    """

    name: str
    account: AccountInfo
    model: str
    rows: int
    estimate: Estimate
    window: str


@dataclass(frozen=True)
class JointPrice:
    """What several jobs together may cost.

    Attributes:
        jobs: The number of jobs.
        rows: The requests of all of them; ``None`` if unknown.
        low: The lowest cost; ``None`` if a price is unknown.
        high: The highest; ``None`` if a price or a bound is unknown.
        currency: Currency of both; empty if the accounts have different ones.
        is_free: Whether no account costs anything.
    """

    jobs: int
    rows: int | None
    low: float | None
    high: float | None
    currency: str
    is_free: bool

    @classmethod
    def of(cls, estimates: Sequence[tuple[Estimate, AccountInfo]], rows: int | None) -> JointPrice:
        """The price of jobs, each with its estimate and the account that sends it."""
        paid = [estimate for estimate, account in estimates if not account.is_free]
        currencies = {estimate.currency for estimate in paid}
        has_sum = len(currencies) == 1
        return cls(
            jobs=len(estimates),
            rows=rows,
            low=_sum(estimate.low for estimate in paid) if has_sum else None,
            high=_sum(estimate.high for estimate in paid) if has_sum else None,
            currency=currencies.pop() if has_sum else "",
            is_free=not paid,
        )

    @property
    def text(self) -> str:
        """The price as text."""
        low, high = self.low, self.high
        if self.is_free:
            return "free"
        if low is None:
            return "unknown" if self.currency else "in several currencies"
        if high is None:
            return f"at least {money(low, self.currency)}, with no upper bound"
        if money(low, self.currency) == money(high, self.currency):
            return money(high, self.currency)
        return f"{money(low, self.currency)} to {money(high, self.currency)}"


@dataclass(frozen=True)
class ExperimentFacts:
    """What the user should know before the jobs of an experiment are sent.

    Attributes:
        name: The name of the experiment.
        variants: The new jobs.
        sent: Names of jobs of this experiment that were sent before, and are left alone.
        price: What all new jobs together may cost.
        budget: The configured budgets.
        left_this_month: What is left of the budget per month; ``None`` if there is none.
    """

    name: str
    variants: tuple[VariantCost, ...]
    sent: tuple[str, ...]
    price: JointPrice
    budget: BudgetConfig
    left_this_month: float | None


def plan_deadlines(
    deadlines: Deadlines, facts: ExperimentFacts, at: float, budget: float | None
) -> dict[str, Deadline]:
    """A deadline for each new job of an experiment, by its name; nothing is stored.

    A budget for all jobs is divided among them by what their rows cost one by one, so that they
    stay within it together.

    Args:
        deadlines: Those of the engine.
        facts: What will be sent.
        at: The time, Unix seconds.
        budget: A cost limit for all jobs together, in addition to the configured budgets.

    Raises:
        UsageError: The time has passed, or a provider does not allow a deadline.
        BudgetError: There is a budget, and the cost of single requests is not known.
    """
    limits = [one for one in (budget, facts.budget.per_submit) if one is not None]
    whole = min(limits, default=None)
    planned = {
        one.name: deadlines.plan(
            one.account.name, at, one.estimate, window=one.window, budget=whole
        )
        for one in facts.variants
    }
    together = sum(one.most or 0.0 for one in planned.values())
    if whole is None or not together:
        return planned
    return {
        name: msgspec.structs.replace(one, budget=whole * (one.most or 0.0) / together)
        for name, one in planned.items()
    }


def joint_deadline(planned: Iterable[Deadline]) -> Deadline:
    """Deadlines of several jobs of one account as one: what their rests may cost together."""
    first, *others = planned
    amounts = [one.most for one in (first, *others)]
    known = [one for one in amounts if one is not None]
    return msgspec.structs.replace(
        first, most=sum(known) if len(known) == len(amounts) else None, budget=None
    )


AskExperiment = Callable[[ExperimentFacts], Awaitable[bool]]
"""Shows the user what will be sent, and returns whether to send it."""


@dataclass(frozen=True)
class MadeExperiment:
    """The drafts of an experiment, and the jobs of it that were there before.

    ``jobs`` is empty if the user's answer was no.
    """

    jobs: list[Job]
    sent: list[Job]


class Experiments:
    """Experiments: several models and templates over one table.

    Args:
        context: The engine context.
        requests: Opens and composes the table.
        results: Reads the jobs.
        costs: Estimates the cost of the jobs.
    """

    def __init__(
        self, context: Context, requests: Requests, results: Results, costs: Costs
    ) -> None:
        self._context = context
        self._requests = requests
        self._results = results
        self._costs = costs

    def jobs(self, name: str) -> list[Job]:
        """The jobs of an experiment, the oldest first.

        Raises:
            UnknownJobError: There is no job of this experiment.
        """
        found = self._context.history.jobs.of_experiment(name)
        if not found:
            raise UnknownJobError(
                f"there is no experiment {quoted(name, 80)}", "See `batchdeck experiment list`."
            )
        return found

    async def preview(
        self,
        previewer: Previewer,
        source_ids: str,
        templates: Sequence[str | Template],
        models: Sequence[str] = (),
        *,
        account: str | None = None,
        progress: Progress = NO_PROGRESS,
    ) -> JointPrice:
        """Estimate what all jobs of an experiment together will cost, from a sample of the rows.

        Args:
            previewer: The cached rows.
            source_ids: The column of the source that has ids.
            templates: As for ``make``.
            models: As for ``make``.
            account: As for ``make``.
            progress: Stops the work.

        Raises:
            InputError: A template is invalid, or does not fit the rows.
            UsageError: The templates do not go together, or are incomplete.
        """
        accounts = self._context.accounts
        found = await run_in_thread(
            lambda _: find_templates(templates, self._context.paths.templates, None, source_ids)
        )
        default = account or accounts.default
        estimates: list[tuple[Estimate, AccountInfo]] = []
        counts: list[int | None] = []
        for variant in make_variants("", found, models, default, accounts.names()):
            assert variant.template is not None
            template = with_overrides(variant.template, model=variant.model or None)
            sketch = await self._requests.update_preview(
                previewer, partial(_same, template), account=variant.account, progress=progress
            )
            estimates.append((sketch.estimate, accounts.info(variant.account)))
            counts.append(sketch.count)
        known = [count for count in counts if count is not None]
        return JointPrice.of(estimates, sum(known) if len(known) == len(counts) else None)

    async def make(
        self,
        name: str,
        source: str | Source,
        templates: Sequence[str | Template],
        models: Sequence[str] = (),
        *,
        account: str | None = None,
        ask: AskExperiment | None = None,
        budget: float | None = None,
        progress: Progress = NO_PROGRESS,
        **options: Unpack[ExperimentOptions],
    ) -> MadeExperiment:
        """Make a draft for each template with each model; ``engine.submit_experiment`` sends them.

        Jobs of this experiment that were sent before are not made again, so that a call can be
        repeated. A job of which nothing was created at the provider is replaced.

        Args:
            name: The name of the experiment, also the start of the names of its jobs.
            source: An open source, or what the user typed.
            templates: The templates, or their names or paths; empty for ready-made requests.
            models: The models, each as ``MODEL`` or ``MODEL@ACCOUNT``; by default those of the
                templates.
            account: The account of the models that name none; by default the default account.
            ask: Asked once, with the cost of all jobs together, before anything is imported.
            budget: A cost limit for all jobs together, in addition to the configured budgets.
            progress: Counts rows and bytes; stops the work.
            options: See ``ExperimentOptions``.

        Raises:
            InputError: The source, a template or a row is invalid.
            UsageError: The templates do not go together, or all jobs were sent already.
            BudgetError: Together they may cost more than a budget; nothing was imported.
        """
        name = check_name(name)
        accounts = self._context.accounts
        if isinstance(source, str):
            source = await self._requests.open_source(source)
        custom_id, ids = options.get("custom_id"), source.ids
        found = await run_in_thread(
            lambda _: find_templates(templates, self._context.paths.templates, custom_id, ids)
        )
        variants = make_variants(name, found, models, account or accounts.default, accounts.names())
        sent = self._sent_jobs(name, variants)
        new = [v for v in variants if v.name not in {job.name for job in sent}]
        if not new:
            raise UsageError(
                f"all of these jobs of experiment {name} were sent already",
                "To follow them: `batchdeck watch`; to compare them:"
                f" `batchdeck experiment show {name}`.",
            )
        async with folder_of_task("experiment") as folder:
            files: list[_CheckedVariant] = []
            for number, variant in enumerate(new, 1):
                path = folder / f"{number}.jsonl"
                files.append(await self._checked(name, source, variant, path, options, progress))
            facts = await run_in_thread(lambda _: self._facts(name, files, sent, budget))
            if ask is not None and not await ask(facts):
                return MadeExperiment([], sent)
            if self._sent_jobs(name, new):
                raise UsageError(
                    f"another program has sent jobs of experiment {name} meanwhile",
                    "Run it again: what was sent is left alone.",
                )
            names = {variant.name for variant in new}
            there = self._context.history.jobs.of_experiment(name)
            replaced = [job for job in there if job.name in names]
            return MadeExperiment(await self._import(files, replaced, progress), sent)

    def _sent_jobs(self, name: str, variants: Sequence[Variant]) -> list[Job]:
        """The jobs of variants of which the provider has, or may have, a batch."""
        names = {variant.name for variant in variants}
        history = self._context.history
        return [
            job
            for job in history.jobs.of_experiment(name)
            if job.name in names
            and any(b.submission not in NOT_BEGUN for b in history.batches.of_job(job.id))
        ]

    async def _checked(
        self,
        name: str,
        source: Source,
        variant: Variant,
        path: Path,
        options: ExperimentOptions,
        progress: Progress,
    ) -> _CheckedVariant:
        """Write the requests of a variant to a file, check it, and price it."""
        await self._requests.compose(
            source,
            variant.template,
            path,
            limit=options.get("limit"),
            model=variant.model or None,
            settings=options.get("settings"),
            progress=progress,
        )

        def check(running: Progress) -> _CheckedVariant:
            file = FileImport(
                self._context,
                path,
                variant.account,
                name=variant.name,
                window=options.get("window"),
                experiment=name,
                source=source.name,
            )
            scan = file.check(running)
            estimate = self._costs.price(scan.costs, variant.account, file.window)
            return _CheckedVariant(file, scan.report, estimate)

        return await run_in_thread(check, progress)

    def _facts(
        self,
        name: str,
        files: Sequence[_CheckedVariant],
        sent: Sequence[Job],
        budget: float | None,
    ) -> ExperimentFacts:
        """The facts about all new jobs; blocking.

        Raises:
            BudgetError: Together they may cost more than a budget.
        """
        accounts, budgets = self._context.accounts, self._costs.budgets
        claims = [
            Claim(one.estimate, one.file.info.name, accounts.estimates_cost(one.file.info.name))
            for one in files
        ]
        budgets.check_together(claims, budget)
        return ExperimentFacts(
            name=name,
            variants=tuple(
                VariantCost(
                    name=one.file.name,
                    account=one.file.info,
                    model=one.file.model(one.report),
                    rows=one.report.rows,
                    estimate=one.estimate,
                    window=one.file.window,
                )
                for one in files
            ),
            sent=tuple(job.name for job in sent),
            price=JointPrice.of(
                [(one.estimate, one.file.info) for one in files],
                sum(one.report.rows for one in files),
            ),
            budget=budgets.config,
            left_this_month=self._costs.left_this_month(),
        )

    async def _import(
        self, files: Sequence[_CheckedVariant], replaced: Sequence[Job], progress: Progress
    ) -> list[Job]:
        """Import all files, or none of them."""
        jobs: list[Job] = []

        def store(running: Progress) -> None:
            delete = self._context.history.jobs.delete
            try:
                for one in files:
                    jobs.append(self._costs.keep(one.file.store(one.report, running), one.estimate))
            except BaseException:
                for job in jobs:
                    delete(job.id)
                raise
            for job in replaced:
                # What a program that was killed had reserved for it is given back.
                batches = self._context.history.batches.of_job(job.id)
                self._costs.budgets.release_unsent(batches)
                delete(job.id)

        await run_in_thread(store, progress)
        for job in [*jobs, *replaced]:
            self._context.publish(JobImported(job.id))
        return jobs

    async def compare(
        self,
        job_ids: Sequence[str],
        options: MatrixOptions = MatrixOptions(),  # noqa: B008 - frozen
        *,
        progress: Progress = NO_PROGRESS,
    ) -> tuple[ExperimentReport, Comparison]:
        """Compare two or more jobs: the figures of each, and how they agree.

        Rows are read as by ``results.compare``; accuracy and the scores of judges are added.

        Raises:
            UsageError: A job is given twice, or no job has a column that was asked for.
            HistoryError: A result file was changed or is missing.
        """
        return await measure(self._context.history, self._results, job_ids, options, progress)


@dataclass(frozen=True)
class _CheckedVariant:
    """The file of a variant, checked and priced."""

    file: FileImport
    report: CheckReport
    estimate: Estimate


def _same(template: Template) -> Template:
    return template


def _sum(amounts: Iterable[float | None]) -> float | None:
    known = list(amounts)
    return None if None in known else sum(amount or 0.0 for amount in known)
