"""``Engine``: opens, owns and closes the services; submits, retries, cancels and waits."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tui.compose.templates.expressions import RowExpression
from tui.config.settings import Config, load_config
from tui.core.jobs import (
    MAX_NOTE_LENGTH,
    Batch,
    BatchStatus,
    Deadline,
    Job,
    parse_tags,
)
from tui.core.send_plans import NO_SAVING, RetryPlan, Saving
from tui.core.submission import UNCONFIRMED
from tui.engine.accounts import AccountInfo, Accounts
from tui.engine.batches.cancel import cancel_all
from tui.engine.batches.collector import Collector
from tui.engine.batches.deadlines import Deadlines
from tui.engine.batches.poll_scheduler import PollScheduler, wait_for
from tui.engine.batches.poller import Poller
from tui.engine.batches.reuse import IndexBuilder
from tui.engine.batches.send_queue import SendQueue
from tui.engine.batches.submitter import BatchSubmitter
from tui.engine.context import Context
from tui.engine.costs.estimates import Costs
from tui.engine.events import EventBus, JobChanged
from tui.engine.experiments.service import Experiments
from tui.engine.first_attempts import FirstAttempts
from tui.engine.import_job import find_begun, find_of_source, has_begun
from tui.engine.imports.archives import open_archive
from tui.engine.imports.results import import_results
from tui.engine.leases import Leases
from tui.engine.remote import Remote
from tui.engine.requests import Requests
from tui.engine.results import Results
from tui.engine.retries import Retries
from tui.engine.reviews.service import Reviews
from tui.engine.try_request import TryResult, try_request
from tui.engine.user_commands.actions import Actions
from tui.engine.user_commands.hooks import Hooks
from tui.errors import BatchdeckError, BudgetError, UnconfirmedError, UsageError
from tui.logs import start_logging
from tui.paths import Paths
from tui.progress import NO_PROGRESS, Progress
from tui.store.history import History

_POLL_SECONDS = 1.0
"""Interval for checking the history for changes by another process."""

_POLLS_PER_LOOK = 60
"""Polls of the history between two looks for jobs that are stuck."""

_POLLS_WITH_CHILD = 15
"""Only every this many checks publish an event while a child process indexes.

