"""Looking for damage in a history, without changing anything and without opening it for use.

It has to work on a history that the rest of the program refuses, so it has a connection of
its own that can only read.
"""

from __future__ import annotations

import contextlib
import sqlite3
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tui.paths import Paths
from tui.store.importing import REQUESTS
from tui.store.migrations import MIGRATIONS


@dataclass
class Checkup:
    """What was found. Jobs are named by their ids alone, files by their names alone.

    Attributes:
        schema: The number of the schema; ``None`` when the database cannot be read.
        integrity: ``ok``, or SQLite's first complaint; empty when there is no database.
        jobs, batches: How many there are.
        problems: What is wrong, one sentence each.
    """

    schema: int | None = None
    integrity: str = ""
    jobs: int = 0
    batches: int = 0
    problems: list[str] = field(default_factory=list)


def look_over(paths: Paths) -> Checkup:
    """Check the database, the folders of the jobs and their files; blocking.

    Never raises for damage: whatever is wrong is a problem in the answer.
    """
    found = Checkup()
    folders = _folders(paths)
    if not paths.history_db.exists():
        found.problems += [f"folder {name} belongs to no job" for name in sorted(folders)]
        return found
    try:
        with contextlib.closing(_open(paths.history_db)) as connection:
            _look_at_database(connection, found)
            if found.schema is not None and found.schema <= len(MIGRATIONS):
                _look_at_jobs(connection, paths, folders, found)
    except sqlite3.Error as error:
        found.integrity = found.integrity or str(error)
        found.problems.append(f"the history cannot be read: {error}")
    return found


def loose_modes(paths: Paths) -> Iterator[tuple[Path, int]]:
    """Folders and files that others than the user may enter or read, with their mode.

    The configuration is the person's own file and holds no secret: it is not looked at.
    """
    for place in (paths.data, paths.logs, paths.jobs, paths.sandbox):
        yield from _loose(place)
    for file in (paths.history_db, paths.log_file):
        yield from _loose(file)
    if paths.jobs.is_dir():
        for folder in paths.jobs.iterdir():
            yield from _loose(folder)
            if folder.is_dir():
                for file in folder.iterdir():
                    yield from _loose(file)


def _loose(place: Path) -> Iterator[tuple[Path, int]]:
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


def _open(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=5)


def _look_at_database(connection: sqlite3.Connection, found: Checkup) -> None:
    (found.schema,) = connection.execute("PRAGMA user_version").fetchone()
    newest = len(MIGRATIONS)
    if found.schema is not None and found.schema > newest:
        found.problems.append(f"the history has schema {found.schema}, this program knows {newest}")
    (found.integrity,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if found.integrity != "ok":
        found.problems.append(f"the database is damaged: {found.integrity}")
    lost = connection.execute("PRAGMA foreign_key_check").fetchone()
    if lost is not None:
        found.problems.append(f"the table {lost[0]} has rows that belong to nothing")


def _look_at_jobs(
    connection: sqlite3.Connection, paths: Paths, folders: set[str], found: Checkup
) -> None:
    jobs = connection.execute("SELECT pk, id, total, size FROM jobs ORDER BY pk").fetchall()
    (found.batches,) = connection.execute("SELECT count(*) FROM batches").fetchone()
    found.jobs = len(jobs)
    for pk, job_id, total, size in jobs:
        if job_id not in folders:
            found.problems.append(f"job {job_id} has no folder")
            continue
        _look_at_file(paths.job_folder(job_id) / REQUESTS, size, job_id, found)
        (requests,) = connection.execute(
            "SELECT count(*) FROM requests WHERE job=?", (pk,)
        ).fetchone()
        if requests != total:
            found.problems.append(
                f"job {job_id} has records of {requests:,} of its {total:,} requests"
            )
        for name, received, indexed in connection.execute(
            "SELECT f.name, f.received, f.indexed FROM files f JOIN batches b ON b.pk=f.batch"
            " WHERE b.job=? ORDER BY f.pk",
            (pk,),
        ):
            _look_at_file(paths.job_folder(job_id) / name, max(received, indexed), job_id, found)
    known = {job[1] for job in jobs}
    found.problems += [f"folder {name} belongs to no job" for name in sorted(folders - known)]


def _look_at_file(file: Path, size: int, job_id: str, found: Checkup) -> None:
    try:
        there = file.stat().st_size
    except OSError:
        if size:
            found.problems.append(f"job {job_id}: {file.name} is not there")
        return
    if there < size:
        found.problems.append(
            f"job {job_id}: {file.name} is cut: {there:,} of {size:,} bytes are there"
        )
