"""One SQLite file: a single writer for this process, readers for every thread."""

from __future__ import annotations

import contextlib
import os
import socket
import sqlite3
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from tui.errors import HistoryError
from tui.store.alone import alone
from tui.store.migrations import migrate

_BUSY_SECONDS = 30.0
"""How long to wait for another program's write; its slices are far shorter."""

_HINTS = {
    "full": "Free some space, then start again: nothing that was stored is lost.",
    "readonly": "Check who may write the folder.",
    "malformed": "Run `batchdeck doctor`.",
    "not a database": "Run `batchdeck doctor`.",
}


class _Connection(sqlite3.Connection):
    """A connection that closes itself, if nobody did, when it is not used any more."""

    def __del__(self) -> None:
        self.close()


def _is_at_work(thread: int) -> bool:
    """Is a thread in the middle of this program's code, and not waiting for some to run?

    While SQLite works for it, its innermost frame is the one that called SQLite.
    """
    frame = sys._current_frames().get(thread)
    return frame is not None and str(frame.f_globals.get("__name__")).startswith("tui.")


class Database:
    """The history database.

    Args:
        path: ``history.db``; made (0600) and migrated when needed.

    Attributes:
        owner: Who opened it, as leases name it: machine, process and a random word.

    Raises:
        NewerHistoryError: A newer program wrote it.
        HistoryError: It cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.owner = f"{socket.gethostname()}:{os.getpid()}:{os.urandom(4).hex()}"
        self._lock = threading.RLock()
        self._local = threading.local()
        self._readers: list[tuple[int, sqlite3.Connection]] = []
        self._closed = False
        try:
            with alone(path.with_name(f".{path.name}.opening")):
                if not path.exists():
                    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
                self._writer = self._connect()
                # Counts for a new file only. The log is written page by page: with larger ones
                # a million rows are stored in a tenth less time.
                self._writer.execute("PRAGMA page_size=8192")
                self._writer.execute("PRAGMA journal_mode=WAL")
                migrate(self._writer, path)
        except (sqlite3.Error, OSError, UnicodeDecodeError) as error:
            raise history_error(error, path) from error

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path,
            timeout=_BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
            factory=_Connection,
        )
        # SQLite's own lower() knows ASCII only.
        connection.create_function("fold", 1, str.casefold, deterministic=True)
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA temp_store=MEMORY")
        connection.execute("PRAGMA cache_size=-16000")
        connection.execute("PRAGMA mmap_size=268435456")
        # 32 MB: each move of the log into the database waits for the disk, twice.
        connection.execute("PRAGMA wal_autocheckpoint=4000")
        return connection

    @contextlib.contextmanager
    def write(self, *, durable: bool = False) -> Iterator[sqlite3.Connection]:
        """A transaction: all of it is stored, or nothing.

        Args:
            durable: Wait until the disk has it, so that it outlives a power cut. For what
                is written before money is spent.

        Raises:
            HistoryError: The disk is full, the file is read-only or damaged.
        """
        with self._lock:
            try:
                if durable:
                    self._writer.execute("PRAGMA synchronous=FULL")
                self._writer.execute("BEGIN IMMEDIATE")
            except sqlite3.Error as error:
                raise history_error(error, self.path) from error
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            except BaseException as error:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                if isinstance(error, sqlite3.OperationalError | sqlite3.DatabaseError):
                    raise history_error(error, self.path) from error
                raise
            finally:
                if durable:
                    self._writer.execute("PRAGMA synchronous=NORMAL")

    @property
    def read(self) -> sqlite3.Connection:
        """This thread's connection for reading; each statement sees the newest state."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            if self._closed:
                raise sqlite3.ProgrammingError("it was closed")
            connection = self._connect()
            connection.execute("PRAGMA query_only=ON")
            self._local.connection = connection
            self._readers.append((threading.get_ident(), connection))
        return connection

    def version(self) -> int:
        """A number that changes when another program has written, and only then."""
        with self._lock:
            # The connection that writes does not count its own writes.
            (number,) = self._writer.execute("PRAGMA data_version").fetchone()
        return int(number)

    def close(self) -> None:
        """Close all connections; one that a thread still reads with closes when it is done.

        Work that was called off goes on in its thread to its end, and SQLite does not
        survive that a connection is closed while another thread is inside it.
        """
        with self._lock:
            self._closed = True
            self._local = threading.local()
            self._writer.close()
            for thread, connection in self._readers:
                if thread == threading.get_ident() or not _is_at_work(thread):
                    connection.close()
            self._readers.clear()


def history_error(error: Exception, path: Path) -> HistoryError:
    """The error of SQLite or the disk as one that a person can act on."""
    # SQLite quotes what it stumbled over, be it text or not.
    text = "it is malformed" if isinstance(error, UnicodeDecodeError) else str(error)
    hint = next((hint for word, hint in _HINTS.items() if word in text), "")
    return HistoryError(f"the history {path} cannot be used: {text}", hint)
