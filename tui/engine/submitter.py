"""Sending a batch, so that it is paid once: a small state machine, stored before each step.

``draft → uploading → uploaded → creating → running``. Before every step on the wire the
history says what is about to happen. When an answer is lost, or the program dies in between,
``tui.engine.recovery`` asks the provider what became of the batch; it is created again only
when the provider is known not to have it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from tui.core.editing import edited_model
from tui.core.jobs import Batch, Job
from tui.core.remote import RemoteBatch
from tui.core.status import BatchStatus, Submission
from tui.engine.context import Context, NotOursError
from tui.engine.events import BatchSubmitted, StatusChanged, UploadProgressed
from tui.engine.native import rebased, run_again
from tui.engine.outgoing import file_to_send
from tui.engine.recovery import Verdict, look_up
from tui.engine.telling import hear_cost, stay_within
from tui.errors import (
    AccountKeyError,
    AnswerLostError,
    BatchdeckError,
    KeyRefusedError,
    ProviderError,
    QuotaError,
    RequestRefusedError,
    UsageError,
)
from tui.providers.base import BatchDraft, Dialect
from tui.providers.refusals import may_have_acted
from tui.store.batches import abandon

_UNSURE = (
    "Look at the provider's own page. It is there: `batchdeck adopt ITS_ID --job JOB`."
    " It is not: `batchdeck submit JOB --resend`."
)


class _FateUnknownError(Exception):
    """A create may have happened, and the provider cannot be asked at the moment."""

    def __init__(self, cause: BatchdeckError) -> None:
        super().__init__(cause.message)
        self.cause = cause


class Submitter:
    """Sends the batches of one engine.

    Args:
        context: The engine's surroundings.
        afford: Asked before a create, when the provider has said what it thinks that the
            batch will cost; raises ``BudgetError`` to stop it.
    """

    def __init__(self, context: Context, afford: Callable[[Batch], None] | None = None) -> None:
        self._context = context
        self._afford = afford
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

    async def attach(self, batch: Batch, remote_id: str) -> None:
        """Take a person's word for which batch of the provider an uncertain one became.

        Raises:
            UsageError: It is another one: known already, or of another size.
            BatchdeckError: The provider does not know it, or cannot be asked.
        """
        context = self._context
        known = context.history.job_of_remote(batch.account, remote_id)
        if known is not None:
            raise UsageError(f"the provider's batch {remote_id} belongs to job {known} already")
        dialect = await context.accounts.dialect(batch.account)
        remote = await dialect.retrieve(remote_id)
        total = remote.counts.total
        if total not in (None, 0, batch.rows):
            raise UsageError(
                f"the provider's batch has {total:,} rows, and this one {batch.rows:,}",
                "Look for the right one on the provider's own page.",
            )
        await self._running(dialect, batch, remote)

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
            path = await file_to_send(self._context, dialect, job, batch)
            if dialect.capabilities.uploads and batch.input_file_id is None:
                batch = await self._upload(dialect, batch, path)
            if dialect.capabilities.tells_cost:
                batch = await hear_cost(context, dialect, job, batch)
            if self._afford is not None:
                await stay_within(context, dialect, batch, self._afford)
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
                await self._absent(batch)

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
            await self._absent(batch)
        return self._context.history.batch(batch.id)

    async def _absent(self, batch: Batch) -> None:
        """The provider does not have it: until the next create it can be cancelled here."""
        step = Submission.UPLOADED if batch.input_file_id else Submission.UPLOADING
        await self._context.update(batch.id, {"submission": step})

    async def _running(self, dialect: Dialect, batch: Batch, remote: RemoteBatch) -> None:
        context = self._context
        now = context.clock()
        here = dialect.capabilities.runs_here
        await context.update(
            batch.id,
            {
                "submission": Submission.RUNNING,
                "status": remote.status,
                "raw_status": remote.raw_status,
                # Of rows that are sent one by one the provider knows no batch.
                "remote_id": None if here else remote.id,
                "remote_counts": remote.counts,
                "expires_at": remote.expires_at,
                "results_expire_at": context.kept_until(batch.account, remote),
                "style": dialect.result_style,
                "trouble": "",
                "progressed_at": now,
                "next_poll_at": now,
                "raw": remote.raw,
            },
            remark=(
                "Ready: rows are sent one by one"
                if here
                else f"Taken by the provider as {remote.id}"
            ),
        )
        context.reach("running")
        if not here:
            context.publish(BatchSubmitted(batch.job_id, batch.id, remote_id=remote.id))
        context.publish(
            StatusChanged(
                batch.job_id, batch.id, status=remote.status, raw_status=remote.raw_status
            )
        )


class _AnswerMissingError(Exception):
    """A create went out and no usable answer came back."""

    def __init__(self, cause: ProviderError) -> None:
        super().__init__(cause.message)
        self.cause = cause
