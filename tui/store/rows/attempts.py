"""Attempts: which one a row shows, which rows are pending, and with what edits they were sent."""

from __future__ import annotations

import sqlite3
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from tui.core.rows import ANSWERED, OUTCOMES, Outcome, outcome_rank
from tui.store.database import chunked
from tui.store.job_records import add_counts
from tui.store.rows.repeats import pending_repeats

RESULT_COLUMNS = (
    "job, seq, outcome, attempt, batch, http_status, error_group, finish, model, input_tokens,"
    " output_tokens, cached_tokens, cost, file, offset, length, preview, chars,"
    " cache_writes, long_writes, tier"
)
RESULT_MARKS = ",".join("?" * 21)
_ALL_ROWS = (0, 2**62)


def archive_attempts(connection: sqlite3.Connection, job_pk: int, seqs: Iterable[int]) -> int:
    """Make rows pending because they are retried; their results move to ``attempts``.

    Returns:
        Number of rows that had a result.
    """
    had_result = 0
    for marks, part in chunked(seqs):
        before = Counter[int](
            dict(
                connection.execute(
                    f"SELECT outcome, count(*) FROM results WHERE job=? AND seq IN ({marks})"
                    " GROUP BY outcome",
                    (job_pk, *part),
                ).fetchall()
            )
        )
        connection.execute(
            f"INSERT OR REPLACE INTO attempts ({RESULT_COLUMNS})"
            f" SELECT {RESULT_COLUMNS} FROM results WHERE job=? AND seq IN ({marks})",
            (job_pk, *part),
        )
        connection.execute(f"DELETE FROM results WHERE job=? AND seq IN ({marks})", (job_pk, *part))
        add_counts(connection, job_pk, {outcome: -n for outcome, n in before.items()})
        had_result += before.total()
    return had_result


def select_best(connection: sqlite3.Connection, job_pk: int, seqs: Iterable[int]) -> None:
    """Show the best attempt of each row; rows without other attempts are not changed."""
    for marks, part in chunked(seqs):
        older: dict[int, list[tuple[int, ...]]] = {}
        for seq, outcome, attempt, batch in connection.execute(
            f"SELECT seq, outcome, attempt, batch FROM attempts WHERE job=? AND seq IN ({marks})",
            (job_pk, *part),
        ):
            older.setdefault(seq, []).append((outcome_rank(OUTCOMES[outcome]), attempt, batch))
        if not older:
            continue
        shown = {
            seq: (outcome_rank(OUTCOMES[outcome]), attempt, batch)
            for seq, outcome, attempt, batch in connection.execute(
                "SELECT seq, outcome, attempt, batch FROM results"
                f" WHERE job=? AND seq IN ({marks})",
                (job_pk, *part),
            )
        }
        for seq, candidates in older.items():
            best = max(candidates)
            if seq not in shown or best > shown[seq]:
                _swap(connection, job_pk, seq, best[1], best[2])


def _swap(connection: sqlite3.Connection, job_pk: int, seq: int, attempt: int, batch: int) -> None:
    row = connection.execute(
        f"SELECT {RESULT_COLUMNS} FROM attempts WHERE job=? AND seq=? AND attempt=? AND batch=?",
        (job_pk, seq, attempt, batch),
    ).fetchone()
    archive_attempts(connection, job_pk, [seq])
    connection.execute(f"INSERT INTO results ({RESULT_COLUMNS}) VALUES ({RESULT_MARKS})", row)
    connection.execute(
        "DELETE FROM attempts WHERE job=? AND seq=? AND attempt=? AND batch=?",
        (job_pk, seq, attempt, batch),
    )
    add_counts(connection, job_pk, {row[2]: 1})


