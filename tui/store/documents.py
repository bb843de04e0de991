"""What the history holds of a job, as the document that scripts get."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from tui.core.grouping import ADVICE
from tui.core.jobs import Batch, ErrorGroup, Job, Strays
from tui.core.times import rfc3339


def job_document(
    job: Job, batches: Sequence[Batch], groups: Sequence[ErrorGroup], strays: Strays
) -> dict[str, Any]:
    """The job document of the contracts, ready for JSON.

    Args:
        job: The job.
        batches: Its batches, by attempt and part.
        groups: Why rows failed, the largest group first.
        strays: Result lines that belong to no row.
    """
    kept = [batch.results_expire_at for batch in batches if batch.results_expire_at is not None]
    cost = msgspec.to_builtins(job.cost)
    return {
        "id": job.id,
        "name": job.name,
        "account": job.account,
        "provider": job.provider,
        "endpoint": job.endpoint,
        "model": job.model,
        "status": job.status.value,
        "window": job.window,
        "counts": msgspec.to_builtins(job.counts),
        "cost": cost,
        "created_at": rfc3339(job.created_at),
        "submitted_at": rfc3339(job.submitted_at),
        "ended_at": rfc3339(job.ended_at),
        "results_expire_at": rfc3339(min(kept, default=None)),
        "trouble": job.trouble or None,
        "tags": list(job.tags),
        "note": job.note or None,
        "batches": [_batch_document(batch) for batch in batches],
        "error_groups": [_group_document(group) for group in groups],
        "strays": msgspec.to_builtins(strays),
    }


def _batch_document(batch: Batch) -> dict[str, Any]:
    return {
        "id": batch.id,
        "remote_id": batch.remote_id,
        "account": batch.account,
        "attempt": batch.attempt,
        "part": batch.part,
        "rows": batch.rows,
        "status": batch.status.value,
        "raw_status": batch.raw_status or None,
        "submission": batch.submission.value,
        "input_file_id": batch.input_file_id,
        "counts": msgspec.to_builtins(batch.remote_counts),
        "edits": batch.edits,
        "collected": batch.collected,
        "created_at": rfc3339(batch.created_at),
        "submitted_at": rfc3339(batch.submitted_at),
        "ended_at": rfc3339(batch.ended_at),
        "expires_at": rfc3339(batch.expires_at),
        "next_poll_at": rfc3339(batch.next_poll_at),
        "results_expire_at": rfc3339(batch.results_expire_at),
        "told_cost": batch.told_cost,
        "trouble": batch.trouble or None,
    }


def _group_document(group: ErrorGroup) -> dict[str, Any]:
    return {
        "key": group.key,
        "http_status": group.http_status,
        "code": group.code,
        "message": group.message,
        "class": group.kind.value,
        "advice": ADVICE[group.kind],
        "count": group.count,
        "share": group.share,
        "retryable": group.retryable,
        "example_custom_id": group.example_custom_id,
        "first_seen_at": rfc3339(group.first_seen),
        "last_seen_at": rfc3339(group.last_seen),
    }
