"""Fetching results: streamed to the disk, indexed while they stream, gone on with after a break.

The provider's bytes are kept as they came. What cannot be fetched now is fetched later: a
batch counts as collected only when every file that the provider named is here and indexed,
and rows of which no file speaks have been given an outcome.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from tui.core.jobs import Batch
from tui.core.outcome import Outcome
from tui.core.remote import BatchIssue, RemoteBatch, ResultSource
from tui.core.retrying import retryable
from tui.core.rows import RowError
from tui.core.status import BatchStatus
from tui.engine.billing import bill
from tui.engine.context import Context
from tui.engine.events import DownloadProgressed, RowsCollected
from tui.engine.growing import GrowingFile
from tui.errors import GarbledAnswerError, RequestRefusedError
from tui.providers.base import Dialect, Download
from tui.store.aside import FileIndexer, Task
from tui.store.batches import blame_rows, give_up_rows, pending_in
from tui.store.files import begin_anew, mark_received, result_file
from tui.store.indexing import ResultFile

_WRITE_BYTES = 1 << 18
_INDEX_BYTES = 1 << 20

_SILENT = {
    BatchStatus.EXPIRED: (Outcome.EXPIRED, "batch_expired", "The window closed before it ran"),
    BatchStatus.CANCELLED: (Outcome.CANCELLED, "batch_cancelled", "Cancelled before it ran"),
    BatchStatus.FAILED: (Outcome.FAILED, "batch_failed", "The provider failed the whole batch"),
    BatchStatus.COMPLETED: (Outcome.MISSING, "missing", "No result line speaks of this row"),
}


class Collector:
    """Collects the results of the batches of one engine."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._locks: dict[str, asyncio.Lock] = {}
        self._doubted: set[tuple[str, str]] = set()
        self._indexers: set[FileIndexer] = set()

    @property
    def is_aided(self) -> bool:
        """Does a process that indexes for this one write into the history now?"""
        return any(indexer.is_aided for indexer in self._indexers)

    async def fetch(self, dialect: Dialect, batch: Batch, remote: RemoteBatch) -> None:
        """Bring everything here that the provider has of a batch now.

        Raises:
            BatchdeckError: Something is still to be fetched.
        """
        async with self._locks.setdefault(batch.id, asyncio.Lock()):
            refused: RequestRefusedError | None = None
            for source in remote.results:
                try:
                    await self._fetch_file(dialect, batch, source)
                except RequestRefusedError as error:
                    # One file may be gone and the other still be there.
                    refused = refused or error
            if refused is not None:
                raise refused

    async def lacking(self, batch: Batch, remote: RemoteBatch) -> int:
        """How many rows the provider counts as done, or failed, of which no line is here."""
        counts = remote.counts
        done = min((counts.completed or 0) + (counts.failed or 0), batch.rows)
        if not done or not remote.results:
            return 0
        database = self._context.history.database
        silent = await asyncio.to_thread(pending_in, database, batch)
        return max(0, done - (batch.rows - silent))

    def doubt(self, batch: Batch, remote: RemoteBatch) -> None:
        """Fetch the files of a batch from the start at the next time, because they lack rows.

        What is here stays until the new bytes are on their way: the provider may be down by
        then, or past its keeping time.
        """
        self._doubted |= {(batch.id, source.kind) for source in remote.results}

    async def settle(self, batch: Batch, remote: RemoteBatch) -> int:
        """Give an outcome to the rows of an ended batch of which no file speaks, and reckon up.

        Returns:
            How many rows there were.
        """
        outcome, code, words = _SILENT[remote.status]
        message = _issue_words(remote.issues) or words
        issue_code = next((issue.code for issue in remote.issues if issue.code), None)
        again = None if outcome is Outcome.FAILED else True
        error = RowError(code=issue_code or code, message=message, retryable=again)
        blamed = 0
        if remote.status is BatchStatus.FAILED and (lines := errors_by_line(remote.issues)):
            database = self._context.history.database
            blamed = await asyncio.to_thread(blame_rows, database, batch, lines)
            # The others are good as they are: a batch of them alone would have run.
            message = f"Not run, because of other rows: {message}"
            error = RowError(code=code, message=message, retryable=True)
        silent = await asyncio.to_thread(
            give_up_rows, self._context.history.database, batch, outcome, error, message[:160]
        )
        await bill(self._context, batch)
        return silent + blamed

    async def _fetch_file(self, dialect: Dialect, batch: Batch, source: ResultSource) -> None:
        context = self._context
        database = context.history.database
        file = await asyncio.to_thread(result_file, database, context.paths, batch.id, source.kind)
        doubted = (batch.id, source.kind) in self._doubted
        # A batch that became active again may name another file than the one that is here.
        replaced = file.complete and file.ref != source.ref
        if file.complete and not (source.growing or replaced or doubted):
            return
        indexer = await asyncio.to_thread(self._indexer, dialect, batch, file)
        self._indexers.add(indexer)
        try:
            afresh = replaced or doubted
            await self._fetch_on(dialect, batch, source, file, indexer, afresh=afresh)
        finally:
            self._indexers.discard(indexer)
            await asyncio.to_thread(indexer.close)

    async def _fetch_on(
        self,
        dialect: Dialect,
        batch: Batch,
        source: ResultSource,
        file: ResultFile,
        indexer: FileIndexer,
        *,
        afresh: bool,
    ) -> None:
        context = self._context
        database = context.history.database
        size = file.path.stat().st_size if file.path.exists() else 0
        if size > indexer.indexed:
            # Bytes that an earlier run wrote and did not index.
            await asyncio.to_thread(indexer.run, complete=False)
        # The disk may have lost what was indexed: a power cut, a person.
        anew = afresh or size < indexer.indexed
        # Else from the end of the last whole line: servers that go on by lines would leave
        # the rest of a cut one standing in the middle.
        have, lines = (0, 0) if anew else (indexer.indexed, indexer.lines)
        async with dialect.download(source, have_bytes=have, have_lines=lines) as download:
            if not download.appends and (have or anew):
                file = await asyncio.to_thread(begin_anew, database, file)
                await asyncio.to_thread(indexer.begin_anew)
                have = 0
            if download.total is not None:
                await asyncio.to_thread(indexer.expect, have + download.total)
            self._doubted.discard((batch.id, source.kind))
            context.reach("downloading")
            received = await self._stream(batch, file.path, have, download, indexer)
        context.reach("downloaded")
        complete = not (source.growing or download.growing)
        await asyncio.to_thread(indexer.run, complete=complete)
        await asyncio.to_thread(
            mark_received, database, file, received, complete=complete, ref=source.ref
        )
        self._tell_rows(batch, indexer)
        context.reach("collected")

    async def opened(self, dialect: Dialect, batch: Batch) -> tuple[ResultFile, FileIndexer]:
        """The output file of a batch that is written here, and what reads it into the history."""
        context = self._context
        database = context.history.database
        file = await asyncio.to_thread(result_file, database, context.paths, batch.id, "output")
        return file, self._indexer(dialect, batch, file)

    def _indexer(self, dialect: Dialect, batch: Batch, file: ResultFile) -> FileIndexer:
        history = self._context.history
        task = Task(
            database=str(history.database.path),
            batch=batch.id,
            pk=file.pk,
            path=str(file.path),
            style=dialect.result_style,
            rules=dict(dialect.retry_rules),
            only=history.rows_of(batch.id) if batch.native_of is not None else None,
        )
        return FileIndexer(history.database, task)

    async def _stream(
        self,
        batch: Batch,
        path: Path,
        have: int,
        download: Download,
        indexer: FileIndexer,
    ) -> int:
        """Write the body to the disk and index behind it; the answer is the file's size."""
        received = have
        unindexed = 0
        indexing: asyncio.Task[int] | None = None
        pending = bytearray()
        file = await asyncio.to_thread(GrowingFile, path, have)
        try:
            async for chunk in download.chunks:
                pending += chunk
                received += len(chunk)
                unindexed += len(chunk)
                if len(pending) >= _WRITE_BYTES:
                    await asyncio.to_thread(file.write, pending)
                self._context.publish(
                    DownloadProgressed(
                        batch.job_id, batch.id, received=received, total=download.total
                    )
                )
                if unindexed >= _INDEX_BYTES and (indexing is None or indexing.done()):
                    if indexing is not None:
                        indexing.result()
                        self._tell_rows(batch, indexer)
                    await asyncio.to_thread(file.write, pending)
                    unindexed = 0
                    indexing = asyncio.create_task(asyncio.to_thread(indexer.run, complete=False))
        finally:
            try:
                await asyncio.to_thread(file.close, pending)
            finally:
                if indexing is not None:
                    await asyncio.wait([indexing])
        if indexing is not None:
            indexing.result()
        if download.total is not None and received - have < download.total:
            raise GarbledAnswerError(
                f"the result file broke off after {received - have:,} of {download.total:,} bytes",
                "It is fetched again from there.",
            )
        return received

    def _tell_rows(self, batch: Batch, indexer: FileIndexer) -> None:
        self._context.publish(RowsCollected(batch.job_id, batch.id, rows=indexer.lines))


def errors_by_line(issues: tuple[BatchIssue, ...]) -> dict[int, RowError]:
    """The complaints about single lines of the input; empty when one is about something else."""
    found: dict[int, RowError] = {}
    for issue in issues:
        if issue.line is None or issue.line < 1:
            return {}
        again = retryable(None, issue.code) is True
        words = issue.message or issue.code or "The provider refuses this line"
        code = issue.code or "invalid_line"
        found.setdefault(issue.line, RowError(code=code, message=words, retryable=again))
    return found


def _issue_words(issues: tuple[BatchIssue, ...]) -> str:
    """What the provider says of a batch as a whole, with line numbers, in one line."""
    words = []
    for issue in issues[:5]:
        place = f"line {issue.line}: " if issue.line is not None else ""
        words.append(f"{place}{issue.message or issue.code or ''}")
    return "; ".join(word for word in words if word)
