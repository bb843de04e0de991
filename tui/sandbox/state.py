"""What a sandbox remembers: files, batches and the custom ids that were sent."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import msgspec

from .timeline import Course

_TABLES = """
CREATE TABLE IF NOT EXISTS files (
  number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL, like TEXT NOT NULL,
  name TEXT NOT NULL, purpose TEXT NOT NULL, bytes INTEGER NOT NULL, created REAL NOT NULL,
  expires REAL, deleted INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS batches (
  number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL, like TEXT NOT NULL,
  endpoint TEXT NOT NULL, window TEXT NOT NULL, seconds REAL NOT NULL, created REAL NOT NULL,
  rate REAL NOT NULL, seed INTEGER NOT NULL, input_id TEXT NOT NULL, out_id TEXT UNIQUE NOT NULL,
  err_id TEXT UNIQUE NOT NULL, metadata TEXT NOT NULL, problems TEXT NOT NULL, cancel REAL,
  generation INTEGER NOT NULL DEFAULT 0, extra TEXT NOT NULL, out_gone INTEGER NOT NULL DEFAULT 0,
  err_gone INTEGER NOT NULL DEFAULT 0, deleted INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS sends (
  custom_id TEXT PRIMARY KEY, batch TEXT NOT NULL) WITHOUT ROWID;
"""


@dataclass(slots=True)
class StoredFile:
    """An uploaded file; `number` orders files by creation."""

    id: str
    like: str
    name: str
    purpose: str
    bytes: int
    created: float
    expires: float | None = None
    number: int = 0
    deleted: int = 0


@dataclass(slots=True)
class StoredBatch:
    """A batch as it was created; its progress is derived, not stored.

    Attributes:
        seconds: Length of the window.
        problems: Why the input was refused: `{code, message, param, line}` each; empty is good.
        cancel: Unix time of the cancel.
        generation: Number of the newest plan; a retry in place writes a new one.
        extra: What a single dialect keeps.
    """

    id: str
    like: str
    endpoint: str
    window: str
    seconds: float
    created: float
    rate: float
    seed: int
    input_id: str
    out_id: str
    err_id: str
    metadata: Any = None
    problems: list[dict[str, Any]] = field(default_factory=list)
    cancel: float | None = None
    generation: int = 0
    extra: dict[str, Any] = field(default_factory=dict)
    number: int = 0
    out_gone: int = 0
    err_gone: int = 0
    deleted: int = 0

    @property
    def course(self) -> Course:
        """The facts that the timeline needs."""
        return Course(self.created, self.rate, self.seconds, self.cancel, bool(self.problems))


_JSON = frozenset({"metadata", "problems", "extra"})


class State:
    """The SQLite file of a sandbox; safe for several threads and processes."""

    def __init__(self, home: Path) -> None:
        """Open the state in `home`, which must be a private folder."""
        path = home / "sandbox.db"
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        self._lock = threading.Lock()
        self._base = sqlite3.connect(path, timeout=30, check_same_thread=False)
        self._base.row_factory = sqlite3.Row
        self._base.execute("PRAGMA journal_mode=WAL")
        self._base.execute("PRAGMA synchronous=NORMAL")
        with self._lock, self._base:
            self._base.executescript(_TABLES)

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._base.close()

    def add(self, item: StoredFile | StoredBatch) -> None:
        """Store a new file or batch and give it its number."""
        table = "files" if isinstance(item, StoredFile) else "batches"
        values = {
            part.name: _plain(part.name, getattr(item, part.name))
            for part in fields(item)
            if part.name != "number"
        }
        names, marks = ", ".join(values), ", ".join("?" * len(values))
        with self._lock, self._base:
            cursor = self._base.execute(
                f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(values.values())
            )
        item.number = cursor.lastrowid or 0

    def change(self, item: StoredFile | StoredBatch, **values: Any) -> None:
        """Change columns of a stored file or batch, here and in the database."""
        table = "files" if isinstance(item, StoredFile) else "batches"
        parts = ", ".join(f"{name} = ?" for name in values)
        plain = tuple(_plain(name, value) for name, value in values.items())
        with self._lock, self._base:
            self._base.execute(f"UPDATE {table} SET {parts} WHERE id = ?", (*plain, item.id))
        for name, value in values.items():
            setattr(item, name, value)

    def claim_cancel(self, batch: StoredBatch, now: float) -> None:
        """Record the moment of a cancel; the first one counts."""
        with self._lock, self._base:
            self._base.execute(
                "UPDATE batches SET cancel = ? WHERE id = ? AND cancel IS NULL", (now, batch.id)
            )
        stored = self.batch(batch.id)
        batch.cancel = stored.cancel if stored else now

    def file(self, file_id: str) -> StoredFile | None:
        """Find a file that is not deleted."""
        rows = self._rows("SELECT * FROM files WHERE id = ? AND deleted = 0", (file_id,))
        return _file(rows[0]) if rows else None

    def files(self, like: str) -> list[StoredFile]:
        """All files of a dialect that are not deleted, oldest first."""
        query = "SELECT * FROM files WHERE like = ? AND deleted = 0 ORDER BY number"
        return [_file(row) for row in self._rows(query, (like,))]

    def batch(self, batch_id: str) -> StoredBatch | None:
        """Find a batch that is not deleted."""
        rows = self._rows("SELECT * FROM batches WHERE id = ? AND deleted = 0", (batch_id,))
        return _batch(rows[0]) if rows else None

    def batch_of_file(self, file_id: str) -> StoredBatch | None:
        """Find the batch whose output or error file has this id."""
        query = "SELECT * FROM batches WHERE (out_id = ? OR err_id = ?) AND deleted = 0"
        rows = self._rows(query, (file_id, file_id))
        return _batch(rows[0]) if rows else None

    def batches(self, like: str) -> list[StoredBatch]:
        """All batches of a dialect that are not deleted, newest first."""
        query = "SELECT * FROM batches WHERE like = ? AND deleted = 0 ORDER BY number DESC"
        return [_batch(row) for row in self._rows(query, (like,))]

    def next_number(self) -> int:
        """The number that the next batch will probably get; used as a seed."""
        rows = self._rows("SELECT COALESCE(MAX(number), 0) + 1 FROM batches", ())
        return int(rows[0][0])

    def first_sends(self, custom_ids: Iterable[str], batch_id: str) -> set[str]:
        """Remember that rows are sent in a batch; return those never sent before it."""
        first: set[str] = set()
        with self._lock, self._base:
            for custom_id in custom_ids:
                self._base.execute(
                    "INSERT OR IGNORE INTO sends VALUES (?, ?)", (custom_id, batch_id)
                )
                cursor = self._base.execute(
                    "SELECT batch FROM sends WHERE custom_id = ?", (custom_id,)
                )
                with closing(cursor):
                    if cursor.fetchone()[0] == batch_id:
                        first.add(custom_id)
        return first

    def forget_sends(self, batch_id: str) -> None:
        """Undo `first_sends` of a batch that was refused."""
        with self._lock, self._base:
            self._base.execute("DELETE FROM sends WHERE batch = ?", (batch_id,))

    def _rows(self, query: str, values: tuple[Any, ...]) -> list[sqlite3.Row]:
        with self._lock:
            return self._base.execute(query, values).fetchall()


def _plain(name: str, value: Any) -> Any:
    return msgspec.json.encode(value).decode() if name in _JSON else value


def _file(row: sqlite3.Row) -> StoredFile:
    return StoredFile(**dict(row))


def _batch(row: sqlite3.Row) -> StoredBatch:
    values = dict(row)
    for name in _JSON:
        values[name] = msgspec.json.decode(values[name])
    return StoredBatch(**values)
