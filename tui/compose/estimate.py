"""What a file of requests may cost: from the prompts, and from how long answers may be."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import msgspec

from tui.compose.billable import Body, bodies_of, input_tokens
from tui.compose.blocks import open_bytes
from tui.compose.check import stopped
from tui.compose.prices import PriceSource, Rates, rates_of
from tui.core.lines import lines_of

_EVERY = 1000
WITHOUT_ANSWER = ("/embeddings", "/moderations")
"""Ends of endpoints whose answers are not counted in tokens."""


class ModelCost(msgspec.Struct, frozen=True, kw_only=True):
    """The part of one model; money is ``None`` where its price is not known."""

    model: str
    rows: int
    input_tokens: int
    output_tokens_low: int
    output_tokens_high: int | None
    low: float | None
    high: float | None
    note: str


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """What a file may cost.

    Attributes:
        currency: Of ``low`` and ``high``.
        low: With answers as long as past ones, or without answers where there are no past
            ones; ``None``: a price is not known.
        high: With answers as long as they may be; ``None``: a price or a length is not known.
        input_tokens: About a token for four characters; images are not counted.
        output_tokens_low: With the answers of ``low``.
        output_tokens_high: With the answers of ``high``; ``None``: a row names no length.
        exact_prices: Are all prices documented batch prices, or the user's own?
        models: The parts, by model.
        notes: What a reader should know about the figures.
        rows: How many requests there are.
        calibrated: Is the usual length of an answer known for every model?
        exact_tokens: Did the provider itself count the input tokens of every row?
    """

    currency: str
    low: float | None
    high: float | None
    input_tokens: int
    output_tokens_low: int
    output_tokens_high: int | None
    exact_prices: bool
    models: tuple[ModelCost, ...]
    notes: tuple[str, ...]
    rows: int = 0
    calibrated: bool = False
    exact_tokens: bool = False

    @property
    def expected(self) -> float | None:
        """What it costs with answers as long as past ones; ``None``: there are none."""
        return self.low if self.calibrated else None

    @property
    def figure(self) -> float | None:
        """The one figure to keep: the expected one, else the most that it may cost."""
        return self.high if self.expected is None else self.expected

    def times(self, factor: float) -> Estimate:
        """The estimate for so many times the rows, from a part of them."""
        return msgspec.structs.replace(
            self,
            low=_times(self.low, factor),
            high=_times(self.high, factor),
            input_tokens=round(self.input_tokens * factor),
            output_tokens_low=round(self.output_tokens_low * factor),
            output_tokens_high=_whole(_times(self.output_tokens_high, factor)),
            models=tuple(
                msgspec.structs.replace(
                    part,
                    rows=round(part.rows * factor),
                    input_tokens=round(part.input_tokens * factor),
                    output_tokens_low=round(part.output_tokens_low * factor),
                    output_tokens_high=_whole(_times(part.output_tokens_high, factor)),
                    low=_times(part.low, factor),
                    high=_times(part.high, factor),
                )
                for part in self.models
            ),
            rows=round(self.rows * factor),
        )


def _times(amount: float | None, factor: float) -> float | None:
    return None if amount is None else amount * factor


def _whole(amount: float | None) -> int | None:
    return None if amount is None else round(amount)


class _Sum:
    """Tokens of rows with the same model and price tier."""

    __slots__ = ("answers", "high", "input", "low", "rows", "unbounded")

    def __init__(self) -> None:
        self.rows = 0
        self.answers = 0
        self.input = 0.0
        self.low = 0.0
        self.high = 0.0
        self.unbounded = 0


def estimate_file(
    path: Path,
    source: PriceSource,
    *,
    answers: Mapping[str, float] | None = None,
    inputs: Mapping[str, float] | None = None,
    stop: Callable[[], bool] | None = None,
) -> Estimate:
    """Estimate the cost of a file, row by row: price tiers go by the length of one prompt.

    Args:
        path: A file of requests.
        source: Where the prices come from.
        answers: As for ``estimate_lines``.
        inputs: As for ``estimate_lines``.
        stop: Asked now and then; true ends the work.

    Raises:
        InputError: The file cannot be read, or the work was stopped.
    """

    def lines() -> Iterable[bytes]:
        for number, (_, line) in enumerate(lines_of(file), 1):
            if number % _EVERY == 0 and stop is not None and stop():
                raise stopped(path)
            yield line

    with open_bytes(path) as file:
        return estimate_lines(lines(), source, answers=answers, inputs=inputs)


def estimate_lines(
    lines: Iterable[bytes],
    source: PriceSource,
    *,
    answers: Mapping[str, float] | None = None,
    inputs: Mapping[str, float] | None = None,
) -> Estimate:
    """Estimate the cost of request lines; lines that are no requests count nothing.

    Args:
        lines: The requests.
        source: Where the prices come from.
        answers: The mean length of past answers in tokens, by model, where it is known.
        inputs: By model, how many tokens past prompts had for one by the rule of thumb; under
            ``""`` what holds for other models.
    """
    usual = answers or {}
    scales = inputs or {}
    other = scales.get("", 1.0)
    rates: dict[str, Rates | None] = {}
    sums: dict[tuple[str, int], _Sum] = {}
    for url, body in bodies_of(lines):
        model = body.model if isinstance(body.model, str) else ""
        if model not in rates:
            rates[model] = rates_of(model, source)
        tokens = input_tokens(body) * scales.get(model, other)
        rate = rates[model]
        key = (model, rate.tier_of(tokens) if rate is not None else 0)
        total = sums.get(key)
        if total is None:
            total = sums[key] = _Sum()
        total.rows += 1
        total.input += tokens
        if not url.endswith(WITHOUT_ANSWER):
            total.answers += 1
            _add_answer(total, body, usual.get(model, 0.0))
    known = all(model in usual for (model, _), total in sums.items() if total.answers)
    return _estimate(sums, rates, source, calibrated=bool(sums) and known)


def _add_answer(total: _Sum, body: Body, usual: float) -> None:
    choices = body.n if isinstance(body.n, int) and body.n > 0 else 1
    longest = body.max_completion_tokens
    if type(longest) is not int:
        longest = body.max_output_tokens
    if type(longest) is not int:
        longest = body.max_tokens
    if type(longest) is int:
        total.high += longest * choices
        total.low += min(usual, longest) * choices
    else:
        total.unbounded += 1
        total.low += usual * choices


def _estimate(
    sums: dict[tuple[str, int], _Sum],
    rates: dict[str, Rates | None],
    source: PriceSource,
    *,
    calibrated: bool,
) -> Estimate:
    parts = [
        _part(model, rates[model], {t: s for (m, t), s in sums.items() if m == model})
        for model in dict.fromkeys(model for model, _ in sums)
    ]
    unbounded = sum(total.unbounded for total in sums.values())
    notes: list[str] = []
    unknown = [part.model for part in parts if part.low is None]
    if unknown:
        notes.append(f"no price is known for {', '.join(name or '(no model)' for name in unknown)}")
    if unbounded:
        rows = "row names" if unbounded == 1 else "rows name"
        notes.append(f"{unbounded:,} {rows} no longest answer, so there is no upper bound")
    notes += dict.fromkeys(part.note for part in parts if part.note)
    known = [rate for rate in rates.values() if rate is not None]
    highs = [part.output_tokens_high for part in parts]
    return Estimate(
        currency=source.currency,
        low=_total([part.low for part in parts]),
        high=_total([part.high for part in parts]),
        input_tokens=sum(part.input_tokens for part in parts),
        output_tokens_low=sum(part.output_tokens_low for part in parts),
        output_tokens_high=None if None in highs else sum(high or 0 for high in highs),
        exact_prices=len(known) == len(rates) and all(rate.exact for rate in known),
        models=tuple(parts),
        notes=tuple(notes),
        rows=sum(part.rows for part in parts),
        calibrated=calibrated,
    )


def _part(model: str, rate: Rates | None, tiers: dict[int, _Sum]) -> ModelCost:
    bounded = not any(total.unbounded for total in tiers.values())
    low = high = 0.0
    if rate is not None:
        for tier, total in tiers.items():
            _, into, out = rate.tiers[tier]
            low += (total.input * into + total.low * out) / 1e6
            high += (total.input * into + total.high * out) / 1e6
    return ModelCost(
        model=model,
        rows=sum(total.rows for total in tiers.values()),
        input_tokens=round(sum(total.input for total in tiers.values())),
        output_tokens_low=round(sum(total.low for total in tiers.values())),
        output_tokens_high=round(sum(t.high for t in tiers.values())) if bounded else None,
        low=low if rate is not None else None,
        high=high if rate is not None and bounded else None,
        note=rate.note if rate is not None else "",
    )


def _total(amounts: list[float | None]) -> float | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known) if len(known) == len(amounts) else None
