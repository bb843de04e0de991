"""Poll a batch: store what the provider reports, and act on it.

A batch is over when ``tui.engine.batches.batch_state`` says so. While its results are late or
cannot be read, they are asked for again with growing pauses, and no row is called missing.
"""

from __future__ import annotations

import asyncio
import math
import random
from dataclasses import replace
from typing import NamedTuple, cast

from tui.core.alerts import HOUR, expiry_warning
from tui.core.formatting import counted, span
from tui.core.jobs import Batch, BatchStatus, Submission, is_terminal
from tui.core.remote_batches import FileState, RemoteBatch
from tui.core.status_words import status_text
from tui.core.submission import SubmitEvent
from tui.engine.batches.batch_state import (
    BatchEvidence,
    BatchState,
    believed_status,
    judge,
    queue_was_full,
)
from tui.engine.batches.cancel import clean_up, finish_cancel, is_our_cancel
from tui.engine.batches.collector import Collector
from tui.engine.batches.direct import DirectRunner
from tui.engine.batches.in_place_retry import with_retried_counts
from tui.engine.batches.reuse import finish_reused
from tui.engine.batches.submitter import BatchSubmitter, CancelledSendError
from tui.engine.context import Context
from tui.engine.costs.billing import store_cost
from tui.engine.events import BatchEnded, CountsChanged
from tui.errors import (
    BatchdeckError,
    OutdatedError,
    QuotaError,
    RequestRejectedError,
    ResultsNotReadyError,
    UnconfirmedError,
    UnexpectedResponseError,
    UnfinishedListError,
)
from tui.providers.dialect import Dialect
from tui.providers.dialects.direct import RowSender

_MAX_CREATES = 3
"""Creates that failed because the queue was full, with nothing else in it, until the user must
split the batch: each of them leaves a failed batch at the provider."""

_LISTED_POLLS, _MOST_LISTED_POLLS = 2, 24
"""Polls in a row that may use the provider's list; then the batch is asked for by its own id.

With many batches the number grows to the second one: about one of them is asked for in each round.
"""

_MAX_QUEUE_PAUSE = 3600.0
_LATE_SECONDS = 600.0
"""How long after its window a batch may still be said to run before that is told."""

_ENOUGH_LOOKS = 99
_DAY = 86_400.0
_NOT_BEGUN = frozenset({BatchStatus.QUEUED, BatchStatus.VALIDATING})

_COLLECT_HINT = (
    "The provider has the answers. They are requested again by `batchdeck collect {job}` and while"
    " Batchdeck runs. To give up on these rows: `batchdeck cancel {job}`."
)
_GONE_HINT = "If the provider lost the batch for good, release its rows: `batchdeck cancel {job}`."
_SPLIT_HINT = (
    "Split the requests into smaller jobs, or ask the provider for a higher limit; then"
    " `batchdeck submit {job}`."
)


def _ours(batch: Batch, remote: RemoteBatch) -> RemoteBatch:
    """What the provider says of a batch, if it is that batch.

    A gateway may know a batch by another id than the server behind it; that alone is no doubt.

    Raises:
        UnexpectedResponseError: It carries the mark of another batch, as from a cache.
    """
    if remote.id == batch.remote_id or remote.intent in (None, batch.id):
        return remote
    raise UnexpectedResponseError(
        f"the provider was asked for batch {batch.remote_id} and answered with {remote.id},"
        " which is another one",
        "Turn off the cache of the gateway in front of the provider.",
    )


class PollResult(NamedTuple):
    """The result of a poll: whether the batch is over, or seconds until the next poll."""

    over: bool
    pause: float
    polled: bool = True


_OVER = PollResult(over=True, pause=0.0)