def set_outcome(
    connection: sqlite3.Connection,
    batch: tuple[int, int, int],
    seqs: Sequence[int],
    outcome: Outcome,
    error_group: int | None,
    preview: str,
) -> int:
    """Give an outcome to rows of an ended batch that have no result line, and to their repeats.

    Args:
        connection: In a transaction.
        batch: Primary key of the batch, primary key of its job, and number of the attempt.
        seqs: Rows of the batch that are pending.
        outcome: ``missing``, ``cancelled``, ``expired`` or ``failed``.
        error_group: The error group of the rows.
        preview: Short text for the table.

    Returns:
        Number of rows, without the repeats.
    """
    batch_pk, job_pk, attempt = batch
    code = OUTCOMES.index(outcome)
    empty = (None,) * 9
    sent = len(seqs)
    seqs = [*seqs, *pending_repeats(connection, batch_pk, job_pk, seqs)]
    connection.executemany(
        f"INSERT INTO results ({RESULT_COLUMNS}) VALUES ({RESULT_MARKS})",
        (
            (job_pk, seq, code, attempt, batch_pk, None, error_group, *empty, preview, *(None,) * 4)
            for seq in seqs
        ),
    )
    add_counts(connection, job_pk, {code: len(seqs)})
    if attempt > 1:
        select_best(connection, job_pk, seqs)
    return sent


def find_pending(
    connection: sqlite3.Connection,
    batch_pk: int,
    job_pk: int,
    bounds: tuple[int, int] | None,
    span: tuple[int, int] | None = None,
) -> list[int]:
    """Rows of a batch for which the batch has no result, in input order.

    A row that is being retried has no shown result either, but one of this batch among its
    attempts; it is pending in the newer batch, and is left out.

    Args:
        connection: For reading or writing.
        batch_pk: The batch.
        job_pk: Its job.
        bounds: First and last row number of the batch, both inclusive; ``None`` if its rows
            are listed in ``batch_rows``, as those of a retry are.
        span: First and last row number to check, if not all.
    """
    rows = _pending(connection, "q.seq", batch_pk, job_pk, bounds, span)
    return [row[0] for row in rows]


def count_pending(
    connection: sqlite3.Connection, batch_pk: int, job_pk: int, bounds: tuple[int, int] | None
) -> int:
    """How many rows ``find_pending`` finds."""
    (count,) = _pending(connection, "count(*)", batch_pk, job_pk, bounds, None).fetchone()
    return int(count)


def find_unanswered(
    connection: sqlite3.Connection,
    batch_pk: int,
    job_pk: int,
    bounds: tuple[int, int] | None,
    among: Sequence[int],
) -> list[int]:
    """Rows of a batch to which none of the batches ``among`` has an answer, in input order.

    Args:
        connection: For reading or writing.
        batch_pk: The batch.
        job_pk: Its job.
        bounds: First and last row number of the batch, as for ``find_pending``.
        among: Primary keys of batches.
    """
    first, last = bounds or _ALL_ROWS
    source, which, key = "batch_rows", "q.batch=?", batch_pk
    if bounds is not None:
        source, which, key = "requests", "q.job=?", job_pk
    good = ",".join(str(OUTCOMES.index(outcome)) for outcome in ANSWERED)
    marks = ",".join("?" * len(among))
    no_answer = " AND ".join(
        f"NOT EXISTS (SELECT 1 FROM {table} a WHERE a.job=? AND a.seq=q.seq"
        f" AND a.outcome IN ({good}) AND a.batch IN ({marks}))"
        for table in ("results", "attempts")
    )
    rows = connection.execute(
        f"SELECT q.seq FROM {source} q WHERE {which} AND q.seq BETWEEN ? AND ? AND {no_answer}"
        " ORDER BY q.seq",
        (key, first, last, *(job_pk, *among) * 2),
    )
    return [seq for (seq,) in rows]


