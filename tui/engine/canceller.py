"""Asking for the end of a batch, without harm to one that has ended already."""

from __future__ import annotations

import asyncio

from tui.core.jobs import Batch
from tui.core.outcome import Outcome
from tui.core.rows import RowError
from tui.core.status import BatchStatus, Submission, is_terminal
from tui.engine.context import Context
from tui.engine.events import BatchEnded, StatusChanged
from tui.errors import UsageError
from tui.store.batches import give_up_rows


async def cancel_batch(context: Context, batch: Batch) -> None:
    """Cancel a batch at the provider, or here when the provider never had it.

    Raises:
        UsageError: The provider cannot cancel, or it is not known whether it has the batch.
        BatchdeckError: The provider did not take it.
    """
    if batch.remote_id is None:
        await _cancel_unsent(context, batch)
        return
    dialect = await context.accounts.dialect(batch.account)
    if not dialect.capabilities.cancels:
        raise UsageError("this provider cannot cancel a batch", "It ends by itself.")
    # Some servers turn a finished batch into a cancelled one: look before asking.
    remote = await dialect.retrieve(batch.remote_id)
    if not is_terminal(remote.status):
        remote = await dialect.cancel(batch.remote_id)
    await context.update(
        batch.id,
        {
            "status": remote.status,
            "raw_status": remote.raw_status,
            "remote_counts": remote.counts,
            "raw": remote.raw,
        },
        remark="Asked to cancel",
    )
    context.publish(
        StatusChanged(batch.job_id, batch.id, status=remote.status, raw_status=remote.raw_status)
    )


async def _cancel_unsent(context: Context, batch: Batch) -> None:
    if batch.submission in (Submission.CREATING, Submission.UNCERTAIN):
        raise UsageError(
            "it is not certain whether the provider has this batch",
            "Submit the job again to find out, or look at the provider's own page.",
        )
    now = context.clock()
    error = RowError(code="batch_cancelled", message="Cancelled before it was sent", retryable=True)
    await asyncio.to_thread(
        give_up_rows, context.history.database, batch, Outcome.CANCELLED, error, error.message
    )
    await context.update(
        batch.id,
        {
            "submission": Submission.REFUSED if batch.attempt > 1 else Submission.DRAFT,
            "status": BatchStatus.CANCELLED,
            "collected": True,
            "ended_at": now,
            "trouble": "",
        },
        remark="Cancelled before it was sent",
    )
    context.publish(BatchEnded(batch.job_id, batch.id, status=BatchStatus.CANCELLED))
