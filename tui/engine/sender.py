"""Sending several batches in turn: the parts of a job, or of a retry.

What a person has confirmed is noted for all of them before the first goes out (``uploading``
means "on its way"), so that after a crash the rest is sent as well. A part that is refused,
or that is not reached because the program is closing, is a draft again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from tui.core.jobs import Batch
from tui.core.status import Submission
from tui.engine.context import Context
from tui.engine.events import JobChanged
from tui.engine.holding import LeaseKeeper
from tui.engine.native import begin_native
from tui.engine.retrier import RetryPlan, store_plan
from tui.engine.submitter import Submitter
from tui.engine.watcher import Watcher
from tui.errors import BatchdeckError, QuotaError, RequestRefusedError, UsageError
from tui.store.batches import abandon, confirm_sending, forget_refused, put_back

_NO_SUCH_ROUTE = frozenset({404, 405, 501})


class Sender:
    """Sends batches and hands them to the watcher."""

    def __init__(
        self, context: Context, leases: LeaseKeeper, submitter: Submitter, watcher: Watcher
    ) -> None:
        self._context = context
        self._leases = leases
        self._submitter = submitter
        self._watcher = watcher
        self.closing = False
        self._without_native: set[str] = set()

    async def send(
        self, batches: Sequence[Batch], *, resend: bool = False, patient: bool = False
    ) -> None:
        """Send batches one after the other.

        Args:
            batches: What to send, of one job.
            resend: Create uncertain ones again.
            patient: Leave one waiting when the provider's queue is full, and go on.

        Raises:
            BatchdeckError: One was not taken; those behind it are drafts.
        """
        taken: list[str] = []
        try:
            for batch in batches:
                if not await self._leases.take(batch.id):
                    raise UsageError("another Batchdeck is sending this job right now")
                taken.append(batch.id)
            # What another program has sent meanwhile is not a draft any more.
            database = self._context.history.database
            await asyncio.to_thread(confirm_sending, database, taken)
            self._context.reach("confirmed")
            self._context.publish(JobChanged(batches[0].job_id))
            for batch_id in taken:
                if self.closing:
                    return
                try:
                    await self._submitter.send(batch_id, resend=resend)
                except QuotaError:
                    if not patient:
                        raise
        finally:
            await asyncio.to_thread(put_back, self._context.history.database, taken)
            await self._leases.give(taken)
            self._watcher.adopt(
                batch
                for batch in map(self._context.history.find_batch, taken)
                if batch is not None
                and batch.submission in (Submission.RUNNING, Submission.WAITING)
            )
            self._context.publish(JobChanged(batches[0].job_id))

    async def retry(self, plan: RetryPlan) -> None:
        """Send the rows of a plan as a new attempt.

        Raises:
            BatchdeckError: It was not taken; the rows show their earlier outcome again.
        """
        if plan.account not in self._without_native:
            native = await begin_native(self._context, plan)
            if native is not None and await self._sent_in_place(native):
                return
        batches = await asyncio.to_thread(store_plan, self._context, plan)
        await self._send_retry(plan, batches)

    async def _sent_in_place(self, native: Batch) -> bool:
        """Let the provider run rows again in place; ``False`` when it turns out that it cannot.

        Doubleword's older servers, and gateways before newer ones, do not have the route.
        """
        context = self._context
        try:
            await self._send_retry(native, [native])
        except RequestRefusedError as error:
            if error.status not in _NO_SUCH_ROUTE:
                raise
            self._without_native.add(native.account)
            await asyncio.to_thread(forget_refused, context.history.database, native.id)
            return False
        return True

    async def _send_retry(self, plan: RetryPlan | Batch, batches: Sequence[Batch]) -> None:
        self._context.reach("retry stored")
        self._context.publish(JobChanged(plan.job_id))
        try:
            await self.send(batches)
        except BatchdeckError as error:
            await self._abandon(batches, error)
            raise

    async def _abandon(self, batches: Sequence[Batch], error: BatchdeckError) -> None:
        """Retries of which it is known that nothing runs give their rows back."""
        context = self._context
        for batch in map(context.history.find_batch, [batch.id for batch in batches]):
            if batch is not None and batch.submission in (Submission.DRAFT, Submission.UPLOADED):
                await asyncio.to_thread(
                    abandon, context.history.database, batch.id, error.message, context.clock()
                )
        context.publish(JobChanged(batches[0].job_id))
