"""Which rows a submit or a retry sends, and the batches that they become."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import msgspec

from tui import __version__
from tui.core.jobs import Batch, Job, Submission, is_terminal, new_batch_id
from tui.core.query import RowFilter
from tui.core.requests import (
    MAX_TOKENS,
    check_edits,
    edit_request,
    edited_model,
    following,
    is_same_request,
)
from tui.core.rows import ANSWERED, UNANSWERED, Outcome
from tui.core.send_plans import NO_SAVING, Limits, RetryPlan, Saving, plan_parts
from tui.core.text import split_lines
from tui.engine.batches.reuse import plan_reused, remove_unused_copies, split_reusable
from tui.engine.context import Context
from tui.errors import BatchdeckError, UsageError
from tui.progress import NO_PROGRESS, Progress
from tui.providers.profiles.load import Profile
from tui.store.history import DeadlineStep, NewBatch


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


def require_cached_prompt(context: Context, job: Job) -> None:
    """Check that the first row of a job writes a prompt cache that the other rows can read.

    Raises:
        UsageError: The provider has no such cache, or the first request does not mark what to keep.
    """
    profile = context.accounts.profile(job.account)
    if profile.dialect != "messages":
        raise UsageError(
            f"{profile.name} has no prompt cache that a first row could fill",
            "Leave out --prime: where a provider caches prompts, it does so by itself.",
        )
    _, line = next(iter(context.history.rows.requests(job.id, [0])))
    if b'"cache_control"' not in line:
        raise UsageError(
            "no request marks the part of its prompt that is to be cached",
            'Set cache = "1h" in the template (kind messages).',
        )


def plan_first_attempt(context: Context, job_id: str, saving: Saving = NO_SAVING) -> bool:
    """Create the batches of a job that has none yet. Blocking; call it in a thread.

    Args:
        context: The engine context.
        job_id: The job.
        saving: The ways to send less.

    Returns:
        Whether it has created them.
    """
    history = context.history
    job = history.jobs.get(job_id)
    planned = history.batches.of_job(job_id)
    if _is_kept(planned, saving):
        return False
    reuse = saving.reuse
    dedupe = saving.dedupe or any(batch.repeats for batch in planned)
    copies = [] if reuse is None else plan_reused(context, job, reuse)
    try:
        _store_first_attempt(context, job, copies, dedupe=dedupe, prime=saving.prime)
    finally:
        remove_unused_copies(context, job, copies)
    return True


def _store_first_attempt(
    context: Context, job: Job, copies: Sequence[NewBatch], *, dedupe: bool, prime: bool
) -> None:
    """Create the batches of a job: those that reuse answers, and those of the other rows."""
    history = context.history
    profile = context.accounts.profile(job.account)
    parts = list(copies)
    reused = sum(part.batch.rows for part in parts)
    # One byte for each row; a set of numbers would have sixty.
    is_reused = bytearray(job.counts.total)
    for part in parts:
        for seq in part.seqs or ():
            is_reused[seq] = True
    found = history.rows.find_repeats(job.id) if dedupe else ()
    repeats = {seq: of for seq, of in found if not is_reused[seq] and not is_reused[of]}
    if rows := job.counts.total - reused - len(repeats):
        try:
            require_min_rows(rows, profile)
        except UsageError as error:
            if rows < job.counts.total:
                error.hint += f" To send all of its rows: `batchdeck submit {job.id}`."
            raise
    places = history.rows.request_lengths(job.id)
    now = context.clock()
    address = context.accounts.info(job.account).base_url
    batch = Batch(
        id="",
        job_id=job.id,
        account=job.account,
        address=address,
        created_at=now,
        made_by=__version__,
    )
    if prime:
        require_cached_prompt(context, job)
    if repeats or reused or prime:
        left = (place for place in places if place[0] not in repeats and not is_reused[place[0]])
        if prime and rows > 1:
            first = _new_parts(batch, islice(left, 1), repeats, profile.limits)
            batch = msgspec.structs.replace(batch, part=2, after=first[0].batch.id)
            parts += first
        parts += _new_parts(batch, left, repeats, profile.limits)
        history.batches.begin_first_attempt(parts)
        return
    history.batches.begin_first_attempt(
        [
            NewBatch(
                msgspec.structs.replace(
                    batch,
                    id=new_batch_id(),
                    part=number,
                    rows=part.rows,
                    first_seq=part.first_seq,
                    last_seq=part.last_seq,
                )
            )
            for number, part in enumerate(plan_parts(places, profile.limits), start=1)
        ]
    )


def _is_kept(planned: Sequence[Batch], saving: Saving) -> bool:
    """Whether the batches of a job stay as they are: it may only become less that is sent."""
    if any(batch.submission is not Submission.DRAFT for batch in planned):
        return True
    has_repeats = any(batch.repeats for batch in planned)
    return bool(planned) and saving.reuse is None and (has_repeats or not saving.dedupe)


def is_held_back(context: Context, batch: Batch) -> bool:
    """Whether a batch must not be sent yet, because the one before it has not ended."""
    first = None if batch.after is None else context.history.batches.find(batch.after)
    return first is not None and not first.collected


def count_to_send(context: Context, job: Job, saving: Saving) -> int:
    """How many rows of a draft would be sent at most; the arguments are those of the plan."""
    history, reuse = context.history, saving.reuse
    planned = history.batches.of_job(job.id)
    if _is_kept(planned, saving):
        return sum(batch.rows for batch in planned if batch.is_unsent)
    if reuse is None:
        return job.counts.total - (len(history.rows.find_repeats(job.id)) if saving.dedupe else 0)
    with history.jobs.requests_file(job.id).open("rb") as stream:
        lines = (line for _, line in split_lines(stream))
        _, others = split_reusable(context, lines, job.account, reuse, leave_out=job.id)
        return sum(1 for _ in others)


def _new_parts(
    batch: Batch,
    places: Iterable[tuple[int, int]],
    repeats: Mapping[int, int],
    limits: Limits,
) -> list[NewBatch]:
    """Batches of listed rows, each with those that share the results of its rows.

    Args:
        batch: What the batches have in common; its part is that of the first one.
        places: Row number and length in bytes of each request, in order.
        repeats: The row in whose place each of these is not sent.
        limits: The rows and bytes of a batch.
    """
    parts: list[NewBatch] = []
    sharing: dict[int, list[int]] = {}
    for seq, of_seq in repeats.items():
        sharing.setdefault(of_seq, []).append(seq)
    listed = array("q")

    def noted() -> Iterator[tuple[int, int]]:
        for place in places:
            listed.append(place[0])
            yield place

    start = 0
    for number, part in enumerate(plan_parts(noted(), limits), start=batch.part):
        seqs = listed[start : start + part.rows]
        start += part.rows
        shared = [(seq, of_seq) for of_seq in seqs for seq in sharing.get(of_seq, ())]
        own = msgspec.structs.replace(batch, id=new_batch_id(), part=number)
        parts.append(NewBatch(own, seqs, shared))
    return parts


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
    answered = array("q")
    permanent = 0
    for row in context.read_rows(job.id, sorted(chosen)):
        if row.outcome is Outcome.PENDING:
            continue
        if row.error is not None and row.error.retryable is False:
            permanent += 1
            if not edits and not include_permanent:
                continue
        seqs.append(row.seq)
        if row.outcome in ANSWERED:
            answered.append(row.seq)
    if not seqs:
        raise _nothing_to_retry(job, permanent, history.batches.of_job(job.id))
    info = context.accounts.info(account)
    seqs, repeats = _without_repeats(context, job, sorted(set(seqs)))
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
        repeats=repeats,
        answered=answered,
    )


def _without_repeats(
    context: Context, job: Job, seqs: Sequence[int]
) -> tuple[list[int], tuple[tuple[int, int], ...]]:
    """Rows of a retry that are sent, and those that ask for the same as one of them.

    Only in a job whose repeats were not sent. Rows that were edited in different ways since then
    do not ask for the same any more.
    """
    history = context.history
    firsts = history.rows.first_rows(job.id, seqs)
    if not firsts:
        return list(seqs), ()
    edits = history.rows.edits(job.id, seqs)
    sent: list[int] = []
    repeats: list[tuple[int, int]] = []
    known: dict[tuple[int, bytes], int] = {}
    for seq in seqs:
        first = known.setdefault((firsts.get(seq, seq), _encode(edits.get(seq, {}))), seq)
        if first == seq:
            sent.append(seq)
        else:
            repeats.append((seq, first))
    return sent, tuple(repeats)


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


def store_plan(
    context: Context, plan: RetryPlan, deadline: DeadlineStep | None = None
) -> list[Batch]:
    """Create the batches of a retry; their rows become pending. Call it in a thread.

    Edits add to those of earlier retries. Rows with different earlier edits go into different
    batches, because some providers allow only one model per batch.

    Args:
        context: The engine context.
        plan: The rows.
        deadline: The step of the job's deadline that this retry is.

    Raises:
        UsageError: All rows were retried or answered since the plan was made, or the job was
            deleted.
        OutdatedError: Another process has changed the deadline.
    """
    history = context.history
    before = history.rows.edits(plan.job_id, plan.seqs, plan.attempt)
    groups: dict[bytes, list[int]] = {}
    for seq in plan.seqs:
        groups.setdefault(_encode(before.get(seq, {})), []).append(seq)
    profile = context.accounts.profile(plan.account)
    require_min_rows(plan.rows, profile)
    now = context.clock()
    parts: list[NewBatch] = []
    repeats = dict(plan.repeats)
    for encoded, seqs in groups.items():
        edits = following(_decode(encoded), plan.edits)
        # An edit makes a request longer by at most its own encoded size.
        added = len(_encode(edits)) if edits else 0
        lengths = dict(history.rows.request_lengths(plan.job_id, seqs))
        places = ((seq, lengths[seq] + added) for seq in seqs if seq in lengths)
        batch = Batch(
            id="",
            job_id=plan.job_id,
            account=plan.account,
            address=context.accounts.info(plan.account).base_url,
            attempt=plan.attempt,
            part=len(parts) + 1,
            edits=edits,
            created_at=now,
            made_by=__version__,
        )
        parts += _new_parts(batch, places, repeats, profile.limits)
    stored = history.batches.begin_retry(parts, now, deadline, plan.answered)
    return [history.batches.get(batch_id) for batch_id in stored]


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
        plan: The rows and their edits.
        encode: Encodes a request for the provider and raises what the provider would reject.
            Without it the plan must be fitted again before it is sent.
        progress: If it is stopped, the plan is returned unchanged.

    Raises:
        UsageError: The edits cannot be applied to any row, or change none.
    """
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
    sent = set(kept)
    return msgspec.structs.replace(
        plan,
        seqs=kept,
        repeats=tuple(pair for pair in plan.repeats if pair[1] in sent),
        left_out=left_out,
        left_out_reason=plan.left_out_reason or why,
        fitted=encode is not None,
    )
