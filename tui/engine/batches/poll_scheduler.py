"""Watch live batches: when each is polled, and what a failed poll means."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Iterable, Sequence

from tui.core.formatting import span
from tui.core.jobs import Batch, BatchStatus, Submission
from tui.core.remote_batches import RemoteBatch
from tui.core.status_words import batch_name, status_text
from tui.engine.batches.batch_plan import is_held_back
from tui.engine.batches.poller import Poller
from tui.engine.batches.submitter import DECIDE_HINT
from tui.engine.context import Context
from tui.engine.events import GROWING, JobEvent
from tui.engine.leases import Leases
from tui.errors import (
    AccountKeyError,
    BatchdeckError,
    HistoryError,
    KeyRejectedError,
    NotOursError,
    ProviderError,
    RequestRejectedError,
    ResultsNotReadyError,
    StandstillError,
    UnconfirmedError,
    UnexpectedResponseError,
)

_RECHECK = 10.0
"""Seconds until a batch that another process works on is checked again."""

_MAX_PAUSE = 300.0
_STANDSTILL = 7
"""Failed polls in a row, with growing pauses, until a batch counts as making no progress."""

_CONCURRENCY = 4
"""Maximum concurrent polls per account."""

_CLOCK_JUMP = 1.0
"""Seconds that the clock must jump back to count as having been set."""

_LIST_THRESHOLD = 4
"""Number of due batches from which one list call is cheaper than single polls."""


_DISK_SECONDS = 5.0
"""Shortest pause after the history could not be written."""


class PollScheduler:
    """Watches every live batch of the history."""

    def __init__(self, context: Context, leases: Leases, poller: Poller) -> None:
        self._context = context
        self._leases = leases
        self._poller = poller
        self._due: dict[str, dict[str, float]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._wake: dict[str, asyncio.Event] = {}
        self._polls: dict[str, asyncio.Task[None]] = {}
        self._poll_soon: set[str] = set()
        self._not_before: dict[str, float] = {}
        self._polled_at: dict[str, float] = {}
        self._held: set[str] = set()
        self._failures: dict[str, int] = {}
        self._closing = False
        self._clock_offset = float("-inf")

    def adopt(self, batches: Iterable[Batch]) -> None:
        """Start to watch batches; those that are already watched are polled soon."""
        now = self._context.clock()
        for batch in batches:
            if self._closing:
                return
            due = self._due.setdefault(batch.account, {})
            due[batch.id] = max(now, self._not_before.get(batch.id, now))
            self._poll_soon.add(batch.id)
            wake = self._wake.setdefault(batch.account, asyncio.Event())
            wake.set()
            task = self._tasks.get(batch.account)
            if task is None or task.done():
                self._tasks[batch.account] = asyncio.create_task(
                    self._watch_account(batch.account), name=f"watch {batch.account}"
                )

    def watched(self) -> set[str]:
        """The ids of the watched batches."""
        return {batch_id for due in self._due.values() for batch_id in due}

    async def close(self) -> None:
        """Stop watching."""
        self._closing = True
        tasks = [*self._tasks.values(), *self._polls.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _watch_account(self, account: str) -> None:
        """Poll the due batches, each in its own task so that a slow one delays no other."""
        due = self._due[account]
        wake = self._wake[account]
        limit = asyncio.Semaphore(_CONCURRENCY)

        async def poll(batch_id: str, listed: dict[str, RemoteBatch]) -> None:
            try:
                async with limit:
                    await self._poll(account, batch_id, listed)
            finally:
                del self._polls[batch_id]
                wake.set()

        while due:
            wake.clear()
            self._watch_clock_jumps()
            now = self._context.clock()
            idle = {batch_id: at for batch_id, at in due.items() if batch_id not in self._polls}
            if any(self._is_due(batch_id, at, now) for batch_id, at in idle.items()):
                ready = [
                    batch_id
                    for batch_id, at in idle.items()
                    if self._is_nearly_due(batch_id, at, now)
                ]
                listed = await self._list(account, ready)
                for batch_id in ready:
                    self._poll_soon.discard(batch_id)
                    # However the poll ends, the next one does not follow immediately.
                    due[batch_id] = now + _RECHECK
                    self._polls[batch_id] = asyncio.create_task(poll(batch_id, listed))
                continue
            pause = max(0.0, min(idle.values(), default=now + 60.0) - now)
            try:
                async with asyncio.timeout(min(pause, 60.0)):
                    await wake.wait()
            except TimeoutError:
                continue

    def _watch_clock_jumps(self) -> None:
        """Shift the schedule if the clock of this machine was set back."""
        ahead = self._context.clock() - asyncio.get_running_loop().time()
        moved, self._clock_offset = ahead - self._clock_offset, ahead
        # A forward jump also happens after sleep: what became due meanwhile is due now.
        if moved < -_CLOCK_JUMP:
            for times in (*self._due.values(), self._polled_at, self._not_before):
                for batch_id in times:
                    times[batch_id] += moved

    def _is_nearly_due(self, batch_id: str, due: float, now: float) -> bool:
        """Whether a batch is due, or nearly due, so that one list call can cover several."""
        pause = due - self._polled_at.get(batch_id, due)
        early = due - pause / 4 <= now and self._not_before.get(batch_id, now) <= now
        return early or self._is_due(batch_id, due, now)

    def _is_due(self, batch_id: str, due: float, now: float) -> bool:
        # After the clock was set back, polls would otherwise wait until it caught up.
        return due <= now or now < self._polled_at.get(batch_id, now) - 1.0

    async def _list(self, account: str, ready: list[str]) -> dict[str, RemoteBatch]:
        """Read the provider's list once instead of many single polls."""
        if len(ready) < _LIST_THRESHOLD:
            return {}
        found: dict[str, RemoteBatch] = {}
        try:
            batches = [b for b in map(self._context.history.batches.find, ready) if b is not None]
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
            # The single polls will fail in the same way and report it for each batch.
            return found
        except Exception:
            self._context.log.exception("listing the batches of %s", account)
            return {}
        return found

    async def _poll(self, account: str, batch_id: str, listed: dict[str, RemoteBatch]) -> None:
        """Poll one batch if this process may, and schedule the next poll."""
        context = self._context
        due = self._due[account]
        pause: float | None = None
        try:
            pause = await self._poll_if_leased(batch_id, listed)
        except NotOursError:
            # Another process took the batch over, or the user cancelled it.
            await self._release(batch_id)
            pause = _RECHECK
        except Exception as error:
            # Even a bug must not end the watching of a batch that costs money.
            pause = await self._report_failure(batch_id, error)
        if pause is None:
            for kept in (due, self._polled_at, self._not_before, self._failures):
                kept.pop(batch_id, None)
            self._context.poll_errors.pop(batch_id, None)
            self._context.standstills.pop(batch_id, None)
            self._poller.forget(batch_id)
            await self._release(batch_id)
        else:
            now = context.clock()
            self._polled_at[batch_id] = now
            soon = now if batch_id in self._poll_soon else now + pause
            due[batch_id] = max(soon, self._not_before.get(batch_id, soon))

    async def _release(self, batch_id: str) -> None:
        if batch_id in self._held:
            self._held.discard(batch_id)
            await self._leases.release([batch_id])

    async def _poll_if_leased(self, batch_id: str, listed: dict[str, RemoteBatch]) -> float | None:
        """Poll a batch; returns seconds until the next poll, or ``None`` if it ended."""
        history = self._context.history
        if batch_id not in self._held:
            if not await self._leases.acquire(batch_id):
                batch = history.batches.find(batch_id)
                return None if batch is None or batch.collected else _RECHECK
            self._held.add(batch_id)
        batch = history.batches.find(batch_id)
        if batch is None:
            return None
        step = await self._poller.step(batch, listed)
        if step.polled:
            self._failures.pop(batch_id, None)
            self._not_before.pop(batch_id, None)
            self._context.poll_errors.pop(batch_id, None)
            self._context.standstills.pop(batch_id, None)
        if step.over:
            self._wake_waiting(batch.account)
            return None
        if step.polled and batch.status is BatchStatus.CANCELLING:
            self._find_stuck_cancel(batch_id)
        return step.pause

    def _find_stuck_cancel(self, batch_id: str) -> None:
        """Note a batch that stays ``cancelling``: whoever waits for it is told."""
        context = self._context
        batch = context.history.batches.find(batch_id)
        if batch is None or batch.status is not BatchStatus.CANCELLING:
            return
        since = context.clock() - (batch.progressed_at or context.clock())
        if since > _CANCEL_SECONDS:
            context.standstills[batch_id] = StandstillError(
                f"the provider has said {status_text(batch.status, batch.raw_status)}"
                f" for {span(since)}",
                "Its answers are downloaded when it ends. Ask the provider why it does not.",
            )

    async def poll_now(self, batch: Batch) -> None:
        """Poll a batch once and download its available results.

        Does nothing if another process holds the batch.

        Raises:
            BatchdeckError: The poll or a download failed.
        """
        if not await self._leases.acquire(batch.id):
            return
        try:
            await self._poller.poll_now(batch)
        finally:
            await self._leases.release([batch.id])

    def _wake_waiting(self, account: str) -> None:
        """Poll waiting batches soon: one ended, so the provider's queue may have space."""
        due = self._due.get(account, {})
        waiting = (b for b in self._context.history.batches.unfinished() if b.id in due)
        self.adopt(batch for batch in waiting if batch.submission is Submission.WAITING)

    async def _report_failure(self, batch_id: str, error: Exception) -> float | None:
        """Report a failed poll; returns the pause before the next one."""
        context = self._context
        if not isinstance(error, BatchdeckError):
            context.log.error("watching %s", batch_id, exc_info=error)
            error = ProviderError(
                f"unexpected {type(error).__name__}: {error}", "Please report this; see the log."
            )
        failures = self._failures[batch_id] = self._failures.get(batch_id, 0) + 1
        context.poll_errors.setdefault(batch_id, []).append(error)
        del context.poll_errors[batch_id][:-5]
        if failures >= _STANDSTILL and _needs_user(error):
            context.standstills[batch_id] = error
        try:
            batch = context.history.batches.find(batch_id)
            if batch is None:
                return None
            if isinstance(error, KeyRejectedError):
                await context.accounts.refused(batch.account, error)
            pause = min(self._poller.min_poll_seconds(batch) * 2.0 ** min(failures, 10), _MAX_PAUSE)
            pause *= random.uniform(0.9, 1.1)
            if isinstance(error, HistoryError):
                # The disk is full: the provider's interval, which may be 0, says nothing about it.
                pause = max(pause, _DISK_SECONDS)
            asked = error.retry_after if isinstance(error, ProviderError) else None
            if asked is not None:
                pause = max(pause, min(asked, 3600.0))
                self._not_before[batch_id] = context.clock() + pause
            next_try = context.clock() + pause
            context.report_failure(batch, error, next_try)
            await context.update(
                batch.id, {"trouble": error.message, "next_poll_at": next_try}, durable=False
            )
        except Exception as second:
            # The disk is full or the history is locked: keep the batch and poll it again.
            context.log.error("storing the error of %s: %s", batch_id, second)
            return _RECHECK
        return pause


