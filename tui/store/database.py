"""The history database: one connection that writes, one per thread that reads, and its errors."""

from __future__ import annotations

import contextlib
import functools
import inspect
import os
import shutil
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from tui.errors import HistoryError
from tui.paths import lock_file, open_private
from tui.processes import process_name
from tui.store.migrations import MIGRATIONS, migrate

if TYPE_CHECKING:
    import tempfile

_TIMEOUT_SECONDS = 10.0
"""Longest wait for another process; a suspended one must not block the start for ever."""

_RETRY_SECONDS = 0.01


@contextlib.contextmanager
def file_lock(lock: Path) -> Iterator[None]:
    """Hold a lock file while the block runs.

    Where files cannot be locked or created, the block runs without the lock: SQLite's own
    locks keep the data intact. They only do not prevent a database that is being created from
    being taken for a damaged one.

    Args:
        lock: The lock file; it is not removed, and stays empty.
    """
    try:
        descriptor = open_private(lock, os.O_RDWR | os.O_CREAT)
    except OSError:
        yield
        return
    try:
        deadline = time.monotonic() + _TIMEOUT_SECONDS
        while lock_file(descriptor) is False and time.monotonic() < deadline:
            time.sleep(_RETRY_SECONDS)
        yield
    finally:
        os.close(descriptor)


_BUSY_SECONDS = 30.0
"""Longest wait for a write of another process; its transactions are far shorter."""

_HINTS = {
    "full": "Free some space and start again. No stored data is lost.",
    "readonly": "Check the write permissions of the folder.",
    "malformed": "Run `batchdeck doctor`.",
    "not a database": "Run `batchdeck doctor`.",
}


class _Connection(sqlite3.Connection):
    """A connection that closes itself when it is garbage collected."""

    def __del__(self) -> None:
        self.close()


def _is_busy(thread: int) -> bool:
    """Whether a thread is running code of this program, and is not idle.

    While SQLite works for it, its innermost Python frame is the one that called SQLite.
    """
    frame = sys._current_frames().get(thread)
    return frame is not None and str(frame.f_globals.get("__name__")).startswith("tui.")


class Database:
    """The history database.

    Args:
        path: ``history.db``; created (mode 0600) and migrated when needed. In a folder that
            cannot be written, an existing one is read as it is.

    Attributes:
        is_read_only: Whether nothing can be written; ``write`` raises.
        owner: The name of this process in leases; see ``process_name``.
        after_commit: Called after each transaction with the connection, and whether it was
            durable; what it raises is not reported, because the transaction is stored.

    Raises:
        NewerHistoryError: It was written by a newer version of Batchdeck.
        HistoryError: It cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.owner = process_name()
        self.after_commit: Callable[[sqlite3.Connection, bool], None] | None = None
        self._lock = threading.RLock()
        self._local = threading.local()
        self._readers: list[tuple[int, sqlite3.Connection]] = []
        self._closed = False
        self.is_read_only = False
        self._source = path.absolute().as_uri()
        self._copy: tempfile.TemporaryDirectory[str] | None = None
        try:
            self._open()
        except (sqlite3.Error, OSError, UnicodeDecodeError) as error:
            if not is_unwritable(path):
                raise history_error(error, path) from error
            try:
                self._open_read_only()
            except (sqlite3.Error, OSError) as second:
                raise history_error(second, path) from second

    def _open(self) -> None:
        path = self.path
        with file_lock(path.with_name(f".{path.name}.opening")):
            if not path.exists():
                os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
            self._writer = self._connect()
            # Applies to a new file only. The log is written page by page: with pages of
            # 8 KB a million rows are stored 10 % faster than with the default of 4 KB.
            self._writer.execute("PRAGMA page_size=8192")
            self._writer.execute("PRAGMA journal_mode=WAL")
            migrate(self._writer, path)

    def _open_read_only(self) -> None:
        """Read a history whose folder cannot be written, by this user or on this disk.

        Raises:
            HistoryError: Another version of Batchdeck has written it.
        """
        self.is_read_only = True
        self._source, self._copy = unwritable_source(self.path)
        self._writer = self._connect()
        (version,) = self._writer.execute("PRAGMA user_version").fetchone()
        if version != len(MIGRATIONS):
            raise HistoryError(
                f"the history {self.path} was written by another version of Batchdeck,"
                " and its folder cannot be written",
                _HINTS["readonly"],
            )

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._source,
            uri=True,
            timeout=_BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
            factory=_Connection,
        )
        # SQLite's own lower() handles ASCII only.
        connection.create_function("fold", 1, str.casefold, deterministic=True)
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA temp_store=MEMORY")
        connection.execute("PRAGMA cache_size=-16000")
        connection.execute("PRAGMA mmap_size=268435456")
        # 32 MB: each checkpoint of the log waits for the disk, twice.
        connection.execute("PRAGMA wal_autocheckpoint=4000")
        return connection

    @contextlib.contextmanager
    def write(self, *, durable: bool = False) -> Iterator[sqlite3.Connection]:
        """Run a transaction on the writing connection: commit it whole, or roll it back.

        Args:
            durable: Wait until the data is on the disk and survives a power failure. For what
                is written before money is spent.

        Raises:
            HistoryError: The disk is full, the file is read-only or damaged.
        """
        if self.is_read_only:
            raise HistoryError(f"{self.path.parent} cannot be written", _HINTS["readonly"])
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
                if isinstance(error, sqlite3.DatabaseError):
                    raise history_error(error, self.path) from error
                raise
            else:
                self._committed(durable)
            finally:
                if durable:
                    self._writer.execute("PRAGMA synchronous=NORMAL")

    def _committed(self, durable: bool) -> None:
        if self.after_commit is None:
            return
        try:
            self.after_commit(self._writer, durable)
        except (sqlite3.Error, OSError) as error:
            # Loading it takes a while.
            from tui.logs import LOGGER

            LOGGER.warning("after a transaction: %s", error)

    @property
    def read(self) -> sqlite3.Connection:
        """This thread's connection for reading; each statement sees the newest state."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            if self._closed:
                raise sqlite3.ProgrammingError("the history is closed")
            connection = self._connect()
            connection.execute("PRAGMA query_only=ON")
            self._local.connection = connection
            self._readers.append((threading.get_ident(), connection))
        return connection

    def version(self) -> int:
        """A number that changes whenever another process has written to the database."""
        with self._lock:
            # data_version does not count writes of the connection that asks.
            (number,) = self._writer.execute("PRAGMA data_version").fetchone()
        return int(number)

    def close(self) -> None:
        """Close all connections; those in use by a running thread close when it is done.

        Cancelled work runs on in its thread until it ends, and SQLite crashes if a connection
        is closed while another thread is using it.
        """
        with self._lock:
            self._closed = True
            self._local = threading.local()
            self._writer.close()
            for thread, connection in self._readers:
                if thread == threading.get_ident() or not _is_busy(thread):
                    connection.close()
            self._readers.clear()
            if self._copy is not None:
                self._copy.cleanup()


