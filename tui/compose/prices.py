"""Batch prices per million tokens: the user's own prices first, then genai-prices."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import msgspec


class TokenPrice(msgspec.Struct, frozen=True, kw_only=True):
    """A batch price per million tokens, set by the user or by a profile.

    ``cached`` is the price of prompt tokens read from a cache; ``None``: the same as ``input``.
    """

    input: float
    output: float
    cached: float | None = None
    note: str = "your own price"


class PriceSource(msgspec.Struct, frozen=True, kw_only=True):
    """Where the prices of an account come from.

    Attributes:
        provider: The provider's id in genai-prices; empty if it is not listed.
        currency: The currency of ``overrides``. genai-prices has only dollars, so it is not
            used for other currencies.
        batch_discount: The documented discount on the regular price (0.5 is half), used if
            genai-prices has no batch price; ``None`` if no discount is documented.
        overrides: Batch prices by model; they take precedence.
        aliases: Deployment names to the names of models in genai-prices.
        single: Whether requests are sent one by one, at the regular price.
    """

    provider: str = ""
    currency: str = "USD"
    batch_discount: float | None = None
    overrides: Mapping[str, TokenPrice] = {}
    aliases: Mapping[str, str] = {}
    single: bool = False


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """The prices of a model, in tiers by the length of the prompt.

    Each tier has the number of prompt tokens above which it applies, and the prices per
    million input and output tokens, in the source's currency. ``exact``: a documented batch
    price or the user's own. ``cached`` is the price per million prompt tokens read from a
    cache in the first tier, ``None`` if unknown; ``write`` and ``write_1h`` those of tokens
    written to a cache for five minutes and for an hour (by default 1.25 and 2 times the input,
    as in Anthropic's price list).
    """

    tiers: tuple[tuple[int, float, float], ...]
    note: str
    exact: bool = True
    cached: float | None = None
    write: float | None = None
    write_1h: float | None = None

    def caching(self, tier: int) -> tuple[float, float, float]:
        """The prices of cached, written and long written input tokens in a tier."""
        _, base, _ = self.tiers[0]
        _, price, _ = self.tiers[tier]
        factor = price / base if base else 1.0
        cached = price if self.cached is None else min(self.cached * factor, price)
        write = 1.25 * price if self.write is None else self.write * factor
        write_1h = 2 * price if self.write_1h is None else self.write_1h * factor
        return cached, write, write_1h

    def tier_of(self, tokens: float) -> int:
        """The index in ``tiers`` for a prompt of this length."""
        for index in range(len(self.tiers) - 1, 0, -1):
            if tokens > self.tiers[index][0]:
                return index
        return 0


def has_own_price(model: str, source: PriceSource) -> bool:
    """Whether the user, the profile or an alias says what a model costs."""
    return model in source.overrides or model in source.aliases


def find_rates(
    model: str, source: PriceSource, *, at: datetime | None = None, service_tier: str | None = None
) -> Rates | None:
    """Look up the batch prices of a model; ``None`` if they are unknown.

    genai-prices silently returns the regular price if it has no batch price, so the batch
    variant is searched first. Without one, the source's documented discount is applied;
    without a discount, the regular price is used. In both cases ``exact`` is false.

    Args:
        model: The model name in the request.
        source: The prices of the account.
        at: The time for which the prices apply; now by default.
        service_tier: A tier with prices of its own, such as ``flex``, that the answer names.
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
    tier_context = {"service_tier": service_tier or ""}
    context = {"processing": "batch"}
    by_tier = service_tier is not None and _has_variant(info, tier_context, at)
    has_batch = not by_tier and not source.single and _has_variant(info, context, at)
    price = info.get_prices(at, tier_context if by_tier else context if has_batch else None)
    tiers = _tiers(price.input_mtok, price.output_mtok)
    if tiers is None:
        return None
    table = f"genai-prices {version('genai-prices')}"
    caching = [
        None if amount is None else _price_at(amount, 0)
        for amount in (
            price.cache_read_mtok,
            price.cache_write_mtok,
            getattr(price, "cache_write_1h_mtok", None),
        )
    ]
    factor, exact, note = 1.0, True, f"regular price, {table}"
    if by_tier:
        note = f"{service_tier} price, {table}"
    elif has_batch:
        note = f"batch price, {table}"
    elif not source.single:
        exact = False
        if source.batch_discount is None:
            note += ": no batch price"
        else:
            factor = 1 - source.batch_discount
            note = f"regular price less {source.batch_discount:.0%}, {table}"
    return Rates(
        tiers=tuple((start, into * factor, out * factor) for start, into, out in tiers),
        note=note,
        exact=exact,
        **{
            name: None if amount is None else amount * factor
            for name, amount in zip(("cached", "write", "write_1h"), caching, strict=True)
        },
    )


def _has_variant(info: Any, context: dict[str, Any], at: datetime) -> bool:
    return any(
        variant.when == context and (variant.constraint is None or variant.constraint.active(at))
        for variant in info.price_variants or ()
    )


def _tiers(input_price: Any, output_price: Any) -> tuple[tuple[int, float, float], ...] | None:
    """Merge both prices into common tiers; a missing output price (embeddings) is 0."""
    if input_price is None:
        return None
    starts = {0} | {
        tier.start for price in (input_price, output_price) for tier in getattr(price, "tiers", ())
    }
    return tuple(
        (start, _price_at(input_price, start), _price_at(output_price, start))
        for start in sorted(starts)
    )


def _price_at(price: Any, start: int) -> float:
    if price is None:
        return 0.0
    amount = getattr(price, "base", price)
    for tier in getattr(price, "tiers", ()):
        if start >= tier.start:
            amount = tier.price
    return float(amount)