def _pending(
    connection: sqlite3.Connection,
    wanted: str,
    batch_pk: int,
    job_pk: int,
    bounds: tuple[int, int] | None,
    span: tuple[int, int] | None,
) -> sqlite3.Cursor:
    first, last = span or bounds or _ALL_ROWS
    names = {"batch": batch_pk, "job": job_pk, "first": first, "last": last}
    source, which = ("batch_rows q", "q.batch=:batch")
    if bounds is not None:
        source, which = ("requests q", "q.job=:job")
    return connection.execute(
        f"SELECT {wanted} FROM {source} LEFT JOIN results r ON r.job=:job AND r.seq=q.seq"
        f" WHERE {which} AND q.seq BETWEEN :first AND :last AND r.seq IS NULL"
        " AND NOT EXISTS (SELECT 1 FROM attempts a"
        " WHERE a.job=:job AND a.seq=q.seq AND a.batch=:batch)",
        names,
    )


def find_ended(
    connection: sqlite3.Connection,
    job_pk: int,
    seqs: Iterable[int],
    attempt: int,
    answered: Sequence[int] | None = None,
) -> list[int]:
    """Rows that have a result, none from this attempt or a later one, and no new answer.

    Args:
        connection: For reading or writing.
        job_pk: The job.
        seqs: Row numbers; any number of them.
        attempt: The number of the attempt.
        answered: Of the rows, those whose answers are known, in order; ``None``: all that have one.

    Returns:
        Row numbers without duplicates, in input order.
    """
    found: list[int] = []
    for marks, part in chunked(sorted(set(seqs))):
        found += (
            seq
            for seq, outcome in connection.execute(
                f"SELECT r.seq, r.outcome FROM results r WHERE r.job=? AND r.seq IN ({marks})"
                " AND r.attempt<? AND NOT EXISTS (SELECT 1 FROM attempts a"
                " WHERE a.job=r.job AND a.seq=r.seq AND a.attempt>=?) ORDER BY r.seq",
                (job_pk, *part, attempt, attempt),
            )
            if answered is None or OUTCOMES[outcome] not in ANSWERED or _is_in(answered, seq)
        )
    return found


def _is_in(numbers: Sequence[int], number: int) -> bool:
    """Whether a number is among others, which are in order."""
    place = bisect_left(numbers, number)
    return place < len(numbers) and numbers[place] == number


def effective_edits(
    connection: sqlite3.Connection, job_pk: int, seqs: Sequence[int], attempt: int | None = None
) -> dict[int, dict[str, Any]]:
    """The edits with which rows were last sent; rows that were never edited are left out.

    Args:
        connection: For reading or writing.
        job_pk: The job.
        seqs: Row numbers; any number of them.
        attempt: Only consider attempts before this one.

    Returns:
        Edits by row number.
    """
    # A rejected or abandoned retry was not sent.
    retries = connection.execute(
        "SELECT pk, edits FROM batches WHERE job=? AND attempt>1 AND submission<>'refused'"
        " AND (? IS NULL OR attempt<?) ORDER BY attempt, pk",
        (job_pk, attempt, attempt),
    )
    edits_of = {pk: msgspec.json.decode(edits) for pk, edits in retries}
    if not any(edits_of.values()):
        return {}
    newest: dict[int, int] = {}
    for pk in edits_of:
        for marks, part in chunked(seqs):
            for (seq,) in connection.execute(
                f"SELECT seq FROM batch_rows WHERE batch=? AND seq IN ({marks})"
                f" UNION ALL SELECT seq FROM repeats WHERE batch=? AND seq IN ({marks})",
                (pk, *part, pk, *part),
            ):
                newest[seq] = pk
    return {seq: edits_of[pk] for seq, pk in newest.items() if edits_of[pk]}


def request_lengths(
    connection: sqlite3.Connection, job_pk: int, seqs: Sequence[int]
) -> dict[int, int]:
    """Length in bytes of the original request line of each row."""
    found: dict[int, int] = {}
    for marks, part in chunked(seqs):
        sql = f"SELECT seq, length FROM requests WHERE job=? AND seq IN ({marks})"
        found.update(connection.execute(sql, (job_pk, *part)).fetchall())
    return found