class Poller:
    """Polls the batches of one engine, one at a time."""

    def __init__(self, context: Context, submitter: BatchSubmitter, collector: Collector) -> None:
        self._context = context
        self._submitter = submitter
        self._collector = collector
        self.runner = DirectRunner(context, collector)
        self._looks: dict[str, int] = {}
        self._listed: dict[str, int] = {}
        self._stale_lists: set[str] = set()
        self._ending: dict[str, asyncio.Lock] = {}
        self._closing: dict[str, asyncio.Lock] = {}
        self._looked_for: set[str] = set()

    async def step(self, batch: Batch, listed: dict[str, RemoteBatch]) -> PollResult:
        """Poll a batch once and act on the result, or send it if it is not sent yet.

        Args:
            batch: The current batch; its lease must be held.
            listed: Batches from a recent list call, by remote id.

        Raises:
            BatchdeckError: The poll failed; try again later.
        """
        context = self._context
        if batch.collected:
            return _OVER
        if batch.reuses:
            await context.shielded(finish_reused(context, batch))
            return _OVER
        if is_our_cancel(context, batch):
            await context.shielded(finish_cancel(context, self._submitter, batch))
            return PollResult(over=False, pause=0.0, polled=False)
        if batch.submission is not Submission.RUNNING:
            return await self._send(batch)
        dialect = await context.accounts.dialect(batch.account)
        if dialect.capabilities.runs_locally:
            return await self._run_direct(dialect, batch)
        try:
            remote = await self._retrieve(dialect, batch, listed)
        except RequestRejectedError as error:
            if error.status not in (404, 410):
                raise
            if self._is_new(batch):
                # A list or a replica may lag behind the create.
                return PollResult(over=False, pause=self.min_poll_seconds(batch))
            error.hint = _GONE_HINT.format(job=batch.job_id)
            raise
        context.reach("polled")
        try:
            changed = await self._store(batch, remote, asked=batch)
        except OutdatedError:
            # Cancelled during the poll: do not store that the batch is still running.
            return PollResult(over=False, pause=self.min_poll_seconds(batch))
        if is_terminal(remote.status):
            return await self._end(dialect, batch, remote)
        if changed and any(source.growing for source in remote.results):
            await self._collector.fetch(dialect, batch, remote)
        return PollResult(over=False, pause=self._pause(batch, remote))

    async def _send(self, batch: Batch) -> PollResult:
        """Send a batch, or look for one whose create got no response."""
        context = self._context
        if batch.submission in (Submission.DRAFT, Submission.REFUSED):
            return _OVER
        if (first := self._first_of(batch)) is not None:
            if not first.collected and first.submission is not Submission.DRAFT:
                return PollResult(over=False, pause=self.min_poll_seconds(first), polled=False)
            await asyncio.to_thread(context.history.batches.release_drafts, [batch.id])
            await context.remark(batch, "Not sent, because the first row has no answer")
            context.publish(CountsChanged(batch.job_id, batch.id))
            return _OVER
        can_list = context.accounts.profile(batch.account).can.list
        if batch.submission is Submission.UNCERTAIN and not can_list:
            # Only the user can find out.
            return _OVER
        try:
            # A create in progress must finish even if the watching is cancelled.
            await context.shielded(self._submitter.send(batch.id, unattended=True))
        except CancelledSendError:
            # The next look carries the cancel out.
            return PollResult(over=False, pause=0.0, polled=False)
        except UnconfirmedError as error:
            pause = self._submitter.recovery.pause(batch)
            if batch.id not in self._looked_for:
                self._looked_for.add(batch.id)
                context.report_failure(batch, error, context.clock() + pause)
            return PollResult(over=False, pause=pause, polled=False)
        return PollResult(over=False, pause=0.0, polled=False)

    def _first_of(self, batch: Batch) -> Batch | None:
        """The batch that must end before this one is sent; ``None`` once it has an answer."""
        if batch.after is None or batch.submission is not Submission.UPLOADING:
            return None
        batches = self._context.history.batches
        first = batches.find(batch.after)
        if first is None or (first.collected and batches.count_results(first)[0]):
            return None
        return first

    async def poll_now(self, batch: Batch) -> None:
        """Poll a batch once because the user asked, and download the available results.

        Raises:
            BatchdeckError: The poll or a download failed.
        """
        dialect = await self._context.accounts.dialect(batch.account)
        if dialect.capabilities.runs_locally:
            batch = self._context.history.batches.get(batch.id)
            if batch.status is BatchStatus.CANCELLING and not self.runner.runs(batch.id):
                await self._run_direct(dialect, batch)
            return
        remote = await self._retrieve(dialect, batch, {})
        try:
            await self._store(batch, remote, asked=batch)
        except OutdatedError:
            remote = await self._retrieve(dialect, batch, {})
            await self._store(batch, remote)
        if is_terminal(remote.status):
            # The user asked: what was fetched before and lacks rows is fetched anew.
            await self._end(dialect, batch, remote, anew=True)
        elif dialect.capabilities.partial_results:
            await self._collector.fetch(dialect, batch, remote)

    def forget(self, batch_id: str) -> None:
        """Drop the counters of a batch that is over."""
        self._looks.pop(batch_id, None)
        self._listed.pop(batch_id, None)
        self._ending.pop(batch_id, None)
        self._looked_for.discard(batch_id)

    async def _run_direct(self, dialect: Dialect, batch: Batch) -> PollResult:
        """Send the rows of a direct batch until all have an answer or it is cancelled."""
        context = self._context
        # Store the answers in flight even if the watching is cancelled.
        remote = await context.shielded(self.runner.run(cast("RowSender", dialect), batch))
        if remote is None:
            return PollResult(over=False, pause=self.min_poll_seconds(batch))
        await self._store(context.history.batches.get(batch.id), remote)
        whole = remote.status is BatchStatus.COMPLETED
        await self._close(batch, remote, "All results downloaded" if whole else "Stopped")
        return _OVER

    async def _retrieve(
        self, dialect: Dialect, batch: Batch, listed: dict[str, RemoteBatch]
    ) -> RemoteBatch:
        """The batch at the provider, from the list if that can be believed, else by its id.

        A list may be stale or incomplete: an end is never concluded from it, and each batch is
        asked for by its own id now and then, the batches in turn.
        """
        assert batch.remote_id is not None
        entry = listed.get(batch.remote_id)
        polls = self._listed.setdefault(batch.id, len(self._listed) % _MOST_LISTED_POLLS)
        most = min(max(len(self._listed), _LISTED_POLLS), _MOST_LISTED_POLLS)
        usable = entry is not None and batch.account not in self._stale_lists
        if entry is not None and usable and polls < most and not self._has_news(entry):
            self._listed[batch.id] = polls + 1
            remote = believed_status(entry)
        else:
            self._listed[batch.id] = 0
            remote = believed_status(_ours(batch, await dialect.retrieve(batch.remote_id)))
            if entry is not None and is_terminal(remote.status) != self._has_news(entry):
                self._stale_lists.add(batch.account)
        if batch.native_of is not None:
            remote = with_retried_counts(
                batch, self._context.history.batches.get(batch.native_of), remote
            )
        return remote

    @staticmethod
    def _has_news(entry: RemoteBatch) -> bool:
        """Whether a list says that a batch has ended; then it is asked for by its own id."""
        return is_terminal(believed_status(entry).status)

    async def _store(
        self, batch: Batch, remote: RemoteBatch, *, asked: Batch | None = None
    ) -> bool:
        """Store what the provider reports; returns whether status or counts changed.

        Raises:
            OutdatedError: Another status was stored since ``asked``.
        """
        context = self._context
        status_changed = (remote.status, remote.raw_status) != (batch.status, batch.raw_status)
        counts_changed = remote.counts != batch.remote_counts
        now = context.clock()
        trouble = self._trouble(batch, remote, now)
        changes: dict[str, object] = {
            "next_poll_at": now + self._pause(batch, remote),
            "trouble": trouble,
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
            # The provider reopened the batch.
            changes |= {"collected": False, "ended_at": None}
        remark = ""
        if status_changed:
            remark = status_text(remote.status, remote.raw_status)
        await context.update(batch.id, changes, remark=remark, durable=False, asked=asked)
        if status_changed:
            context.report_status(batch, remote.status, remote.raw_status)
        if counts_changed or (trouble and trouble != batch.trouble):
            context.publish(CountsChanged(batch.job_id, batch.id))
        return status_changed or counts_changed

    def _trouble(self, batch: Batch, remote: RemoteBatch, now: float) -> str:
        """What stays to be told after a poll: that a batch may end before it is done."""
        if is_terminal(remote.status):
            # Why the results of a batch that has ended do not come is told until they are here.
            return batch.trouble if is_terminal(batch.status) else ""
        expires_at = remote.expires_at or batch.expires_at
        if expires_at is not None and now >= expires_at + _LATE_SECONDS:
            since = span(now - expires_at)
            return f"its window ended {since} ago, and the provider still says that it runs"
        limits = self._context.accounts.profile(batch.account).limits
        created = remote.created_at or batch.submitted_at
        if limits.queue_hours and remote.status in _NOT_BEGUN:
            return expiry_warning(created, limits.queue_hours, now, of="queue")
        if limits.run_hours and remote.expires_at is not None:
            began = remote.expires_at - limits.run_hours * HOUR
            return expiry_warning(began, limits.run_hours, now, of="run")
        return expiry_warning(created, limits.expires_hours, now)

    async def _end(
        self, dialect: Dialect, batch: Batch, remote: RemoteBatch, *, anew: bool = False
    ) -> PollResult:
        """Collect an ended batch.

        Args:
            dialect: The account.
            batch: The batch.
            remote: What the provider says of it.
            anew: Download files again that are here and lack rows.

        Raises:
            ResultsNotReadyError: Its results are late, or cannot be read.
        """
        async with self._ending.setdefault(batch.id, asyncio.Lock()):
            now = self._context.history.batches.get(batch.id)
            if now.collected and not batch.collected:
                # It was collected in the meantime.
                return _OVER
            return await self._collect(dialect, now, remote, anew=anew)

    async def _collect(
        self, dialect: Dialect, batch: Batch, remote: RemoteBatch, *, anew: bool
    ) -> PollResult:
        context = self._context
        if queue_was_full(context.accounts.profile(batch.account), remote):
            return await self._wait_for_queue(dialect, batch, remote)
        # A batch that was closed before is not doubted again for ever.
        looks = _ENOUGH_LOOKS if batch.collected else self._looks.get(batch.id, 0)
        with_line, answered = await self._lines(batch)
        evidence = BatchEvidence(
            remote=remote,
            rows=batch.rows,
            with_line=with_line,
            answered=answered,
            looks=looks,
            results_deleted=(batch.results_expire_at or math.inf) < context.clock(),
        )
        verdict = judge(evidence)
        if verdict.state is BatchState.ENDED and remote.results:
            if anew and evidence.with_line < batch.rows:
                self._collector.mark_suspect(batch, remote)
            files = await self._collector.fetch(dialect, batch, remote)
            with_line, answered = await self._lines(batch)
            evidence = replace(evidence, files=files, with_line=with_line, answered=answered)
            verdict = judge(evidence)
            whole = all(file.state is FileState.WHOLE for file in files)
            if verdict.state is not BatchState.ENDED and whole:
                # Whole, and yet not what the provider counts: next time from the start.
                self._collector.mark_suspect(batch, remote)
        self._looks[batch.id] = looks + 1
        if verdict.state is not BatchState.ENDED:
            if verdict.is_quiet:
                return PollResult(over=False, pause=self.min_poll_seconds(batch))
            raise ResultsNotReadyError(
                verdict.reason, _COLLECT_HINT.format(job=batch.job_id), status=None
            )
        remark = "All results downloaded"
        if evidence.results_deleted and evidence.with_line < batch.rows:
            remark = "The provider no longer has all results"
        await self._close(batch, remote, remark, verdict.answers_lost)
        if context.accounts.deletes_collected(batch.account):
            # The program may close as soon as the batch ended: finish this first.
            await context.shielded(self._clean_up(batch, batch.rows - evidence.with_line))
        return _OVER

    async def _lines(self, batch: Batch) -> tuple[int, int]:
        """How many rows of a batch have a line, and how many have an answer in it."""
        batches = self._context.history.batches
        without = await asyncio.to_thread(batches.count_without_line, batch)
        answered, _ = await asyncio.to_thread(batches.count_results, batch)
        return batch.rows - without, answered

    async def _clean_up(self, batch: Batch, without: int) -> None:
        """Delete the batch's files at the provider, unless rows are ``without`` a line here."""
        context = self._context
        if without:
            await context.remark(
                batch,
                f"Kept at the provider: {counted(without, 'row')} of this batch have no result",
            )
            return
        await clean_up(context, batch)

    async def _close(
        self, batch: Batch, remote: RemoteBatch, remark: str, answers_lost: int = 0
    ) -> None:
        """Set the outcome of rows without a result line, and end the batch."""
        context = self._context
        missing = await self._collector.finish_rows(batch, remote, answers_lost)
        if missing:
            remark += f"; {missing:,} rows have no result line"
        changes = {
            "collected": True,
            "ended_at": remote.ended_at or context.clock(),
            "next_poll_at": None,
            "trouble": "",
        }
        # One after the other: each of two that end at the same moment would take the other one for
        # running, and nobody would store the cost of the job.
        async with self._closing.setdefault(batch.job_id, asyncio.Lock()):
            is_billed = await store_cost(context, batch)
            context.reach("settled")
            await context.update(batch.id, changes, remark=remark)
        if not is_billed:
            # Another program may have closed the other one meanwhile.
            await context.shielded(store_cost(context, batch))
        context.publish(BatchEnded(batch.job_id, batch.id, status=remote.status))

    def _is_new(self, batch: Batch) -> bool:
        """Whether the batch is so new that a 404 may only mean "not yet"."""
        grace = self._context.accounts.profile(batch.account).poll.grace_404_seconds
        return self._context.clock() - (batch.submitted_at or 0.0) < grace

    async def _wait_for_queue(
        self, dialect: Dialect, batch: Batch, remote: RemoteBatch
    ) -> PollResult:
        """Let a batch wait to be created again because the provider's queue was full.

        Each try leaves a failed batch at the provider, so the pauses grow over all tries. If
        nothing else of the account is in the queue there is nothing to wait for.
        """
        context = self._context
        message = next((issue.message for issue in remote.issues if issue.message), "")
        message = message or "the provider's queue is full"
        changes: dict[str, object] = {"remote_id": None, "submitted_at": None}
        if batch.creates >= _MAX_CREATES and not await self._others_are_running(dialect, batch):
            reason = (
                f"this batch alone is too large for the provider's queue: {message}"
                f" (tried {batch.creates} times while nothing else of the account was running)"
            )
            await context.update(
                batch.id,
                {**changes, "status": BatchStatus.DRAFT, "trouble": reason},
                event=SubmitEvent.SPLIT_NEEDED,
                remark=reason,
            )
            if batch.attempt > 1:
                abandon = context.history.batches.abandon_retry
                await asyncio.to_thread(abandon, batch.id, reason, context.clock())
            hint = _SPLIT_HINT.format(job=batch.job_id)
            context.report_failure(batch, QuotaError(reason, hint), None)
            return _OVER
        pause = min(self.min_poll_seconds(batch) * 2.0**batch.creates, _MAX_QUEUE_PAUSE)
        await context.update(
            batch.id,
            {**changes, "status": BatchStatus.QUEUED, "trouble": message},
            event=SubmitEvent.QUEUE_FULL,
            remark="The provider's queue was full; the batch is sent again later",
        )
        hint = "The batch is sent again automatically."
        context.report_failure(batch, QuotaError(message, hint), context.clock() + pause)
        return PollResult(over=False, pause=pause)

    async def _others_are_running(self, dialect: Dialect, batch: Batch) -> bool:
        """Whether another batch of the account may leave the provider's queue."""
        for other in self._context.history.batches.unfinished():
            if other.account == batch.account and other.id != batch.id and other.remote_id:
                return True
        if not dialect.capabilities.lists:
            return False
        try:
            async for remote in dialect.list_batches(created_after=self._context.clock() - _DAY):
                if remote.id != batch.remote_id and not is_terminal(remote.status):
                    return True
        except UnfinishedListError:
            return False
        except BatchdeckError:
            # Nobody knows: go on waiting.
            return True
        return False

    def min_poll_seconds(self, batch: Batch) -> float:
        """Minimum seconds between two polls."""
        poll = self._context.accounts.profile(batch.account).poll
        # The user may poll less often than the provider allows, never more often.
        return max(0.05, poll.min_seconds, self._context.polling.fastest or 0.0)

    def _pause(self, batch: Batch, remote: RemoteBatch) -> float:
        """A tenth of the remaining or elapsed time, within the profile's bounds."""
        poll = self._context.accounts.profile(batch.account).poll
        now = self._context.clock()
        elapsed = max(0.0, now - (batch.submitted_at or now))
        remaining = elapsed
        counts = remote.counts
        if counts.ended and counts.total and elapsed > 0:
            remaining = elapsed * (counts.total - counts.ended) / counts.ended
        target = min(remaining, elapsed or remaining) / 10
        min_poll_seconds = self.min_poll_seconds(batch)
        longest = max(self._context.polling.slowest or poll.max_seconds, min_poll_seconds)
        pause: float = min(max(target, min_poll_seconds), longest)
        jitter: float = random.uniform(0.9, 1.1)
        return pause * jitter
