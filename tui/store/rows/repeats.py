"""Repeated requests: rows that ask for what an earlier row asks for, and share its answer.

A batch may leave out repeats. ``repeats`` lists them with the row that is sent in their place:
what that row gets in this batch, they get as well (see ``tui.store.indexing.shared_answers``). A
file beside the requests holds the same pairs, from which the table is rebuilt.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import closing
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO

import msgspec

from tui.core.requests import request_identity
from tui.core.text import split_lines
from tui.errors import HistoryError
from tui.files import atomic_file
from tui.progress import NO_PROGRESS, Progress
from tui.store.database import chunked

Repeats = Sequence[tuple[int, int]]
"""Row numbers of repeats, each with the number of the row that is sent in its place."""

_SLICE = 5000


def find_repeats(file: Path, progress: Progress = NO_PROGRESS) -> list[tuple[int, int]]:
    """Find the repeats among the requests of a job; reads the whole file.

    Hashes are kept on the disk, so that memory grows with the number of repeats only. Equal
    hashes are compared byte by byte: two different requests are never taken for one.

    Args:
        file: ``requests.jsonl`` of the job.
        progress: Can stop the work: the repeats are then incomplete.

    Returns:
        Row number of each repeat, and that of the first row with the same request; in order.
    """
    # A database without a name is a temporary file, which SQLite removes.
    with closing(sqlite3.connect("")) as connection, file.open("rb") as stream:
        connection.execute("CREATE TABLE hashes (hash INTEGER, seq INTEGER, offset INTEGER)")
        found: list[tuple[int, int, int]] = []
        for seq, (offset, line) in enumerate(split_lines(stream)):
            found.append((request_hash(request_identity(line)), seq, offset))
            if len(found) >= _SLICE:
                connection.executemany("INSERT INTO hashes VALUES (?,?,?)", found)
                found.clear()
                if progress.stopped:
                    return []
        connection.executemany("INSERT INTO hashes VALUES (?,?,?)", found)
        alike = connection.execute(
            "SELECT hash, seq, offset FROM (SELECT *, count(*) OVER (PARTITION BY hash) AS n"
            " FROM hashes) WHERE n>1 ORDER BY hash, seq"
        )
        repeats: list[tuple[int, int]] = []
        firsts: dict[bytes, int] = {}
        current: int | None = None
        for hashed, seq, offset in alike:
            if hashed != current:
                current, firsts = hashed, {}
            first = firsts.setdefault(_identity_at(stream, offset), seq)
            if first != seq:
                repeats.append((seq, first))
    repeats.sort()
    return repeats


def request_hash(identity: bytes) -> int:
    """64 bits of a request's identity, as SQLite stores them."""
    return int.from_bytes(blake2b(identity, digest_size=8).digest(), "big", signed=True)


def _identity_at(stream: BinaryIO, offset: int) -> bytes:
    stream.seek(offset)
    return request_identity(stream.readline().rstrip(b"\n"))


def write_repeats(file: Path, repeats: Iterable[tuple[int, int]]) -> None:
    """Write the file of a batch's repeats, one pair per line.

    Raises:
        HistoryError: It cannot be written.
    """
    with atomic_file(file, HistoryError) as stream:
        for pair in repeats:
            stream.write(msgspec.json.encode(pair))
            stream.write(b"\n")


def read_repeats(file: Path) -> Iterator[tuple[int, int]]:
    """The pairs in a file of repeats; none if there is no file."""
    decode = msgspec.json.Decoder(tuple[int, int]).decode
    try:
        with file.open("rb") as stream:
            for line in stream:
                yield decode(line)
    except FileNotFoundError:
        return
    except (OSError, msgspec.MsgspecError) as error:
        raise HistoryError(f"{file} is damaged", "Restore a backup.") from error


def insert_repeats(
    connection: sqlite3.Connection, batch_pk: int, repeats: Iterable[tuple[int, int]]
) -> None:
    """Store the repeats of a batch."""
    connection.executemany(
        "INSERT INTO repeats (batch, seq, of_seq) VALUES (?,?,?)",
        ((batch_pk, seq, of_seq) for seq, of_seq in repeats),
    )


def sharing_rows(
    repeats: Repeats, sent: Container[int], ended: Container[int]
) -> list[tuple[int, int]]:
    """The repeats that can share a result: their row is sent, and they wait for none."""
    return [(seq, of_seq) for seq, of_seq in repeats if of_seq in sent and seq in ended]


def repeats_in(connection: sqlite3.Connection, batch_pk: int) -> list[int]:
    """The row numbers of all repeats of a batch, in order."""
    rows = connection.execute("SELECT seq FROM repeats WHERE batch=? ORDER BY seq", (batch_pk,))
    return [seq for (seq,) in rows]


def first_rows(connection: sqlite3.Connection, job_pk: int, seqs: Sequence[int]) -> dict[int, int]:
    """The row that was sent in place of each row; rows that were sent themselves are left out.

    By the first attempt of the job, which compared the requests as they were imported.
    """
    found: dict[int, int] = {}
    for marks, part in chunked(seqs):
        found.update(
            connection.execute(
                "SELECT p.seq, p.of_seq FROM batches b JOIN repeats p ON p.batch=b.pk"
                f" WHERE b.job=? AND b.attempt=1 AND p.seq IN ({marks})",
                (job_pk, *part),
            ).fetchall()
        )
    return found


def sharing_of(
    connection: sqlite3.Connection, batch_pk: int, job_pk: int, seq: int
) -> tuple[str, int]:
    """The id of the row that a batch sent in place of a row, and how many rows share its result."""
    found = connection.execute(
        "SELECT q.custom_id FROM repeats p JOIN requests q ON q.job=? AND q.seq=p.of_seq"
        " WHERE p.batch=? AND p.seq=?",
        (job_pk, batch_pk, seq),
    ).fetchone()
    (count,) = connection.execute(
        "SELECT count(*) FROM repeats WHERE batch=? AND of_seq=?", (batch_pk, seq)
    ).fetchone()
    return ("" if found is None else found[0]), count


def pending_repeats(
    connection: sqlite3.Connection, batch_pk: int, job_pk: int, of_seqs: Iterable[int]
) -> list[int]:
    """Repeats of these rows that have no result of the batch yet, in order."""
    found: list[int] = []
    for marks, part in chunked(of_seqs):
        found += (
            seq
            for (seq,) in connection.execute(
                "SELECT p.seq FROM repeats p WHERE p.batch=? AND"
                f" p.of_seq IN ({marks})"
                " AND NOT EXISTS (SELECT 1 FROM results r"
                "  WHERE r.job=? AND r.seq=p.seq AND r.batch=p.batch)"
                " AND NOT EXISTS (SELECT 1 FROM attempts a"
                "  WHERE a.job=? AND a.seq=p.seq AND a.batch=p.batch)",
                (batch_pk, *part, job_pk, job_pk),
            )
        )
    return sorted(found)