_POLL_SECONDS = 1.0
"""Interval for reading the history without an event: another process may do the work."""

_CANCEL_SECONDS = 3600.0
"""Cancelling takes up to ten minutes (platform.openai.com, "Cancel batch"), if it is not lost."""

_MAX_REJECTIONS = 3
"""Consecutive polls with a rejected key after which waiting fails."""


def _needs_user(error: BatchdeckError) -> bool:
    """Whether more polls will hardly help.

    The provider lost the batch or its answers, or refuses to tell, by a status or in an object in
    place of the batch. A web page in between comes and goes.
    """
    if isinstance(error, UnexpectedResponseError):
        return error.body.lstrip().startswith("{")
    return isinstance(error, (ResultsNotReadyError, RequestRejectedError))


async def wait_for(
    context: Context, job_ids: Sequence[str], *, timeout_seconds: float | None = None
) -> None:
    """Wait until jobs have ended and all their results are downloaded.

    Args:
        context: The engine context.
        job_ids: The jobs.
        timeout_seconds: The longest wait; by default there is no limit.

    Raises:
        AccountKeyError: The provider keeps rejecting the key for every unfinished batch.
        UnconfirmedError: It is not known whether the provider has a batch.
        StandstillError: No batch makes progress without the user, or the time is over.
    """
    changed = asyncio.Event()

    def wake(event: JobEvent) -> None:
        if not isinstance(event, GROWING):
            changed.set()

    loop = asyncio.get_running_loop()
    until = math.inf if timeout_seconds is None else loop.time() + timeout_seconds
    unsubscribe = context.events.subscribe(wake)
    try:
        while True:
            changed.clear()
            batches = [b for job_id in job_ids for b in context.history.batches.of_job(job_id)]
            # One that waits for another goes on when that one does.
            left = [b for b in batches if b.is_active and not is_held_back(context, b)]
            if not left:
                _raise_if_unconfirmed(batches)
                if not _will_send_rest(context, job_ids):
                    return
            else:
                _raise_if_rejected(context, left)
            if left and all(batch.id in context.standstills for batch in left):
                raise _standstill(context, left, "")
            pause = min(_POLL_SECONDS, until - loop.time())
            if pause <= 0:
                seconds = span(timeout_seconds or 0.0)
                raise _standstill(context, left, f"not finished after {seconds}: ")
            try:
                async with asyncio.timeout(pause):
                    await changed.wait()
            except TimeoutError:
                continue
    finally:
        unsubscribe()