What the child writes is not news, and reading all jobs for each of its slices would slow
down the screen."""


class Engine:
    """Submits, watches, collects, retries and cancels jobs, and owns the services.

    Open it with ``Engine.open`` and close it with ``close``. Call all methods on the event loop
    that opened the engine; blocking work runs in threads.

    Attributes:
        history: Reads the state synchronously.
        events: Publishes changes.
        accounts: Who the requests are sent to.
        costs: Estimates and budgets.
        requests: Compose, preview, check, fix, split and import request files.
        results: Select, summarise, compare, check and export results.
        retries: Plan and preview retries.
        experiments: Make the jobs of experiments, and compare them.
        reviews: Queues of rows for reviewers, and what they say about the answers.
        first_attempts: Plan and send the batches of jobs; see ``submit``.
        deadlines: Set and carry out the deadlines of jobs.
        remote: The batches at the provider.
        actions: The user's own commands.
    """

    def __init__(
        self,
        paths: Paths,
        config: Config,
        clock: Callable[[], float],
        sandbox_rate: float | None = None,
        ledger: Paths | None = None,
    ) -> None:
        self.paths = paths
        self.config = config
        self.history = History(paths, ledger=ledger, compile_expression=RowExpression)
        self.events = EventBus()
        self.accounts = Accounts(paths, config, clock=clock, sandbox_rate=sandbox_rate)
        self._context = Context(paths, self.history, self.accounts, self.events, clock)
        self._context.polling = config.polling
        self._context.fetch_bytes = round(config.sources.max_megabytes * 1_000_000)
        self.costs = Costs(self._context, config.budget)
        self.requests = Requests(self._context, self.costs)
        self.results = Results(self._context)
        self.retries = Retries(self._context)
        self.experiments = Experiments(self._context, self.requests, self.results, self.costs)
        self.reviews = Reviews(self._context, config.review)
        self._submitter = BatchSubmitter(self._context, self.costs.budgets.check_quote_budget)
        self._collector = Collector(self._context)
        self._leases = Leases(self._context)
        poller = Poller(self._context, self._submitter, self._collector)
        self._runner = poller.runner
        self._watcher = PollScheduler(self._context, self._leases, poller)
        self._queue = SendQueue(
            self._context, self._leases, self._submitter, self._watcher, self.costs.budgets
        )
        self.first_attempts = FirstAttempts(self._context, self._queue, self.costs)
        self.deadlines = Deadlines(
            self._context,
            self._submitter,
            self._queue,
            self._watcher,
            self.costs,
            self.look_for_late_answers,
        )
        self.remote = Remote(self._context, self._submitter, self._watcher, self.costs.budgets)
        self.actions = Actions(self._context, config)
        self._index = IndexBuilder(self._context)
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
        ledger: Paths | None = None,
    ) -> Engine:
        """Open the history and create an engine.

        Args:
            paths: The folders for history, configuration and logs.
            config: The settings; read from the config file by default.
            clock: Returns Unix seconds.
            watch: Watch unfinished batches from the start.
            sandbox_rate: The sandbox's speed in rows per second, 0 for no delay; by default
                from the environment variable, or the built-in value.
            ledger: The home whose ledger of costs is used, if it is another one.

        Raises:
            HistoryError: The history cannot be opened.
            ConfigError: The configuration is invalid.
        """
        paths.ensure()
        # Without a log if it cannot be written: the history may still be read.
        with contextlib.suppress(OSError):
            start_logging(paths)
        if config is None:
            config = load_config(paths)
        engine = await asyncio.to_thread(cls, paths, config, clock, sandbox_rate, ledger)
        if watch:
            engine.watch()
        return engine

    def apply_config(self, config: Config) -> None:
        """Apply new settings; open providers and keys are not reloaded."""
        self.config = self._hooks.config = self.actions.config = config
        self._context.polling = config.polling
        self._context.fetch_bytes = round(config.sources.max_megabytes * 1_000_000)
        self.reviews.config = config.review
        self.accounts.apply_config(config)
        self.costs.apply_config(config.budget)

    def account_names(self) -> list[str]:
        """The names of all accounts, the default account first."""
        return self.accounts.names()

    def account(self, name: str) -> AccountInfo:
        """The properties of an account, without its key."""
        return self.accounts.info(name)

    async def submit_imported(
        self,
        jobs: Sequence[Job],
        *,
        budget: float | None = None,
        saving: Saving = NO_SAVING,
        deadline: Deadline | None = None,
    ) -> list[Job]:
        """Submit the first of the jobs that ``requests.import_to_submit`` made of a file.

        If a budget does not allow it, none of them stays in the history. After another error it
        can be called again.

        Args:
            jobs: The job, and after a sample the draft of the other rows; may be empty.
            budget: A cost limit, in addition to the configured budgets.
            saving: The ways to send less.
            deadline: The deadline of the first job, from ``deadlines.plan``.

        Raises:
            BudgetError: The job is over budget; nothing was sent.
            BatchdeckError: A batch was not accepted.
        """
        try:
            for job in jobs[:1]:
                if deadline is not None:
                    await self.deadlines.set(job.id, deadline)
                # When the queue is full, all parts stay waiting, not only the first.
                await self.submit(job.id, wait_if_busy=True, budget=budget, saving=saving)
        except BudgetError:
            if not any(batch.remote_id for batch in self.history.batches.of_job(jobs[0].id)):
                for job in jobs:
                    await self.remote.delete(job.id)
            raise
        return [self.history.jobs.get(job.id) for job in jobs]

    def begun(self, source: str, account: str) -> Job | None:
        """The newest job from a source of which the provider has, or may have, a batch."""
        return find_begun(self.history, source, account)

    async def submit_once(
        self,
        path: Path,
        source: str,
        account: str,
        *,
        name: str | None = None,
        window: str | None = None,
        again: bool = False,
        budget: float | None = None,
        saving: Saving = NO_SAVING,
    ) -> Job:
        """Submit a file as a job, or what is unsent of the job that has its source already.

        The same call can be repeated, also after the program was killed and by several programs
        at once: one job is sent.

        Args:
            path: The file.
            source: What the requests are recognised by; see ``source_with_digest``.
            account: The account that sends it.
            name: The job's name; by default the file's name.
            window: The completion window; by default the provider's first one.
            again: Send the requests again even if there is a job with this source.
            budget: A cost limit, in addition to the configured budgets.
            saving: The ways to send less.

        Raises:
            InputError: The file has errors.
            BudgetError: The job is over budget; nothing was sent.
            BatchdeckError: A batch was not accepted; the same call goes on with the job.
        """
        job = None if again else find_of_source(self.history, source, account)
        if job is None:
            job = await self.requests.import_file(
                path, account=account, name=name, window=window, source=source
            )
            first = None if again else find_of_source(self.history, source, account)
            if first is not None and first.id != job.id:
                # Another program has made the job meanwhile.
                await self.remote.delete(job.id)
                job = first
        batches = self.history.batches.of_job(job.id)
        if batches and not any(batch.is_unsent for batch in batches):
            return job
        try:
            await self.submit_imported([job], budget=budget, saving=saving)
        except UsageError:
            # Another program sends it at this moment.
            if not has_begun(self.history, job):
                raise
        return self.history.jobs.get(job.id)

    async def submit(
        self,
        job_id: str,
        *,
        resend: bool = False,
        wait_if_busy: bool = False,
        budget: float | None = None,
        saving: Saving = NO_SAVING,
    ) -> Job:
        """Send the unsent batches of a job and watch them.

        Args:
            job_id: The job.
            resend: Create batches again that the provider may already have; only if
                the user asked for it.
            wait_if_busy: If the provider is busy or its queue full, leave the batches waiting; the
                watcher sends them later. Only a full queue is not raised then.
            budget: A cost limit, in addition to the configured budgets.
            saving: The ways to send less.

        Raises:
            BudgetError: The job is over budget; nothing was sent.
            UsageError: More requests than agreed would be sent; nothing was sent.
            BatchdeckError: A batch was not accepted; the job can be submitted again.
        """
        self.deadlines.require_time(job_id)
        errors = await self.first_attempts.send(
            [job_id], resend=resend, wait_if_busy=wait_if_busy, budget=budget, saving=saving
        )
        for error in errors.values():
            raise error
        return self.history.jobs.get(job_id)

    async def submit_experiment(
        self,
        jobs: Sequence[Job],
        *,
        budget: float | None = None,
        deadlines: Mapping[str, Deadline] | None = None,
    ) -> dict[str, BatchdeckError]:
        """Submit the drafts that ``experiments.make`` made, as one expense.

        What all of them may cost is reserved in one step. If that is not possible, nothing is sent,
        and none of them stays in the history.

        Args:
            jobs: The drafts.
            budget: A cost limit for all of them, in addition to the configured budgets.
            deadlines: Deadlines by the names of the jobs, from ``plan_deadlines``.

        Returns:
            The errors of jobs that were not accepted, by id. The other jobs were sent; these are
            drafts, and can be submitted again.

        Raises:
            BudgetError: Together they are over budget; nothing was sent.
            BatchdeckError: Nothing was sent for another reason.
        """
        ids = [job.id for job in jobs]
        try:
            for job in jobs:
                if deadlines:
                    await self.deadlines.set(job.id, deadlines[job.name])
            return await self.first_attempts.send(ids, wait_if_busy=True, budget=budget)
        except BatchdeckError:
            for job in jobs:
                if not any(batch.remote_id for batch in self.history.batches.of_job(job.id)):
                    await self.remote.delete(job.id)
            raise

    def watch(self) -> None:
        """Watch all unfinished batches in the background, and act on deadlines."""
        self._watch_unfinished()
        self.deadlines.start()
        self._index.start()
        if self._observer is None:
            self._observer = asyncio.create_task(self._observe(), name="observe the history")

    async def wait(
        self,
        job_ids: Sequence[str],
        *,
        every: float | None = None,
        timeout_seconds: float | None = None,
    ) -> None:
        """Wait until jobs have ended and all their results are downloaded.

        Args:
            job_ids: The jobs.
            every: Seconds between polls of their accounts' batches; by default the interval
                that the provider recommends.
            timeout_seconds: The longest wait; by default there is no limit.

        Raises:
            AccountKeyError: The provider keeps rejecting the key.
            UnconfirmedError: It is not known whether the provider has a batch.
            StandstillError: No batch makes progress without the user, or the time is over.
        """
        if every is not None:
            for account in {self.history.jobs.get(job_id).account for job_id in job_ids}:
                self.accounts.pace(account, every)
            # Poll now, not at the time scheduled with the usual interval.
            self._watcher.adopt(
                batch
                for job_id in job_ids
                for batch in self.history.batches.of_job(job_id)
                if batch.is_active
            )
        self.watch()
        await wait_for(self._context, job_ids, timeout_seconds=timeout_seconds)

    async def open_archive(
        self,
        path: Path,
        *,
        account: str | None = None,
        name: str | None = None,
        progress: Progress = NO_PROGRESS,
    ) -> Job | None:
        """Make a job of an archive that another Batchdeck wrote; see ``open_archive``."""
        return await open_archive(
            self._context, path, account=account, name=name, progress=progress
        )

    async def import_results(
        self,
        requests: Path,
        results: Sequence[Path],
        *,
        account: str | None = None,
        name: str | None = None,
        progress: Progress = NO_PROGRESS,
    ) -> Job:
        """Import requests and results of a batch that ran elsewhere; see ``import_results``."""
        return await import_results(
            self._context, requests, results, account=account, name=name, progress=progress
        )

    async def collect(self, job_id: str) -> Job:
        """Poll the batches of a job once and download the available results.

        Collected batches are polled again if some of their rows have no result line: the
        provider may have completed the files or reopened the batch.

        Raises:
            BatchdeckError: A poll or a download failed.
        """
        await self._context.shielded(self._collect(job_id))
        return self.history.jobs.get(job_id)

    async def _collect(self, job_id: str) -> None:
        for batch in self.history.batches.of_job(job_id):
            if batch.remote_id is None:
                can_list = self.accounts.profile(batch.account).can.list
                if batch.submission in UNCONFIRMED and can_list:
                    # That it is not found yet is no error of a collect.
                    with contextlib.suppress(UnconfirmedError):
                        await self._submitter.confirm(batch)
                continue
            if not batch.collected or await asyncio.to_thread(
                self.history.batches.has_rows_without_result, batch.id
            ):
                await self._watcher.poll_now(batch)
        self._watch_unfinished()

    async def look_for_late_answers(self, job_id: str) -> Job:
        """Ask the provider anew for answers that are not here though it may have them.

        To be called before rows are retried: rows that are called missing may have been answered
        meanwhile, and were paid then.

        Raises:
            BatchdeckError: The provider cannot be asked.
        """
        for batch in self.history.batches.of_job(job_id):
            without = self.history.batches.count_without_line
            if (
                batch.collected
                and batch.remote_id is not None
                and batch.remote_counts.completed
                and not self.accounts.profile(batch.account).direct
                and await asyncio.to_thread(without, batch)
            ):
                await self._context.shielded(self._watcher.poll_now(batch))
        return self.history.jobs.get(job_id)

    async def retry(self, plan: RetryPlan, *, budget: float | None = None) -> Job:
        """Send the rows of a plan as a new attempt, except rows where the edits fail.

        Raises:
            UsageError: The edits cannot be applied to any row.
            BudgetError: The retry is over budget; nothing was sent.
            BatchdeckError: It was not accepted; the rows have their earlier outcome again.
        """
        plan = await self.retries.fit(plan)
        with self._context.budget_told([plan.job_id]):
            reserve = await self.costs.retry_within_budget(plan, budget)
        await self._context.shielded(self._queue.retry(plan, reserve))
        return self.history.jobs.get(plan.job_id)

    async def cancel(self, job_id: str) -> Job:
        """Cancel the running batches of a job, and its deadline; finished rows are kept.

        Raises:
            UsageError: The job is not running.
            BatchdeckError: The provider did not accept the cancel.
        """
        deadline = self.history.jobs.get(job_id).deadline
        if is_open := deadline is not None and deadline.is_open:
            # First: what is cancelled now must not be sent one by one.
            await self.deadlines.set(job_id, None, "the job was cancelled")
        live = [b for b in self.history.batches.of_job(job_id) if b.is_active or b.is_unsent]
        if not live and is_open:
            return self.history.jobs.get(job_id)
        if not live:
            raise UsageError("this job is not running")
        errors = await self._context.shielded(cancel_all(self._context, self._submitter, live))
        for batch in live:
            self._runner.cancel(batch.id)
            if self.history.batches.get(batch.id).status is BatchStatus.CANCELLING:
                await self._stop_direct(batch)
        self._watcher.adopt(b for b in self.history.batches.of_job(job_id) if b.is_active)
        self.events.publish(JobChanged(job_id))
        if errors:
            raise errors[0]
        return self.history.jobs.get(job_id)

    async def _stop_direct(self, batch: Batch) -> None:
        """Stop a direct batch that no worker is running; a running worker stops itself."""
        dialect = await self.accounts.dialect(batch.account)
        if dialect.capabilities.runs_locally and not self._runner.runs(batch.id):
            await self._context.shielded(self._watcher.poll_now(batch))

    async def annotate(
        self, job_id: str, *, tags: Sequence[str] | None = None, note: str | None = None
    ) -> Job:
        """Replace the tags or the note of a job; ``None`` leaves the current value.

        Raises:
            UnknownJobError: No such job.
        """
        kept = None if tags is None else parse_tags(" ".join(tags))
        text = None if note is None else note.strip()[:MAX_NOTE_LENGTH]
        await asyncio.to_thread(self.history.jobs.annotate, job_id, kept, text)
        self.events.publish(JobChanged(job_id))
        return self.history.jobs.get(job_id)

    async def try_request(
        self, row: bytes | Path, number: int = 1, *, account: str | None = None
    ) -> TryResult:
        """Send one request to the provider's synchronous endpoint; nothing is stored.

        It is billed like any single request, without the batch discount, and does not count
        against the budgets.

        Args:
            row: A request line (``custom_id``, ``method``, ``url``, ``body``), or a file.
            number: The request in the file, counted from 1.
            account: The account; by default the default account.

        Raises:
            UsageError: The provider has no synchronous endpoint for this request.
            InputError: The file or the request is invalid.
            BatchdeckError: The request failed.
        """
        return await try_request(self._context, account or self.accounts.default, row, number)

    async def drain(self, seconds: float = 10.0) -> None:
        """Wait up to ``seconds`` until responses in progress are stored."""
        await self._context.drain(seconds)

    async def close(self) -> None:
        """Stop all work, after storing what was received, and close the history."""
        self._queue.closing = True
        await self.deadlines.close()
        await self._index.close()
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
        """Publish changes that another process writes into the same history."""
        seen = await asyncio.to_thread(self.history.version)
        polls = ticks = 0
        while True:
            await asyncio.sleep(_POLL_SECONDS)
            now = await asyncio.to_thread(self.history.version)
            polls += 1
            ticks += 1
            if not ticks % _POLLS_PER_LOOK:
                self._hooks.look_for_flags()
            if now != seen and polls >= (_POLLS_WITH_CHILD if self._collector.has_child else 1):
                seen, polls = now, 0
                self._watch_unfinished()
                self.events.publish(JobChanged(""))

    def _watch_unfinished(self) -> None:
        """Watch unfinished batches; those already watched keep their schedule."""
        watched = self._watcher.watched()
        self._watcher.adopt(b for b in self.history.batches.unfinished() if b.id not in watched)
