"""What the provider itself thinks that a batch will cost, asked before the step that costs it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from tui.core.jobs import Batch, Job
from tui.engine.context import Context
from tui.errors import BatchdeckError, BudgetError
from tui.providers.base import Dialect
from tui.providers.estimate import CostEstimate


@runtime_checkable
class TellsCost(Protocol):
    """A dialect whose provider estimates the cost of an uploaded file (Doubleword)."""

    async def estimate(self, file_id: str, window: str) -> CostEstimate | None:
        """The provider's guess for one completion window."""


async def hear_cost(context: Context, dialect: Dialect, job: Job, batch: Batch) -> Batch:
    """Keep the provider's guess with a batch whose file it has.

    The guess is a courtesy: a provider that does not give it keeps nothing from being sent,
    unless there is a budget that needs it. 0 means that a model has no tariff, which is
    "unknown".
    """
    if batch.input_file_id is None or not isinstance(dialect, TellsCost):
        return batch
    try:
        told = await dialect.estimate(batch.input_file_id, job.window)
    except BatchdeckError as error:
        context.log.info("no cost estimate for %s: %s", batch.id, error.message)
        return batch
    if told is None or not told.cost or told.cost < 0:
        return batch
    return await context.update(batch.id, {"told_cost": told.cost}, durable=False)


async def stay_within(
    context: Context, dialect: Dialect, batch: Batch, afford: Callable[[Batch], None]
) -> None:
    """See that a budget allows a batch, now that the provider has spoken.

    Args:
        context: The engine's surroundings.
        dialect: The account.
        batch: With what the provider said of its cost.
        afford: Raises ``BudgetError`` when it costs too much.

    Raises:
        BudgetError: It is not allowed; nothing of the batch is left at the provider.
    """
    try:
        afford(batch)
    except BudgetError:
        if batch.input_file_id is not None and dialect.capabilities.deletes_files:
            try:
                await dialect.delete_file(batch.input_file_id)
            except BatchdeckError as error:
                # A file costs nothing and goes by itself; the budget is what matters.
                await context.remark(batch, f"The upload stays there: {error.message}")
        await context.update(batch.id, {"input_file_id": None})
        raise
