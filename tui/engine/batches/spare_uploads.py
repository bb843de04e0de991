"""Files that an upload left at the provider when its response was lost: told, found and deleted.

An upload costs nothing, so it is repeated; the first file then stays where no batch names it. Its
name is that of the batch, which no other file has.
"""

from __future__ import annotations

from tui.core.jobs import Batch, Submission
from tui.engine.context import Context
from tui.errors import BatchdeckError
from tui.providers.dialect import Dialect

_MAY_HAVE = "The provider may have a file of this upload that no batch uses"


def upload_name(batch: Batch) -> str:
    """The name of a batch's input file at the provider."""
    return f"{batch.id}.jsonl"


async def find_spares(
    context: Context, dialect: Dialect, batch: Batch, used: str | None
) -> list[str] | None:
    """The files at the provider of a batch's uploads that the batch does not use.

    Args:
        context: The engine context.
        dialect: The account.
        batch: The batch.
        used: The file that it uses.

    Returns:
        Their ids; ``None`` if the provider does not tell.
    """
    try:
        found = await dialect.files_named(upload_name(batch), created_after=batch.created_at)
    except BatchdeckError as error:
        context.log.info("listing the files of %s: %s", batch.id, error.message)
        return None
    if found is None:
        return None
    shared = context.history.batches.shares_input_file
    return [each for each in found if each != used and not shared(batch.id, batch.account, each)]


async def tell_of_spares(
    context: Context, dialect: Dialect, batch: Batch, used: str | None
) -> None:
    """Note in the timeline what an upload that was tried more than once left at the provider."""
    spares = await find_spares(context, dialect, batch, used) if used else None
    if spares is None:
        await context.remark(batch, f"{_MAY_HAVE}: {upload_name(batch)}")
    for spare in spares or ():
        await context.remark(
            batch,
            f"A response to the upload was lost: the provider has a second file, {spare}."
            f" `batchdeck delete {batch.job_id} --remote` deletes it too",
        )


async def delete_spares(
    context: Context, dialect: Dialect, batch: Batch, used: str | None
) -> list[str]:
    """Delete the files of a batch's uploads that the batch does not use; returns their ids."""
    if not dialect.capabilities.uploads:
        return []
    spares = await find_spares(context, dialect, batch, used) or []
    for spare in spares:
        await dialect.delete_file(spare)
        context.reach("file deleted there")
    return spares


async def left_behind(context: Context, batch: Batch) -> str:
    """What may be left of a batch's uploads because the provider does not list files, or ``""``."""
    timeline = context.history.jobs.timeline(batch.job_id)
    if not any(
        entry.what.startswith(_MAY_HAVE) and entry.batch_id == batch.id for entry in timeline
    ):
        return ""
    dialect = await context.accounts.dialect(batch.account)
    if await find_spares(context, dialect, batch, None) == []:
        return ""
    return f"{_MAY_HAVE}: {upload_name(batch)}. Delete it on the provider's website."


def may_have_uploaded(batch: Batch) -> bool:
    """Whether a batch without an id at the provider may have files there."""
    return batch.submission is not Submission.DRAFT or bool(batch.trouble or batch.input_file_id)
