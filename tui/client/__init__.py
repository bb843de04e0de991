"""The Python API: send requests as a job, wait for it, read the answers.

Jobs that are made here are ordinary jobs: they stand in the history, the dashboard shows
them, and they go on when the script ends. With ``keep=False`` nothing is left behind.

    from tui.client import BatchClient

    with BatchClient("openai") as client:
        for row in client.run(requests):
            print(row.custom_id, row.outcome, row.text)

``AsyncBatchClient`` is the same inside an event loop, ``run_batch`` hands each answer to a
handler for its model, ``run_prompts`` takes a dict of prompts and gives a dict of answers.
ScaleDown's items, results and client stand here under the names of its own guide.

Importing this costs nothing: what a name needs is loaded when the name is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tui.client.batches import AsyncBatchClient, BatchClient
    from tui.client.handlers import run_batch
    from tui.client.melious import run_prompts
    from tui.client.scaledown import (
        ScaleDownBatchClient,
        ScaleDownBatchError,
        get_results,
        poll_until_done,
        submit_batch,
    )
    from tui.client.scaledown_results import BatchItemResult, BatchResult
    from tui.compose.scaledown_items import (
        BatchInputItem,
        ClassifyItem,
        ExtractItem,
        Label,
        SummarizeItem,
    )
    from tui.core.filtering import RowFilter
    from tui.core.outcome import Outcome
    from tui.core.rows import RowLine

__all__ = [
    "AsyncBatchClient",
    "BatchClient",
    "BatchInputItem",
    "BatchItemResult",
    "BatchResult",
    "ClassifyItem",
    "ExtractItem",
    "Label",
    "Outcome",
    "RowFilter",
    "RowLine",
    "ScaleDownBatchClient",
    "ScaleDownBatchError",
    "SummarizeItem",
    "get_results",
    "poll_until_done",
    "run_batch",
    "run_prompts",
    "submit_batch",
]

_PLACES = {
    "tui.client.batches": ("AsyncBatchClient", "BatchClient"),
    "tui.client.handlers": ("run_batch",),
    "tui.client.melious": ("run_prompts",),
    "tui.client.scaledown": (
        "ScaleDownBatchClient",
        "ScaleDownBatchError",
        "get_results",
        "poll_until_done",
        "submit_batch",
    ),
    "tui.client.scaledown_results": ("BatchItemResult", "BatchResult"),
    "tui.compose.scaledown_items": (
        "BatchInputItem",
        "ClassifyItem",
        "ExtractItem",
        "Label",
        "SummarizeItem",
    ),
    "tui.core.filtering": ("RowFilter",),
    "tui.core.outcome": ("Outcome",),
    "tui.core.rows": ("RowLine",),
}
_HOME_OF = {name: place for place, names in _PLACES.items() for name in names}


def __getattr__(name: str) -> Any:
    place = _HOME_OF.get(name)
    if place is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(place), name)


def __dir__() -> list[str]:
    return sorted(__all__)
