"""The files of a job: where they are, the records of result files, and the attached schema."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import msgspec

from tui.core.results.schema import MAX_SCHEMA_BYTES, Schema
from tui.errors import HistoryError, UnknownJobError
from tui.files import atomic_write
from tui.paths import Paths
from tui.store.database import Database, records

REQUESTS = "requests.jsonl"
"""Name of the file in a job's folder that holds its requests; never changed."""

SCHEMA_FILE = "schema.json"


def requests_file(paths: Paths, job_id: str) -> Path:
    """The file that holds the requests of a job."""
    return paths.job_folder(job_id) / REQUESTS


class ResultFile(msgspec.Struct, frozen=True):
    """The record of a result file.

    Attributes:
        pk: Primary key.
        path: The file on the disk.
        received: Bytes that were downloaded.
        indexed: Bytes that are indexed.
        lines: Lines that are indexed.
        complete: Everything was downloaded.
        ref: Id of the file at the provider.
    """

    pk: int
    path: Path
    received: int = 0
    indexed: int = 0
    lines: int = 0
    complete: bool = False
    ref: str = ""


def result_file(database: Database, paths: Paths, batch_id: str, kind: str) -> ResultFile:
    """The record of a result file, created on the first call.

    Args:
        database: The history.
        paths: Locates the folder of the job.
        batch_id: The batch that the file belongs to.
        kind: ``output`` or ``errors``.

    Raises:
        UnknownJobError: The batch was deleted with its job.
    """
    name = f"{batch_id}.{kind}.jsonl"
    found = _find(database.read, batch_id, name)
    if found is None:
        with database.write() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO files (batch, kind, name)"
                " SELECT pk, ?, ? FROM batches WHERE id=?",
                (kind, name, batch_id),
            )
            found = _find(connection, batch_id, name)
    if found is None:
        raise UnknownJobError(f"batch {batch_id!r} no longer exists")
    path = paths.job_folder(found.pop("job_id")) / name
    return ResultFile(path=path, **found | {"complete": bool(found["complete"])})


def _find(connection: sqlite3.Connection, batch_id: str, name: str) -> dict[str, Any] | None:
    found = records(
        connection,
        "SELECT f.pk, f.received, f.indexed, f.lines, f.complete, f.ref, j.id AS job_id"
        " FROM files f JOIN batches b ON b.pk=f.batch JOIN jobs j ON j.pk=b.job"
        " WHERE b.id=? AND f.name=?",
        (batch_id, name),
    )
    return found[0] if found else None


def result_file_path(connection: sqlite3.Connection, paths: Paths, file_pk: int) -> Path:
    """Path of a result file."""
    name, job_id = connection.execute(
        "SELECT f.name, j.id FROM files f JOIN batches b ON b.pk=f.batch"
        " JOIN jobs j ON j.pk=b.job WHERE f.pk=?",
        (file_pk,),
    ).fetchone()
    return paths.job_folder(str(job_id)) / str(name)


def schema_of(paths: Paths, job_id: str) -> bytes:
    """The schema attached to a job; empty if there is none and each request's own applies."""
    path = paths.job_folder(job_id) / SCHEMA_FILE
    try:
        with path.open("rb") as file:
            return file.read(MAX_SCHEMA_BYTES + 1)
    except OSError:
        return b""


def set_schema(paths: Paths, job_id: str, schema: bytes) -> None:
    """Attach a schema to a job; an empty one removes it, and each request's own applies again.

    Raises:
        SchemaError: The schema is not valid; the earlier one is kept.
        HistoryError: The file cannot be written.
    """
    path = paths.job_folder(job_id) / SCHEMA_FILE
    if schema:
        Schema(schema)
        atomic_write(path, schema, HistoryError)
        return
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise HistoryError(f"cannot write {path}: {error.strerror}") from error
