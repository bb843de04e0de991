"""Retrying in place, where the provider runs rows of an ended batch again by itself.

The provider's batch stays the same; here it becomes another attempt with a record of its
own. What the first record collected stays as it is: the output file only grows at its end,
and the error file is fetched anew, because it shrinks when rows are run again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import msgspec

from tui.core.counts import RemoteCounts
from tui.core.filtering import RowFilter
from tui.core.ids import new_batch_id
from tui.core.jobs import Batch
from tui.core.outcome import UNANSWERED
from tui.core.remote import RemoteBatch
from tui.core.results import UnreadableLineError, decode_lenient
from tui.core.status import Submission, is_terminal
from tui.engine.context import Context
from tui.engine.retrier import RetryPlan
from tui.errors import AnswerLostError, ProviderError, RequestRefusedError
from tui.providers.refusals import may_have_acted
from tui.store.batches import begin_retry
from tui.store.chains import changes_before
from tui.store.jobs import job_pk

_PAGE = 500


@runtime_checkable
class RetriesInPlace(Protocol):
    """A dialect whose provider can run rows again; ids are those of the result lines."""

    async def retry(self, batch_id: str) -> RemoteBatch:
        """Run all failed and cancelled rows again."""

    async def retry_rows(self, batch_id: str, request_ids: Sequence[str]) -> RemoteBatch:
        """Run these rows again."""


async def begin_native(context: Context, plan: RetryPlan) -> Batch | None:
    """Store a retry that the provider can do in place; ``None`` when it is to be sent anew.

    It can when nothing is edited and all rows come from one batch, either all of its
    unanswered rows, or rows of which the result lines name the provider's ids.
    """
    dialect = await context.accounts.dialect(plan.account)
    if plan.edits or not dialect.capabilities.native_retry:
        return None
    return await asyncio.to_thread(_store, context, plan)


def _store(context: Context, plan: RetryPlan) -> Batch | None:
    history = context.history
    sources = {
        row.batch_id
        for start in range(0, len(plan.seqs), _PAGE)
        for row in history.rows(plan.job_id, plan.seqs[start : start + _PAGE])
    }
    if len(sources) != 1:
        return None
    source = sources.pop()
    parent = history.batch(source) if source is not None else None
    if parent is None or parent.remote_id is None:
        return None
    if not _sent_last_by(context, plan, parent):
        return None
    if (
        not _is_all_of(context, plan, parent)
        and _request_ids(context, plan.job_id, plan.seqs) is None
    ):
        return None
    now = context.clock()
    batch = Batch(
        id=new_batch_id(),
        job_id=plan.job_id,
        account=plan.account,
        attempt=plan.attempt,
        rows=len(plan.seqs),
        edits=dict(parent.edits),
        native_of=parent.id,
        remote_id=parent.remote_id,
        input_file_id=parent.input_file_id,
        submission=Submission.CREATING,
        created_at=now,
    )
    begin_retry(history.database, [(batch, plan.seqs)], now)
    return history.batch(batch.id)


async def run_again(context: Context, dialect: object, batch: Batch) -> RemoteBatch:
    """Ask the provider to run the rows of a native retry; safe to be asked twice.

    Raises:
        ProviderError: It did not take it.
    """
    assert isinstance(dialect, RetriesInPlace) and batch.remote_id is not None
    history = context.history
    seqs = await asyncio.to_thread(history.rows_of, batch.id)
    ids = await asyncio.to_thread(_request_ids, context, batch.job_id, seqs)
    parent = history.batch(batch.native_of or "")
    everything = await asyncio.to_thread(_was_all_of, context, seqs, parent)
    try:
        if everything or ids is None:
            return await dialect.retry(batch.remote_id)
        return await dialect.retry_rows(batch.remote_id, ids)
    except ProviderError as error:
        if not (may_have_acted(error) or isinstance(error, RequestRefusedError)):
            raise
        # Asked twice, the server says that there is nothing left to run: look what is true.
        remote: RemoteBatch = await dialect.retrieve(batch.remote_id)  # type: ignore[attr-defined]
        if is_terminal(remote.status) and not _ran(remote, parent):
            if isinstance(error, RequestRefusedError):
                raise
            raise AnswerLostError(error.message, "Retry once more.") from error
        return remote


def rebased(batch: Batch, parent: Batch, remote: RemoteBatch) -> RemoteBatch:
    """The provider's batch with counts of the rows that were run again alone."""
    before = parent.remote_counts.completed or 0
    counts = remote.counts
    completed = None if counts.completed is None else max(0, counts.completed - before)
    left = batch.rows - (completed or 0)
    failed = None if counts.failed is None else min(counts.failed, left)
    own = RemoteCounts(total=batch.rows, completed=completed, failed=failed)
    return msgspec.structs.replace(remote, counts=own)


def _ran(remote: RemoteBatch, parent: Batch) -> bool:
    return (remote.counts.completed or 0) > (parent.remote_counts.completed or 0)


def _is_all_of(context: Context, plan: RetryPlan, parent: Batch) -> bool:
    """Are the rows just the unanswered ones of a batch?"""
    history = context.history
    unanswered = history.select(plan.job_id, RowFilter(outcomes=UNANSWERED)).seqs
    own = {
        row.seq
        for start in range(0, len(unanswered), _PAGE)
        for row in history.rows(plan.job_id, unanswered[start : start + _PAGE])
        if row.batch_id == parent.id
    }
    return own == set(plan.seqs)


def _sent_last_by(context: Context, plan: RetryPlan, parent: Batch) -> bool:
    """Does the batch hold the newest request of each row? It would run another one else."""
    connection = context.history.database.read
    pk = job_pk(connection, plan.job_id)
    if pk is None:
        return False
    changes = changes_before(connection, pk, plan.seqs)
    return all(changes.get(seq, {}) == parent.edits for seq in plan.seqs)


def _was_all_of(context: Context, seqs: Sequence[int], parent: Batch) -> bool:
    """After the rows were set aside: has the batch no other unanswered rows?"""
    history = context.history
    left = history.select(parent.job_id, RowFilter(outcomes=UNANSWERED)).seqs
    return not any(
        row.batch_id == parent.id
        for start in range(0, len(left), _PAGE)
        for row in history.rows(parent.job_id, left[start : start + _PAGE])
    )


def _request_ids(context: Context, job_id: str, seqs: Sequence[int]) -> list[str] | None:
    """The provider's own ids of rows, from their newest result lines; ``None`` if one has none."""
    ids: list[str] = []
    for seq in seqs:
        attempts = context.history.row(job_id, seq).attempts
        line = attempts[0].line if attempts else b""
        try:
            value = decode_lenient(line) if line else None
        except UnreadableLineError:
            value = None
        request_id = value.get("id") if isinstance(value, dict) else None
        if not isinstance(request_id, str):
            return None
        ids.append(request_id)
    return ids
