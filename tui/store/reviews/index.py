"""The index of reviews in the database: the current review of each row by each reviewer.

It is rebuilt from the logs at any time. ``review_logs`` says how many bytes of a log are indexed;
what a killed program has appended after that is added before the next act or look-up.
"""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from tui.core.reviews.agreement import Agreement, measure_agreement
from tui.core.reviews.review import Review, ReviewMark
from tui.store.database import chunked
from tui.store.reviews.log import LogLine, log_size, read_log, read_reviews

_SLICE = 500
"""Lines indexed at a time."""

UNKNOWN_BATCH = -1
"""The batch of a review that names one which the history does not have."""

CURRENT = (
    "reviews v LEFT JOIN results c ON c.job=v.job AND c.seq=v.seq"
    " WHERE v.job=:job AND (v.batch IS NULL OR v.batch=c.batch)"
)
"""The reviews of a job that are about the answers that are shown: tables, and first conditions."""


class ReviewPlace(NamedTuple):
    """Where the current review of a row by a reviewer is in the log."""

    seq: int
    offset: int
    length: int


def needs_indexing(connection: sqlite3.Connection, job: int, path: Path) -> bool:
    """Whether lines of the log are not indexed yet."""
    size, done = log_size(path), _indexed(connection, job)
    if size > done:
        # A last line without its end stays where it is until the next act.
        return next(read_log(path, done), None) is not None
    return size < done


def _indexed(connection: sqlite3.Connection, job: int) -> int:
    row = connection.execute("SELECT indexed FROM review_logs WHERE job=?", (job,)).fetchone()
    return 0 if row is None else int(row[0])


def index_log(connection: sqlite3.Connection, job: int, path: Path) -> None:
    """Index the lines of the log that are not indexed yet, in the caller's transaction."""
    done = _indexed(connection, job)
    if log_size(path) < done:
        # It was replaced by another file, such as a backup.
        clear_index(connection, job)
        done = 0
    lines = read_log(path, done)
    while part := list(islice(lines, _SLICE)):
        _index_lines(connection, job, part)


def _index_lines(connection: sqlite3.Connection, job: int, lines: Sequence[LogLine]) -> None:
    reviews = [(line, line.review) for line in lines if line.review is not None]
    seqs = _numbers(connection, job, {review.custom_id for _, review in reviews})
    batches = _batches(connection, job)
    for line, review in reviews:
        seq = seqs.get(review.custom_id)
        if seq is None:
            continue
        reviewer = _term(connection, review.reviewer)
        if review.is_empty:
            connection.execute(
                "DELETE FROM reviews WHERE job=? AND seq=? AND reviewer=?", (job, seq, reviewer)
            )
            continue
        batch = None
        if review.batch_id is not None:
            batch = batches.get(review.batch_id, UNKNOWN_BATCH)
        connection.execute(
            "INSERT OR REPLACE INTO reviews (job, seq, reviewer, label, batch, at, corrected,"
            " noted, offset, length) VALUES (?,?,?,?,?,?,?,?,?,?)",
            (
                job, seq, reviewer, _term(connection, review.label) if review.label else None,
                batch, review.at, review.correction is not None, bool(review.note),
                line.offset, line.length,
            ),
        )  # fmt: skip
    end = lines[-1].offset + lines[-1].length + 1 if lines else 0
    connection.execute(
        "INSERT INTO review_logs (job, indexed) VALUES (?,?)"
        " ON CONFLICT (job) DO UPDATE SET indexed=excluded.indexed",
        (job, end),
    )


def clear_index(connection: sqlite3.Connection, job: int) -> None:
    """Forget what is indexed, in the caller's transaction."""
    for table in ("reviews", "review_logs"):
        connection.execute(f"DELETE FROM {table} WHERE job=?", (job,))


