"""What a provider says that a batch will cost, once its input file is uploaded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol, runtime_checkable

from tui.core.jobs import Batch, Job
from tui.engine.context import Context
from tui.errors import BatchdeckError, BudgetError
from tui.providers.dialect import Dialect
from tui.providers.dialects.base import CostEstimate


@runtime_checkable
class QuotesCost(Protocol):
    """A dialect whose provider estimates the cost of an uploaded file (Doubleword)."""

    async def estimate(self, file_id: str, window: str) -> CostEstimate | None:
        """The provider's estimate for one completion window."""


async def fetch_quote(context: Context, dialect: Dialect, job: Job, batch: Batch) -> Batch:
    """Store the provider's quote for a batch whose file is uploaded.

    The quote is optional: without one the batch is sent all the same, unless a budget needs
    it. A quote of 0 means that the model has no tariff, so the cost is unknown.
    """
    if batch.input_file_id is None or not isinstance(dialect, QuotesCost):
        return batch
    try:
        quote = await dialect.estimate(batch.input_file_id, job.window)
    except BatchdeckError as error:
        context.log.info("no cost estimate for %s: %s", batch.id, error.message)
        return batch
    if quote is None or not quote.cost or quote.cost < 0:
        return batch
    return await context.update(batch.id, {"told_cost": quote.cost}, durable=False)


async def check_quote(
    context: Context, dialect: Dialect, batch: Batch, check_quote_budget: Callable[[Batch], None]
) -> None:
    """Check the quote of a batch against the budgets; over budget, delete its upload.

    Args:
        context: The engine context.
        dialect: The account.
        batch: The batch, with the provider's quote.
        check_quote_budget: Raises ``BudgetError`` if the batch costs too much.

    Raises:
        BudgetError: The batch is over budget.
    """
    try:
        await asyncio.to_thread(check_quote_budget, batch)
    except BudgetError:
        if batch.input_file_id is not None and dialect.capabilities.deletes_files:
            try:
                await dialect.delete_file(batch.input_file_id)
            except BatchdeckError as error:
                # A leftover file costs nothing and expires; the budget is what matters.
                await context.remark(batch, f"Could not delete the upload: {error.message}")
        await context.update(batch.id, {"input_file_id": None})
        raise
