"""What every part of the engine shares: history, accounts, events, clock and threads.

Blocking work runs in threads: it reports on the event loop and stops when its caller is cancelled.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, TypeVarTuple

from tui.config.settings import PollingConfig
from tui.core.alerts import kept_until
from tui.core.jobs import Batch, BatchStatus
from tui.core.remote_batches import RemoteBatch
from tui.core.rows import Row
from tui.core.submission import SubmitEvent
from tui.engine.accounts import Accounts
from tui.engine.events import BudgetExceeded, EventBus, JobEvent, StatusChanged, StepFailed
from tui.errors import BatchdeckError, BudgetError
from tui.logs import LOGGER
from tui.paths import Paths
from tui.progress import NO_PROGRESS, Progress, as_current
from tui.store.history import History

T = TypeVar("T")
Values = TypeVarTuple("Values")

KILL_VARIABLE = "BATCHDECK_KILL_AT"
"""For fault tests: the name of a step at which the process is killed (SIGKILL).

``name:2`` kills it the second time that it reaches the step."""

_PAGE = 500
"""Rows read at a time."""


@dataclass
class Context:
    """Shared state that is passed to every part of the engine.

    ``clock`` returns Unix seconds and ``sleep`` waits; tests replace both. ``poll_errors``
    holds the latest consecutive poll errors of each batch, ``standstills`` why a batch makes no
    progress without the user, and ``cancelling`` the batches that this process cancels now.
    ``fetch_bytes`` is the size of the largest file that is fetched from an address.
    """

    paths: Paths
    history: History
    accounts: Accounts
    events: EventBus
    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    poll_errors: dict[str, list[BatchdeckError]] = field(default_factory=dict)
    standstills: dict[str, BatchdeckError] = field(default_factory=dict)
    cancelling: set[str] = field(default_factory=set)
    log: logging.Logger = LOGGER
    polling: PollingConfig = field(default_factory=PollingConfig)
    fetch_bytes: int = 4_000_000_000
    _tasks: set[asyncio.Task[Any]] = field(default_factory=set)
    _times_reached: int = 0

    async def shielded(self, work: Coroutine[Any, Any, T]) -> T:
        """Run work to completion, even if the caller is cancelled."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return await asyncio.shield(task)

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            # A caller that was cancelled does not ask for it any more.
            task.exception()

    async def drain(self, seconds: float) -> None:
        """Wait up to ``seconds`` for shielded work to finish."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)

    async def cancel_all(self) -> None:
        """Cancel the shielded work that is still running."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def publish(self, event: JobEvent) -> None:
        """Publish an event to all subscribers."""
        self.events.publish(event)

    async def update(
        self,
        batch_id: str,
        changes: dict[str, Any],
        *,
        remark: str = "",
        durable: bool = True,
        fenced: bool = False,
        asked: Batch | None = None,
        event: SubmitEvent | None = None,
    ) -> Batch:
        """Store changes of a batch, off the event loop; see ``Batches.update``."""
        return await asyncio.to_thread(
            self.history.batches.update,
            batch_id,
            changes,
            self.clock(),
            remark=remark,
            durable=durable,
            fenced=fenced,
            asked=asked,
            event=event,
        )

    def read_rows(self, job_id: str, seqs: Sequence[int]) -> Iterator[Row]:
        """Iterate over rows of a job, read page by page. Blocking."""
        for start in range(0, len(seqs), _PAGE):
            yield from self.history.rows.page(job_id, seqs[start : start + _PAGE])

    def kept_until(self, account: str, remote: RemoteBatch) -> float | None:
        """When the provider deletes the results of a batch (Unix seconds), if ever."""
        days = self.accounts.profile(account).retention_days
        return kept_until(remote.created_at or self.clock(), days)

    async def remark(self, batch: Batch, what: str) -> None:
        """Add a line to the timeline of a batch's job."""
        await asyncio.to_thread(self.history.batches.note, batch.id, self.clock(), what)

    def report_status(self, batch: Batch, status: BatchStatus, raw_status: str) -> None:
        """Publish that the status of a batch changed."""
        self.publish(StatusChanged(batch.job_id, batch.id, status=status, raw_status=raw_status))

    def report_failure(self, batch: Batch, error: BatchdeckError, next_try: float | None) -> None:
        """Publish that a step failed."""
        self.publish(
            StepFailed(
                batch.job_id, batch.id, message=error.message, hint=error.hint, next_try=next_try
            )
        )

    @contextlib.contextmanager
    def budget_told(self, job_ids: Iterable[str]) -> Iterator[None]:
        """Publish it if a budget does not allow some jobs to be sent in the block."""
        try:
            yield
        except BudgetError as error:
            for job_id in job_ids:
                self.publish(BudgetExceeded(job_id, error.message))
            raise

    def reach(self, step: str) -> None:
        """Mark a named step; a fault test may kill the process here."""
        wanted, _, time = os.environ.get(KILL_VARIABLE, "").partition(":")
        if wanted == step:
            self._times_reached += 1
            if self._times_reached == int(time or 1):
                os.kill(os.getpid(), signal.SIGKILL)


async def run_in_thread(work: Callable[[Progress], T], progress: Progress = NO_PROGRESS) -> T:
    """Run ``work`` in a thread.

    Args:
        work: Receives the progress that it must update, and whose ``stopped`` it must read now
            and then. It is stopped when the caller is cancelled.
        progress: Receives the reports, on this event loop, and may stop the work.
    """
    with report_on_loop(progress.update) as report:
        # The caller's progress is the one that throttles.
        inner = Progress(report, seconds=0.0, stop=lambda: progress.stopped)
        try:
            with as_current(inner):
                return await asyncio.to_thread(work, inner)
        finally:
            inner.stop()


@contextlib.contextmanager
def report_on_loop(
    report: Callable[[*Values], None] | None,
) -> Iterator[Callable[[*Values], None] | None]:
    """A callback for a thread that calls ``report`` on this event loop while the block runs."""
    if report is None:
        yield None
        return
    loop = asyncio.get_running_loop()
    active = True

    def deliver(*values: *Values) -> None:
        if active:
            report(*values)

    def call(*values: *Values) -> None:
        # The loop may be closed when an abandoned thread reports once more.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(deliver, *values)

    try:
        yield call
    finally:
        active = False
