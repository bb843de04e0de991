"""Schema migrations of ``history.db``.

``PRAGMA user_version`` is the number of migrations that were applied. Each runs in one
transaction together with the new version number, so a crash leaves either the old schema or
the new one. A history with an older schema is copied to a backup file before it is changed.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path

from tui.errors import NewerHistoryError
from tui.files import atomic_path


def m001_initial(connection: sqlite3.Connection) -> None:
    """Tables for jobs, batches, requests and results."""
    for statement in _INITIAL.split(";"):
        if statement.strip():
            connection.execute(statement)


def m002_cancel_wishes(connection: sqlite3.Connection) -> None:
    """When the user asked to cancel a batch, and which process; kept until that is done."""
    connection.execute("ALTER TABLE batches ADD COLUMN cancel_wanted_at REAL")
    connection.execute("ALTER TABLE batches ADD COLUMN cancel_wanted_by TEXT")


def m003_samples(connection: sqlite3.Connection) -> None:
    """Progress samples: how many rows the provider had finished at which time."""
    connection.execute(
        "CREATE TABLE samples ("
        " batch INTEGER NOT NULL REFERENCES batches(pk) ON DELETE CASCADE,"
        " at REAL NOT NULL, done INTEGER NOT NULL, PRIMARY KEY (batch, at)) WITHOUT ROWID"
    )


def m004_what_providers_tell(connection: sqlite3.Connection) -> None:
    """The provider's quote for a batch, and until when it keeps the results."""
    connection.execute("ALTER TABLE batches ADD COLUMN told_cost REAL")
    connection.execute("ALTER TABLE batches ADD COLUMN results_expire_at REAL")


def m005_tags_and_note(connection: sqlite3.Connection) -> None:
    """Tags of a job, separated by spaces, and its note."""
    for column in ("tags", "note"):
        connection.execute(f"ALTER TABLE jobs ADD COLUMN {column} TEXT NOT NULL DEFAULT ''")


def m006_answer_length(connection: sqlite3.Connection) -> None:
    """Length of each answer in characters; ``reindex`` fills it in for older rows."""
    for table in ("results", "attempts"):
        connection.execute(f"ALTER TABLE {table} ADD COLUMN chars INTEGER")


def m007_ledger(connection: sqlite3.Connection) -> None:
    """What was committed and billed, batch by batch; it stays when a job is deleted."""
    connection.execute(
        "CREATE TABLE ledger (pk INTEGER PRIMARY KEY, at REAL NOT NULL, batch TEXT NOT NULL,"
        " job TEXT NOT NULL, account TEXT NOT NULL, provider TEXT NOT NULL,"
        " submit TEXT NOT NULL DEFAULT '', kind TEXT NOT NULL, amount REAL,"
        " currency TEXT NOT NULL, spent_at REAL NOT NULL, submit_limit REAL)"
    )
    for column in ("batch", "submit", "spent_at"):
        connection.execute(f"CREATE INDEX ledger_by_{column} ON ledger({column})")
    # The cost of a job is shared among its batches by their rows.
    connection.execute(
        "INSERT INTO ledger"
        " (at, batch, job, account, provider, submit, kind, amount, currency, spent_at)"
        " SELECT coalesce(b.submitted_at, j.created_at), b.id, j.id, b.account, j.provider, j.id,"
        " CASE WHEN j.cost_actual IS NULL THEN 'reserved' ELSE 'billed' END,"
        " coalesce(j.cost_actual, j.cost_estimated) * b.rows"
        "   / max(1, (SELECT sum(s.rows) FROM batches s WHERE s.job=j.pk"
        "             AND s.submission NOT IN ('draft', 'refused'))),"
        " j.currency, coalesce(j.submitted_at, j.created_at)"
        " FROM batches b JOIN jobs j ON j.pk=b.job"
        " WHERE b.submission NOT IN ('draft', 'refused') AND j.provider<>'sandbox'"
    )


