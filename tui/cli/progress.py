"""Progress on stderr: of jobs, from engine events, and of work on one file."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from tui.cli.output import bottom_lines, clean, glyph, is_terminal, say, truncate_cells
from tui.core.formatting import counted, size, span
from tui.core.status_words import counts_text, status_text
from tui.errors import UnknownJobError
from tui.progress import Progress

if TYPE_CHECKING:
    from tui.core.jobs import Batch, Job
    from tui.engine.engine import Engine
    from tui.engine.events import JobEvent


_BAR_CELLS = 20
_NAME_CELLS = 20
_REDRAW_SECONDS = 0.2
_DELAY_SECONDS = 0.5
_STEP_PERCENT = 10
_TROUBLE_SECONDS = 3600.0
"""How long the same trouble of a batch is not told again."""


class JobProgress:
    """Shows the progress of jobs while the block runs, from engine events and the history.

    Batches that were collected before the block are not counted, so after a retry the bar shows
    the retried rows only.
    """

    def __init__(self, engine: Engine, job_ids: Sequence[str]) -> None:
        self._engine = engine
        self._job_ids = tuple(job_ids)
        self._started = time.monotonic()
        self._collected_before: set[str] = set()
        self._rows: dict[str, int] = {}
        self._bytes: dict[str, str] = {}
        self._percent: dict[str, int] = {}
        self._status: dict[str, str] = {}
        self._trouble_told: dict[str, float] = {}
        self._has_bars = _can_redraw()
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> JobProgress:
        for job_id in self._job_ids:
            batches = self._engine.history.batches.of_job(job_id)
            self._collected_before.update(b.id for b in batches if b.collected)
        if self._has_bars:
            await self._stack.enter_async_context(self._redrawn())
        self._stack.callback(self._engine.events.subscribe(self._on_event))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    @contextlib.asynccontextmanager
    async def _redrawn(self) -> AsyncIterator[None]:
        import asyncio

        async def redraw(draw: Callable[[Sequence[str]], None]) -> None:
            while True:
                await asyncio.sleep(_REDRAW_SECONDS)
                draw([self._bar(job) for job in map(self._job, self._job_ids) if job is not None])

        with bottom_lines() as draw:
            redrawing = asyncio.create_task(redraw(draw))
            try:
                yield
            finally:
                redrawing.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await redrawing

    def _on_event(self, event: JobEvent) -> None:
        from tui.core.jobs import is_terminal as has_ended
        from tui.engine import events

        job = self._job(event.job_id) if event.job_id in self._job_ids else None
        if job is None:
            return
        match event:
            case events.UploadProgressed(sent=sent, total=total):
                self._bytes[job.id] = f"uploading {size(sent)} of {size(total)}"
            case events.DownloadProgressed(received=received, total=total):
                of_total = f" of {size(total)}" if total is not None else ""
                self._bytes[job.id] = f"downloading {size(received)}{of_total}"
            case events.BatchSubmitted(remote_id=remote_id):
                self._bytes.pop(job.id, None)
                self._report(job, f"submitted as {remote_id}", event.batch_id)
            case events.StatusChanged(status=status, raw_status=raw, batch_id=batch_id):
                self._bytes.pop(job.id, None)
                if not has_ended(status):
                    self._report_status(job, status_text(status, raw), batch_id)
            case events.RowsCollected(batch_id=batch_id, rows=rows):
                self._rows[batch_id] = rows
                self._report_rows(job)
            case events.CountsChanged(batch_id=batch_id):
                self._report_rows(job)
                self._report_trouble(job, batch_id)
            case events.StepFailed(message=message, next_try=float(next_try)):
                # Without a next try, the call that failed raises the error.
                self._warn(job, message, next_try)
            case events.SendPaused(message=message, next_try=next_try):
                self._warn(job, message, next_try, "; Ctrl-C stops that, and the job stays stored")
            case events.DeadlineMoved(what=what):
                self._bytes.pop(job.id, None)
                say(f"{job.name} ({job.id}): {what}")
            case events.BatchEnded(status=status, batch_id=batch_id):
                self._bytes.pop(job.id, None)
                message = f"{status_text(status)}: {counts_text(job.counts)}"
                self._report(job, message, batch_id)

    def _job(self, job_id: str) -> Job | None:
        """A job as it is now; ``None`` if it was deleted meanwhile."""
        with contextlib.suppress(UnknownJobError):
            return self._engine.history.jobs.get(job_id)
        return None

    def _report(self, job: Job, message: str, batch_id: str = "") -> None:
        if not self._has_bars:
            say(f"{job.name} ({job.id}): {self._part_label(job, batch_id)}{message}")

    def _report_status(self, job: Job, status: str, batch_id: str) -> None:
        if self._status.get(batch_id) != status:
            self._status[batch_id] = status
            self._report(job, status, batch_id)

    def _report_trouble(self, job: Job, batch_id: str) -> None:
        """Say what is unusual about a batch that runs, once in a while: it names growing times."""
        batch = self._engine.history.batches.find(batch_id)
        trouble = "" if batch is None else batch.trouble
        now = time.monotonic()
        if trouble and now >= self._trouble_told.get(batch_id, now):
            self._trouble_told[batch_id] = now + _TROUBLE_SECONDS
            say(f"{job.name} ({job.id}): {self._part_label(job, batch_id)}{trouble}")

    def _part_label(self, job: Job, batch_id: str) -> str:
        batches = self._engine.history.batches.of_job(job.id)
        batch = next((batch for batch in batches if batch.id == batch_id), None)
        if batch is None:
            return ""
        parts = sum(other.attempt == batch.attempt for other in batches)
        return f"part {batch.part} of {parts}: " if parts > 1 else ""

    def _report_rows(self, job: Job) -> None:
        done, total = self._done_and_total(job)
        percent = _percent(done, total)
        step = percent - percent % _STEP_PERCENT
        if self._percent.get(job.id, 0) < step < 100:
            self._percent[job.id] = step
            self._report(job, f"{done:,} of {counted(total, 'row')} done")

    def _warn(self, job: Job, message: str, next_try: float, more: str = "") -> None:
        wait = span(next_try - time.time())
        say(f"{job.name} ({job.id}): {message}; trying again in {wait}{more}")

    def _bar(self, job: Job) -> str:
        done, total = self._done_and_total(job)
        full = _BAR_CELLS * done // total if total else 0
        bar = glyph("━", "#", sys.stderr) * full + glyph("╌", "-", sys.stderr) * (_BAR_CELLS - full)
        name = truncate_cells(clean(job.name), _NAME_CELLS)
        parts = [
            f"{bar} {_percent(done, total):3}%",
            f"{done:,}/{total:,}",
            status_text(job.status),
            name,
        ]
        if job.id in self._bytes:
            parts.append(self._bytes[job.id])
        elif left := self._time_left(done, total):
            parts.append(left)
        return "  ".join(parts)

    def _time_left(self, done: int, total: int) -> str:
        elapsed = time.monotonic() - self._started
        if not 0 < done < total or elapsed < 2:
            return ""
        return f"{span(elapsed * (total - done) / done)} left"

    def _done_and_total(self, job: Job) -> tuple[int, int]:
        batches = self._engine.history.batches.of_job(job.id)
        current = [batch for batch in batches if batch.id not in self._collected_before]
        if not current:
            return job.counts.ended, job.counts.total
        return sum(map(self._rows_done, current)), sum(batch.rows for batch in current)

    def _rows_done(self, batch: Batch) -> int:
        if batch.collected:
            return batch.rows
        reported = batch.remote_counts.ended or 0
        return min(batch.rows, max(reported, self._rows.get(batch.id, 0)))


def _can_redraw() -> bool:
    return is_terminal(sys.stderr) and os.environ.get("TERM") != "dumb"


def _percent(done: int, total: int) -> int:
    return 100 * done // total if total else 0


@contextlib.contextmanager
def file_progress(verb: str, *, plural_of: str = "") -> Iterator[Progress]:
    """A progress that is shown on a terminal if the work takes longer than half a second.

    Args:
        verb: The activity, such as ``checking``.
        plural_of: The noun of what is counted, such as ``row``; empty to count bytes.
    """
    start = time.monotonic() + _DELAY_SECONDS

    def amount(count: int) -> str:
        return counted(count, plural_of) if plural_of else size(count)

    def report(done: int, total: int | None) -> None:
        if total is not None and done >= total:
            draw(())
        elif time.monotonic() >= start:
            of_total = "" if total is None else f" of {amount(total)}"
            draw([f"{verb} {amount(done)}{of_total}"])

    with bottom_lines() as draw:
        yield Progress(report if _can_redraw() else None, seconds=_REDRAW_SECONDS)
