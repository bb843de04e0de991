"""How many rows a provider was done with at which time, kept narrowly."""

from __future__ import annotations

import sqlite3

from tui.core.counts import RemoteCounts
from tui.store.guarding import told_as_damage
from tui.store.history import History

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


def read_samples(history: History, job_id: str) -> list[tuple[float, int]]:
    """When the provider was done with how many rows of a first attempt, as it was told.

    Returns:
        Unix seconds and rows, over all parts of the attempt together.
    """
    newest: dict[int, int] = {}
    found: list[tuple[float, int]] = []
    with told_as_damage(history.database.path):
        rows = history.database.read.execute(
            "SELECT s.batch, s.at, s.done FROM samples s JOIN batches b ON b.pk=s.batch"
            " JOIN jobs j ON j.pk=b.job WHERE j.id=? AND b.attempt=1 ORDER BY s.at",
            (job_id,),
        ).fetchall()
    for batch, at, done in rows:
        newest[batch] = done
        found.append((at, sum(newest.values())))
    return found
