"""Sending the rows of a direct batch one by one, and keeping each answer as it comes.

The batch's own output file is the checkpoint: an answer is written to it, as a result line,
before the next row of that place goes out. Whoever goes on after a crash reads which rows have
a line, and sends the others. What is lost by a kill is what was under way.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tui.core.counts import RemoteCounts
from tui.core.editing import edit_request
from tui.core.jobs import Batch
from tui.core.remote import RemoteBatch
from tui.core.status import BatchStatus
from tui.engine.collector import Collector
from tui.engine.context import Context
from tui.engine.events import CountsChanged, RowsCollected
from tui.errors import BatchdeckError, HistoryError
from tui.paths import open_private
from tui.providers.lane import AnswersRows, RowAnswer
from tui.store.aside import FileIndexer
from tui.store.batches import answered_in, mark_running, pending_seqs
from tui.store.files import mark_received
from tui.store.indexing import ResultFile

_PAGE = 200
_SAVE_SECONDS = 0.5
"""How long an answer may wait until it is flushed to the disk and shown."""

_CANCEL_SECONDS = 30.0
"""How long answers that are under way are waited for after a cancel: they are paid for."""

_TOLD_SECONDS = 3.0
"""Pauses from so many seconds on are told."""


@dataclass
class _Run:
    """A batch that is being sent: what is known, and who has to know of an end."""

    batch: Batch
    path: Path
    stream: int
    file: ResultFile
    indexer: FileIndexer
    good: int
    bad: int
    size: int
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    cancelled: bool = False
    unsaved: int = 0
    trouble: BatchdeckError | None = None


class DirectRunner:
    """Runs the direct batches of one engine.

    Args:
        context: The engine's surroundings.
        collector: Knows the result files.
    """

    def __init__(self, context: Context, collector: Collector) -> None:
        self._context = context
        self._collector = collector
        self._runs: dict[str, _Run] = {}
        self._closing = False

    def close(self) -> None:
        """Send nothing more; answers that are under way are still kept."""
        self._closing = True
        for run in self._runs.values():
            run.stop.set()

    def runs(self, batch_id: str) -> bool:
        """Is a batch being sent by this engine?"""
        return batch_id in self._runs

    def cancel(self, batch_id: str) -> None:
        """Stop sending a batch; the history says already that it is cancelling."""
        run = self._runs.get(batch_id)
        if run is not None:
            run.cancelled = True
            run.stop.set()

    async def run(self, dialect: AnswersRows, batch: Batch) -> RemoteBatch | None:
        """Send what of a batch has no answer yet.

        Returns:
            The batch as it ended; ``None`` when it did not, because the program is closing.

        Raises:
            BatchdeckError: Something that concerns every row: no way to the server, a wrong
                key, a full disk. The rows without an answer are still to be sent.
        """
        run = await self._opened(dialect, batch)
        self._runs[batch.id] = run
        try:
            await self._send_all(dialect, run)
            if run.trouble is not None:
                raise run.trouble
            return self._ended(run)
        finally:
            del self._runs[batch.id]
            await asyncio.to_thread(os.close, run.stream)
            await asyncio.to_thread(run.indexer.close)

    async def _opened(self, dialect: AnswersRows, batch: Batch) -> _Run:
        """The output file with every whole line indexed, and without a torn one."""
        database = self._context.history.database
        file, indexer = await self._collector.opened(dialect, batch)

        def work() -> tuple[int, int, int, int]:
            try:
                stream = open_private(file.path, os.O_RDWR | os.O_CREAT)
                size = os.fstat(stream).st_size
                if size > indexer.indexed:
                    indexer.run(complete=False)
                # A kill in the middle of a write leaves a part of a line.
                os.ftruncate(stream, indexer.indexed)
                os.lseek(stream, 0, os.SEEK_END)
            except OSError as error:
                raise _unwritable(file.path, error) from error
            return (stream, indexer.indexed, *answered_in(database, batch))

        stream, size, good, bad = await asyncio.to_thread(work)
        run = _Run(batch, file.path, stream, file, indexer, good, bad, size)
        run.cancelled = batch.status is BatchStatus.CANCELLING
        if self._closing or run.cancelled:
            run.stop.set()
        else:
            await asyncio.to_thread(mark_running, database, batch.id)
        return run

    async def _send_all(self, dialect: AnswersRows, run: _Run) -> None:
        database = self._context.history.database
        seqs = await asyncio.to_thread(pending_seqs, database, run.batch)
        feed = self._requests(run.batch, seqs)
        one_at_a_time = asyncio.Lock()
        saver = asyncio.create_task(self._keep_saving(run), name=f"save {run.batch.id}")
        helpers = [saver]
        try:
            async with asyncio.TaskGroup() as group:
                workers = [
                    group.create_task(self._work(dialect, run, feed, one_at_a_time))
                    for _ in range(min(dialect.concurrency, len(seqs)))
                ]
                helpers.append(asyncio.create_task(_lose_patience(run, workers)))
        finally:
            for helper in helpers:
                helper.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)
            await self._save(run)

    async def _work(
        self,
        dialect: AnswersRows,
        run: _Run,
        feed: AsyncIterator[tuple[str, bytes]],
        one_at_a_time: asyncio.Lock,
    ) -> None:
        """Send one row after the other until there is none, or no more is to be sent."""

        def on_pause(error: BatchdeckError, seconds: float) -> None:
            if seconds >= _TOLD_SECONDS:
                context = self._context
                context.tell_trouble(run.batch, error, context.clock() + seconds)

        while not run.stop.is_set():
            async with one_at_a_time:
                row = await anext(feed, None)
            if row is None:
                return
            custom_id, request = row
            try:
                answer = await dialect.answer(request, custom_id, stop=run.stop, on_pause=on_pause)
                if answer is None:
                    return
                self._write(run, answer)
            except BatchdeckError as error:
                # It concerns every row: the others that are under way end, and none follows.
                run.trouble = run.trouble or error
                run.stop.set()
                return

    async def _requests(
        self, batch: Batch, seqs: Sequence[int]
    ) -> AsyncIterator[tuple[str, bytes]]:
        """Ids and request lines, as they are to be sent, page by page."""
        history = self._context.history

        def page(start: int) -> list[tuple[str, bytes]]:
            part = seqs[start : start + _PAGE]
            ids = {row.seq: row.custom_id for row in history.rows(batch.job_id, part)}
            lines = history.requests(batch.job_id, part)
            return [(ids[seq], edit_request(line, batch.edits)) for seq, line in lines]

        for start in range(0, len(seqs), _PAGE):
            for row in await asyncio.to_thread(page, start):
                yield row

    def _write(self, run: _Run, answer: RowAnswer) -> None:
        """Append a line; the system has it from here on, whatever becomes of this program."""
        line = answer.line + b"\n"
        try:
            while line:
                line = line[os.write(run.stream, line) :]
        except OSError as error:
            raise _unwritable(run.path, error) from error
        run.size += len(answer.line) + 1
        run.good += answer.good
        run.bad += not answer.good
        run.unsaved += 1
        self._context.reach("row written")

    async def _keep_saving(self, run: _Run) -> None:
        while True:
            await asyncio.sleep(_SAVE_SECONDS)
            try:
                await self._context.shielded(self._save(run))
            except BatchdeckError as error:
                run.trouble = run.trouble or error
                run.stop.set()
                return
            stored = self._context.history.find_batch(run.batch.id)
            if stored is None or stored.status is BatchStatus.CANCELLING:
                # Another program has asked for the end, or deleted the job.
                run.cancelled = True
                run.stop.set()

    async def _save(self, run: _Run) -> None:
        """Flush what came to the disk, index it, and say so.

        Raises:
            NotOursError: Another program has gone on with this batch.
            HistoryError: The disk does not take it.
        """
        if not run.unsaved:
            return
        run.unsaved, size = 0, run.size
        context = self._context
        database = context.history.database

        def work() -> None:
            try:
                os.fsync(run.stream)
            except OSError as error:
                raise _unwritable(run.path, error) from error
            run.indexer.run(complete=False)
            mark_received(database, run.file, size, complete=False, ref=run.batch.id)

        await asyncio.to_thread(work)
        now = context.clock()
        changes = {"remote_counts": _counts(run), "progressed_at": now, "trouble": ""}
        await context.update(run.batch.id, changes, durable=False, fenced=True)
        context.publish(RowsCollected(run.batch.job_id, run.batch.id, rows=run.indexer.lines))
        context.publish(CountsChanged(run.batch.job_id, run.batch.id))

    def _ended(self, run: _Run) -> RemoteBatch | None:
        everything = run.good + run.bad >= run.batch.rows
        if not everything and not run.cancelled:
            return None
        status = BatchStatus.COMPLETED if everything else BatchStatus.CANCELLED
        return RemoteBatch(
            id=run.batch.id,
            status=status,
            raw_status=status.value,
            counts=_counts(run),
            ended_at=self._context.clock(),
        )


async def _lose_patience(run: _Run, workers: Sequence[asyncio.Task[None]]) -> None:
    """After a cancel, wait for the answers that are under way, and not for ever."""
    await run.stop.wait()
    if run.cancelled:
        await asyncio.sleep(_CANCEL_SECONDS)
        for worker in workers:
            worker.cancel()


def _counts(run: _Run) -> RemoteCounts:
    return RemoteCounts(total=run.batch.rows, completed=run.good, failed=run.bad)


def _unwritable(path: Path, error: OSError) -> HistoryError:
    return HistoryError(
        f"{path} cannot be written: {error.strerror}",
        "Free some space; rows without an answer are sent then.",
    )
