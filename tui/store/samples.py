"""How many rows a provider was done with at which time, kept narrowly."""

from __future__ import annotations

import sqlite3

from tui.core.counts import RemoteCounts

_MOST = 240
"""Samples of one batch; when there are more, every second one goes."""


def keep_sample(
    connection: sqlite3.Connection, batch_pk: int, at: float, counts: RemoteCounts
) -> None:
    """Note what a provider said of its batch, if that is news; in a transaction."""
    done = counts.ended
    if done is None:
        return
    last = connection.execute(
        "SELECT done FROM samples WHERE batch=? ORDER BY at DESC LIMIT 1", (batch_pk,)
    ).fetchone()
    if last is not None and last[0] == done:
        return
    connection.execute("INSERT OR REPLACE INTO samples VALUES (?,?,?)", (batch_pk, at, done))
    (number,) = connection.execute(
        "SELECT count(*) FROM samples WHERE batch=?", (batch_pk,)
    ).fetchone()
    if number > _MOST:
        times = connection.execute(
            "SELECT at FROM samples WHERE batch=? ORDER BY at", (batch_pk,)
        ).fetchall()
        # The first and the last stay: they are the ends of the curve.
        connection.executemany(
            "DELETE FROM samples WHERE batch=? AND at=?",
            [(batch_pk, time) for (time,) in times[1:-1:2]],
        )


def read_samples(connection: sqlite3.Connection, job_pk: int) -> list[tuple[float, int]]:
    """Times and rows done of a job's first attempt, over all of its parts together."""
    newest: dict[int, int] = {}
    found: list[tuple[float, int]] = []
    for batch, at, done in connection.execute(
        "SELECT s.batch, s.at, s.done FROM samples s JOIN batches b ON b.pk=s.batch"
        " WHERE b.job=? AND b.attempt=1 ORDER BY s.at",
        (job_pk,),
    ):
        newest[batch] = done
        found.append((at, sum(newest.values())))
    return found
