"""Batches: find them, and their changes of state from draft to the end, each in one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from tui.core.formatting import counted
from tui.core.jobs import Batch, BatchStatus, Deadline, Job, RemoteCounts, Submission
from tui.core.rows import OUTCOMES, UNANSWERED, Outcome, RowError
from tui.core.submission import MAY_EXIST, SubmitEvent, next_state
from tui.errors import NotOursError, OutdatedError, UnknownJobError, UsageError
from tui.store.database import Database, chunked, maps_sqlite_errors
from tui.store.job_records import (
    batch_pk,
    change_deadline,
    insert_batch,
    job_pk,
    note,
    read_batches,
    refresh_job,
    update_batch,
)
from tui.store.leases import lease_conflict
from tui.store.rows.attempts import (
    archive_attempts,
    count_pending,
    find_ended,
    find_pending,
    find_unanswered,
    select_best,
    set_outcome,
)
from tui.store.rows.error_groups import Groups
from tui.store.rows.repeats import (
    Repeats,
    insert_repeats,
    pending_repeats,
    repeats_in,
    sharing_rows,
)
from tui.store.rows.summary import add_sample

_SLICE = 2000

_State = tuple[Submission, BatchStatus]
_DRAFT: _State = (Submission.DRAFT, BatchStatus.DRAFT)
_CONFIRMED: _State = (Submission.UPLOADING, BatchStatus.SUBMITTING)


class NewBatch(NamedTuple):
    """A batch to be stored: its record, the rows that it sends, and those that share a result.

    ``seqs`` is ``None`` for all rows from the batch's first to its last. ``style`` says how its
    result lines are written, if they are there already.
    """

    batch: Batch
    seqs: Sequence[int] | None = None
    repeats: Repeats = ()
    style: str = ""


class DeadlineStep(NamedTuple):
    """The deadline of a job before and after something was done about it."""

    before: Deadline
    after: Deadline


@maps_sqlite_errors
class Batches:
    """The batches of all jobs; ``history.batches``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of_job(self, job_id: str) -> list[Batch]:
        """The batches of a job, by attempt and part."""
        return read_batches(self._database.read, "j.id=?", (job_id,))

    def get(self, batch_id: str) -> Batch:
        """One batch by its own id.

        Raises:
            UnknownJobError: Its job was deleted.
        """
        batch = self.find(batch_id)
        if batch is None:
            raise UnknownJobError(f"batch {batch_id!r} no longer exists")
        return batch

    def find(self, batch_id: str) -> Batch | None:
        """One batch by its own id; ``None`` when its job was deleted."""
        found = read_batches(self._database.read, "b.id=?", (batch_id,))
        return found[0] if found else None

    def unfinished(self) -> list[Batch]:
        """Batches being sent, unconfirmed, running, or ended with results not downloaded yet."""
        return read_batches(
            self._database.read,
            "b.submission IN ('uploading', 'uploaded', 'creating', 'uncertain', 'waiting')"
            " OR (b.submission='running' AND b.collected=0)",
        )

    def durations(
        self, account: str, model: str, window: str, limit: int
    ) -> list[tuple[float, bool]]:
        """What the newest ended batches took, in seconds, and whether each has expired.

        Batches that were cancelled or rejected are left out, retries in place, and those that
        reuse answers.
        """
        rows = self._database.read.execute(
            "SELECT b.ended_at - b.submitted_at, b.status='expired'"
            " FROM batches b JOIN jobs j ON j.pk=b.job"
            " WHERE b.account=:account AND j.window=:window"
            " AND coalesce(json_extract(b.edits, '$.model'), j.model)=:model"
            " AND b.status IN ('completed', 'expired') AND b.native_of IS NULL"
            " AND b.reuses=0 AND b.ended_at >= b.submitted_at"
            " ORDER BY b.submitted_at DESC LIMIT :limit",
            {"account": account, "model": model, "window": window, "limit": limit},
        )
        return [(seconds, bool(expired)) for seconds, expired in rows]

    def expiring(self) -> dict[str, float]:
        """When the first results that are not downloaded yet expire (Unix seconds), by job id."""
        rows = self._database.read.execute(
            "SELECT j.id, min(b.results_expire_at) FROM batches b JOIN jobs j ON j.pk=b.job"
            " WHERE b.submission='running' AND b.collected=0 AND b.results_expire_at IS NOT NULL"
            " GROUP BY j.pk"
        )
        return dict(rows.fetchall())

    def job_of_remote(self, account: str, remote_id: str) -> str | None:
        """Id of the job that a provider's batch belongs to; ``None`` if it was not imported."""
        found = self._database.read.execute(
            "SELECT j.id FROM remote_batches r JOIN batches b ON b.pk=r.batch"
            " JOIN jobs j ON j.pk=b.job WHERE r.account=? AND r.remote_id=?",
            (account, remote_id),
        ).fetchone()
        return None if found is None else str(found[0])

    def belongs_to_another(self, batch_id: str, account: str, remote_id: str) -> bool:
        """Whether a provider's batch belongs to another batch of the history than this one."""
        found = self._database.read.execute(
            "SELECT 1 FROM remote_batches r JOIN batches b ON b.pk=r.batch"
            " WHERE r.account=? AND r.remote_id=? AND b.id<>?",
            (account, remote_id, batch_id),
        ).fetchone()
        return found is not None

    def has_others_since(self, batch_id: str, account: str, since: float) -> bool:
        """Whether the provider took another batch of an account since a time (Unix seconds)."""
        found = self._database.read.execute(
            "SELECT 1 FROM batches WHERE account=? AND id<>? AND remote_id IS NOT NULL"
            " AND native_of IS NULL AND submission='running' AND submitted_at>=? LIMIT 1",
            (account, batch_id, since),
        ).fetchone()
        return found is not None

    def shares_input_file(self, batch_id: str, account: str, file_id: str) -> bool:
        """Whether another batch of an account has the same input file at the provider."""
        found = self._database.read.execute(
            "SELECT 1 FROM batches WHERE account=? AND input_file_id=? AND id<>? LIMIT 1",
            (account, file_id, batch_id),
        ).fetchone()
        return found is not None

    def submissions(self, batch_ids: Sequence[str]) -> dict[str, Submission]:
        """How far the submit of each batch got; ids that are not in the history are left out."""
        found: dict[str, Submission] = {}
        for marks, part in chunked(batch_ids):
            rows = self._database.read.execute(
                f"SELECT id, submission FROM batches WHERE id IN ({marks})", part
            )
            found.update((batch, Submission(step)) for batch, step in rows)
        return found

    def rows_of(self, batch_id: str) -> list[int]:
        """Row numbers of a retry, in input order."""
        return _listed_rows(self._database.read, batch_id)

    def rows_in(self, batch: Batch) -> Sequence[int]:
        """Row numbers that a batch sends, in input order."""
        bounds = batch.bounds
        return self.rows_of(batch.id) if bounds is None else range(bounds[0], bounds[1] + 1)

    def pending_rows(self, batch: Batch) -> list[int]:
        """Numbers of the rows of a batch without a result, in input order."""
        pk, job = batch_pk(self._database.read, batch.id)
        return find_pending(self._database.read, pk, job, batch.bounds)

    def unanswered_rows(self, batch: Batch, batch_ids: Sequence[str]) -> list[int]:
        """Row numbers of a batch to which none of some batches has an answer, in input order."""
        pk, job = batch_pk(self._database.read, batch.id)
        among = [batch_pk(self._database.read, batch_id)[0] for batch_id in batch_ids]
        return find_unanswered(self._database.read, pk, job, batch.bounds, among)

    def set_prices(self, batch_id: str, prices: dict[str, Any]) -> None:
        """Store the prices by which a batch was billed, unless they are there already."""
        with self._database.write() as connection:
            if read_batches(connection, "b.id=?", (batch_id,))[0].prices != prices:
                update_batch(connection, batch_id, {"prices": prices})

    def update(
        self,
        batch_id: str,
        changes: dict[str, Any],
        now: float,
        *,
        remark: str = "",
        durable: bool = True,
        fenced: bool = False,
        asked: Batch | None = None,
        event: SubmitEvent | None = None,
    ) -> Batch:
        """Store changes of a batch, and return the updated batch.

        Args:
            batch_id: The batch.
            changes: Columns and their new values.
            now: Unix seconds.
            remark: An event for the timeline of the job.
            durable: Sync to disk, to survive a power cut.
            fenced: Write only if this process may send the batch.
            asked: The batch as it was when the provider was polled for these changes.
            event: What happened to the submit: decides the new ``submission``.

        Raises:
            OutdatedError: The status changed since ``asked``, for example by a cancel.
            NotOursError: Another process holds the batch, or the user cancelled it, or the event
                is impossible in the state that another process has stored.
            UnknownJobError: The batch was deleted with its job.
        """
        with self._database.write(durable=durable) as connection:
            if fenced and (reason := lease_conflict(connection, batch_id, self._database.owner)):
                raise NotOursError(reason)
            if asked is not None:
                stored = connection.execute(
                    "SELECT status, raw_status FROM batches WHERE id=?", (batch_id,)
                ).fetchone()
                if stored != (asked.status, asked.raw_status):
                    raise OutdatedError
            if event is not None:
                changes = {**changes, "submission": _after(connection, batch_id, event)}
            update_batch(connection, batch_id, changes)
            pk, job = batch_pk(connection, batch_id)
            counts = changes.get("remote_counts")
            if isinstance(counts, RemoteCounts):
                add_sample(connection, pk, now, counts)
            if remark:
                note(connection, job, now, remark, batch_id)
        return self.get(batch_id)

    def note(self, batch_id: str, now: float, what: str) -> None:
        """Add an event of a batch to the timeline of its job."""
        with self._database.write() as connection:
            _, job = batch_pk(connection, batch_id)
            note(connection, job, now, what, batch_id)

    def begin_first_attempt(self, parts: Sequence[NewBatch]) -> None:
        """Store the batches of a job's first attempt, all or none.

        If the job has batches that are no drafts any more, nothing is changed: another process
        was faster, and the same rows must not be paid for twice. Drafts are replaced.

        Raises:
            UnknownJobError: The job was deleted.
        """
        with self._database.write(durable=True) as connection:
            pk = job_pk(connection, parts[0].batch.job_id)
            taken = "SELECT 1 FROM batches WHERE job=? AND (submission<>? OR status<>?) LIMIT 1"
            if connection.execute(taken, (pk, *_DRAFT)).fetchone():
                return
            connection.execute("DELETE FROM batches WHERE job=?", (pk,))
            for part in parts:
                _insert(connection, part, pk)
            refresh_job(connection, pk)

    def begin_retry(
        self,
        parts: Sequence[NewBatch],
        now: float,
        deadline: DeadlineStep | None = None,
        answered: Sequence[int] | None = None,
    ) -> list[str]:
        """Store the batches of a retry, all or none, and make their rows pending.

        Rows that were retried since this retry was planned are left out, whether they are pending
        or have a result, and rows that were answered since then: they would be paid for twice. So
        are the repeats of such rows.

        Args:
            parts: Each batch with its row numbers.
            now: Unix seconds.
            deadline: The step of the job's deadline that this retry is; taken together with it.
            answered: The rows that had an answer when they were chosen, in order; ``None`` for
                all that have one.

        Returns:
            Ids of the batches that were stored.

        Raises:
            UnknownJobError: The job was deleted.
            UsageError: All of the rows were retried or answered in the meantime.
            OutdatedError: Another process has changed the deadline.
        """
        stored: list[str] = []
        with self._database.write(durable=True) as connection:
            job = job_pk(connection, parts[0].batch.job_id)
            if deadline is not None and not change_deadline(connection, job, *deadline):
                raise OutdatedError
            for batch, seqs, repeats, _ in parts:
                free = find_ended(connection, job, seqs or (), batch.attempt, answered)
                if not free:
                    continue
                same = [seq for seq, _ in repeats]
                alike = find_ended(connection, job, same, batch.attempt, answered)
                sharing = sharing_rows(repeats, set(free), set(alike))
                _insert(connection, NewBatch(batch, free, sharing), job)
                archive_attempts(connection, job, [*free, *(seq for seq, _ in sharing)])
                shared = f" for {len(free) + len(sharing):,} with equal requests" if sharing else ""
                what = f"Retrying {counted(len(free), 'row')}{shared}"
                note(connection, job, now, what, batch.id)
                stored.append(batch.id)
            if not stored:
                # Without its retry the step of the deadline is not taken either.
                raise UsageError(
                    "these rows have already been retried, or were answered meanwhile",
                    "Check their newest results first.",
                )
            refresh_job(connection, job)
        return stored

    def confirm_drafts(self, batch_ids: Sequence[str]) -> None:
        """Mark drafts as confirmed for sending; batches in any other state are not changed."""
        self._move(batch_ids, _DRAFT, SubmitEvent.CONFIRMED, BatchStatus.SUBMITTING)

    def release_drafts(self, batch_ids: Sequence[str]) -> None:
        """Turn confirmed batches whose sending has not started back into drafts."""
        self._move(batch_ids, _CONFIRMED, SubmitEvent.RELEASED, BatchStatus.DRAFT)

    def request_cancel(self, batch_ids: Sequence[str], at: float) -> None:
        """Record that the user asked to cancel batches, before the provider is contacted.

        Args:
            batch_ids: The batches to cancel.
            at: Unix seconds.
        """
        with self._database.write(durable=True) as connection:
            connection.executemany(
                "UPDATE batches SET cancel_wanted_at=?, cancel_wanted_by=? WHERE id=?",
                [(at, self._database.owner, batch_id) for batch_id in batch_ids],
            )

    def cancel_unsent(self, batch_id: str, now: float) -> bool:
        """Cancel a batch that was not created at the provider.

        Returns:
            ``False``, with nothing changed, if the provider may have the batch.
        """
        with self._database.write(durable=True) as connection:
            _, job = batch_pk(connection, batch_id)
            submission, attempt = connection.execute(
                "SELECT submission, attempt FROM batches WHERE id=?", (batch_id,)
            ).fetchone()
            if Submission(submission) in MAY_EXIST:
                return False
            event = SubmitEvent.ABANDONED if attempt > 1 else SubmitEvent.CANCELLED
            note(connection, job, now, "Cancelled before it was sent", batch_id)
            changes = {
                "submission": _after(connection, batch_id, event),
                "status": BatchStatus.CANCELLED,
                "collected": True,
                "ended_at": now,
                "trouble": "",
                "cancel_wanted_at": None,
            }
            update_batch(connection, batch_id, changes)
        return True

    def abandon_retry(self, batch_id: str, reason: str, now: float) -> None:
        """Give up a rejected retry; its rows show their earlier attempts again.

        Raises:
            NotOursError: The provider may have it.
        """
        with self._database.write(durable=True) as connection:
            pk, job = batch_pk(connection, batch_id)
            submission = _after(connection, batch_id, SubmitEvent.ABANDONED)
            waiting = find_pending(connection, pk, job, None)
            waiting += pending_repeats(connection, pk, job, waiting)
            select_best(connection, job, waiting)
            note(connection, job, now, f"Retry not accepted: {reason}", batch_id)
            changes = {
                "submission": submission,
                "status": BatchStatus.FAILED,
                "trouble": reason,
                "collected": True,
                "ended_at": now,
            }
            update_batch(connection, batch_id, changes)

    def delete_rejected(self, batch_id: str) -> None:
        """Delete the record of a rejected retry, after its rows were released."""
        with self._database.write(durable=True) as connection:
            _, job = batch_pk(connection, batch_id)
            connection.execute(
                "DELETE FROM batches WHERE id=? AND submission=?",
                (batch_id, Submission.REFUSED.value),
            )
            refresh_job(connection, job)

    def count_sent(self, job: Job) -> int:
        """How many rows of a job are sent at first: its estimate is of these.

        Repeats, and rows whose answers are reused, are not.
        """
        (others,) = self._database.read.execute(
            "SELECT ifnull(sum(b.repeats + b.reuses * b.rows), 0)"
            " FROM batches b JOIN jobs j ON j.pk=b.job WHERE j.id=? AND b.attempt=1",
            (job.id,),
        ).fetchone()
        return job.counts.total - int(others)

    def rows_sent(self, job: Job) -> list[int] | None:
        """Row numbers of a job that are sent at first; ``None`` if all are."""
        if self.count_sent(job) == job.counts.total:
            return None
        rows = self._database.read.execute(
            "SELECT r.seq FROM batch_rows r JOIN batches b ON b.pk=r.batch"
            " JOIN jobs j ON j.pk=b.job WHERE j.id=? AND b.attempt=1 AND b.reuses=0"
            " ORDER BY r.seq",
            (job.id,),
        )
        return [seq for (seq,) in rows]

    def repeats_of(self, batch_id: str) -> list[int]:
        """Row numbers that share the results of the rows of a batch, in order."""
        pk, _ = batch_pk(self._database.read, batch_id)
        return repeats_in(self._database.read, pk)

    def has_rows_without_result(self, batch_id: str) -> bool:
        """Whether any row of a batch was finished without a line in its result files."""
        pk, job = batch_pk(self._database.read, batch_id)
        found = self._database.read.execute(
            "SELECT 1 FROM results WHERE job=? AND batch=? AND file IS NULL LIMIT 1", (job, pk)
        ).fetchone()
        return found is not None

    def count_without_line(self, batch: Batch) -> int:
        """How many rows of a batch have no line in its result files, pending or ended."""
        pk, job = batch_pk(self._database.read, batch.id)
        (ended,) = self._database.read.execute(
            f"SELECT count(*) FROM results WHERE job=? AND batch=? AND file IS NULL AND {_IS_SENT}",
            (job, pk, pk),
        ).fetchone()
        return int(ended) + count_pending(self._database.read, pk, job, batch.bounds)

    def count_results(self, batch: Batch) -> tuple[int, int]:
        """Numbers of result lines of a batch: with an answer, and without one."""
        pk, job = batch_pk(self._database.read, batch.id)
        answered = unanswered = 0
        for outcome, count in self._database.read.execute(
            "SELECT outcome, count(*) FROM results WHERE job=? AND batch=? AND file IS NOT NULL"
            f" AND {_IS_SENT} GROUP BY outcome",
            (job, pk, pk),
        ):
            if OUTCOMES[outcome] in UNANSWERED:
                unanswered += count
            else:
                answered += count
        return answered, unanswered

    def mark_running(self, batch_id: str) -> None:
        """Mark a direct batch as in progress, unless it was cancelled."""
        stopped = (BatchStatus.CANCELLING, BatchStatus.CANCELLED)
        running = BatchStatus.IN_PROGRESS
        with self._database.write() as connection:
            found = connection.execute(
                "SELECT status FROM batches WHERE id=?", (batch_id,)
            ).fetchone()
            if found is not None and found[0] not in stopped:
                changes = {"status": running, "raw_status": running.value}
                update_batch(connection, batch_id, changes)

    def finish_remaining(
        self, batch: Batch, outcome: Outcome, error: RowError, preview: str
    ) -> int:
        """Give an outcome to every row of an ended batch that is still pending.

        Uses small transactions, so that other processes can write in between.

        Returns:
            Number of rows that were pending.
        """
        pk, job = batch_pk(self._database.read, batch.id)
        waiting = self.pending_rows(batch)
        for start in range(0, len(waiting), _SLICE):
            with self._database.write() as connection:
                # Check again inside the transaction: a result may have been stored meanwhile.
                part = waiting[start : start + _SLICE]
                still = find_pending(connection, pk, job, batch.bounds, (part[0], part[-1]))
                group = Groups(connection, job).number(None, error)
                set_outcome(connection, (pk, job, batch.attempt), still, outcome, group, preview)
        return len(waiting)

    def fail_rows(self, batch: Batch, errors: Mapping[int, RowError]) -> int:
        """Fail pending rows of a failed batch with the provider's error; returns their number.

        Args:
            batch: The batch.
            errors: Errors by line number in the batch's input, starting at 1.
        """
        bounds = batch.bounds
        failed: list[int] = []
        with self._database.write() as connection:
            pk, job = batch_pk(connection, batch.id)
            waiting = set(find_pending(connection, pk, job, bounds))
            rows = (
                _listed_rows(connection, batch.id)
                if bounds is None
                else range(bounds[0], bounds[1] + 1)
            )
            groups = Groups(connection, job)
            for line, error in errors.items():
                if line > len(rows) or rows[line - 1] not in waiting:
                    continue
                seq = rows[line - 1]
                waiting.discard(seq)
                group = groups.number(None, error)
                preview = error.message[:160]
                set_outcome(
                    connection, (pk, job, batch.attempt), [seq], Outcome.FAILED, group, preview
                )
                failed.append(seq)
        return len(failed)

    def _move(
        self, batch_ids: Sequence[str], before: _State, event: SubmitEvent, status: BatchStatus
    ) -> None:
        after = (next_state(before[0], event), status)
        with self._database.write(durable=True) as connection:
            for batch_id in batch_ids:
                changed = connection.execute(
                    "UPDATE batches SET submission=?, status=?"
                    " WHERE id=? AND submission=? AND status=? RETURNING job",
                    (*after, batch_id, *before),
                ).fetchall()
                for (job,) in changed:
                    refresh_job(connection, job)


