"""The verbs about money: estimate, keep to a budget, try one request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tui.core.jobs import Job
from tui.engine.budgeting import Budgets
from tui.engine.context import Context
from tui.engine.estimator import Estimator
from tui.engine.importer import limits_of
from tui.engine.retrier import RetryPlan
from tui.engine.threads import Stop, stoppable
from tui.engine.trying import Trial, request_at, try_request

if TYPE_CHECKING:
    from tui.compose.estimate import Estimate
    from tui.compose.template import Template
    from tui.engine.sketch import Sketch, Sketchbook
    from tui.store.costs import Spending


def _job_of(what: str | RetryPlan) -> str:
    return what if isinstance(what, str) else what.job_id


class Reckoning:
    """What the engine can say of the cost of requests, before they are sent."""

    _context: Context
    _estimator: Estimator
    _budgets: Budgets

    async def estimate(
        self,
        what: Path | str | RetryPlan,
        account: str | None = None,
        *,
        window: str | None = None,
        edits: Mapping[str, Any] | None = None,
        exact: bool = False,
        stop: Stop | None = None,
    ) -> Estimate:
        """What a file (a Path), a job (its id) or a retry may cost.

        Args:
            what: What is to be sent.
            account: Of a file; else the default one.
            window: Of a file; else the provider's first one.
            edits: Of a file: the changes that it is sent with.
            exact: Of a file: have the provider count the prompts, where that is free. Of more
                than 500 rows, so many are counted, and the others measured by them.
            stop: Asked now and then; true ends it.

        Raises:
            InputError: The file cannot be read, or it was stopped.
            UsageError: ``exact``, and the provider counts no tokens.
        """
        counted = None
        if exact and isinstance(what, Path):
            from tui.engine.counting import count_tokens

            name = self._named(account)
            limits = limits_of(self._context.accounts.profile(name))
            counted = await count_tokens(self._context, name, what, limits, stop=stop)

        def work(asked: Stop) -> Estimate:
            if isinstance(what, Path):
                name = self._named(account)
                return self._estimator.file(
                    what, name, window=window, edits=edits, counted=counted, stop=asked
                )
            if isinstance(what, str):
                return self._estimator.job(self._context.history.job(what), stop=asked)
            return self._estimator.retry(what, stop=asked)

        return await stoppable(work, stop)

    def has_budget(self, account: str | None = None, budget: float | None = None) -> bool:
        """Is there a budget that a submit with this account has to keep?"""
        return self._budgets.applies(self._named(account), budget)

    def spending(self) -> Spending:
        """What the jobs of this calendar month (UTC) cost so far, in the budget's currency."""
        return self._budgets.spending()

    def check_budget(
        self, estimate: Estimate, account: str | None = None, budget: float | None = None
    ) -> None:
        """Ask beforehand what ``submit`` asks too.

        Raises:
            BudgetError: A budget does not allow it.
        """
        self._budgets.check(estimate, self._named(account), budget)

    async def try_row(
        self, row: bytes | Path, number: int = 1, *, account: str | None = None
    ) -> Trial:
        """Send one request to the provider's synchronous endpoint; nothing of it is kept.

        It is paid like any single request, without the discount of a batch, and no budget
        counts it.

        Args:
            row: A request line (``custom_id``, ``method``, ``url``, ``body``), or a file.
            number: Which request of the file, counted from 1.
            account: The account; else the default one.

        Raises:
            UsageError: The provider answers no single requests, or not at this endpoint.
            InputError: The file or the request cannot be used.
            BatchdeckError: There is no answer.
        """
        name = self._named(account)
        if isinstance(row, Path):
            limits = limits_of(self._context.accounts.profile(name))
            row = await asyncio.to_thread(request_at, row, number, limits)
        return await try_request(self._context, name, row)

    async def draw(
        self,
        book: Sketchbook,
        template: Callable[[], Template],
        *,
        account: str | None = None,
        stop: Stop | None = None,
    ) -> Sketch:
        """A preview of rows that were read already, quick enough to be asked while typing.

        A cancel of the caller ends the work in its thread too.

        Args:
            book: The rows; what of them is not read yet is read first.
            template: Gives the template; called in the thread, as it may read files.
            account: Where the prices come from; else the default one.
            stop: Asked now and then; true ends it.

        Raises:
            InputError: The source or one of the three rows cannot be used, or it was stopped.
            UsageError: The template lacks something.
        """
        name = self._named(account)
        return await stoppable(
            lambda asked: book.draw(
                template(), lambda lines: self._estimator.lines(lines, name), asked
            ),
            stop,
        )

    async def models(self, account: str | None = None) -> list[str]:
        """The models that the provider lists for an account; none where it has no list.

        Raises:
            BatchdeckError: The provider cannot be asked.
        """
        dialect = await self._context.accounts.dialect(self._named(account))
        return await dialect.models()

    def _named(self, account: str | None) -> str:
        return account or self._context.accounts.default

    @asynccontextmanager
    async def _within_budget(
        self, what: str | RetryPlan, job_id: str, budget: float | None
    ) -> AsyncIterator[None]:
        """Send a job or a retry inside the block only if the budgets allow it."""
        history = self._context.history
        account = history.job(what).account if isinstance(what, str) else what.account
        if not self._budgets.applies(account, budget):
            yield
            return
        estimate = await self.estimate(what)
        # A retry may run in place, without an upload that the provider could tell of.
        later = isinstance(what, str) and self._context.accounts.tells_cost(account)
        await asyncio.to_thread(
            self._budgets.check, estimate, account, budget, job_id=job_id, told_later=later
        )
        with self._budgets.reserved(job_id or _job_of(what), estimate, budget):
            yield

    def _with_estimate(self, job: Job) -> Job:
        """Keep what a new job may cost; blocking."""
        self._estimator.keep(job)
        return self._context.history.job(job.id)
