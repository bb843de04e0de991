"""The records of jobs and batches: insert, read and change them, and count rows by outcome."""

from __future__ import annotations

import sqlite3
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from tui.core.jobs import (
    Batch,
    BatchStatus,
    Cost,
    Counts,
    Deadline,
    Job,
    OrphanLines,
    RemoteCounts,
    SamplePart,
    Submission,
    job_status,
)
from tui.core.rows import OUTCOMES, Outcome
from tui.errors import UnknownJobError, UsageError
from tui.paths import Paths
from tui.store.database import records
from tui.store.job_folder import requests_file, result_file_path

_JOB_COLUMNS = (
    "id", "name", "account", "provider", "endpoint", "model", "window", "source", "size",
    "input_tokens", "status", "created_at", "submitted_at", "ended_at", "trouble", "note",
    "experiment", "sample", "archive", "deadline",
)  # fmt: skip
"""Columns that are fields of ``Job``; counts, cost and tags are stored in another form."""

_BATCH_COLUMNS = tuple(name for name in Batch.__struct_fields__ if name != "job_id")
_JSON_COLUMNS = ("remote_counts", "edits", "raw", "prices")

_CHANGEABLE = {
    "submission", "status", "raw_status", "remote_id", "input_file_id", "remote_counts",
    "collected", "submitted_at", "ended_at", "expires_at", "progressed_at", "next_poll_at",
    "trouble", "raw", "style", "rows", "told_cost", "results_expire_at", "cancel_wanted_at",
    "creates", "prices", "address",
}  # fmt: skip

_FEW = 20
"""Up to this many jobs, one query per job for its counts is faster than one for all."""


class JobData:
    """The records and files of one job, for reading in one thread.

    Args:
        connection: A reading connection of this thread.
        paths: Locates the files.
        job_id: The job.

    Attributes:
        pk: Primary key of the job.

    Raises:
        UnknownJobError: There is no job with this id.
    """

    def __init__(self, connection: sqlite3.Connection, paths: Paths, job_id: str) -> None:
        self.connection = connection
        self.paths = paths
        self.id = job_id
        self.pk = job_pk(connection, job_id)

    @cached_property
    def job(self) -> Job:
        """The record of the job, as it was when it was first asked for."""
        return read_job(self.connection, self.id)

    @property
    def requests(self) -> Path:
        """The file with the requests."""
        return requests_file(self.paths, self.id)

    def file(self, number: int) -> Path:
        """A file of the job: the requests (0), or a result file by its primary key."""
        if number == 0:
            return self.requests
        return result_file_path(self.connection, self.paths, number)


def insert_job(connection: sqlite3.Connection, job: Job) -> int:
    """Store a new job and return its primary key."""
    values = {name: _stored(getattr(job, name)) for name in _JOB_COLUMNS}
    values["total"] = job.counts.total
    values["cost_estimated"] = job.cost.estimated
    values["currency"] = job.cost.currency
    return _insert(connection, "jobs", values)


def insert_batch(connection: sqlite3.Connection, batch: Batch, job_pk: int) -> int:
    """Store a new batch of a job and return its primary key."""
    values = {name: _stored(getattr(batch, name)) for name in _BATCH_COLUMNS}
    pk = _insert(connection, "batches", values | {"job": job_pk})
    if batch.remote_id is not None:
        _claim_remote(connection, pk, batch.remote_id)
    return pk


def _insert(connection: sqlite3.Connection, table: str, values: dict[str, Any]) -> int:
    names, marks = ", ".join(values), ", ".join(f":{name}" for name in values)
    cursor = connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", values)
    return int(cursor.lastrowid or 0)


def _stored(value: Any) -> Any:
    """A value as SQLite stores it: enumerations as text, structures as JSON."""
    if isinstance(value, (RemoteCounts, SamplePart, Deadline, dict)):
        return msgspec.json.encode(value).decode()
    if isinstance(value, (BatchStatus, Submission)):
        return value.value
    return value


def update_batch(connection: sqlite3.Connection, batch_id: str, changes: dict[str, Any]) -> None:
    """Change columns of a batch, and refresh the status and end time of its job.

    Raises:
        UnknownJobError: The batch was deleted with its job.
        UsageError: The provider's batch belongs to another batch of the history.
        ValueError: A column cannot be changed.
    """
    pk, job = batch_pk(connection, batch_id)
    if not changes.keys() <= _CHANGEABLE:
        raise ValueError(f"columns {changes.keys() - _CHANGEABLE} cannot be changed")
    assignments = ", ".join(f"{name}=?" for name in changes)
    values = map(_stored, changes.values())
    connection.execute(f"UPDATE batches SET {assignments} WHERE id=?", (*values, batch_id))
    if changes.get("remote_id") is not None:
        _claim_remote(connection, pk, changes["remote_id"])
    refresh_job(connection, job)


