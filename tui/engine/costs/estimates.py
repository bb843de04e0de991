"""``engine.costs``: estimates of files, jobs and retries, and what the budgets say to them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from tui.compose.checks.repeats import repeated_lines
from tui.compose.checks.scan import Scan, scan_file, scan_lines
from tui.compose.checks.statistics import CostInputs
from tui.compose.estimate import Estimate, estimate_of
from tui.compose.prices import PriceSource, find_rates
from tui.compose.requests.block_reader import open_bytes
from tui.config.settings import BudgetConfig
from tui.core.jobs import Batch, Job
from tui.core.requests import edit_request
from tui.core.send_plans import RetryPlan
from tui.core.text import BOM, quoted
from tui.engine.context import Context, run_in_thread
from tui.engine.costs.budget import Budgets, Claim, Expense, require_no_more
from tui.engine.costs.calibration import TokenCounts, calibrate, count_tokens
from tui.engine.costs.forecast import Forecast, forecast
from tui.engine.costs.priming import PrimingEstimate, priming_estimate
from tui.engine.costs.spent import SpentReport, spent_report
from tui.errors import InputError, UsageError
from tui.progress import NO_PROGRESS, Progress
from tui.store.history import Spending

Reserve = Callable[[Sequence[Batch]], Awaitable[None]]
"""Reserves what the batches of a submit may cost; raises ``BudgetError`` if it does not fit."""


class Costs:
    """Estimates costs and checks budgets. The ``price_`` methods block: call them in a thread.

    Args:
        context: The engine context.
        budget: The configured budgets.
    """

    def __init__(self, context: Context, budget: BudgetConfig) -> None:
        self._context = context
        self._estimates: dict[str, Estimate] = {}
        self.budgets = Budgets(context, budget, self._bound_of)

    async def estimate(
        self,
        what: Path | Scan | str | RetryPlan,
        account: str | None = None,
        *,
        window: str | None = None,
        edits: Mapping[str, Any] | None = None,
        exact: bool = False,
        progress: Progress = NO_PROGRESS,
    ) -> Estimate:
        """Estimate the cost of a file (its path or its scan), a job (its id) or a retry.

        Args:
            what: The file, the scan of a file, the job id or the retry plan.
            account: The account for a file; by default the default account.
            window: The completion window for a file; by default the provider's first one.
            edits: Edits that are applied to a file.
            exact: Have the provider count the prompt tokens of a file, where that is free. Of
                more than 500 rows, 500 are counted and the rest is extrapolated.
            progress: Stops the work.

        Raises:
            InputError: The file cannot be read, or the work was stopped.
            UsageError: ``exact`` is set and the provider cannot count tokens.
        """
        name = account or self._context.accounts.default
        counted: TokenCounts | None = None
        if exact and isinstance(what, Path):
            counted = await count_tokens(self._context, name, what, progress=progress)

        def work(running: Progress) -> Estimate:
            if isinstance(what, Path):
                return self.price_file(
                    what, name, window=window, edits=edits, counted=counted, progress=running
                )
            if isinstance(what, Scan):
                return self.price(what.costs, name, window)
            if isinstance(what, str):
                return self.price_job(self._context.history.jobs.get(what), running)
            return self._price_retry(what, running)

        return await run_in_thread(work, progress)

    def price(
        self,
        costs: CostInputs,
        account: str,
        window: str | None = None,
        counted: TokenCounts | None = None,
    ) -> Estimate:
        """Estimate the cost of requests that were read.

        ``counted`` holds the provider's token counts, used instead of past results.
        """
        past = calibrate(self._context.history.costs.past_jobs(account))
        inputs = past.inputs if counted is None else counted.inputs
        source = self._prices(account, window)
        found = estimate_of(
            costs,
            source,
            answers=past.answers,
            inputs=inputs,
            counted="none" if counted is None else "all" if counted.is_exact else "sample",
        )
        if counted is None:
            return found
        rows = "every row" if counted.is_exact else f"{counted.counted:,} of {counted.rows:,} rows"
        note = f"the provider counted the tokens of {rows}"
        return msgspec.structs.replace(
            found, notes=(note, *found.notes), exact_tokens=counted.is_exact
        )

    def price_lines(
        self, lines: Iterable[bytes], account: str, *, window: str | None = None
    ) -> Estimate:
        """Estimate the cost of request lines."""
        return self.price(scan_lines(lines), account, window)

    def price_file(
        self,
        path: Path,
        account: str,
        *,
        window: str | None = None,
        edits: Mapping[str, Any] | None = None,
        counted: TokenCounts | None = None,
        progress: Progress = NO_PROGRESS,
    ) -> Estimate:
        """Estimate the cost of a requests file; the arguments are those of ``estimate``."""
        if edits:
            with open_bytes(path) as file:
                costs = scan_lines(_edited(line, edits) for line in file)
        else:
            costs = scan_file(path, progress=progress).costs
        return self.price(costs, account, window, counted)

    def price_repeats(
        self,
        scan: Scan,
        path: Path,
        account: str,
        window: str | None = None,
        edits: Mapping[str, Any] | None = None,
    ) -> Estimate | None:
        """Estimate the cost of the rows of a file that repeat another one. Blocking.

        Args:
            scan: The scan of the file.
            path: The file.
            account: The account that sends it.
            window: The completion window.
            edits: Edits of every request.

        Returns:
            The estimate; ``None`` if there are no such rows, or they were not looked for.
        """
        if scan.repeated is None or not scan.report.repeats:
            return None
        if not edits:
            return self.price(scan.repeated, account, window)
        lines = repeated_lines(path, scan.report.rows)
        return self.price_lines((_edited(line, edits) for line in lines), account, window=window)

    def price_priming(
        self, estimate: Estimate, lines: Iterable[bytes], account: str, window: str | None = None
    ) -> PrimingEstimate | None:
        """What the prompt cache costs with and without a first row that fills it. Blocking.

        Args:
            estimate: The estimate of the requests.
            lines: The requests; only the first ones are read.
            account: The account that sends them.
            window: The completion window.

        Returns:
            The estimate; ``None`` where nothing is cached, or no price is known.
        """
        accounts = self._context.accounts
        if accounts.profile(account).dialect != "messages" or accounts.info(account).direct:
            return None
        if estimate.usual_input is None:
            return None
        source = self._prices(account, window)
        return priming_estimate(lines, estimate.rows, estimate.usual_input, source)

    async def priming_of(
        self, path: Path, estimate: Estimate, account: str | None = None
    ) -> PrimingEstimate | None:
        """What ``price_priming`` says of a file, without blocking."""
        name = account or self._context.accounts.default

        def work(_: Progress) -> PrimingEstimate | None:
            with open_bytes(path) as file:
                return self.price_priming(estimate, file, name)

        return await run_in_thread(work)

    async def price_repeated(
        self, scan: Scan, path: Path, account: str | None = None, *, window: str | None = None
    ) -> Estimate | None:
        """What ``price_repeats`` says, without blocking."""
        name = account or self._context.accounts.default
        return await run_in_thread(lambda _: self.price_repeats(scan, path, name, window))

    def price_job(self, job: Job, progress: Progress = NO_PROGRESS) -> Estimate:
        """Estimate the cost of a job; its requests are read only once per process.

        Of a job that does not send all of its rows, only those that it sends count.
        """
        estimate = self._estimates.get(job.id)
        if estimate is None:
            history = self._context.history
            seqs = history.batches.rows_sent(job)
            if seqs is None:
                path = history.jobs.requests_file(job.id)
                estimate = self.price_file(path, job.account, window=job.window, progress=progress)
            else:
                lines = (line for _, line in history.rows.requests(job.id, seqs))
                estimate = self.price_lines(lines, job.account, window=job.window)
            self._estimates[job.id] = estimate
        return estimate

    def price_sent(self, job: Job) -> Job:
        """Estimate a job anew whose batches leave out rows, and store that. Blocking."""
        self._estimates.pop(job.id, None)
        return self.keep(job)

    def _price_retry(self, plan: RetryPlan, progress: Progress) -> Estimate:
        """Estimate the cost of a retry.

        Raises:
            UsageError: The edits cannot be applied to a row.
            InputError: The work was stopped.
        """

        def edited() -> Iterator[bytes]:
            for _, line in self._context.history.rows.newest_requests(plan.job_id, plan.seqs):
                if progress.stopped:
                    raise InputError("the estimate was stopped")
                yield _edited(line, plan.edits)

        return self.price_lines(edited(), plan.account, window=plan.window)

    def _price_stored(
        self, job: Job, batches: Sequence[Batch], progress: Progress = NO_PROGRESS
    ) -> Estimate:
        """Estimate the cost of stored batches of a job of one account, as they would be sent."""
        history = self._context.history

        def lines() -> Iterator[bytes]:
            for batch in batches:
                for _, line in history.rows.requests(job.id, history.batches.rows_in(batch)):
                    if progress.stopped:
                        raise InputError("the estimate was stopped")
                    yield _edited(line, batch.edits)

        return self.price_lines(lines(), batches[0].account, window=job.window)

    def keep(self, job: Job, estimate: Estimate | None = None) -> Job:
        """Store the estimate of a new job if its model has a price. Blocking.

        Args:
            job: The job.
            estimate: The estimate, if it is known already.

        Returns:
            The job with its estimate.
        """
        if estimate is not None:
            self._estimates[job.id] = estimate
        source = self._prices(job.account, job.window)
        if find_rates(job.model, source) is None:
            return job
        amount = self.price_job(job).expected_or_high
        if amount is None:
            return job
        self._context.history.costs.set_estimate(job.id, amount, source.currency)
        return self._context.history.jobs.get(job.id)

    def has_budget(self, account: str | None = None, budget: float | None = None) -> bool:
        """Whether any budget applies to a submit with this account."""
        return self.budgets.applies(account or self._context.accounts.default, budget)

    def spending(self) -> Spending:
        """The cost of this calendar month's jobs so far (UTC), in the budget's currency."""
        return self.budgets.spending()

    async def forecast(self, account: str, model: str, window: str) -> Forecast | None:
        """How long earlier batches of an account took; ``None`` with fewer than three.

        Args:
            account: The account.
            model: The model of most requests.
            window: The completion window; empty if rows are sent one by one.
        """
        return await run_in_thread(lambda _: forecast(self._context, account, model, window))

    async def spent(
        self,
        by: Sequence[str] = ("month",),
        *,
        since: float | None = None,
        before: float | None = None,
    ) -> SpentReport:
        """Where the money went: estimated, billed, reserved and saved, and the budget left.

        Args:
            by: One or several of month, account, provider, model, tag and job.
            since: Count batches that were sent at this time or later, Unix seconds.
            before: Count batches that were sent before this time.

        Raises:
            UsageError: A dimension is unknown.
        """

        def work(_: Progress) -> SpentReport:
            found = spent_report(self._context.history, by, since, before)
            config = self.budgets.config
            return msgspec.structs.replace(
                found,
                budget=config.per_month,
                left=self.left_this_month(),
                budget_currency=config.currency,
            )

        return await run_in_thread(work)

    def left_this_month(self) -> float | None:
        """What is left of the budget per month; ``None`` if there is none."""
        month = self.budgets.config.per_month
        return None if month is None else max(0.0, month - self.spending().amount)

    def check_budget(
        self, estimate: Estimate, account: str | None = None, budget: float | None = None
    ) -> None:
        """Check an estimate against the budgets, as ``submit`` does.

        Raises:
            BudgetError: The estimate is over budget.
        """
        name = account or self._context.accounts.default
        claim = Claim(estimate, name, self._context.accounts.estimates_cost(name))
        self.budgets.check_together([claim], budget)

    async def retry_within_budget(self, plan: RetryPlan, budget: float | None) -> Reserve:
        """Check the budgets for a retry.

        Args:
            plan: The retry.
            budget: A limit for it, in addition to the configured budgets.

        Returns:
            What reserves the amount: called with the stored batches before they are sent, it
            checks the month once more, in one transaction with the reservation.

        Raises:
            BudgetError: The retry is over budget.
            UsageError: It may cost more than the user was told.
        """
        budgets = self.budgets
        expense = Expense(plan.account, None, "", plan.rows, budget)
        if not self._context.accounts.info(plan.account).is_free:
            estimate = await self.estimate(plan)
            require_no_more(plan.most_cost, estimate, "this retry")
            # It may run in place, without an upload that the provider could quote.
            claim = Claim(estimate, plan.account)
            await run_in_thread(lambda _: budgets.check_together([claim], budget))
            expense = self._expense(estimate, plan.account, plan.rows, budget)

        async def reserve(batches: Sequence[Batch]) -> None:
            await run_in_thread(lambda _: budgets.reserve(batches, expense))

        return reserve

    def _expense(
        self, estimate: Estimate, account: str, rows: int, budget: float | None
    ) -> Expense:
        """What is reserved for requests: the most that they may cost.

        Also without a budget: it counts if one is set later this month. Where nothing bounds them
        and no budget asks for a bound, what they are expected to cost.
        """
        amount = estimate.high
        if amount is None and not self.budgets.applies(account, budget):
            amount = estimate.expected
        return Expense(account, amount, estimate.currency, rows, budget)

    async def jobs_within_budget(
        self, jobs: Sequence[Job], budget: float | None, *, most_cost: float | None = None
    ) -> Reserve:
        """Check the budgets for the sum of jobs that are sent in one submit.

        Args:
            jobs: The jobs.
            budget: A limit for all of them, in addition to the configured budgets.
            most_cost: Of one job, the most that the user was told and has agreed to.

        Returns:
            What reserves the amounts of all of them, as ``retry_within_budget`` does.

        Raises:
            BudgetError: Together they are over budget.
            UsageError: They may cost more than the user was told.
        """
        budgets, accounts = self.budgets, self._context.accounts
        claims: list[Claim] = []
        expenses: list[tuple[set[str], Expense]] = []
        for job in jobs:
            unsent = [b for b in self._context.history.batches.of_job(job.id) if b.is_unsent]
            if most_cost is not None:
                now = await self.estimate_unsent(job.id)
                require_no_more(most_cost, now, quoted(job.name, 60))
            for account in sorted({batch.account for batch in unsent if batch.attempt > 1}):
                retries = [b for b in unsent if b.attempt > 1 and b.account == account]
                ids, rows = {batch.id for batch in retries}, sum(batch.rows for batch in retries)
                if accounts.info(account).is_free:
                    continue
                estimate = await run_in_thread(partial(self._price_stored, job, retries))
                expenses.append((ids, self._expense(estimate, account, rows, budget)))
                claims.append(Claim(estimate, account))
            firsts = {batch.id for batch in unsent if batch.attempt == 1}
            if not firsts or accounts.info(job.account).is_free:
                continue
            estimate = await self.estimate(job.id)
            claims.append(Claim(estimate, job.account, accounts.estimates_cost(job.account)))
            whole = self._expense(estimate, job.account, job.counts.total, budget)
            amount, rows = self._of_unsent(job, whole.amount, unsent, firsts)
            expenses.append((firsts, replace(whole, amount=amount, rows=rows)))
        # A part of a job may be sent already, and is in the ledger then: the month is checked with
        # the reservation.
        await run_in_thread(lambda _: budgets.check_together(claims, budget, add_to_month=False))

        async def reserve(batches: Sequence[Batch]) -> None:
            of_jobs = [
                ([batch for batch in batches if batch.id in ids], expense)
                for ids, expense in expenses
            ]
            await run_in_thread(lambda _: budgets.reserve_together(of_jobs))

        return reserve

    def apply_config(self, budget: BudgetConfig) -> None:
        """Apply new budgets, and forget the estimates by earlier prices."""
        self.budgets.config = budget
        self._estimates.clear()

    async def estimate_unsent(self, job_id: str) -> Estimate:
        """Estimate the cost of what a submit of a job sends: of all, or of what is left of it.

        Raises:
            UnknownJobError: There is no such job.
        """
        job = self._context.history.jobs.get(job_id)
        batches = self._context.history.batches.of_job(job_id)
        unsent = [batch for batch in batches if batch.is_unsent]
        if len(unsent) == len(batches):
            return await self.estimate(job_id)
        return await run_in_thread(lambda running: self._price_stored(job, unsent, running))

    def _bound_of(self, batch: Batch) -> Expense:
        """What is reserved for a batch that has no reservation yet. Blocking."""
        job = self._context.history.jobs.get(batch.job_id)
        estimate = self._price_stored(job, [batch])
        return self._expense(estimate, batch.account, batch.rows, None)

    def _of_unsent(
        self, job: Job, amount: float | None, unsent: Sequence[Batch], firsts: Container[str]
    ) -> tuple[float | None, int]:
        """What the unsent batches of a first attempt may cost of what the whole job may cost.

        That is what the other ones do not take of it in the ledger: how much of the bound is that
        of a batch is not known, and its share by its rows may be less.

        Returns:
            The amount, and the rows that cost it.
        """
        batches = self._context.history.batches
        retries = {batch.id for batch in batches.of_job(job.id) if batch.attempt > 1}
        others = [
            entry
            for entry in self._context.history.ledger.of_job(job.id)
            if entry.kind != "released" and entry.batch not in firsts
            if entry.batch.partition(":")[0] not in retries
        ]
        if amount is None or not others:
            return amount, batches.count_sent(job)
        rows = sum(batch.rows for batch in unsent if batch.id in firsts)
        share = amount * rows / max(1, batches.count_sent(job))
        return max(share, amount - sum(entry.amount or 0.0 for entry in others)), rows

    def _prices(self, account: str, window: str | None) -> PriceSource:
        accounts = self._context.accounts
        chosen = window or next(iter(accounts.info(account).windows), "")
        return accounts.price_source(account, chosen)


def _edited(line: bytes, edits: Mapping[str, Any]) -> bytes:
    if not edits or not line.strip():
        return line
    try:
        return edit_request(line.removeprefix(BOM), edits)
    except ValueError as error:
        raise UsageError(f"cannot apply the edit: {error}") from None