def m008_manifests(connection: sqlite3.Connection) -> None:
    """Triggers that note for which jobs and batches the file in the job's folder is outdated."""
    connection.execute("CREATE TABLE manifests_due (job INTEGER NOT NULL, batch INTEGER NOT NULL)")
    for table, keys, columns, is_told in (
        ("jobs", "NEW.pk, 0", _TOLD_OF_JOBS, "1"),
        ("batches", "NEW.job, NEW.pk", _TOLD_OF_BATCHES, "NEW.submission<>'draft'"),
    ):
        changed = " OR ".join(f"OLD.{name} IS NOT NEW.{name}" for name in columns)
        connection.execute(
            f"CREATE TRIGGER manifest_of_changed_{table} AFTER UPDATE OF {', '.join(columns)}"
            f" ON {table} WHEN {changed} BEGIN INSERT INTO manifests_due VALUES ({keys}); END"
        )
        connection.execute(
            f"CREATE TRIGGER manifest_of_new_{table} AFTER INSERT ON {table} WHEN {is_told}"
            f" BEGIN INSERT INTO manifests_due VALUES ({keys}); END"
        )
    connection.execute("INSERT INTO manifests_due SELECT pk, 0 FROM jobs")
    connection.execute(
        "INSERT INTO manifests_due SELECT job, pk FROM batches WHERE submission<>'draft'"
    )


_TOLD_OF_JOBS = (
    "name", "account", "model", "window", "size", "total", "status", "submitted_at", "ended_at",
    "cost_estimated", "cost_actual", "currency", "tags", "note",
)  # fmt: skip
_TOLD_OF_BATCHES = (
    "account", "rows", "submission", "status", "remote_id", "input_file_id", "style", "edits",
    "native_of", "collected", "submitted_at", "ended_at", "told_cost", "results_expire_at",
    "cancel_wanted_at",
)  # fmt: skip


def m009_cache_writes_and_tiers(connection: sqlite3.Connection) -> None:
    """Tokens written to a cache, for minutes and for an hour, and the service tier of a row."""
    for table in ("results", "attempts"):
        for column in ("cache_writes INTEGER", "long_writes INTEGER", "tier TEXT"):
            connection.execute(f"ALTER TABLE {table} ADD COLUMN {column}")


def m010_remote_batches(connection: sqlite3.Connection) -> None:
    """Every batch of a provider that a batch ever was, each of them only once.

    ``creates`` counts the creates that were sent for a batch, ``lease_beat`` how often a lease was
    taken or renewed.
    """
    for column in ("creates", "lease_beat"):
        connection.execute(f"ALTER TABLE batches ADD COLUMN {column} INTEGER NOT NULL DEFAULT 0")
    connection.execute(
        "CREATE TABLE remote_batches ("
        " account TEXT NOT NULL, remote_id TEXT NOT NULL,"
        " batch INTEGER NOT NULL REFERENCES batches(pk) ON DELETE CASCADE,"
        " PRIMARY KEY (account, remote_id)) WITHOUT ROWID"
    )
    connection.execute(
        "INSERT OR IGNORE INTO remote_batches (account, remote_id, batch)"
        " SELECT account, remote_id, pk FROM batches"
        " WHERE remote_id IS NOT NULL AND native_of IS NULL ORDER BY pk"
    )
    connection.execute("CREATE INDEX remote_batches_of ON remote_batches (batch)")


def m011_reviews(connection: sqlite3.Connection) -> None:
    """The current reviews of rows, and how many bytes of each job's log of reviews are indexed.

    ``batch`` is that of the answer that was seen; ``NULL`` if any answer of the row is meant.
    """
    connection.execute(
        "CREATE TABLE reviews ("
        " job INTEGER NOT NULL REFERENCES jobs(pk) ON DELETE CASCADE, seq INTEGER NOT NULL,"
        " reviewer INTEGER NOT NULL, label INTEGER, batch INTEGER, at REAL NOT NULL,"
        " corrected INTEGER NOT NULL, noted INTEGER NOT NULL,"
        " offset INTEGER NOT NULL, length INTEGER NOT NULL,"
        " PRIMARY KEY (job, seq, reviewer)) WITHOUT ROWID"
    )
    connection.execute(
        "CREATE TABLE review_logs ("
        " job INTEGER PRIMARY KEY REFERENCES jobs(pk) ON DELETE CASCADE, indexed INTEGER NOT NULL)"
    )


def m012_experiments(connection: sqlite3.Connection) -> None:
    """The experiment that a job belongs to."""
    connection.execute("ALTER TABLE jobs ADD COLUMN experiment TEXT NOT NULL DEFAULT ''")


