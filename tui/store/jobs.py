"""The jobs of the history: find, list, add, change and delete them; ``history.jobs``."""

from __future__ import annotations

import builtins
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tui.core.jobs import OPEN_PHASES, BatchStatus, Deadline, Job, TimelineEntry
from tui.paths import Paths
from tui.progress import NO_PROGRESS, Progress
from tui.store import manifests
from tui.store.database import Database, maps_sqlite_errors
from tui.store.indexing.rebuild import ReindexResult, RetryRulesOf, reindex_job
from tui.store.job_document import job_document
from tui.store.job_folder import requests_file, schema_of, set_schema
from tui.store.job_records import (
    JobData,
    change_deadline,
    find_job,
    job_pk,
    note,
    read_job,
    read_jobs,
)
from tui.store.ledger import Ledger
from tui.store.rows.importer import ExistingBatch, ImportResult, import_requests
from tui.store.rows.inputs import Columns


@maps_sqlite_errors
class Jobs:
    """The jobs; ``history.jobs``."""

    def __init__(self, database: Database, paths: Paths) -> None:
        self._database = database
        self._paths = paths

    def get(self, job_id: str) -> Job:
        """One job by its full id.

        Raises:
            UnknownJobError: There is no job with this id.
        """
        return read_job(self._database.read, job_id)

    def find(self, reference: str) -> Job:
        """Find a job by its id, its name, or the beginning of its id.

        Raises:
            UnknownJobError: No job matches, or several do.
        """
        return find_job(self._database.read, reference)

    def list(
        self,
        *,
        search: str = "",
        status: BatchStatus | None = None,
        account: str | None = None,
        tag: str | None = None,
        since: float | None = None,
        before: float | None = None,
        limit: int | None = None,
    ) -> builtins.list[Job]:
        """Jobs, newest first.

        Args:
            search: Words that must all occur in the name, model, provider, account, id, tags or
                note; case-insensitive.
            status: Only jobs with this status.
            account: Only jobs of this account.
            tag: Only jobs with this tag; case-insensitive.
            since: Only jobs created at this time or later, in Unix seconds.
            before: Only jobs created before this time, in Unix seconds.
            limit: Maximum number of jobs.
        """
        where = ["1"]
        values: builtins.list[Any] = []
        for word in search.split():
            where.append(
                "(instr(fold(name), ?) OR instr(fold(model), ?) OR instr(fold(provider), ?)"
                " OR instr(fold(account), ?) OR instr(id, ?) OR instr(fold(note), ?)"
                # The # of a tag is optional.
                " OR instr(' #' || replace(fold(tags), ' ', ' #'), ?))"
            )
            values += [word.casefold()] * 7
        if status is not None:
            where.append("status=?")
            values.append(status.value)
        if account is not None:
            where.append("account=?")
            values.append(account)
        if tag is not None:
            where.append("instr(' ' || fold(tags) || ' ', ?)")
            values.append(f" {tag.lstrip('#').casefold()} ")
        if since is not None:
            where.append("created_at>=?")
            values.append(since)
        if before is not None:
            where.append("created_at<?")
            values.append(before)
        condition = " AND ".join(where)
        if limit is not None:
            condition = (
                f"pk IN (SELECT pk FROM jobs WHERE {condition}"
                " ORDER BY created_at DESC, pk DESC LIMIT ?)"
            )
            values.append(limit)
        return read_jobs(self._database.read, condition, tuple(values))

    def of_experiment(self, name: str) -> builtins.list[Job]:
        """The jobs of an experiment, the oldest first."""
        return read_jobs(self._database.read, "experiment=?", (name,))[::-1]

    def of_source(self, source: str, account: str) -> builtins.list[Job]:
        """The jobs of an account that were made from a source, in the order they were stored."""
        read = self._database.read
        stored = read.execute(
            "SELECT id FROM jobs WHERE source=? AND account=? ORDER BY pk", (source, account)
        )
        return [read_job(read, job_id) for (job_id,) in stored.fetchall()]

    def experiments(self) -> dict[str, builtins.list[Job]]:
        """The jobs of all experiments by its name, the newest experiment first."""
        found: dict[str, builtins.list[Job]] = {}
        for job in read_jobs(self._database.read, "experiment<>''", ()):
            found.setdefault(job.experiment, []).insert(0, job)
        return found

    def add(
        self,
        job: Job,
        requests: Iterable[tuple[str, bytes]],
        *,
        sent: ExistingBatch | None = None,
        columns: Columns | None = None,
        progress: Progress = NO_PROGRESS,
    ) -> ImportResult | None:
        """Store a job with its requests; see ``import_requests``."""
        return import_requests(
            self._database,
            self._paths,
            job,
            requests,
            sent=sent,
            columns=columns,
            progress=progress,
        )

    def delete(self, job_id: str) -> None:
        """Delete a job's records and its folder; blocking.

        The records are deleted first: ``doctor`` finds a folder without a job, but a job without
        its files cannot be repaired.
        """
        folder = self._paths.job_folder(job_id)
        with self._database.write() as connection:
            connection.execute("DELETE FROM jobs WHERE id=?", (job_id,))
            manifests.forget(folder)
        shutil.rmtree(folder, ignore_errors=True)

    def annotate(
        self, job_id: str, tags: tuple[str, ...] | None = None, remark: str | None = None
    ) -> None:
        """Set the tags or the note of a job; ``None`` leaves a value unchanged.

        Raises:
            UnknownJobError: There is no job with this id.
        """
        if tags is not None:
            self._set(job_id, "tags", " ".join(tags))
        if remark is not None:
            self._set(job_id, "note", remark)

    def with_open_deadline(self) -> builtins.list[Job]:
        """The jobs with a deadline about which something is still to be done."""
        marks = ",".join("?" * len(OPEN_PHASES))
        where = f"deadline IS NOT NULL AND json_extract(deadline, '$.phase') IN ({marks})"
        return read_jobs(self._database.read, where, OPEN_PHASES)

    def change_deadline(
        self, job_id: str, before: Deadline | None, after: Deadline | None, now: float, what: str
    ) -> bool:
        """Replace the deadline of a job, unless another process has changed it meanwhile.

        Args:
            job_id: The job.
            before: The deadline that it is known to have.
            after: The new one; ``None`` to remove it.
            now: Unix seconds.
            what: The event for the timeline of the job.

        Returns:
            ``False``, with nothing changed, if its deadline is another one.

        Raises:
            UnknownJobError: There is no job with this id.
        """
        with self._database.write(durable=True) as connection:
            pk = job_pk(connection, job_id)
            if not change_deadline(connection, pk, before, after):
                return False
            note(connection, pk, now, what)
        return True

    def set_model(self, job_id: str, model: str) -> None:
        """Store the model of a job, found while its requests were read."""
        self._set(job_id, "model", model)

    def _set(self, job_id: str, column: str, value: str) -> None:
        with self._database.write() as connection:
            pk = job_pk(connection, job_id)
            connection.execute(f"UPDATE jobs SET {column}=? WHERE pk=?", (value, pk))

    def note(self, job_id: str, now: float, what: str) -> None:
        """Add an event to the timeline of a job."""
        with self._database.write() as connection:
            note(connection, job_pk(connection, job_id), now, what)

    def timeline(self, job_id: str) -> builtins.list[TimelineEntry]:
        """Events of a job, oldest first."""
        rows = self._database.read.execute(
            "SELECT at, batch, what FROM timeline WHERE job=? ORDER BY pk",
            (job_pk(self._database.read, job_id),),
        )
        return [TimelineEntry(at=at, batch_id=batch, what=what) for at, batch, what in rows]

    def claim_event(self, job_id: str, event: str) -> bool:
        """Store that a command of the user is run for an event; ``False`` if one was. Blocking.

        Raises:
            UnknownJobError: There is no job with this id.
        """
        with self._database.write(durable=True) as connection:
            cursor = connection.execute(
                "INSERT OR IGNORE INTO told_events (job, event) VALUES (?,?)",
                (job_pk(connection, job_id), event),
            )
        return cursor.rowcount == 1

    def document(self, job_id: str) -> dict[str, Any]:
        """The job document: the JSON form of a job for scripts."""
        return job_document(JobData(self._database.read, self._paths, job_id))

    def requests_file(self, job_id: str) -> Path:
        """The file that holds the requests of a job; it never changes."""
        return requests_file(self._paths, job_id)

    def schema(self, job_id: str) -> bytes:
        """The JSON schema attached to a job; empty if each request's own applies."""
        return schema_of(self._paths, job_id)

    def set_schema(self, job_id: str, schema: bytes) -> None:
        """Attach a JSON schema to a job; an empty one removes it.

        Raises:
            SchemaError: The schema is not valid; the earlier one is kept.
            HistoryError: The file cannot be written.
        """
        set_schema(self._paths, job_id, schema)

    def reindex(
        self, job_id: str, *, rules_of: RetryRulesOf, now: float, restored: bool = False
    ) -> ReindexResult:
        """Rebuild the records of a job's rows from its files; see ``reindex_job``."""
        return reindex_job(
            self._database, self._paths, job_id, rules_of=rules_of, now=now, restored=restored
        )

    def restore(self, now: float) -> tuple[builtins.list[str], builtins.list[str]]:
        """Bring jobs back from their folders that the history does not have, or has in part.

        Their rows are rebuilt by ``reindex``. Blocking.

        Args:
            now: Unix seconds, for the timeline.

        Returns:
            Ids of the jobs, and names of folders that do not say which job they belong to.
        """
        back: builtins.list[str] = []
        unknown: builtins.list[str] = []
        ledger = Ledger(self._database)
        for folder in manifests.folders_of(self._paths.jobs):
            with self._database.write(durable=True) as connection:
                restored = manifests.restore(connection, folder, now)
            if restored is not None:
                back.append(restored[0])
                ledger.add_missing(restored[1], now)
            elif not self._knows(folder.name):
                unknown.append(folder.name)
        return back, unknown

    def _knows(self, job_id: str) -> bool:
        found = self._database.read.execute("SELECT 1 FROM jobs WHERE id=?", (job_id,)).fetchone()
        return found is not None
