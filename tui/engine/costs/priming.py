"""What a prompt cache costs and saves: all rows at once, and after a first row that fills it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from tui.compose.prices import PriceSource, find_rates
from tui.compose.requests.amounts import request_amount
from tui.core.formatting import counted, money, percent

_COMPARED = 2_000
"""Rows whose marked part is compared with that of the first one; the others count by their share.
"""

_ALWAYS_CACHED = 4_096
_NEVER_CACHED = 1_024
"""Tokens from which every model keeps a prompt, and up to which none does."""


class PrimingEstimate(msgspec.Struct, frozen=True, kw_only=True):
    """The input of a batch whose rows mark the same part for the cache, in two ways.

    Attributes:
        rows: The rows that mark the same part as the first one.
        of: All rows.
        tokens: The tokens of that part, as they are usually counted.
        hour: Whether it is kept for an hour, and not for five minutes.
        plain: What the input of all rows costs if they are sent together: each writes the part.
        primed: What it costs if the first row is sent alone: the others read the part.
        unmarked: What it would cost without the mark.
        currency: Currency of the amounts.
    """

    rows: int
    of: int
    tokens: int
    hour: bool
    plain: float
    primed: float
    unmarked: float
    currency: str = "USD"

    @property
    def short(self) -> str:
        """Both ways in one line: ``input $1.20 plain, $0.07 primed (94% less)``."""
        plain, primed = money(self.plain, self.currency), money(self.primed, self.currency)
        return f"input {plain} plain, {primed} primed ({self._share} less)"

    @property
    def _share(self) -> str:
        return percent(1 - self.primed / self.plain) if self.plain else "0%"

    @property
    def text(self) -> str:
        """Both ways in words: ``input about $1.20 plain …; $0.07 with the first row alone …``."""
        plain, primed = money(self.plain, self.currency), money(self.primed, self.currency)
        part = counted(self.tokens, "token")
        words = (
            f"input about {plain} plain (each row writes {part} to the cache), {primed} with the"
            f" first row alone (it writes, {self.rows - 1:,} read): {self._share} less"
        )
        if self.tokens < _NEVER_CACHED:
            return f"{words}; but so short a part is not cached"
        if self.tokens < _ALWAYS_CACHED:
            return f"{words}; some models cache nothing under {_ALWAYS_CACHED:,} tokens"
        return words


def priming_estimate(
    lines: Iterable[bytes], rows: int, input_cost: float, source: PriceSource
) -> PrimingEstimate | None:
    """Estimate both ways of sending requests of the Messages API. Blocking.

    Args:
        lines: The requests; only the first ones are read.
        rows: How many there are.
        input_cost: What their input costs at the regular price.
        source: The prices.

    Returns:
        The estimate; ``None`` if nothing is marked, another row marks nothing alike, or no price
        is known.
    """
    key: bytes | None = None
    tokens = 0.0
    hour = False
    model = ""
    seen = alike = 0
    for line in lines:
        if seen == _COMPARED:
            break
        body = _body(line)
        marked = None if body is None else _marked_part(body)
        seen += 1
        if marked is None or body is None:
            if key is None:
                return None
            continue
        part, ttl = marked
        found = msgspec.json.encode([body.get("model"), part])
        if key is None:
            key, hour, model = found, ttl == "1h", str(body.get("model") or "")
            tokens = request_amount(part, model).tokens.usual
        alike += found == key
    rates = find_rates(model, source)
    sharing = round(rows * alike / max(1, seen))
    if rates is None or sharing < 2:
        return None
    tier = rates.tier_of(tokens)
    _, plain_price, _ = rates.tiers[tier]
    read, write, write_1h = rates.caching(tier)
    more = (write_1h if hour else write) - plain_price
    less = read - plain_price
    return PrimingEstimate(
        rows=sharing,
        of=rows,
        tokens=round(tokens),
        hour=hour,
        plain=input_cost + sharing * tokens * more / 1e6,
        primed=max(0.0, input_cost + tokens * (more + (sharing - 1) * less) / 1e6),
        unmarked=input_cost,
        currency=source.currency,
    )


def _body(line: bytes) -> dict[str, Any] | None:
    if b'"cache_control"' not in line:
        return None
    try:
        entry = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    body = (entry.get("params") or entry.get("body")) if isinstance(entry, dict) else None
    return body if isinstance(body, dict) else None


def _marked_part(body: Mapping[str, Any]) -> tuple[dict[str, Any], str] | None:
    """A body up to its last mark, and how long that is kept; ``None`` without a mark.

    The order of the cache is tools, system, messages.
    """
    part: dict[str, Any] = {}
    before: dict[str, Any] = {}
    ttl = ""
    for name in ("tools", "system"):
        blocks = body.get(name)
        for number, block in enumerate(blocks if isinstance(blocks, list) else [blocks], start=1):
            if (found := _mark_of(block)) is not None:
                cut = blocks[:number] if isinstance(blocks, list) else blocks
                part, ttl = {**before, name: cut}, found
        if blocks is not None:
            before[name] = blocks
    messages = body.get("messages")
    turns: list[Any] = []
    for turn in messages if isinstance(messages, list) else []:
        content = turn.get("content") if isinstance(turn, dict) else None
        blocks = content if isinstance(content, list) else []
        for number, block in enumerate(blocks, start=1):
            if (found := _mark_of(block)) is not None:
                last = {**turn, "content": blocks[:number]}
                part, ttl = {**before, "messages": [*turns, last]}, found
        turns.append(turn)
    return (part, ttl) if part else None


def _mark_of(block: object) -> str | None:
    mark = block.get("cache_control") if isinstance(block, dict) else None
    return str(mark.get("ttl") or "5m") if isinstance(mark, dict) else None
