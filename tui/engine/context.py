"""What every part of the engine works with: history, accounts, events, clock."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

from tui.config import PollingConfig
from tui.core.counts import RemoteCounts
from tui.core.jobs import Batch
from tui.core.keeping import kept_until
from tui.core.remote import RemoteBatch
from tui.engine.accounts import Accounts
from tui.engine.events import EventBus, JobEvent, TroubleReported
from tui.errors import BatchdeckError, UsageError
from tui.logs import LOGGER
from tui.paths import Paths
from tui.store.history import History
from tui.store.jobs import batch_pk, note, status_of, update_batch
from tui.store.leases import why_not_ours
from tui.store.samples import keep_sample

T = TypeVar("T")

KILL_VARIABLE = "BATCHDECK_KILL_AT"
"""Fault tests put the name of a step here; the program then dies there, by SIGKILL.

``name:2`` lets it pass once and dies at the second time."""


class OutdatedError(Exception):
    """What the provider said of a batch is older than what was stored of it meanwhile."""


class NotOursError(UsageError):
    """The batch is not to be sent by this program any more; its state is left as it is."""


@dataclass
class Context:
    """The engine's surroundings, handed to its parts.

    ``clock`` gives Unix seconds and ``sleep`` waits: tests replace both. ``poll_errors``
    holds the last errors of watching, by batch, for as long as they last.
    """

    paths: Paths
    history: History
    accounts: Accounts
    events: EventBus
    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    poll_errors: dict[str, list[BatchdeckError]] = field(default_factory=dict)
    log: logging.Logger = LOGGER
    polling: PollingConfig = field(default_factory=PollingConfig)
    _tasks: set[asyncio.Task[Any]] = field(default_factory=set)
    _passed: int = 0

    async def shielded(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something to its end, even if the one who asked for it is gone."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)

    async def drain(self, seconds: float) -> None:
        """Let shielded work end; wait so long at the most."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)

    async def cancel_all(self) -> None:
        """End the shielded work that did not end by itself."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def publish(self, event: JobEvent) -> None:
        """Tell the subscribers."""
        self.events.publish(event)

    async def update(
        self,
        batch_id: str,
        changes: dict[str, Any],
        *,
        remark: str = "",
        durable: bool = True,
        fenced: bool = False,
        asked: Batch | None = None,
    ) -> Batch:
        """Store changes of a batch, off the event loop, and give it back as it is now.

        Args:
            batch_id: The batch.
            changes: Columns and values.
            remark: A line for the job's timeline.
            durable: Outlive a power cut: for what is written around a wire step.
            fenced: Only while this program may send the batch: before a step that costs money.
            asked: The batch as it was when the provider was asked for what is stored now.

        Raises:
            OutdatedError: It has another status than when it was asked for, as after a cancel.
            NotOursError: Another program holds the batch, or a person has cancelled it.
            UnknownJobError: The batch is gone, with its job.
        """

        def write() -> Batch:
            database = self.history.database
            with database.write(durable=durable) as connection:
                if fenced and (reason := why_not_ours(database, connection, batch_id)):
                    raise NotOursError(reason)
                if asked is not None and status_of(connection, batch_id) != (
                    asked.status,
                    asked.raw_status,
                ):
                    raise OutdatedError
                update_batch(connection, batch_id, changes)
                pk, job = batch_pk(connection, batch_id)
                counts = changes.get("remote_counts")
                if isinstance(counts, RemoteCounts):
                    keep_sample(connection, pk, self.clock(), counts)
                if remark:
                    note(connection, job, self.clock(), remark, batch_id)
            return self.history.batch(batch_id)

        return await asyncio.to_thread(write)

    def kept_until(self, account: str, remote: RemoteBatch) -> float | None:
        """When the provider deletes the results of a batch that it has, in Unix seconds."""
        days = self.accounts.profile(account).retention_days
        return kept_until(remote.created_at or self.clock(), days)

    async def remark(self, batch: Batch, what: str) -> None:
        """Add a line to the timeline of a batch's job."""

        def write() -> None:
            with self.history.database.write() as connection:
                _, job = batch_pk(connection, batch.id)
                note(connection, job, self.clock(), what, batch.id)

        await asyncio.to_thread(write)

    def tell_trouble(self, batch: Batch, error: BatchdeckError, next_try: float | None) -> None:
        """Tell that a step did not work."""
        self.publish(
            TroubleReported(
                batch.job_id,
                batch.id,
                message=error.message,
                hint=error.hint,
                next_try=next_try,
            )
        )

    def reach(self, step: str) -> None:
        """Pass a named step; a fault test may let the program die here."""
        wanted, _, time = os.environ.get(KILL_VARIABLE, "").partition(":")
        if wanted == step:
            self._passed += 1
            if self._passed == int(time or 1):
                os.kill(os.getpid(), signal.SIGKILL)
