"""``request_index.db``: which rows of which jobs made a request, by the hash of the request.

It holds hashes and numbers, some 20 bytes per row. It is a help for finding only: what it finds is
compared with the requests themselves. It may be deleted at any time: it is filled again in small
steps while the dashboard is open, and as a whole when it is next needed.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path

from tui.core.requests import request_identity
from tui.core.text import split_lines
from tui.errors import HistoryError
from tui.paths import Paths
from tui.progress import NO_PROGRESS, Progress
from tui.store.database import chunked
from tui.store.job_folder import requests_file
from tui.store.rows.repeats import request_hash

_VERSION = 2
_SLICE = 5000
"""Rows that are added in one transaction, so that another program waits for moments only."""

_BUSY_SECONDS = 30.0


class RequestIndex:
    """The index of one home; a context manager, to be used in one thread.

    Args:
        paths: Where it is stored.

    Raises:
        HistoryError: It cannot be opened.
    """

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._path = paths.data / "request_index.db"
        try:
            try:
                self._connection = self._opened()
            except sqlite3.DatabaseError as error:
                if not _is_useless(error):
                    raise
                self._remove()
                self._connection = self._opened()
        except (sqlite3.Error, OSError) as error:
            raise HistoryError(f"cannot use {self._path}: {error}") from None

    def __enter__(self) -> RequestIndex:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def _opened(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=_BUSY_SECONDS, isolation_level=None)
        try:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version not in (0, _VERSION):
                raise _OtherVersionError(f"version {version}")
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=OFF")
            if not version:
                self._create(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _create(self, connection: sqlite3.Connection) -> None:
        """Make the tables; the version is written last, so that what was cut short is redone."""
        with contextlib.suppress(OSError):
            self._path.chmod(0o600)
        connection.execute(
            "CREATE TABLE IF NOT EXISTS jobs (pk INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,"
            # Rows and bytes of its requests that were read; all are once it is whole.
            " rows INTEGER NOT NULL DEFAULT 0, bytes INTEGER NOT NULL DEFAULT 0,"
            " whole INTEGER NOT NULL DEFAULT 0)"
        )
        connection.execute(
            "CREATE TABLE IF NOT EXISTS hashes (hash INTEGER NOT NULL, job INTEGER NOT NULL,"
            " seq INTEGER NOT NULL, PRIMARY KEY (hash, job, seq)) WITHOUT ROWID"
        )
        connection.execute(f"PRAGMA user_version={_VERSION}")

    def _remove(self) -> None:
        """Remove the index with its journals: everything in it can be found again."""
        for ending in ("", "-wal", "-shm"):
            self._path.with_name(f"{self._path.name}{ending}").unlink(missing_ok=True)

    def refresh(self, job_ids: Iterable[str], progress: Progress = NO_PROGRESS) -> None:
        """Add the jobs that are new, and remove those that are deleted.

        Args:
            job_ids: All jobs of the history.
            progress: Told how many of the new jobs are read; can stop the work.

        Raises:
            HistoryError: It cannot be written.
        """
        self._write(list(job_ids), progress, None)

    def add_some(self, job_ids: Iterable[str], rows: int) -> bool:
        """Add at most so many rows of jobs that are new; a small step of ``refresh``.

        Args:
            job_ids: All jobs of the history.
            rows: The most rows to add.

        Returns:
            Whether there may be more to add.

        Raises:
            HistoryError: It cannot be written.
        """
        return self._write(list(job_ids), NO_PROGRESS, rows)

    def _write(self, wanted: Sequence[str], progress: Progress, most: int | None) -> bool:
        try:
            try:
                return self._refresh(wanted, progress, most)
            except sqlite3.DatabaseError as error:
                if not _is_useless(error):
                    raise
                self._connection.close()
                self._remove()
                self._connection = self._opened()
                return self._refresh(wanted, progress, most)
        except (sqlite3.Error, OSError) as error:
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            raise HistoryError(f"cannot write {self._path}: {error}") from None

    def _refresh(self, wanted: Sequence[str], progress: Progress, most: int | None) -> bool:
        known = {
            job: (pk, whole)
            for pk, job, whole in self._connection.execute("SELECT pk, id, whole FROM jobs")
        }
        for gone in set(known) - set(wanted):
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.execute("DELETE FROM hashes WHERE job=?", (known[gone][0],))
            self._connection.execute("DELETE FROM jobs WHERE pk=?", (known[gone][0],))
            self._connection.execute("COMMIT")
        new = [job for job in wanted if job not in known or not known[job][1]]
        done = 0
        while done < len(new):
            progress.update(done, len(new))
            if progress.stopped:
                return True
            done += self._add(islice(new, done, None), most or _SLICE)
            if most is not None:
                return done < len(new)
        return False

    def _add(self, job_ids: Iterable[str], rows: int) -> int:
        """Add the next rows in one transaction; returns of how many jobs all are added."""
        self._connection.execute("BEGIN IMMEDIATE")
        done = 0
        for job_id in job_ids:
            count, is_whole = self._add_rows(job_id, rows)
            if not is_whole:
                break
            done += 1
            # A job without rows takes its time too.
            rows -= max(1, count)
            if rows <= 0:
                break
        self._connection.execute("COMMIT")
        return done

    def _add_rows(self, job_id: str, rows: int) -> tuple[int, bool]:
        """Add the next rows of a job; returns how many, and whether all of the job are added."""
        connection = self._connection
        connection.execute("INSERT OR IGNORE INTO jobs (id) VALUES (?)", (job_id,))
        pk, first, start, whole = connection.execute(
            "SELECT pk, rows, bytes, whole FROM jobs WHERE id=?", (job_id,)
        ).fetchone()
        if whole:
            return 0, True
        hashes, end, count = _hashes(requests_file(self._paths, job_id), pk, first, start, rows)
        insert = "INSERT OR IGNORE INTO hashes (hash, job, seq) VALUES (?,?,?)"
        connection.executemany(insert, hashes)
        is_whole = count < rows
        connection.execute(
            "UPDATE jobs SET rows=?, bytes=?, whole=? WHERE pk=?",
            (first + count, end, int(is_whole), pk),
        )
        return count, is_whole

    def find(
        self, hashes: Sequence[int], leave_out: str = ""
    ) -> Mapping[int, list[tuple[str, int]]]:
        """The rows that may have made the same requests, by hash: id of the job, row number.

        Args:
            hashes: The hashes of some hundred requests.
            leave_out: A job whose rows are not wanted.

        Raises:
            HistoryError: It is damaged; it was removed.
        """
        found: dict[int, list[tuple[str, int]]] = {}
        try:
            for marks, part in chunked(set(hashes)):
                for hashed, job, seq in self._connection.execute(
                    "SELECT h.hash, j.id, h.seq FROM hashes h JOIN jobs j ON j.pk=h.job"
                    f" WHERE h.hash IN ({marks}) AND j.id<>?",
                    (*part, leave_out),
                ):
                    found.setdefault(hashed, []).append((job, seq))
        except sqlite3.DatabaseError as error:
            if not _is_useless(error):
                raise HistoryError(f"cannot read {self._path}: {error}") from None
            self._remove()
            raise HistoryError(
                f"{self._path} was damaged, and is removed",
                "Try again: it is filled from the requests of all jobs. Nothing was sent.",
            ) from None
        return found


class _OtherVersionError(sqlite3.DatabaseError):
    """The index was written by another version of Batchdeck."""


def _is_useless(error: sqlite3.DatabaseError) -> bool:
    """Whether an index must be made anew: not if it only cannot be opened or is in use."""
    damaged = getattr(error, "sqlite_errorname", "").startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB"))
    return damaged or isinstance(error, _OtherVersionError)


def _hashes(
    file: Path, job: int, first: int, start: int, rows: int
) -> tuple[list[tuple[int, int, int]], int, int]:
    """Hash, job and number of some rows; nothing of a file that is missing.

    Args:
        file: The requests.
        job: Primary key of the job.
        first: Number of the first row.
        start: Where it begins in the file, in bytes.
        rows: The most rows to read.

    Returns:
        The hashes, where the row after them begins, and how many rows were read.
    """
    found: list[tuple[int, int, int]] = []
    count, end = 0, start
    try:
        stream = file.open("rb")
    except OSError:
        return found, end, count
    with stream:
        stream.seek(start)
        for offset, line in islice(split_lines(stream, start), rows):
            end = offset + len(line) + 1
            with contextlib.suppress(ValueError):
                found.append((request_hash(request_identity(line)), job, first + count))
            count += 1
    return found, end, count
