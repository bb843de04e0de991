"""Taking requests into the history: a copy of the file, and a place for each row."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from tui.core.jobs import Batch, Job
from tui.errors import InputError
from tui.paths import Paths, open_private, private_folder
from tui.store.database import Database
from tui.store.inputs import Columns, InputsWriter, remove_inputs
from tui.store.jobs import insert_batch, insert_job, note, update_batch

REQUESTS = "requests.jsonl"
"""The name of a job's immutable input in its folder."""

_SLICE = 5000


@dataclass(frozen=True)
class Imported:
    """What was written: rows, and bytes of ``requests.jsonl``."""

    rows: int
    size: int


@dataclass(frozen=True)
class Sent:
    """A batch that was not made here: its record, what else is known, a line for the timeline."""

    batch: Batch
    changes: dict[str, Any]
    remark: str


def import_requests(
    database: Database,
    paths: Paths,
    job: Job,
    requests: Iterable[tuple[str, bytes]],
    *,
    stop: Callable[[], bool] | None = None,
    sent: Sent | None = None,
    columns: Columns | None = None,
) -> Imported | None:
    """Write a job with its requests; nothing is left behind when it does not get to the end.

    The rows and the job become visible in one transaction, after the file is on the disk.

    Args:
        database: The history.
        paths: Where the job's folder is made.
        job: The record; its size and total are taken from what is written.
        requests: ``custom_id`` and line (without its end) of each request, in order.
        stop: Asked now and then; ``True`` ends the import, and ``None`` is returned.
        sent: The batch that runs these requests already, where there is one: a job that
            looked unsent for a moment could be sent and paid again.
        columns: The input columns of the requests, where they came from a table.

    Raises:
        InputError: Two requests have one ``custom_id``.
    """
    folder = private_folder(paths.job_folder(job.id))
    file = folder / REQUESTS
    temporary = folder / f".{REQUESTS}"
    written: Imported | None = None
    kept = False
    try:
        with (
            os.fdopen(open_private(temporary), "wb", buffering=1 << 20) as stream,
            database.write() as connection,
            _inputs(folder, columns) as inputs,
        ):
            pk = insert_job(connection, job)
            if inputs is not None and columns is not None:
                requests = _alongside(requests, columns[1], inputs)
            written = _write_rows(connection, pk, requests, stream.write, stop)
            if written is None:
                raise _StoppedError
            if inputs is not None:
                inputs.finish()
            stream.flush()
            os.fsync(stream.fileno())
            temporary.replace(file)
            connection.execute(
                "UPDATE jobs SET total=?, size=? WHERE pk=?", (written.rows, written.size, pk)
            )
            note(connection, pk, job.created_at, f"Imported {written.rows:,} requests")
            if sent is not None:
                _store_sent(connection, pk, sent, written.rows)
        kept = True
    except _StoppedError:
        pass
    finally:
        if not kept:
            _remove(folder)
    return written


def _inputs(
    folder: Path, columns: Columns | None
) -> contextlib.AbstractContextManager[InputsWriter | None]:
    return contextlib.nullcontext() if columns is None else InputsWriter(folder, columns[0])


def _alongside(
    requests: Iterable[tuple[str, bytes]], lines: Iterator[bytes], inputs: InputsWriter
) -> Iterator[tuple[str, bytes]]:
    """The requests, with the columns of each written as it goes by."""
    for request in requests:
        inputs.add(next(lines, b"null"))
        yield request


def _store_sent(connection: sqlite3.Connection, job_pk: int, sent: Sent, rows: int) -> None:
    batch = msgspec.structs.replace(sent.batch, rows=rows, first_seq=0, last_seq=rows - 1)
    insert_batch(connection, batch, job_pk)
    update_batch(connection, batch.id, sent.changes)
    note(connection, job_pk, batch.created_at, sent.remark, batch.id)


class _StoppedError(Exception):
    """The person stopped the import."""


def _write_rows(
    connection: sqlite3.Connection,
    job_pk: int,
    requests: Iterable[tuple[str, bytes]],
    write: Callable[[bytes], object],
    stop: Callable[[], bool] | None,
) -> Imported | None:
    offset = 0
    seq = 0
    places: list[tuple[int, int, str, int, int]] = []
    insert = "INSERT INTO requests (job, seq, custom_id, offset, length) VALUES (?,?,?,?,?)"
    try:
        for custom_id, line in requests:
            write(line)
            write(b"\n")
            places.append((job_pk, seq, custom_id, offset, len(line)))
            offset += len(line) + 1
            seq += 1
            if len(places) >= _SLICE:
                connection.executemany(insert, places)
                places.clear()
                if stop is not None and stop():
                    return None
        connection.executemany(insert, places)
    except sqlite3.IntegrityError:
        raise InputError(
            "two requests have the same custom_id", "Run `batchdeck check` on the file."
        ) from None
    return Imported(seq, offset)


def _remove(folder: Path) -> None:
    for name in (REQUESTS, f".{REQUESTS}"):
        (folder / name).unlink(missing_ok=True)
    remove_inputs(folder)
    with contextlib.suppress(OSError):
        folder.rmdir()
