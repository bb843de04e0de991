"""How far the work is: bars on a terminal, plain lines in a pipe, always on stderr."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from tui.cli.cells import fitted
from tui.cli.output import clean, glyph, is_terminal, say, write_stderr
from tui.cli.words import count_words, duration_words, plural, size_words

if TYPE_CHECKING:
    from tui.core.jobs import Batch, Job
    from tui.engine.engine import Engine
    from tui.engine.events import JobEvent

_BAR_CELLS = 20
_NAME_CELLS = 20
_REDRAW_SECONDS = 0.2
_STEP_PERCENT = 10


class Progress:
    """Tells of some jobs while the block runs, from the engine's events and the history.

    Batches that had ended before the block are not counted: after a retry the bar speaks of
    the rows that are under way.
    """

    def __init__(self, engine: Engine, job_ids: Sequence[str]) -> None:
        self._engine = engine
        self._job_ids = tuple(job_ids)
        self._started = time.monotonic()
        self._over_before: set[str] = set()
        self._rows: dict[str, int] = {}
        self._bytes: dict[str, str] = {}
        self._percent: dict[str, int] = {}
        self._status: dict[str, str] = {}
        self._unsubscribe: Callable[[], object] = lambda: None
        self._bars = _Bars() if _can_redraw() else None
        self._redrawing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Progress:
        for job_id in self._job_ids:
            batches = self._engine.history.batches(job_id)
            self._over_before.update(b.id for b in batches if b.collected)
        self._unsubscribe = self._engine.events.subscribe(self._hear)
        if self._bars is not None:
            self._redrawing = asyncio.create_task(self._redraw())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._unsubscribe()
        if self._redrawing is not None:
            self._redrawing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._redrawing
        if self._bars is not None:
            self._bars.draw(())

    async def _redraw(self) -> None:
        assert self._bars is not None
        while True:
            await asyncio.sleep(_REDRAW_SECONDS)
            self._bars.draw(self._lines())

    def _hear(self, event: JobEvent) -> None:
        from tui.core.status import is_terminal as has_ended
        from tui.engine import events

        if event.job_id not in self._job_ids:
            return
        job = self._engine.history.job(event.job_id)
        match event:
            case events.UploadProgressed(sent=sent, total=total):
                self._bytes[job.id] = f"sending {size_words(sent)} of {size_words(total)}"
            case events.DownloadProgressed(received=received, total=total):
                whole = f" of {size_words(total)}" if total is not None else ""
                self._bytes[job.id] = f"reading {size_words(received)}{whole}"
            case events.BatchSubmitted(remote_id=remote_id):
                self._bytes.pop(job.id, None)
                self._tell(job, f"sent, known to the provider as {remote_id}", event.batch_id)
            case events.StatusChanged(status=status, batch_id=batch_id):
                self._bytes.pop(job.id, None)
                if not has_ended(status):
                    self._tell_status(job, status, batch_id)
            case events.RowsCollected(batch_id=batch_id, rows=rows):
                self._rows[batch_id] = rows
                self._tell_rows(job)
            case events.CountsChanged():
                self._tell_rows(job)
            case events.TroubleReported(message=message, next_try=float(next_try)):
                # Without a next try the error comes out of the call that failed.
                self._warn(job, message, next_try)
            case events.BatchEnded(status=status, batch_id=batch_id):
                self._bytes.pop(job.id, None)
                told = f"{status.replace('_', ' ')}: {count_words(job.counts)}"
                self._tell(job, told, batch_id)

    def _tell(self, job: Job, what: str, batch_id: str = "") -> None:
        if self._bars is None:
            say(f"{job.name} ({job.id}): {self._part_words(job, batch_id)}{what}")

    def _tell_status(self, job: Job, status: str, batch_id: str) -> None:
        if self._status.get(batch_id) != status:
            self._status[batch_id] = status
            self._tell(job, status.replace("_", " "), batch_id)

    def _part_words(self, job: Job, batch_id: str) -> str:
        batches = self._engine.history.batches(job.id)
        batch = next((batch for batch in batches if batch.id == batch_id), None)
        if batch is None:
            return ""
        parts = sum(other.attempt == batch.attempt for other in batches)
        return f"part {batch.part} of {parts}: " if parts > 1 else ""

    def _tell_rows(self, job: Job) -> None:
        done, total = self._done_of(job)
        percent = _percent(done, total)
        step = percent - percent % _STEP_PERCENT
        if self._percent.get(job.id, 0) < step < 100:
            self._percent[job.id] = step
            self._tell(job, f"{done:,} of {plural(total, 'row')} done")

    def _warn(self, job: Job, message: str, next_try: float) -> None:
        wait = duration_words(max(0.0, next_try - time.time()))
        line = f"{job.name} ({job.id}): {message}; tried again in {wait}"
        if self._bars is None:
            say(line)
        else:
            self._bars.draw(self._lines(), above=clean(line))

    def _lines(self) -> list[str]:
        return [self._line(self._engine.history.job(job_id)) for job_id in self._job_ids]

    def _line(self, job: Job) -> str:
        done, total = self._done_of(job)
        full = _BAR_CELLS * done // total if total else 0
        bar = glyph("━", "#", sys.stderr) * full + glyph("╌", "-", sys.stderr) * (_BAR_CELLS - full)
        status = job.status.replace("_", " ")
        name = fitted(clean(job.name), _NAME_CELLS)
        parts = [f"{bar} {_percent(done, total):3}%", f"{done:,}/{total:,}", status, name]
        if job.id in self._bytes:
            parts.append(self._bytes[job.id])
        elif left := self._left_words(done, total):
            parts.append(left)
        return "  ".join(parts)

    def _left_words(self, done: int, total: int) -> str:
        elapsed = time.monotonic() - self._started
        if not 0 < done < total or elapsed < 2:
            return ""
        return f"{duration_words(elapsed * (total - done) / done)} left"

    def _done_of(self, job: Job) -> tuple[int, int]:
        batches = self._engine.history.batches(job.id)
        current = [batch for batch in batches if batch.id not in self._over_before]
        if not current:
            return job.counts.ended, job.counts.total
        return sum(map(self._done_rows, current)), sum(batch.rows for batch in current)

    def _done_rows(self, batch: Batch) -> int:
        if batch.collected:
            return batch.rows
        told = batch.remote_counts.ended or 0
        return min(batch.rows, max(told, self._rows.get(batch.id, 0)))


class _Bars:
    """A few lines at the bottom of the terminal that are drawn over and over."""

    def __init__(self) -> None:
        self._drawn = 0

    def draw(self, lines: Sequence[str], *, above: str = "") -> None:
        """Draw the lines in place of those drawn last, with a lasting line above them."""
        size = shutil.get_terminal_size()
        room = max(1, size.lines - 2)
        shown = list(lines[:room])
        if len(lines) > room:
            shown[-1] = f"and {len(lines) - room + 1:,} more"
        out = [f"\x1b[{self._drawn}F" if self._drawn else ""]
        if above:
            out.append(f"\x1b[2K{above}\n")
        # One cell is left free: a full line makes some terminals wrap.
        out.extend(f"\x1b[2K{fitted(line, size.columns - 1)}\n" for line in shown)
        write_stderr("".join(out) + "\x1b[J")
        self._drawn = len(shown)


def _can_redraw() -> bool:
    return is_terminal(sys.stderr) and os.environ.get("TERM") != "dumb"


def _percent(done: int, total: int) -> int:
    return 100 * done // total if total else 0
