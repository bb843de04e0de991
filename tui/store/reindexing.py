"""Building the records of a job anew from its files, which are the truth.

The life of the job is played again: each batch sets its rows aside, its result files are
indexed, and the rows of which no file speaks get the outcome that the end of the batch gives
them. What the provider said about such rows is taken over from the records where it is there.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tui.core.jobs import Batch
from tui.core.lines import lines_of
from tui.core.outcome import OUTCOMES, Outcome
from tui.core.results import UnreadableLineError, decode_lenient
from tui.core.rows import RowError
from tui.core.status import BatchStatus, Submission, is_terminal
from tui.errors import HistoryError, UsageError
from tui.store.aside import FileIndexer, Task
from tui.store.batches import give_up_rows
from tui.store.files import result_file
from tui.store.history import History
from tui.store.importing import REQUESTS
from tui.store.jobs import batch_pk, job_pk, note, refresh_job
from tui.store.merging import set_aside

RulesOf = Callable[[str], Mapping[str, bool]]
"""Which error codes of an account's provider can be retried."""

_SLICE = 5000

_SILENT = {
    BatchStatus.EXPIRED: (Outcome.EXPIRED, "batch_expired", "The window closed before it ran"),
    BatchStatus.CANCELLED: (Outcome.CANCELLED, "batch_cancelled", "Cancelled before it ran"),
    BatchStatus.FAILED: (Outcome.FAILED, "batch_failed", "The provider failed the whole batch"),
}
_NO_LINE = (Outcome.MISSING, "missing", "No result line speaks of this row")


@dataclass
class Rebuilt:
    """What was done for one job.

    Attributes:
        requests: Requests that were found anew; 0 when their table was whole.
        lines: Result lines that were read.
        silent: Rows of which no file speaks.
        missing: Names of result files that the history knows and the disk does not have.
    """

    requests: int = 0
    lines: int = 0
    silent: int = 0
    missing: list[str] = field(default_factory=list)


def reindex_job(history: History, job_id: str, *, rules_of: RulesOf, now: float) -> Rebuilt:
    """Build the records of a job's rows anew; blocking, to be called in a thread.

    Args:
        history: Where the job is.
        job_id: The job.
        rules_of: Gives the retry rules of an account.
        now: Unix seconds, for the timeline.

    Raises:
        UsageError: A batch of it still runs.
        HistoryError: ``requests.jsonl`` is not there.
    """
    batches = history.batches(job_id)
    if any(batch.is_under_way for batch in batches):
        raise UsageError("a batch of this job still runs", "Let it end, or cancel it, first.")
    done = Rebuilt()
    database = history.database
    pk = job_pk(database.read, job_id)
    assert pk is not None
    file = history.paths.job_folder(job_id) / REQUESTS
    if not file.exists():
        raise HistoryError(
            f"{file} is not there", "Without the requests nothing can be built anew."
        )
    if not _requests_are_whole(database.read, pk, file):
        done.requests = _find_requests(history, pk, file)
    ends = {batch.id: _end_of(database.read, batch) for batch in batches}
    _clear(history, pk)
    for batch in batches:
        _replay(history, batch, rules_of(batch.account), ends[batch.id], done)
    with database.write() as connection:
        refresh_job(connection, pk)
        note(connection, pk, now, f"Built anew from the files: {done.lines:,} result lines")
    return done


def _requests_are_whole(connection: sqlite3.Connection, job: int, file: Path) -> bool:
    """Do the places of the requests follow each other from the first byte to the last?"""
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


def _find_requests(history: History, job: int, file: Path) -> int:
    places: list[tuple[int, int, str, int, int]] = []
    with history.database.write() as connection:
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
        for offset, line in lines_of(stream):
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


