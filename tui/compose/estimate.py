"""What requests will cost: from what a scan found, the prices and the usual length of answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeVar

import msgspec

from tui.compose.checks.statistics import CostInputs, CostKey
from tui.compose.prices import PriceSource, Rates, find_rates
from tui.compose.requests.amounts import NOTHING_UNCOUNTED, Amount
from tui.compose.requests.tokens import NO_TOKENS, Tokens, counter_of, family_of


class ModelCost(msgspec.Struct, frozen=True, kw_only=True):
    """The estimate for one model; ``low`` and ``high`` are ``None`` if its price is unknown."""

    model: str
    rows: int
    input_tokens: int
    output_tokens_low: int
    output_tokens_high: int | None
    low: float | None
    high: float | None
    note: str
    input_tokens_low: int = 0
    input_tokens_high: int | None = None


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """The estimated cost of a file.

    Attributes:
        currency: The currency of ``low`` and ``high``.
        low: The cost with the fewest input tokens and answers of the usual length, or empty
            answers for models whose usual length is unknown; ``None`` if a price is unknown.
        high: The cost with the most input tokens and answers of the maximum length; ``None`` if
            a price is unknown, a row sets no ``max_tokens`` or has a part that cannot be counted.
        input_tokens: The usual number of input tokens: about one token per four characters of
            ASCII, more for other scripts; images are counted where their size is known.
        input_tokens_low: The fewest input tokens, behind ``low``.
        input_tokens_high: The most input tokens, behind ``high``; ``None`` if a part of a request
            cannot be counted: a file, an image at an address, a tool that the provider runs.
        output_tokens_low: The output tokens behind ``low``.
        output_tokens_high: The output tokens behind ``high``; ``None`` if a row sets no
            ``max_tokens``.
        exact_prices: Whether all prices are documented batch prices or the user's own.
        models: The estimate per model.
        notes: Remarks on the figures, for display.
        rows: The number of requests.
        calibrated: Whether the usual length of an answer is known for every model.
        usual: The cost with the usual input and answers of the usual length, or with empty
            answers; ``None`` if a price is unknown.
        is_counted: Whether all parts of the requests could be counted.
        exact_tokens: Whether the provider counted the input tokens of every row.
        usual_input: The cost of the usual input alone; ``None`` if a price is unknown.
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
    input_tokens_low: int = 0
    input_tokens_high: int | None = None
    usual: float | None = None
    is_counted: bool = True
    usual_input: float | None = None

    @property
    def expected(self) -> float | None:
        """The cost with answers of the usual length; ``None`` if that is unknown."""
        return self.usual if self.calibrated else None

    @property
    def expected_or_high(self) -> float | None:
        """The expected cost if it is known, otherwise the maximum."""
        return self.high if self.expected is None else self.expected

    def times(self, factor: float) -> Estimate:
        """Scale the estimate, for example from a sample to all rows."""
        models = tuple(_scaled(part, factor) for part in self.models)
        usual = _times(self.usual, factor)
        usual_input = _times(self.usual_input, factor)
        return msgspec.structs.replace(
            _scaled(self, factor), models=models, usual=usual, usual_input=usual_input
        )

    def without(self, part: Estimate) -> Estimate:
        """The estimate of the other rows, if ``part`` is that of some of these."""
        parts = {model.model: model for model in part.models}
        models = (
            model if model.model not in parts else _less(model, parts[model.model])
            for model in self.models
        )
        return msgspec.structs.replace(
            _less(self, part),
            models=tuple(model for model in models if model.rows),
            usual=_minus(self.usual, part.usual),
            usual_input=_minus(self.usual_input, part.usual_input),
        )

    def sampled(self, rows: int, of: int, error: float) -> Estimate:
        """The estimate with bounds that allow for the error of a sample.

        Args:
            rows: The number of rows in the sample.
            of: The number of all rows.
            error: The largest expected error, as a share of the figures.
        """
        note = f"from a sample of {rows:,} of {of:,} rows"
        models = tuple(_widened(part, error) for part in self.models)
        return msgspec.structs.replace(
            _widened(self, error), models=models, notes=(*self.notes, note)
        )


_Figures = TypeVar("_Figures", ModelCost, Estimate)


