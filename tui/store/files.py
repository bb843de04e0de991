"""The result files of batches: where they are, how much has come, how much is indexed."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from tui.paths import Paths
from tui.store.database import Database
from tui.store.indexing import ResultFile
from tui.store.jobs import add_counts, batch_pk


def result_file(database: Database, paths: Paths, batch_id: str, kind: str) -> ResultFile:
    """The record of a result file, made at the first call.

    Args:
        database: The history.
        paths: Where the job's folder is.
        batch_id: Whose file it is.
        kind: ``output`` or ``errors``.
    """
    pk, job_pk = batch_pk(database.read, batch_id)
    (job_id,) = database.read.execute("SELECT id FROM jobs WHERE pk=?", (job_pk,)).fetchone()
    name = f"{batch_id}.{kind}.jsonl"
    found = _find(database.read, pk, name)
    if found is None:
        with database.write() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO files (batch, kind, name) VALUES (?,?,?)", (pk, kind, name)
            )
            found = _find(connection, pk, name)
    assert found is not None
    return ResultFile(
        pk=found[0],
        path=paths.job_folder(job_id) / name,
        received=found[1],
        indexed=found[2],
        lines=found[3],
        complete=bool(found[4]),
        ref=found[5],
    )


def mark_received(
    database: Database, file: ResultFile, received: int, *, complete: bool, ref: str
) -> None:
    """Note how many bytes are on the disk, whether that is all, and where they came from."""
    with database.write() as connection:
        connection.execute(
            "UPDATE files SET received=?, complete=?, ref=? WHERE pk=?",
            (received, complete, ref, file.pk),
        )


def begin_anew(database: Database, file: ResultFile) -> ResultFile:
    """Forget what was indexed of a file, because its bytes are fetched from the start again."""
    with database.write() as connection:
        for job_pk, outcome, count in connection.execute(
            "SELECT r.job, r.outcome, count(*) FROM results r"
            " WHERE r.job=(SELECT b.job FROM files f JOIN batches b ON b.pk=f.batch WHERE f.pk=?)"
            " AND r.file=? GROUP BY r.outcome",
            (file.pk, file.pk),
        ).fetchall():
            add_counts(connection, job_pk, {outcome: -count})
            connection.execute("DELETE FROM results WHERE job=? AND file=?", (job_pk, file.pk))
        # Attempts that are not shown stay, so that a row that is sent again keeps waiting:
        # they stand for lines that are to come once more.
        connection.execute(
            "UPDATE attempts SET file=NULL, offset=NULL, length=NULL WHERE file=? AND job="
            "(SELECT b.job FROM files f JOIN batches b ON b.pk=f.batch WHERE f.pk=?)",
            (file.pk, file.pk),
        )
        connection.execute("DELETE FROM strays WHERE file=?", (file.pk,))
        connection.execute(
            "UPDATE files SET received=0, indexed=0, lines=0, complete=0 WHERE pk=?", (file.pk,)
        )
    return ResultFile(file.pk, file.path, 0, 0, 0, False)


def _find(
    connection: sqlite3.Connection, batch: int, name: str
) -> tuple[int, int, int, int, int, str] | None:
    found: tuple[int, int, int, int, int, str] | None = connection.execute(
        "SELECT pk, received, indexed, lines, complete, ref FROM files WHERE batch=? AND name=?",
        (batch, name),
    ).fetchone()
    return found


def file_path(connection: sqlite3.Connection, paths: Paths, file_pk: int) -> Path:
    """Where a result file lies."""
    name, job_id = connection.execute(
        "SELECT f.name, j.id FROM files f JOIN batches b ON b.pk=f.batch"
        " JOIN jobs j ON j.pk=b.job WHERE f.pk=?",
        (file_pk,),
    ).fetchone()
    return paths.job_folder(str(job_id)) / str(name)
