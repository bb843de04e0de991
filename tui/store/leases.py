"""Who works on a batch: one program at a time, and another when that one is gone."""

from __future__ import annotations

import socket
import sqlite3
from collections.abc import Sequence

from tui.core.status import BatchStatus
from tui.store.database import Database
from tui.store.processes import is_running


def claim(database: Database, batch_id: str, now: float, seconds: float) -> bool:
    """Take the lease of a batch, unless a living program holds it."""
    mine = database.owner
    row = database.read.execute(
        "SELECT lease_owner, lease_until FROM batches WHERE id=?", (batch_id,)
    ).fetchone()
    if row is None:
        return False
    owner, until = row
    free = owner in (None, mine) or until < now or not _alive(owner)
    if not free:
        return False
    with database.write() as connection:
        cursor = connection.execute(
            "UPDATE batches SET lease_owner=?, lease_until=? WHERE id=? AND lease_owner IS ?"
            " AND lease_until=?",
            (mine, now + seconds, batch_id, owner, until),
        )
        return cursor.rowcount == 1


def why_not_ours(database: Database, connection: sqlite3.Connection, batch_id: str) -> str:
    """Why this program may not go on sending a batch; empty when it may. In a transaction.

    A program that was stopped for longer than its lease lasts finds out here that another
    one has gone on in its place.
    """
    row = connection.execute(
        "SELECT lease_owner, status, cancel_wanted_at FROM batches WHERE id=?", (batch_id,)
    ).fetchone()
    if row is None:
        return "the batch is gone from the history"
    if row[2] is not None:
        return "the batch is to be cancelled"
    if row[1] == BatchStatus.CANCELLED.value:
        return "the batch was cancelled before it was sent"
    if row[0] != database.owner:
        return "another Batchdeck has gone on with this batch"
    return ""


def wish_is_orphaned(database: Database, batch_id: str) -> bool:
    """Is the program gone that a person asked to cancel a batch?"""
    row = database.read.execute(
        "SELECT cancel_wanted_by FROM batches WHERE id=?", (batch_id,)
    ).fetchone()
    return row is not None and row[0] not in (None, database.owner) and not _alive(row[0])


def renew(database: Database, batch_ids: Sequence[str], until: float) -> None:
    """Hold the leases of this program for longer."""
    with database.write() as connection:
        connection.executemany(
            "UPDATE batches SET lease_until=? WHERE id=? AND lease_owner=?",
            [(until, batch_id, database.owner) for batch_id in batch_ids],
        )


def release(database: Database, batch_ids: Sequence[str]) -> None:
    """Give leases of this program back."""
    with database.write() as connection:
        connection.executemany(
            "UPDATE batches SET lease_owner=NULL, lease_until=0 WHERE id=? AND lease_owner=?",
            [(batch_id, database.owner) for batch_id in batch_ids],
        )


def _alive(owner: str) -> bool:
    """Does the owner's process run, as far as this machine can tell?"""
    host, pid, _ = owner.rsplit(":", 2)
    if host != socket.gethostname():
        return True
    return is_running(int(pid))
