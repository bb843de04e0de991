"""The way in: everything that the screen, the headless twin and the Python API can ask for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tui.config import Config, load_config
from tui.core.filtering import RowFilter
from tui.core.jobs import Batch, Job
from tui.core.status import BatchStatus
from tui.engine.accounts import AccountInfo, Accounts, direct_name
from tui.engine.annotating import annotate_job
from tui.engine.budgeting import Budgets
from tui.engine.canceller import cancel_all
from tui.engine.collector import Collector
from tui.engine.context import Context
from tui.engine.estimator import Estimator
from tui.engine.events import EventBus, JobChanged, SubmitPrepared
from tui.engine.holding import LeaseKeeper
from tui.engine.hooks import Hooks
from tui.engine.insight import Insight
from tui.engine.planner import plan_first_attempt
from tui.engine.polling import Poller
from tui.engine.remoting import Remoting
from tui.engine.retrier import RetryPlan, make_plan
from tui.engine.reviewing import Reviewing
from tui.engine.sender import Sender
from tui.engine.submitter import Submitter
from tui.engine.summary import Summaries
from tui.engine.waiting import wait_for
from tui.engine.watcher import Watcher
from tui.errors import UsageError
from tui.logs import start_logging
from tui.paths import Paths
from tui.store.batches import has_silent_rows
from tui.store.history import History

_LOOK_SECONDS = 1.0

_LOOKS_WHILE_AIDED = 15
"""So seldom is it told while a process indexes for this one: what it writes is no news, and
reading all jobs again for each of its slices would hold the screen up."""
"""How often the history is looked at for what another program wrote."""


class Engine(Reviewing, Insight, Remoting):
    """The verbs. Made by ``Engine.open``; closed by ``close`` at the end.

    ``history`` answers questions at once, ``events`` tells what happens. All methods are to
    be called on the loop that opened the engine; they do their work off it.
    """

    def __init__(
        self,
        paths: Paths,
        config: Config,
        clock: Callable[[], float],
        sandbox_rate: float | None = None,
    ) -> None:
        self.paths = paths
        self.config = config
        self.history = History(paths)
        self.summaries = Summaries(self.history)
        self.events = EventBus()
        self.accounts = Accounts(paths, config, clock=clock, sandbox_rate=sandbox_rate)
        self._context = Context(paths, self.history, self.accounts, self.events, clock)
        self._context.polling = config.polling
        self._estimator = Estimator(self._context)
        self._budgets = Budgets(self._context, config.budget)
        self._submitter = Submitter(self._context, self._budgets.afford)
        self._collector = Collector(self._context)
        self._leases = LeaseKeeper(self._context)
        poller = Poller(self._context, self._submitter, self._collector)
        self._runner = poller.runner
        self._watcher = Watcher(self._context, self._leases, poller)
        self._sender = Sender(self._context, self._leases, self._submitter, self._watcher)
        self._hooks = Hooks(self._context, config)
        self.events.subscribe(self._hooks.receive)
        self._observer: asyncio.Task[None] | None = None
        self.is_closed = False

    @classmethod
    async def open(
        cls,
        paths: Paths,
        config: Config | None = None,
        *,
        clock: Callable[[], float] = time.time,
        watch: bool = False,
        sandbox_rate: float | None = None,
    ) -> Engine:
        """Open the history and be ready; with ``watch`` go on with what runs.

        Args:
            paths: Where everything is.
            config: The settings; read from the paths when not given.
            clock: Unix seconds.
            watch: Watch what runs from the start.
            sandbox_rate: Rows a second of the sandbox, 0 for at once; else the environment
                or the default decides.

        Raises:
            HistoryError: The history cannot be used.
            ConfigError: The configuration cannot be used.
        """
        paths.ensure()
        start_logging(paths)
        if config is None:
            config = load_config(paths)
        engine = await asyncio.to_thread(cls, paths, config, clock, sandbox_rate)
        if watch:
            engine.watch()
        return engine

    def take_config(self, config: Config) -> None:
        """Go by other settings from now on; providers and keys stay as they were opened."""
        self.config = self._hooks.config = config
        self._context.polling = config.polling
        self._budgets.config = config.budget
        self.accounts.take_config(config)

    def account_names(self) -> list[str]:
        """The accounts to choose from, the default one first."""
        return self.accounts.names()

    def account(self, name: str) -> AccountInfo:
        """What a person may know of an account."""
        return self.accounts.info(name)

    async def submit(
        self,
        job_id: str,
        *,
        resend_uncertain: bool = False,
        patient: bool = False,
        budget: float | None = None,
    ) -> Job:
        """Send what of a job is not sent yet, and watch it.

        Args:
            job_id: The job.
            patient: When the provider's queue is full, leave the batch waiting for room in
                place of an error; the watching sends it.
            resend_uncertain: Create batches again of which it is not certain whether the
                provider has them; only when a person has said so.
            budget: What it may cost, beside the budgets of the configuration.

        Raises:
            BudgetError: A budget does not allow it; nothing was sent.
            BatchdeckError: A batch was not taken; the job stays and can be submitted again.
        """
        self._context.publish(SubmitPrepared(job_id, going=True))
        try:
            await asyncio.to_thread(plan_first_attempt, self._context, job_id)
            self._context.reach("planned")
            unsent = [b for b in self.history.batches(job_id) if b.is_unsent]
            if not unsent:
                raise UsageError(
                    "all of this job has been sent already", "`retry` sends failed rows again."
                )
            async with self._within_budget(job_id, job_id, budget):
                await self._context.shielded(
                    self._sender.send(unsent, resend=resend_uncertain, patient=patient)
                )
        finally:
            self._context.publish(SubmitPrepared(job_id, going=False))
        return self.history.job(job_id)

    def watch(self) -> None:
        """Go on with everything that is under way, in the background."""
        self._adopt_unknown()
        if self._observer is None:
            self._observer = asyncio.create_task(self._observe(), name="observe the history")

    async def wait(self, job_ids: Sequence[str], *, every: float | None = None) -> None:
        """Wait until jobs have ended and everything of them is here.

        Args:
            job_ids: The jobs.
            every: Seconds between two polls of their accounts' batches; else as the
                provider advises.

        Raises:
            AccountKeyError: The provider keeps refusing the key.
        """
        if every is not None:
            for account in {self.history.job(job_id).account for job_id in job_ids}:
                self.accounts.pace(account, every)
            # What was planned at the usual pace is asked for now, and goes on at the new one.
            self._watcher.adopt(
                batch
                for job_id in job_ids
                for batch in self.history.batches(job_id)
                if batch.is_under_way
            )
        self.watch()
        await wait_for(self._context, job_ids)

    async def collect(self, job_id: str) -> Job:
        """Ask for the batches of a job once, and fetch what there is now.

        Those that were collected are asked for again when they left rows without a line:
        the provider may have found them, or have gone on with the batch.

        Raises:
            BatchdeckError: Something could not be fetched.
        """
        await self._context.shielded(self._collect(job_id))
        return self.history.job(job_id)

    async def _collect(self, job_id: str) -> None:
        for batch in self.history.batches(job_id):
            if batch.remote_id is None:
                continue
            if not batch.collected or await asyncio.to_thread(
                has_silent_rows, self.history.database, batch.id
            ):
                await self._watcher.take(batch)
        self._adopt_unknown()

    async def plan_retry(
        self,
        job_id: str,
        rows: RowFilter | Sequence[int] | None = None,
        edits: Mapping[str, Any] | None = None,
        *,
        permanent_too: bool = False,
        direct: bool = False,
    ) -> RetryPlan:
        """What a retry would send; with ``direct`` one by one, by the direct lane.

        Raises:
            UsageError: There is nothing to send.
        """
        job = self.history.job(job_id)
        return await asyncio.to_thread(
            make_plan,
            self._context,
            job,
            rows,
            edits or {},
            permanent_too=permanent_too,
            account=direct_name(job.account) if direct else job.account,
        )

    async def retry(self, plan: RetryPlan, *, budget: float | None = None) -> Job:
        """Send the rows of a plan as a new attempt; rows that cannot be changed so stay out.

        Raises:
            UsageError: No row can be changed so.
            BudgetError: A budget does not allow it; nothing was sent.
            BatchdeckError: It was not taken; the rows show their earlier outcome again.
        """
        plan = await self.fit_retry(plan)
        async with self._within_budget(plan, "", budget):
            await self._context.shielded(self._sender.retry(plan))
        return self.history.job(plan.job_id)

    async def cancel(self, job_id: str) -> Job:
        """Ask for an end of everything of a job that runs; what is done stays.

        Raises:
            UsageError: Nothing of it runs.
            BatchdeckError: The provider did not take it.
        """
        live = [b for b in self.history.batches(job_id) if b.is_under_way or b.is_unsent]
        if not live:
            raise UsageError("nothing of this job is running")
        troubles = await self._context.shielded(cancel_all(self._context, self._submitter, live))
        for batch in live:
            self._runner.cancel(batch.id)
            if self.history.batch(batch.id).status is BatchStatus.CANCELLING:
                await self._stop_here(batch)
        self._watcher.adopt(b for b in self.history.batches(job_id) if b.is_under_way)
        self.events.publish(JobChanged(job_id))
        if troubles:
            raise troubles[0]
        return self.history.job(job_id)

    async def _stop_here(self, batch: Batch) -> None:
        """End a direct batch that nobody is sending; whoever is sending it ends it himself."""
        dialect = await self.accounts.dialect(batch.account)
        if dialect.capabilities.runs_here and not self._runner.runs(batch.id):
            await self._context.shielded(self._watcher.take(batch))

    async def annotate(
        self, job_id: str, *, tags: Sequence[str] | None = None, note: str | None = None
    ) -> Job:
        """Write tags or a note on a job, in place of those that it has."""
        return await annotate_job(self._context, job_id, tags, note)

    async def drain(self, seconds: float = 10.0) -> None:
        """Let answers that are under way be stored; wait so long at the most."""
        await self._context.drain(seconds)

    async def close(self) -> None:
        """Stop, with everything stored that came."""
        self._sender.closing = True
        self._runner.close()
        await self.drain()
        if self._observer is not None:
            self._observer.cancel()
            await asyncio.gather(self._observer, return_exceptions=True)
        await self._watcher.close()
        await self._hooks.close()
        await self.drain(2.0)
        await self._context.cancel_all()
        await self._leases.close()
        await self.accounts.aclose()
        self.is_closed = True
        await asyncio.to_thread(self.history.close)

    async def _observe(self) -> None:
        """See what another program writes into the same history."""
        database = self.history.database
        seen = await asyncio.to_thread(database.version)
        looks = 0
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            now = await asyncio.to_thread(database.version)
            looks += 1
            if now != seen and looks >= (_LOOKS_WHILE_AIDED if self._collector.is_aided else 1):
                seen, looks = now, 0
                self._adopt_unknown()
                self.events.publish(JobChanged(""))

    def _adopt_unknown(self) -> None:
        """Watch what is under way; what is watched already keeps its schedule."""
        watched = self._watcher.watched()
        self._watcher.adopt(b for b in self.history.unfinished() if b.id not in watched)
