"""Rebuild the index of a job from its files.

The batches are replayed in order: the rows of a retry become pending, the result files are
indexed, and rows without a result line get an outcome by the way the batch ended. An outcome
that was recorded for such rows is kept.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec

from tui.core.jobs import Batch, BatchStatus, Submission, is_terminal
from tui.core.results.openai_lines import UnreadableLineError, decode_lenient
from tui.core.rows import OUTCOMES, Outcome, RowError
from tui.core.text import split_lines
from tui.errors import HistoryError, UsageError
from tui.paths import Paths
from tui.store.batches import Batches
from tui.store.database import Database
from tui.store.indexing.result_files import ResultFiles
from tui.store.job_folder import requests_file
from tui.store.job_records import batch_pk, job_pk, note, refresh_job
from tui.store.reviews.index import clear_index, index_log
from tui.store.reviews.log import LOG_FILE
from tui.store.rows.attempts import archive_attempts

RetryRulesOf = Callable[[str], Mapping[str, bool]]
"""Returns whether each error code of an account's provider can be retried."""

_SLICE = 5000

_BY_STATUS = {
    BatchStatus.EXPIRED: (
        Outcome.EXPIRED,
        "batch_expired",
        "The window closed before it ran",
    ),
    BatchStatus.CANCELLED: (Outcome.CANCELLED, "batch_cancelled", "Cancelled before it ran"),
    BatchStatus.FAILED: (Outcome.FAILED, "batch_failed", "The provider failed the whole batch"),
}
_NO_LINE = (Outcome.MISSING, "missing", "No result line for this row")


class RecordedOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What the rows of a batch came to that have no result line.

    Attributes:
        outcome: The outcome.
        error: The error of these rows.
        preview: The text that is shown of them.
    """

    outcome: Outcome
    error: RowError
    preview: str


class ReindexResult(msgspec.Struct):
    """Result of rebuilding the index of one job.

    Attributes:
        requests: Requests whose positions were rebuilt; 0 if their table was intact.
        lines: Result lines that were read.
        without_result: Rows without a result line.
        missing: Names of result files that are recorded in the history but missing on the disk.
    """

    requests: int = 0
    lines: int = 0
    without_result: int = 0
    missing: list[str] = msgspec.field(default_factory=list)


def reindex_job(
    database: Database,
    paths: Paths,
    job_id: str,
    *,
    rules_of: RetryRulesOf,
    now: float,
    restored: bool = False,
    outcomes: Mapping[str, RecordedOutcome] | None = None,
) -> ReindexResult:
    """Rebuild the records of a job's rows; blocking, so call it in a thread.

    Args:
        database: The history.
        paths: Locates the files of the job.
        job_id: The job.
        rules_of: Returns the retry rules of an account.
        now: Unix seconds, for the timeline.
        restored: The job was just brought back, and nobody works on its running batches yet.
        outcomes: What rows without a result line came to, by batch, where that is known besides
            the history.

    Raises:
        UsageError: A batch of the job still runs.
        HistoryError: ``requests.jsonl`` is missing or damaged.
    """
    pk = job_pk(database.read, job_id)
    batches = Batches(database)
    all_batches = batches.of_job(job_id)
    done = ReindexResult()
    file = requests_file(paths, job_id)
    # A job that was brought back has no rows until this is done; a kill may have come before.
    is_whole = file.exists() and _positions_are_intact(database.read, pk, file)
    if is_whole and not restored and any(batch.is_active for batch in all_batches):
        raise UsageError(
            "a batch of this job still runs", "Wait for it to end, or cancel it first."
        )
    if not file.exists():
        raise HistoryError(
            f"{file} is missing", "The index cannot be rebuilt without it. Restore a backup."
        )
    if not is_whole:
        done.requests = _rebuild_requests(database, pk, file)
    defaults = [
        recorded_outcome(database.read, batch)
        or (outcomes or {}).get(batch.id)
        or _outcome_of(*_BY_STATUS.get(batch.status, _NO_LINE))
        for batch in all_batches
    ]
    _clear_results(database, pk)
    files = ResultFiles(database, paths)
    for batch, default in zip(all_batches, defaults, strict=True):
        if batch.submission is Submission.REFUSED and batch.status is not BatchStatus.CANCELLED:
            # The provider rejected it, and its rows show their earlier attempts.
            continue
        if batch.attempt > 1:
            with database.write() as connection:
                rows = [*batches.rows_of(batch.id), *batches.repeats_of(batch.id)]
                archive_attempts(connection, pk, rows)
        missing = len(done.missing)
        for kind in ("output", "errors"):
            _index(files, batch, kind, rules_of(batch.account), done)
        if batch.repeats:
            done.lines += files.share_answers(batch, rules_of(batch.account))
        if batch.collected and is_terminal(batch.status):
            if len(done.missing) > missing:
                default = _outcome_of(*_NO_LINE)
            done.without_result += batches.finish_remaining(
                batch, default.outcome, default.error, default.preview[:160]
            )
    _restore_costs(database, pk)
    with database.write() as connection:
        clear_index(connection, pk)
        index_log(connection, pk, paths.job_folder(job_id) / LOG_FILE)
        refresh_job(connection, pk)
        note(connection, pk, now, f"Index rebuilt from the files: {done.lines:,} result lines")
    return done


def _positions_are_intact(connection: sqlite3.Connection, job: int, file: Path) -> bool:
    """Whether the recorded positions of the requests cover the file without gaps."""
    (total,) = connection.execute("SELECT total FROM jobs WHERE pk=?", (job,)).fetchone()
    expected = rows = 0
    for offset, length in connection.execute(
        "SELECT offset, length FROM requests WHERE job=? ORDER BY seq", (job,)
    ):
        if offset != expected:
            return False
        expected += length + 1
        rows += 1
    return bool(rows == total and expected == file.stat().st_size)


def _rebuild_requests(database: Database, job: int, file: Path) -> int:
    places: list[tuple[int, int, str, int, int]] = []
    with database.write() as connection:
        connection.execute("DELETE FROM requests WHERE job=?", (job,))
        count = 0
        for offset, length, custom_id in _requests_in(file):
            places.append((job, count, custom_id, offset, length))
            count += 1
            if len(places) >= _SLICE:
                _insert(connection, places)
        _insert(connection, places)
        connection.execute(
            "UPDATE jobs SET total=?, size=? WHERE pk=?", (count, file.stat().st_size, job)
        )
    return count


def _requests_in(file: Path) -> Iterator[tuple[int, int, str]]:
    with file.open("rb") as stream:
        for offset, line in split_lines(stream):
            try:
                value = decode_lenient(line)
            except UnreadableLineError:
                value = None
            if not isinstance(value, dict) or not isinstance(value.get("custom_id"), str):
                raise HistoryError(f"{file} is damaged at byte {offset:,}", "Restore a backup.")
            yield offset, len(line), value["custom_id"]


def _insert(connection: sqlite3.Connection, places: list[tuple[int, int, str, int, int]]) -> None:
    connection.executemany(
        "INSERT INTO requests (job, seq, custom_id, offset, length) VALUES (?,?,?,?,?)", places
    )
    places.clear()


def recorded_outcome(connection: sqlite3.Connection, batch: Batch) -> RecordedOutcome | None:
    """The outcome that is recorded for rows of a batch without a result line, if there are any."""
    pk, job = batch_pk(connection, batch.id)
    for table in ("results", "attempts"):
        found = connection.execute(
            f"SELECT r.outcome, g.code, g.message, g.retryable, r.preview FROM {table} r"
            " JOIN error_groups g ON g.pk=r.error_group"
            " WHERE r.job=? AND r.batch=? AND r.file IS NULL AND r.length IS NULL LIMIT 1",
            (job, pk),
        ).fetchone()
        if found is not None:
            outcome, code, message, stored_retryable, preview = found
            retryable = None if stored_retryable is None else bool(stored_retryable)
            error = RowError(code=code or None, message=message, retryable=retryable)
            return RecordedOutcome(outcome=OUTCOMES[outcome], error=error, preview=preview)
    return None


def _outcome_of(outcome: Outcome, code: str, message: str) -> RecordedOutcome:
    retryable = None if outcome is Outcome.FAILED else True
    error = RowError(code=code, message=message, retryable=retryable)
    return RecordedOutcome(outcome=outcome, error=error, preview=message)


def _clear_results(database: Database, job: int) -> None:
    """Delete the results of a job, and reset how far its files are indexed.

    What the rows cost is kept until ``_restore_costs``: their files do not say it.
    """
    with database.write() as connection:
        connection.execute("DROP TABLE IF EXISTS temp.costs_before")
        connection.execute(
            # Without the types of the columns they are compared with, the key would not be used.
            "CREATE TEMP TABLE costs_before"
            " (seq INTEGER, batch INTEGER, cost REAL, PRIMARY KEY (seq, batch)) WITHOUT ROWID"
        )
        for table in _COSTED:
            connection.execute(
                "INSERT OR REPLACE INTO temp.costs_before SELECT seq, batch, cost"
                f" FROM {table} WHERE job=? AND cost IS NOT NULL",
                (job,),
            )
        for table in ("results", "attempts", "outcome_counts", "error_groups"):
            connection.execute(f"DELETE FROM {table} WHERE job=?", (job,))
        own = "SELECT f.pk FROM files f JOIN batches b ON b.pk=f.batch WHERE b.job=?"
        connection.execute(f"DELETE FROM strays WHERE file IN ({own})", (job,))
        connection.execute(f"UPDATE files SET indexed=0, lines=0 WHERE pk IN ({own})", (job,))


def _restore_costs(database: Database, job: int) -> None:
    """Give the rows back what they cost before they were read again."""
    with database.write() as connection:
        for table in _COSTED:
            connection.execute(
                f"UPDATE {table} SET cost=(SELECT b.cost FROM temp.costs_before b"
                f" WHERE b.seq={table}.seq AND b.batch={table}.batch)"
                " WHERE job=? AND cost IS NULL",
                (job,),
            )
        connection.execute("DROP TABLE temp.costs_before")


_COSTED = ("attempts", "results")


def _index(
    files: ResultFiles, batch: Batch, kind: str, rules: Mapping[str, bool], done: ReindexResult
) -> None:
    file = files.get(batch.id, kind)
    if not file.path.exists():
        if file.received:
            done.missing.append(file.path.name)
        return
    # A large file is indexed in a child process, which leaves the interpreter to other threads.
    indexer = files.indexer(batch, file, files.style(batch.id), rules)
    try:
        indexer.start_if_large(file.path.stat().st_size)
        done.lines += indexer.run(complete=batch.collected)
    finally:
        indexer.close()
    files.mark_received(file, file.path.stat().st_size, complete=batch.collected)
