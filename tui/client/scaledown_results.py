"""What a ScaleDown batch gave, as the vendor's guide names it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class BatchItemResult:
    """What became of one item.

    Attributes:
        custom_id: The item's id.
        model: ``summarize``, ``extract`` or ``classify``.
        content: ``summarize``: ``summary``, ``input_chars``, ``output_chars``; ``extract``:
            ``entities``; ``classify``: ``top_label``, ``scores``, ``reasoning``, ``labels``.
            Empty where there is an error.
        error: ``code`` and ``message``; ``None`` when all is well.
    """

    custom_id: str
    model: str
    content: dict[str, Any]
    error: dict[str, Any] | None


@dataclass(frozen=True)
class BatchResult:
    """What a batch gave: an entry for each item, in the order of the items."""

    batch_id: str
    items: list[BatchItemResult]
