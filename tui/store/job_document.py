"""The job document: a job as JSON, for scripts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from tui.core.formatting import rfc3339
from tui.core.jobs import Batch, Deadline
from tui.core.retry_rules import ADVICE
from tui.store.job_records import JobData, read_batches, read_orphan_lines
from tui.store.rows.error_groups import read_groups
from tui.store.rows.inputs import InputColumns

_JOB = (
    "id", "name", "account", "provider", "endpoint", "model", "status", "window", "counts", "cost",
    "created_at", "submitted_at", "ended_at",
)  # fmt: skip
_BATCH = (
    "id", "remote_id", "account", "attempt", "part", "rows", "status", "raw_status", "submission",
    "input_file_id", "remote_counts", "edits", "collected", "created_at", "submitted_at",
    "ended_at", "expires_at", "next_poll_at", "results_expire_at", "told_cost", "trouble",
    "repeats", "reuses", "after",
)  # fmt: skip
_ERROR = ("key", "http_status", "code", "message", "kind")
_GROUP = ("count", "share", "retryable", "example_custom_id")
_RENAMED = {"remote_counts": "counts", "kind": "class"}
_EMPTY_IS_NULL = {"raw_status", "trouble"}


def job_document(data: JobData) -> dict[str, Any]:
    """Build the job document, made of plain values that JSON can hold."""
    job = data.job
    batches = read_batches(data.connection, "j.pk=?", (data.pk,))
    with InputColumns(data.paths, data.id) as inputs:
        origin = inputs.origin
    expiries = [batch.results_expire_at for batch in batches if batch.results_expire_at is not None]
    return {
        **_document(job, _JOB),
        "results_expire_at": rfc3339(min(expiries, default=None)),
        "trouble": job.trouble or None,
        "tags": list(job.tags),
        "note": job.note or None,
        "experiment": job.experiment or None,
        "sample": None if job.sample is None else msgspec.to_builtins(job.sample),
        "deadline": _deadline(job.deadline),
        "origin": None if origin is None else msgspec.to_builtins(origin),
        "ran_elsewhere": bool(job.archive),
        "batches": [_batch_document(batch) for batch in batches],
        "error_groups": [
            {
                **_document(group, _ERROR),
                "advice": ADVICE[group.kind],
                **_document(group, _GROUP),
                "first_seen_at": rfc3339(group.first_seen),
                "last_seen_at": rfc3339(group.last_seen),
            }
            for group in read_groups(data.connection, data.pk)
        ],
        "strays": msgspec.to_builtins(read_orphan_lines(data.connection, data.pk)),
    }


def _batch_document(batch: Batch) -> dict[str, Any]:
    return {
        **_document(batch, _BATCH),
        "remote_id": batch.provider_id,
        "ran_elsewhere": batch.elsewhere is not None,
    }


def _deadline(deadline: Deadline | None) -> dict[str, Any] | None:
    if deadline is None:
        return None
    return {
        "at": rfc3339(deadline.at),
        "phase": deadline.phase.value,
        "most": deadline.most,
        "budget": deadline.budget,
        "currency": deadline.currency,
        "note": deadline.note or None,
    }


def _document(record: msgspec.Struct, fields: Sequence[str]) -> dict[str, Any]:
    """Fields of a record as JSON holds them, with times as text."""
    found: dict[str, Any] = {}
    for name in fields:
        value = getattr(record, name)
        if name.endswith("_at"):
            value = rfc3339(value)
        elif name in _EMPTY_IS_NULL:
            value = value or None
        found[_RENAMED.get(name, name)] = msgspec.to_builtins(value)
    return found
