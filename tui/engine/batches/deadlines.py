"""Deadlines of jobs: cancel what runs when the time comes, then send the rest one by one.

Each phase (``DeadlinePhase``) is stored, if the job still has the phase before it, before what it
stands for is done. So a program that was killed is continued by the next one, of two programs only
one takes a step, and a clock that is set back repeats none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from tui.compose.estimate import Estimate
from tui.core.formatting import counted, local_time, money, parse_deadline
from tui.core.jobs import (
    Batch,
    BatchStatus,
    Deadline,
    DeadlinePhase,
    Job,
    Submission,
    is_terminal,
)
from tui.core.query import RowFilter
from tui.core.retry_rules import MAY_BE_PAID
from tui.core.rows import UNANSWERED
from tui.core.send_plans import RetryPlan
from tui.engine.accounts import direct_name
from tui.engine.batches.batch_plan import make_plan, store_plan
from tui.engine.batches.cancel import cancel_all
from tui.engine.batches.poll_scheduler import PollScheduler
from tui.engine.batches.send_queue import SendQueue
from tui.engine.batches.submitter import BatchSubmitter
from tui.engine.context import Context
from tui.engine.costs.direct_price import direct_bound
from tui.engine.costs.estimates import Costs, Reserve
from tui.engine.events import (
    GROWING,
    BudgetExceeded,
    DeadlineMoved,
    JobChanged,
    JobEvent,
)
from tui.errors import (
    BatchdeckError,
    BudgetError,
    NotOursError,
    OutdatedError,
    UnknownJobError,
    UsageError,
)
from tui.store.history import DeadlineStep

_LONGEST_PAUSE = 60.0
"""Seconds after which the deadlines are read again: the clock may have been set."""

_RECHECK = 5.0
"""Seconds until a job is looked at again whose batches are still to end, without an event."""

_FIRST_RETRY, _LAST_RETRY = 5.0, 300.0
"""Seconds after an error until the next try; they double with each error."""

_ROUNDING = 1.0 + 1e-9


class Deadlines:
    """The deadlines of one engine.

    Args:
        context: The engine context.
        submitter: Cancels batches that are being sent.
        queue: Sends the rest.
        watcher: Watches what is cancelled.
        costs: Prices the rest.
        look_for_late_answers: Asks the provider once more for the answers of a job.
    """

    def __init__(
        self,
        context: Context,
        submitter: BatchSubmitter,
        queue: SendQueue,
        watcher: PollScheduler,
        costs: Costs,
        look_for_late_answers: Callable[[str], Awaitable[Job]],
    ) -> None:
        self._context = context
        self._submitter = submitter
        self._queue = queue
        self._watcher = watcher
        self._costs = costs
        self._look = look_for_late_answers
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._uncancellable: set[str] = set()
        self._errors: dict[str, tuple[int, float, str]] = {}

    def require_lane(self, account: str) -> None:
        """Check that a deadline can end a batch of an account, and the rest be sent one by one.

        Raises:
            UsageError: It cannot.
        """
        profile = self._context.accounts.profile(account)
        if profile.direct:
            raise UsageError(
                f"account {account!r} sends rows one by one already, so a deadline changes nothing",
                "Leave out the deadline.",
            )
        if not (profile.can.cancel and profile.paths.cancel):
            raise UsageError(
                f"{profile.name} cannot cancel batches, so no deadline can end one",
                "Leave out the deadline; a shorter completion window (--window) may help.",
            )
        if not profile.can.cancel_keeps:
            raise UsageError(
                f"{profile.name} returns nothing of a cancelled batch, so a deadline would lose"
                " what is done",
                "Leave out the deadline; send smaller parts (limits.rows of the provider).",
            )
        if not profile.can.ask:
            raise UsageError(
                f"{profile.name} takes no single requests, so nothing could be sent after the"
                " deadline",
                "Leave out the deadline; a shorter completion window (--window) may help.",
            )

    def parse_time(self, text: str) -> float:
        """The time that the user typed for a deadline, in Unix seconds; see ``parse_deadline``.

        Raises:
            UsageError: It is none.
        """
        at = parse_deadline(text, self._context.clock())
        if at is None:
            raise UsageError(f"{text!r} is not a time", "Type 18:00, +6h or 2026-12-01T18:00.")
        return at

    def describe(self, deadline: Deadline, account: str) -> str:
        """What the user agrees to with a deadline of a job of an account, as a sentence."""
        free = self._context.accounts.info(account).is_free
        price = "" if free else ", at the price of single requests"
        if deadline.most is not None:
            price += f" (up to {money(deadline.most, deadline.currency)})"
        limit = ""
        if deadline.budget is not None and not free:
            limit = f", if the job stays within {money(deadline.budget, deadline.currency)}"
        return (
            f"Deadline {local_time(deadline.at)}: what has no answer then is cancelled and sent one"
            f" by one{price}{limit}, while Batchdeck runs."
        )

    def plan(
        self,
        account: str,
        at: float,
        estimate: Estimate | None,
        *,
        window: str = "",
        budget: float | None = None,
    ) -> Deadline:
        """A deadline for a job that is about to be sent; nothing is stored.

        Args:
            account: The account that sends it.
            at: The time, Unix seconds.
            estimate: What its requests cost as a batch; ``None`` if that is not known.
            window: The completion window.
            budget: A limit of all that the job may cost.

        Returns:
            The deadline, with the most that the rest may cost.

        Raises:
            UsageError: The time has passed, or the provider does not allow a deadline.
            BudgetError: There is a budget, and the cost of single requests is not known.
        """
        self.require_lane(account)
        self._require_future(at)
        accounts = self._context.accounts
        most = None
        if estimate is not None and not accounts.info(account).is_free:
            batch = accounts.price_source(account, window)
            most = direct_bound(estimate, batch, accounts.single_prices(account))
            if most is None and self._costs.budgets.applies(account, budget):
                raise BudgetError(
                    "the cost of sending rows one by one after the deadline is not known, so the"
                    " budget cannot be checked",
                    'Set the price in config.toml, [prices."MODEL"], or max_tokens in the requests;'
                    " or leave out the deadline.",
                )
        currency = accounts.profile(account).prices.currency
        return Deadline(at=at, most=most, budget=budget, currency=currency)

    async def plan_for(self, job_id: str, at: float, *, budget: float | None = None) -> Deadline:
        """A deadline for a job of the history; nothing is stored. See ``plan``.

        Raises:
            UsageError: The job has ended, the time has passed, or the provider does not allow it.
        """
        job = self._context.history.jobs.get(job_id)
        batches = self._context.history.batches.of_job(job_id)
        if batches and not any(b.is_watched or b.is_unsent for b in batches):
            raise UsageError(
                f"{job.name!r} has ended", "To send rows without an answer: `batchdeck retry`."
            )
        self.require_lane(job.account)
        self._require_future(at)
        estimate = None
        if not self._context.accounts.info(job.account).is_free:
            estimate = await self._costs.estimate(job_id)
        return self.plan(job.account, at, estimate, window=job.window, budget=budget)

    def _require_future(self, at: float) -> None:
        if at <= self._context.clock():
            raise UsageError(
                f"the deadline {local_time(at)} has passed",
                "Give a later time: 18:00, +6h, 2026-12-01T18:00 (local time).",
            )

    def require_time(self, job_id: str) -> None:
        """Check before a submit that the deadline of a job is still to come.

        Raises:
            UsageError: It has passed.
        """
        deadline = self._context.history.jobs.get(job_id).deadline
        batches = self._context.history.batches.of_job(job_id)
        is_new = all(batch.submission is Submission.DRAFT for batch in batches)
        if deadline is not None and deadline.phase is DeadlinePhase.SET and is_new:
            try:
                self._require_future(deadline.at)
            except UsageError as error:
                error.hint = f"Set another one: `batchdeck deadline {job_id} 18:00`, or none."
                raise

    async def set(self, job_id: str, deadline: Deadline | None, why: str = "") -> bool:
        """Set or remove the deadline of a job, whatever it was before.

        Args:
            job_id: The job.
            deadline: The new one; ``None`` to remove it.
            why: Why it is removed, for the timeline.

        Returns:
            Whether it was another one before.

        Raises:
            UsageError: The deadline has passed, and the rest is being sent.
        """
        context = self._context
        what = f"Deadline removed{f': {why}' if why else ''}"
        if deadline is not None:
            what = f"Deadline set: {local_time(deadline.at)}"
        while True:
            before = context.history.jobs.get(job_id).deadline
            if before == deadline:
                return False
            if deadline is not None and before is not None and before.is_under_way:
                raise UsageError(
                    "the deadline of this job has passed, and its batches are being cancelled",
                    f"To stop that: `batchdeck cancel {job_id}`.",
                )
            change = context.history.jobs.change_deadline
            if await asyncio.to_thread(change, job_id, before, deadline, context.clock(), what):
                break
        context.publish(JobChanged(job_id))
        self._wake.set()
        return True

    def start(self) -> None:
        """Act on the deadlines of all jobs in the background from now on."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="deadlines")

    async def close(self) -> None:
        """Stop acting; what is stored is continued by the next program."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        def wake(event: JobEvent) -> None:
            if not isinstance(event, GROWING):
                self._wake.set()

        unsubscribe = self._context.events.subscribe(wake)
        try:
            while True:
                self._wake.clear()
                pause = await self._act_on_all()
                try:
                    async with asyncio.timeout(pause):
                        await self._wake.wait()
                except TimeoutError:
                    continue
        finally:
            unsubscribe()

    async def _act_on_all(self) -> float:
        """Do what can be done about each deadline; returns the seconds until the next look."""
        pause = _LONGEST_PAUSE
        try:
            jobs = await asyncio.to_thread(self._context.history.jobs.with_open_deadline)
        except BatchdeckError as error:
            self._context.log.warning("deadlines cannot be read: %s", error.message)
            return _RECHECK
        for job in jobs:
            pause = min(pause, await self._act_safely(job))
        return pause

    async def _act_safely(self, job: Job) -> float:
        tries, not_before, message = self._errors.get(job.id, (0, 0.0, ""))
        loop = asyncio.get_running_loop()
        if loop.time() < not_before:
            return not_before - loop.time()
        try:
            pause = await self._act(job)
        except (OutdatedError, UnknownJobError):
            # Another program took the step, or the job was deleted.
            return 0.0
        except BatchdeckError as error:
            pause = min(_FIRST_RETRY * 2.0**tries, _LAST_RETRY)
            self._errors[job.id] = (tries + 1, loop.time() + pause, error.message)
            if error.message != message and not isinstance(error, NotOursError):
                self._report(job.id, f"{error.message}; tried again later", good=False)
            return pause
        self._errors.pop(job.id, None)
        return pause

    def _report(self, job_id: str, what: str, *, good: bool = True, ended: bool = False) -> None:
        self._context.publish(DeadlineMoved(job_id, what=what, good=good, ended=ended))

    async def _act(self, job: Job) -> float:
        """Take the next step of a job; returns the seconds until the one after it."""
        deadline = job.deadline
        assert deadline is not None
        if deadline.phase is DeadlinePhase.SET:
            left = deadline.at - self._context.clock()
            return left if left > 0 else await self._cut(job, deadline)
        if deadline.phase is DeadlinePhase.CUT:
            return await self._end_batches(job, deadline)
        return await self._send_rest(job, deadline)

    async def _move(self, job: Job, before: Deadline, what: str, **changes: object) -> None:
        """Store the next phase.

        Raises:
            OutdatedError: Another program was faster.
        """
        after = msgspec.structs.replace(before, **changes)
        change = self._context.history.jobs.change_deadline
        now = self._context.clock()
        if not await asyncio.to_thread(change, job.id, before, after, now, what):
            raise OutdatedError

    async def _finish(
        self, job: Job, before: Deadline, phase: DeadlinePhase, what: str, note: str = ""
    ) -> float:
        """Store that nothing more is done, and tell the user."""
        await self._move(job, before, what, phase=phase, note=note)
        good = phase is not DeadlinePhase.STOPPED
        if before.phase is DeadlinePhase.SET:
            # The job had ended before, which was told then.
            self._context.publish(JobChanged(job.id))
        else:
            self._report(job.id, what, good=good, ended=True)
        return 0.0

    def _is_batch(self, batch: Batch) -> bool:
        """Whether a batch is one at the provider: no copies, and no rows sent one by one."""
        return not batch.reuses and not self._context.accounts.profile(batch.account).direct

    async def _cut(self, job: Job, deadline: Deadline) -> float:
        batches = self._context.history.batches.of_job(job.id)
        if all(batch.submission is Submission.DRAFT for batch in batches):
            # It was not sent, so there is nothing to end.
            return _LONGEST_PAUSE
        if not any(batch.is_watched and self._is_batch(batch) for batch in batches):
            what = "Deadline met: no batch was running"
            return await self._finish(job, deadline, DeadlinePhase.MET, what)
        attempt = max(batch.attempt for batch in batches)
        what = "Deadline has passed: the batches are cancelled, then the rest is sent one by one"
        await self._move(job, deadline, what, phase=DeadlinePhase.CUT, attempt=attempt)
        self._context.reach("deadline cut")
        self._report(job.id, what)
        return 0.0

    async def _end_batches(self, job: Job, deadline: Deadline) -> float:
        """Cancel what runs; when all has ended, store the batches of the rest."""
        history = self._context.history
        left = [b for b in history.batches.of_job(job.id) if _is_left(b, deadline)]
        ask = [batch for batch in left if self._can_be_asked(batch)]
        if ask:
            await self._context.shielded(cancel_all(self._context, self._submitter, ask))
            now = [history.batches.get(batch.id) for batch in ask]
            # The provider refused; it runs to its end.
            self._uncancellable |= {batch.id for batch in now if self._can_be_asked(batch)}
            self._watcher.adopt(batch for batch in now if batch.is_active)
            self._context.publish(JobChanged(job.id))
            left = [b for b in history.batches.of_job(job.id) if _is_left(b, deadline)]
        if left:
            watched = self._watcher.watched()
            self._watcher.adopt(b for b in left if b.is_watched and b.id not in watched)
            return _RECHECK
        await self._look(job.id)
        if any(_is_left(batch, deadline) for batch in history.batches.of_job(job.id)):
            # The provider has more answers.
            return _RECHECK
        return await self._store_rest(job, deadline)

    def _can_be_asked(self, batch: Batch) -> bool:
        """Whether the provider is to be asked to cancel a batch: not yet, and it has not ended."""
        if batch.id in self._uncancellable or batch.cancel_wanted_at is not None:
            return False
        ending = batch.status is BatchStatus.CANCELLING or is_terminal(batch.status)
        return self._is_batch(batch) and not ending

    async def _store_rest(self, job: Job, deadline: Deadline) -> float:
        context = self._context
        try:
            plan = await asyncio.to_thread(self._plan_rest, job)
        except UsageError as error:
            what = f"Deadline: nothing was left to send ({error.message})"
            return await self._finish(job, deadline, DeadlinePhase.MET, what)
        try:
            reserve = await self._costs.retry_within_budget(plan, await self._limit(job, deadline))
        except BudgetError as error:
            return await self._stop(job, deadline, plan.rows, error)
        context.reach("deadline planned")
        rest = msgspec.structs.replace(deadline, phase=DeadlinePhase.REST, attempt=plan.attempt)
        await asyncio.to_thread(store_plan, context, plan, DeadlineStep(deadline, rest))
        context.reach("deadline stored")
        context.publish(JobChanged(job.id))
        return await self._send_rest(job, rest, reserve)

    def _plan_rest(self, job: Job) -> RetryPlan:
        """The rows without an answer that are worth a retry; blocking.

        Raises:
            UsageError: There are none.
        """
        context = self._context
        failed = context.history.rows.select(job.id, RowFilter(outcomes=UNANSWERED)).seqs
        seqs = [
            row.seq
            for row in context.read_rows(job.id, failed)
            # Only the user sends again what may be paid already.
            if row.error is None or row.error.code not in MAY_BE_PAID
        ]
        job = context.history.jobs.get(job.id)
        account = direct_name(job.account)
        return make_plan(context, job, seqs, {}, include_permanent=False, account=account)

    async def _limit(
        self, job: Job, deadline: Deadline, rest: Sequence[Batch] = ()
    ) -> float | None:
        """The most that the rest may cost; ``None`` without a limit.

        Args:
            job: The job.
            deadline: Its deadline.
            rest: The batches of the rest, which may be in the ledger already.

        Raises:
            BudgetError: What the job has cost is not known, so nothing is left of its budget.
        """
        if self._context.accounts.info(job.account).is_free:
            return None
        limits = [] if deadline.most is None else [deadline.most * _ROUNDING]
        config = self._costs.budgets.config
        whole = [one for one in (deadline.budget, config.per_submit) if one is not None]
        if whole:
            own = {batch.id for batch in rest}
            entries = await asyncio.to_thread(self._context.history.ledger.of_job, job.id)
            spent = [e for e in entries if e.kind != "released" and e.batch not in own]
            if any(entry.amount is None for entry in spent):
                raise BudgetError(
                    "what the job has cost is not known, so nothing is left of its budget", ""
                )
            limits.append(max(0.0, min(whole) - sum(entry.amount or 0.0 for entry in spent)))
        return min(limits, default=None)

    async def _stop(self, job: Job, deadline: Deadline, rows: int, error: BudgetError) -> float:
        """Send nothing more: it is over the budget."""
        self._context.reach("deadline stopped")
        self._context.publish(BudgetExceeded(job.id, error.message))
        what = f"Deadline: {counted(rows, 'row')} not sent one by one: {error.message}"
        return await self._finish(
            job, deadline, DeadlinePhase.STOPPED, what, f"{error.message}; retry them by hand"
        )

    async def _send_rest(
        self, job: Job, deadline: Deadline, reserve: Reserve | None = None
    ) -> float:
        """Send the stored batches of the rest; those that were sent already are left alone.

        Args:
            job: The job.
            deadline: Its deadline.
            reserve: Reserves their cost, if the budgets were checked just now.

        Raises:
            NotOursError: Another program is sending them.
            BatchdeckError: They were not accepted.
        """
        context = self._context
        if drafts := self._drafts(job.id, deadline):
            try:
                if reserve is None:
                    plan = await asyncio.to_thread(self._plan_of, job, drafts)
                    limit = await self._limit(job, deadline, drafts)
                    reserve = await self._costs.retry_within_budget(plan, limit)
                send = self._queue.send_jobs([drafts], reserve, wait_if_busy=True)
                for refused in (await context.shielded(send)).values():
                    raise refused
            except BudgetError as error:
                await self._queue.abandon(drafts, error)
                unsent = sum(batch.rows for batch in drafts)
                return await self._stop(job, deadline, unsent, error)
            except UsageError as error:
                raise NotOursError(error.message, error.hint) from error
            if self._drafts(job.id, deadline):
                # The program is closing.
                return _RECHECK
        context.reach("deadline sent")
        sent = [b for b in context.history.batches.of_job(job.id) if b.attempt == deadline.attempt]
        rows = counted(sum(batch.rows for batch in sent), "row")
        what = f"Deadline: {rows} without an answer sent one by one"
        await self._move(job, deadline, what, phase=DeadlinePhase.SENT)
        self._report(job.id, what)
        return 0.0

    def _drafts(self, job_id: str, deadline: Deadline) -> list[Batch]:
        """The batches of the rest that nobody has sent."""
        return [
            batch
            for batch in self._context.history.batches.of_job(job_id)
            if batch.attempt == deadline.attempt
            and batch.submission is Submission.DRAFT
            and batch.status is BatchStatus.DRAFT
        ]

    def _plan_of(self, job: Job, drafts: Sequence[Batch]) -> RetryPlan:
        """What stored batches send, to be priced; blocking."""
        history, info = self._context.history, self._context.accounts.info(drafts[0].account)
        return RetryPlan(
            job_id=job.id,
            seqs=[seq for batch in drafts for seq in history.batches.rows_of(batch.id)],
            permanent=0,
            account=info.name,
            provider=info.provider,
            provider_name=info.provider_name,
            endpoint=job.endpoint,
            model=job.model,
            window=job.window,
            attempt=drafts[0].attempt,
        )


def _is_left(batch: Batch, deadline: Deadline) -> bool:
    """Whether a batch that the deadline ends has not ended, or may not have."""
    return batch.attempt <= deadline.attempt and (batch.is_watched or batch.is_unsent)