def _claim_remote(connection: sqlite3.Connection, pk: int, remote_id: str) -> None:
    """Record that a batch is that batch of the provider; it cannot be another one's as well.

    Raises:
        UsageError: It is another one's.
    """
    account, native = connection.execute(
        "SELECT account, native_of IS NOT NULL FROM batches WHERE pk=?", (pk,)
    ).fetchone()
    if native:
        # A retry in place runs in the provider's batch of an earlier attempt.
        return
    connection.execute(
        "INSERT OR IGNORE INTO remote_batches (account, remote_id, batch) VALUES (?,?,?)",
        (account, remote_id, pk),
    )
    owner, job_id = connection.execute(
        "SELECT r.batch, j.id FROM remote_batches r JOIN batches b ON b.pk=r.batch"
        " JOIN jobs j ON j.pk=b.job WHERE r.account=? AND r.remote_id=?",
        (account, remote_id),
    ).fetchone()
    if owner != pk:
        raise UsageError(f"the provider's batch {remote_id} already belongs to job {job_id}")


def refresh_job(connection: sqlite3.Connection, job_pk: int) -> None:
    """Derive the status, times and trouble of a job from its batches."""
    rows = records(
        connection,
        "SELECT status, submitted_at, ended_at, trouble, submission"
        " FROM batches WHERE job=? ORDER BY attempt, part",
        (job_pk,),
    )
    accepted = [row for row in rows if row["submission"] != Submission.REFUSED.value] or rows
    outcomes = connection.execute(
        "SELECT outcome FROM outcome_counts WHERE job=? AND n>0", (job_pk,)
    )
    status = job_status(
        (BatchStatus(row["status"]) for row in accepted),
        [OUTCOMES[outcome] for (outcome,) in outcomes],
    )
    submitted = min((at for row in rows if (at := row["submitted_at"]) is not None), default=None)
    ends = [row["ended_at"] for row in accepted]
    ended = None if None in ends else max(ends, default=None)
    trouble = next((row["trouble"] for row in reversed(rows) if row["trouble"]), "")
    connection.execute(
        "UPDATE jobs SET status=?, submitted_at=?, ended_at=?, trouble=? WHERE pk=?",
        (status.value, submitted, ended, trouble, job_pk),
    )


def change_deadline(
    connection: sqlite3.Connection, job_pk: int, before: Deadline | None, after: Deadline | None
) -> bool:
    """Replace the deadline of a job, if it is still ``before``; returns whether it was."""
    changed = connection.execute(
        "UPDATE jobs SET deadline=? WHERE pk=? AND deadline IS ?",
        (_stored(after), job_pk, _stored(before)),
    )
    return changed.rowcount == 1


def note(
    connection: sqlite3.Connection, job_pk: int, at: float, what: str, batch_id: str | None = None
) -> None:
    """Add an event to the timeline of a job."""
    connection.execute(
        "INSERT INTO timeline (job, batch, at, what) VALUES (?,?,?,?)",
        (job_pk, batch_id, at, what),
    )


def job_pk(connection: sqlite3.Connection, job_id: str) -> int:
    """Primary key of a job.

    Raises:
        UnknownJobError: There is no job with this id.
    """
    found = connection.execute("SELECT pk FROM jobs WHERE id=?", (job_id,)).fetchone()
    if found is None:
        raise UnknownJobError(f"there is no job {job_id!r}")
    return int(found[0])


def batch_pk(connection: sqlite3.Connection, batch_id: str) -> tuple[int, int]:
    """Primary keys of a batch and of its job.

    Raises:
        UnknownJobError: The batch was deleted with its job.
    """
    found = connection.execute("SELECT pk, job FROM batches WHERE id=?", (batch_id,)).fetchone()
    if found is None:
        raise UnknownJobError(f"batch {batch_id!r} no longer exists")
    return int(found[0]), int(found[1])


def find_job(connection: sqlite3.Connection, reference: str) -> Job:
    """Find a job by its id, its name, or the beginning of its id.

    Raises:
        UnknownJobError: No job matches, or several do.
    """
    for where in ("id=?", "name=?", "instr(id, ?)=1"):
        found = read_jobs(connection, where, (reference,)) if reference else []
        if len(found) == 1:
            return found[0]
        if found:
            ids = ", ".join(job.id for job in found[:5])
            raise UnknownJobError(
                f"{reference!r} matches {len(found)} jobs: {ids}", "Use the full id."
            )
    raise UnknownJobError(
        f"there is no job {reference!r}", "Run `batchdeck list` to see the jobs and their ids."
    )


