"""Holding the leases of batches for as long as this program works on them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from tui.engine.context import Context
from tui.errors import HistoryError
from tui.store.leases import claim, release, renew

LEASE_SECONDS = 30.0
"""How long a lease lasts when its owner stops renewing it on another machine."""

_RENEW_SECONDS = 10.0


class LeaseKeeper:
    """The leases of one engine, renewed in the background while there are any."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._held: dict[str, int] = {}
        self._renewer: asyncio.Task[None] | None = None
        self._one_at_a_time = asyncio.Lock()

    async def take(self, batch_id: str) -> bool:
        """Get a batch for this program; ``False`` when another one works on it.

        Each success is to be paired with a ``give``.
        """
        # A claim that is under way when the watching ends would else stay behind, unknown.
        return await self._context.shielded(self._take(batch_id))

    async def _take(self, batch_id: str) -> bool:
        database = self._context.history.database
        async with self._one_at_a_time:
            now = self._context.clock()
            if not await asyncio.to_thread(claim, database, batch_id, now, LEASE_SECONDS):
                return False
            self._held[batch_id] = self._held.get(batch_id, 0) + 1
        if self._renewer is None or self._renewer.done():
            self._renewer = asyncio.create_task(self._renew(), name="renew leases")
        return True

    async def give(self, batch_ids: Iterable[str]) -> None:
        """Give batches back; one that was taken twice stays held."""
        await self._context.shielded(self._give(list(batch_ids)))

    async def _give(self, batch_ids: list[str]) -> None:
        # Else a release on its way would undo the claim of a task that comes after it.
        async with self._one_at_a_time:
            free: list[str] = []
            for batch_id in batch_ids:
                left = self._held.get(batch_id, 0) - 1
                if left > 0:
                    self._held[batch_id] = left
                elif self._held.pop(batch_id, None) is not None:
                    free.append(batch_id)
            if free:
                await asyncio.to_thread(release, self._context.history.database, free)

    async def close(self) -> None:
        """Give everything back."""
        if self._renewer is not None:
            self._renewer.cancel()
            await asyncio.gather(self._renewer, return_exceptions=True)
        held = list(self._held)
        self._held.clear()
        if held:
            await asyncio.to_thread(release, self._context.history.database, held)

    async def _renew(self) -> None:
        while self._held:
            await asyncio.sleep(_RENEW_SECONDS)
            until = self._context.clock() + LEASE_SECONDS
            database = self._context.history.database
            try:
                await asyncio.to_thread(renew, database, list(self._held), until)
            except HistoryError as error:
                # The disk is full, say: the leases last a while, and it is tried again.
                self._context.log.warning("leases were not renewed: %s", error.message)
