"""Which rows a submit or a retry sends, and the batches that they become."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from tui.core.batches import RetryPlan, plan_parts
from tui.core.jobs import Batch, Job, is_terminal, new_batch_id
from tui.core.query import RowFilter
from tui.core.requests import (
    MAX_TOKENS,
    check_edits,
    edit_request,
    edited_model,
    following,
    is_same_request,
)
from tui.core.rows import UNANSWERED, Outcome
from tui.engine.context import Context
from tui.errors import BatchdeckError, UsageError
from tui.progress import NO_PROGRESS, Progress
from tui.providers.profiles.load import Profile


def require_min_rows(rows: int, profile: Profile) -> None:
    """Check that a batch is not too small for its provider.

    Raises:
        UsageError: The provider requires more rows.
    """
    if rows < profile.limits.min_rows:
        raise UsageError(
            f"{profile.name} requires at least {profile.limits.min_rows:,} rows per batch,"
            f" got {rows:,}",
            "Send them one by one instead (account NAME+direct, or retry --direct).",
        )


def plan_first_attempt(context: Context, job_id: str) -> None:
    """Create the batches of a job that has none yet. Blocking; call it in a thread."""
    history = context.history
    job = history.jobs.get(job_id)
    if history.batches.of_job(job_id):
        return
    profile = context.accounts.profile(job.account)
    require_min_rows(job.counts.total, profile)
    parts = plan_parts(history.rows.request_lengths(job_id), profile.limits)
    now = context.clock()
    history.batches.begin_first_attempt(
        [
            Batch(
                id=new_batch_id(),
                job_id=job_id,
                account=job.account,
                part=number,
                rows=part.rows,
                first_seq=part.first_seq,
                last_seq=part.last_seq,
                created_at=now,
            )
            for number, part in enumerate(parts, start=1)
        ]
    )


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode


def make_plan(
    context: Context,
    job: Job,
    rows: RowFilter | Sequence[int] | None,
    edits: Mapping[str, Any],
    *,
    include_permanent: bool,
    account: str,
) -> RetryPlan:
    """Select the rows of a retry. Blocking; call it in a thread.

    Args:
        context: The engine context.
        job: The job.
        rows: A filter, row numbers, or ``None`` for all failed rows.
        edits: Edits of the request bodies.
        include_permanent: Include rows that would fail again unchanged.
        account: The account that sends the rows.

    Raises:
        UsageError: There is nothing to retry, or the edits are invalid.
    """
    try:
        check_edits(edits)
    except ValueError as error:
        raise UsageError(str(error)) from None
    history = context.history
    # Fixed before the rows are read: a retry sent from now on has at least this number.
    attempt = 1 + max((batch.attempt for batch in history.batches.of_job(job.id)), default=0)
    if rows is None:
        rows = RowFilter(outcomes=UNANSWERED)
    chosen: Sequence[int]
    chosen = history.rows.select(job.id, rows).seqs if isinstance(rows, RowFilter) else rows
    seqs: list[int] = []
    permanent = 0
    for row in context.read_rows(job.id, chosen):
        if row.outcome is Outcome.PENDING:
            continue
        if row.error is not None and row.error.retryable is False:
            permanent += 1
            if not edits and not include_permanent:
                continue
        seqs.append(row.seq)
    if not seqs:
        raise _nothing_to_retry(job, permanent, history.batches.of_job(job.id))
    info = context.accounts.info(account)
    seqs = sorted(set(seqs))
    before = history.rows.edits(job.id, seqs).get(seqs[0], {})
    return RetryPlan(
        job_id=job.id,
        seqs=seqs,
        permanent=permanent,
        account=account,
        provider=info.provider,
        provider_name=info.provider_name,
        endpoint=job.endpoint,
        model=edited_model(following(before, edits), job.model),
        window=job.window,
        attempt=attempt,
        edits=dict(edits),
    )


def _nothing_to_retry(job: Job, permanent: int, batches: Sequence[Batch]) -> UsageError:
    if permanent:
        return UsageError(
            f"the {permanent:,} failed rows of {job.name!r} would fail again unchanged",
            "Edit them (--set, --model; R in the dashboard), or include them anyway (--all).",
        )
    if any(is_terminal(batch.status) and not batch.collected for batch in batches):
        return UsageError(
            f"the provider has ended {job.name!r}, but its answers are not downloaded yet",
            f"Request them again: `batchdeck collect {job.id}`. To give up on these rows, so that"
            f" they can be retried: `batchdeck cancel {job.id}`.",
        )
    if job.counts.pending:
        return UsageError(f"{job.name!r} has no failed rows yet", "Its batches are still running.")
    return UsageError(f"{job.name!r} has no failed rows", "There is nothing to retry.")


def store_plan(context: Context, plan: RetryPlan) -> list[Batch]:
    """Create the batches of a retry; their rows become pending. Call it in a thread.

    Edits add to those of earlier retries. Rows with different earlier edits go into different
    batches, because some providers allow only one model per batch.

    Raises:
        UsageError: All rows were retried since the plan was made, or the job was deleted.
    """
    history = context.history
    before = history.rows.edits(plan.job_id, plan.seqs, plan.attempt)
    groups: dict[bytes, list[int]] = {}
    for seq in plan.seqs:
        groups.setdefault(_encode(before.get(seq, {})), []).append(seq)
    profile = context.accounts.profile(plan.account)
    require_min_rows(plan.rows, profile)
    now = context.clock()
    parts: list[tuple[Batch, Sequence[int]]] = []
    for encoded, seqs in groups.items():
        edits = following(_decode(encoded), plan.edits)
        # An edit makes a request longer by at most its own encoded size.
        added = len(_encode(edits)) if edits else 0
        lengths = dict(history.rows.request_lengths(plan.job_id, seqs))
        places = ((seq, lengths[seq] + added) for seq in seqs if seq in lengths)
        start = 0
        for part in plan_parts(places, profile.limits):
            batch = Batch(
                id=new_batch_id(),
                job_id=plan.job_id,
                account=plan.account,
                attempt=plan.attempt,
                part=len(parts) + 1,
                rows=part.rows,
                edits=edits,
                created_at=now,
            )
            parts.append((batch, seqs[start : start + part.rows]))
            start += part.rows
    return [history.batches.get(batch_id) for batch_id in history.batches.begin_retry(parts, now)]


def _no_change(edits: Mapping[str, Any]) -> UsageError:
    """The error for edits after which every request would be paid for again as it was."""
    if set(edits) == {MAX_TOKENS}:
        return UsageError(
            f"no max_tokens in these requests, so {edits[MAX_TOKENS]} changes nothing",
            "Give a number, such as 400. Nothing was sent.",
        )
    return UsageError("this edit changes none of the rows", "Nothing was sent.")


def drop_unfit_rows(
    context: Context,
    plan: RetryPlan,
    encode: Callable[[bytes], bytes] | None = None,
    progress: Progress = NO_PROGRESS,
) -> RetryPlan:
    """Apply the edits of a plan in memory and drop the rows where they fail.

    Blocking; call it in a thread.

    Args:
        context: The engine context.
        plan: The rows and their edits; a plan that was fitted before is returned unchanged.
        encode: Encodes a request for the provider and raises what the provider would reject.
            Without it the plan must be fitted again before it is sent.
        progress: If it is stopped, the plan is returned unchanged.

    Raises:
        UsageError: The edits cannot be applied to any row, or change none.
    """
    if plan.fitted or not plan.edits:
        return plan
    kept: list[int] = []
    why = ""
    changes_any = False
    for seq, line in context.history.rows.newest_requests(plan.job_id, plan.seqs):
        if progress.stopped:
            return plan
        try:
            changed = edit_request(line, plan.edits)
            if encode is not None:
                encode(changed)
        except (ValueError, BatchdeckError) as error:
            why = why or str(error)
            continue
        kept.append(seq)
        changes_any = changes_any or not is_same_request(line, changed)
    if not kept:
        raise UsageError(f"cannot apply the edit: {why}", "Nothing was sent.")
    if not changes_any:
        raise _no_change(plan.edits)
    left_out = plan.left_out + plan.rows - len(kept)
    return msgspec.structs.replace(
        plan,
        seqs=kept,
        left_out=left_out,
        left_out_reason=plan.left_out_reason or why,
        fitted=encode is not None,
    )
