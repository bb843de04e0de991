"""Download the result files of a batch, index them, and set the outcome of rows without one."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path
from typing import BinaryIO

from tui.core.formatting import counted
from tui.core.jobs import Batch, BatchStatus
from tui.core.remote_batches import BatchIssue, FileState, FileVerdict, RemoteBatch, ResultSource
from tui.core.retry_rules import RetryRules, retryable
from tui.core.rows import Outcome, RowError
from tui.engine.context import Context
from tui.engine.events import DownloadProgressed, RowsCollected
from tui.errors import (
    HistoryError,
    RequestRejectedError,
    UnexpectedResponseError,
    UnreachableError,
)
from tui.paths import open_private
from tui.progress import Progress
from tui.providers.dialect import Dialect
from tui.providers.wire.download import Download
from tui.store.history import FileIndexer, ResultFile


class ResultWriter:
    """Appends bytes to a file. Methods block on the disk: call them in a thread.

    A cancelled write continues in its thread, so each write waits for the one before.

    Args:
        path: The file.
        have: How many bytes of it to keep.

    Raises:
        HistoryError: The file cannot be written.
    """

    def __init__(self, path: Path, have: int) -> None:
        self._path = path
        self._lock = threading.Lock()
        try:
            self._stream = _opened(path, have)
        except OSError as error:
            raise self._write_error(error) from error

    def write(self, pending: bytearray) -> None:
        """Write the pending bytes and clear the buffer.

        Raises:
            HistoryError: The file cannot be written.
        """
        with self._lock:
            self._write(pending)

    def close(self, pending: bytearray) -> None:
        """Write the pending bytes, sync to disk, and close.

        Raises:
            HistoryError: The file cannot be written.
        """
        with self._lock:
            try:
                with self._stream:
                    try:
                        self._write(pending)
                    finally:
                        os.fsync(self._stream.fileno())
            except OSError as error:
                raise self._write_error(error) from error

    def _write(self, pending: bytearray) -> None:
        try:
            while pending:
                # A nearly full disk may accept only part of it.
                del pending[: self._stream.write(pending)]
        except OSError as error:
            raise self._write_error(error) from error

    def _write_error(self, error: OSError) -> HistoryError:
        return HistoryError(
            f"{self._path} cannot be written: {error.strerror}",
            "Free some disk space; the results are then downloaded again.",
        )


def _opened(path: Path, have: int) -> BinaryIO:
    if have == 0:
        # Create a new file instead of truncating: a search may have the old one mapped, and
        # reading past the end of a mapped file that shrank kills the process.
        path.unlink(missing_ok=True)
    stream = os.fdopen(open_private(path, os.O_RDWR | os.O_CREAT), "r+b", buffering=0)
    stream.truncate(have)
    stream.seek(have)
    return stream


_WRITE_BYTES = 1 << 18
_INDEX_BYTES = 1 << 20

ABSENT_STATUSES = frozenset({404, 410})
"""HTTP statuses which say that a result file does not exist."""

_NO_RESULT = {
    BatchStatus.EXPIRED: (Outcome.EXPIRED, "batch_expired", "The window closed before it ran"),
    BatchStatus.CANCELLED: (Outcome.CANCELLED, "batch_cancelled", "Cancelled before it ran"),
    BatchStatus.FAILED: (Outcome.FAILED, "batch_failed", "The provider failed the whole batch"),
    BatchStatus.COMPLETED: (Outcome.MISSING, "missing", "No result line for this row"),
}


_NOTHING_KEPT = (
    "The batch was not done after {hours} hours, and the provider returns nothing of it: send"
    " smaller parts (limits.rows)"
)


class Collector:
    """Collects the results of the batches of one engine."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._locks: dict[str, asyncio.Lock] = {}
        self._suspect: set[tuple[str, str]] = set()
        self._indexers: set[FileIndexer] = set()

    @property
    def has_child(self) -> bool:
        """Whether a child process is indexing for this one."""
        return any(indexer.has_child for indexer in self._indexers)

    async def fetch(
        self, dialect: Dialect, batch: Batch, remote: RemoteBatch
    ) -> tuple[FileVerdict, ...]:
        """Download all results that the provider has for a batch.

        Returns:
            What each file is. Only rows of whole files without unreadable lines may be missing.

        Raises:
            BatchdeckError: Something could not be downloaded; whether it exists is not known.
        """
        async with self._locks.setdefault(batch.id, asyncio.Lock()):
            refused: RequestRejectedError | None = None
            verdicts: list[FileVerdict] = []
            for source in remote.results:
                try:
                    verdicts.append(await self._fetch_file(dialect, batch, source))
                except RequestRejectedError as error:
                    # One file may be gone while the other still exists.
                    if error.status in ABSENT_STATUSES:
                        absent = FileState.ABSENT
                        verdicts.append(_failed(source, absent, error.message, error.status))
                    else:
                        refused = refused or error
                except UnexpectedResponseError as error:
                    # A page of a proxy: what is here of the file is left as it is.
                    if error.status is None:
                        raise
                    reason = f"not readable: {error.message}"
                    verdicts.append(_failed(source, FileState.UNREADABLE, reason, error.status))
            if refused is not None:
                raise refused
            return tuple(verdicts)

    def mark_suspect(self, batch: Batch, remote: RemoteBatch) -> None:
        """Download the files of a batch from the start next time, because they lack rows.

        The current files are kept until new bytes arrive: by then the provider may be down or
        may have deleted the results.
        """
        self._suspect |= {(batch.id, source.kind) for source in remote.results}

    async def finish_rows(self, batch: Batch, remote: RemoteBatch, answers_lost: int = 0) -> int:
        """Set the outcome of rows without a result line in an ended batch.

        Args:
            batch: The batch.
            remote: What the provider says of it.
            answers_lost: Answers that the provider counts and its files do not have. Which rows
                they belong to is not known, so none of these rows is retried unless the user
                insists.

        Returns:
            The number of these rows.
        """
        outcome, code, default = _NO_RESULT[remote.status]
        hours = self._context.accounts.profile(batch.account).limits.expires_hours
        if remote.status is BatchStatus.EXPIRED and hours and not remote.results:
            default = _NOTHING_KEPT.format(hours=hours)
        message = _issues_text(remote.issues) or default
        issue_code = next((issue.code for issue in remote.issues if issue.code), None)
        can_retry = self._can_retry(batch, remote) if outcome is Outcome.FAILED else True
        if answers_lost:
            code, issue_code, can_retry = "answer_lost", None, False
            message = (
                f"The provider counts {counted(answers_lost, 'answer')} that its result files do"
                " not have; this row may be one of them, and was charged in that case"
            )
        error = RowError(code=issue_code or code, message=message, retryable=can_retry)
        files = self._context.history.files
        rules = self._context.accounts.profile(batch.account).retry_codes
        await asyncio.to_thread(files.share_answers, batch, rules)
        self._context.reach("shared")
        rejected = 0
        if remote.status is BatchStatus.FAILED and (lines := errors_by_line(remote.issues)):
            rejected = await asyncio.to_thread(
                self._context.history.batches.fail_rows, batch, lines
            )
            # The other rows are valid: without the rejected ones the batch would have run.
            message = f"Not run because of errors in other rows: {message}"
            error = RowError(code=code, message=message, retryable=True)
        missing = await asyncio.to_thread(
            self._context.history.batches.finish_remaining, batch, outcome, error, message[:160]
        )
        return missing + rejected

    def _can_retry(self, batch: Batch, remote: RemoteBatch) -> bool | None:
        """Whether sending the rows of a failed batch again can help; ``None`` if unknown."""
        rules = RetryRules(self._context.accounts.profile(batch.account).retry_codes)
        verdicts = {retryable(None, issue.code, rules) for issue in remote.issues}
        if False in verdicts:
            return False
        return None if None in verdicts or not verdicts else True

    async def _fetch_file(
        self, dialect: Dialect, batch: Batch, source: ResultSource
    ) -> FileVerdict:
        file = await asyncio.to_thread(self._context.history.files.get, batch.id, source.kind)
        suspect = (batch.id, source.kind) in self._suspect
        # A batch that became active again may have another file than the downloaded one.
        replaced = file.complete and file.ref != source.ref
        if file.complete and not (source.growing or replaced or suspect):
            files = self._context.history.files
            return await asyncio.to_thread(files.verdict, file, source)
        indexer = await asyncio.to_thread(self._indexer, dialect, batch, file)
        self._indexers.add(indexer)
        try:
            from_start = replaced or suspect
            return await self._download(
                dialect, batch, source, file, indexer, from_start=from_start
            )
        finally:
            self._indexers.discard(indexer)
            await asyncio.to_thread(indexer.close)

    async def _download(
        self,
        dialect: Dialect,
        batch: Batch,
        source: ResultSource,
        file: ResultFile,
        indexer: FileIndexer,
        *,
        from_start: bool,
    ) -> FileVerdict:
        context = self._context
        files = context.history.files
        earlier = file.received
        size = file.path.stat().st_size if file.path.exists() else 0
        if size > indexer.indexed:
            # Bytes that an earlier process wrote but did not index.
            await asyncio.to_thread(files.index_new, file, indexer)
        # Indexed bytes may be missing on disk after a power cut or a manual change.
        restart = from_start or size < indexer.indexed
        # Otherwise resume after the last complete line: servers that resume by line number
        # would leave the rest of a partial line in the middle of the file.
        have, lines = (0, 0) if restart else (indexer.indexed, indexer.lines)
        async with dialect.download(source, have_bytes=have, have_lines=lines) as download:
            if not download.appends and (have or restart):
                file = await asyncio.to_thread(files.start_over, file)
                await asyncio.to_thread(indexer.start_over)
                have = 0
            if download.total is not None:
                await asyncio.to_thread(indexer.start_if_large, have + download.total)
            self._suspect.discard((batch.id, source.kind))
            context.reach("downloading")
            try:
                await self._stream(batch, file, have, download, indexer)
            except (UnreachableError, UnexpectedResponseError) as error:
                received = file.path.stat().st_size
                reason = f"not whole: {error.message}"
                verdict = await asyncio.to_thread(files.keep, file, indexer, source, reason)
                self._report_rows(batch, indexer)
                if received > earlier or source.growing:
                    # The rest may come with the next try.
                    raise
                return verdict
        context.reach("downloaded")
        growing = source.growing or download.growing
        verdict = await asyncio.to_thread(
            files.finish, file, indexer, source, growing=growing, earlier=earlier
        )
        self._report_rows(batch, indexer)
        context.reach("collected")
        return verdict

    async def open_output(self, dialect: Dialect, batch: Batch) -> tuple[ResultFile, FileIndexer]:
        """The output file of a direct batch, and its indexer."""
        file = await asyncio.to_thread(self._context.history.files.get, batch.id, "output")
        return file, self._indexer(dialect, batch, file)

    def _indexer(self, dialect: Dialect, batch: Batch, file: ResultFile) -> FileIndexer:
        return self._context.history.files.indexer(
            batch, file, dialect.result_style, dialect.retry_rules
        )

    async def _stream(
        self, batch: Batch, file: ResultFile, have: int, download: Download, indexer: FileIndexer
    ) -> None:
        """Write the body to disk and index it meanwhile."""

        def report(received: int, total: int | None) -> None:
            event = DownloadProgressed(batch.job_id, batch.id, received=received, total=total)
            self._context.publish(event)

        progress = Progress(report)
        received = have
        unindexed = 0
        indexing: asyncio.Task[None] | None = None
        pending = bytearray()
        index_new = self._context.history.files.index_new
        writer = await asyncio.to_thread(ResultWriter, file.path, have)
        try:
            async for chunk in download.chunks:
                pending += chunk
                received += len(chunk)
                unindexed += len(chunk)
                if len(pending) >= _WRITE_BYTES:
                    await asyncio.to_thread(writer.write, pending)
                progress.update(received, download.total)
                if unindexed >= _INDEX_BYTES and (indexing is None or indexing.done()):
                    if indexing is not None:
                        indexing.result()
                        self._report_rows(batch, indexer)
                    await asyncio.to_thread(writer.write, pending)
                    unindexed = 0
                    indexing = asyncio.create_task(asyncio.to_thread(index_new, file, indexer))
        finally:
            try:
                await asyncio.to_thread(writer.close, pending)
            finally:
                if indexing is not None:
                    await asyncio.wait([indexing])
        if indexing is not None:
            indexing.result()
        if download.total is not None and received - have < download.total:
            raise UnexpectedResponseError(
                f"the result file was cut off after {received - have:,} of"
                f" {download.total:,} bytes",
                "The download is resumed from there.",
            )

    def _report_rows(self, batch: Batch, indexer: FileIndexer) -> None:
        self._context.publish(RowsCollected(batch.job_id, batch.id, rows=indexer.lines))


def _failed(source: ResultSource, state: FileState, reason: str, status: int | None) -> FileVerdict:
    """The verdict on a file of which nothing was received."""
    return FileVerdict(kind=source.kind, ref=source.ref, state=state, reason=reason, status=status)


def errors_by_line(issues: tuple[BatchIssue, ...]) -> dict[int, RowError]:
    """The provider's errors by input line; empty if any error is not about a line."""
    found: dict[int, RowError] = {}
    for issue in issues:
        if issue.line is None or issue.line < 1:
            return {}
        can_retry = retryable(None, issue.code) is True
        message = issue.message or issue.code or "The provider rejected this line"
        code = issue.code or "invalid_line"
        found.setdefault(issue.line, RowError(code=code, message=message, retryable=can_retry))
    return found


def _issues_text(issues: tuple[BatchIssue, ...]) -> str:
    """The provider's errors about a batch, with line numbers, as one line."""
    texts = []
    for issue in issues[:5]:
        place = f"line {issue.line}: " if issue.line is not None else ""
        texts.append(f"{place}{issue.message or issue.code or ''}")
    return "; ".join(text for text in texts if text)