def _end_of(connection: sqlite3.Connection, batch: Batch) -> tuple[Outcome, RowError, str]:
    """The outcome of the rows of which no file speaks: as it was recorded, else by the end."""
    pk, job = batch_pk(connection, batch.id)
    for table in ("results", "attempts"):
        found = connection.execute(
            f"SELECT r.outcome, g.code, g.message, g.retryable, r.preview FROM {table} r"
            " JOIN error_groups g ON g.pk=r.error_group"
            " WHERE r.job=? AND r.batch=? AND r.file IS NULL AND r.length IS NULL LIMIT 1",
            (job, pk),
        ).fetchone()
        if found is not None:
            outcome, code, message, again, preview = found
            retryable = None if again is None else bool(again)
            error = RowError(code=code or None, message=message, retryable=retryable)
            return OUTCOMES[outcome], error, preview
    return _silence(*_SILENT.get(batch.status, _NO_LINE))


def _silence(outcome: Outcome, code: str, message: str) -> tuple[Outcome, RowError, str]:
    retryable = None if outcome is Outcome.FAILED else True
    return outcome, RowError(code=code, message=message, retryable=retryable), message


def _clear(history: History, job: int) -> None:
    """Forget the rows of a job, and how far its files were read."""
    with history.database.write() as connection:
        for table in ("results", "attempts", "outcome_counts", "error_groups"):
            connection.execute(f"DELETE FROM {table} WHERE job=?", (job,))
        own = "SELECT f.pk FROM files f JOIN batches b ON b.pk=f.batch WHERE b.job=?"
        connection.execute(f"DELETE FROM strays WHERE file IN ({own})", (job,))
        connection.execute(f"UPDATE files SET indexed=0, lines=0 WHERE pk IN ({own})", (job,))


def _replay(
    history: History,
    batch: Batch,
    rules: Mapping[str, bool],
    end: tuple[Outcome, RowError, str],
    done: Rebuilt,
) -> None:
    database = history.database
    if batch.submission is Submission.REFUSED and batch.status is not BatchStatus.CANCELLED:
        # It was not taken, and its rows show what they had before.
        return
    if batch.attempt > 1:
        with database.write() as connection:
            _, job = batch_pk(connection, batch.id)
            set_aside(connection, job, history.rows_of(batch.id))
    lost = len(done.missing)
    for kind in _kinds(history, batch):
        done.lines += _index(history, batch, kind, rules, done)
    if batch.collected and is_terminal(batch.status):
        outcome, error, preview = end
        if len(done.missing) > lost:
            outcome, error, preview = _silence(*_NO_LINE)
        done.silent += give_up_rows(database, batch, outcome, error, preview[:160])


def _kinds(history: History, batch: Batch) -> list[str]:
    """The result files that a batch has, on the disk or in the records."""
    folder = history.paths.job_folder(batch.job_id)
    known = {
        row[0]
        for row in history.database.read.execute(
            "SELECT f.kind FROM files f JOIN batches b ON b.pk=f.batch WHERE b.id=?", (batch.id,)
        )
    }
    kinds = ("output", "errors")
    return [k for k in kinds if k in known or (folder / f"{batch.id}.{k}.jsonl").exists()]


def _index(
    history: History, batch: Batch, kind: str, rules: Mapping[str, bool], done: Rebuilt
) -> int:
    database = history.database
    file = result_file(database, history.paths, batch.id, kind)
    if not file.path.exists():
        if file.received:
            done.missing.append(file.path.name)
        return 0
    (style,) = database.read.execute("SELECT style FROM batches WHERE id=?", (batch.id,)).fetchone()
    task = Task(
        database=str(database.path),
        batch=batch.id,
        pk=file.pk,
        path=str(file.path),
        style=style,
        rules=dict(rules),
        only=list(history.rows_of(batch.id)) if batch.native_of is not None else None,
    )
    # Where the file is large: in a process of its own, so that whoever waits has the interpreter.
    indexer = FileIndexer(database, task)
    try:
        indexer.expect(file.path.stat().st_size)
        lines = indexer.run(complete=batch.collected)
    finally:
        indexer.close()
    with database.write() as connection:
        connection.execute(
            "UPDATE files SET received=?, complete=? WHERE pk=?",
            (file.path.stat().st_size, batch.collected, file.pk),
        )
    return lines