def m013_samples_of_files(connection: sqlite3.Connection) -> None:
    """Which part of a file a job is (JSON), if it is a sample or what is left beside one."""
    connection.execute("ALTER TABLE jobs ADD COLUMN sample TEXT")


def m014_what_the_ledger_is_about(connection: sqlite3.Connection) -> None:
    """Rows, model, estimate and savings of each entry, and the tags of jobs that were deleted.

    What was saved is not known of bills that were entered before.
    """
    for column in (
        "rows INTEGER NOT NULL DEFAULT 0",
        "model TEXT NOT NULL DEFAULT ''",
        "estimated REAL",
        "saved_by_batch REAL",
        "saved_by_cache REAL",
    ):
        connection.execute(f"ALTER TABLE ledger ADD COLUMN {column}")
    connection.execute(
        "UPDATE ledger SET rows=b.rows, model=j.model,"
        " estimated=j.cost_estimated * b.rows / max(1, j.total)"
        " FROM batches b JOIN jobs j ON j.pk=b.job WHERE b.id=ledger.batch"
    )
    connection.execute("CREATE INDEX ledger_by_job ON ledger(job)")
    connection.execute("CREATE TABLE ledger_tags (job TEXT PRIMARY KEY, tags TEXT NOT NULL)")
    connection.execute(
        "CREATE TRIGGER tags_of_deleted_jobs BEFORE DELETE ON jobs WHEN OLD.tags<>''"
        " BEGIN INSERT OR REPLACE INTO ledger_tags VALUES (OLD.id, OLD.tags); END"
    )


def m015_repeats(connection: sqlite3.Connection) -> None:
    """Rows that a batch does not send because another row of it asks for the same.

    ``reuses`` marks batches of which nothing is sent: their answers are copies from other jobs.
    """
    for column in ("repeats", "reuses"):
        connection.execute(f"ALTER TABLE batches ADD COLUMN {column} INTEGER NOT NULL DEFAULT 0")
    connection.execute(
        "CREATE TABLE repeats ("
        " batch INTEGER NOT NULL REFERENCES batches(pk) ON DELETE CASCADE,"
        " seq INTEGER NOT NULL, of_seq INTEGER NOT NULL, PRIMARY KEY (batch, seq)) WITHOUT ROWID"
    )
    connection.execute("CREATE INDEX repeats_of ON repeats (batch, of_seq)")


def m016_what_reuse_saved(connection: sqlite3.Connection) -> None:
    """What answers would have cost that were not paid again."""
    connection.execute("ALTER TABLE ledger ADD COLUMN saved_by_reuse REAL")


def m017_order_of_batches(connection: sqlite3.Connection) -> None:
    """The batch that must have ended before another one is sent."""
    connection.execute("ALTER TABLE batches ADD COLUMN after TEXT")


def m018_addresses(connection: sqlite3.Connection) -> None:
    """The address that a batch was planned for; empty where that was not noted."""
    connection.execute("ALTER TABLE batches ADD COLUMN address TEXT NOT NULL DEFAULT ''")


def m019_archives(connection: sqlite3.Connection) -> None:
    """What makes a job's origin known: its archive, and by whom and at which prices batches ran."""
    connection.execute("ALTER TABLE jobs ADD COLUMN archive TEXT NOT NULL DEFAULT ''")
    for column in (
        "elsewhere TEXT",
        "made_by TEXT NOT NULL DEFAULT ''",
        "prices TEXT NOT NULL DEFAULT '{}'",
    ):
        connection.execute(f"ALTER TABLE batches ADD COLUMN {column}")
    connection.execute(
        "CREATE TRIGGER manifest_of_priced_batches AFTER UPDATE OF prices ON batches"
        " WHEN OLD.prices IS NOT NEW.prices"
        " BEGIN INSERT INTO manifests_due VALUES (NEW.job, NEW.pk); END"
    )


def m020_told_events(connection: sqlite3.Connection) -> None:
    """The events of jobs for which a command of the user was started."""
    connection.execute(
        "CREATE TABLE told_events ("
        " job INTEGER NOT NULL REFERENCES jobs(pk) ON DELETE CASCADE, event TEXT NOT NULL,"
        " PRIMARY KEY (job, event)) WITHOUT ROWID"
    )