def read_job(connection: sqlite3.Connection, job_id: str) -> Job:
    """One job by its full id.

    Raises:
        UnknownJobError: There is no job with this id.
    """
    found = read_jobs(connection, "id=?", (job_id,))
    if not found:
        raise UnknownJobError(f"there is no job {job_id!r}")
    return found[0]


def read_jobs(connection: sqlite3.Connection, where: str, values: tuple[Any, ...]) -> list[Job]:
    """Jobs that match an SQL condition (trusted text), newest first, with their counts."""
    rows = records(
        connection,
        f"SELECT pk, {', '.join(_JOB_COLUMNS)}, total, tags, cost_estimated, cost_actual, currency,"
        # The quote of a job is known only when every batch of the first attempt has one.
        " (SELECT CASE WHEN count(*)=count(b.told_cost) THEN sum(b.told_cost) END"
        " FROM batches b WHERE b.job=jobs.pk AND b.attempt=1) AS told"
        f" FROM jobs WHERE {where} ORDER BY created_at DESC, pk DESC",
        values,
    )
    if len(rows) <= _FEW:
        chosen, values = ",".join(str(row["pk"]) for row in rows), ()
    else:
        # A history can hold thousands of jobs: read all counts in one query.
        chosen = f"SELECT pk FROM jobs WHERE {where}"
    counts: dict[int, dict[Outcome, int]] = {}
    for pk, outcome, n in connection.execute(
        f"SELECT job, outcome, n FROM outcome_counts WHERE job IN ({chosen})", values
    ):
        counts.setdefault(pk, {})[OUTCOMES[outcome]] = n
    return [_job(row, counts.get(row.pop("pk"), {})) for row in rows]


def _job(row: dict[str, Any], ended: dict[Outcome, int]) -> Job:
    row["status"] = BatchStatus(row["status"])
    row["tags"] = tuple(row["tags"].split())
    if row["sample"] is not None:
        row["sample"] = msgspec.json.decode(row["sample"], type=SamplePart)
    if row["deadline"] is not None:
        row["deadline"] = msgspec.json.decode(row["deadline"], type=Deadline)
    cost = Cost(
        estimated=row.pop("cost_estimated"),
        actual=row.pop("cost_actual"),
        told=row.pop("told"),
        currency=row.pop("currency"),
    )
    return Job(counts=Counts.of(row.pop("total"), ended), cost=cost, **row)


def read_batches(
    connection: sqlite3.Connection, where: str, values: tuple[Any, ...] = ()
) -> list[Batch]:
    """Batches that match an SQL condition (trusted text), by attempt and part."""
    rows = records(
        connection,
        f"SELECT j.id AS job_id, {', '.join(f'b.{name}' for name in _BATCH_COLUMNS)}"
        f" FROM batches b JOIN jobs j ON j.pk=b.job WHERE {where}"
        " ORDER BY b.attempt, b.part, b.pk",
        values,
    )
    return [_batch(row) for row in rows]


def _batch(row: dict[str, Any]) -> Batch:
    for name in _JSON_COLUMNS:
        row[name] = msgspec.json.decode(row[name])
    row["collected"] = bool(row["collected"])
    row["reuses"] = bool(row["reuses"])
    return msgspec.convert(row, Batch)


def read_orphan_lines(connection: sqlite3.Connection, job_pk: int) -> OrphanLines:
    """How many result lines of a job belong to no row, by kind."""
    rows = connection.execute(
        "SELECT s.kind, count(*) FROM batches b JOIN files f ON f.batch=b.pk"
        " JOIN strays s ON s.file=f.pk WHERE b.job=? GROUP BY s.kind",
        (job_pk,),
    )
    return OrphanLines(**dict(rows.fetchall()))


def add_counts(
    connection: sqlite3.Connection, job_pk: int, changes: dict[int, int] | dict[Outcome, int]
) -> None:
    """Add numbers, which may be negative, to the counts of a job; keys are outcome codes."""
    connection.executemany(
        "INSERT INTO outcome_counts (job, outcome, n) VALUES (?,?,?)"
        " ON CONFLICT (job, outcome) DO UPDATE SET n = n + excluded.n",
        [(job_pk, outcome, n) for outcome, n in changes.items() if n],
    )