def _will_send_rest(context: Context, job_ids: Sequence[str]) -> bool:
    """Whether a deadline ends the batches of a job, and the other rows are still to be sent."""
    deadlines = {job.id: job.deadline for job in context.history.jobs.with_open_deadline()}
    found = [deadlines.get(job_id) for job_id in job_ids]
    return any(deadline is not None and deadline.is_under_way for deadline in found)


def _standstill(context: Context, left: Sequence[Batch], start: str) -> StandstillError:
    """What each of the batches waits for."""
    texts = []
    hint = ""
    for batch in left[:5]:
        error = context.standstills.get(batch.id)
        hint = hint or (error.hint if error is not None else "")
        reason = batch.trouble or (error.message if error is not None else "")
        if not reason:
            reason = f"the provider says {status_text(batch.status, batch.raw_status)}"
        texts.append(f"job {batch.job_id}, {batch_name(batch)}: {reason}")
    if len(left) > 5:
        texts.append(f"and {len(left) - 5:,} more batches")
    if left[0].job_id not in hint:
        # Nothing is to be sent again: the batch is there.
        hint = f"{hint} To keep waiting: `batchdeck watch {left[0].job_id}`.".lstrip()
    return StandstillError(start + "; ".join(texts), hint)


def _raise_if_unconfirmed(batches: Sequence[Batch]) -> None:
    for batch in batches:
        if batch.submission is Submission.UNCERTAIN:
            raise UnconfirmedError(
                batch.trouble or "the provider may or may not have received the batch",
                DECIDE_HINT.format(job=batch.job_id),
            )


def _raise_if_rejected(context: Context, batches: Sequence[Batch]) -> None:
    rejected: list[AccountKeyError] = []
    for batch in batches:
        errors = context.poll_errors.get(batch.id, [])[-_MAX_REJECTIONS:]
        keys = [error for error in errors if isinstance(error, AccountKeyError)]
        if len(keys) < _MAX_REJECTIONS:
            return
        rejected = keys
    error = rejected[-1]
    job_id = batches[0].job_id
    if job_id not in error.hint and any(batch.remote_id is not None for batch in batches):
        # Nothing is to be sent again: the batch is there.
        error.hint = f"{error.hint} To keep waiting: `batchdeck watch {job_id}`.".lstrip()
    raise error
