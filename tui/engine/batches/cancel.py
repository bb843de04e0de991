"""Cancel batches, without affecting one that has ended, and delete them at the provider."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from tui.core.jobs import Batch, BatchStatus, Submission, is_terminal
from tui.core.remote_batches import RemoteBatch
from tui.core.rows import Outcome, RowError
from tui.core.submission import UNCONFIRMED
from tui.engine.batches.batch_state import believed_status
from tui.engine.batches.spare_uploads import delete_spares, may_have_uploaded
from tui.engine.batches.submitter import BatchSubmitter
from tui.engine.context import Context
from tui.engine.events import BatchEnded
from tui.errors import (
    BatchdeckError,
    ProviderError,
    RequestRejectedError,
    UnconfirmedError,
    UsageError,
)
from tui.providers.dialect import Dialect

_UNSENT = RowError(code="batch_cancelled", message="Cancelled before it was sent", retryable=True)
_GONE = RowError(code="batch_gone", message="The provider no longer has the batch", retryable=True)
_GIVEN_UP = RowError(
    code="given_up",
    message="Given up: the provider has an answer that could not be fetched",
    retryable=True,
)
_NOTED_HINT = "The request to cancel is stored and is sent as soon as the provider responds."


async def cancel_all(
    context: Context, submitter: BatchSubmitter, batches: Sequence[Batch]
) -> list[BatchdeckError]:
    """Cancel batches one after the other.

    The wish is stored first. It stays until it is carried out or the provider refuses for good,
    so that whichever program creates or watches a batch carries it out.

    Returns:
        The errors. A batch that could not be cancelled keeps running.
    """
    request_cancel = context.history.batches.request_cancel
    ids = [batch.id for batch in batches]
    context.cancelling.update(ids)
    try:
        await asyncio.to_thread(request_cancel, ids, context.clock())
        context.reach("cancel noted")
        errors: list[BatchdeckError] = []
        for batch in batches:
            try:
                await finish_cancel(context, submitter, batch)
            except BatchdeckError as error:
                # The other batches cost money as well.
                errors.append(error)
    finally:
        context.cancelling.difference_update(ids)
    return errors


async def cancel_batch(context: Context, submitter: BatchSubmitter, batch: Batch) -> None:
    """Cancel a batch at the provider, or locally if the provider does not have it.

    A batch that is being sent is stopped before it is created; if the create is already
    under way, the batch is cancelled at the provider afterwards.

    Raises:
        UsageError: The provider cannot cancel batches.
        UnconfirmedError: The provider may have this batch: it is cancelled when it is found.
        BatchdeckError: The provider did not accept the cancel.
    """
    if batch.remote_id is None and await _cancel_locally(context, batch):
        return
    running = batch.submission is Submission.RUNNING
    if running and context.accounts.profile(batch.account).direct:
        await _request_stop(context, batch)
        return
    if not running:
        await submitter.wait_until_sent(batch.id)
        batch = context.history.batches.get(batch.id)
    if batch.remote_id is None:
        if await _cancel_locally(context, batch):
            return
        raise UnconfirmedError(
            "the provider may or may not have received this batch",
            "The request to cancel is stored and is sent when the provider lists the batch.",
        )
    await _cancel_at_provider(context, batch, batch.remote_id)


def stop_hint(job_id: str) -> str:
    """How to stop a batch of a provider that has no cancel, and what it costs."""
    return (
        f"It stops when it is deleted there: `batchdeck delete {job_id} --remote --forget`. The"
        " rows that are done are charged, and their answers are lost."
    )


def is_our_cancel(context: Context, batch: Batch) -> bool:
    """Whether the program that watches a batch must carry out a cancel now.

    Not while it is unknown whether the batch exists: that must be known first. Two programs may
    do it at once: the second one finds the batch cancelling.
    """
    if batch.cancel_wanted_at is None or batch.id in context.cancelling:
        return False
    return batch.submission not in UNCONFIRMED


async def finish_cancel(context: Context, submitter: BatchSubmitter, batch: Batch) -> None:
    """Carry out a cancel that the user requested; the wish ends when the provider refuses it.

    Raises:
        UsageError: The provider cannot cancel the batch, now or later.
        BatchdeckError: The provider cannot be reached or does not know yet; the wish stays.
    """
    try:
        await cancel_batch(context, submitter, batch)
    except (UsageError, RequestRejectedError) as error:
        if isinstance(error, RequestRejectedError) and error.status in (404, 410):
            raise
        await context.update(
            batch.id, {"cancel_wanted_at": None}, remark=f"Not cancelled: {error.message}"
        )
        raise
    except BatchdeckError as error:
        error.hint = f"{error.hint} {_NOTED_HINT}".lstrip() if error.retryable else error.hint
        raise


async def _cancel_locally(context: Context, batch: Batch) -> bool:
    """Cancel a batch that was not created; ``False`` if the provider may have it."""
    batches = context.history.batches
    if not await asyncio.to_thread(batches.cancel_unsent, batch.id, context.clock()):
        return False
    await asyncio.to_thread(
        batches.finish_remaining, batch, Outcome.CANCELLED, _UNSENT, _UNSENT.message
    )
    context.publish(BatchEnded(batch.job_id, batch.id, status=BatchStatus.CANCELLED))
    return True


async def _cancel_at_provider(context: Context, batch: Batch, remote_id: str) -> None:
    dialect = await context.accounts.dialect(batch.account)
    if not dialect.capabilities.cancels:
        can = context.accounts.profile(batch.account).can
        hint = stop_hint(batch.job_id) if can.delete_stops else "The batch will run to its end."
        raise UsageError("this provider cannot cancel batches", hint)
    # Some servers turn a finished batch into a cancelled one: check its status first.
    try:
        remote = believed_status(await dialect.retrieve(remote_id))
    except RequestRejectedError as error:
        grace = context.accounts.profile(batch.account).poll.grace_404_seconds
        recent = context.clock() - (batch.submitted_at or 0.0) < grace
        if error.status not in (404, 410) or recent:
            raise
        await _end_without_results(context, batch, BatchStatus.FAILED, _GONE)
        return
    has_ended = is_terminal(remote.status) and is_terminal(batch.status)
    if has_ended and batch.trouble and not _was_wanted_before_the_end(batch):
        # Its answers cannot be fetched, and the user does not want to wait for them.
        await _end_without_results(context, batch, remote.status, _GIVEN_UP)
        return
    if not is_terminal(remote.status) and remote.status is not BatchStatus.CANCELLING:
        context.reach("cancelling")
        remote = await _ask_to_cancel(dialect, remote_id)
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
        remark="Cancel requested",
    )
    context.report_status(batch, remote.status, remote.raw_status)


def _was_wanted_before_the_end(batch: Batch) -> bool:
    """Whether a cancel was asked for while the batch ran: that gives up none of its answers."""
    wanted = batch.cancel_wanted_at
    return wanted is not None and wanted < (batch.progressed_at or 0.0)


async def _ask_to_cancel(dialect: Dialect, remote_id: str) -> RemoteBatch:
    """Ask the provider to cancel a running batch; after an error, see whether it does.

    Raises:
        UsageError: This server has no such route.
        ProviderError: It did not, and the batch runs on.
    """
    try:
        return await dialect.cancel(remote_id)
    except ProviderError as error:
        remote = believed_status(await dialect.retrieve(remote_id))
        if is_terminal(remote.status) or remote.status is BatchStatus.CANCELLING:
            return remote
        if isinstance(error, RequestRejectedError) and error.status in (404, 405, 501):
            raise UsageError(
                "this server cannot cancel batches", "The batch will run to its end."
            ) from error
        raise


async def _request_stop(context: Context, batch: Batch) -> None:
    """Tell the direct runner, possibly in another process, to stop sending rows."""
    if is_terminal(batch.status):
        return
    status = BatchStatus.CANCELLING
    await context.update(
        batch.id,
        {"status": status, "raw_status": status.value, "cancel_wanted_at": None},
        remark="Stop requested",
    )
    context.report_status(batch, status, status.value)


async def _end_without_results(
    context: Context, batch: Batch, status: BatchStatus, error: RowError
) -> None:
    """End a batch whose answers will not come, so that its job can be retried or deleted."""
    rules = context.accounts.profile(batch.account).retry_codes
    await asyncio.to_thread(context.history.files.share_answers, batch, rules)
    await asyncio.to_thread(
        context.history.batches.finish_remaining, batch, Outcome.MISSING, error, error.message
    )
    await context.update(
        batch.id,
        {
            "status": status,
            "collected": True,
            "ended_at": context.clock(),
            "next_poll_at": None,
            "cancel_wanted_at": None,
            "trouble": "",
        },
        remark=error.message,
    )
    context.publish(BatchEnded(batch.job_id, batch.id, status=status))


async def delete_remote(context: Context, batch: Batch) -> list[str]:
    """Delete the input and result files of a batch, and the batch itself.

    Files and batches are each skipped if the provider cannot delete them.

    Returns:
        The ids of what was deleted.

    Raises:
        UsageError: The provider can delete neither.
        BatchdeckError: The provider failed to delete something.
    """
    dialect = await context.accounts.dialect(batch.account)
    can = dialect.capabilities
    if not (can.deletes_files or can.deletes_batches):
        raise UsageError("this provider cannot delete batches or files")
    if batch.submission in UNCONFIRMED or not (batch.remote_id or may_have_uploaded(batch)):
        return []
    deleted: list[str] = []
    context.reach("deleting there")
    files = await _files_of(dialect, batch) if can.deletes_files else []
    own = [batch.remote_id] if can.deletes_batches and batch.remote_id is not None else []
    # A batch that runs uses its files.
    first, last = ([], own) if is_terminal(batch.status) else (own, [])
    for batch_id in first:
        deleted.append(await _delete_batch(context, dialect, batch_id))
    for file_id in files:
        await dialect.delete_file(file_id)
        deleted.append(file_id)
        context.reach("file deleted there")
    if can.deletes_files:
        deleted += await delete_spares(context, dialect, batch, batch.input_file_id)
    for batch_id in last:
        deleted.append(await _delete_batch(context, dialect, batch_id))
    return deleted


async def _delete_batch(context: Context, dialect: Dialect, batch_id: str) -> str:
    await dialect.delete_batch(batch_id)
    context.reach("batch deleted there")
    return batch_id


async def _files_of(dialect: Dialect, batch: Batch) -> list[str]:
    """The files of a batch at the provider; only its input if there is no batch there."""
    own = [batch.input_file_id] if batch.input_file_id else []
    if batch.remote_id is None:
        return own
    try:
        remote = await dialect.retrieve(batch.remote_id)
    except RequestRejectedError as error:
        if error.status not in (404, 410):
            raise
        return own
    results = (source.ref for source in remote.results if source.deletable)
    found = (remote.input_file_id, *results)
    return [file_id for file_id in found if file_id]


async def clean_up(context: Context, batch: Batch) -> None:
    """Delete a collected batch at the provider; a failure is only noted in the timeline."""
    try:
        deleted = await delete_remote(context, batch)
    except BatchdeckError as error:
        await context.remark(batch, f"Could not delete the provider's files: {error.message}")
        return
    if deleted:
        await context.remark(batch, f"Deleted {len(deleted)} files at the provider")
