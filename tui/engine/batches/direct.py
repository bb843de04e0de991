"""Run direct batches: send the rows one by one and store each answer as it arrives.

The batch's output file is the checkpoint: a worker writes each answer to it, as a result
line, before it sends its next row. After a crash, only the rows without a line are sent, but
not those that were under way: they may be paid, and fail with the code ``no_answer``.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tui.core.jobs import Batch, BatchStatus, RemoteCounts
from tui.core.remote_batches import RemoteBatch
from tui.core.requests import edit_request
from tui.engine.batches.collector import Collector
from tui.engine.context import Context
from tui.engine.events import CountsChanged, RowsCollected
from tui.errors import BatchdeckError, HistoryError, NotOursError
from tui.paths import open_private
from tui.providers.dialects.direct import DirectResult, RowSender, lost_result
from tui.store.history import FileIndexer, ResultFile

_PAGE = 200
_SAVE_SECONDS = 0.5
"""Seconds until an answer is flushed to disk and shown."""

_CANCEL_SECONDS = 30.0
"""Seconds to wait for answers in flight after a cancel, because they are paid for."""

_GUARD_SECONDS = 10.0
"""A program that was stopped for longer than this checks that the rows are still its own to send.

Less than a lease lasts, and more than the pauses between two saves."""

_MIN_REPORTED_PAUSE = 3.0
"""Pauses of at least this many seconds are reported."""


class _Stop(asyncio.Event):
    """Set when no more rows may be sent: by the runner, or by ``is_set`` itself.

    A program that was stopped for a while (with Ctrl+Z, say) may have lost its lease, and another
    one sends the rows. It learns that before it sends a row, whatever of it goes on first.

    Args:
        is_ours: Whether this process holds the lease.
    """

    def __init__(self, is_ours: Callable[[], bool]) -> None:
        super().__init__()
        self._is_ours = is_ours
        self._seen = asyncio.get_running_loop().time()

    def is_set(self) -> bool:
        """Whether no more rows may be sent; to be asked more often than ``_GUARD_SECONDS``."""
        now = asyncio.get_running_loop().time()
        was_stopped, self._seen = now - self._seen > _GUARD_SECONDS, now
        if was_stopped and not self._is_ours():
            self.set()
        return super().is_set()


class _SentRows:
    """The rows of a direct batch that were sent, by this program or another one.

    They are in a file beside the answers, written before each row is sent: after a kill it tells
    which rows were under way. A line is the number of a row, or ``-`` and the number of one that
    the server did not take.

    Args:
        output: The file of the answers.

    Raises:
        OSError: It cannot be read or written.
    """

    def __init__(self, output: Path) -> None:
        path = output.with_suffix(".sent")
        self._stream = open_private(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        self.before: set[int] = set()
        """Those that were sent before this file was opened."""
        for line in path.read_bytes().split(b"\n"):
            number = line.removeprefix(b"-")
            if number.isdigit():
                (self.before.discard if line.startswith(b"-") else self.before.add)(int(number))
        self._own: set[int] = set()

    def note(self, seq: int, is_sent: bool) -> None:
        """Write that a row is sent now, or that it was not taken."""
        # The system keeps what a process has written that is killed; only a power cut loses it.
        os.write(self._stream, b"%d\n" % seq if is_sent else b"-%d\n" % seq)
        (self._own.add if is_sent else self._own.discard)(seq)

    @property
    def all(self) -> set[int]:
        """All rows that were sent and taken."""
        return self.before | self._own

    def close(self) -> None:
        """Close the file."""
        os.close(self._stream)


@dataclass
class _Run:
    """The state of a batch that is being sent."""

    batch: Batch
    path: Path
    stream: int
    file: ResultFile
    indexer: FileIndexer
    good: int
    bad: int
    stop: _Stop
    sent: _SentRows
    is_free: bool
    cancelled: bool = False
    unsaved: int = 0
    trouble: BatchdeckError | None = None


class DirectRunner:
    """Runs the direct batches of one engine.

    Args:
        context: The engine context.
        collector: Provides result files and their indexers.
    """

    def __init__(self, context: Context, collector: Collector) -> None:
        self._context = context
        self._collector = collector
        self._runs: dict[str, _Run] = {}
        self._closing = False

    def close(self) -> None:
        """Send no more rows; answers in flight are still stored."""
        self._closing = True
        for run in self._runs.values():
            run.stop.set()

    def runs(self, batch_id: str) -> bool:
        """Whether this engine is sending a batch."""
        return batch_id in self._runs

    def cancel(self, batch_id: str) -> None:
        """Stop sending a batch; its status in the history is already ``cancelling``."""
        run = self._runs.get(batch_id)
        if run is not None:
            run.cancelled = True
            run.stop.set()

    async def run(self, dialect: RowSender, batch: Batch) -> RemoteBatch | None:
        """Send the rows of a batch that have no answer yet.

        Returns:
            The ended batch; ``None`` if it did not end because the program is closing.

        Raises:
            NotOursError: Another process has taken the batch over.
            BatchdeckError: An error that affects every row: no connection, a wrong key, a
                full disk. The remaining rows can still be sent later.
        """
        run = await self._open(dialect, batch)
        self._runs[batch.id] = run
        try:
            await self._send_all(dialect, run)
            await asyncio.to_thread(self._require_lease, batch)
            if run.trouble is not None:
                raise run.trouble
            return self._result(run)
        finally:
            del self._runs[batch.id]
            await asyncio.to_thread(os.close, run.stream)
            await asyncio.to_thread(run.sent.close)
            await asyncio.to_thread(run.indexer.close)

    async def _open(self, dialect: RowSender, batch: Batch) -> _Run:
        """Open the output file, index its complete lines and drop a partial last line."""
        batches = self._context.history.batches
        await asyncio.to_thread(self._require_lease, batch)
        file, indexer = await self._collector.open_output(dialect, batch)

        def work() -> tuple[int, _SentRows, int, int]:
            try:
                # Appended, whoever writes: a program that was stopped may still have an answer.
                stream = open_private(file.path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
                if os.fstat(stream).st_size > indexer.indexed:
                    indexer.run(complete=False)
                # A kill during a write leaves a partial line.
                os.ftruncate(stream, indexer.indexed)
                sent = _SentRows(file.path)
            except OSError as error:
                raise _write_error(file.path, error) from error
            return (stream, sent, *batches.count_results(batch))

        stream, sent, good, bad = await asyncio.to_thread(work)
        stop = _Stop(partial(self._context.history.leases.is_mine, batch.id))
        is_free = self._context.accounts.info(batch.account).is_free
        run = _Run(batch, file.path, stream, file, indexer, good, bad, stop, sent, is_free)
        run.cancelled = batch.status is BatchStatus.CANCELLING
        if self._closing or run.cancelled:
            run.stop.set()
        else:
            await asyncio.to_thread(batches.mark_running, batch.id)
        return run

    def _require_lease(self, batch: Batch) -> None:
        """Check that no other process has taken a batch over; blocking.

        Raises:
            NotOursError: One has.
        """
        if not self._context.history.leases.is_mine(batch.id):
            raise NotOursError("another Batchdeck process sends these rows now")

    async def _send_all(self, dialect: RowSender, run: _Run) -> None:
        pending = await asyncio.to_thread(self._context.history.batches.pending_rows, run.batch)
        seqs = [seq for seq in pending if seq not in run.sent.before]
        feed = self._requests(run.batch, seqs)
        feed_lock = asyncio.Lock()
        saver = asyncio.create_task(self._save_periodically(run), name=f"save {run.batch.id}")
        helpers = [saver]
        try:
            async with asyncio.TaskGroup() as group:
                workers = [
                    group.create_task(self._work(dialect, run, feed, feed_lock))
                    for _ in range(min(dialect.concurrency, len(seqs)))
                ]
                helpers.append(asyncio.create_task(_cancel_after_timeout(run, workers)))
        finally:
            for helper in helpers:
                helper.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)
            await self._save(run)
        if run.trouble is None and (run.cancelled or not run.stop.is_set()):
            await self._give_up_lost(run)

    async def _give_up_lost(self, run: _Run) -> None:
        """Fail the rows that any program has sent and whose answer none has written."""
        history = self._context.history

        def work() -> list[str]:
            # A program that was stopped may have written some of them meanwhile.
            run.indexer.run(complete=False)
            pending = history.batches.pending_rows(run.batch)
            lost = [seq for seq in pending if seq in run.sent.all]
            return [row.custom_id for row in history.rows.page(run.batch.job_id, lost)]

        if not run.sent.all:
            return
        for custom_id in await asyncio.to_thread(work):
            self._write(run, lost_result(custom_id))
        await self._save(run)

    async def _work(
        self,
        dialect: RowSender,
        run: _Run,
        feed: AsyncIterator[tuple[int, str, bytes]],
        feed_lock: asyncio.Lock,
    ) -> None:
        """Send rows one after the other until none is left, or the run stops."""

        def on_pause(error: BatchdeckError, seconds: float) -> None:
            if seconds >= _MIN_REPORTED_PAUSE:
                context = self._context
                context.report_failure(run.batch, error, context.clock() + seconds)

        while not run.stop.is_set():
            async with feed_lock:
                row = await anext(feed, None)
            if row is None:
                return
            seq, custom_id, request = row
            try:
                answer = await dialect.answer(
                    request,
                    custom_id,
                    stop=run.stop,
                    on_pause=on_pause,
                    on_send=partial(self._note_sent, run, seq),
                )
                if answer is None:
                    return
                self._write(run, answer)
            except BatchdeckError as error:
                # It affects every row: finish those in flight and send no more.
                run.trouble = run.trouble or error
                run.stop.set()
                return

    async def _requests(
        self, batch: Batch, seqs: Sequence[int]
    ) -> AsyncIterator[tuple[int, str, bytes]]:
        """Yield numbers, ids and edited request lines, read page by page."""
        history = self._context.history

        def page(start: int) -> list[tuple[int, str, bytes]]:
            part = seqs[start : start + _PAGE]
            ids = {row.seq: row.custom_id for row in history.rows.page(batch.job_id, part)}
            lines = history.rows.requests(batch.job_id, part)
            return [(seq, ids[seq], edit_request(line, batch.edits)) for seq, line in lines]

        for start in range(0, len(seqs), _PAGE):
            for row in await asyncio.to_thread(page, start):
                yield row

    def _note_sent(self, run: _Run, seq: int, is_sent: bool) -> None:
        if run.is_free:
            # What costs nothing can be sent again.
            return
        try:
            run.sent.note(seq, is_sent)
        except OSError as error:
            raise _write_error(run.path, error) from error

    def _write(self, run: _Run, answer: DirectResult) -> None:
        """Append a line; from here on it survives a crash of this process."""
        line = answer.line + b"\n"
        try:
            while line:
                line = line[os.write(run.stream, line) :]
        except OSError as error:
            raise _write_error(run.path, error) from error
        run.good += answer.good
        run.bad += not answer.good
        run.unsaved += 1
        self._context.reach("row written")

    async def _save_periodically(self, run: _Run) -> None:
        while True:
            await asyncio.sleep(_SAVE_SECONDS)
            try:
                # Asked here so that no stop of this program goes unnoticed between two rows.
                run.stop.is_set()
                await self._context.shielded(self._save(run))
            except BatchdeckError as error:
                run.trouble = run.trouble or error
                run.stop.set()
                return
            stored = self._context.history.batches.find(run.batch.id)
            if stored is None or stored.status is BatchStatus.CANCELLING:
                # Another process requested a cancel or deleted the job.
                run.cancelled = True
                run.stop.set()

    async def _save(self, run: _Run) -> None:
        """Sync new answers to disk, index them and publish events.

        Raises:
            NotOursError: Another process took this batch over.
            HistoryError: The file cannot be written.
        """
        if not run.unsaved:
            return
        run.unsaved = 0
        context = self._context
        files = context.history.files

        def work() -> None:
            try:
                os.fsync(run.stream)
                size = os.fstat(run.stream).st_size
            except OSError as error:
                raise _write_error(run.path, error) from error
            # The answers are on the disk; who sends the rows now reads them too.
            self._require_lease(run.batch)
            run.indexer.run(complete=False)
            files.mark_received(run.file, size, complete=False, ref=run.batch.id)

        await asyncio.to_thread(work)
        now = context.clock()
        changes = {"remote_counts": _counts(run), "progressed_at": now, "trouble": ""}
        await context.update(run.batch.id, changes, durable=False, fenced=True)
        context.publish(RowsCollected(run.batch.job_id, run.batch.id, rows=run.indexer.lines))
        context.publish(CountsChanged(run.batch.job_id, run.batch.id))

    def _result(self, run: _Run) -> RemoteBatch | None:
        complete = run.good + run.bad >= run.batch.rows
        if not complete and not run.cancelled:
            return None
        status = BatchStatus.COMPLETED if complete else BatchStatus.CANCELLED
        return RemoteBatch(
            id=run.batch.id,
            status=status,
            raw_status=status.value,
            counts=_counts(run),
            ended_at=self._context.clock(),
        )


async def _cancel_after_timeout(run: _Run, workers: Sequence[asyncio.Task[None]]) -> None:
    """After a cancel, wait a limited time for answers in flight, then cancel the workers."""
    await run.stop.wait()
    if run.cancelled:
        await asyncio.sleep(_CANCEL_SECONDS)
        for worker in workers:
            worker.cancel()


def _counts(run: _Run) -> RemoteCounts:
    return RemoteCounts(total=run.batch.rows, completed=run.good, failed=run.bad)


def _write_error(path: Path, error: OSError) -> HistoryError:
    return HistoryError(
        f"{path} cannot be written: {error.strerror}",
        "Free some disk space; the remaining rows are then sent.",
    )