_IS_SENT = "seq NOT IN (SELECT seq FROM repeats WHERE batch=?)"
"""A condition on results of a batch: the provider has the row."""


def _insert(connection: sqlite3.Connection, part: NewBatch, job: int) -> None:
    """Store a batch with its rows and repeats."""
    batch, seqs, repeats, style = part
    batch = msgspec.structs.replace(
        batch, rows=batch.rows if seqs is None else len(seqs), repeats=len(repeats)
    )
    pk = insert_batch(connection, batch, job)
    connection.executemany(
        "INSERT INTO batch_rows (batch, seq) VALUES (?,?)", ((pk, seq) for seq in seqs or ())
    )
    insert_repeats(connection, pk, repeats)
    if style:
        connection.execute("UPDATE batches SET style=? WHERE pk=?", (style, pk))


def _after(connection: sqlite3.Connection, batch_id: str, event: SubmitEvent) -> Submission:
    """The state of a batch after an event; read inside the transaction that writes it.

    Raises:
        UnknownJobError: The batch was deleted with its job.
        NotOursError: The event is impossible in the stored state.
    """
    row = connection.execute("SELECT submission FROM batches WHERE id=?", (batch_id,)).fetchone()
    if row is None:
        raise UnknownJobError(f"batch {batch_id!r} no longer exists")
    following = next_state(Submission(row[0]), event)
    if following is None:
        raise NotOursError(f"another Batchdeck process has changed this batch: it is {row[0]} now")
    return following


def _listed_rows(connection: sqlite3.Connection, batch_id: str) -> list[int]:
    rows = connection.execute(
        "SELECT r.seq FROM batch_rows r JOIN batches b ON b.pk=r.batch WHERE b.id=? ORDER BY r.seq",
        (batch_id,),
    )
    return [seq for (seq,) in rows]
