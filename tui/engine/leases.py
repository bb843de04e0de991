"""The leases of one engine: which batches this process works on, so that no other one does."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from tui.engine.context import Context
from tui.errors import HistoryError

LEASE_SECONDS = 30.0
"""How long a lease lasts after its owner stopped renewing it."""

_RENEW_SECONDS = 10.0


class Leases:
    """The leases of one engine, renewed in the background while any is held."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._held: dict[str, int] = {}
        self._renewer: asyncio.Task[None] | None = None
        self._lock = asyncio.Lock()

    async def acquire(self, batch_id: str) -> bool:
        """Acquire the lease of a batch; ``False`` if another process holds it.

        Pair each success with a ``release``.
        """
        # Shielded: a cancel during the claim would leave a lease that nothing releases.
        return await self._context.shielded(self._acquire(batch_id))

    async def _acquire(self, batch_id: str) -> bool:
        leases = self._context.history.leases
        async with self._lock:
            now, moment = self._context.clock(), asyncio.get_running_loop().time()
            if batch_id in self._held and not leases.is_mine(batch_id):
                # Another process took it over while this one was stopped: what this one began
                # must end before it may begin anew.
                return False
            if not await asyncio.to_thread(leases.claim, batch_id, now, LEASE_SECONDS, moment):
                return False
            self._held[batch_id] = self._held.get(batch_id, 0) + 1
        if self._renewer is None or self._renewer.done():
            self._renewer = asyncio.create_task(self._renew(), name="renew leases")
        return True

    async def release(self, batch_ids: Iterable[str]) -> None:
        """Release leases; one that was acquired twice stays held."""
        await self._context.shielded(self._release(list(batch_ids)))

    async def _release(self, batch_ids: list[str]) -> None:
        # Without the lock, a release in progress could undo a later claim.
        async with self._lock:
            released: list[str] = []
            for batch_id in batch_ids:
                left = self._held.get(batch_id, 0) - 1
                if left > 0:
                    self._held[batch_id] = left
                elif self._held.pop(batch_id, None) is not None:
                    released.append(batch_id)
            if released:
                await asyncio.to_thread(self._context.history.leases.release, released)

    async def close(self) -> None:
        """Release all leases."""
        if self._renewer is not None:
            self._renewer.cancel()
            await asyncio.gather(self._renewer, return_exceptions=True)
        held = list(self._held)
        self._held.clear()
        if held:
            try:
                await asyncio.to_thread(self._context.history.leases.release, held)
            except HistoryError as error:
                # A full disk, for example. A process that has ended holds nothing.
                self._context.log.warning("leases were not released: %s", error.message)

    async def _renew(self) -> None:
        while self._held:
            await asyncio.sleep(_RENEW_SECONDS)
            until = self._context.clock() + LEASE_SECONDS
            renew = self._context.history.leases.renew
            try:
                await asyncio.to_thread(renew, list(self._held), until)
            except HistoryError as error:
                # A full disk, for example. The leases last a while; try again next time.
                self._context.log.warning("leases were not renewed: %s", error.message)
