"""Integrity check of the history, without changing anything.

It must also work on a history that ``Database`` refuses to open, so it uses its own read-only
connection.
"""

from __future__ import annotations

import contextlib
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import msgspec

from tui.paths import Paths
from tui.store.database import is_unwritable, unwritable_source
from tui.store.job_folder import REQUESTS
from tui.store.migrations import MIGRATIONS
from tui.store.reviews.log import LOG_FILE, log_problems


class IntegrityReport(msgspec.Struct):
    """Result of a check. It contains ids of jobs and names of files only, so it can be shared.

    Attributes:
        schema: Schema version; ``None`` if the database cannot be read.
        integrity: ``ok``, or SQLite's first error; empty if there is no database.
        jobs, batches: Number of records.
        problems: One sentence per problem.
        is_read_only: Whether the history can be read, but its folder cannot be written.
        sqlite: Version of the SQLite library.
    """

    schema: int | None = None
    integrity: str = ""
    jobs: int = 0
    batches: int = 0
    problems: list[str] = msgspec.field(default_factory=list)
    is_read_only: bool = False
    sqlite: str = sqlite3.sqlite_version


def check_integrity(paths: Paths) -> IntegrityReport:
    """Check the database, the job folders and their files; blocking.

    Does not raise for damage: every problem is in the result.
    """
    found = IntegrityReport()
    folders = _folders(paths)
    if not paths.history_db.exists():
        found.problems += [f"folder {name} belongs to no job" for name in sorted(folders)]
        return found
    found.is_read_only = is_unwritable(paths.history_db)
    try:
        with _opened(paths.history_db) as connection:
            _check_database(connection, found)
            if found.schema is not None and found.schema <= len(MIGRATIONS):
                _check_jobs(connection, paths, folders, found)
    except sqlite3.Error as error:
        found.integrity = found.integrity or str(error)
        found.problems.append(f"cannot read the history: {error}")
    return found


def find_open_permissions(paths: Paths) -> Iterator[tuple[Path, int]]:
    """Folders and files that other users of the machine can access, with their mode.

    The configuration file is not checked: it is the user's own and holds no secrets.
    """
    places = (paths.data, paths.logs, paths.jobs, paths.sandbox, paths.history_db, paths.log_file)
    # With BATCHDECK_HOME several of them are one folder.
    for place in dict.fromkeys(places):
        yield from _if_open_to_others(place)
    if paths.jobs.is_dir():
        for folder in paths.jobs.iterdir():
            yield from _if_open_to_others(folder)
            if folder.is_dir():
                for file in folder.iterdir():
                    yield from _if_open_to_others(file)


def _if_open_to_others(place: Path) -> Iterator[tuple[Path, int]]:
    try:
        mode = stat.S_IMODE(place.stat().st_mode)
    except OSError:
        return
    if mode & 0o077:
        yield place, mode


def _folders(paths: Paths) -> set[str]:
    try:
        return {entry.name for entry in paths.jobs.iterdir() if entry.is_dir()}
    except OSError:
        return set()


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[sqlite3.Connection]:
    source, copy = f"{file.absolute().as_uri()}?mode=ro", None
    if is_unwritable(file):
        source, copy = unwritable_source(file)
    try:
        with contextlib.closing(sqlite3.connect(source, uri=True, timeout=5)) as connection:
            yield connection
    finally:
        if copy is not None:
            copy.cleanup()


def _check_database(connection: sqlite3.Connection, found: IntegrityReport) -> None:
    (found.schema,) = connection.execute("PRAGMA user_version").fetchone()
    newest = len(MIGRATIONS)
    if found.schema is not None and found.schema > newest:
        found.problems.append(
            f"the history has schema {found.schema}; this version supports up to {newest}"
        )
    (found.integrity,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if found.integrity != "ok":
        found.problems.append(f"the database is damaged: {found.integrity}")
    orphan = connection.execute("PRAGMA foreign_key_check").fetchone()
    if orphan is not None:
        found.problems.append(f"the table {orphan[0]} has orphaned rows")


def _check_jobs(
    connection: sqlite3.Connection, paths: Paths, folders: set[str], found: IntegrityReport
) -> None:
    jobs = connection.execute("SELECT pk, id, total, size FROM jobs ORDER BY pk").fetchall()
    (found.batches,) = connection.execute("SELECT count(*) FROM batches").fetchone()
    found.jobs = len(jobs)
    for pk, job_id, total, size in jobs:
        if job_id not in folders:
            found.problems.append(f"job {job_id} has no folder")
            continue
        _check_file(paths.job_folder(job_id) / REQUESTS, size, job_id, found)
        (requests,) = connection.execute(
            "SELECT count(*) FROM requests WHERE job=?", (pk,)
        ).fetchone()
        if requests != total:
            found.problems.append(
                f"job {job_id} has records for {requests:,} of its {total:,} requests"
            )
        for name, received, indexed, complete in connection.execute(
            "SELECT f.name, f.received, f.indexed, f.complete"
            " FROM files f JOIN batches b ON b.pk=f.batch WHERE b.job=? ORDER BY f.pk",
            (pk,),
        ):
            _check_file(paths.job_folder(job_id) / name, max(received, indexed), job_id, found)
            if complete and indexed < received:
                found.problems.append(
                    f"job {job_id}: {name} is indexed up to byte {indexed:,} of {received:,}"
                )
        log = paths.job_folder(job_id) / LOG_FILE
        found.problems += [f"job {job_id}: {problem}" for problem in log_problems(log)]
    known = {job[1] for job in jobs}
    found.problems += [f"folder {name} belongs to no job" for name in sorted(folders - known)]


def _check_file(file: Path, size: int, job_id: str, found: IntegrityReport) -> None:
    try:
        actual = file.stat().st_size
    except OSError:
        if size:
            found.problems.append(f"job {job_id}: {file.name} is missing")
        return
    if actual < size:
        found.problems.append(
            f"job {job_id}: {file.name} is truncated: {actual:,} of {size:,} bytes"
        )
