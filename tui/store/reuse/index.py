"""``request_index.db``: which rows of which jobs made a request, by the hash of the request.

It holds hashes and numbers, some 20 bytes per row. It is a help for finding only: what it finds is
compared with the requests themselves. It may be deleted at any time, and is filled again when it is
next needed.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from tui.core.requests import request_identity
from tui.core.text import split_lines
from tui.errors import HistoryError
from tui.paths import Paths
from tui.progress import NO_PROGRESS, Progress
from tui.store.database import chunked
from tui.store.files import requests_file
from tui.store.rows.repeats import request_hash

_VERSION = 1
_SLICE = 5000
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
            self._connection = self._opened()
        except sqlite3.DatabaseError:
            # It is damaged, or of another version: everything in it can be found again.
            self._path.unlink(missing_ok=True)
            try:
                self._connection = self._opened()
            except sqlite3.Error as error:
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
                raise sqlite3.DatabaseError(f"version {version}")
            with contextlib.suppress(OSError):
                self._path.chmod(0o600)
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=OFF")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS jobs (pk INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE)"
            )
            connection.execute(
                "CREATE TABLE IF NOT EXISTS hashes (hash INTEGER NOT NULL, job INTEGER NOT NULL,"
                " seq INTEGER NOT NULL, PRIMARY KEY (hash, job, seq)) WITHOUT ROWID"
            )
            connection.execute(f"PRAGMA user_version={_VERSION}")
        except BaseException:
            connection.close()
            raise
        return connection

    def refresh(self, job_ids: Iterable[str], progress: Progress = NO_PROGRESS) -> None:
        """Add the jobs that are new, and remove those that are deleted.

        Args:
            job_ids: All jobs of the history.
            progress: Told how many of the new jobs are read; can stop the work.

        Raises:
            HistoryError: It cannot be written.
        """
        known = {job: pk for pk, job in self._connection.execute("SELECT pk, id FROM jobs")}
        wanted = list(job_ids)
        try:
            for gone in set(known) - set(wanted):
                self._connection.execute("BEGIN IMMEDIATE")
                self._connection.execute("DELETE FROM hashes WHERE job=?", (known[gone],))
                self._connection.execute("DELETE FROM jobs WHERE pk=?", (known[gone],))
                self._connection.execute("COMMIT")
            new = [job for job in wanted if job not in known]
            for number, job in enumerate(new):
                progress.update(number, len(new))
                if progress.stopped:
                    return
                self._add(job, requests_file(self._paths, job))
        except sqlite3.Error as error:
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            raise HistoryError(f"cannot write {self._path}: {error}") from None

    def _add(self, job_id: str, file: Path) -> None:
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        added = connection.execute("INSERT OR IGNORE INTO jobs (id) VALUES (?)", (job_id,))
        if added.rowcount == 1:
            insert = "INSERT OR IGNORE INTO hashes (hash, job, seq) VALUES (?,?,?)"
            connection.executemany(insert, _hashes(file, added.lastrowid or 0))
        connection.execute("COMMIT")

    def find(
        self, hashes: Sequence[int], leave_out: str = ""
    ) -> Mapping[int, list[tuple[str, int]]]:
        """The rows that may have made the same requests, by hash: id of the job, row number.

        Args:
            hashes: The hashes of some hundred requests.
            leave_out: A job whose rows are not wanted.
        """
        found: dict[int, list[tuple[str, int]]] = {}
        for marks, part in chunked(set(hashes)):
            for hashed, job, seq in self._connection.execute(
                "SELECT h.hash, j.id, h.seq FROM hashes h JOIN jobs j ON j.pk=h.job"
                f" WHERE h.hash IN ({marks}) AND j.id<>?",
                (*part, leave_out),
            ):
                found.setdefault(hashed, []).append((job, seq))
        return found


def _hashes(file: Path, job: int) -> Iterator[tuple[int, int, int]]:
    """Hash, job and number of each row; nothing for a file that is missing."""
    try:
        stream = file.open("rb")
    except OSError:
        return
    with stream:
        for seq, (_, line) in enumerate(split_lines(stream)):
            try:
                identity = request_identity(line)
            except ValueError:
                continue
            yield request_hash(identity), job, seq
