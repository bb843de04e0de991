"""The Python API: submit requests as a job, wait for it, read the results.

Jobs created here are ordinary jobs: they are stored in the history, appear in the dashboard,
and keep running when the script ends. With ``keep=False`` nothing is stored permanently.

    from tui.client import BatchClient

    with BatchClient("openai") as client:
        for row in client.run(requests):
            print(row.custom_id, row.outcome, row.text)

``AsyncBatchClient`` is the same for async code. ``run_batch`` passes each answer to a handler
for its model; ``run_prompts`` maps a dict of prompts to a dict of answers. ScaleDown's items,
results and client have the names of the vendor's guide.

Names are imported lazily, so importing this package is cheap.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tui.client.batches import AsyncBatchClient as AsyncBatchClient
    from tui.client.blocking import BatchClient as BatchClient
    from tui.client.handlers import run_batch as run_batch
    from tui.client.job import ClientJob as ClientJob
    from tui.client.melious import run_prompts as run_prompts
    from tui.client.scaledown import BatchItemResult as BatchItemResult
    from tui.client.scaledown import BatchResult as BatchResult
    from tui.client.scaledown import ScaleDownBatchClient as ScaleDownBatchClient
    from tui.client.scaledown import ScaleDownBatchError as ScaleDownBatchError
    from tui.client.scaledown import get_results as get_results
    from tui.client.scaledown import poll_until_done as poll_until_done
    from tui.client.scaledown import submit_batch as submit_batch
    from tui.compose.requests.scaledown import BatchInputItem as BatchInputItem
    from tui.compose.requests.scaledown import ClassifyItem as ClassifyItem
    from tui.compose.requests.scaledown import ExtractItem as ExtractItem
    from tui.compose.requests.scaledown import Label as Label
    from tui.compose.requests.scaledown import SummarizeItem as SummarizeItem
    from tui.core.analysis.evaluation import Evaluation as Evaluation
    from tui.core.query import RowFilter as RowFilter
    from tui.core.reviews.review import Review as Review
    from tui.core.rows import Outcome as Outcome
    from tui.core.rows import RowLine as RowLine

_MODULE_OF = {
    "AsyncBatchClient": "tui.client.batches",
    "BatchClient": "tui.client.blocking",
    "BatchInputItem": "tui.compose.requests.scaledown",
    "BatchItemResult": "tui.client.scaledown",
    "BatchResult": "tui.client.scaledown",
    "ClientJob": "tui.client.job",
    "ClassifyItem": "tui.compose.requests.scaledown",
    "Evaluation": "tui.core.analysis.evaluation",
    "ExtractItem": "tui.compose.requests.scaledown",
    "Label": "tui.compose.requests.scaledown",
    "Outcome": "tui.core.rows",
    "Review": "tui.core.reviews.review",
    "RowFilter": "tui.core.query",
    "RowLine": "tui.core.rows",
    "ScaleDownBatchClient": "tui.client.scaledown",
    "ScaleDownBatchError": "tui.client.scaledown",
    "SummarizeItem": "tui.compose.requests.scaledown",
    "get_results": "tui.client.scaledown",
    "poll_until_done": "tui.client.scaledown",
    "run_batch": "tui.client.handlers",
    "run_prompts": "tui.client.melious",
    "submit_batch": "tui.client.scaledown",
}
__all__ = [*_MODULE_OF]


def __getattr__(name: str) -> Any:
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(module), name)


def __dir__() -> list[str]:
    return sorted(__all__)
