"""Taking a job out of the history."""

from __future__ import annotations

import shutil

from tui.paths import Paths
from tui.store.database import Database


def delete_job(database: Database, paths: Paths, job_id: str) -> None:
    """Remove a job's records and its folder; blocking.

    The records go first: a folder without a job is found by ``doctor``, a job without its
    files would be a lie.
    """
    with database.write() as connection:
        connection.execute("DELETE FROM jobs WHERE id=?", (job_id,))
    shutil.rmtree(paths.job_folder(job_id), ignore_errors=True)
