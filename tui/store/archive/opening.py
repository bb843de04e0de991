"""Make a job of the history of an archive.

Its batches are stored as ones that ran elsewhere: they have no id at a provider here, so nothing
is asked, cancelled or deleted there because of them. The files are moved into place as a whole,
then the rows are indexed as ``reindex`` does it. What a killed program leaves says so, and is
replaced when the archive is opened again.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from tui.core.analysis.views import View
from tui.core.jobs import Batch, Job
from tui.core.text import quoted, visible
from tui.errors import HistoryError, InputError, UsageError
from tui.files import write_error
from tui.paths import Paths, open_private
from tui.progress import NO_PROGRESS, Progress
from tui.store import manifests
from tui.store.archive import contents
from tui.store.archive.reader import LAST_SECOND, ArchiveReader
from tui.store.database import Database
from tui.store.indexing.rebuild import RecordedOutcome, RetryRulesOf, reindex_job
from tui.store.job_records import batch_pk, job_pk, note, read_jobs, refresh_job
from tui.store.manifests import BatchManifest, JobManifest
from tui.store.reviews.log import LOG_FILE, log_size
from tui.store.rows.inputs import rebuild_index
from tui.temporary import temporary_folder

_UNFINISHED = "unfinished:"
"""Before the digest of an archive whose rows are not all indexed yet."""

_INTERRUPTED = "Opening its archive was interrupted: import the archive again"
_SLICE = 5000

AccountOf = Callable[[str, Job], str]
"""The account of this home that stands for one of the archive; may raise a ``BatchdeckError``."""


class OpenedArchive(NamedTuple):
    """A job that was made of an archive.

    Attributes:
        job_id: The job.
        views: The views that came with it and were added.
    """

    job_id: str
    views: dict[str, View]


def open_archive(
    database: Database,
    paths: Paths,
    path: Path,
    *,
    account_of: AccountOf,
    rules_of: RetryRulesOf,
    now: float,
    name: str | None = None,
    progress: Progress = NO_PROGRESS,
) -> OpenedArchive | None:
    """Make a job of an archive; blocking, so call it in a thread.

    Args:
        database: The history.
        paths: Where the history is.
        path: The archive.
        account_of: The account of this home for an account of the archive.
        rules_of: Returns the retry rules of an account of this home.
        now: Unix seconds, for the timeline.
        name: The name of the job; by default the one it had.
        progress: Told the bytes that were unpacked; can stop the work until the job is stored.

    Returns:
        The job; ``None`` if it was stopped.

    Raises:
        InputError: The archive cannot be opened; nothing was stored.
        UsageError: The job is in the history already.
        HistoryError: The files cannot be written; nothing was stored.
    """
    with ArchiveReader(path) as archive:
        digest = archive.manifest.digest
        job, batches = archive.records()
        _check_unknown(database, path, job, batches, digest)
        job = msgspec.structs.replace(
            job,
            name=name or job.name,
            account=account_of(job.account, job),
            archive=_UNFINISHED + digest,
            # Nothing of it runs here.
            deadline=None,
        )
        batches = [_elsewhere(found, account_of(found.batch.account, job)) for found in batches]
        with temporary_folder("open", paths.data) as folder:
            made = folder / job.id
            made.mkdir(mode=0o700)
            try:
                if not archive.unpack(made, progress):
                    return None
                rebuild_index(made)
                _write_records(made, job, batches)
                _remove_leftover(database, paths, archive, job.id)
                made.replace(paths.job_folder(job.id))
            except OSError as error:
                raise write_error(made, error, HistoryError) from error
        try:
            _store(database, paths, archive, job, batches, rules_of, now)
        except (OverflowError, HistoryError) as error:
            _forget(database, paths, job.id)
            reason = error.__cause__ if isinstance(error, HistoryError) else error
            if not isinstance(reason, OverflowError | sqlite3.IntegrityError):
                raise
            # Two requests have one id, or a number is too large to be stored.
            raise InputError(
                f"{quoted(path.name)} is damaged: {reason}", "Ask for a new one.", path=path
            ) from error
        except BaseException:
            _forget(database, paths, job.id)
            raise
        return OpenedArchive(job.id, archive.read(contents.VIEWS, dict[str, View]) or {})


def _check_unknown(
    database: Database, path: Path, job: Job, batches: Iterable[BatchManifest], digest: str
) -> None:
    found = read_jobs(database.read, "id=?", (job.id,))
    if found and found[0].archive == _UNFINISHED + digest:
        return
    if not found:
        for batch in batches:
            same = database.read.execute("SELECT 1 FROM batches WHERE id=?", (batch.batch.id,))
            if same.fetchone() is not None:
                raise UsageError(f"a batch of {quoted(path.name)} belongs to another job already")
        return
    known = f"{quoted(found[0].name)} ({job.id})"
    if found[0].archive == digest:
        raise UsageError(
            f"{quoted(path.name)} was imported already, as job {known}",
            f"`batchdeck show {job.id}` shows it.",
        )
    raise UsageError(
        f"the job of {quoted(path.name)} is in the history already, in another state: {known}",
        f"To replace it, delete it first: `batchdeck delete {job.id}`.",
    )


def _elsewhere(found: BatchManifest, account: str) -> BatchManifest:
    batch = msgspec.structs.replace(
        found.batch,
        account=account,
        elsewhere=found.batch.remote_id or "",
        remote_id=None,
        input_file_id=None,
        next_poll_at=None,
        cancel_wanted_at=None,
    )
    return msgspec.structs.replace(found, batch=batch, reserved=None)


def _write_records(folder: Path, job: Job, batches: Iterable[BatchManifest]) -> None:
    def write(name: str, value: Any) -> None:
        with open(open_private(folder / name), "wb") as stream:  # noqa: PTH123
            stream.write(msgspec.json.encode(value))

    write(manifests.JOB_FILE, JobManifest(job=job))
    for found in batches:
        write(manifests.batch_file(found.batch.id), found)


def _remove_leftover(database: Database, paths: Paths, archive: ArchiveReader, job_id: str) -> None:
    """Remove what a killed program left of the same archive.

    Raises:
        HistoryError: There is a folder of something else.
        UsageError: It has reviews that the archive does not have.
    """
    folder = paths.job_folder(job_id)
    if not folder.exists():
        return
    left = manifests.read_manifests(folder)
    if left is None or left[0].archive != _UNFINISHED + archive.manifest.digest:
        raise HistoryError(
            f"the folder {visible(str(folder))} belongs to a job that the history does not have",
            "`batchdeck reindex` brings it back.",
        )
    reviews = sum(entry.bytes for entry in archive.manifest.files if entry.name == LOG_FILE)
    if log_size(folder / LOG_FILE) > reviews:
        raise UsageError(
            f"job {job_id} was imported in part, and has been reviewed since",
            f"`batchdeck reindex {job_id}` completes its rows.",
        )
    _forget(database, paths, job_id)


def _forget(database: Database, paths: Paths, job_id: str) -> None:
    with database.write() as connection:
        connection.execute("DELETE FROM jobs WHERE id=?", (job_id,))
    shutil.rmtree(paths.job_folder(job_id), ignore_errors=True)


def _store(
    database: Database,
    paths: Paths,
    archive: ArchiveReader,
    job: Job,
    batches: list[BatchManifest],
    rules_of: RetryRulesOf,
    now: float,
) -> None:
    # Until its rows are there, everybody who looks at the job sees that they are not.
    marked = [_with_trouble(found, _INTERRUPTED) for found in batches]
    with database.write(durable=True) as connection:
        manifests.insert_records(connection, paths.job_folder(job.id), job, marked)
    outcomes = archive.read(contents.OUTCOMES, dict[str, RecordedOutcome])
    reindex_job(
        database, paths, job.id, rules_of=rules_of, now=now, restored=True, outcomes=outcomes
    )
    with database.write(durable=True) as connection:
        pk = job_pk(connection, job.id)
        (total,) = connection.execute("SELECT total FROM jobs WHERE pk=?", (pk,)).fetchone()
        if total != job.counts.total:
            raise InputError(
                f"{quoted(archive.path.name)} is damaged: it has {total:,} requests, and its"
                f" record says {job.counts.total:,}",
                "Ask for a new one.",
                path=archive.path,
            )
        own = [batch_pk(connection, found.batch.id)[0] for found in batches]
        _set_costs(connection, pk, archive, own)
        connection.executemany(
            "INSERT OR REPLACE INTO samples (batch, at, done) VALUES (?,?,?)",
            (
                (own[place], at, done)
                for place, at, done in archive.lines(contents.PACE, tuple[int, float, int])
                if 0 <= place < len(own)
            ),
        )
        connection.execute("DELETE FROM timeline WHERE job=?", (pk,))
        connection.executemany(
            "INSERT INTO timeline (job, at, batch, what) VALUES (?,?,?,?)",
            (
                (pk, *event)
                for event in archive.lines(contents.TIMELINE, tuple[float, str | None, str])
                if 0 <= event[0] < LAST_SECOND
            ),
        )
        note(connection, pk, now, f"Opened from {archive.path.name}; it ran elsewhere")
        connection.executemany(
            "UPDATE batches SET trouble=? WHERE id=?",
            [(found.batch.trouble, found.batch.id) for found in batches],
        )
        refresh_job(connection, pk)
        connection.execute(
            "UPDATE jobs SET archive=?, cost_actual=?, currency=? WHERE pk=?",
            (archive.manifest.digest, job.cost.actual, job.cost.currency, pk),
        )
        connection.execute("INSERT INTO manifests_due VALUES (?, 0)", (pk,))


def _with_trouble(found: BatchManifest, trouble: str) -> BatchManifest:
    batch: Batch = msgspec.structs.replace(found.batch, trouble=trouble)
    return msgspec.structs.replace(found, batch=batch)


def _set_costs(
    connection: sqlite3.Connection, job: int, archive: ArchiveReader, batches: Sequence[int]
) -> None:
    """Give the rows what they cost when they ran."""
    costs = archive.lines(contents.COSTS, tuple[int, int, float])
    while part := list(islice(costs, _SLICE)):
        values = [
            (cost, job, batches[place], seq)
            for place, seq, cost in part
            if 0 <= place < len(batches)
        ]
        for table in ("results", "attempts"):
            connection.executemany(
                f"UPDATE {table} SET cost=? WHERE job=? AND batch=? AND seq=?", values
            )


def added_views(known: Mapping[str, View], found: Mapping[str, View]) -> dict[str, View]:
    """The views of an archive that are to be kept, under names that are free."""
    added: dict[str, View] = {}
    for name, view in found.items():
        if known.get(name) == view:
            continue
        free = name
        number = 2
        while free in known or free in added:
            free = f"{name[:50]} ({number})"
            number += 1
        added[free] = view
    return added
