"""The first attempt of jobs: plan their batches, reserve what they cost, and send them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from tui.core.formatting import counted
from tui.core.jobs import Batch
from tui.core.send_plans import NO_SAVING, Saving
from tui.engine.batches.batch_plan import count_to_send, plan_first_attempt
from tui.engine.batches.reuse import finish_reused
from tui.engine.batches.send_queue import SendQueue
from tui.engine.context import Context
from tui.engine.costs.estimates import Costs
from tui.engine.events import SubmitFinished, SubmitStarted
from tui.errors import BatchdeckError, UsageError


class FirstAttempts:
    """Plans and sends the batches of jobs that were not sent yet.

    Args:
        context: The engine context.
        queue: Sends the batches.
        costs: Prices and budgets.
    """

    def __init__(self, context: Context, queue: SendQueue, costs: Costs) -> None:
        self._context = context
        self._queue = queue
        self._costs = costs

    async def send(
        self,
        job_ids: Sequence[str],
        *,
        resend: bool = False,
        wait_if_busy: bool = False,
        budget: float | None = None,
        saving: Saving = NO_SAVING,
    ) -> dict[str, BatchdeckError]:
        """Send the unsent batches of jobs; returns the errors of those that were not accepted."""
        for job_id in job_ids:
            self._context.publish(SubmitStarted(job_id))
        try:
            unsent: list[list[Batch]] = []
            for job_id in job_ids:
                is_new = await self._plan(job_id, saving)
                batches = self._context.history.batches.of_job(job_id)
                if left := [batch for batch in batches if batch.is_unsent]:
                    unsent.append(left)
                elif is_new:
                    # All of its answers are there already.
                    continue
                else:
                    raise UsageError(
                        "this job was already submitted", "Use `retry` to send failed rows again."
                    )
            if not unsent:
                return {}
            jobs = [self._context.history.jobs.get(job_id) for job_id in job_ids]
            with self._context.budget_told(job_ids):
                reserve = await self._costs.jobs_within_budget(
                    jobs, budget, most_cost=saving.most_cost
                )
            return await self._context.shielded(
                self._queue.send_jobs(unsent, reserve, resend=resend, wait_if_busy=wait_if_busy)
            )
        finally:
            for job_id in job_ids:
                self._context.publish(SubmitFinished(job_id))

    async def _plan(self, job_id: str, saving: Saving) -> bool:
        """Create the batches of a job, if it has none; ``False`` if it has.

        Raises:
            UsageError: More requests would be sent than the user has agreed to.
        """
        is_new = await asyncio.to_thread(plan_first_attempt, self._context, job_id, saving)
        self._context.reach("planned")
        batches = self._context.history.batches.of_job(job_id)
        for batch in batches:
            if batch.reuses:
                await self._context.shielded(finish_reused(self._context, batch))
        job = self._context.history.jobs.get(job_id)
        if self._context.history.batches.count_sent(job) < job.counts.total:
            await asyncio.to_thread(self._costs.price_sent, job)
        rows = sum(batch.rows for batch in batches if batch.is_unsent)
        if saving.most_rows is not None and rows > saving.most_rows:
            raise UsageError(
                f"{counted(rows, 'request')} would be sent, and not {saving.most_rows:,}: the file"
                " or the answers to be reused have changed",
                f"Nothing was sent. To submit it now: `batchdeck submit {job_id}`.",
            )
        return is_new

    async def count_to_send(self, job_id: str, saving: Saving) -> int:
        """How many rows of a draft ``send`` would send at most; may read its requests."""
        job = self._context.history.jobs.get(job_id)
        return await asyncio.to_thread(count_to_send, self._context, job, saving)
