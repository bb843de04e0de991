"""Jobs and batches: their records, written and read."""

from __future__ import annotations

import sqlite3
from typing import Any

import msgspec

from tui.core.counts import Counts, RemoteCounts
from tui.core.jobs import Batch, Cost, Job
from tui.core.outcome import OUTCOMES, Outcome
from tui.core.status import BatchStatus, Submission, job_status
from tui.errors import UnknownJobError

_JOB = (
    "pk, id, name, account, provider, endpoint, model, window, source, size, total,"
    " input_tokens, status, created_at, submitted_at, ended_at, cost_estimated, cost_actual,"
    " currency, trouble, tags, note,"
    # Known only when it is known of every batch of the first sending.
    " (SELECT CASE WHEN count(*)=count(b.told_cost) THEN sum(b.told_cost) END"
    " FROM batches b WHERE b.job=jobs.pk AND b.attempt=1) AS told"
)
_BATCH = (
    "b.id, j.id, b.account, b.attempt, b.part, b.rows, b.first_seq, b.last_seq, b.submission,"
    " b.status, b.raw_status, b.remote_id, b.input_file_id, b.remote_counts, b.edits,"
    " b.collected, b.created_at, b.submitted_at, b.ended_at, b.expires_at, b.progressed_at,"
    " b.next_poll_at, b.trouble, b.raw, b.native_of, b.told_cost, b.results_expire_at,"
    " b.cancel_wanted_at"
)
_CHANGEABLE = {
    "submission", "status", "raw_status", "remote_id", "input_file_id", "remote_counts",
    "collected", "submitted_at", "ended_at", "expires_at", "progressed_at", "next_poll_at",
    "trouble", "raw", "style", "rows", "told_cost", "results_expire_at", "cancel_wanted_at",
}  # fmt: skip

_FEW = 20
"""Jobs up to which a query for the counts of each is the quicker way."""


def insert_job(connection: sqlite3.Connection, job: Job) -> int:
    """Store a new job; the answer is its row number."""
    cursor = connection.execute(
        "INSERT INTO jobs (id, name, account, provider, endpoint, model, window, source, size,"
        " total, input_tokens, created_at, cost_estimated, currency)"
        " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
        (
            job.id,
            job.name,
            job.account,
            job.provider,
            job.endpoint,
            job.model,
            job.window,
            job.source,
            job.size,
            job.counts.total,
            job.input_tokens,
            job.created_at,
            job.cost.estimated,
            job.cost.currency,
        ),
    )
    return int(cursor.lastrowid or 0)


def insert_batch(connection: sqlite3.Connection, batch: Batch, job_pk: int) -> int:
    """Store a new batch of a job; the answer is its row number."""
    cursor = connection.execute(
        "INSERT INTO batches (id, job, account, attempt, part, rows, first_seq, last_seq,"
        " submission, status, edits, created_at, native_of, remote_id, input_file_id)"
        " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
        (
            batch.id,
            job_pk,
            batch.account,
            batch.attempt,
            batch.part,
            batch.rows,
            batch.first_seq,
            batch.last_seq,
            batch.submission.value,
            batch.status.value,
            _json(batch.edits),
            batch.created_at,
            batch.native_of,
            batch.remote_id,
            batch.input_file_id,
        ),
    )
    return int(cursor.lastrowid or 0)


def status_of(connection: sqlite3.Connection, batch_id: str) -> tuple[str, str] | None:
    """The status of a batch and the provider's own word for it; ``None`` when it is gone."""
    row: tuple[str, str] | None = connection.execute(
        "SELECT status, raw_status FROM batches WHERE id=?", (batch_id,)
    ).fetchone()
    return row


def update_batch(connection: sqlite3.Connection, batch_id: str, changes: dict[str, Any]) -> None:
    """Change some fields of a batch, and with them the status and the end of its job.

    Raises:
        UnknownJobError: It is gone, with its job.
    """
    found = connection.execute("SELECT job FROM batches WHERE id=?", (batch_id,)).fetchone()
    if found is None:
        raise UnknownJobError(f"there is no batch {batch_id!r} any more")
    values: list[Any] = []
    for name, value in changes.items():
        if name not in _CHANGEABLE:
            raise ValueError(f"no column {name!r} to change")
        if isinstance(value, (RemoteCounts, dict)):
            value = _json(value)
        elif isinstance(value, (BatchStatus, Submission)):
            value = value.value
        values.append(value)
    assignments = ", ".join(f"{name}=?" for name in changes)
    connection.execute(f"UPDATE batches SET {assignments} WHERE id=?", (*values, batch_id))
    refresh_job(connection, found[0])


def refresh_job(connection: sqlite3.Connection, job_pk: int) -> None:
    """Derive a job's status, times and trouble from its batches."""
    rows = connection.execute(
        "SELECT status, submitted_at, ended_at, trouble, collected, submission"
        " FROM batches WHERE job=? ORDER BY attempt, part",
        (job_pk,),
    ).fetchall()
    live = [row for row in rows if row[5] != Submission.REFUSED.value] or rows
    status = job_status(BatchStatus(row[0]) for row in live)
    submitted = min((row[1] for row in rows if row[1] is not None), default=None)
    over = bool(rows) and all(row[2] is not None for row in live)
    ended = max((row[2] for row in live if row[2] is not None), default=None) if over else None
    trouble = next((row[3] for row in reversed(rows) if row[3]), "")
    connection.execute(
        "UPDATE jobs SET status=?, submitted_at=?, ended_at=?, trouble=? WHERE pk=?",
        (status.value, submitted, ended, trouble, job_pk),
    )