def _scaled(figures: _Figures, factor: float) -> _Figures:
    longest = _times(figures.output_tokens_high, factor)
    most = _times(figures.input_tokens_high, factor)
    return msgspec.structs.replace(
        figures,
        rows=round(figures.rows * factor),
        input_tokens=round(figures.input_tokens * factor),
        input_tokens_low=round(figures.input_tokens_low * factor),
        input_tokens_high=None if most is None else round(most),
        output_tokens_low=round(figures.output_tokens_low * factor),
        output_tokens_high=None if longest is None else round(longest),
        low=_times(figures.low, factor),
        high=_times(figures.high, factor),
    )


def _less(figures: _Figures, part: _Figures) -> _Figures:
    output, most = figures.output_tokens_high, figures.input_tokens_high
    return msgspec.structs.replace(
        figures,
        rows=figures.rows - part.rows,
        input_tokens=max(0, figures.input_tokens - part.input_tokens),
        input_tokens_low=max(0, figures.input_tokens_low - part.input_tokens_low),
        input_tokens_high=None if most is None else most - (part.input_tokens_high or 0),
        output_tokens_low=max(0, figures.output_tokens_low - part.output_tokens_low),
        output_tokens_high=None if output is None else output - (part.output_tokens_high or 0),
        low=_minus(figures.low, part.low),
        high=_minus(figures.high, part.high),
    )


def _minus(amount: float | None, less: float | None) -> float | None:
    return None if amount is None or less is None else max(0.0, amount - less)


def _widened(figures: _Figures, error: float) -> _Figures:
    return msgspec.structs.replace(
        figures,
        low=_times(figures.low, max(1 - error, 0.0)),
        high=_times(figures.high, 1 + error),
    )


def _times(amount: float | None, factor: float) -> float | None:
    return None if amount is None else amount * factor


class _Sums:
    """Tokens and cost of the rows of one model."""

    def __init__(self, rates: Rates | None, dearer: Rates | None, cache: str) -> None:
        self.rates = rates
        self._bounding = [one for one in (rates, dearer) if one is not None]
        self._cache = cache
        self.rows = self.unbounded = 0
        self.uncounted = NOTHING_UNCOUNTED
        self.has_answers = False
        self.tokens = NO_TOKENS
        self.output_low = self.output_high = self.low = self.high = self.usual = 0.0
        self.usual_input = 0.0

    def add(self, key: CostKey, rows: int, amount: Amount, usual: float) -> None:
        limit, choices = key.answer
        shortest = rows * choices * (usual if limit is None else min(usual, limit))
        longest = rows * choices * (limit or 0)
        tokens = amount.tokens._replace(usual=amount.tokens.expected)
        self.rows += rows
        self.unbounded += rows if limit is None else 0
        self.uncounted = self.uncounted.plus(amount.uncounted)
        self.has_answers = self.has_answers or choices > 0
        self.tokens = self.tokens.plus(tokens)
        self.output_low += shortest
        self.output_high += longest
        if self.rates is not None:
            self.low += _cost(self.rates, tokens.low, shortest, tokens.low / rows)
            self.usual += _cost(self.rates, tokens.usual, shortest, tokens.usual / rows)
            self.usual_input += _cost(self.rates, tokens.usual, 0.0, tokens.usual / rows)
            # A prompt that may reach the next price tier is bounded by its prices.
            self.high += max(
                _cost(rates, tokens.high, longest, tokens.high / rows) for rates in self._bounding
            )
            if self._cache:
                # Any part of the input may be written to the cache, by each row.
                self.high += self._writing(tokens.high, tokens.high / rows)

    def _writing(self, tokens: float, prompt: float) -> float:
        """What writing all of the input to the cache costs more than reading it anew."""
        assert self.rates is not None
        tier = self.rates.tier_of(prompt)
        _, into, _ = self.rates.tiers[tier]
        _, write, write_1h = self.rates.caching(tier)
        return tokens * max(0.0, (write_1h if self._cache == "1h" else write) - into) / 1e6

    def cost(self, model: str) -> ModelCost:
        bounded, rates = not self.unbounded, self.rates
        counted = not self.uncounted
        return ModelCost(
            model=model,
            rows=self.rows,
            input_tokens=round(self.tokens.usual),
            input_tokens_low=round(self.tokens.low),
            input_tokens_high=round(self.tokens.high) if counted else None,
            output_tokens_low=round(self.output_low),
            output_tokens_high=round(self.output_high) if bounded else None,
            low=self.low if rates is not None else None,
            high=self.high if rates is not None and bounded and counted else None,
            note=rates.note if rates is not None else "",
        )


