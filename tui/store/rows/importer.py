"""Import requests: write ``requests.jsonl`` and record the position of each row."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from typing import Any, BinaryIO

import msgspec

from tui.core.jobs import Batch, Job
from tui.errors import InputError
from tui.files import atomic_file
from tui.paths import Paths, private_folder
from tui.progress import NO_PROGRESS, Progress
from tui.store.database import Database
from tui.store.job_folder import REQUESTS
from tui.store.job_records import insert_batch, insert_job, note, update_batch
from tui.store.rows.inputs import Columns, write_inputs

_SLICE = 5000


class ImportResult(msgspec.Struct, frozen=True):
    """Result of an import: number of rows, and size of ``requests.jsonl`` in bytes."""

    rows: int
    size: int


class ExistingBatch(msgspec.Struct, frozen=True):
    """A batch that exists at the provider before its job is imported.

    Attributes:
        batch: The record; its rows are filled in by the import.
        changes: Further columns, as for ``update_batch``.
        remark: An event for the timeline.
    """

    batch: Batch
    changes: dict[str, Any]
    remark: str


def import_requests(
    database: Database,
    paths: Paths,
    job: Job,
    requests: Iterable[tuple[str, bytes]],
    *,
    progress: Progress = NO_PROGRESS,
    sent: ExistingBatch | None = None,
    columns: Columns | None = None,
) -> ImportResult | None:
    """Store a job with its requests; an import that fails or is stopped leaves nothing behind.

    The job and its rows become visible in one transaction, after the file is on the disk.

    Args:
        database: The history.
        paths: Locates the folder of the job, which is created.
        job: The record; its size and total are set to what was written.
        requests: ``custom_id`` and line (without line end) of each request, in order.
        progress: Told the rows that were stored; can stop the import.
        sent: The batch that already runs these requests, if any. It is stored in the same
            transaction: a job that looked unsent for a moment could be paid for twice.
        columns: The input columns of the requests, if they came from a table.

    Returns:
        What was written; ``None`` if it was stopped.

    Raises:
        InputError: Two requests have the same ``custom_id``.
    """
    folder = paths.job_folder(job.id)
    is_new = not folder.exists()
    private_folder(folder)
    try:
        with database.write() as connection:
            pk = insert_job(connection, job)
            with ExitStack() as files:
                stream = files.enter_context(atomic_file(folder / REQUESTS, None))
                if columns is not None:
                    add_inputs = files.enter_context(write_inputs(folder, columns[0]))
                    requests = _with_inputs(requests, columns[1], add_inputs)
                written = _write_rows(connection, pk, requests, stream, progress)
            connection.execute(
                "UPDATE jobs SET total=?, size=? WHERE pk=?", (written.rows, written.size, pk)
            )
            note(connection, pk, job.created_at, f"Imported {written.rows:,} requests")
            if sent is not None:
                _store_sent(connection, pk, sent, written.rows)
    except BaseException as error:
        if is_new:
            shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, _StoppedError):
            return None
        raise
    return written


def _with_inputs(
    requests: Iterable[tuple[str, bytes]],
    lines: Iterator[bytes],
    add_inputs: Callable[[bytes], None],
) -> Iterator[tuple[str, bytes]]:
    """Yield the requests unchanged, and write the input columns of each."""
    for request in requests:
        add_inputs(next(lines, b"null"))
        yield request


def _store_sent(
    connection: sqlite3.Connection, job_pk: int, sent: ExistingBatch, rows: int
) -> None:
    batch = msgspec.structs.replace(sent.batch, rows=rows, first_seq=0, last_seq=rows - 1)
    insert_batch(connection, batch, job_pk)
    update_batch(connection, batch.id, sent.changes)
    note(connection, job_pk, batch.created_at, sent.remark, batch.id)


class _StoppedError(Exception):
    """The user stopped the import."""


def _write_rows(
    connection: sqlite3.Connection,
    job_pk: int,
    requests: Iterable[tuple[str, bytes]],
    stream: BinaryIO,
    progress: Progress,
) -> ImportResult:
    offset = 0
    seq = 0
    places: list[tuple[int, int, str, int, int]] = []
    insert = "INSERT INTO requests (job, seq, custom_id, offset, length) VALUES (?,?,?,?,?)"
    try:
        for custom_id, line in requests:
            stream.write(line)
            stream.write(b"\n")
            places.append((job_pk, seq, custom_id, offset, len(line)))
            offset += len(line) + 1
            seq += 1
            if len(places) >= _SLICE:
                connection.executemany(insert, places)
                places.clear()
                progress.update(seq)
                if progress.stopped:
                    raise _StoppedError
        connection.executemany(insert, places)
    except sqlite3.IntegrityError:
        raise InputError(
            "two requests have the same custom_id", "Run `batchdeck check` on the file."
        ) from None
    return ImportResult(seq, offset)
