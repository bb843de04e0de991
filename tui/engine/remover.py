"""Taking away what the provider keeps of a batch: its files, and itself where that can be."""

from __future__ import annotations

from tui.core.jobs import Batch
from tui.engine.context import Context
from tui.errors import BatchdeckError, RequestRefusedError, UsageError


async def remove_remote(context: Context, batch: Batch) -> list[str]:
    """Delete a batch's input and result files, and the batch.

    Returns:
        What was deleted, as ids.

    Raises:
        UsageError: The provider cannot delete anything.
        BatchdeckError: It did not do it.
    """
    dialect = await context.accounts.dialect(batch.account)
    can = dialect.capabilities
    if not (can.deletes_files or can.deletes_batches):
        raise UsageError("this provider cannot delete batches or files")
    if batch.remote_id is None:
        return []
    deleted: list[str] = []
    if can.deletes_files:
        try:
            remote = await dialect.retrieve(batch.remote_id)
        except RequestRefusedError as error:
            if error.status not in (404, 410):
                raise
            # Gone by itself, or with another attempt that ran in the same batch.
            return []
        for file_id in (remote.input_file_id, *(source.ref for source in remote.results)):
            if file_id:
                await dialect.delete_file(file_id)
                deleted.append(file_id)
    if can.deletes_batches:
        await dialect.delete_batch(batch.remote_id)
        deleted.append(batch.remote_id)
    return deleted


async def clean_up(context: Context, batch: Batch) -> None:
    """Delete what the provider keeps, after everything was collected; trouble is only noted."""
    try:
        deleted = await remove_remote(context, batch)
    except BatchdeckError as error:
        await context.remark(batch, f"Files at the provider were not deleted: {error.message}")
        return
    if deleted:
        await context.remark(batch, f"Deleted {len(deleted)} files at the provider")
