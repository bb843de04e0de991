"""Sending rows again: a new batch of just these rows, whose answers join the same job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from tui.core.editing import check_edits, edited_model, following
from tui.core.filtering import RowFilter
from tui.core.ids import new_batch_id
from tui.core.jobs import Batch, Job
from tui.core.outcome import UNANSWERED, Outcome
from tui.core.parts import PartLimits, plan_parts
from tui.engine.context import Context
from tui.engine.planner import refuse_few
from tui.errors import UsageError
from tui.store.batches import begin_retry
from tui.store.chains import changes_before, lengths_of
from tui.store.jobs import job_pk

_PAGE = 500

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode


@dataclass(frozen=True)
class RetryPlan:
    """What a retry will send, to be shown before it is confirmed.

    ``attempt`` is the number that the new attempt gets; rows that another retry sends in
    between are left out. ``permanent`` rows failed in a way that sending them unchanged will
    not mend; they are left out unless the plan has edits or they were asked for. ``left_out``
    more rows cannot be changed as the edits say, ``why_left`` for the first of them; it is known
    once the plan is ``fitted``.
    """

    job_id: str
    seqs: Sequence[int]
    permanent: int
    account: str
    provider: str
    provider_name: str
    endpoint: str
    model: str
    window: str
    attempt: int
    edits: Mapping[str, Any] = field(default_factory=dict)
    left_out: int = 0
    why_left: str = ""
    fitted: bool = False

    @property
    def rows(self) -> int:
        """How many rows will be sent."""
        return len(self.seqs)

    def changed(self, edits: Mapping[str, Any]) -> RetryPlan:
        """The same rows with other changes."""
        model = edited_model(edits, self.model)
        return replace(self, edits=dict(edits), model=model, fitted=False)


def make_plan(
    context: Context,
    job: Job,
    rows: RowFilter | Sequence[int] | None,
    edits: Mapping[str, Any],
    *,
    permanent_too: bool,
    account: str,
) -> RetryPlan:
    """Find the rows; call it in a thread.

    Args:
        context: The engine's surroundings.
        job: Whose rows.
        rows: A filter, sequence numbers, or ``None`` for all that have no answer.
        edits: Changes of the body.
        permanent_too: Send rows again that cannot succeed unchanged.
        account: Who sends them.

    Raises:
        UsageError: There is nothing to send, or the changes make no sense.
    """
    try:
        check_edits(edits)
    except ValueError as error:
        raise UsageError(str(error)) from None
    history = context.history
    # Before the rows are looked at: what is sent from now on has at least this number.
    attempt = 1 + max((batch.attempt for batch in history.batches(job.id)), default=0)
    if rows is None:
        rows = RowFilter(outcomes=UNANSWERED)
    chosen: Sequence[int]
    chosen = history.select(job.id, rows).seqs if isinstance(rows, RowFilter) else rows
    seqs: list[int] = []
    permanent = 0
    for start in range(0, len(chosen), _PAGE):
        for row in history.rows(job.id, chosen[start : start + _PAGE]):
            if row.outcome is Outcome.PENDING:
                continue
            if row.error is not None and row.error.retryable is False:
                permanent += 1
                if not edits and not permanent_too:
                    continue
            seqs.append(row.seq)
    if not seqs:
        raise _nothing(job, permanent)
    info = context.accounts.info(account)
    seqs = sorted(set(seqs))
    pk = job_pk(history.database.read, job.id)
    before = {} if pk is None else changes_before(history.database.read, pk, seqs).get(seqs[0], {})
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


def _nothing(job: Job, permanent: int) -> UsageError:
    if permanent:
        return UsageError(
            f"the {permanent:,} failed rows of {job.name!r} cannot succeed unchanged",
            "Change them (--set, --model; R in the dashboard), or send them anyway (--all).",
        )
    if job.counts.pending:
        return UsageError(f"{job.name!r} has no failed rows yet", "Its batches are still running.")
    return UsageError(f"{job.name!r} has no failed rows", "There is nothing to send again.")


def store_plan(context: Context, plan: RetryPlan) -> list[Batch]:
    """Make the batches of a retry; their rows become pending. Call it in a thread.

    Rows that were changed by earlier retries go on from there. Those that have different
    changes behind them come into different batches: a batch has one model at some providers.

    Raises:
        UsageError: All of the rows have been sent again since the plan was made.
    """
    history = context.history
    connection = history.database.read
    pk = job_pk(connection, plan.job_id)
    if pk is None:
        raise UsageError("the job is gone from the history")
    before = changes_before(connection, pk, plan.seqs, plan.attempt)
    alike: dict[bytes, list[int]] = {}
    for seq in plan.seqs:
        alike.setdefault(_encode(before.get(seq, {})), []).append(seq)
    profile = context.accounts.profile(plan.account)
    limits = profile.limits
    refuse_few(plan.rows, profile)
    fitting = PartLimits(limits.rows, limits.bytes)
    now = context.clock()
    parts: list[tuple[Batch, Sequence[int]]] = []
    for encoded, seqs in alike.items():
        edits = following(_decode(encoded), plan.edits)
        # Each change adds less than it takes to write it down.
        added = len(_encode(edits)) if edits else 0
        lengths = lengths_of(connection, pk, seqs)
        places = ((seq, lengths[seq] + added) for seq in seqs if seq in lengths)
        start = 0
        for part in plan_parts(places, fitting):
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
    return [history.batch(batch_id) for batch_id in begin_retry(history.database, parts, now)]
