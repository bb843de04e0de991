"""Budgets: a stop before anything is sent, for one submit and for a calendar month (UTC).

What a submit may cost at the most is compared, with answers as long as the requests allow.
Where requests name no longest answer, it is what past results make expected. Where there is
no price, or neither a bound nor past results, the cost is unknown and stops as well. The
sandbox costs nothing, so no budget stops it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from tui.compose.estimate import Estimate
from tui.config import BudgetConfig
from tui.core.jobs import Batch
from tui.core.money import money
from tui.engine.context import Context
from tui.engine.pricing import FREE
from tui.errors import BudgetError, UsageError
from tui.store.costs import Spending, read_spending


class Budgets:
    """The budgets of one engine.

    Args:
        context: The engine's surroundings.
        config: What the person set.
    """

    def __init__(self, context: Context, config: BudgetConfig) -> None:
        self._context = context
        self.config = config
        self._reserved: dict[str, float] = {}
        self._given: dict[str, _Given] = {}

    def applies(self, account: str, budget: float | None = None) -> bool:
        """Is there a budget that a submit with this account has to keep?"""
        if self._context.accounts.profile(account).id == FREE:
            return False
        limits = (budget, self.config.per_submit, self.config.per_month)
        return any(limit is not None for limit in limits)

    def spending(self, *, without: str = "") -> Spending:
        """What the jobs of this month cost so far; blocking, but quick."""
        now = datetime.fromtimestamp(self._context.clock(), UTC)
        month = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        return read_spending(
            self._context.history.database.read,
            month.timestamp(),
            self.config.currency,
            free=FREE,
            without=without,
        )

    def check(
        self,
        estimate: Estimate,
        account: str,
        budget: float | None = None,
        *,
        job_id: str = "",
        told_later: bool = False,
    ) -> None:
        """Stop a submit that a budget does not allow.

        Args:
            estimate: Of what is to be sent.
            account: The account that sends it.
            budget: For this submit, beside what the configuration says.
            job_id: The job, when there is one: it does not count against itself.
            told_later: The provider says what it expects before anything is paid (``afford``):
                a cost that is unknown until then stops nothing here.

        Raises:
            BudgetError: It may cost more than the budget, or nobody knows what it costs.
            UsageError: The budget is no amount.
        """
        if budget is not None and not 0 <= budget < float("inf"):
            raise UsageError(f"{budget} is no budget", "Give an amount of 0 or more.")
        if not self.applies(account, budget):
            return
        if told_later and bound_of(estimate) is None:
            return
        currency = self.config.currency
        most = self._most(estimate)
        limits = [limit for limit in (budget, self.config.per_submit) if limit is not None]
        if limits and most > min(limits):
            raise BudgetError(
                f"this may cost {cost_range(estimate)}, and the budget of a submit is"
                f" {money(min(limits), currency)}",
                "Raise the budget, lower max_tokens, or send fewer requests (--sample).",
            )
        month = self.config.per_month
        if month is None:
            return
        spent = self.spending(without=job_id)
        held = sum(amount for key, amount in self._reserved.items() if key != job_id)
        if spent.amount + held + most > month:
            raise BudgetError(
                f"this may cost {cost_range(estimate)}, {money(spent.amount + held, currency)}"
                f" are spent this month, and its budget is {money(month, currency)}",
                "Raise budget.per_month in config.toml, or wait for the next month.",
            )

    @contextmanager
    def reserved(
        self, job_id: str, estimate: Estimate, budget: float | None = None
    ) -> Iterator[None]:
        """Count a job against the month while it is being sent, and keep its limits in mind."""
        self._reserved[job_id] = bound_of(estimate) or 0.0
        self._given[job_id] = _Given(budget, estimate)
        try:
            yield
        finally:
            # Two retries of one job may overlap.
            self._reserved.pop(job_id, None)
            self._given.pop(job_id, None)

    def afford(self, batch: Batch) -> None:
        """Compare what the provider itself expects of a batch with the budget of its submit.

        The parts of a job that were told of before count as well.

        Raises:
            BudgetError: It expects more than the budget, or says nothing while nobody else
                knows either.
        """
        given = self._given.get(batch.job_id)
        if given is None:
            return
        if batch.told_cost is None:
            self._most(given.estimate)
            return
        given.told += batch.told_cost
        limits = [limit for limit in (given.budget, self.config.per_submit) if limit is not None]
        if limits and given.told > min(limits):
            currency = self.config.currency
            raise BudgetError(
                f"the provider expects that this costs {money(given.told, currency)}, and the"
                f" budget of a submit is {money(min(limits), currency)}",
                "It was not sent. Raise the budget, or send fewer requests (--sample).",
            )
        month = self.config.per_month
        spent = 0.0 if month is None else self.spending(without=batch.job_id).amount
        if month is not None and spent + given.told > month:
            currency = self.config.currency
            raise BudgetError(
                f"the provider expects that this costs {money(given.told, currency)},"
                f" {money(spent, currency)} are spent this month, and its budget is"
                f" {money(month, currency)}",
                "It was not sent. Raise budget.per_month, or wait for the next month.",
            )

    def _most(self, estimate: Estimate) -> float:
        most = bound_of(estimate)
        if most is None:
            why = "; ".join(estimate.notes) or "its price is not known"
            raise BudgetError(
                f"nobody knows what this costs, and there is a budget: {why}",
                'Set the price in config.toml, [prices."MODEL"] input = … output = …,'
                " or max_tokens in the requests.",
            )
        if estimate.currency != self.config.currency:
            raise BudgetError(
                f"the budget is in {self.config.currency} and the account pays in"
                f" {estimate.currency}",
                "Set budget.currency in config.toml.",
            )
        return most


@dataclass
class _Given:
    """What holds for a submit that is under way; ``told`` sums what the provider expects."""

    budget: float | None
    estimate: Estimate
    told: float = 0.0


def bound_of(estimate: Estimate) -> float | None:
    """What a budget compares: the most that it may cost, else what is expected."""
    return estimate.expected if estimate.high is None else estimate.high


def cost_range(estimate: Estimate) -> str:
    """An estimate in words: ``$0.20 to $4.80``, ``about $1.10, at most $4.80``.

    ``unknown`` where there is no price; never zero for it.
    """
    low, expected, high = (
        None if amount is None else money(amount, estimate.currency)
        for amount in (estimate.low, estimate.expected, estimate.high)
    )
    if low is None:
        return "unknown"
    if expected is not None:
        about = expected if expected.startswith("<") else f"about {expected}"
        return about if high is None or high == expected else f"{about}, at most {high}"
    if high is None:
        least = low.removeprefix("<")
        return f"{'unknown' if least != low else f'at least {low}'}, with no upper bound"
    if low == high:
        return low
    return f"up to {high}" if low.startswith("<") else f"{low} to {high}"