def m021_deadlines(connection: sqlite3.Connection) -> None:
    """When a job is cut short, and how far that is (JSON); the file of the job says it too."""
    connection.execute("ALTER TABLE jobs ADD COLUMN deadline TEXT")
    connection.execute("CREATE INDEX jobs_by_deadline ON jobs(pk) WHERE deadline IS NOT NULL")
    connection.execute(
        "CREATE TRIGGER manifest_of_deadlines AFTER UPDATE OF deadline ON jobs"
        " WHEN OLD.deadline IS NOT NEW.deadline"
        " BEGIN INSERT INTO manifests_due VALUES (NEW.pk, 0); END"
    )


MIGRATIONS: tuple[Callable[[sqlite3.Connection], None], ...] = (
    m001_initial,
    m002_cancel_wishes,
    m003_samples,
    m004_what_providers_tell,
    m005_tags_and_note,
    m006_answer_length,
    m007_ledger,
    m008_manifests,
    m009_cache_writes_and_tiers,
    m010_remote_batches,
    m011_reviews,
    m012_experiments,
    m013_samples_of_files,
    m014_what_the_ledger_is_about,
    m015_repeats,
    m016_what_reuse_saved,
    m017_order_of_batches,
    m018_addresses,
    m019_archives,
    m020_told_events,
    m021_deadlines,
)
"""All migrations, in order; never edit one that was released."""


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Migrate a database to the newest schema.

    A database with an older schema N is first copied to ``history.db.backup-N``; if that
    fails, for example because the disk is full, nothing is changed.

    Raises:
        NewerHistoryError: The database was written by a newer version of Batchdeck.
        sqlite3.Error: The database cannot be copied or changed.
        OSError: The backup cannot be written.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(MIGRATIONS):
        raise NewerHistoryError(
            f"{path} was written by a newer version of Batchdeck (schema {version}; "
            f"this version supports up to {len(MIGRATIONS)})",
            "Update Batchdeck, or choose another home with --home.",
        )
    if 0 < version < len(MIGRATIONS):
        back_up(connection, path, version)
    for number, step in enumerate(MIGRATIONS[version:], start=version + 1):
        connection.execute("BEGIN EXCLUSIVE")
        try:
            (current,) = connection.execute("PRAGMA user_version").fetchone()
            # Another process may have migrated while this one waited for the lock.
            if current < number:
                step(connection)
                connection.execute(f"PRAGMA user_version={number}")
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise


def back_up(connection: sqlite3.Connection, path: Path, version: int) -> Path:
    """Back up a database while other processes may read and write it.

    Args:
        connection: To the database.
        path: Path of the database.
        version: The expected schema version; if the copy has another one, it is discarded.

    Returns:
        Path of the backup, complete and flushed to the disk.

    Raises:
        sqlite3.Error: The database cannot be copied.
        OSError: The backup cannot be written.
    """
    backup = path.with_name(f"{path.name}.backup-{version}")
    try:
        with atomic_path(backup, None) as temporary:
            with contextlib.closing(sqlite3.connect(temporary)) as copy:
                connection.backup(copy)
                (copied,) = copy.execute("PRAGMA user_version").fetchone()
            if copied != version:
                raise _MigratedError
    except _MigratedError:
        # Another process has migrated in the meantime, and has made the backup.
        pass
    return backup


class _MigratedError(Exception):
    """The copy has another schema than expected."""


_RESULT = """\
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
    preview TEXT NOT NULL,"""
"""Columns of a result, whether it is shown or not."""

_INITIAL = f"""
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
    remote_counts TEXT NOT NULL DEFAULT '{{}}',
    style TEXT NOT NULL DEFAULT 'openai',
    edits TEXT NOT NULL DEFAULT '{{}}',
    native_of TEXT,
    collected INTEGER NOT NULL DEFAULT 0,
    created_at REAL NOT NULL,
    submitted_at REAL,
    ended_at REAL,
    expires_at REAL,
    progressed_at REAL,
    next_poll_at REAL,
    trouble TEXT NOT NULL DEFAULT '',
    raw TEXT NOT NULL DEFAULT '{{}}',
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
{_RESULT}
    PRIMARY KEY (job, seq)
) WITHOUT ROWID;
CREATE INDEX results_to_look_at ON results(job, error_group, outcome, seq) WHERE outcome > 1;
CREATE TABLE attempts (
{_RESULT}
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
