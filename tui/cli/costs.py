"""Estimates of cost, as a document and in words."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import click

from tui.cli.output import Cell

if TYPE_CHECKING:
    from tui.compose.estimate import Estimate
    from tui.engine.engine import Engine


def parse_budget(
    context: click.Context, parameter: click.Parameter, value: float | None
) -> float | None:
    """An amount of money: not negative, and a number."""
    if value is not None and not (math.isfinite(value) and value >= 0):
        raise click.BadParameter(f"{value} is no amount")
    return value


budget_option = click.option(
    "--budget",
    type=float,
    callback=parse_budget,
    metavar="USD",
    help="Send nothing if it may cost more, or if nobody knows what it costs.",
)


def cost_document(estimate: Estimate) -> dict[str, Any]:
    """An estimate for scripts; ``null`` is unknown."""
    import msgspec

    document: dict[str, Any] = msgspec.to_builtins(estimate)
    low, high, currency = (document.pop(key) for key in ("low", "high", "currency"))
    return {
        "low": low,
        "expected": estimate.expected,
        "high": high,
        "currency": currency,
        **document,
    }


def is_free(engine: Engine, account: str | None) -> bool:
    """Does an account cost nothing?"""
    return engine.account(account or engine.accounts.default).provider == "sandbox"


def cost_pairs(estimate: Estimate, *, free: bool) -> dict[str, Cell | str]:
    """An estimate as labelled values for a person."""
    from tui.engine.budgeting import cost_range

    low, high = estimate.output_tokens_low, estimate.output_tokens_high
    if high is None:
        answers = f"about {low:,}" if estimate.calibrated else "no upper bound"
    elif low == high:
        answers = f"about {low:,}" if low else ""
    else:
        answers = f"{low:,} to {high:,}"
    cost = "free" if free else cost_range(estimate)
    return {
        "input tokens": f"{'' if estimate.exact_tokens else 'about '}{estimate.input_tokens:,}",
        "output tokens": answers,
        "cost": Cell(cost, "" if free or estimate.low is not None else "yellow"),
        "prices": "" if free else "; ".join(estimate.notes),
    }
