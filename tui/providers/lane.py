"""The direct lane: a provider whose rows are sent one by one, to its synchronous endpoint."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import msgspec

from tui.errors import BatchdeckError
from tui.providers.base import Dialect
from tui.providers.schema import Limits, Poll, Prices, Profile
from tui.providers.wireform import WindowField

CONCURRENCY = 4
"""Requests under way at a time when nothing else is said: what a local model can take."""


@dataclass(frozen=True)
class Lane:
    """How fast rows may be sent; ``per_minute`` 0 is no limit."""

    concurrency: int = CONCURRENCY
    per_minute: float = 0.0


OnPause = Callable[[BatchdeckError, float], None]
"""Told of trouble that holds the lane up, and for how many seconds."""


@dataclass(frozen=True)
class RowAnswer:
    """What became of one row: its result line, without a line end, and whether it is good."""

    line: bytes
    good: bool


class AnswersRows(Dialect, Protocol):
    """A dialect that sends rows one by one; see ``tui.providers.direct``."""

    concurrency: int

    async def answer(
        self, request: bytes, custom_id: str, *, stop: asyncio.Event, on_pause: OnPause
    ) -> RowAnswer | None:
        """Send a row until there is an answer that can be kept; ``None`` after ``stop``."""


def direct_profile(profile: Profile) -> Profile:
    """A provider as the direct lane uses it: what only holds for batches is taken out.

    No limits of files, no completion window, nothing that is kept and deleted there, and no
    price of a batch: a discount, and the vendor's list where it is one of batch prices.
    """
    if profile.direct:
        return profile
    prices = profile.prices
    return msgspec.structs.replace(
        profile,
        direct=True,
        limits=Limits(line_bytes=profile.limits.line_bytes),
        poll=Poll(min_seconds=1, max_seconds=30),
        retention_days=None,
        prices=Prices(
            genai_prices_id=prices.genai_prices_id,
            currency=prices.currency,
            model_alias=prices.model_alias,
        ),
        paths=msgspec.structs.replace(profile.paths, estimate=""),
        create=msgspec.structs.replace(
            profile.create, window=WindowField(field="", kind="none", values=())
        ),
        notes=("Rows are sent one by one, at the price of single requests.",),
    )