def _numbers(connection: sqlite3.Connection, job: int, ids: Iterable[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for marks, part in chunked(ids):
        sql = f"SELECT custom_id, seq FROM requests WHERE job=? AND custom_id IN ({marks})"
        found.update(connection.execute(sql, (job, *part)).fetchall())
    return found


def _batches(connection: sqlite3.Connection, job: int) -> dict[str, int]:
    return dict(connection.execute("SELECT id, pk FROM batches WHERE job=?", (job,)).fetchall())


def _term(connection: sqlite3.Connection, text: str) -> int:
    found = connection.execute("SELECT pk FROM terms WHERE text=?", (text,)).fetchone()
    if found is None:
        cursor = connection.execute("INSERT INTO terms (text) VALUES (?)", (text,))
        return int(cursor.lastrowid or 0)
    return int(found[0])


def has_reviews(connection: sqlite3.Connection, job: int) -> bool:
    """Whether any row of a job is reviewed."""
    sql = "SELECT 1 FROM reviews WHERE job=? LIMIT 1"
    return connection.execute(sql, (job,)).fetchone() is not None


def review_marks(
    connection: sqlite3.Connection, job: int, seqs: Sequence[int]
) -> dict[int, tuple[ReviewMark, ...]]:
    """The reviews of rows as a list shows them, by row number and the name of the reviewer."""
    if not has_reviews(connection, job):
        return {}
    found: dict[int, list[ReviewMark]] = {}
    for marks, part in chunked(seqs):
        for seq, reviewer, label, at, corrected, noted, is_current in connection.execute(
            "SELECT v.seq, n.text, l.text, v.at, v.corrected, v.noted,"
            " v.batch IS NULL OR v.batch IS c.batch"
            " FROM reviews v JOIN terms n ON n.pk=v.reviewer LEFT JOIN terms l ON l.pk=v.label"
            " LEFT JOIN results c ON c.job=v.job AND c.seq=v.seq"
            f" WHERE v.job=? AND v.seq IN ({marks}) ORDER BY v.seq, n.text",
            (job, *part),
        ):
            mark = ReviewMark(
                reviewer=reviewer,
                label=label or "",
                at=at,
                is_current=bool(is_current),
                has_correction=bool(corrected),
                has_note=bool(noted),
            )
            found.setdefault(seq, []).append(mark)
    return {seq: tuple(marks) for seq, marks in found.items()}


def review_places(
    connection: sqlite3.Connection,
    job: int,
    seqs: Sequence[int] | None = None,
    *,
    shown: bool = False,
) -> Iterator[ReviewPlace]:
    """Where the reviews of rows are, or of all rows, by row number and reviewer.

    With ``shown`` those about the answers that are shown, without those of earlier attempts.
    """
    of_shown = (
        " AND (v.batch IS NULL OR v.batch="
        "(SELECT c.batch FROM results c WHERE c.job=v.job AND c.seq=v.seq))"
    )
    sql = (
        "SELECT v.seq, v.offset, v.length FROM reviews v JOIN terms n ON n.pk=v.reviewer"
        f" WHERE v.job=?{of_shown if shown else ''}{{}} ORDER BY v.seq, n.text"
    )
    if seqs is None:
        yield from map(ReviewPlace._make, connection.execute(sql.format(""), (job,)))
        return
    for marks, part in chunked(seqs):
        chosen = connection.execute(sql.format(f" AND v.seq IN ({marks})"), (job, *part))
        yield from map(ReviewPlace._make, chosen)


def reviews_of_rows(
    connection: sqlite3.Connection,
    job: int,
    path: Path,
    seqs: Sequence[int],
    *,
    shown: bool = False,
) -> dict[int, tuple[Review, ...]]:
    """The reviews of rows by row number, each row's by reviewer; read from the log.

    With ``shown`` those about the answers that are shown.
    """
    places = list(review_places(connection, job, seqs, shown=shown))
    found: dict[int, tuple[Review, ...]] = {}
    reviews = read_reviews(path, [(place.offset, place.length) for place in places])
    for place, review in zip(places, reviews, strict=True):
        if review is not None:
            found[place.seq] = (*found.get(place.seq, ()), review)
    return found


def labelled_rows(connection: sqlite3.Connection, job: int, reviewer: str) -> array[int]:
    """Numbers of the rows whose shown answer has a label of a reviewer, in order."""
    cursor = connection.execute(
        f"SELECT v.seq FROM {CURRENT} AND v.label IS NOT NULL"
        " AND v.reviewer=(SELECT pk FROM terms WHERE text=:reviewer) ORDER BY v.seq",
        {"job": job, "reviewer": reviewer},
    )
    return array("q", (seq for (seq,) in cursor))


def label_counts(connection: sqlite3.Connection, job: int) -> list[tuple[str, str, int, int]]:
    """Reviewer, label, answers and corrections, for the shown answers; by name and label.

    The label is empty for reviews without one.
    """
    return connection.execute(
        "SELECT n.text, coalesce(l.text, ''), x.rows, x.corrected FROM ("
        " SELECT v.reviewer AS reviewer, v.label AS label, count(*) AS rows,"
        f" sum(v.corrected) AS corrected FROM {CURRENT} GROUP BY v.reviewer, v.label) x"
        " JOIN terms n ON n.pk=x.reviewer LEFT JOIN terms l ON l.pk=x.label ORDER BY 1, 2",
        {"job": job},
    ).fetchall()


def count_reviews(connection: sqlite3.Connection, job: int) -> int:
    """How many reviews a job has, those of earlier attempts included."""
    (count,) = connection.execute("SELECT count(*) FROM reviews WHERE job=?", (job,)).fetchone()
    return int(count)


def count_reviewed(connection: sqlite3.Connection, job: int) -> tuple[int, int]:
    """How many rows have a label for the shown answer, and for an earlier attempt only."""
    rows, current = connection.execute(
        "SELECT count(DISTINCT v.seq), count(DISTINCT CASE WHEN v.batch IS NULL OR v.batch=c.batch"
        " THEN v.seq END) FROM reviews v LEFT JOIN results c ON c.job=v.job AND c.seq=v.seq"
        " WHERE v.job=? AND v.label IS NOT NULL",
        (job,),
    ).fetchone()
    return int(current), int(rows) - int(current)


def agreements(connection: sqlite3.Connection, job: int) -> list[Agreement]:
    """The agreement of every two reviewers who have labelled the same answers, by their names."""
    pairs: dict[tuple[str, str], dict[tuple[str, str], int]] = {}
    for first, second, left, right, count in connection.execute(
        "SELECT n.text, m.text, l.text, o.text, count(*) FROM reviews v"
        " JOIN reviews w ON w.job=v.job AND w.seq=v.seq"
        " LEFT JOIN results c ON c.job=v.job AND c.seq=v.seq"
        " JOIN terms n ON n.pk=v.reviewer JOIN terms m ON m.pk=w.reviewer AND m.text>n.text"
        " JOIN terms l ON l.pk=v.label JOIN terms o ON o.pk=w.label"
        " WHERE v.job=? AND (v.batch IS NULL OR v.batch=c.batch)"
        " AND (w.batch IS NULL OR w.batch=c.batch)"
        " GROUP BY n.text, m.text, l.text, o.text",
        (job,),
    ):
        pairs.setdefault((first, second), {})[left, right] = count
    return [measure_agreement(names, counts) for names, counts in sorted(pairs.items())]
