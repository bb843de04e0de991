"""What each job is, in files beside its requests, so that jobs outlive ``history.db``.

``job.json`` holds the record of a job, ``BATCH.batch.json`` that of a batch: account, rows, how
far its submit got, and its id at the provider. Triggers of the database note which records
changed; the files are written right after the transaction that changed them, so no caller can
forget it. What a killed program did not write is still noted, and written with the next change.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from tui.core.jobs import Batch, Job
from tui.core.requests import edited_model
from tui.errors import HistoryError
from tui.files import temporary_path
from tui.paths import open_private
from tui.store.job_folder import REQUESTS
from tui.store.job_records import (
    insert_batch,
    insert_job,
    note,
    read_batches,
    read_jobs,
    refresh_job,
    update_batch,
)
from tui.store.ledger import LedgerEntry, reserved_for
from tui.store.rows.repeats import insert_repeats, read_repeats, write_repeats

JOB_FILE = "job.json"
BATCH_ENDING = ".batch.json"
_REPEATS_ENDING = ".repeats.jsonl"
_FORMAT = 1
_PER_PASS = 100
"""Files written after one transaction; a history of an older version is worked off slowly."""

_MAX_BYTES = 64 << 20

_DUE = "manifests_due"


class JobManifest(msgspec.Struct, kw_only=True):
    """The content of ``job.json``."""

    format: int = _FORMAT
    job: Job


class BatchManifest(msgspec.Struct, kw_only=True):
    """The content of ``BATCH.batch.json``.

    ``style`` says how its result lines are written. ``rows`` lists the rows of a retry, or of a
    batch without repeats, as first and last row number of each run. The repeats stand in
    ``BATCH.repeats.jsonl``. ``reserved`` is what the ledger had for it when it was written.
    """

    format: int = _FORMAT
    batch: Batch
    style: str = ""
    rows: list[tuple[int, int]] = []
    reserved: LedgerEntry | None = None


def write_due(connection: sqlite3.Connection, folder: Path, *, durable: bool) -> None:
    """Write the manifests of the records that changed since the last call.

    It holds the lock for writing, so that two programs cannot write an older state over a newer.
    A file that cannot be written, for example because the disk is full, stays noted.

    Args:
        connection: The writing connection, outside a transaction.
        folder: The folder of all jobs.
        durable: Wait until the files are on the disk.
    """
    if connection.execute(f"SELECT 1 FROM {_DUE} LIMIT 1").fetchone() is None:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        due = connection.execute(
            f"SELECT DISTINCT job, batch FROM {_DUE} ORDER BY rowid DESC LIMIT ?", (_PER_PASS,)
        ).fetchall()
        for job, batch in due:
            if _write(connection, folder, job, batch, durable=durable):
                connection.execute(f"DELETE FROM {_DUE} WHERE job=? AND batch=?", (job, batch))
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _write(
    connection: sqlite3.Connection, folder: Path, job: int, batch: int, *, durable: bool
) -> bool:
    """Write one manifest; ``False`` if that failed and should be tried again."""
    manifest: JobManifest | BatchManifest
    if batch:
        batches = read_batches(connection, "b.pk=?", (batch,))
        if not batches:
            return True
        # The provider's own object is for display, and long.
        found = msgspec.structs.replace(batches[0], raw={})
        manifest = batch_manifest(connection, found)
        manifest.reserved = reserved_for(connection, found.id)
        path = folder / found.job_id / batch_file(found.id)
        if found.repeats and not _write_repeats(connection, path.parent, found, batch):
            return False
    else:
        jobs = read_jobs(connection, "pk=?", (job,))
        if not jobs:
            return True
        manifest = JobManifest(job=jobs[0])
        path = folder / jobs[0].id / JOB_FILE
    if not path.parent.is_dir():
        # It is being imported, or its files are lost.
        return True
    try:
        _replace(path, msgspec.json.encode(manifest), durable=durable)
    except OSError:
        return False
    return True


def batch_file(batch_id: str) -> str:
    """The name of the file with the record of a batch."""
    return f"{batch_id}{BATCH_ENDING}"


def batch_manifest(connection: sqlite3.Connection, batch: Batch) -> BatchManifest:
    """The record of a batch with its rows, as its file has it."""
    pk, style = connection.execute(
        "SELECT pk, style FROM batches WHERE id=?", (batch.id,)
    ).fetchone()
    return BatchManifest(batch=batch, style=style, rows=_runs(_rows(connection, pk)))


def _write_repeats(
    connection: sqlite3.Connection, folder: Path, batch: Batch, batch_pk: int
) -> bool:
    """Write the file of a batch's repeats, which never change; ``False`` if that failed."""
    path = folder / f"{batch.id}{_REPEATS_ENDING}"
    if path.exists() or not folder.is_dir():
        return True
    repeats = connection.execute(
        "SELECT seq, of_seq FROM repeats WHERE batch=? ORDER BY seq", (batch_pk,)
    )
    try:
        write_repeats(path, repeats)
    except HistoryError:
        return False
    return True


