"""The schema of ``history.db``, step by step.

``PRAGMA user_version`` counts the steps that were taken. Each runs in one transaction with
the new version, so a crash leaves the old schema or the new one. Before a history of an
earlier schema is changed, a copy of it is put beside it.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

from tui.errors import NewerHistoryError
from tui.paths import open_private


def m001_initial(connection: sqlite3.Connection) -> None:
    """Jobs, batches, requests, results and what belongs to them."""
    for statement in _INITIAL.split(";"):
        if statement.strip():
            connection.execute(statement)


def m002_cancel_wishes(connection: sqlite3.Connection) -> None:
    """When a person asked which program to cancel a batch, for as long as that is not done."""
    connection.execute("ALTER TABLE batches ADD COLUMN cancel_wanted_at REAL")
    connection.execute("ALTER TABLE batches ADD COLUMN cancel_wanted_by TEXT")


def m003_samples(connection: sqlite3.Connection) -> None:
    """How many rows the provider was done with at which time."""
    connection.execute(
        "CREATE TABLE samples ("
        " batch INTEGER NOT NULL REFERENCES batches(pk) ON DELETE CASCADE,"
        " at REAL NOT NULL, done INTEGER NOT NULL, PRIMARY KEY (batch, at)) WITHOUT ROWID"
    )


def m004_what_providers_tell(connection: sqlite3.Connection) -> None:
    """What a provider thinks that a batch will cost, and until when it keeps the results."""
    connection.execute("ALTER TABLE batches ADD COLUMN told_cost REAL")
    connection.execute("ALTER TABLE batches ADD COLUMN results_expire_at REAL")


def m005_tags_and_note(connection: sqlite3.Connection) -> None:
    """What a person writes on a job: tags with spaces between them, and a note."""
    for column in ("tags", "note"):
        connection.execute(f"ALTER TABLE jobs ADD COLUMN {column} TEXT NOT NULL DEFAULT ''")


def m006_answer_length(connection: sqlite3.Connection) -> None:
    """Characters of each answer, to filter and sort by; ``reindex`` fills in older ones."""
    for table in ("results", "attempts"):
        connection.execute(f"ALTER TABLE {table} ADD COLUMN chars INTEGER")


MIGRATIONS: tuple[Callable[[sqlite3.Connection], None], ...] = (
    m001_initial,
    m002_cancel_wishes,
    m003_samples,
    m004_what_providers_tell,
    m005_tags_and_note,
    m006_answer_length,
)
"""All steps, in order; never edit one that was released."""


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring a database to the newest schema.

    The copy of the earlier schema N is ``history.db.backup-N``; without it, for want of space
    say, nothing is changed.

    Raises:
        NewerHistoryError: It has steps that this program does not know.
        sqlite3.Error: It cannot be copied or changed.
        OSError: The copy cannot be written.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(MIGRATIONS):
        raise NewerHistoryError(
            f"{path} was written by a newer Batchdeck (schema {version}, "
            f"this one knows {len(MIGRATIONS)})",
            "Update Batchdeck, or choose another home with --home.",
        )
    if 0 < version < len(MIGRATIONS):
        back_up(connection, path, version)
    for number, step in enumerate(MIGRATIONS[version:], start=version + 1):
        connection.execute("BEGIN EXCLUSIVE")
        try:
            (now,) = connection.execute("PRAGMA user_version").fetchone()
            # Another program may have taken the step while this one waited for the lock.
            if now < number:
                step(connection)
                connection.execute(f"PRAGMA user_version={number}")
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise


def back_up(connection: sqlite3.Connection, path: Path, version: int) -> Path:
    """Copy a history as it is, while others may read and write it.

    Args:
        connection: To the history.
        path: Where it is.
        version: The schema that it is expected to have.

    Returns:
        The copy, whole and on the disk.

    Raises:
        sqlite3.Error: It cannot be copied.
        OSError: The copy cannot be written.
    """
    backup = path.with_name(f"{path.name}.backup-{version}")
    temporary = path.with_name(f".{backup.name}.{os.getpid()}.part")
    try:
        os.close(open_private(temporary))
        with contextlib.closing(sqlite3.connect(temporary)) as copy:
            connection.backup(copy)
            (copied,) = copy.execute("PRAGMA user_version").fetchone()
        if copied == version:
            _flush(temporary)
            temporary.replace(backup)
        # Else another program has taken the step meanwhile, and has made the copy.
    finally:
        temporary.unlink(missing_ok=True)
    return backup


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


_INITIAL = """
CREATE TABLE jobs (
    pk INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    account TEXT NOT NULL,
    provider TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    model TEXT NOT NULL,
    window TEXT NOT NULL,
    source TEXT NOT NULL DEFAULT '',
    size INTEGER NOT NULL,
    total INTEGER NOT NULL,
    input_tokens INTEGER,
    status TEXT NOT NULL DEFAULT 'draft',
    created_at REAL NOT NULL,
    submitted_at REAL,
    ended_at REAL,
    cost_estimated REAL,
    cost_actual REAL,
    currency TEXT NOT NULL DEFAULT 'USD',
    trouble TEXT NOT NULL DEFAULT ''
);
CREATE INDEX jobs_by_time ON jobs(created_at);
CREATE TABLE batches (
    pk INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    job INTEGER NOT NULL REFERENCES jobs(pk) ON DELETE CASCADE,
    account TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    part INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    first_seq INTEGER,
    last_seq INTEGER,
    submission TEXT NOT NULL DEFAULT 'draft',
    status TEXT NOT NULL DEFAULT 'draft',
    raw_status TEXT NOT NULL DEFAULT '',
    remote_id TEXT,
    input_file_id TEXT,
    remote_counts TEXT NOT NULL DEFAULT '{}',
    style TEXT NOT NULL DEFAULT 'openai',
    edits TEXT NOT NULL DEFAULT '{}',
    native_of TEXT,
    collected INTEGER NOT NULL DEFAULT 0,
    created_at REAL NOT NULL,
    submitted_at REAL,
    ended_at REAL,
    expires_at REAL,
    progressed_at REAL,
    next_poll_at REAL,
    trouble TEXT NOT NULL DEFAULT '',
    raw TEXT NOT NULL DEFAULT '{}',
    lease_owner TEXT,
    lease_until REAL NOT NULL DEFAULT 0
);
CREATE INDEX batches_by_job ON batches(job);
CREATE TABLE batch_rows (
    batch INTEGER NOT NULL REFERENCES batches(pk) ON DELETE CASCADE,
    seq INTEGER NOT NULL,
    PRIMARY KEY (batch, seq)
) WITHOUT ROWID;
CREATE TABLE requests (
    job INTEGER NOT NULL REFERENCES jobs(pk) ON DELETE CASCADE,
    seq INTEGER NOT NULL,
    custom_id TEXT NOT NULL,
    offset INTEGER NOT NULL,
    length INTEGER NOT NULL,
    PRIMARY KEY (job, seq)
) WITHOUT ROWID;
CREATE UNIQUE INDEX requests_by_id ON requests(job, custom_id);
CREATE TABLE results (
    job INTEGER NOT NULL REFERENCES jobs(pk) ON DELETE CASCADE,
    seq INTEGER NOT NULL,
    outcome INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    batch INTEGER NOT NULL,
    http_status INTEGER,
    error_group INTEGER,
    finish INTEGER,
    model INTEGER,
    input_tokens INTEGER,
    output_tokens INTEGER,
    cached_tokens INTEGER,
    cost REAL,
    file INTEGER,
    offset INTEGER,
    length INTEGER,
    preview TEXT NOT NULL,
    PRIMARY KEY (job, seq)
) WITHOUT ROWID;
CREATE INDEX results_to_look_at ON results(job, error_group, outcome, seq) WHERE outcome > 1;
CREATE TABLE attempts (
    job INTEGER NOT NULL REFERENCES jobs(pk) ON DELETE CASCADE,
    seq INTEGER NOT NULL,
    outcome INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    batch INTEGER NOT NULL,
    http_status INTEGER,
    error_group INTEGER,
    finish INTEGER,
    model INTEGER,
    input_tokens INTEGER,
    output_tokens INTEGER,
    cached_tokens INTEGER,
    cost REAL,
    file INTEGER,
    offset INTEGER,
    length INTEGER,
    preview TEXT NOT NULL,
    PRIMARY KEY (job, seq, attempt, batch)
) WITHOUT ROWID;
CREATE TABLE files (
    pk INTEGER PRIMARY KEY,
    batch INTEGER NOT NULL REFERENCES batches(pk) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    received INTEGER NOT NULL DEFAULT 0,
    indexed INTEGER NOT NULL DEFAULT 0,
    lines INTEGER NOT NULL DEFAULT 0,
    complete INTEGER NOT NULL DEFAULT 0,
    ref TEXT NOT NULL DEFAULT '',
    UNIQUE (batch, name)
);
CREATE TABLE strays (
    pk INTEGER PRIMARY KEY,
    file INTEGER NOT NULL REFERENCES files(pk) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    custom_id TEXT NOT NULL,
    offset INTEGER NOT NULL,
    length INTEGER NOT NULL
);
CREATE INDEX strays_by_file ON strays(file);
CREATE TABLE error_groups (
    pk INTEGER PRIMARY KEY,
    job INTEGER NOT NULL REFERENCES jobs(pk) ON DELETE CASCADE,
    http_status INTEGER NOT NULL,
    code TEXT NOT NULL,
    pattern TEXT NOT NULL,
    message TEXT NOT NULL,
    retryable INTEGER,
    UNIQUE (job, http_status, code, pattern)
);
CREATE TABLE outcome_counts (
    job INTEGER NOT NULL REFERENCES jobs(pk) ON DELETE CASCADE,
    outcome INTEGER NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (job, outcome)
) WITHOUT ROWID;
CREATE TABLE timeline (
    pk INTEGER PRIMARY KEY,
    job INTEGER NOT NULL REFERENCES jobs(pk) ON DELETE CASCADE,
    batch TEXT,
    at REAL NOT NULL,
    what TEXT NOT NULL
);
CREATE INDEX timeline_by_job ON timeline(job);
CREATE TABLE terms (pk INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
"""
