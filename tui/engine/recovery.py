"""What became of a create whose answer never came: ask the provider, adopt, or admit."""

from __future__ import annotations

from enum import Enum, auto

from tui.core.jobs import Batch
from tui.core.remote import RemoteBatch
from tui.engine.context import Context
from tui.errors import RequestRefusedError
from tui.providers.base import Capabilities, Dialect

_PAUSES = (0.0, 1.0, 3.0)
"""Seconds before each look: a list may lag behind a create."""

_GUESS_MARGIN = 120.0
"""Seconds by which the two clocks may differ when a batch is known by size and time alone."""

_DOUBT_MARGIN = 26 * 3600.0
"""A batch of that size that is no older than this may be ours all the same: one of the clocks
may show the local time as if it were UTC. Then a person decides."""

_LOOK_BACK = 3600.0
"""How far the later looks go back from the newest batch that the first one saw."""


_NO_LIST = frozenset({404, 405, 501})


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
    alone, else, where there is neither, by its size and time when exactly one fits. A list
    that shows of its batches neither metadata nor file leaves it open.

    Raises:
        BatchdeckError: The provider cannot be asked now; nothing is known.
    """
    if dialect.capabilities.runs_here:
        # To make such a batch is to say so in the history: nothing went out.
        return Verdict.ABSENT, None
    if not dialect.capabilities.lists:
        return Verdict.UNKNOWN, None
    verdict = Verdict.ABSENT
    # The whole list at first: our own clock may be off by any amount.
    since: float | None = None
    for pause in _PAUSES:
        await context.sleep(pause)
        look = _Look(context, batch, dialect.capabilities)
        try:
            remote = await look.through(dialect, since)
        except RequestRefusedError as error:
            if error.status not in _NO_LIST:
                raise
            # The profile promises a list that this server does not have.
            return Verdict.UNKNOWN, None
        if remote is not None:
            return Verdict.FOUND, remote
        verdict = look.verdict()
        if verdict is Verdict.UNKNOWN:
            return verdict, None
        since = None if look.newest is None else look.newest - _LOOK_BACK
    return verdict, None


class _Look:
    """One walk through the provider's list, looking for a batch of ours."""

    def __init__(self, context: Context, batch: Batch, can: Capabilities) -> None:
        self._context = context
        self._batch = batch
        self._names_itself = can.metadata or can.uploads
        self._alike: list[RemoteBatch] = []
        self._unnamed: list[RemoteBatch] = []
        self.newest: float | None = None

    async def through(self, dialect: Dialect, since: float | None) -> RemoteBatch | None:
        """The batch, if one is it beyond doubt."""
        batch = self._batch
        async for remote in dialect.list_batches(created_after=since):
            if remote.intent == batch.id:
                return remote
            if batch.input_file_id is not None and remote.input_file_id == batch.input_file_id:
                return remote
            if remote.created_at is not None:
                self.newest = max(remote.created_at, self.newest or remote.created_at)
            if not self._may_be_ours(remote):
                continue
            if not self._names_itself:
                self._alike.append(remote)
            elif not remote.metadata and remote.input_file_id is None:
                self._unnamed.append(remote)
        began = batch.submitted_at or batch.created_at
        fitting = [remote for remote in self._alike if _is_since(remote, began - _GUESS_MARGIN)]
        return fitting[0] if len(fitting) == 1 else None

    def verdict(self) -> Verdict:
        """What a walk says that has not found it: is it not there, or can nobody tell?"""
        began = self._batch.submitted_at or self._batch.created_at
        since = min(began, self.newest or began) - _DOUBT_MARGIN
        if any(_is_since(remote, since) for remote in (*self._alike, *self._unnamed)):
            return Verdict.UNKNOWN
        return Verdict.ABSENT

    def _may_be_ours(self, remote: RemoteBatch) -> bool:
        """Same number of rows, as far as it is told, and not one that the history knows."""
        total = remote.counts.total
        if total != self._batch.rows and (total is not None or not self._names_itself):
            return False
        return self._context.history.job_of_remote(self._batch.account, remote.id) is None


def _is_since(remote: RemoteBatch, moment: float) -> bool:
    return remote.created_at is None or remote.created_at >= moment
