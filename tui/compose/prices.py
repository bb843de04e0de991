"""What a million tokens cost in a batch: the user's own prices, then those of genai-prices."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import msgspec


class TokenPrice(msgspec.Struct, frozen=True, kw_only=True):
    """A price that the user or a profile gives, per million tokens, for batches.

    ``cached`` is that of prompt tokens read from a cache; ``None``: as the others.
    """

    input: float
    output: float
    cached: float | None = None
    note: str = "your own price"


class PriceSource(msgspec.Struct, frozen=True, kw_only=True):
    """Where the prices of an account come from.

    Attributes:
        provider: The provider's id in genai-prices; empty: it is not there.
        currency: Of ``overrides``; genai-prices knows dollars only, and is not asked where
            another currency is paid.
        batch_discount: The part taken off the ordinary price where the table has no batch
            price (0.5 is half); ``None``: not documented.
        overrides: By model; they win, and hold for batches as they are.
        aliases: A deployment's name to the model that the table knows.
        single: Requests are sent one by one, at the ordinary price.
    """

    provider: str = ""
    currency: str = "USD"
    batch_discount: float | None = None
    overrides: Mapping[str, TokenPrice] = {}
    aliases: Mapping[str, str] = {}
    single: bool = False


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """Prices of a model by the length of a prompt: the last tier that begins below counts.

    ``tiers`` holds tokens above which it counts, and dollars (or the source's currency) per
    million tokens of input and output. ``exact``: a documented batch price or the user's.
    ``cached`` is the price of a million prompt tokens from a cache, ``None`` where it is not
    known.
    """

    tiers: tuple[tuple[int, float, float], ...]
    note: str
    exact: bool = True
    cached: float | None = None

    def tier_of(self, tokens: float) -> int:
        """The place in ``tiers`` for a prompt of so many tokens."""
        for place in range(len(self.tiers) - 1, 0, -1):
            if tokens > self.tiers[place][0]:
                return place
        return 0


def rates_of(model: str, source: PriceSource, *, at: datetime | None = None) -> Rates | None:
    """The batch prices of a model; ``None`` when nobody knows them.

    genai-prices gives the ordinary price without a word when it has no batch price, so the
    variant is looked for first; without one, the source's documented discount is taken off,
    and without a discount the ordinary price stands, and ``exact`` is false.

    Args:
        model: The name in the request.
        source: Where to look.
        at: The moment for which prices are wanted; now by default.
    """
    own = source.overrides.get(model)
    if own is not None:
        return Rates(tiers=((0, own.input, own.output),), note=own.note, cached=own.cached)
    if not source.provider or source.currency != "USD":
        return None
    from genai_prices.data_snapshot import get_snapshot

    name = source.aliases.get(model, model)
    try:
        _, info = get_snapshot().find_provider_model(name, None, source.provider, None)
    except LookupError:
        return None
    at = at or datetime.now(UTC)
    context = {"processing": "batch"}
    has_batch = not source.single and any(
        variant.when == context and (variant.constraint is None or variant.constraint.active(at))
        for variant in info.price_variants or ()
    )
    price = info.get_prices(at, context if has_batch else None)
    tiers = _tiers(price.input_mtok, price.output_mtok)
    if tiers is None:
        return None
    table = f"genai-prices {version('genai-prices')}"
    cached = None if price.cache_read_mtok is None else _at(price.cache_read_mtok, 0)
    if has_batch:
        return Rates(tiers=tiers, note=f"batch price, {table}", cached=cached)
    discount = source.batch_discount
    if source.single:
        return Rates(tiers=tiers, note=f"ordinary price, {table}", cached=cached)
    if discount is None:
        note = f"ordinary price, {table}: no batch price"
        return Rates(tiers=tiers, note=note, exact=False, cached=cached)
    part = 1 - discount
    return Rates(
        tiers=tuple((start, into * part, out * part) for start, into, out in tiers),
        note=f"ordinary price less {discount:.0%}, {table}",
        exact=False,
        cached=None if cached is None else cached * part,
    )


def _tiers(into: Any, out: Any) -> tuple[tuple[int, float, float], ...] | None:
    """Both prices on common tiers; an output price that is not there (embeddings) is 0."""
    if into is None:
        return None
    starts = {0} | {tier.start for price in (into, out) for tier in getattr(price, "tiers", ())}
    return tuple((start, _at(into, start), _at(out, start)) for start in sorted(starts))


def _at(price: Any, start: int) -> float:
    if price is None:
        return 0.0
    amount = getattr(price, "base", price)
    for tier in getattr(price, "tiers", ()):
        if start >= tier.start:
            amount = tier.price
    return float(amount)
