"""Leases on batches: one process at a time works on a batch, until it ends or stops renewing.

Clocks are not compared: a lease counts how often it was renewed, and another process may take it
over when it has seen the same count for as long as a lease lasts.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from tui.core.jobs import BatchStatus
from tui.processes import process_is_running
from tui.store.database import Database, chunked, maps_sqlite_errors

_LONG_EXPIRED = 10
"""A lease whose time is over this many times, of a process that cannot be looked at, is free."""


@maps_sqlite_errors
class StoredLeases:
    """The leases that this process holds; ``history.leases``."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seen: dict[str, tuple[str, int, float]] = {}

    def claim(self, batch_id: str, now: float, seconds: float, moment: float) -> bool:
        """Acquire the lease of a batch, unless a running process holds it.

        A process that is known to have ended holds nothing. One that runs but was stopped, or of
        which nobody knows here, loses its lease when it was not renewed for ``seconds`` while this
        process looked.

        Args:
            batch_id: The batch.
            now: Unix seconds.
            seconds: How long the lease lasts.
            moment: Seconds of a clock that is never set.

        Returns:
            Whether this process holds the lease now.
        """
        mine = self._database.owner
        row = self._database.read.execute(
            "SELECT lease_owner, lease_until, lease_beat FROM batches WHERE id=?", (batch_id,)
        ).fetchone()
        if row is None:
            return False
        owner, until, beat = row
        if owner not in (None, mine):
            runs = process_is_running(owner)
            late = runs is None and until < now - _LONG_EXPIRED * seconds
            if runs is not False and not late and not self._stopped(batch_id, row, seconds, moment):
                return False
        with self._database.write() as connection:
            cursor = connection.execute(
                "UPDATE batches SET lease_owner=?, lease_until=?, lease_beat=lease_beat+1"
                " WHERE id=? AND lease_owner IS ? AND lease_beat=?",
                (mine, now + seconds, batch_id, owner, beat),
            )
            taken = cursor.rowcount == 1
        if taken:
            self._seen.pop(batch_id, None)
        return taken

    def _stopped(
        self, batch_id: str, row: tuple[str, float, int], seconds: float, moment: float
    ) -> bool:
        """Whether the holder has not renewed its lease for as long as one lasts."""
        owner, _, beat = row
        seen = self._seen.get(batch_id)
        if seen is None or seen[:2] != (owner, beat):
            self._seen[batch_id] = (owner, beat, moment)
            return False
        return moment - seen[2] >= seconds

    def is_mine(self, batch_id: str) -> bool:
        """Whether this process holds the lease of a batch."""
        row = self._database.read.execute(
            "SELECT lease_owner FROM batches WHERE id=?", (batch_id,)
        ).fetchone()
        return row is not None and row[0] == self._database.owner

    def held(self, batch_ids: Sequence[str]) -> set[str]:
        """Those of some batches on which a process works that is not known to have ended."""
        found: set[str] = set()
        for marks, part in chunked(batch_ids):
            rows = self._database.read.execute(
                f"SELECT id, lease_owner FROM batches WHERE id IN ({marks})"
                " AND lease_owner IS NOT NULL",
                part,
            )
            found.update(
                batch for batch, owner in rows
                if owner == self._database.owner or process_is_running(owner) is not False
            )  # fmt: skip
        return found

    def renew(self, batch_ids: Sequence[str], until: float) -> None:
        """Extend the leases that this process holds, until a time in Unix seconds."""
        self._change("lease_until=?, lease_beat=lease_beat+1", (until,), batch_ids)

    def release(self, batch_ids: Sequence[str]) -> None:
        """Release the leases that this process holds."""
        self._change("lease_owner=NULL, lease_until=0", (), batch_ids)

    def _change(self, what: str, values: tuple[float, ...], batch_ids: Sequence[str]) -> None:
        with self._database.write() as connection:
            connection.executemany(
                f"UPDATE batches SET {what} WHERE id=? AND lease_owner=?",
                [(*values, batch_id, self._database.owner) for batch_id in batch_ids],
            )


def lease_conflict(connection: sqlite3.Connection, batch_id: str, owner: str) -> str:
    """Why a process must stop sending a batch; empty if it may continue.

    Call it in a transaction. A process that was suspended for longer than its lease lasts
    learns here that another one has taken over.
    """
    row = connection.execute(
        "SELECT lease_owner, status, cancel_wanted_at FROM batches WHERE id=?", (batch_id,)
    ).fetchone()
    if row is None:
        return "the batch was deleted"
    if row[2] is not None:
        return "the batch is being cancelled"
    if row[1] == BatchStatus.CANCELLED.value:
        return "the batch was cancelled before it was sent"
    if row[0] != owner:
        return "another Batchdeck process has taken over this batch"
    return ""
