"""Attempts become one row: the best answer is shown, the others are kept.

``results`` holds the shown attempt of a row, ``attempts`` the others. The better outcome
wins (see ``tui.core.outcome.rank``), and the newer one among equals.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence

from tui.core.outcome import OUTCOMES, Outcome, rank
from tui.store.jobs import add_counts

RESULT_COLUMNS = (
    "job, seq, outcome, attempt, batch, http_status, error_group, finish, model, input_tokens,"
    " output_tokens, cached_tokens, cost, file, offset, length, preview, chars"
)
RESULT_MARKS = ",".join("?" * 18)
_SLICE = 500


def set_aside(connection: sqlite3.Connection, job_pk: int, seqs: Iterable[int]) -> int:
    """Make rows pending, because they are sent again; what they had is kept as an attempt.

    Returns:
        How many rows had a result.
    """
    moved = 0
    for part in _parts(seqs):
        marks = _marks(part)
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
        moved += before.total()
    return moved


def show_best(connection: sqlite3.Connection, job_pk: int, seqs: Iterable[int]) -> None:
    """Let each row show the best of its attempts; rows without older ones stay as they are."""
    for part in _parts(seqs):
        marks = _marks(part)
        older: dict[int, list[tuple[int, ...]]] = {}
        for seq, outcome, attempt, batch in connection.execute(
            f"SELECT seq, outcome, attempt, batch FROM attempts WHERE job=? AND seq IN ({marks})",
            (job_pk, *part),
        ):
            older.setdefault(seq, []).append((rank(OUTCOMES[outcome]), attempt, batch))
        if not older:
            continue
        shown = {
            seq: (rank(OUTCOMES[outcome]), attempt, batch)
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
    set_aside(connection, job_pk, [seq])
    connection.execute(f"INSERT INTO results ({RESULT_COLUMNS}) VALUES ({RESULT_MARKS})", row)
    connection.execute(
        "DELETE FROM attempts WHERE job=? AND seq=? AND attempt=? AND batch=?",
        (job_pk, seq, attempt, batch),
    )
    add_counts(connection, job_pk, {row[2]: 1})


def settle(
    connection: sqlite3.Connection,
    batch: tuple[int, int, int],
    seqs: Sequence[int],
    outcome: Outcome,
    error_group: int | None,
    preview: str,
) -> int:
    """Give an outcome to rows of an ended batch of which no file speaks.

    Args:
        connection: In a transaction.
        batch: Row number of the batch, of its job, and the number of the attempt.
        seqs: Rows of the batch that are pending.
        outcome: ``missing``, ``cancelled``, ``expired`` or ``failed``.
        error_group: The group that tells why.
        preview: A few words for the table.
    """
    batch_pk, job_pk, attempt = batch
    code = OUTCOMES.index(outcome)
    empty = (None,) * 9
    connection.executemany(
        f"INSERT INTO results ({RESULT_COLUMNS}) VALUES ({RESULT_MARKS})",
        (
            (job_pk, seq, code, attempt, batch_pk, None, error_group, *empty, preview, None)
            for seq in seqs
        ),
    )
    add_counts(connection, job_pk, {code: len(seqs)})
    if attempt > 1:
        show_best(connection, job_pk, seqs)
    return len(seqs)


def pending_of(
    connection: sqlite3.Connection,
    batch_pk: int,
    job_pk: int,
    span: tuple[int, int],
    *,
    listed: bool,
) -> list[int]:
    """Rows of a batch within a span (both ends inclusive) of which it has said nothing.

    A row that the batch spoke of, and that was sent again since, has no result either; it
    belongs to the newer batch.

    Args:
        connection: For reading or writing.
        batch_pk: The batch.
        job_pk: Its job.
        span: First and last sequence number to look at.
        listed: The batch names its rows one by one, as a retry does.
    """
    names = {"batch": batch_pk, "job": job_pk, "first": span[0], "last": span[1]}
    source, which = ("batch_rows q", "q.batch=:batch") if listed else ("requests q", "q.job=:job")
    rows = connection.execute(
        f"SELECT q.seq FROM {source} LEFT JOIN results r ON r.job=:job AND r.seq=q.seq"
        f" WHERE {which} AND q.seq BETWEEN :first AND :last AND r.seq IS NULL"
        " AND NOT EXISTS (SELECT 1 FROM attempts a"
        " WHERE a.job=:job AND a.seq=q.seq AND a.batch=:batch)",
        names,
    )
    return [row[0] for row in rows]


def ended_of(
    connection: sqlite3.Connection, job_pk: int, seqs: Iterable[int], attempt: int
) -> list[int]:
    """Those of the rows that have a result, and were not sent in this attempt or a later one.

    Returns:
        Sequence numbers, each once, in the order of the input.
    """
    found: list[int] = []
    for part in _parts(sorted(set(seqs))):
        found += (
            row[0]
            for row in connection.execute(
                f"SELECT r.seq FROM results r WHERE r.job=? AND r.seq IN ({_marks(part)})"
                " AND r.attempt<? AND NOT EXISTS (SELECT 1 FROM attempts a"
                " WHERE a.job=r.job AND a.seq=r.seq AND a.attempt>=?) ORDER BY r.seq",
                (job_pk, *part, attempt, attempt),
            )
        )
    return found


def _parts(seqs: Iterable[int]) -> Iterable[list[int]]:
    part: list[int] = []
    for seq in seqs:
        part.append(seq)
        if len(part) == _SLICE:
            yield part
            part = []
    if part:
        yield part


def _marks(part: Sequence[int]) -> str:
    return ",".join("?" * len(part))
