"""What was changed of a row's request before it was sent last: a retry goes on from there.

``requests.jsonl`` never changes. Each batch of a retry keeps its changes, complete, relative to
it; so the newest request of a row is the first one, with the changes of its newest batch.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

_SLICE = 500


def changes_before(
    connection: sqlite3.Connection, job_pk: int, seqs: Sequence[int], attempt: int | None = None
) -> Mapping[int, dict[str, Any]]:
    """The changes with which rows were sent last; rows that were never changed are left out.

    Args:
        connection: For reading or writing.
        job_pk: Whose rows.
        seqs: Which; any number.
        attempt: Look only at attempts before this one.
    """
    # A retry that was refused, or never left, was not sent.
    retries = connection.execute(
        "SELECT pk, edits FROM batches WHERE job=? AND attempt>1 AND submission<>'refused'"
        " AND (? IS NULL OR attempt<?) ORDER BY attempt, pk",
        (job_pk, attempt, attempt),
    ).fetchall()
    if not any(edits != "{}" for _, edits in retries):
        return {}
    newest: dict[int, int] = {}
    known: dict[int, dict[str, Any]] = {}
    for pk, edits in retries:
        known[pk] = msgspec.json.decode(edits)
        for start in range(0, len(seqs), _SLICE):
            part = seqs[start : start + _SLICE]
            marks = ",".join("?" * len(part))
            for (seq,) in connection.execute(
                f"SELECT seq FROM batch_rows WHERE batch=? AND seq IN ({marks})", (pk, *part)
            ):
                newest[seq] = pk
    return {seq: known[pk] for seq, pk in newest.items() if known[pk]}


def lengths_of(connection: sqlite3.Connection, job_pk: int, seqs: Sequence[int]) -> dict[int, int]:
    """Bytes of the first request of each row."""
    found: dict[int, int] = {}
    for start in range(0, len(seqs), _SLICE):
        part = seqs[start : start + _SLICE]
        found.update(
            connection.execute(
                "SELECT seq, length FROM requests WHERE job=? AND seq IN"
                f" ({','.join('?' * len(part))})",
                (job_pk, *part),
            ).fetchall()
        )
    return found
