"""What a batch saved: against single requests, and by prompts that were read from a cache."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from tui.compose.prices import Rates
from tui.store.history import RowPrices, StoredCosts, Usage

PricedUsage = tuple[Usage, Rates]
"""Tokens of rows, and the prices of the model that answered them."""


class Savings(msgspec.Struct, frozen=True, kw_only=True):
    """Amounts that were not paid; ``None`` if that is not known.

    Attributes:
        by_batch: What single requests would have cost more than the batch.
        by_cache: What prompts read from a cache saved, less what writing them cost; negative if
            they were not read often enough.
    """

    by_batch: float | None = None
    by_cache: float | None = None


def savings_of(
    costs: StoredCosts,
    job_id: str,
    priced: Sequence[PricedUsage] | None,
    single: Sequence[PricedUsage] | None,
    amount: float,
    *,
    direct: bool,
) -> Savings:
    """What the rows of a batch saved. Blocking.

    Args:
        costs: The stored tokens.
        job_id: The job.
        priced: The tokens of its rows at the prices that were paid; ``None`` if they have none.
        single: The same at the prices of single requests.
        amount: What the batch was billed.
        direct: Whether the rows were sent one by one.
    """

    def total(usages: Sequence[PricedUsage], prices: Callable[[Rates], RowPrices]) -> float:
        return sum(costs.price_rows(job_id, usage, prices(rates)) for usage, rates in usages)

    by_batch = 0.0 if direct else None
    if single is not None and not direct:
        by_batch = total(single, row_prices) - amount
    by_cache = None
    if priced is not None and any(usage.with_cached for usage, _ in priced):
        by_cache = 0.0
        if any(u.cached_tokens or u.cache_writes or u.long_writes for u, _ in priced):
            by_cache = total(priced, _without_cache) - total(priced, row_prices)
    return Savings(by_batch=by_batch, by_cache=by_cache)


def row_prices(rates: Rates) -> RowPrices:
    """The prices of a model as the history applies them to rows."""
    return RowPrices(
        tiers=tuple(
            (start, into, out, *rates.caching(number))
            for number, (start, into, out) in enumerate(rates.tiers)
        )
    )


def _without_cache(rates: Rates) -> RowPrices:
    return RowPrices(
        tiers=tuple((start, into, out, into, into, into) for start, into, out in rates.tiers)
    )
