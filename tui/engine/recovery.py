"""What became of a create whose answer never came: ask the provider, adopt, or admit."""

from __future__ import annotations

from enum import Enum, auto

from tui.core.jobs import Batch
from tui.core.remote import RemoteBatch
from tui.engine.context import Context
from tui.providers.base import Dialect

_PAUSES = (0.0, 1.0, 3.0)
"""Seconds before each look: a list may lag behind a create."""

_CLOCK_MARGIN = 26 * 3600.0
"""Seconds by which the two clocks may differ when the batch names itself: one that shows the
local time as if it were UTC is half a day off, and a batch that is not seen is paid twice."""

_GUESS_MARGIN = 120.0
"""The same when only time and size can be compared."""


class Verdict(Enum):
    """What the provider's list says."""

    FOUND = auto()
    ABSENT = auto()
    UNKNOWN = auto()


async def look_up(
    context: Context, dialect: Dialect, batch: Batch
) -> tuple[Verdict, RemoteBatch | None]:
    """Find a batch of ours at the provider.

    It is known by the intent in its metadata, else by the file that was uploaded for it
    alone, else, where there is neither, by its size and time when exactly one fits.

    Raises:
        BatchdeckError: The provider cannot be asked now; nothing is known.
    """
    if not dialect.capabilities.lists:
        return Verdict.UNKNOWN, None
    verdict = Verdict.ABSENT
    for pause in _PAUSES:
        await context.sleep(pause)
        verdict, remote = await _look(context, dialect, batch)
        if verdict is not Verdict.ABSENT:
            return verdict, remote
    return verdict, None


async def _look(
    context: Context, dialect: Dialect, batch: Batch
) -> tuple[Verdict, RemoteBatch | None]:
    can = dialect.capabilities
    names_itself = can.metadata or can.uploads
    began = batch.submitted_at or batch.created_at
    margin = _CLOCK_MARGIN if names_itself else _GUESS_MARGIN
    alike: list[RemoteBatch] = []
    async for remote in dialect.list_batches(created_after=began - margin):
        if remote.intent == batch.id:
            return Verdict.FOUND, remote
        if batch.input_file_id is not None and remote.input_file_id == batch.input_file_id:
            return Verdict.FOUND, remote
        if not names_itself and _fits(context, remote, batch, began - margin):
            alike.append(remote)
    if len(alike) == 1:
        return Verdict.FOUND, alike[0]
    return (Verdict.UNKNOWN if alike else Verdict.ABSENT), None


def _fits(context: Context, remote: RemoteBatch, batch: Batch, since: float) -> bool:
    """Same number of rows, made at that time, and not one that the history knows already."""
    # A provider that does not tell the total yet may be speaking of ours.
    if remote.counts.total not in (None, batch.rows):
        return False
    if remote.created_at is not None and remote.created_at < since:
        return False
    return context.history.job_of_remote(batch.account, remote.id) is None
