"""Batches and their rows: begun, abandoned, given up at the end."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from tui.core.jobs import Batch
from tui.core.outcome import OUTCOMES, UNANSWERED, Outcome
from tui.core.rows import RowError
from tui.core.status import BatchStatus, Submission
from tui.errors import UsageError
from tui.store.database import Database
from tui.store.groups import Groups
from tui.store.jobs import batch_pk, insert_batch, job_pk, note, refresh_job
from tui.store.merging import ended_of, pending_of, set_aside, settle, show_best

_SLICE = 2000
_EVERYWHERE = (0, 2**62)


def places_of(connection: sqlite3.Connection, job_id: str) -> Iterator[tuple[int, int]]:
    """Sequence number and length of every request of a job."""
    pk = job_pk(connection, job_id)
    cursor: Iterator[tuple[int, int]] = connection.execute(
        "SELECT seq, length FROM requests WHERE job=? ORDER BY seq", (pk,)
    )
    return cursor


def begin_first_attempt(database: Database, batches: Sequence[Batch]) -> None:
    """Store the batches of a job's first sending, all or none.

    A job that has batches by now keeps them: another program was faster, and what it sends
    is not to be paid twice.

    Raises:
        UsageError: The job is gone from the history.
    """
    with database.write(durable=True) as connection:
        pk = job_pk(connection, batches[0].job_id)
        if pk is None:
            raise UsageError("the job is gone from the history")
        if connection.execute("SELECT 1 FROM batches WHERE job=? LIMIT 1", (pk,)).fetchone():
            return
        for batch in batches:
            insert_batch(connection, batch, pk)
        refresh_job(connection, pk)


def begin_retry(
    database: Database, parts: Sequence[tuple[Batch, Sequence[int]]], now: float
) -> list[str]:
    """Store the batches of a retry, all or none, and make their rows pending.

    Rows that were sent again since the retry was planned are left out, whether they are still
    on their way or have their answer: they would be paid twice.

    Args:
        database: The history.
        parts: Each batch with its rows.
        now: Unix seconds.

    Returns:
        The ids of the batches that were stored.

    Raises:
        UsageError: All of the rows were sent again since.
    """
    stored: list[str] = []
    with database.write(durable=True) as connection:
        job = job_pk(connection, parts[0][0].job_id)
        if job is None:
            raise UsageError("the job is gone from the history")
        for batch, seqs in parts:
            free = ended_of(connection, job, seqs, batch.attempt)
            if not free:
                continue
            pk = insert_batch(connection, msgspec.structs.replace(batch, rows=len(free)), job)
            connection.executemany(
                "INSERT INTO batch_rows (batch, seq) VALUES (?,?)", ((pk, seq) for seq in free)
            )
            set_aside(connection, job, free)
            note(connection, job, now, f"Retrying {len(free):,} rows", batch.id)
            stored.append(batch.id)
        refresh_job(connection, job)
    if not stored:
        raise UsageError(
            "these rows have been sent again already", "Look at their newest answers first."
        )
    return stored


def confirm_sending(database: Database, batch_ids: Sequence[str]) -> None:
    """Note of drafts that a person wants them sent; others stay as they are."""
    _move(
        database,
        batch_ids,
        (Submission.DRAFT, BatchStatus.DRAFT),
        (Submission.UPLOADING, BatchStatus.SUBMITTING),
    )


def put_back(database: Database, batch_ids: Sequence[str]) -> None:
    """Make drafts again of batches that were to be sent and were not begun with."""
    _move(
        database,
        batch_ids,
        (Submission.UPLOADING, BatchStatus.SUBMITTING),
        (Submission.DRAFT, BatchStatus.DRAFT),
    )


def _move(
    database: Database,
    batch_ids: Sequence[str],
    before: tuple[Submission, BatchStatus],
    after: tuple[Submission, BatchStatus],
) -> None:
    with database.write(durable=True) as connection:
        for batch_id in batch_ids:
            moved = connection.execute(
                "UPDATE batches SET submission=?, status=? WHERE id=? AND submission=? AND status=?"
                " RETURNING job",
                (after[0].value, after[1].value, batch_id, before[0].value, before[1].value),
            ).fetchall()
            for (job,) in moved:
                refresh_job(connection, job)


def want_cancel(database: Database, batch_ids: Sequence[str], at: float | None) -> None:
    """Note that a person wants batches cancelled, before anything is asked of the provider.

    Args:
        database: The history.
        batch_ids: All that are to end.
        at: Unix seconds; ``None`` takes the wish back.
    """
    with database.write(durable=True) as connection:
        connection.executemany(
            "UPDATE batches SET cancel_wanted_at=?, cancel_wanted_by=? WHERE id=?",
            [(at, database.owner, batch_id) for batch_id in batch_ids],
        )


def cancel_unsent(database: Database, batch_id: str, now: float) -> bool:
    """Cancel a batch that the provider does not have.

    Returns:
        ``False``, with nothing changed, when it may have it: a create is under way.
    """
    possible = (Submission.CREATING, Submission.UNCERTAIN, Submission.RUNNING)
    with database.write(durable=True) as connection:
        _, job = batch_pk(connection, batch_id)
        submission, attempt = connection.execute(
            "SELECT submission, attempt FROM batches WHERE id=?", (batch_id,)
        ).fetchone()
        if submission in possible:
            return False
        left = Submission.REFUSED if attempt > 1 else Submission.DRAFT
        connection.execute(
            "UPDATE batches SET submission=?, status=?, collected=1, ended_at=?, trouble='',"
            " cancel_wanted_at=NULL WHERE id=?",
            (left.value, BatchStatus.CANCELLED.value, now, batch_id),
        )
        note(connection, job, now, "Cancelled before it was sent", batch_id)
        refresh_job(connection, job)
    return True


def abandon(database: Database, batch_id: str, reason: str, now: float) -> None:
    """A retry that was not taken: its rows show their earlier attempts again."""
    with database.write(durable=True) as connection:
        pk, job = batch_pk(connection, batch_id)
        seqs = pending_of(connection, pk, job, _EVERYWHERE, listed=True)
        show_best(connection, job, seqs)
        connection.execute(
            "UPDATE batches SET submission=?, status=?, trouble=?, collected=1, ended_at=?"
            " WHERE pk=?",
            (Submission.REFUSED.value, BatchStatus.FAILED.value, reason, now, pk),
        )
        note(connection, job, now, f"The retry was not taken: {reason}", batch_id)
        refresh_job(connection, job)


def forget_refused(database: Database, batch_id: str) -> None:
    """Drop the record of a retry that was not taken and has given its rows back."""
    with database.write(durable=True) as connection:
        _, job = batch_pk(connection, batch_id)
        connection.execute(
            "DELETE FROM batches WHERE id=? AND submission=?",
            (batch_id, Submission.REFUSED.value),
        )
        refresh_job(connection, job)


def rows_of(connection: sqlite3.Connection, batch_id: str) -> list[int]:
    """The rows of a retry, in the order of the input."""
    return [
        row[0]
        for row in connection.execute(
            "SELECT r.seq FROM batch_rows r JOIN batches b ON b.pk=r.batch WHERE b.id=?"
            " ORDER BY r.seq",
            (batch_id,),
        )
    ]


def has_silent_rows(database: Database, batch_id: str) -> bool:
    """Was any row of a batch given up, because no line of its files spoke of it?"""
    pk, job = batch_pk(database.read, batch_id)
    found = database.read.execute(
        "SELECT 1 FROM results WHERE job=? AND batch=? AND file IS NULL LIMIT 1", (job, pk)
    ).fetchone()
    return found is not None


def pending_in(database: Database, batch: Batch) -> int:
    """How many rows of a batch have no result."""
    return len(pending_seqs(database, batch))


def pending_seqs(database: Database, batch: Batch) -> list[int]:
    """The rows of a batch that have no result, in the order of the input."""
    bounds = _bounds(batch)
    pk, job = batch_pk(database.read, batch.id)
    return pending_of(database.read, pk, job, bounds or _EVERYWHERE, listed=bounds is None)


def answered_in(database: Database, batch: Batch) -> tuple[int, int]:
    """How many rows of a batch have an answer, and how many a line without one."""
    pk, job = batch_pk(database.read, batch.id)
    good = bad = 0
    for outcome, count in database.read.execute(
        "SELECT outcome, count(*) FROM results WHERE job=? AND batch=? AND file IS NOT NULL"
        " GROUP BY outcome",
        (job, pk),
    ):
        if OUTCOMES[outcome] in UNANSWERED:
            bad += count
        else:
            good += count
    return good, bad


def mark_running(database: Database, batch_id: str) -> None:
    """Note that the rows of a batch are being sent, unless somebody has called it off."""
    with database.write() as connection:
        moved = connection.execute(
            "UPDATE batches SET status=?, raw_status=? WHERE id=? AND status NOT IN (?, ?)"
            " RETURNING job",
            (
                BatchStatus.IN_PROGRESS.value,
                BatchStatus.IN_PROGRESS.value,
                batch_id,
                BatchStatus.CANCELLING.value,
                BatchStatus.CANCELLED.value,
            ),
        ).fetchall()
        for (job,) in moved:
            refresh_job(connection, job)


def _bounds(batch: Batch) -> tuple[int, int] | None:
    if batch.first_seq is None or batch.last_seq is None:
        return None
    return batch.first_seq, batch.last_seq


def give_up_rows(
    database: Database, batch: Batch, outcome: Outcome, error: RowError, preview: str
) -> int:
    """Give an outcome to every row of an ended batch that is still pending.

    Small transactions, so that another program can write in between.

    Returns:
        How many rows there were.
    """
    bounds = _bounds(batch)
    pk, job = batch_pk(database.read, batch.id)
    waiting = pending_of(database.read, pk, job, bounds or _EVERYWHERE, listed=bounds is None)
    for start in range(0, len(waiting), _SLICE):
        with database.write() as connection:
            # Asked again inside the transaction: a result may have come in between.
            chunk = waiting[start : start + _SLICE]
            span = (chunk[0], chunk[-1])
            now_pending = set(pending_of(connection, pk, job, span, listed=bounds is None))
            part = [seq for seq in chunk if seq in now_pending]
            group = Groups(connection, job).number(None, error)
            settle(connection, (pk, job, batch.attempt), part, outcome, group, preview)
    return len(waiting)


def blame_rows(database: Database, batch: Batch, errors: Mapping[int, RowError]) -> int:
    """Give pending rows of a failed batch the error that the provider has for their line.

    Args:
        database: The history.
        batch: The batch.
        errors: By line of the batch's input, counted from 1.

    Returns:
        How many rows there were.
    """
    bounds = _bounds(batch)
    blamed = 0
    with database.write() as connection:
        pk, job = batch_pk(connection, batch.id)
        waiting = set(pending_of(connection, pk, job, bounds or _EVERYWHERE, listed=bounds is None))
        listed = rows_of(connection, batch.id) if bounds is None else []
        for line, error in errors.items():
            seq = bounds[0] + line - 1 if bounds else (listed[line - 1 : line] or [-1])[0]
            if seq in waiting:
                waiting.discard(seq)
                group = Groups(connection, job).number(None, error)
                settle(
                    connection,
                    (pk, job, batch.attempt),
                    [seq],
                    Outcome.FAILED,
                    group,
                    error.message[:160],
                )
                blamed += 1
    return blamed
