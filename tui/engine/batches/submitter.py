"""Send a batch exactly once: upload, create, and find out what a lost answer meant."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from tui.core.jobs import Batch, BatchStatus, Submission, is_terminal
from tui.core.remote_batches import RemoteBatch
from tui.core.requests import edited_model
from tui.core.submission import UNCONFIRMED, SubmitEvent
from tui.engine.batches.in_place_retry import request_in_place_retry, with_retried_counts
from tui.engine.batches.input_file import input_file, with_mark
from tui.engine.batches.recovery import Look, Recovery, RecoveryOutcome, which_batch
from tui.engine.batches.spare_uploads import tell_of_spares, upload_name
from tui.engine.context import Context
from tui.engine.costs.quotes import check_quote, fetch_quote
from tui.engine.events import BatchSubmitted, SendPaused, UploadProgressed
from tui.errors import (
    AccountKeyError,
    BatchdeckError,
    KeyRejectedError,
    NotOursError,
    ProviderError,
    QuotaError,
    RequestRejectedError,
    ResponseLostError,
    UnconfirmedError,
    UnexpectedResponseError,
    UnreachableError,
    UsageError,
)
from tui.progress import Progress
from tui.providers.dialect import BatchDraft, Dialect
from tui.providers.wire import retry
from tui.providers.wire.errors import may_have_acted, says_busy

DECIDE_HINT = (
    "Check the provider's website. If the batch is there: `batchdeck adopt ITS_ID --job {job}`."
    " If not: `batchdeck submit {job} --resend`."
)
_LOOKING_HINT = (
    "Nothing is sent again. The provider's list is read until it shows the batch:"
    " `batchdeck watch {job}`."
)
_GUARD_SECONDS = 10.0
"""A program that was stopped for longer than this while it sent checks that it may go on."""


_TOLD_SECONDS = 5.0
"""Shorter pauses are not told."""

_LOOK_SECONDS = 1.0
"""So often during a pause it is looked whether the batch is still wanted."""


class CancelledSendError(UsageError):
    """The user cancelled a batch while it was sent; the provider does not have it."""


class BatchSubmitter:
    """Sends the batches of one engine, by the table of ``tui.core.submission``.

    Args:
        context: The engine context.
        check_quote_budget: Called before a create with the provider's quote in the batch; raises
            ``BudgetError`` to stop it.
    """

    def __init__(
        self, context: Context, check_quote_budget: Callable[[Batch], None] | None = None
    ) -> None:
        self._context = context
        self._check_quote_budget = check_quote_budget
        self._locks: dict[str, asyncio.Lock] = {}
        self._opened_at = context.clock()
        self._known: set[str] = set()
        self.recovery = Recovery(context)

    async def send(
        self,
        batch_id: str,
        *,
        resend: bool = False,
        wait_if_busy: bool = False,
        unattended: bool = False,
    ) -> None:
        """Bring a batch from its current state to ``running``.

        Args:
            batch_id: The batch.
            resend: Create an unconfirmed batch again; only if the user asked for it.
            wait_if_busy: If the provider says that it is busy, the batch waits to be sent again
                instead of becoming a draft.
            unattended: No caller handles the error: it waits after any temporary error, and
                after an error of the key.

        Raises:
            UnconfirmedError: The provider may have the batch; it is looked for.
            CancelledSendError: The user has cancelled it meanwhile; nothing was created.
            BatchdeckError: The batch is not running; its state says how far it got.
        """
        # If the watcher meets a batch that is being sent, it waits here and finds it done.
        async with self._locks.setdefault(batch_id, asyncio.Lock()):
            batch = self._context.history.batches.get(batch_id)
            if batch.native_of is None and batch.submission in UNCONFIRMED:
                batch = await self._confirm(batch, resend=resend)
            if batch.submission is Submission.RUNNING:
                return
            try:
                with retry.pausing(lambda error, seconds: self._pause(batch, error, seconds)):
                    await self._upload_and_create(batch)
            except (NotOursError, UnconfirmedError):
                raise
            except CancelledSendError:
                await self._end_create(batch_id)
                raise
            except BatchdeckError as error:
                if isinstance(error, KeyRejectedError):
                    await self._context.accounts.refused(batch.account, error)
                temporary = error.retryable or isinstance(error, AccountKeyError)
                waits = (unattended and temporary) or (wait_if_busy and says_busy(error))
                # A retry in place can be asked for again, and until then may be under way.
                lost = batch.native_of is not None and isinstance(error, ResponseLostError)
                waits = waits or lost or isinstance(error, QuotaError)
                await self._store_failure(batch_id, error, waits=waits)
                raise

    async def _pause(self, batch: Batch, error: BatchdeckError, seconds: float) -> None:
        """Wait as long as the provider asks, but not once the user has cancelled the batch.

        Raises:
            CancelledSendError: It is cancelled.
        """
        if seconds >= _TOLD_SECONDS:
            self._tell_pause(batch, error, seconds)
        while True:
            self._require_wanted(batch)
            if seconds <= 0:
                return
            step = min(seconds, _LOOK_SECONDS)
            await retry.sleep(step)
            seconds -= step

    async def _end_create(self, batch_id: str) -> None:
        """Store that nothing was created, for the cancel to go on."""
        if self._context.history.batches.get(batch_id).submission is Submission.CREATING:
            waits = {"status": BatchStatus.QUEUED}
            await self._context.update(batch_id, waits, event=SubmitEvent.BUSY)

    def _require_wanted(self, batch: Batch) -> None:
        """Check that the user has not cancelled a batch, here or in another program.

        Raises:
            CancelledSendError: It is cancelled.
        """
        stored = self._context.history.batches.get(batch.id)
        if stored.cancel_wanted_at is not None or is_terminal(stored.status):
            raise CancelledSendError("cancelled before it was created at the provider")

    def _tell_pause(self, batch: Batch, error: BatchdeckError, seconds: float) -> None:
        status = error.status if isinstance(error, ProviderError) else None
        said = "gives no answer" if status is None else f"is busy ({status})"
        context = self._context
        name = context.accounts.profile(batch.account).name
        next_try = context.clock() + seconds
        context.publish(SendPaused(batch.job_id, batch.id, f"{name} {said}", next_try))

    async def confirm(self, batch: Batch) -> None:
        """Look once for a batch whose create got no response; nothing is sent.

        Raises:
            UnconfirmedError: It was not found, which proves nothing.
            BatchdeckError: The provider cannot be asked.
        """
        async with self._locks.setdefault(batch.id, asyncio.Lock()):
            current = self._context.history.batches.get(batch.id)
            if current.native_of is None and current.submission in UNCONFIRMED:
                await self._confirm(current, resend=False)

    async def wait_until_sent(self, batch_id: str) -> None:
        """Wait until this engine is no longer sending a batch."""
        async with self._locks.setdefault(batch_id, asyncio.Lock()):
            return

    async def attach(self, batches: Sequence[Batch], remote_id: str) -> Batch:
        """Link one of the unconfirmed batches of a job to the batch that the user names.

        Returns:
            The batch that was linked.

        Raises:
            UsageError: That batch belongs to another job, has another size or answers to other
                rows, or may be any of several.
            BatchdeckError: The provider does not have it, or cannot be reached.
        """
        context = self._context
        account = batches[0].account
        owner = context.history.batches.job_of_remote(account, remote_id)
        if owner is not None:
            raise UsageError(f"the provider's batch {remote_id} already belongs to job {owner}")
        dialect = await context.accounts.dialect(account)
        remote = await dialect.retrieve(remote_id)
        total = remote.counts.total
        fitting = [batch for batch in batches if total in (None, 0, batch.rows)]
        if not fitting:
            raise UsageError(
                f"the provider's batch has {total:,} rows, but this one has {batches[0].rows:,}",
                "Find the right batch on the provider's website.",
            )
        fitting = await which_batch(context, dialect, remote, fitting)
        await self._mark_running(dialect, fitting[0], remote)
        return context.history.batches.get(fitting[0].id)

    async def _confirm(self, batch: Batch, *, resend: bool) -> Batch:
        """Find out what became of an earlier create, before anything is sent.

        An error on the way (no key, no network, no account) proves nothing and changes nothing.

        Raises:
            UnconfirmedError: Nobody knows yet, or ever.
            BatchdeckError: The provider cannot be asked.
        """
        context = self._context
        try:
            dialect = await context.accounts.dialect(batch.account)
            look = await self.recovery.look(dialect, batch)
        except BatchdeckError as error:
            if isinstance(error, KeyRejectedError):
                await context.accounts.refused(batch.account, error)
            await self._store_trouble(batch, error)
            raise
        unknown = look.outcome in (RecoveryOutcome.NOT_YET, RecoveryOutcome.CANNOT_TELL)
        if resend and unknown:
            self.recovery.forget(batch.id)
            await context.update(
                batch.id, {}, event=SubmitEvent.RESEND, remark="Resent at your request"
            )
        else:
            await self._apply(dialect, batch, look, None)
        return context.history.batches.get(batch.id)

    async def _apply(
        self, dialect: Dialect, batch: Batch, look: Look, cause: ProviderError | None
    ) -> None:
        """Store what a look at the provider's list proved about a batch.

        Raises:
            UnconfirmedError: It proved nothing.
        """
        context = self._context
        if look.remote is not None:
            await self._mark_running(dialect, batch, look.remote)
            for other in look.others:
                await self._warn_of_second(batch, other.id)
        elif look.outcome is RecoveryOutcome.ABSENT:
            await context.update(
                batch.id,
                {},
                event=SubmitEvent.ABSENT,
                remark="The provider does not have the batch: it was not created",
            )
        elif look.outcome is RecoveryOutcome.CANNOT_TELL:
            hint = DECIDE_HINT.format(job=batch.job_id)
            if look.candidates:
                ids = ", ".join(remote.id for remote in look.candidates[:5])
                hint = f"Batches of the same size, perhaps this one: {ids}. {hint}"
            error = _unconfirmed(batch, cause, hint)
            await self._store_trouble(batch, error, SubmitEvent.CANNOT_CONFIRM)
            raise error from cause
        else:
            error = _unconfirmed(batch, cause, _LOOKING_HINT.format(job=batch.job_id))
            await self._store_trouble(batch, error)
            raise error from cause

    async def _upload_and_create(self, batch: Batch) -> None:
        context = self._context
        job = context.history.jobs.get(batch.job_id)
        dialect = await context.accounts.dialect(batch.account)
        if batch.native_of is not None:
            await self._send_native(dialect, batch)
            return
        if await self._is_there_already(dialect, batch):
            return
        path = await input_file(context, dialect, job, batch)
        if dialect.capabilities.uploads and batch.input_file_id is None:
            batch = await self._upload(dialect, batch, path)
        if dialect.capabilities.estimates_cost:
            batch = await fetch_quote(context, dialect, job, batch)
        if self._check_quote_budget is not None:
            await check_quote(context, dialect, batch, self._check_quote_budget)
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
        if await self._create(dialect, batch, draft):
            return
        # The provider is known not to have it: once more, then the error counts.
        batch = context.history.batches.get(batch.id)
        await self._create(dialect, batch, draft, last=True)

    async def _is_there_already(self, dialect: Dialect, batch: Batch) -> bool:
        """Whether the provider has a batch that this history does not know as sent.

        The history may be a copy, or may have been restored from a backup that is older than the
        create. A batch that was made since this program started cannot have been sent; one whose
        time is still to come was made before the clock was set.
        """
        is_new = self._opened_at <= batch.created_at <= self._context.clock()
        if is_new or batch.id in self._known:
            return False
        found = await self.recovery.find_sent(dialect, batch)
        self._known.add(batch.id)
        if not found:
            return False
        await self._context.remark(
            batch, "The provider has this batch already: it is not sent a second time"
        )
        first, *others = found
        await self._mark_running(dialect, batch, first)
        for other in others:
            await self._warn_of_second(batch, other.id)
        return True

    async def _store_failure(self, batch_id: str, error: BatchdeckError, *, waits: bool) -> None:
        """Store that a batch was certainly not created, and from where a later send continues."""
        context = self._context
        batch = context.history.batches.get(batch_id)
        changes: dict[str, object]
        if waits:
            event, changes = SubmitEvent.BUSY, {"status": BatchStatus.QUEUED}
        else:
            event, changes = SubmitEvent.REFUSED, {"status": BatchStatus.DRAFT}
            changes["submitted_at"] = None
        if isinstance(error, RequestRejectedError):
            # The file itself may have been rejected: upload it again next time.
            changes["input_file_id"] = None
        if batch.attempt > 1 and event is SubmitEvent.REFUSED:
            # A retry that failed releases its rows in the same step: while waiting for the job,
            # no one must see rows that are pending without a batch.
            await asyncio.to_thread(
                context.history.batches.abandon_retry, batch_id, error.message, context.clock()
            )
        else:
            remark = "" if batch.trouble == error.message else error.message
            await context.update(
                batch_id, {"trouble": error.message, **changes}, event=event, remark=remark
            )
        context.report_failure(context.history.batches.get(batch_id), error, None)

    async def _store_trouble(
        self, batch: Batch, error: BatchdeckError, event: SubmitEvent | None = None
    ) -> None:
        """Store why it is not known whether a batch exists."""
        batch = await self._context.update(
            batch.id,
            {"trouble": error.message, "status": BatchStatus.SUBMITTING},
            event=event,
            remark="" if batch.trouble == error.message else error.message,
        )
        self._context.report_failure(batch, error, None)

    async def _send_native(self, dialect: Dialect, batch: Batch) -> None:
        """Have the provider retry the rows in its own batch; safe to repeat after a crash."""
        if batch.submission is not Submission.CREATING:
            await self._begin_step(batch, SubmitEvent.CREATE_BEGINS)
        self._context.reach("retrying in place")
        remote = await request_in_place_retry(self._context, dialect, batch)
        parent = self._context.history.batches.get(batch.native_of or "")
        self._context.reach("retry answered")
        await self._mark_running(dialect, batch, with_retried_counts(batch, parent, remote))

    async def _upload(self, dialect: Dialect, batch: Batch, path: Path) -> Batch:
        context = self._context
        # A batch that is only confirmed is in the same state, but nothing has been sent of it.
        began = batch.progressed_at is not None
        interrupted = batch.submission is Submission.UPLOADING and began
        await self._begin_step(batch, SubmitEvent.UPLOAD_BEGINS, {"progressed_at": context.clock()})
        context.reach("uploading")
        file_id, tries = await self._upload_file(dialect, batch, path)
        if context.history.batches.shares_input_file(batch.id, batch.account, file_id):
            # This server names files by their bytes. A lost create is found by its input file,
            # so the file must be one that no other batch has.
            marked = await asyncio.to_thread(with_mark, path, batch.id)
            file_id, tries = await self._upload_file(dialect, batch, marked)
            if context.history.batches.shares_input_file(batch.id, batch.account, file_id):
                raise RequestRejectedError(
                    f"the provider answered the upload with {file_id}, the file of another batch,"
                    " whose rows would be sent again",
                    "Turn off the cache of the gateway in front of the provider.",
                )
        context.reach("upload answered")
        batch = await context.update(
            batch.id,
            {"input_file_id": file_id},
            remark=f"Uploaded as {file_id}",
            fenced=True,
            event=SubmitEvent.UPLOADED,
        )
        context.reach("uploaded")
        if interrupted or tries > 1:
            await tell_of_spares(context, dialect, batch, file_id)
        return batch

    async def _upload_file(self, dialect: Dialect, batch: Batch, path: Path) -> tuple[str, int]:
        """Upload a file; returns its id, and how often all of it was sent."""
        tries = 0

        def report(sent: int, total: int | None) -> None:
            nonlocal tries
            tries += sent == total
            self._context.publish(
                UploadProgressed(batch.job_id, batch.id, sent=sent, total=total or sent)
            )

        progress = Progress(self._guarded(batch, report))
        try:
            file_id = await dialect.upload(path, name=upload_name(batch), progress=progress)
        except BatchdeckError as error:
            if tries and (may_have_acted(error) or isinstance(error, UnreachableError)):
                await tell_of_spares(self._context, dialect, batch, None)
            raise
        return file_id, tries

    async def _create(
        self, dialect: Dialect, batch: Batch, draft: BatchDraft, *, last: bool = False
    ) -> bool:
        """Create a batch; ``False`` if the provider is known not to have it.

        Args:
            dialect: The account.
            batch: The batch.
            draft: What is sent.
            last: Raise instead of returning ``False``.

        Raises:
            UnconfirmedError: The response was lost, and the list does not show the batch.
            ProviderError: It was certainly not created.
        """
        context = self._context
        stored = await self._begin_step(
            batch,
            SubmitEvent.CREATE_BEGINS,
            {
                "submitted_at": context.clock(),
                "creates": batch.creates + 1,
                "address": context.accounts.info(batch.account).base_url,
            },
        )
        context.reach("creating")
        try:
            remote = await dialect.create(draft, progress=Progress(self._guarded(batch, None)))
            self._require_own(stored, remote)
        except ProviderError as error:
            # A 5xx may come from a proxy after the server acted; a 4xx is a rejection.
            if not may_have_acted(error):
                raise
            look = await self._look_after_loss(dialect, stored, error)
            await self._apply(dialect, stored, look, error)
            if look.outcome is RecoveryOutcome.ABSENT and last:
                raise
            return look.outcome is not RecoveryOutcome.ABSENT
        context.reach("create answered")
        await self._mark_running(dialect, stored, remote)
        return True

    def _require_own(self, batch: Batch, remote: RemoteBatch) -> None:
        """Check that the answer to a create is about the batch that was to be created.

        A gateway may repeat the answer to another create. Whether it has passed this one on is as
        unknown then as without an answer.

        Raises:
            UnexpectedResponseError: It is about another batch.
        """
        known = self._context.history.batches.belongs_to_another
        if known(batch.id, batch.account, remote.id) or remote.intent not in (None, "", batch.id):
            raise UnexpectedResponseError(
                f"the provider answered the create with another batch, {remote.id}"
            )

    async def _look_after_loss(self, dialect: Dialect, batch: Batch, cause: ProviderError) -> Look:
        await self._context.update(
            batch.id,
            {"trouble": cause.message},
            event=SubmitEvent.RESPONSE_LOST,
            remark=f"The response to the create was lost: {cause.message}",
        )
        try:
            return await self.recovery.look(dialect, batch, right_after=True)
        except BatchdeckError as error:
            self._context.log.info("looking for %s: %s", batch.id, error.message)
            return Look(RecoveryOutcome.NOT_YET)

    def _guarded(
        self, batch: Batch, report: Callable[[int, int | None], None] | None
    ) -> Callable[[int, int | None], None]:
        """A report of progress that ends a request whose batch another program has taken over.

        A program that was stopped in the middle of a request learns it when it goes on sending.
        """
        leases = self._context.history.leases
        last = asyncio.get_running_loop().time()

        def guard(sent: int, total: int | None) -> None:
            nonlocal last
            now = asyncio.get_running_loop().time()
            stopped, last = now - last > _GUARD_SECONDS, now
            if stopped and not leases.is_mine(batch.id):
                raise NotOursError("another Batchdeck process has taken over this batch")
            if report is not None:
                report(sent, total)

        return guard

    async def _begin_step(
        self, batch: Batch, event: SubmitEvent, changes: dict[str, object] | None = None
    ) -> Batch:
        changes = {"status": BatchStatus.SUBMITTING, **(changes or {})}
        stored = await self._context.update(batch.id, changes, fenced=True, event=event)
        self._context.report_status(batch, BatchStatus.SUBMITTING, "")
        return stored

    async def _warn_of_second(self, batch: Batch, remote_id: str) -> None:
        """Tell that the provider has a second batch of the same rows, which is paid as well."""
        await self._context.remark(
            batch,
            f"The provider has a second batch of these rows: {remote_id}. To stop paying for it,"
            f" cancel it there, or: `batchdeck adopt {remote_id}`, then `batchdeck cancel`",
        )

    async def _mark_running(self, dialect: Dialect, batch: Batch, remote: RemoteBatch) -> None:
        context = self._context
        now = context.clock()
        direct = dialect.capabilities.runs_locally
        stored = context.history.batches.get(batch.id)
        if stored.submission is Submission.RUNNING and stored.remote_id not in (None, remote.id):
            # This program was stopped, and another one has sent the batch meanwhile.
            await self._warn_of_second(stored, remote.id)
            raise NotOursError("another Batchdeck process has sent this batch meanwhile")
        changes = {
            "status": remote.status,
            "raw_status": remote.raw_status,
            # The provider has no batch for rows that are sent one by one.
            "remote_id": None if direct else remote.id,
            "remote_counts": remote.counts,
            "expires_at": remote.expires_at,
            "results_expire_at": context.kept_until(batch.account, remote),
            "style": dialect.result_style,
            "trouble": "",
            "progressed_at": now,
            "next_poll_at": now,
            "raw": remote.raw,
        }
        if stored.status is BatchStatus.CANCELLED:
            # It was cancelled as not created, and now it turns out that it was.
            changes |= {"collected": False, "ended_at": None, "cancel_wanted_at": now}
        await context.update(
            batch.id,
            changes,
            event=SubmitEvent.ACCEPTED,
            remark=(
                "Ready: rows are sent one by one"
                if direct
                else f"Accepted by the provider: {remote.id}"
            ),
        )
        self.recovery.forget(batch.id)
        context.reach("running")
        if not direct:
            context.publish(BatchSubmitted(batch.job_id, batch.id, remote_id=remote.id))
        context.report_status(batch, remote.status, remote.raw_status)


_UNCONFIRMED = "the provider may or may not have received the batch"


def _unconfirmed(batch: Batch, cause: ProviderError | None, hint: str) -> UnconfirmedError:
    """The error for a batch that may exist, with what its create was answered with, if known."""
    reason = cause.message if cause is not None else batch.trouble
    reason = reason.removeprefix(_UNCONFIRMED).removeprefix(": ")
    return UnconfirmedError(f"{_UNCONFIRMED}: {reason}" if reason else _UNCONFIRMED, hint)
