"""What a job has cost, once it is over: as billed, else from its tokens and the prices."""

from __future__ import annotations

import asyncio

from tui.compose.estimate import WITHOUT_ANSWER
from tui.compose.prices import PriceSource, Rates, rates_of
from tui.core.editing import edited_model
from tui.core.jobs import Batch, Job
from tui.engine.context import Context
from tui.engine.pricing import FREE
from tui.providers.reading import read_batch
from tui.store.costs import Usage, read_tiers, read_usage, store_actual


async def bill(context: Context, batch: Batch) -> None:
    """Reckon up the job of a batch that has ended, if nothing else of it is under way."""
    others = (b for b in context.history.batches(batch.job_id) if b.id != batch.id)
    if any(other.is_under_way for other in others):
        return
    job = context.history.job(batch.job_id)
    if job.provider == FREE:
        return
    await asyncio.to_thread(_bill, context, job)


def _bill(context: Context, job: Job) -> None:
    database = context.history.database
    profile = context.accounts.profile(job.account)
    source = context.accounts.price_source(job.account, job.window)
    batches = {batch.id: batch for batch in context.history.batches(job.id)}
    by_batch: dict[str, list[Usage]] = {}
    for usage in read_usage(database.read, job.id):
        by_batch.setdefault(usage.batch_id, []).append(usage)
    # A batch that is run again in place bills for both attempts at once.
    shared = {batch.native_of for batch in batches.values()}
    amounts: list[float] = []
    for batch_id, usages in by_batch.items():
        batch = batches[batch_id]
        amount = _billed_by_row(usages)
        if amount is None and batch.native_of is None and batch_id not in shared:
            remote = read_batch(batch.raw, profile)
            amount = None if remote is None else remote.cost
        if amount is None:
            amount = _by_tokens(context, job, batch, usages, source)
        if amount is None:
            return
        amounts.append(amount)
    if amounts and any(usage.answered for usages in by_batch.values() for usage in usages):
        store_actual(database, job.id, sum(amounts), source.currency)


def _billed_by_row(usages: list[Usage]) -> float | None:
    """What the result lines say; ``None`` unless every answer has a price on it."""
    answered = sum(usage.answered for usage in usages)
    if not answered or sum(usage.with_cost for usage in usages) < answered:
        return None
    return sum(usage.cost for usage in usages)


def _by_tokens(
    context: Context, job: Job, batch: Batch, usages: list[Usage], source: PriceSource
) -> float | None:
    """Tokens times prices; ``None`` where a count or a price is missing."""
    requested = edited_model(batch.edits, job.model)
    silent = job.endpoint.endswith(WITHOUT_ANSWER)
    alone = sum(bool(usage.answered) for usage in usages) == 1
    known: dict[str, Rates | None] = {}
    amount = 0.0
    for usage in usages:
        if not usage.answered and not usage.with_input:
            continue
        if usage.with_input < usage.answered:
            return None
        if usage.with_output < usage.answered and not silent:
            return None
        rates = _rates(usage.model or "", requested, source, known, alone=alone)
        if rates is None:
            return None
        amount += _cost(context, job, usage, rates)
    return amount


def _rates(
    named: str,
    requested: str,
    source: PriceSource,
    known: dict[str, Rates | None],
    *,
    alone: bool,
) -> Rates | None:
    """The prices of the model that was asked for, else of the one that the provider names."""
    same = alone or not named or named.startswith(requested)
    for model in (requested, named) if same else (named,):
        if model and model not in known:
            known[model] = rates_of(model, source)
        if model and known[model] is not None:
            return known[model]
    return None


def _cost(context: Context, job: Job, usage: Usage, rates: Rates) -> float:
    starts = [start for start, _, _ in rates.tiers[1:]]
    tiers = [(0, usage.input_tokens, usage.output_tokens, usage.cached_tokens)]
    if starts:
        tiers = read_tiers(context.history.database.read, job.id, usage, starts)
    return sum(_tier_cost(rates, place, tokens) for place, *tokens in tiers)


def _tier_cost(rates: Rates, place: int, tokens: list[int]) -> float:
    whole, out, cached = tokens
    _, into, answer = rates.tiers[place]
    again = into if rates.cached is None else min(rates.cached, into)
    return ((whole - cached) * into + cached * again + out * answer) / 1e6