def _cost(rates: Rates, tokens: float, output: float, prompt: float) -> float:
    _, into, out = rates.tiers[rates.tier_of(prompt)]
    return (tokens * into + output * out) / 1e6


Counted = Literal["none", "sample", "all"]
"""Which of the prompts the provider has counted."""

_SAMPLED = (0.75, 1.35)
"""How far the prompts of a model may be from the ratio that was counted in a sample of them."""


def _scaled_amount(
    amount: Amount, model: str, scales: Mapping[str, float], counted: Counted
) -> Amount:
    """The input corrected by what was measured: counted by the provider, or in past jobs."""
    scale = scales.get(model, scales.get(""))
    if scale is None or (counted != "all" and counter_of(family_of(model)) is not None):
        return amount
    usual = amount.tokens.usual * scale
    if counted == "all":
        return Amount(Tokens(usual, usual, usual))
    if counted == "sample" and model in scales:
        return Amount(Tokens(usual, usual * _SAMPLED[0], usual * _SAMPLED[1]), amount.uncounted)
    # Past prompts of the model may have been of another kind: prose says nothing about numbers.
    low, high = amount.tokens.low * min(scale, 1.0), amount.tokens.high * max(scale, 1.0)
    return Amount(Tokens(usual, min(low, usual), max(high, usual)), amount.uncounted)


def estimate_of(
    costs: CostInputs,
    source: PriceSource,
    *,
    answers: Mapping[str, float] | None = None,
    inputs: Mapping[str, float] | None = None,
    counted: Counted = "none",
) -> Estimate:
    """Estimate the cost of requests that were read (see ``scan_file`` and ``scan_lines``).

    Args:
        costs: What decides the cost of the requests.
        source: The prices.
        answers: The mean length of past answers in tokens, by model.
        inputs: The measured tokens of past prompts divided by their estimate, by model; the
            key ``""`` is the factor for all other models.
        counted: Whether ``inputs`` are the provider's counts of all these prompts, or of a sample
            of them, and not those of past jobs.
    """
    usual = answers or {}
    scales = inputs or {}
    sums: dict[str, _Sums] = {}
    for key, (rows, amount) in costs.groups.items():
        model = key.model
        if model not in sums:
            rates = find_rates(model, source)
            dearer = find_rates(model, source, service_tier=costs.tier) if costs.tier else None
            writes = source.provider == "anthropic" or (rates is not None and rates.write)
            sums[model] = _Sums(rates, dearer, costs.cache if writes else "")
        scaled = _scaled_amount(amount, model, scales, counted)
        sums[model].add(key, rows, scaled, usual.get(model, 0.0))
    parts = [total.cost(model) for model, total in sums.items()]
    unbounded = sum(total.unbounded for total in sums.values())
    notes: list[str] = []
    unknown = [part.model for part in parts if part.low is None]
    if unknown:
        notes.append(f"unknown price for {', '.join(name or '(no model)' for name in unknown)}")
    if unbounded:
        subject = "row sets" if unbounded == 1 else "rows set"
        notes.append(f"{unbounded:,} {subject} no max_tokens, so there is no upper bound")
    uncounted = NOTHING_UNCOUNTED
    for total in sums.values():
        uncounted = uncounted.plus(total.uncounted)
    if uncounted:
        notes.append(uncounted.text)
    notes += dict.fromkeys(part.note for part in parts if part.note)
    return Estimate(
        currency=source.currency,
        low=_total([part.low for part in parts]),
        high=_total([part.high for part in parts]),
        input_tokens=sum(part.input_tokens for part in parts),
        input_tokens_low=sum(part.input_tokens_low for part in parts),
        input_tokens_high=_sum([part.input_tokens_high for part in parts]),
        output_tokens_low=sum(part.output_tokens_low for part in parts),
        output_tokens_high=_sum([part.output_tokens_high for part in parts]),
        exact_prices=all(total.rates is not None and total.rates.exact for total in sums.values()),
        models=tuple(parts),
        notes=tuple(notes),
        rows=sum(part.rows for part in parts),
        usual=_total([total.usual if total.rates else None for total in sums.values()]),
        usual_input=_total([s.usual_input if s.rates else None for s in sums.values()]),
        is_counted=not uncounted,
        calibrated=bool(sums)
        and all(model in usual for model, total in sums.items() if total.has_answers),
    )


def _sum(amounts: list[int | None]) -> int | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known) if len(known) == len(amounts) else None


def _total(amounts: list[float | None]) -> float | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known) if len(known) == len(amounts) else None
