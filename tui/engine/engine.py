"""The way in: everything that the screen, the headless twin and the Python API can ask for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from tui.compose.report import CheckReport
from tui.config import Config, load_config
from tui.core.filtering import ALL_ROWS, INPUT_ORDER, RowFilter, RowSelection, RowSort
from tui.core.jobs import Batch, Job
from tui.core.status import BatchStatus, Submission, is_terminal
from tui.engine.accounts import AccountInfo, Accounts
from tui.engine.adopter import RemoteEntry, adopt, list_remote
from tui.engine.canceller import cancel_batch
from tui.engine.collector import Collector
from tui.engine.context import Context
from tui.engine.events import EventBus, JobChanged, JobDeleted, JobImported
from tui.engine.importer import import_job, limits_of
from tui.engine.planner import plan_first_attempt
from tui.engine.remover import remove_remote
from tui.engine.retrier import RetryPlan, make_plan, store_plan
from tui.engine.submitter import Submitter
from tui.engine.watcher import LEASE_SECONDS, Watcher
from tui.errors import AccountKeyError, BatchdeckError, QuotaError, UsageError
from tui.logs import start_logging
from tui.paths import Paths
from tui.store.batches import abandon
from tui.store.deleting import delete_job
from tui.store.export import export_rows
from tui.store.history import History
from tui.store.leases import claim, release

T = TypeVar("T")
Stop = Callable[[], bool]
Progress = Callable[[int, int], None]

_LOOK_SECONDS = 1.0
"""How often the history is looked at for what another program wrote."""

_REFUSALS = 3
"""Polls in a row that a key may be refused before waiting for the job is given up."""


class Engine:
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
        self.events = EventBus()
        self.accounts = Accounts(paths, config, clock=clock, sandbox_rate=sandbox_rate)
        self._context = Context(paths, self.history, self.accounts, self.events, clock)
        self._submitter = Submitter(self._context)
        self._collector = Collector(self._context)
        self._watcher = Watcher(self._context, self._submitter, self._collector)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._observer: asyncio.Task[None] | None = None
        self._closing = False

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

    def account_names(self) -> list[str]:
        """The accounts to choose from, the default one first."""
        return self.accounts.names()

    def account(self, name: str) -> AccountInfo:
        """What a person may know of an account."""
        return self.accounts.info(name)

    async def check(
        self,
        path: Path,
        *,
        account: str | None = None,
        stop: Stop | None = None,
        progress: Progress | None = None,
    ) -> CheckReport:
        """Check a file of requests against the limits of an account.

        Raises:
            InputError: The file cannot be read at all.
        """
        from tui.compose.check import check_file

        limits = limits_of(self.accounts.profile(account or self.accounts.default))
        return await asyncio.to_thread(
            check_file, path, limits=limits, stop=stop, progress=progress
        )

    async def import_file(
        self,
        path: Path,
        *,
        account: str | None = None,
        name: str | None = None,
        fix: bool = False,
        window: str | None = None,
        edits: Mapping[str, Any] | None = None,
        stop: Stop | None = None,
        progress: Progress | None = None,
    ) -> Job:
        """Make a job of a file; nothing is sent.

        Args:
            path: The file.
            account: The account that will send it; else the default one.
            name: The job's name; else the file's.
            fix: Mend what can be mended without changing a request.
            window: The completion window; else the provider's first one.
            edits: Changes of every request's body, by dotted path.
            stop: Asked now and then; ``True`` ends it.
            progress: Called, from another thread, with bytes done and bytes in all.

        Raises:
            InputError: The file may not be submitted.
        """
        job = await asyncio.to_thread(
            import_job,
            self._context,
            path,
            account or self.accounts.default,
            name=name,
            fix=fix,
            window=window,
            edits=edits or {},
            stop=stop,
            progress=progress,
        )
        self.events.publish(JobImported(job.id))
        return job

    async def submit(
        self, job_id: str, *, resend_uncertain: bool = False, patient: bool = False
    ) -> Job:
        """Send what of a job is not sent yet, and watch it.

        Args:
            job_id: The job.
            patient: When the provider's queue is full, leave the batch waiting for room in
                place of an error; the watching sends it.
            resend_uncertain: Create batches again of which it is not certain whether the
                provider has them; only when a person has said so.

        Raises:
            BatchdeckError: A batch was not taken; the job stays and can be submitted again.
        """
        await asyncio.to_thread(plan_first_attempt, self._context, job_id)
        unsent = [b for b in self.history.batches(job_id) if _is_unsent(b)]
        if not unsent:
            raise UsageError(
                "all of this job has been sent already", "`retry` sends failed rows again."
            )
        await self._shielded(self._send(unsent, resend_uncertain, patient))
        return self.history.job(job_id)

    async def _send(
        self, batches: Sequence[Batch], resend: bool = False, patient: bool = False
    ) -> None:
        database = self.history.database
        try:
            for batch in batches:
                if self._closing:
                    # The parts that are left stay drafts; `submit` sends them another time.
                    return
                now = self._context.clock()
                if not await asyncio.to_thread(claim, database, batch.id, now, LEASE_SECONDS):
                    raise UsageError("another Batchdeck is sending this job right now")
                try:
                    await self._submitter.send(batch.id, resend=resend)
                except QuotaError:
                    if not patient:
                        raise
                finally:
                    await asyncio.to_thread(release, database, [batch.id])
        finally:
            self._watcher.adopt(
                batch
                for batch in map(self.history.batch, [b.id for b in batches])
                if batch.submission in (Submission.RUNNING, Submission.WAITING)
            )
            self.events.publish(JobChanged(batches[0].job_id))

    def watch(self) -> None:
        """Go on with everything that is under way, in the background."""
        self._watcher.adopt(self.history.unfinished())
        if self._observer is None:
            self._observer = asyncio.create_task(self._observe(), name="observe the history")

    async def wait(self, job_ids: Sequence[str]) -> None:
        """Wait until jobs have ended and everything of them is here.

        Raises:
            AccountKeyError: The provider keeps refusing the key.
        """
        self.watch()
        moved = asyncio.Event()
        unsubscribe = self.events.subscribe(lambda _: moved.set())
        try:
            while True:
                moved.clear()
                live = [
                    batch
                    for job_id in job_ids
                    for batch in self.history.batches(job_id)
                    if _is_under_way(batch)
                ]
                if not live:
                    return
                self._give_up_if_refused(live)
                try:
                    async with asyncio.timeout(_LOOK_SECONDS):
                        await moved.wait()
                except TimeoutError:
                    continue
        finally:
            unsubscribe()

    def _give_up_if_refused(self, batches: Sequence[Batch]) -> None:
        for batch in batches:
            errors = self._context.poll_errors.get(batch.id, [])
            refused = [error for error in errors if isinstance(error, AccountKeyError)]
            if len(refused) < _REFUSALS:
                return
        raise refused[-1]

    async def collect(self, job_id: str) -> Job:
        """Ask for every live batch of a job once, and fetch what there is now.

        Raises:
            BatchdeckError: Something could not be fetched.
        """
        await self._shielded(self._collect(job_id))
        return self.history.job(job_id)

    async def _collect(self, job_id: str) -> None:
        for batch in self.history.batches(job_id):
            if batch.remote_id is not None and not batch.collected:
                dialect = await self.accounts.dialect(batch.account)
                remote = await dialect.retrieve(batch.remote_id)
                if is_terminal(remote.status) or dialect.capabilities.partial_results:
                    await self._watcher.take(batch, dialect, remote)

    async def plan_retry(
        self,
        job_id: str,
        rows: RowFilter | Sequence[int] | None = None,
        edits: Mapping[str, Any] | None = None,
        *,
        permanent_too: bool = False,
    ) -> RetryPlan:
        """What a retry would send.

        Raises:
            UsageError: There is nothing to send.
        """
        job = self.history.job(job_id)
        return await asyncio.to_thread(
            make_plan, self._context, job, rows, edits or {}, permanent_too=permanent_too
        )

    async def retry(self, plan: RetryPlan) -> Job:
        """Send the rows of a plan as a new attempt.

        Raises:
            BatchdeckError: It was not taken; the rows show their earlier outcome again.
        """
        await self._shielded(self._retry(plan))
        return self.history.job(plan.job_id)

    async def _retry(self, plan: RetryPlan) -> None:
        batches = await asyncio.to_thread(store_plan, self._context, plan)
        self.events.publish(JobChanged(plan.job_id))
        try:
            await self._send(batches)
        except BatchdeckError as error:
            await self._abandon(batches, error)
            raise

    async def _abandon(self, batches: Sequence[Batch], error: BatchdeckError) -> None:
        """Retries of which it is known that nothing runs give their rows back."""
        for batch in map(self.history.batch, [batch.id for batch in batches]):
            if batch.submission in (Submission.DRAFT, Submission.UPLOADED):
                await asyncio.to_thread(
                    abandon,
                    self.history.database,
                    batch.id,
                    error.message,
                    self._context.clock(),
                )
        self.events.publish(JobChanged(batches[0].job_id))

    async def cancel(self, job_id: str) -> Job:
        """Ask for an end of everything of a job that runs; what is done stays.

        Raises:
            UsageError: Nothing of it runs.
            BatchdeckError: The provider did not take it.
        """
        live = [b for b in self.history.batches(job_id) if _is_under_way(b) or _is_unsent(b)]
        if not live:
            raise UsageError("nothing of this job is running")
        for batch in live:
            await self._shielded(cancel_batch(self._context, batch))
        self._watcher.adopt(b for b in map(self.history.batch, [b.id for b in live]) if b.remote_id)
        self.events.publish(JobChanged(job_id))
        return self.history.job(job_id)

    async def sync(self, account: str | None = None) -> list[RemoteEntry]:
        """The batches that the provider has, with the jobs that they belong to here."""
        return await list_remote(self._context, account or self.accounts.default)

    async def adopt(
        self, remote_id: str, *, account: str | None = None, name: str | None = None
    ) -> Job:
        """Bring a batch that was not made here into the history, and watch it.

        Raises:
            UsageError: It is here already, or its rows cannot be known yet.
        """
        batch = await self._shielded(
            adopt(self._context, account or self.accounts.default, remote_id, name=name)
        )
        self._watcher.adopt([batch])
        self.events.publish(JobImported(batch.job_id))
        return self.history.job(batch.job_id)

    async def delete(self, job_id: str, *, remote: bool = False) -> None:
        """Take a job out of the history, with its files.

        Args:
            job_id: The job.
            remote: Delete the files and batches at the provider first, where that can be.

        Raises:
            UsageError: A batch of it still runs.
        """
        batches = self.history.batches(job_id)
        if any(_is_under_way(batch) for batch in batches):
            raise UsageError("a batch of this job still runs", "Cancel it first.")
        if remote:
            for batch in batches:
                await self._shielded(remove_remote(self._context, batch))
        await asyncio.to_thread(delete_job, self.history.database, self.paths, job_id)
        self.events.publish(JobDeleted(job_id))

    async def select(
        self,
        job_id: str,
        rows: RowFilter = ALL_ROWS,
        order: RowSort = INPUT_ORDER,
        *,
        stop: Stop | None = None,
    ) -> RowSelection:
        """The rows that a filter lets through, found in a thread."""
        return await asyncio.to_thread(self.history.select, job_id, rows, order, stop=stop)

    async def export(
        self,
        job_id: str,
        path: Path,
        rows: RowFilter = ALL_ROWS,
        *,
        stop: Stop | None = None,
        progress: Progress | None = None,
    ) -> int | None:
        """Write rows to a file; the answer is how many, ``None`` when it was stopped."""

        def work() -> int | None:
            selection = self.history.select(job_id, rows, stop=stop)
            return export_rows(self.history, job_id, selection, path, stop=stop, progress=progress)

        return await self._shielded(asyncio.to_thread(work))

    async def drain(self, seconds: float = 10.0) -> None:
        """Let answers that are under way be stored; wait so long at the most."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)

    async def close(self) -> None:
        """Stop, with everything stored that came."""
        self._closing = True
        await self.drain()
        if self._observer is not None:
            self._observer.cancel()
            await asyncio.gather(self._observer, return_exceptions=True)
        await self._watcher.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.accounts.aclose()
        await asyncio.to_thread(self.history.close)

    async def _shielded(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something to its end, even if the one who asked for it is gone."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)

    async def _observe(self) -> None:
        """See what another program writes into the same history."""
        database = self.history.database
        seen = await asyncio.to_thread(database.version)
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            now = await asyncio.to_thread(database.version)
            if now != seen:
                seen = now
                self._watcher.adopt(
                    batch
                    for batch in self.history.unfinished()
                    if batch.id not in self._watcher.watched()
                )
                self.events.publish(JobChanged(""))


def _is_unsent(batch: Batch) -> bool:
    return (
        batch.submission
        not in (
            Submission.RUNNING,
            Submission.REFUSED,
            Submission.WAITING,
        )
        and batch.status is not BatchStatus.CANCELLED
    )


def _is_under_way(batch: Batch) -> bool:
    """Will something still come of it by itself?"""
    if batch.submission is Submission.RUNNING:
        return not batch.collected
    return batch.submission in (
        Submission.UPLOADING,
        Submission.CREATING,
        Submission.WAITING,
    )
