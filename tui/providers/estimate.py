"""What a provider guesses that a file of requests will cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tui.providers.places import as_number, at, number_at


@dataclass(frozen=True)
class CostEstimate:
    """A provider's guess, rough: figures that it does not give are ``None``.

    ``cost`` is in the account's currency; 0 also means that a model has no tariff.
    """

    requests: int | None
    input_tokens: int | None
    output_tokens: int | None
    cost: float | None


def read_estimate(value: Mapping[str, Any]) -> CostEstimate:
    """Doubleword's cost estimate, in which the cost is a text."""
    return CostEstimate(
        requests=number_at(value, "total_requests"),
        input_tokens=number_at(value, "total_estimated_input_tokens"),
        output_tokens=number_at(value, "total_estimated_output_tokens"),
        cost=as_number(at(value, "total_estimated_cost")),
    )
