"""Asking for the end of a batch, without harm to one that has ended already."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from tui.core.jobs import Batch
from tui.core.outcome import Outcome
from tui.core.rows import RowError
from tui.core.status import BatchStatus, Submission, is_terminal
from tui.engine.context import Context
from tui.engine.events import BatchEnded, StatusChanged
from tui.engine.submitter import Submitter
from tui.errors import BatchdeckError, RequestRefusedError, UsageError
from tui.store.batches import cancel_unsent, give_up_rows, want_cancel
from tui.store.leases import wish_is_orphaned

_UNKNOWN_SECONDS = 600.0
"""For so long after a create a provider may not know its own batch yet."""

_WISH_GRACE = 30.0
"""Seconds for which a program that was asked to cancel, and runs, has the time to do it."""

_UNSENT = RowError(code="batch_cancelled", message="Cancelled before it was sent", retryable=True)
_GONE = RowError(
    code="batch_gone", message="The provider does not know the batch any more", retryable=True
)


async def cancel_all(
    context: Context, submitter: Submitter, batches: Sequence[Batch]
) -> list[BatchdeckError]:
    """Cancel batches in turn, as one wish that outlives a crash; the answer is what went wrong.

    A batch that could not be cancelled runs on: the person is told, and asks again or not.
    """
    database = context.history.database
    ids = [batch.id for batch in batches]
    await asyncio.to_thread(want_cancel, database, ids, context.clock())
    context.reach("cancel noted")
    troubles: list[BatchdeckError] = []
    for batch in batches:
        try:
            await cancel_batch(context, submitter, batch)
        except BatchdeckError as error:
            # The other batches cost money as well.
            troubles.append(error)
    await asyncio.to_thread(want_cancel, database, ids, None)
    return troubles


async def cancel_batch(context: Context, submitter: Submitter, batch: Batch) -> None:
    """Cancel a batch at the provider, or here when the provider never had it.

    A batch that is on its way is stopped before the step that costs money, or followed to
    the provider when that step is under way.

    Raises:
        UsageError: The provider cannot cancel, or it is not known whether it has the batch.
        BatchdeckError: The provider did not take it.
    """
    if batch.remote_id is None and await _cancel_here(context, batch):
        return
    running = batch.submission is Submission.RUNNING
    if running and context.accounts.profile(batch.account).direct:
        await _call_off(context, batch)
        return
    if batch.submission is not Submission.RUNNING:
        await submitter.settled(batch.id)
        batch = context.history.batch(batch.id)
    if batch.remote_id is None:
        if await _cancel_here(context, batch):
            return
        raise UsageError(
            "it is not certain whether the provider has this batch",
            "Submit the job again to find out, or look at the provider's own page.",
        )
    await _cancel_there(context, batch, batch.remote_id)


def is_left_to_us(context: Context, batch: Batch) -> bool:
    """Did a person ask to cancel a batch, and the program that was asked did not get to it?

    While a create is under way it is first found out what became of that.
    """
    if batch.cancel_wanted_at is None or batch.submission is Submission.CREATING:
        return False
    if wish_is_orphaned(context.history.database, batch.id):
        return True
    return abs(context.clock() - batch.cancel_wanted_at) > _WISH_GRACE


async def finish_cancelling(context: Context, submitter: Submitter, batch: Batch) -> None:
    """Cancel a batch as a person had asked before the program went away.

    Raises:
        BatchdeckError: The provider cannot be asked now; it is to be tried again.
    """
    try:
        await cancel_batch(context, submitter, batch)
    except (UsageError, RequestRefusedError) as error:
        if isinstance(error, RequestRefusedError) and error.status in (404, 410):
            raise
        await context.update(
            batch.id, {"cancel_wanted_at": None}, remark=f"Not cancelled: {error.message}"
        )


async def _cancel_here(context: Context, batch: Batch) -> bool:
    """Cancel a batch that the provider does not have; ``False`` when it may have it."""
    database = context.history.database
    if not await asyncio.to_thread(cancel_unsent, database, batch.id, context.clock()):
        return False
    await asyncio.to_thread(
        give_up_rows, database, batch, Outcome.CANCELLED, _UNSENT, _UNSENT.message
    )
    context.publish(BatchEnded(batch.job_id, batch.id, status=BatchStatus.CANCELLED))
    return True


async def _cancel_there(context: Context, batch: Batch, remote_id: str) -> None:
    dialect = await context.accounts.dialect(batch.account)
    if not dialect.capabilities.cancels:
        raise UsageError("this provider cannot cancel a batch", "It ends by itself.")
    # Some servers turn a finished batch into a cancelled one: look before asking.
    try:
        remote = await dialect.retrieve(remote_id)
    except RequestRefusedError as error:
        young = context.clock() - (batch.submitted_at or 0.0) < _UNKNOWN_SECONDS
        if error.status not in (404, 410) or young:
            raise
        await _end_gone(context, batch)
        return
    if not is_terminal(remote.status):
        context.reach("cancelling")
        remote = await dialect.cancel(remote_id)
        context.reach("cancel answered")
    await context.update(
        batch.id,
        {
            "cancel_wanted_at": None,
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


async def _call_off(context: Context, batch: Batch) -> None:
    """Let whoever sends the rows of a direct batch see that no more are to be sent."""
    if is_terminal(batch.status):
        return
    status = BatchStatus.CANCELLING
    await context.update(
        batch.id, {"status": status, "raw_status": status.value}, remark="Asked to stop"
    )
    context.publish(StatusChanged(batch.job_id, batch.id, status=status, raw_status=status.value))


async def _end_gone(context: Context, batch: Batch) -> None:
    """End a batch that the provider has forgotten, so that its job can be retried or deleted."""
    await asyncio.to_thread(
        give_up_rows, context.history.database, batch, Outcome.MISSING, _GONE, _GONE.message
    )
    await context.update(
        batch.id,
        {
            "status": BatchStatus.FAILED,
            "collected": True,
            "ended_at": context.clock(),
            "next_poll_at": None,
            "cancel_wanted_at": None,
            "trouble": "",
        },
        remark=_GONE.message,
    )
    context.publish(BatchEnded(batch.job_id, batch.id, status=BatchStatus.FAILED))
