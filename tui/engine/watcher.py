"""Watching batches until they end, whatever happens on the way.

One task for each account asks for the batches that are due. An error of a poll is told and
the next one is planned; it never ends the watching. A batch is over when it is terminal and
everything that it gave is in the history. Only the program that holds the lease of a batch
asks for it; the others see in the history what it found.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable

from tui.core.jobs import Batch
from tui.core.remote import RemoteBatch
from tui.core.status import BatchStatus, Submission, is_terminal
from tui.engine.collector import Collector
from tui.engine.context import Context
from tui.engine.events import BatchEnded, CountsChanged, StatusChanged
from tui.engine.holding import LeaseKeeper
from tui.engine.native import rebased
from tui.engine.quota import queue_was_full
from tui.engine.remover import clean_up
from tui.engine.submitter import Submitter
from tui.errors import BatchdeckError, GarbledAnswerError, KeyRefusedError, ProviderError, QuotaError
from tui.providers.base import Dialect

_LOOK_AGAIN = 10.0
"""Seconds until a batch that another program works on is looked at again."""

_LONGEST_PAUSE = 300.0
_AT_ONCE = 4
"""Calls under way for one account at most."""

_LATE_FILES = 5
"""Polls after the end in which a result file that is not named yet may still appear."""

_FETCHED_ANEW = 3
"""How often result files are fetched again that lack rows which the provider has counted."""

_LIST_FROM = 4
"""Batches that are due at once, from which one list call is cheaper than single ones."""


class Watcher:
    """Watches every live batch of the history."""

    def __init__(
        self, context: Context, leases: LeaseKeeper, submitter: Submitter, collector: Collector
    ) -> None:
        self._context = context
        self._leases = leases
        self._submitter = submitter
        self._collector = collector
        self._due: dict[str, dict[str, float]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._wake: dict[str, asyncio.Event] = {}
        self._polls: dict[str, asyncio.Task[None]] = {}
        self._again: set[str] = set()
        self._not_before: dict[str, float] = {}
        self._asked: dict[str, float] = {}
        self._held: set[str] = set()
        self._late: dict[str, int] = {}
        self._cut: dict[str, int] = {}
        self._ending: dict[str, asyncio.Lock] = {}
        self._failures: dict[str, int] = {}
        self._closing = False

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
            now = self._context.clock()
            idle = {batch_id: at for batch_id, at in due.items() if batch_id not in self._polls}
            if min(idle.values(), default=now + 1.0) <= now:
                ready = [batch_id for batch_id, at in idle.items() if self._comes(batch_id, at, now)]
                listed = await self._list(account, ready)
                for batch_id in ready:
                    self._again.discard(batch_id)
                    self._polls[batch_id] = asyncio.create_task(poll(batch_id, listed))
                continue
            pause = max(0.0, min(idle.values(), default=now + 60.0) - now)
            try:
                async with asyncio.timeout(min(pause, 60.0)):
                    await wake.wait()
            except TimeoutError:
                continue

    def _comes(self, batch_id: str, due: float, now: float) -> bool:
        """Is a batch due, or nearly, so that it comes along and one list may do for several?"""
        pause = due - self._asked.get(batch_id, due)
        return due - pause / 4 <= now and self._not_before.get(batch_id, now) <= now

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
        except Exception as error:
            # Not even a bug may end the watching of a batch that costs money.
            pause = await self._trouble(batch_id, error)
        if pause is None:
            for kept in (due, self._asked, self._not_before, self._failures, self._late):
                kept.pop(batch_id, None)
            if batch_id in self._held:
                self._held.discard(batch_id)
                await self._leases.give([batch_id])
        else:
            now = context.clock()
            self._asked[batch_id] = now
            soon = now if batch_id in self._again else now + pause
            due[batch_id] = max(soon, self._not_before.get(batch_id, soon))

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
        over, pause = await self._step(batch, listed)
        return None if over else pause

    async def _step(self, batch: Batch, listed: dict[str, RemoteBatch]) -> tuple[bool, float]:
        """Ask once and act on it: is the batch over, and when is it asked for again?"""
        context = self._context
        if batch.collected:
            return True, 0.0
        if batch.submission is not Submission.RUNNING:
            if batch.submission in (Submission.DRAFT, Submission.UNCERTAIN, Submission.REFUSED):
                return True, 0.0
            # A create under way must end even if the watching does.
            await context.shielded(self._submitter.send(batch.id, unattended=True))
            return False, 0.0
        dialect = await context.accounts.dialect(batch.account)
        remote = await self._retrieve(dialect, batch, listed)
        self._failures.pop(batch.id, None)
        self._not_before.pop(batch.id, None)
        context.poll_errors.pop(batch.id, None)
        changed = await self._store(batch, remote)
        if is_terminal(remote.status):
            if await self._end(dialect, batch, remote):
                return True, 0.0
            return False, self._shortest(batch)
        if changed and any(source.growing for source in remote.results):
            await self._collector.fetch(dialect, batch, remote)
        return False, self._pause(batch, remote)

    async def take(self, batch: Batch) -> None:
        """Ask for a batch once, and fetch what there is of it now.

        A batch that another program works on is left to it.

        Raises:
            BatchdeckError: It could not be asked for, or not be fetched.
        """
        if not await self._leases.take(batch.id):
            return
        try:
            dialect = await self._context.accounts.dialect(batch.account)
            remote = await self._retrieve(dialect, batch, {})
            await self._store(batch, remote)
            if is_terminal(remote.status):
                await self._end(dialect, batch, remote)
            elif dialect.capabilities.partial_results:
                await self._collector.fetch(dialect, batch, remote)
        finally:
            await self._leases.give([batch.id])

    async def _retrieve(
        self, dialect: Dialect, batch: Batch, listed: dict[str, RemoteBatch]
    ) -> RemoteBatch:
        assert batch.remote_id is not None
        remote = listed.get(batch.remote_id) or await dialect.retrieve(batch.remote_id)
        if batch.native_of is not None:
            remote = rebased(batch, self._context.history.batch(batch.native_of), remote)
        return remote

    async def _store(self, batch: Batch, remote: RemoteBatch) -> bool:
        """Keep what the provider says; was any of it new?"""
        context = self._context
        status_changed = (remote.status, remote.raw_status) != (batch.status, batch.raw_status)
        counts_changed = remote.counts != batch.remote_counts
        now = context.clock()
        changes: dict[str, object] = {
            "next_poll_at": now + self._pause(batch, remote),
            "trouble": "",
        }
        if status_changed or counts_changed or remote.raw != batch.raw:
            changes |= {
                "status": remote.status,
                "raw_status": remote.raw_status,
                "remote_counts": remote.counts,
                "expires_at": remote.expires_at or batch.expires_at,
                "raw": remote.raw,
            }
        if status_changed or counts_changed:
            changes["progressed_at"] = now
        remark = ""
        if status_changed:
            remark = f"{remote.status.value.replace('_', ' ')} ({remote.raw_status})"
        await context.update(batch.id, changes, remark=remark, durable=False)
        if status_changed:
            context.publish(
                StatusChanged(
                    batch.job_id, batch.id, status=remote.status, raw_status=remote.raw_status
                )
            )
        if counts_changed:
            context.publish(CountsChanged(batch.job_id, batch.id))
        return status_changed or counts_changed

    async def _end(self, dialect: Dialect, batch: Batch, remote: RemoteBatch) -> bool:
        """Collect an ended batch; ``False`` when its files are not there yet."""
        async with self._ending.setdefault(batch.id, asyncio.Lock()):
            now = self._context.history.batch(batch.id)
            if now.collected and not batch.collected:
                # Somebody asked to collect it in between.
                return True
            return await self._collect(dialect, batch, remote)

    async def _collect(self, dialect: Dialect, batch: Batch, remote: RemoteBatch) -> bool:
        context = self._context
        if queue_was_full(context.accounts.profile(batch.account), remote):
            await self._wait_for_room(batch, remote)
            return False
        if not remote.results and remote.status is BatchStatus.COMPLETED:
            seen = self._late[batch.id] = self._late.get(batch.id, 0) + 1
            if seen < _LATE_FILES and remote.counts.ended != 0:
                return False
        await self._collector.fetch(dialect, batch, remote)
        await self._refuse_cut_files(batch, remote)
        silent = await self._collector.settle(batch, remote)
        remark = "Everything is here"
        if silent:
            remark += f"; {silent:,} rows have no result line"
        await context.update(
            batch.id,
            {
                "collected": True,
                "ended_at": remote.ended_at or context.clock(),
                "next_poll_at": None,
                "trouble": "",
            },
            remark=remark,
        )
        context.publish(BatchEnded(batch.job_id, batch.id, status=remote.status))
        if context.accounts.cleans_up(batch.account):
            # Who waited for the batch may close the program now: this is still done.
            await context.shielded(clean_up(context, batch))
        self._wake_waiting(batch.account)
        return True

    async def _refuse_cut_files(self, batch: Batch, remote: RemoteBatch) -> None:
        """Fetch files again that lack rows which the provider says it is done with.

        A body that ends early does not always show it: packed, without a length, or replaced
        by something on the way. Rows that are called missing would be paid a second time.

        Raises:
            GarbledAnswerError: They lack some, and are to be fetched anew.
        """
        lacking = await self._collector.lacking(batch, remote)
        seen = self._cut.get(batch.id, 0)
        if not lacking or seen >= _FETCHED_ANEW:
            return
        self._cut[batch.id] = seen + 1
        await self._collector.forget(batch, remote)
        raise GarbledAnswerError(
            f"the result files lack {lacking:,} rows that the provider is done with",
            "They are fetched again.",
        )

    async def _wait_for_room(self, batch: Batch, remote: RemoteBatch) -> None:
        """The provider's queue was full and nothing ran: the batch will be created again.

        Raises:
            QuotaError: Always, so that the next try is planned with growing pauses.
        """
        words = next((issue.message for issue in remote.issues if issue.message), "")
        await self._context.update(
            batch.id,
            {
                "submission": Submission.WAITING,
                "status": BatchStatus.QUEUED,
                "remote_id": None,
                "submitted_at": None,
            },
            remark="The provider's queue was full; it is sent again when there is room",
        )
        raise QuotaError(words or "the provider's queue is full", "It is sent again by itself.")

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
            pause = min(self._shortest(batch) * 2.0 ** min(failures, 10), _LONGEST_PAUSE)
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

    def _shortest(self, batch: Batch) -> float:
        poll = self._context.accounts.profile(batch.account).poll
        return max(0.05, poll.min_seconds)

    def _pause(self, batch: Batch, remote: RemoteBatch) -> float:
        """A tenth of the time that is left, or that has passed, within the profile's bounds."""
        poll = self._context.accounts.profile(batch.account).poll
        now = self._context.clock()
        passed = max(0.0, now - (batch.submitted_at or now))
        guess = passed
        counts = remote.counts
        if counts.ended and counts.total and passed > 0:
            guess = passed * (counts.total - counts.ended) / counts.ended
        wanted = min(guess, passed or guess) / 10
        longest = max(poll.max_seconds, poll.min_seconds)
        pause: float = min(max(wanted, self._shortest(batch)), longest)
        jitter: float = random.uniform(0.9, 1.1)
        return pause * jitter
