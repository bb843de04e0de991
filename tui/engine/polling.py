"""One poll of a batch: what the provider says of it, stored and acted upon.

A batch is over when it is terminal and everything that it gave is in the history. Ended
batches whose files are late, cut or gone get some patience, and never an endless one.
"""

from __future__ import annotations

import asyncio
import random
from typing import NamedTuple, cast

from tui.core.jobs import Batch
from tui.core.remote import RemoteBatch
from tui.core.status import BatchStatus, Submission, is_terminal, status_words
from tui.engine.canceller import finish_cancelling, is_left_to_us
from tui.engine.collector import Collector
from tui.engine.context import Context, OutdatedError
from tui.engine.direct import DirectRunner
from tui.engine.events import BatchEnded, CountsChanged, StatusChanged
from tui.engine.native import rebased
from tui.engine.quota import queue_was_full
from tui.engine.remover import clean_up
from tui.engine.submitter import Submitter
from tui.errors import GarbledAnswerError, QuotaError, RequestRefusedError
from tui.providers.base import Dialect
from tui.providers.lane import AnswersRows

_LATE_FILES = 5
"""Polls after the end in which a result file that is not named yet may still appear."""

_FETCHED_ANEW = 3
"""How often result files are fetched again that lack rows which the provider has counted."""

_GONE_FILES = 9
"""Refusals of a named result file, with growing pauses, after which it counts as deleted."""


class Step(NamedTuple):
    """What came of a poll: is the batch over, and if not, seconds until the next one."""

    over: bool
    pause: float
    polled: bool = True


_OVER = Step(over=True, pause=0.0)


