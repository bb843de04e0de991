"""Sending a batch, so that it is paid once: a small state machine, stored before each step.

``draft → uploading → uploaded → creating → running``. Before every step on the wire the
history says what is about to happen. When an answer is lost, or the program dies in between,
``tui.engine.recovery`` asks the provider what became of the batch; it is created again only
when the provider is known not to have it.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from tui.core.editing import edit_request, edited_model
from tui.core.jobs import Batch, Job
from tui.core.remote import RemoteBatch
from tui.core.status import BatchStatus, Submission
from tui.engine.context import Context, NotOursError
from tui.engine.events import BatchSubmitted, StatusChanged, UploadProgressed
from tui.engine.native import rebased, run_again
from tui.engine.recovery import Verdict, look_up
from tui.errors import (
    AccountKeyError,
    AnswerLostError,
    BatchdeckError,
    HistoryError,
    KeyRefusedError,
    ProviderError,
    QuotaError,
    RequestRefusedError,
    UsageError,
)
from tui.providers.base import BatchDraft, Dialect
from tui.providers.refusals import may_have_acted
from tui.store.batches import abandon, rows_of, write_input
from tui.store.importing import REQUESTS

_LOOK_OVER = "Nothing was sent. `batchdeck doctor` looks over the whole history."
_UNSURE = "Look at the provider's own page, then submit the job again or delete it."


class _FateUnknownError(Exception):
    """A create may have happened, and the provider cannot be asked at the moment."""

    def __init__(self, cause: BatchdeckError) -> None:
        super().__init__(cause.message)
        self.cause = cause


class Submitter:
    """Sends the batches of one engine."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._locks: dict[str, asyncio.Lock] = {}

    async def send(self, batch_id: str, *, resend: bool = False, unattended: bool = False) -> None:
        """Bring a batch from wherever it stands to ``running``.

        Args:
            batch_id: The batch.
            resend: Create an uncertain batch again; only when a person has said so.
            unattended: Nobody waits for the answer: after trouble that may pass the batch
                waits to be sent again, in place of becoming a draft.

        Raises:
            BatchdeckError: It did not get there; the batch says how far it came.
        """
        # The watcher may come upon a batch that is being sent here: it waits, and finds it done.
        async with self._locks.setdefault(batch_id, asyncio.Lock()):
            await self._send(batch_id, resend, unattended)

    async def settled(self, batch_id: str) -> None:
        """Wait until a batch is not being sent by this engine any more."""
        async with self._locks.setdefault(batch_id, asyncio.Lock()):
            return

    async def _send(self, batch_id: str, resend: bool, unattended: bool) -> None:
        context = self._context
        batch = context.history.batch(batch_id)
        job = context.history.job(batch.job_id)
        try:
            dialect = await context.accounts.dialect(batch.account)
            if batch.native_of is not None:
                await self._send_native(dialect, batch)
                return
            if batch.submission in (Submission.CREATING, Submission.UNCERTAIN):
                batch = await self._recover(dialect, batch, resend=resend)
            if batch.submission == Submission.RUNNING:
                return
            path = await self._prepare(dialect, job, batch)
            if dialect.capabilities.uploads and batch.input_file_id is None:
                batch = await self._upload(dialect, batch, path)
            await self._create(dialect, job, batch, path)
        except NotOursError:
            raise
        except _FateUnknownError as unknown:
            await self._leave(batch_id, unknown.cause, {})
            raise unknown.cause from unknown
        except BatchdeckError as error:
            if isinstance(error, KeyRefusedError):
                await context.accounts.refused(batch.account, error)
            await self._leave(batch_id, error, self._fallback(batch_id, error, unattended))
            raise

    def _fallback(
        self, batch_id: str, error: BatchdeckError, unattended: bool
    ) -> dict[str, object]:
        """The state from which a later send goes on, when the fate of this one is known."""
        batch = self._context.history.batch(batch_id)
        if batch.submission == Submission.UNCERTAIN:
            return {"status": BatchStatus.SUBMITTING}
        passing = error.retryable or isinstance(error, AccountKeyError)
        if isinstance(error, QuotaError) or (unattended and passing):
            return {"submission": Submission.WAITING, "status": BatchStatus.QUEUED}
        changes: dict[str, object] = {
            "submission": Submission.DRAFT,
            "status": BatchStatus.DRAFT,
            "submitted_at": None,
        }
        if isinstance(error, RequestRefusedError):
            # The file itself may be what was refused: it is sent anew next time.
            changes["input_file_id"] = None
        return changes

    async def _leave(
        self, batch_id: str, error: BatchdeckError, changes: dict[str, object]
    ) -> None:
        context = self._context
        batch = context.history.batch(batch_id)
        if batch.attempt > 1 and changes.get("submission") is Submission.DRAFT:
            # A retry that is not under way gives its rows back, in the same step: whoever waits
            # for the job must not see rows that are pending for nothing.
            await asyncio.to_thread(
                abandon, context.history.database, batch_id, error.message, context.clock()
            )
            batch = context.history.batch(batch_id)
        else:
            batch = await context.update(
                batch_id,
                {"trouble": error.message, **changes},
                remark="" if batch.trouble == error.message else error.message,
            )
        context.tell_trouble(batch, error, None)

    async def _send_native(self, dialect: Dialect, batch: Batch) -> None:
        """Let the provider run the rows again in its own batch."""
        if batch.submission is not Submission.RUNNING:
            await self._begin(batch, {"submission": Submission.CREATING})
            self._context.reach("retrying in place")
            remote = await run_again(self._context, dialect, batch)
            parent = self._context.history.batch(batch.native_of or "")
            self._context.reach("retry answered")
            await self._running(dialect, batch, rebased(batch, parent, remote))

    async def _prepare(self, dialect: Dialect, job: Job, batch: Batch) -> Path:
        """The file to send: the job's own where it can go as it is, else one for this batch."""
        folder = self._context.paths.job_folder(job.id)
        whole = batch.attempt == 1 and batch.rows == job.counts.total and not batch.edits
        if whole and dialect.passes_through:
            return await asyncio.to_thread(_unchanged, folder / REQUESTS, job.size)
        path = folder / f"{batch.id}.input.jsonl"
        if not path.exists():
            await asyncio.to_thread(self._write, dialect, job, batch, path)
        return path

    def _write(self, dialect: Dialect, job: Job, batch: Batch, path: Path) -> None:
        history = self._context.history
        if batch.first_seq is not None and batch.last_seq is not None:
            seqs: range | list[int] = range(batch.first_seq, batch.last_seq + 1)
        else:
            seqs = rows_of(history.database.read, batch.id)
        lines = (edit_request(line, batch.edits) for _, line in history.requests(job.id, seqs))
        try:
            write_input(path, lines, dialect.encode_line)
        except ValueError as error:
            raise UsageError(str(error), "Nothing was sent.") from None

    async def _upload(self, dialect: Dialect, batch: Batch, path: Path) -> Batch:
        context = self._context
        await self._begin(batch, {"submission": Submission.UPLOADING})
        context.reach("uploading")

        def progress(sent: int, total: int) -> None:
            context.publish(UploadProgressed(batch.job_id, batch.id, sent=sent, total=total))

        file_id = await dialect.upload(path, name=f"{batch.id}.jsonl", progress=progress)
        context.reach("upload answered")
        batch = await context.update(
            batch.id,
            {"submission": Submission.UPLOADED, "input_file_id": file_id},
            remark=f"Uploaded as {file_id}",
            fenced=True,
        )
        context.reach("uploaded")
        return batch

    async def _create(self, dialect: Dialect, job: Job, batch: Batch, path: Path) -> None:
        draft = BatchDraft(
            path=path,
            rows=batch.rows,
            endpoint=job.endpoint,
            model=edited_model(batch.edits, job.model),
            window=job.window,
            intent=batch.id,
            file_id=batch.input_file_id,
            metadata={"batchdeck_job": job.name[:200]},
        )
        for last in (False, True):
            try:
                await self._create_once(dialect, batch, draft)
                return
            except _AnswerMissingError as missing:
                verdict, remote = await self._ask(dialect, batch)
                if remote is not None:
                    await self._running(dialect, batch, remote)
                    return
                if verdict is Verdict.UNKNOWN:
                    await self._uncertain(batch, missing.cause)
                if last:
                    raise missing.cause from missing

    async def _create_once(self, dialect: Dialect, batch: Batch, draft: BatchDraft) -> None:
        context = self._context
        await self._begin(
            batch, {"submission": Submission.CREATING, "submitted_at": context.clock()}
        )
        context.reach("creating")
        try:
            remote = await dialect.create(draft)
        except ProviderError as error:
            # A 5xx may come from a proxy after the server had acted; a 4xx says no.
            if may_have_acted(error):
                raise _AnswerMissingError(error) from error
            raise
        context.reach("create answered")
        await self._running(dialect, batch, remote)

    async def _begin(self, batch: Batch, changes: dict[str, object]) -> None:
        changes = {"status": BatchStatus.SUBMITTING, **changes}
        await self._context.update(batch.id, changes, fenced=True)
        self._context.publish(
            StatusChanged(batch.job_id, batch.id, status=BatchStatus.SUBMITTING, raw_status="")
        )

    async def _ask(self, dialect: Dialect, batch: Batch) -> tuple[Verdict, RemoteBatch | None]:
        try:
            return await look_up(self._context, dialect, batch)
        except BatchdeckError as error:
            raise _FateUnknownError(error) from error

    async def _uncertain(self, batch: Batch, cause: BatchdeckError | None) -> None:
        await self._context.update(batch.id, {"submission": Submission.UNCERTAIN})
        reason = f": {cause.message}" if cause is not None else ""
        raise AnswerLostError(
            f"it is not certain whether the provider took the batch{reason}", _UNSURE
        ) from cause

    async def _recover(self, dialect: Dialect, batch: Batch, *, resend: bool) -> Batch:
        """A create was under way before: ask what became of it before anything is sent."""
        verdict, remote = await self._ask(dialect, batch)
        if remote is not None:
            await self._running(dialect, batch, remote)
        elif verdict is Verdict.UNKNOWN and not resend:
            await self._uncertain(batch, None)
        else:
            step = Submission.UPLOADED if batch.input_file_id else Submission.DRAFT
            await self._context.update(batch.id, {"submission": step})
        return self._context.history.batch(batch.id)

    async def _running(self, dialect: Dialect, batch: Batch, remote: RemoteBatch) -> None:
        context = self._context
        now = context.clock()
        await context.update(
            batch.id,
            {
                "submission": Submission.RUNNING,
                "status": remote.status,
                "raw_status": remote.raw_status,
                "remote_id": remote.id,
                "remote_counts": remote.counts,
                "expires_at": remote.expires_at,
                "style": dialect.result_style,
                "trouble": "",
                "progressed_at": now,
                "next_poll_at": now,
                "raw": remote.raw,
            },
            remark=f"Taken by the provider as {remote.id}",
        )
        context.reach("running")
        context.publish(BatchSubmitted(batch.job_id, batch.id, remote_id=remote.id))
        context.publish(
            StatusChanged(
                batch.job_id, batch.id, status=remote.status, raw_status=remote.raw_status
            )
        )


def _unchanged(path: Path, size: int) -> Path:
    """The job's requests, if they are still what was checked and confirmed.

    Raises:
        HistoryError: They are not.
    """
    try:
        there = path.stat().st_size
    except OSError as error:
        raise HistoryError(f"{path} cannot be read: {error.strerror}", _LOOK_OVER) from error
    if there != size:
        raise HistoryError(f"{path} has {there:,} bytes and not {size:,} any more", _LOOK_OVER)
    return path


class _AnswerMissingError(Exception):
    """A create went out and no usable answer came back."""

    def __init__(self, cause: ProviderError) -> None:
        super().__init__(cause.message)
        self.cause = cause
