"""What a sandbox stores, its files and batches, and the progress that follows from the clock."""

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

from tui.sandbox.plan_file import Plan

STAGE_SECONDS = 0.5
"""Duration of validating, finalizing and cancelling; 0 at rate 0."""
TERMINAL = frozenset({"completed", "failed", "expired", "cancelled"})
"""The statuses of ended batches."""


@dataclass(frozen=True, slots=True)
class BatchView:
    """The state of a batch at one moment.

    Attributes:
        status: The normalised status.
        total: Rows; 0 while validating.
        done: Rows that ran, succeeded or failed: the first `done` records of the plan.
        failed: Rows of `done` that failed.
        not_run: Rows that will never run, once the batch has ended; 0 before.
        moments: Unix times by name: in_progress_at, finalizing_at, completed_at and so on.
    """

    status: str
    total: int
    done: int
    failed: int
    not_run: int
    moments: dict[str, float]

    @property
    def ended(self) -> bool:
        """Whether the status is terminal."""
        return self.status in TERMINAL

    @property
    def succeeded(self) -> int:
        """Rows that succeeded."""
        return self.done - self.failed

    @property
    def unsuccessful(self) -> int:
        """Rows that failed, or never ran because the batch expired."""
        return self.failed + (self.not_run if self.status == "expired" else 0)

    @property
    def ended_at(self) -> float | None:
        """Unix time of the end; `None` before."""
        return max(self.moments.values()) if self.ended else None


def stage_seconds(rate: float) -> float:
    """Seconds of each stage before and after the rows run."""
    return STAGE_SECONDS if rate else 0.0


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
    """A batch as created; its progress is derived from the clock, not stored.

    Attributes:
        seconds: Length of the completion window.
        problems: Why the input was rejected, each `{code, message, param, line}`; empty if valid.
        cancel: Unix time of the cancel.
        generation: Number of the newest plan; a retry in place writes a new one.
        extra: Data of the dialect.
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


def view_at(
    batch: StoredBatch, plan: Plan | None, now: float, *, window: float, fresh: bool = False
) -> BatchView:
    """Derive the state of a batch.

    Args:
        batch: The batch.
        plan: Its plan; `None` if the input was rejected.
        now: Unix time.
        window: Seconds from the create until rows that have not run expire.
        fresh: Whether to return the state of a create response, which is always validating.
    """
    since = now - batch.created
    pause = stage_seconds(batch.rate)
    moments: dict[str, float] = {}
    cancel = None if batch.cancel is None else max(0.0, batch.cancel - batch.created)

    def view(status: str, plan: Plan, done: int, *, ended: bool = False) -> BatchView:
        not_run = plan.rows - done if ended else 0
        return BatchView(status, plan.rows, done, plan.total("failed", done), not_run, moments)

    if fresh or (since < pause and cancel is None):
        return BatchView("validating", 0, 0, 0, 0, moments)
    if plan is None:
        moments["failed_at"] = batch.created + pause
        return BatchView("failed", 0, 0, 0, 0, moments)
    work_end = pause if plan.end is None else plan.end
    if cancel is None or cancel > pause:
        moments["in_progress_at"] = batch.created + pause
    if cancel is not None:
        done = plan.done(min(since, cancel, window))
        moments["cancelling_at"] = batch.created + cancel
        if since < cancel + pause:
            return view("cancelling", plan, done)
        moments["cancelled_at"] = batch.created + cancel + pause
        return view("cancelled", plan, done, ended=True)
    if since < min(work_end, window):
        return view("in_progress", plan, plan.done(since))
    if work_end > window:
        moments["expired_at"] = batch.created + window
        return view("expired", plan, plan.done(window), ended=True)
    moments["finalizing_at"] = batch.created + work_end
    if since < work_end + pause:
        return view("finalizing", plan, plan.runnable)
    word = "completed" if plan.runnable == plan.rows else "expired"
    moments[f"{word}_at"] = batch.created + work_end + pause
    return view(word, plan, plan.runnable, ended=True)


_JSON = frozenset({"metadata", "problems", "extra"})


class State:
    """The SQLite database of a sandbox; safe for several threads and processes."""

    def __init__(self, home: Path) -> None:
        """Open the database in `home`, a folder that only the owner can read."""
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
        """Store a new file or batch and assign its number."""
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
        """Change fields of a file or batch, in the object and in the database."""
        table = "files" if isinstance(item, StoredFile) else "batches"
        parts = ", ".join(f"{name} = ?" for name in values)
        plain = tuple(_plain(name, value) for name, value in values.items())
        with self._lock, self._base:
            self._base.execute(f"UPDATE {table} SET {parts} WHERE id = ?", (*plain, item.id))
        for name, value in values.items():
            setattr(item, name, value)

    def record_cancel(self, batch: StoredBatch, now: float) -> None:
        """Record the time of a cancel; only the first one counts."""
        with self._lock, self._base:
            self._base.execute(
                "UPDATE batches SET cancel = ? WHERE id = ? AND cancel IS NULL", (now, batch.id)
            )
        stored = self.batch(batch.id)
        batch.cancel = stored.cancel if stored else now

    def file(self, file_id: str) -> StoredFile | None:
        """Find a file that is not deleted."""
        return next(iter(self._files("WHERE id = ? AND deleted = 0", file_id)), None)

    def files(self, like: str) -> list[StoredFile]:
        """All files of a dialect that are not deleted, oldest first."""
        return self._files("WHERE like = ? AND deleted = 0 ORDER BY number", like)

    def batch(self, batch_id: str) -> StoredBatch | None:
        """Find a batch that is not deleted."""
        return next(iter(self._batches("WHERE id = ? AND deleted = 0", batch_id)), None)

    def batch_of_file(self, file_id: str) -> StoredBatch | None:
        """Find the batch whose output or error file has this id."""
        which = "WHERE (out_id = ? OR err_id = ?) AND deleted = 0"
        return next(iter(self._batches(which, file_id, file_id)), None)

    def batches(self, like: str) -> list[StoredBatch]:
        """All batches of a dialect that are not deleted, newest first."""
        return self._batches("WHERE like = ? AND deleted = 0 ORDER BY number DESC", like)

    def next_number(self) -> int:
        """The number that the next batch is likely to get; used as a seed."""
        return int(self._rows("SELECT COALESCE(MAX(number), 0) + 1 FROM batches")[0][0])

    def first_sends(self, custom_ids: Iterable[str], batch_id: str) -> set[str]:
        """Record the rows sent in a batch; return those never sent before."""
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
        """Undo `first_sends` of a batch that was rejected."""
        with self._lock, self._base:
            self._base.execute("DELETE FROM sends WHERE batch = ?", (batch_id,))

    def _files(self, which: str, *values: str) -> list[StoredFile]:
        return [StoredFile(**row) for row in self._rows(f"SELECT * FROM files {which}", *values)]

    def _batches(self, which: str, *values: str) -> list[StoredBatch]:
        found = self._rows(f"SELECT * FROM batches {which}", *values)
        return [
            StoredBatch(**{name: _stored(name, row[name]) for name in row.keys()})  # noqa: SIM118
            for row in found
        ]

    def _rows(self, query: str, *values: str) -> list[sqlite3.Row]:
        with self._lock:
            return self._base.execute(query, values).fetchall()


def _plain(name: str, value: Any) -> Any:
    return msgspec.json.encode(value).decode() if name in _JSON else value


def _stored(name: str, value: Any) -> Any:
    return msgspec.json.decode(value) if name in _JSON else value