def _replace(path: Path, data: bytes, *, durable: bool) -> None:
    temporary = temporary_path(path)
    try:
        with os.fdopen(open_private(temporary), "wb") as stream:
            stream.write(data)
            if durable:
                stream.flush()
                os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _rows(connection: sqlite3.Connection, batch: int) -> Iterator[int]:
    rows = connection.execute("SELECT seq FROM batch_rows WHERE batch=? ORDER BY seq", (batch,))
    return (seq for (seq,) in rows)


def _runs(rows: Iterator[int]) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    for seq in rows:
        if runs and runs[-1][1] == seq - 1:
            runs[-1] = (runs[-1][0], seq)
        else:
            runs.append((seq, seq))
    return runs


def forget(folder: Path) -> None:
    """Remove the record of a job that is deleted, so that it does not come back."""
    (folder / JOB_FILE).unlink(missing_ok=True)


def read_manifests(folder: Path) -> tuple[Job, list[BatchManifest]] | None:
    """The records in a job's folder; ``None`` if it does not say what it is."""
    job = _read(folder / JOB_FILE, JobManifest)
    if job is None or job.job.id != folder.name or not (folder / REQUESTS).is_file():
        return None
    batches: list[BatchManifest] = []
    for path in sorted(folder.glob(f"*{BATCH_ENDING}")):
        found = _read(path, BatchManifest)
        if found is not None and found.batch.job_id == folder.name:
            batches.append(found)
    batches.sort(key=lambda found: (found.batch.attempt, found.batch.part))
    return job.job, batches


def _read(path: Path, kind: Any) -> Any:
    try:
        with path.open("rb") as stream:
            return msgspec.json.decode(stream.read(_MAX_BYTES), type=kind)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None


def restore(
    connection: sqlite3.Connection, folder: Path, now: float
) -> tuple[str, list[LedgerEntry]] | None:
    """Bring the records of a job back from its folder, in the caller's transaction.

    A job that is known gets the batches that it lacks, and the ids at the provider that its
    batches lack, as after a copy of ``history.db`` without ``history.db-wal``.

    Args:
        connection: The writing connection.
        folder: The folder of the job.
        now: Unix seconds, for the timeline.

    Returns:
        The id of the job and what its batches cost, if anything was brought back.
    """
    found = read_manifests(folder)
    if found is None:
        return None
    job, batches = found
    if not insert_records(connection, folder, job, batches):
        return None
    (pk,) = connection.execute("SELECT pk FROM jobs WHERE id=?", (job.id,)).fetchone()
    note(connection, pk, now, "Restored from its folder")
    return job.id, _entries(job, batches)