class Poller:
    """Asks for the batches of one engine, one at a time."""

    def __init__(self, context: Context, submitter: Submitter, collector: Collector) -> None:
        self._context = context
        self._submitter = submitter
        self._collector = collector
        self.runner = DirectRunner(context, collector)
        self._late: dict[str, int] = {}
        self._cut: dict[str, int] = {}
        self._ending: dict[str, asyncio.Lock] = {}

    async def step(self, batch: Batch, listed: dict[str, RemoteBatch]) -> Step:
        """Ask once and act on it, or send what is to be sent.

        Args:
            batch: As the history has it now; the lease is held.
            listed: What a list call said of batches just now, by their remote ids.

        Raises:
            BatchdeckError: It did not work; it is to be tried again later.
        """
        context = self._context
        if batch.collected:
            return _OVER
        if is_left_to_us(context, batch):
            await context.shielded(finish_cancelling(context, self._submitter, batch))
            return Step(over=False, pause=0.0, polled=False)
        if batch.submission is not Submission.RUNNING:
            if batch.submission in (Submission.DRAFT, Submission.UNCERTAIN, Submission.REFUSED):
                return _OVER
            # A create under way must end even if the watching does.
            await context.shielded(self._submitter.send(batch.id, unattended=True))
            return Step(over=False, pause=0.0, polled=False)
        dialect = await context.accounts.dialect(batch.account)
        if dialect.capabilities.runs_here:
            return await self._run_here(dialect, batch)
        try:
            remote = await self._retrieve(dialect, batch, listed)
        except RequestRefusedError as error:
            if error.status not in (404, 410):
                raise
            if self._is_young(batch):
                # A list or a copy may lag behind the create.
                return Step(over=False, pause=self.shortest(batch))
            error.hint = "Cancel it to give its rows back, if the provider has lost it for good."
            raise
        context.reach("polled")
        try:
            changed = await self._store(batch, remote, asked=batch)
        except OutdatedError:
            # Cancelled while the answer was on its way: that must not say that it runs on.
            return Step(over=False, pause=self.shortest(batch))
        if is_terminal(remote.status):
            over = await self._end(dialect, batch, remote)
            return Step(over=over, pause=self.shortest(batch))
        if changed and any(source.growing for source in remote.results):
            await self._collector.fetch(dialect, batch, remote)
        return Step(over=False, pause=self._pause(batch, remote))

    async def take(self, batch: Batch) -> None:
        """Ask once because a person wants it, and fetch what there is now.

        Raises:
            BatchdeckError: It could not be asked for, or not be fetched.
        """
        dialect = await self._context.accounts.dialect(batch.account)
        if dialect.capabilities.runs_here:
            batch = self._context.history.batch(batch.id)
            if batch.status is BatchStatus.CANCELLING and not self.runner.runs(batch.id):
                await self._run_here(dialect, batch)
            return
        remote = await self._retrieve(dialect, batch, {})
        try:
            await self._store(batch, remote, asked=batch)
        except OutdatedError:
            remote = await self._retrieve(dialect, batch, {})
            await self._store(batch, remote)
        if is_terminal(remote.status):
            await self._end(dialect, batch, remote)
        elif dialect.capabilities.partial_results:
            await self._collector.fetch(dialect, batch, remote)

    def forget(self, batch_id: str) -> None:
        """A batch is over: nothing about it needs to be remembered."""
        self._late.pop(batch_id, None)
        self._cut.pop(batch_id, None)
        self._ending.pop(batch_id, None)

    async def _run_here(self, dialect: Dialect, batch: Batch) -> Step:
        """Send the rows of a direct batch; it is over when all have an answer, or it is stopped."""
        context = self._context
        # Answers that are under way are to be kept, even if the watching ends.
        remote = await context.shielded(self.runner.run(cast("AnswersRows", dialect), batch))
        if remote is None:
            return Step(over=False, pause=self.shortest(batch))
        await self._store(context.history.batch(batch.id), remote)
        whole = remote.status is BatchStatus.COMPLETED
        await self._close(batch, remote, "Everything is here" if whole else "Stopped")
        return _OVER

    async def _retrieve(
        self, dialect: Dialect, batch: Batch, listed: dict[str, RemoteBatch]
    ) -> RemoteBatch:
        assert batch.remote_id is not None
        remote = listed.get(batch.remote_id) or await dialect.retrieve(batch.remote_id)
        if batch.native_of is not None:
            remote = rebased(batch, self._context.history.batch(batch.native_of), remote)
        return remote

    async def _store(
        self, batch: Batch, remote: RemoteBatch, *, asked: Batch | None = None
    ) -> bool:
        """Keep what the provider says; was any of it new?

        Raises:
            OutdatedError: Since it was ``asked`` for, another status was stored.
        """
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
        if batch.results_expire_at is None:
            changes["results_expire_at"] = context.kept_until(batch.account, remote)
        if status_changed or counts_changed:
            changes["progressed_at"] = now
        if batch.collected and not is_terminal(remote.status):
            # Its provider has gone on with it.
            changes |= {"collected": False, "ended_at": None}
        remark = ""
        if status_changed:
            remark = status_words(remote.status, remote.raw_status)
        await context.update(batch.id, changes, remark=remark, durable=False, asked=asked)
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
        counts = remote.counts
        if not remote.results and (remote.status is BatchStatus.COMPLETED or counts.completed):
            seen = self._late[batch.id] = self._late.get(batch.id, 0) + 1
            if seen < _LATE_FILES and remote.counts.ended != 0:
                return False
        remark = "Everything is here"
        try:
            await self._collector.fetch(dialect, batch, remote)
        except RequestRefusedError as error:
            if not self._is_gone(batch.id, error):
                raise
            remark = "The provider does not have all results any more"
        else:
            await self._refuse_cut_files(batch, remote)
        await self._close(batch, remote, remark)
        if context.accounts.cleans_up(batch.account):
            # Who waited for the batch may close the program now: this is still done.
            await context.shielded(clean_up(context, batch))
        return True

    async def _close(self, batch: Batch, remote: RemoteBatch, remark: str) -> None:
        """Give rows that nothing speaks of an outcome, and end the batch."""
        context = self._context
        silent = await self._collector.settle(batch, remote)
        context.reach("settled")
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

    def _is_young(self, batch: Batch) -> bool:
        """Was the batch made so shortly ago that a 404 may only mean "not yet"?"""
        grace = self._context.accounts.profile(batch.account).poll.grace_404_seconds
        return self._context.clock() - (batch.submitted_at or 0.0) < grace

    def _is_gone(self, batch_id: str, error: RequestRefusedError) -> bool:
        """Has a result file been refused for so long that it will not come any more?

        Right after the end some providers do not know it yet.
        """
        if error.status not in (404, 410):
            return False
        seen = self._late[batch_id] = self._late.get(batch_id, 0) + 1
        return seen >= _GONE_FILES

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
        self._collector.doubt(batch, remote)
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

    def shortest(self, batch: Batch) -> float:
        """Seconds between two polls, at the least."""
        poll = self._context.accounts.profile(batch.account).poll
        # A person may ask less often than the provider allows, never more often.
        return max(0.05, poll.min_seconds, self._context.polling.fastest or 0.0)

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
        shortest = self.shortest(batch)
        longest = max(self._context.polling.slowest or poll.max_seconds, shortest)
        pause: float = min(max(wanted, shortest), longest)
        jitter: float = random.uniform(0.9, 1.1)
        return pause * jitter
