"""Where the prices of an account come from: the person's own, the profile's, the price table."""

from __future__ import annotations

from collections.abc import Mapping

from tui.compose.prices import PriceSource, TokenPrice
from tui.config import PriceConfig
from tui.providers.profile import Profile

FREE = "sandbox"
"""The provider that costs nothing: its answers are made up, so no price is shown for them."""


def price_source(profile: Profile, own: Mapping[str, PriceConfig], window: str = "") -> PriceSource:
    """The prices of a provider's models.

    Args:
        profile: The provider.
        own: The person's own prices by model; they win.
        window: The completion window; some profiles know other prices for other windows.
    """
    if profile.id == FREE:
        return PriceSource()
    prices = profile.prices
    overrides: dict[str, TokenPrice] = {}
    for model, price in prices.overrides.items():
        chosen = price.windows.get(window, price)
        overrides[model] = TokenPrice(
            input=chosen.input, output=chosen.output, cached=chosen.cached, note="vendor's list"
        )
    for model, table in own.items():
        part = 1.0 if profile.direct else 1 - table.batch_discount
        overrides[model] = TokenPrice(
            input=table.input * part,
            output=table.output * part,
            cached=None if table.cached is None else table.cached * part,
        )
    return PriceSource(
        provider=prices.genai_prices_id,
        currency=prices.currency,
        batch_discount=prices.batch_discount,
        overrides=overrides,
        aliases=prices.model_alias,
        single=profile.direct,
    )
