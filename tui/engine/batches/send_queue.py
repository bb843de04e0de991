"""Send the batches of a job or a retry, one after the other.

All of them are marked ``uploading`` before the first is sent, so that after a crash the
remaining ones are sent as well. A batch that is rejected, or not reached because the program
is closing, becomes a draft again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from tui.core.jobs import Batch, Submission, is_terminal
from tui.core.send_plans import RetryPlan
from tui.engine.batches.batch_plan import is_held_back, store_plan
from tui.engine.batches.cancel import finish_cancel, is_our_cancel
from tui.engine.batches.in_place_retry import begin_in_place_retry
from tui.engine.batches.poll_scheduler import PollScheduler
from tui.engine.batches.submitter import BatchSubmitter
from tui.engine.context import Context
from tui.engine.costs.budget import Budgets
from tui.engine.costs.estimates import Reserve
from tui.engine.events import JobChanged
from tui.engine.leases import Leases
from tui.errors import (
    BatchdeckError,
    ProviderError,
    QuotaError,
    RequestRejectedError,
    UnconfirmedError,
    UsageError,
)
from tui.providers.wire.errors import says_busy

_NO_SUCH_ROUTE = frozenset({404, 405, 501})


class SendQueue:
    """Sends batches and passes them to the watcher."""

    def __init__(
        self,
        context: Context,
        leases: Leases,
        submitter: BatchSubmitter,
        watcher: PollScheduler,
        budgets: Budgets,
    ) -> None:
        self._context = context
        self._leases = leases
        self._submitter = submitter
        self._watcher = watcher
        self._budgets = budgets
        self.closing = False
        self._without_native: set[str] = set()

    async def send_jobs(
        self,
        jobs: Sequence[Sequence[Batch]],
        reserve: Reserve,
        *,
        resend: bool = False,
        wait_if_busy: bool = False,
    ) -> dict[str, BatchdeckError]:
        """Send the batches of jobs one after the other; an error of one job stops that job alone.

        Args:
            jobs: The batches of each job.
            reserve: Reserves what all of them may cost, before any is sent.
            resend: Create unconfirmed batches again.
            wait_if_busy: If the provider is busy or its queue full, leave the batches waiting:
                the watcher goes on with them.

        Returns:
            The errors, by the id of the job: a batch was not accepted, and the ones of that job
            after it are drafts.

        Raises:
            BatchdeckError: Nothing was sent: the cost does not fit into a budget, or another
                process sends one of the jobs.
        """
        batches = [batch for job in jobs for batch in job]
        leased: list[str] = []
        going_on: set[str] = set()
        errors: dict[str, BatchdeckError] = {}
        try:
            for batch in batches:
                if not await self._leases.acquire(batch.id):
                    raise UsageError(
                        "another Batchdeck process is sending this job, or looking for its batch",
                        "Wait until it has finished, or decide there.",
                    )
                leased.append(batch.id)
            await reserve(batches)
            self._context.reach("reserved")
            # Confirm only drafts: another process may have sent some in the meantime.
            await asyncio.to_thread(self._context.history.batches.confirm_drafts, leased)
            self._context.reach("confirmed")
            for job in jobs:
                self._context.publish(JobChanged(job[0].job_id))
            for job in jobs:
                try:
                    await self._send_job(job, going_on, resend=resend, wait_if_busy=wait_if_busy)
                except BatchdeckError as error:
                    errors[job[0].job_id] = error
        finally:
            stopped = [batch_id for batch_id in leased if batch_id not in going_on]
            await asyncio.to_thread(self._context.history.batches.release_drafts, stopped)
            await asyncio.to_thread(self._budgets.release_unsent, batches)
            await self._leases.release(leased)
            found = map(self._context.history.batches.find, leased)
            self._watcher.adopt(batch for batch in found if batch is not None and batch.is_watched)
            for job in jobs:
                self._context.publish(JobChanged(job[0].job_id))
        return errors

    async def _send_job(
        self, batches: Sequence[Batch], going_on: set[str], *, resend: bool, wait_if_busy: bool
    ) -> None:
        """Send the batches of a job; those that the watcher goes on with are in ``going_on``."""
        for batch in batches:
            if self.closing:
                return
            if is_held_back(self._context, batch):
                # The watcher sends it when the first batch has ended.
                going_on.add(batch.id)
                continue
            try:
                await self._submitter.send(batch.id, resend=resend, wait_if_busy=wait_if_busy)
            except (QuotaError, UnconfirmedError):
                # This batch waits by itself; the provider may take the others.
                if not wait_if_busy:
                    raise
            except ProviderError as error:
                if wait_if_busy and says_busy(error):
                    # The other batches would meet the same: the watcher goes on with all.
                    going_on.update(one.id for one in batches)
                raise
            finally:
                await self._cancel_if_wanted(batch.id)

    async def _cancel_if_wanted(self, batch_id: str) -> None:
        """Cancel a batch that another program wanted to cancel while it was sent.

        That one could not tell whether it was created, and a draft with such a wish is never sent.
        """
        batch = self._context.history.batches.find(batch_id)
        if batch is None or is_terminal(batch.status):
            return
        if is_our_cancel(self._context, batch):
            await finish_cancel(self._context, self._submitter, batch)

    async def retry(self, plan: RetryPlan, reserve: Reserve) -> None:
        """Send the rows of a plan as a new attempt.

        Raises:
            BatchdeckError: It was not accepted; the rows have their earlier outcome again.
        """
        if plan.account not in self._without_native:
            native = await begin_in_place_retry(self._context, plan)
            if native is not None and await self._retry_in_place(native, reserve):
                return
        batches = await asyncio.to_thread(store_plan, self._context, plan)
        await self._send_retry(batches, reserve)

    async def _retry_in_place(self, native: Batch, reserve: Reserve) -> bool:
        """Have the provider retry rows in place; ``False`` if it has no such route.

        Doubleword's older servers lack it, and so do gateways in front of newer ones.
        """
        context = self._context
        try:
            await self._send_retry([native], reserve)
        except RequestRejectedError as error:
            if error.status not in _NO_SUCH_ROUTE:
                raise
            self._without_native.add(native.account)
            await asyncio.to_thread(context.history.batches.delete_rejected, native.id)
            return False
        return True

    async def _send_retry(self, batches: Sequence[Batch], reserve: Reserve) -> None:
        self._context.reach("retry stored")
        self._context.publish(JobChanged(batches[0].job_id))
        try:
            for error in (await self.send_jobs([batches], reserve)).values():
                raise error
        except BatchdeckError as error:
            await self.abandon(batches, error)
            raise

    async def abandon(self, batches: Sequence[Batch], error: BatchdeckError) -> None:
        """Abandon the retries of which nothing was created, and release their rows."""
        context = self._context
        for batch in map(context.history.batches.find, [batch.id for batch in batches]):
            if batch is not None and batch.submission in (Submission.DRAFT, Submission.UPLOADED):
                await asyncio.to_thread(
                    context.history.batches.abandon_retry, batch.id, error.message, context.clock()
                )
        await asyncio.to_thread(self._budgets.release_unsent, batches)
        context.publish(JobChanged(batches[0].job_id))
