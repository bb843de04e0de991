"""The most that requests cost when they are sent one by one, from their estimate as a batch."""

from __future__ import annotations

from tui.compose.estimate import Estimate
from tui.compose.prices import PriceSource, Rates, find_rates


def direct_bound(estimate: Estimate, batch: PriceSource, single: PriceSource) -> float | None:
    """The most that the requests of an estimate cost one by one.

    The requests are not read again: every token costs at most as many times more as the price that
    differs most between the two.

    Args:
        estimate: The estimate of the requests as a batch.
        batch: The prices of which it was made.
        single: The prices of single requests.

    Returns:
        The amount, in the currency of the estimate; ``None`` if it has no upper bound, or a price
        is not known.
    """
    amount = estimate.high
    if amount is None or batch.currency != single.currency:
        return None
    factor = 0.0
    for model in estimate.models:
        times = _times_dearer(find_rates(model.model, batch), find_rates(model.model, single))
        if times is None:
            return None
        factor = max(factor, times)
    return amount * factor


def _times_dearer(batch: Rates | None, single: Rates | None) -> float | None:
    """How many times dearer a token is at most; ``None`` if that is not known."""
    if batch is None or single is None:
        return None
    times = 1.0
    for start, *prices in single.tiers:
        _, *of_batch = batch.tiers[batch.tier_of(start + 1)]
        for one, base in zip(prices, of_batch, strict=True):
            if base:
                times = max(times, one / base)
            elif one:
                return None
    return times