def annotate(
    connection: sqlite3.Connection,
    job_id: str,
    tags: tuple[str, ...] | None = None,
    remark: str | None = None,
) -> None:
    """Set the tags of a job, or its note; ``None`` leaves what there is.

    Raises:
        UnknownJobError: There is no such job.
    """
    changes = {
        "tags": None if tags is None else " ".join(tags),
        "note": None if remark is None else remark,
    }
    for column, value in changes.items():
        if value is None:
            continue
        if not connection.execute(
            f"UPDATE jobs SET {column}=? WHERE id=?", (value, job_id)
        ).rowcount:
            raise UnknownJobError(f"there is no job {job_id!r}")


def note(
    connection: sqlite3.Connection, job_pk: int, at: float, what: str, batch_id: str | None = None
) -> None:
    """Add a line to the timeline of a job."""
    connection.execute(
        "INSERT INTO timeline (job, batch, at, what) VALUES (?,?,?,?)",
        (job_pk, batch_id, at, what),
    )


def job_pk(connection: sqlite3.Connection, job_id: str) -> int | None:
    """The row number of a job."""
    found = connection.execute("SELECT pk FROM jobs WHERE id=?", (job_id,)).fetchone()
    return None if found is None else int(found[0])


def batch_pk(connection: sqlite3.Connection, batch_id: str) -> tuple[int, int]:
    """The row numbers of a batch and of its job.

    Raises:
        UnknownJobError: It is gone, with its job.
    """
    found = connection.execute("SELECT pk, job FROM batches WHERE id=?", (batch_id,)).fetchone()
    if found is None:
        raise UnknownJobError(f"there is no batch {batch_id!r} any more")
    return int(found[0]), int(found[1])


def read_jobs(connection: sqlite3.Connection, where: str, values: tuple[Any, ...]) -> list[Job]:
    """The jobs that fit an SQL condition of ours, newest first, with their counts."""
    rows = connection.execute(
        f"SELECT {_JOB} FROM jobs WHERE {where} ORDER BY created_at DESC, pk DESC", values
    ).fetchall()
    if len(rows) <= _FEW:
        return [_job(row, read_counts(connection, row[0], row[10])) for row in rows]
    # A history has thousands of jobs: their counts are read at once, not job by job.
    found: dict[int, dict[Outcome, int]] = {}
    for pk, outcome, n in connection.execute(
        f"SELECT job, outcome, n FROM outcome_counts WHERE job IN"
        f" (SELECT pk FROM jobs WHERE {where})",
        values,
    ):
        found.setdefault(pk, {})[OUTCOMES[outcome]] = n
    return [_job(row, Counts.of(row[10], found.get(row[0], {}))) for row in rows]


def read_batches(
    connection: sqlite3.Connection, where: str, values: tuple[Any, ...] = ()
) -> list[Batch]:
    """The batches that fit an SQL condition of ours, by attempt and part."""
    rows = connection.execute(
        f"SELECT {_BATCH} FROM batches b JOIN jobs j ON j.pk=b.job WHERE {where}"
        " ORDER BY b.attempt, b.part, b.pk",
        values,
    ).fetchall()
    return [_batch(row) for row in rows]


def read_counts(connection: sqlite3.Connection, job_pk: int, total: int) -> Counts:
    """The merged counts of a job."""
    rows = connection.execute("SELECT outcome, n FROM outcome_counts WHERE job=?", (job_pk,))
    return Counts.of(total, {OUTCOMES[outcome]: n for outcome, n in rows})


def add_counts(
    connection: sqlite3.Connection, job_pk: int, changes: dict[int, int] | dict[Outcome, int]
) -> None:
    """Add to the counts of a job; keys are outcome codes."""
    connection.executemany(
        "INSERT INTO outcome_counts (job, outcome, n) VALUES (?,?,?)"
        " ON CONFLICT (job, outcome) DO UPDATE SET n = n + excluded.n",
        [(job_pk, outcome, n) for outcome, n in changes.items() if n],
    )


def _job(row: tuple[Any, ...], counts: Counts) -> Job:
    return Job(
        id=row[1],
        name=row[2],
        account=row[3],
        provider=row[4],
        endpoint=row[5],
        model=row[6],
        window=row[7],
        source=row[8],
        size=row[9],
        counts=counts,
        input_tokens=row[11],
        status=BatchStatus(row[12]),
        created_at=row[13],
        submitted_at=row[14],
        ended_at=row[15],
        cost=Cost(estimated=row[16], actual=row[17], currency=row[18], told=row[22]),
        trouble=row[19],
        tags=tuple(row[20].split()),
        note=row[21],
    )


def _batch(row: tuple[Any, ...]) -> Batch:
    return Batch(
        id=row[0],
        job_id=row[1],
        account=row[2],
        attempt=row[3],
        part=row[4],
        rows=row[5],
        first_seq=row[6],
        last_seq=row[7],
        submission=Submission(row[8]),
        status=BatchStatus(row[9]),
        raw_status=row[10],
        remote_id=row[11],
        input_file_id=row[12],
        remote_counts=msgspec.json.decode(row[13], type=RemoteCounts),
        edits=msgspec.json.decode(row[14]),
        collected=bool(row[15]),
        created_at=row[16],
        submitted_at=row[17],
        ended_at=row[18],
        expires_at=row[19],
        progressed_at=row[20],
        next_poll_at=row[21],
        trouble=row[22],
        raw=msgspec.json.decode(row[23]),
        native_of=row[24],
        told_cost=row[25],
        results_expire_at=row[26],
        cancel_wanted_at=row[27],
    )


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
