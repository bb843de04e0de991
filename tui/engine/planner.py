"""Cutting a job into the batches of its first sending."""

from __future__ import annotations

from tui.core.ids import new_batch_id
from tui.core.jobs import Batch
from tui.core.parts import PartLimits, plan_parts
from tui.engine.context import Context
from tui.errors import UsageError
from tui.providers.profile import Profile
from tui.store.batches import begin_first_attempt, places_of


def refuse_few(rows: int, profile: Profile) -> None:
    """See that a provider takes a batch of so few rows.

    Raises:
        UsageError: It does not.
    """
    if rows < profile.limits.min_rows:
        raise UsageError(
            f"{profile.name} takes batches of {profile.limits.min_rows:,} rows and more,"
            f" and these are {rows:,}",
            "The direct lane sends them one by one (an account NAME+direct, or retry --direct).",
        )


def plan_first_attempt(context: Context, job_id: str) -> None:
    """Make the batches of a job that has none; blocking, to be called in a thread."""
    history = context.history
    job = history.job(job_id)
    if history.batches(job_id):
        return
    profile = context.accounts.profile(job.account)
    limits = profile.limits
    refuse_few(job.counts.total, profile)
    parts = plan_parts(
        places_of(history.database.read, job_id), PartLimits(limits.rows, limits.bytes)
    )
    now = context.clock()
    begin_first_attempt(
        history.database,
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
        ],
    )
