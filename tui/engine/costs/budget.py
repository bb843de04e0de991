"""Budgets per submit and per calendar month (UTC), checked before anything is sent.

What a submit may cost is entered in the ledger (``tui.store.ledger``) in one transaction with
the check of the month, so that two programs cannot both take what is left. A batch that was not
created gives its amount back; one that may have been created keeps it until it is billed.

A budget is compared with the maximum cost: every answer as long as its request allows. Without
a price, or if there is no maximum because requests do not set ``max_tokens``, the submit is
stopped, whatever past results say. The sandbox costs nothing and has no budget.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from tui.compose.estimate import Estimate
from tui.config.settings import BudgetConfig
from tui.core.formatting import money
from tui.core.jobs import Batch
from tui.core.requests import edited_model
from tui.core.submission import NOT_BEGUN
from tui.engine.accounts import FREE_PROVIDER
from tui.engine.context import Context
from tui.errors import BudgetError, UsageError
from tui.store.history import LedgerEntry, Spending


@dataclass(frozen=True)
class Claim:
    """A job that is to be sent, for the check of the budgets.

    Attributes:
        estimate: The estimate of what will be sent.
        account: The account that sends it.
        quoted_later: The provider gives a quote before anything is paid, which is checked by
            ``check_quote_budget``: the cost may be unknown until then.
    """

    estimate: Estimate
    account: str
    quoted_later: bool = False


@dataclass(frozen=True)
class Expense:
    """What a submit may cost, before it is entered in the ledger.

    Attributes:
        account: The account that pays.
        amount: The amount of all its rows; ``None`` if it is not known.
        currency: Currency of the amount.
        rows: The number of rows that cost this.
        submit_limit: The limit that the user gave for this submit.
    """

    account: str
    amount: float | None
    currency: str
    rows: int
    submit_limit: float | None = None


class Budgets:
    """The budgets of one engine.

    Args:
        context: The engine context.
        config: The configured budgets.
        bound_of: What is reserved for a stored batch; it reads the requests.
    """

    def __init__(
        self, context: Context, config: BudgetConfig, bound_of: Callable[[Batch], Expense]
    ) -> None:
        self._context = context
        self.config = config
        self._bound_of = bound_of

    def applies(self, account: str, budget: float | None = None) -> bool:
        """Whether any budget applies to a submit with this account."""
        if self._context.accounts.profile(account).id == FREE_PROVIDER:
            return False
        limits = (budget, self.config.per_submit, self.config.per_month)
        return any(limit is not None for limit in limits)

    def spending(self) -> Spending:
        """What was committed and billed in this month so far. Blocking, but quick."""
        self._release_forgotten(self._context.history.ledger.held(self._month()))
        return self._context.history.ledger.spending(self._month(), self.config.currency)

    def _month(self) -> float:
        """Begin of the calendar month, Unix seconds."""
        now = datetime.fromtimestamp(self._context.clock(), UTC)
        return now.replace(day=1, hour=0, minute=0, second=0, microsecond=0).timestamp()

    def check_together(
        self, claims: Sequence[Claim], budget: float | None = None, *, add_to_month: bool = True
    ) -> None:
        """Check the sum of estimates against the budgets, without reserving anything.

        Args:
            claims: What will be sent in one submit.
            budget: A limit for this submit, in addition to the configured budgets.
            add_to_month: Check the budget per month too; ``reserve`` does it otherwise.

        Raises:
            BudgetError: It may cost more than the budget, or a cost is unknown.
            UsageError: The budget is not a valid amount.
        """
        if budget is not None and not 0 <= budget < float("inf"):
            raise UsageError(f"invalid budget {budget}", "Use an amount of 0 or more.")
        counted = [
            one.estimate
            for one in claims
            if self.applies(one.account, budget)
            and not (one.quoted_later and one.estimate.high is None)
        ]
        if not counted:
            return
        amount = sum(map(self._max_cost, counted))
        claim = f"this may cost {cost_text(counted[0])}"
        if len(claims) > 1:
            together = money(amount, self.config.currency)
            claim = f"these {len(claims)} jobs may cost {together} together"
        self._check_submit(amount, claim, budget)
        if add_to_month and self.config.per_month is not None:
            spent = self.spending()
            if spent.amount + amount > self.config.per_month:
                raise self._over_month(claim, spent)

    def reserve(self, batches: Sequence[Batch], expense: Expense) -> None:
        """Enter what the batches of one job may cost in the ledger; see ``reserve_together``."""
        self.reserve_together([(batches, expense)])

    def reserve_together(self, jobs: Sequence[tuple[Sequence[Batch], Expense]]) -> None:
        """Enter what batches may cost in the ledger, all or none of them. Blocking.

        Args:
            jobs: The batches of each job of one submit, before any of them is sent, and what the
                rows of that job cost; each batch has its share by the number of its rows.

        Raises:
            BudgetError: It does not fit into what is left of the month.
        """
        paid = [(batches, expense) for batches, expense in jobs if not self._is_free(expense)]
        submit = next((batch.id for batches, _ in paid for batch in batches), "")
        if not submit:
            return
        entries = [
            entry
            for batches, expense in paid
            for entry in self._reservations(batches, expense, submit)
        ]
        amounts = [expense.amount for _, expense in paid]
        known = sum(amount for amount in amounts if amount is not None)
        text = _amount(None if None in amounts else known, paid[0][1].currency)
        claim = f"this may cost {text}"
        if len(jobs) > 1:
            claim = f"these {len(jobs)} jobs may cost {text} together"
        self._enter(entries, claim)

    def _is_free(self, expense: Expense) -> bool:
        return self._context.accounts.profile(expense.account).id == FREE_PROVIDER

    def _reservations(
        self, batches: Sequence[Batch], expense: Expense, submit: str
    ) -> list[LedgerEntry]:
        """The entries of the batches of a job."""
        context = self._context
        provider = context.accounts.profile(expense.account).id
        now = context.clock()
        rows = max(expense.rows, sum(batch.rows for batch in batches), 1)
        if not batches:
            return []
        job = context.history.jobs.get(batches[0].job_id)
        estimated_rows = context.history.batches.count_sent(job)
        return [
            LedgerEntry(
                batch=batch.id,
                job=batch.job_id,
                account=expense.account,
                provider=provider,
                submit=submit,
                amount=None if expense.amount is None else expense.amount * batch.rows / rows,
                currency=expense.currency,
                spent_at=now,
                submit_limit=expense.submit_limit,
                rows=batch.rows,
                model=edited_model(batch.edits, job.model),
                estimated=job.cost.share(batch.rows, estimated_rows),
            )
            for batch in batches
        ]

    def _enter(self, entries: Sequence[LedgerEntry], claim: str) -> None:
        history, month = self._context.history, self._month()
        own = {entry.batch for entry in entries}
        self._release_forgotten([b for b in history.ledger.held(month) if b not in own])
        spent = history.ledger.reserve(
            entries,
            since=month,
            currency=self.config.currency,
            limit=self.config.per_month,
            now=self._context.clock(),
        )
        if spent is not None:
            raise self._over_month(claim, spent)

    def release_unsent(self, batches: Sequence[Batch]) -> None:
        """Give back what was reserved for those batches that were not created. Blocking."""
        self._release_unsent([batch.id for batch in batches])

    def _release_forgotten(self, batch_ids: Sequence[str]) -> None:
        """Give back what is held by batches that were not created and that nobody is sending.

        A program that has reserved the cost of a draft is about to send it.
        """
        held = self._context.history.leases.held(batch_ids)
        self._release_unsent([batch for batch in batch_ids if batch not in held])

    def _release_unsent(self, batch_ids: Sequence[str]) -> None:
        history = self._context.history
        found = history.batches.submissions(batch_ids)
        unsent = [batch for batch, step in found.items() if step in NOT_BEGUN]
        if unsent:
            history.ledger.release(unsent, self._context.clock())

    def check_quote_budget(self, batch: Batch) -> None:
        """Check right before a create that the batch has a reservation, and that its quote fits.

        A batch that is sent without its submit (after a restart) is checked the same way: the
        ledger has what was reserved for it, and the limit of its submit. Blocking.

        Raises:
            BudgetError: The quote is over budget, or there is neither a quote nor an estimate.
        """
        if self._context.accounts.profile(batch.account).id == FREE_PROVIDER:
            return
        ledger = self._context.history.ledger
        entry = ledger.entry(batch.id)
        if entry is None or entry.kind in ("released", "billed"):
            before = ledger.reservation(batch.id)
            if before is None:
                self.reserve([batch], self._bound_of(batch))
            else:
                # Given back, and sent all the same: by the bound that was agreed to.
                again = msgspec.structs.replace(before, spent_at=self._context.clock())
                self._enter([again], f"this may cost {_amount(again.amount, again.currency)}")
            entry = ledger.entry(batch.id)
        if entry is None:
            return
        if batch.told_cost is None:
            if entry.amount is None and self.applies(batch.account, entry.submit_limit):
                raise _unknown(_NO_PRICE, is_priced=False)
            return
        if self.applies(batch.account, entry.submit_limit):
            self._require_currency(entry.currency)
        # A quote is a guess: where the most is known that the batch may cost, that stays reserved.
        amount = max(batch.told_cost, entry.amount or 0.0)
        quote = msgspec.structs.replace(entry, kind="quoted", amount=amount)
        # What was sent of this submit may have ended since: then its bill counts.
        others = [e for e in ledger.of_submit(entry.submit) if e.batch != batch.id]
        sent = (e for e in others if e.kind in ("quoted", "billed"))
        total = batch.told_cost + sum(e.amount or 0.0 for e in sent)
        claim = f"the provider quotes {money(total, entry.currency)}"
        self._check_submit(total, claim, entry.submit_limit)
        self._enter([quote], claim)

    def _check_submit(self, amount: float, claim: str, budget: float | None) -> None:
        limits = [limit for limit in (budget, self.config.per_submit) if limit is not None]
        if limits and amount > min(limits):
            raise BudgetError(
                f"{claim}, over the budget per submit of"
                f" {money(min(limits), self.config.currency)}",
                "Raise the budget, lower max_tokens, or send fewer requests (--sample).",
            )

    def _over_month(self, claim: str, spent: Spending) -> BudgetError:
        currency, month = self.config.currency, self.config.per_month
        return BudgetError(
            f"{claim}, over the budget per month: {money(spent.amount, currency)} of"
            f" {money(month or 0.0, currency)} is spent or reserved",
            "Raise budget.per_month in config.toml, or wait for the next month.",
        )

    def _max_cost(self, estimate: Estimate) -> float:
        if estimate.high is None:
            raise _unknown(
                "; ".join(estimate.notes) or _NO_PRICE, is_priced=estimate.low is not None
            )
        self._require_currency(estimate.currency)
        return estimate.high

    def _require_currency(self, currency: str) -> None:
        if currency != self.config.currency:
            raise BudgetError(
                f"the budget is in {self.config.currency}, but the account is billed in {currency}",
                "Set budget.currency in config.toml.",
            )


_NO_PRICE = "no price for this model"
_ROUNDING = 1.0 + 1e-9


def require_no_more(most: float | None, now: Estimate, what: str) -> None:
    """Check that requests cost at most what the user was told and has agreed to.

    Args:
        most: The most that the user saw; ``None`` if nobody was asked, or there was no bound.
        now: The estimate of what is about to be sent, by the prices of now.
        what: What is sent, for the message.

    Raises:
        UsageError: They may cost more.
    """
    if most is not None and (now.high is None or now.high > most * _ROUNDING):
        raise UsageError(
            f"{what} would cost {cost_text(now)} now, and not {money(most, now.currency)}",
            "Nothing was sent. Look at it again, then send it.",
        )


def _unknown(why: str, *, is_priced: bool) -> BudgetError:
    return BudgetError(
        f"cost unknown, so the budget cannot be checked: {why}",
        "Set max_tokens in the requests, as in --set max_tokens=800, or send them without a budget."
        if is_priced
        else 'Set the price in config.toml, [prices."MODEL"] input = … output = ….',
    )


def _amount(amount: float | None, currency: str) -> str:
    return "an unknown amount" if amount is None else money(amount, currency)


def cost_text(estimate: Estimate) -> str:
    """An estimate as text: ``$0.20 to $4.80``, ``about $1.10, at most $4.80``.

    Without a price the text is ``unknown``, never zero.
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
