"""The actual cost of a finished job: as billed, or computed from tokens and prices."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

import msgspec

from tui.compose.prices import PriceSource, Rates, find_rates, has_own_price
from tui.compose.requests.prompts import ENDPOINTS_WITHOUT_OUTPUT
from tui.core.jobs import Batch, BatchStatus, Job, Submission
from tui.core.requests import edited_model
from tui.engine.accounts import FREE_PROVIDER
from tui.engine.context import Context
from tui.engine.costs.savings import PricedUsage, Savings, row_prices, savings_of
from tui.providers.dialects.batch_responses import read_batch
from tui.store.history import LedgerEntry, Usage


async def store_cost(context: Context, batch: Batch) -> bool:
    """Store the cost of the job of an ended batch; ``False`` if other batches still run."""
    others = (b for b in context.history.batches.of_job(batch.job_id) if b.id != batch.id)
    if any(other.is_active for other in others):
        return False
    job = context.history.jobs.get(batch.job_id)
    if job.provider != FREE_PROVIDER:
        await asyncio.to_thread(_bill, context, job)
    return True


def _bill(context: Context, job: Job) -> None:
    costs = context.history.costs
    batches = {batch.id: batch for batch in context.history.batches.of_job(job.id)}
    by_batch: dict[str, list[Usage]] = {}
    for usage in costs.usage(job.id):
        by_batch.setdefault(usage.batch_id, []).append(usage)
    if batches and all(batch.reuses for batch in batches.values()):
        costs.set_actual(job.id, 0.0, job.cost.currency)
        return
    # The bill of a batch that was retried in place covers both attempts.
    retried = {batch.native_of for batch in batches.values()}
    amounts: dict[str, float] = {}
    savings: dict[str, Savings] = {}
    currencies: set[str] = set()
    told: set[str] = set()
    for batch_id, usages in by_batch.items():
        batch = batches[batch_id]
        # Rows that were retried one by one are billed at the price of single requests.
        profile = context.accounts.profile(batch.account)
        source = context.accounts.price_source(batch.account, job.window)
        currencies.add(source.currency)
        amount = _billed_by_row(usages)
        if amount is None and batch.native_of is None and batch_id not in retried:
            remote = read_batch(batch.raw, profile)
            amount = None if remote is None else remote.cost
            if amount is not None:
                told.add(batch_id)
                # The prices of the rows give the shares of what was billed.
                _by_tokens(context, job, batch, usages, source)
                costs.share_among_rows(job.id, usages[0].batch_pk, amount)
        if amount is None:
            amount = _by_tokens(context, job, batch, usages, source)
        if amount is None and batch.native_of is None and batch_id not in retried:
            model = edited_model(batch.edits, job.model)
            if not model and (remote := read_batch(batch.raw, profile)) is not None:
                model = remote.model or ""
            amount = _by_told_tokens(model, batch, usages, source)
        if amount is None:
            return
        amounts[batch_id] = amount
        savings[batch_id] = _savings(context, job, batch, usages, source, amount)
        if batch.elsewhere is None:
            _note_prices(context, job, batch, usages, source, savings[batch_id])
    # What the provider billed for a whole batch has all of its rows in it.
    lost = {name: rows for name, rows in costs.lost_rows(job.id).items() if name not in told}
    for batch_id in _without_a_word(context, batches, by_batch, lost):
        if batch_id not in told:
            del amounts[batch_id]
    if len(currencies) == 1 and amounts:
        currency = currencies.pop()
        costs.set_actual(job.id, sum(amounts.values()), currency)
        # What ran elsewhere was paid elsewhere.
        sent = [batches[name] for name in amounts if batches[name].elsewhere is None]
        _enter_bills(context, job, sent, amounts, savings, currency)
        _hold_lost(context, sent, lost)


def _without_a_word(
    context: Context,
    batches: Mapping[str, Batch],
    by_batch: Mapping[str, list[Usage]],
    lost: Mapping[str, int],
) -> list[str]:
    """The batches without an answer that may have been billed all the same: rows were lost.

    Rows that the provider reports as failed, expired or cancelled, without usage, are not billed.
    """
    unanswered = [
        batch_id
        for batch_id, usages in by_batch.items()
        if not any(usage.answered or usage.with_input for usage in usages)
    ]
    found = set(lost)
    for batch_id in unanswered:
        batch = batches[batch_id]
        profile = context.accounts.profile(batch.account)
        keeps = profile.can.cancel_keeps and not profile.direct
        ran = batch.submission is Submission.RUNNING
        if ran and batch.status is BatchStatus.CANCELLED and not keeps:
            # What was done, or under way, when it was cancelled is charged.
            found.add(batch_id)
    return [batch_id for batch_id in unanswered if batch_id in found]


def _hold_lost(context: Context, batches: Iterable[Batch], lost: Mapping[str, int]) -> None:
    """Keep the share of what was reserved for rows that are lost beside rows that were billed.

    They may have been charged; if their answers come after all, the share is given back.
    """
    ledger = context.history.ledger
    held: list[LedgerEntry] = []
    for batch in batches:
        before = ledger.reservation(batch.id)
        if before is None:
            continue
        rows = lost.get(batch.id, 0)
        share = rows / max(batch.rows, 1)
        held.append(
            msgspec.structs.replace(
                before,
                batch=f"{batch.id}:lost",
                kind="reserved" if rows else "released",
                amount=None if before.amount is None else before.amount * share,
                # The bill of the batch counts all of its rows.
                rows=0,
                estimated=0.0,
            )
        )
    ledger.hold(held, context.clock())


def _enter_bills(
    context: Context,
    job: Job,
    batches: list[Batch],
    amounts: dict[str, float],
    savings: dict[str, Savings],
    currency: str,
) -> None:
    """Replace what was reserved for the batches by what they were billed."""
    now = context.clock()
    shared = context.history.costs.cost_of_shared(job.id)
    rows = context.history.batches.count_sent(job)
    context.history.ledger.bill(
        [
            LedgerEntry(
                batch=batch.id,
                job=job.id,
                account=batch.account,
                provider=context.accounts.profile(batch.account).id,
                kind="billed",
                amount=amounts[batch.id],
                currency=currency,
                spent_at=batch.submitted_at or job.created_at,
                rows=batch.rows,
                model=edited_model(batch.edits, job.model),
                estimated=job.cost.share(batch.rows, rows),
                saved_by_batch=savings[batch.id].by_batch,
                saved_by_cache=savings[batch.id].by_cache,
                saved_by_reuse=shared.get(batch.id, 0.0),
            )
            for batch in batches
        ],
        now,
    )


def _billed_by_row(usages: list[Usage]) -> float | None:
    """The sum of the costs in the result lines; ``None`` unless every answer has one."""
    answered = sum(usage.answered for usage in usages)
    if not answered or sum(usage.with_cost for usage in usages) < answered:
        return None
    return sum(usage.cost for usage in usages)


def _by_tokens(
    context: Context, job: Job, batch: Batch, usages: list[Usage], source: PriceSource
) -> float | None:
    """Tokens times prices; ``None`` if a count or a price is missing."""
    priced = _priced(job, batch, usages, source)
    if priced is None:
        return None
    costs = context.history.costs
    return sum(costs.set_row_costs(job.id, usage, row_prices(rates)) for usage, rates in priced)


def _note_prices(
    context: Context,
    job: Job,
    batch: Batch,
    usages: list[Usage],
    source: PriceSource,
    savings: Savings,
) -> None:
    """Store the prices of the day with a batch, for whoever asks where its cost comes from."""
    names = ("input", "output", "cached", "cache_write", "cache_write_1h")
    prices = {
        "currency": source.currency,
        "saved_by_cache": savings.by_cache,
        "per_million_tokens": [
            {
                "model": usage.model,
                "tier": usage.tier,
                "from": rates.note,
                "prompts": [
                    {"over": over, **dict(zip(names, prices, strict=True))}
                    for over, *prices in row_prices(rates).tiers
                ],
            }
            for usage, rates in _priced(job, batch, usages, source) or ()
        ],
    }
    context.history.batches.set_prices(batch.id, prices)


def _priced(
    job: Job, batch: Batch, usages: list[Usage], source: PriceSource
) -> list[PricedUsage] | None:
    """The prices of the tokens of a batch; ``None`` if a count or a price is missing."""
    requested = edited_model(batch.edits, job.model)
    no_output = job.endpoint.endswith(ENDPOINTS_WITHOUT_OUTPUT)
    single = sum(bool(usage.answered) for usage in usages) == 1
    priced: list[PricedUsage] = []
    for usage in usages:
        if not usage.answered and not usage.with_input:
            continue
        if usage.with_input < usage.answered:
            return None
        if usage.with_output < usage.answered and not no_output:
            return None
        rates = _rates(usage, requested, source, single=single)
        if rates is None:
            return None
        priced.append((usage, rates))
    return priced


def _savings(
    context: Context,
    job: Job,
    batch: Batch,
    usages: list[Usage],
    source: PriceSource,
    amount: float,
) -> Savings:
    """What a billed batch saved, as far as its tokens and the prices tell."""
    priced = _priced(job, batch, usages, source)
    single = None
    if not source.single:
        single = _priced(job, batch, usages, context.accounts.single_prices(batch.account))
        if single and priced and source.batch_discount != 0:
            # The same price in both: that of batches, or of single requests, is not known.
            pairs = zip(single, priced, strict=True)
            if any(one.tiers == other.tiers for (_, one), (_, other) in pairs):
                single = None
    return savings_of(
        context.history.costs,
        job.id,
        priced,
        single,
        amount,
        direct=source.single,
    )


def _by_told_tokens(
    model: str, batch: Batch, usages: list[Usage], source: PriceSource
) -> float | None:
    """The provider's count of tokens times prices, for a batch whose rows report none.

    ``None`` if a row reports some, or if several models answered.
    """
    told = batch.remote_counts
    answered = [usage for usage in usages if usage.answered]
    if len(answered) != 1 or any(usage.with_input or usage.with_output for usage in usages):
        return None
    if told.input_tokens is None or told.output_tokens is None:
        return None
    rates = _rates(answered[0], model, source, single=True)
    if rates is None:
        return None
    _, into, out = rates.tiers[rates.tier_of(told.input_tokens / answered[0].answered)]
    return (told.input_tokens * into + told.output_tokens * out) / 1e6


def _rates(usage: Usage, requested: str, source: PriceSource, *, single: bool) -> Rates | None:
    """The prices of the model that answered, or of the requested one if that is the same.

    A price that the user or the profile gives for the requested name comes first, since a
    deployment answers by the name of its model.
    """
    named = usage.model or ""
    same = single or not named or named.startswith(requested)
    names = (named, requested) if same else (named,)
    if same and has_own_price(requested, source) and not has_own_price(named, source):
        names = (requested, named)
    for model in filter(None, names):
        rates = find_rates(model, source, service_tier=usage.tier)
        if rates is not None:
            return rates
    return None
