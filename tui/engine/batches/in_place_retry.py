"""In-place retries: the provider runs rows of an ended batch again in the same batch.

The provider's batch keeps its id; in the history the retry is another attempt with its own
batch record. What the first record collected does not change. The output file only grows,
and the error file is downloaded again because it shrinks when rows are retried.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import msgspec

from tui import __version__
from tui.core.jobs import Batch, RemoteCounts, is_terminal, new_batch_id
from tui.core.remote_batches import RemoteBatch
from tui.core.results.openai_lines import UnreadableLineError, decode_lenient
from tui.core.send_plans import RetryPlan
from tui.engine.context import Context
from tui.errors import ProviderError, RequestRejectedError, ResponseLostError, UsageError
from tui.providers.wire.errors import may_have_acted
from tui.store.history import NewBatch

_ASKED_AGAIN = "The retry is asked for again by itself: no row is run twice by that."


@runtime_checkable
class RetriesInPlace(Protocol):
    """A dialect whose provider can retry rows; ids are those of the result lines."""

    async def retry(self, batch_id: str) -> RemoteBatch:
        """Retry all failed and cancelled rows."""

    async def retry_rows(self, batch_id: str, request_ids: Sequence[str]) -> RemoteBatch:
        """Retry these rows."""


async def begin_in_place_retry(context: Context, plan: RetryPlan) -> Batch | None:
    """Store a retry that the provider can run in place; ``None`` if it needs a new batch.

    This works if nothing is edited and all rows come from one batch: either all rows that have no
    answer in it, or rows whose result lines contain the provider's ids.
    """
    dialect = await context.accounts.dialect(plan.account)
    if plan.edits or not dialect.capabilities.native_retry:
        return None
    return await asyncio.to_thread(_store, context, plan)


def _store(context: Context, plan: RetryPlan) -> Batch | None:
    history = context.history
    sources = {row.batch_id for row in context.read_rows(plan.job_id, plan.seqs)}
    if len(sources) != 1:
        return None
    source = sources.pop()
    parent = history.batches.get(source) if source is not None else None
    if parent is None or parent.remote_id is None or parent.repeats:
        # Repeats are not in the provider's batch.
        return None
    if not _has_newest_requests(context, plan, parent):
        return None
    unanswered, wanted = _unanswered_rows(context, parent), set(plan.seqs)
    if not wanted <= unanswered:
        # The provider has an answer, and does not run such rows again.
        return None
    if wanted != unanswered and _request_ids(context, plan.job_id, plan.seqs) is None:
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
        input_file_id=parent.input_file_id,
        created_at=now,
        made_by=__version__,
    )
    history.batches.begin_retry([NewBatch(batch, plan.seqs)], now, answered=plan.answered)
    return history.batches.get(batch.id)


async def request_in_place_retry(context: Context, dialect: object, batch: Batch) -> RemoteBatch:
    """Ask the provider to run an in-place retry; safe to call twice.

    Raises:
        ResponseLostError: It is not known whether the provider does it; to be asked again.
        ProviderError: The provider did not accept it.
        UsageError: It would run rows again that were retried in another way meanwhile.
    """
    history = context.history
    seqs = await asyncio.to_thread(history.batches.rows_of, batch.id)
    ids = await asyncio.to_thread(_request_ids, context, batch.job_id, seqs)
    parent = history.batches.get(batch.native_of or "")
    assert isinstance(dialect, RetriesInPlace) and parent.remote_id is not None
    others = await asyncio.to_thread(_unanswered_rows, context, parent) - set(seqs)
    if others and ids is None:
        raise UsageError(
            "other failed rows of this batch were retried meanwhile, and would be paid twice",
            f"Retry the rest again: `batchdeck retry {batch.job_id}`.",
        )
    try:
        if ids is None or not others:
            return await dialect.retry(parent.remote_id)
        return await dialect.retry_rows(parent.remote_id, ids)
    except ProviderError as error:
        if not (may_have_acted(error) or isinstance(error, RequestRejectedError)):
            raise
        # A second request is rejected because nothing is left to run: check the status.
        try:
            remote: RemoteBatch = await dialect.retrieve(parent.remote_id)  # type: ignore[attr-defined]
        except ProviderError as unknown:
            raise ResponseLostError(error.message, _ASKED_AGAIN) from unknown
        if is_terminal(remote.status) and not _has_run(remote, parent):
            if isinstance(error, RequestRejectedError):
                raise
            # It may still act: a gateway gives up before the server does.
            raise ResponseLostError(error.message, _ASKED_AGAIN) from error
        return remote


def with_retried_counts(batch: Batch, parent: Batch, remote: RemoteBatch) -> RemoteBatch:
    """The provider's batch, with counts of the retried rows only."""
    before = parent.remote_counts.completed or 0
    counts = remote.counts
    completed = None if counts.completed is None else max(0, counts.completed - before)
    left = batch.rows - (completed or 0)
    failed = None if counts.failed is None else min(counts.failed, left)
    own = RemoteCounts(total=batch.rows, completed=completed, failed=failed)
    return msgspec.structs.replace(remote, counts=own)


def _has_run(remote: RemoteBatch, parent: Batch) -> bool:
    return (remote.counts.completed or 0) > (parent.remote_counts.completed or 0)


def _unanswered_rows(context: Context, batch: Batch) -> set[int]:
    """The rows without an answer in the provider's batch that a batch stands for.

    The provider knows nothing of what other batches answered: it would run all of these again.
    """
    batches = {one.id: one for one in context.history.batches.of_job(batch.job_id)}

    def first(one: Batch) -> Batch:
        while one.native_of is not None:
            one = batches[one.native_of]
        return one

    whole = first(batch)
    same = [one.id for one in batches.values() if first(one).id == whole.id]
    return set(context.history.batches.unanswered_rows(whole, same))


def _has_newest_requests(context: Context, plan: RetryPlan, parent: Batch) -> bool:
    """Whether the batch holds the newest request of each row, and not an older edit."""
    changes = context.history.rows.edits(plan.job_id, plan.seqs)
    return all(changes.get(seq, {}) == parent.edits for seq in plan.seqs)


def _request_ids(context: Context, job_id: str, seqs: Sequence[int]) -> list[str] | None:
    """The provider's row ids from the newest result lines; ``None`` if any is missing."""
    ids: list[str] = []
    for seq in seqs:
        attempts = context.history.rows.get(job_id, seq).attempts
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
