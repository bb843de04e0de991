"""Watching batches until they end, whatever happens on the way.

One task for each account starts the polls that are due, each in a task of its own. An error
of a poll is told and the next one is planned; it never ends the watching. Only the program
that holds the lease of a batch asks for it; the others see in the history what it found.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable

from tui.core.jobs import Batch
from tui.core.remote import RemoteBatch
from tui.core.status import Submission
from tui.engine.context import Context, NotOursError
from tui.engine.holding import LeaseKeeper
from tui.engine.polling import Poller
from tui.errors import BatchdeckError, KeyRefusedError, ProviderError

_LOOK_AGAIN = 10.0
"""Seconds until a batch that another program works on is looked at again."""

_LONGEST_PAUSE = 300.0
_AT_ONCE = 4
"""Calls under way for one account at most."""

_SET_BACK = 1.0
"""Seconds by which the clock may lag behind before that counts as being set."""

_LIST_FROM = 4
"""Batches that are due at once, from which one list call is cheaper than single ones."""


class Watcher:
    """Watches every live batch of the history."""

    def __init__(self, context: Context, leases: LeaseKeeper, poller: Poller) -> None:
        self._context = context
        self._leases = leases
        self._poller = poller
        self._due: dict[str, dict[str, float]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._wake: dict[str, asyncio.Event] = {}
        self._polls: dict[str, asyncio.Task[None]] = {}
        self._again: set[str] = set()
        self._not_before: dict[str, float] = {}
        self._asked: dict[str, float] = {}
        self._held: set[str] = set()
        self._failures: dict[str, int] = {}
        self._closing = False
        self._ahead = float("-inf")

    def adopt(self, batches: Iterable[Batch]) -> None:
        """Begin to watch batches; those that are watched already are asked for soon."""
        now = self._context.clock()
        for batch in batches:
            if self._closing:
                return
            due = self._due.setdefault(batch.account, {})
            due[batch.id] = max(now, self._not_before.get(batch.id, now))
            self._again.add(batch.id)
            wake = self._wake.setdefault(batch.account, asyncio.Event())
            wake.set()
            task = self._tasks.get(batch.account)
            if task is None or task.done():
                self._tasks[batch.account] = asyncio.create_task(
                    self._watch_account(batch.account), name=f"watch {batch.account}"
                )

    def watched(self) -> set[str]:
        """The batches that are watched here."""
        return {batch_id for due in self._due.values() for batch_id in due}

    async def close(self) -> None:
        """Stop watching."""
        self._closing = True
        tasks = [*self._tasks.values(), *self._polls.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _watch_account(self, account: str) -> None:
        """Poll the batches that are due, each in a task of its own: a long one holds up none."""
        due = self._due[account]
        wake = self._wake[account]
        limit = asyncio.Semaphore(_AT_ONCE)

        async def poll(batch_id: str, listed: dict[str, RemoteBatch]) -> None:
            try:
                async with limit:
                    await self._poll(account, batch_id, listed)
            finally:
                del self._polls[batch_id]
                wake.set()

        while due:
            wake.clear()
            self._follow_the_clock()
            now = self._context.clock()
            idle = {batch_id: at for batch_id, at in due.items() if batch_id not in self._polls}
            if any(self._is_due(batch_id, at, now) for batch_id, at in idle.items()):
                ready = [
                    batch_id for batch_id, at in idle.items() if self._comes(batch_id, at, now)
                ]
                listed = await self._list(account, ready)
                for batch_id in ready:
                    self._again.discard(batch_id)
                    # However the poll ends, the next one does not follow at once.
                    due[batch_id] = now + _LOOK_AGAIN
                    self._polls[batch_id] = asyncio.create_task(poll(batch_id, listed))
                continue
            pause = max(0.0, min(idle.values(), default=now + 60.0) - now)
            try:
                async with asyncio.timeout(min(pause, 60.0)):
                    await wake.wait()
            except TimeoutError:
                continue

    def _follow_the_clock(self) -> None:
        """Move what is planned along when somebody has set the clock of this machine."""
        ahead = self._context.clock() - asyncio.get_running_loop().time()
        moved, self._ahead = ahead - self._ahead, ahead
        # Forward is what a sleeping machine sees too: what was due meanwhile is due now.
        if moved < -_SET_BACK:
            for times in (*self._due.values(), self._asked, self._not_before):
                for batch_id in times:
                    times[batch_id] += moved

    def _comes(self, batch_id: str, due: float, now: float) -> bool:
        """Is a batch due, or nearly, so that it comes along and one list may do for several?"""
        pause = due - self._asked.get(batch_id, due)
        early = due - pause / 4 <= now and self._not_before.get(batch_id, now) <= now
        return early or self._is_due(batch_id, due, now)

    def _is_due(self, batch_id: str, due: float, now: float) -> bool:
        # A clock that was set back would else hold all polls up until it is there again.
        return due <= now or now < self._asked.get(batch_id, now) - 1.0

    async def _list(self, account: str, ready: list[str]) -> dict[str, RemoteBatch]:
        """One walk through the provider's list in place of many single calls."""
        if len(ready) < _LIST_FROM:
            return {}
        found: dict[str, RemoteBatch] = {}
        try:
            batches = [b for b in map(self._context.history.find_batch, ready) if b is not None]
            wanted = {batch.remote_id for batch in batches if batch.remote_id is not None}
            oldest = min((batch.submitted_at or 0.0 for batch in batches), default=0.0)
            dialect = await self._context.accounts.dialect(account)
            if not dialect.capabilities.lists or not wanted:
                return {}
            async for remote in dialect.list_batches(created_after=oldest - 3600):
                if remote.id in wanted:
                    found[remote.id] = remote
                if len(found) == len(wanted):
                    break
        except BatchdeckError:
            # The single calls will meet the same trouble and tell it batch by batch.
            return {}
        except Exception:
            self._context.log.exception("listing the batches of %s", account)
            return {}
        return found

    async def _poll(self, account: str, batch_id: str, listed: dict[str, RemoteBatch]) -> None:
        """Ask for one batch, if this program may, and plan when it is asked for again."""
        context = self._context
        due = self._due[account]
        pause: float | None = None
        try:
            pause = await self._attend(batch_id, listed)
        except NotOursError:
            # Another program has gone on in its place, or a person has cancelled it.
            await self._let_go(batch_id)
            pause = _LOOK_AGAIN
        except Exception as error:
            # Not even a bug may end the watching of a batch that costs money.
            pause = await self._trouble(batch_id, error)
        if pause is None:
            for kept in (due, self._asked, self._not_before, self._failures):
                kept.pop(batch_id, None)
            self._context.poll_errors.pop(batch_id, None)
            self._poller.forget(batch_id)
            await self._let_go(batch_id)
        else:
            now = context.clock()
            self._asked[batch_id] = now
            soon = now if batch_id in self._again else now + pause
            due[batch_id] = max(soon, self._not_before.get(batch_id, soon))

    async def _let_go(self, batch_id: str) -> None:
        if batch_id in self._held:
            self._held.discard(batch_id)
            await self._leases.give([batch_id])

    async def _attend(self, batch_id: str, listed: dict[str, RemoteBatch]) -> float | None:
        """Seconds until a batch is to be asked for again; ``None`` when it is over, or gone."""
        history = self._context.history
        if batch_id not in self._held:
            if not await self._leases.take(batch_id):
                batch = history.find_batch(batch_id)
                return None if batch is None or batch.collected else _LOOK_AGAIN
            self._held.add(batch_id)
        batch = history.find_batch(batch_id)
        if batch is None:
            return None
        step = await self._poller.step(batch, listed)
        if step.polled:
            self._failures.pop(batch_id, None)
            self._not_before.pop(batch_id, None)
            self._context.poll_errors.pop(batch_id, None)
        if step.over:
            self._wake_waiting(batch.account)
            return None
        return step.pause

    async def take(self, batch: Batch) -> None:
        """Ask for a batch once, and fetch what there is of it now.

        A batch that another program works on is left to it.

        Raises:
            BatchdeckError: It could not be asked for, or not be fetched.
        """
        if not await self._leases.take(batch.id):
            return
        try:
            await self._poller.take(batch)
        finally:
            await self._leases.give([batch.id])

    def _wake_waiting(self, account: str) -> None:
        """A batch has ended, so there may be room for one that waits."""
        due = self._due.get(account, {})
        waiting = (b for b in self._context.history.unfinished() if b.id in due)
        self.adopt(batch for batch in waiting if batch.submission is Submission.WAITING)

    async def _trouble(self, batch_id: str, error: Exception) -> float | None:
        """Note that a poll did not work; the answer is the pause before the next one."""
        context = self._context
        if not isinstance(error, BatchdeckError):
            context.log.error("watching %s", batch_id, exc_info=error)
            error = ProviderError(
                f"unexpected {type(error).__name__}: {error}", "Please report this; see the log."
            )
        failures = self._failures[batch_id] = self._failures.get(batch_id, 0) + 1
        context.poll_errors.setdefault(batch_id, []).append(error)
        del context.poll_errors[batch_id][:-5]
        try:
            batch = context.history.find_batch(batch_id)
            if batch is None:
                return None
            if isinstance(error, KeyRefusedError):
                await context.accounts.refused(batch.account, error)
            pause = min(self._poller.shortest(batch) * 2.0 ** min(failures, 10), _LONGEST_PAUSE)
            pause *= random.uniform(0.9, 1.1)
            asked = error.retry_after if isinstance(error, ProviderError) else None
            if asked is not None:
                pause = max(pause, min(asked, 3600.0))
                self._not_before[batch_id] = context.clock() + pause
            next_try = context.clock() + pause
            context.tell_trouble(batch, error, next_try)
            await context.update(
                batch.id, {"trouble": error.message, "next_poll_at": next_try}, durable=False
            )
        except Exception as second:
            # The disk is full or the history is locked: the batch stays, and is asked again.
            context.log.error("storing the trouble of %s: %s", batch_id, second)
            return _LOOK_AGAIN
        return pause