def is_unwritable(path: Path) -> bool:
    """Whether a history exists and can be read, in a folder that cannot be written."""
    if not path.is_file():
        return False
    if not os.access(path.parent, os.W_OK) or not os.access(path, os.W_OK):
        return os.access(path, os.R_OK)
    return False


def unwritable_source(path: Path) -> tuple[str, tempfile.TemporaryDirectory[str] | None]:
    """The URI by which SQLite opens a history that cannot be written.

    SQLite needs to write beside a database in WAL mode. Without a log nothing can change in it,
    so that it may be opened as immutable; with one, a copy is read.

    Returns:
        The URI, and the folder of the copy, if there is one: clean it up after closing.
    """
    wal = path.with_name(f"{path.name}-wal")
    if not wal.exists() or not wal.stat().st_size:
        return f"{path.absolute().as_uri()}?mode=ro&immutable=1", None
    # Loading it takes a while.
    import tempfile

    copy = tempfile.TemporaryDirectory(prefix="batchdeck-history-")
    for file in (path, wal):
        shutil.copyfile(file, Path(copy.name, file.name))
    return Path(copy.name, path.name).as_uri(), copy


def history_error(error: Exception, path: Path) -> HistoryError:
    """Convert an error of SQLite or the disk to a ``HistoryError`` with a hint."""
    # SQLite quotes the offending bytes in its message, even when they are not valid UTF-8.
    text = "it is malformed" if isinstance(error, UnicodeDecodeError) else str(error)
    hint = next((hint for word, hint in _HINTS.items() if word in text), "")
    return HistoryError(f"cannot use the history {path}: {text}", hint)


_DAMAGE_ERRORS = (sqlite3.DatabaseError, UnicodeDecodeError, msgspec.MsgspecError)
"""Raised for damaged bytes by SQLite, by its texts, or by the JSON in its cells."""


C = TypeVar("C")


@contextlib.contextmanager
def sqlite_errors(path: Path) -> Iterator[None]:
    """Convert the errors of a damaged database to ``HistoryError``, with a hint.

    Raises:
        HistoryError: Instead of the error of SQLite or the decoder.
    """
    try:
        yield
    except _DAMAGE_ERRORS as error:
        raise history_error(error, path) from error


def maps_sqlite_errors(cls: type[C]) -> type[C]:
    """Class decorator: public methods raise ``HistoryError`` for a damaged ``self._database``."""
    for name, method in list(vars(cls).items()):
        if inspect.isfunction(method) and not name.startswith("_"):
            wrap = _wrap_generator if inspect.isgeneratorfunction(method) else _wrap_function
            setattr(cls, name, wrap(method))
    return cls


def _wrap_function(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return method(self, *args, **kwargs)
        except _DAMAGE_ERRORS as error:
            raise history_error(error, self._database.path) from error

    return call


def _wrap_generator(method: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
    @functools.wraps(method)
    def generate(self: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:
        try:
            yield from method(self, *args, **kwargs)
        except _DAMAGE_ERRORS as error:
            raise history_error(error, self._database.path) from error

    return generate


T = TypeVar("T")

_VALUES_PER_QUERY = 500


def chunked(values: Iterable[T]) -> Iterator[tuple[str, list[T]]]:
    """Split the values of an ``IN (...)``: for each query its placeholders and its values."""
    rest = iter(values)
    while part := list(islice(rest, _VALUES_PER_QUERY)):
        yield ",".join("?" * len(part)), part


def records(
    connection: sqlite3.Connection, sql: str, values: Sequence[Any] | Mapping[str, Any] = ()
) -> list[dict[str, Any]]:
    """The rows of a query, each as a dictionary by the names of its columns."""
    # `sqlite3.Row` compares the name with that of each column on every access.
    cursor = connection.execute(sql, values)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]