def insert_records(
    connection: sqlite3.Connection, folder: Path, job: Job, batches: Sequence[BatchManifest]
) -> bool:
    """Store what is lacking of a job and its batches, in the caller's transaction.

    Args:
        connection: The writing connection.
        folder: The folder of the job, for the repeats of its batches.
        job: The job.
        batches: Its batches.

    Returns:
        Whether anything was lacking.
    """
    known = connection.execute("SELECT pk FROM jobs WHERE id=?", (job.id,)).fetchone()
    pk = int(known[0]) if known else insert_job(connection, job)
    changed = known is None
    if known is None:
        connection.execute(
            "UPDATE jobs SET total=?, tags=?, cost_actual=? WHERE pk=?",
            (job.counts.total, " ".join(job.tags), job.cost.actual, pk),
        )
    for manifest in batches:
        changed = _restore_batch(connection, folder, pk, manifest) or changed
    if changed:
        refresh_job(connection, pk)
    return changed


def _restore_batch(
    connection: sqlite3.Connection, folder: Path, job: int, manifest: BatchManifest
) -> bool:
    batch = manifest.batch
    stored = connection.execute(
        "SELECT pk, remote_id, submission FROM batches WHERE id=?", (batch.id,)
    ).fetchone()
    if stored is not None and (stored[1] is not None or batch.remote_id is None):
        return False
    owned = connection.execute(
        "SELECT 1 FROM remote_batches WHERE account=? AND remote_id=?",
        (batch.account, batch.remote_id),
    ).fetchone()
    if owned is not None and batch.native_of is None:
        # It was imported again from the provider meanwhile.
        return False
    if stored is not None:
        connection.execute("DELETE FROM batches WHERE pk=?", (stored[0],))
    pk = insert_batch(connection, batch, job)
    changes = {"style": manifest.style or "openai", "remote_id": batch.remote_id}
    update_batch(connection, batch.id, changes)
    connection.executemany(
        "INSERT INTO batch_rows (batch, seq) VALUES (?,?)",
        ((pk, seq) for first, last in manifest.rows for seq in range(first, last + 1)),
    )
    insert_repeats(connection, pk, read_repeats(folder / f"{batch.id}{_REPEATS_ENDING}"))
    return True


def _entries(job: Job, manifests: Sequence[BatchManifest]) -> list[LedgerEntry]:
    """What the batches of a job cost: what was reserved, or its cost shared by their rows."""
    if job.provider == "sandbox":
        return []
    batches = [manifest.batch for manifest in manifests]
    reserved = {found.batch.id: found.reserved for found in manifests}
    sent = [
        b
        for b in batches
        # What ran elsewhere was paid elsewhere.
        if b.submission not in ("draft", "refused") and not b.reuses and b.elsewhere is None
    ]
    rows = max(1, sum(batch.rows for batch in sent))
    first = [b for b in batches if b.attempt == 1]
    not_sent = sum(b.rows if b.reuses else b.repeats for b in first)
    estimated_rows = job.counts.total - not_sent
    cost = job.cost.estimated if job.cost.actual is None else job.cost.actual

    def entry(batch: Batch) -> LedgerEntry:
        before = reserved[batch.id]
        if before is not None and job.cost.actual is None:
            return before
        return LedgerEntry(
            batch=batch.id,
            job=job.id,
            account=batch.account,
            provider=job.provider,
            submit=job.id,
            kind="reserved" if job.cost.actual is None else "billed",
            amount=None if cost is None else cost * batch.rows / rows,
            currency=job.cost.currency,
            spent_at=batch.submitted_at or job.created_at,
            rows=batch.rows,
            model=edited_model(batch.edits, job.model),
            estimated=job.cost.share(batch.rows, estimated_rows),
        )

    return [entry(batch) for batch in sent]


def folders_of(jobs: Path) -> list[Path]:
    """The folders of jobs, oldest first."""
    with contextlib.suppress(OSError):
        folders = [path for path in jobs.iterdir() if path.is_dir()]
        return sorted(folders, key=lambda path: path.stat().st_mtime)
    return []
