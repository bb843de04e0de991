"""The history as the rest of the program sees it: a facade over the database and the files.

Reading is synchronous and may be done on the event loop: each call touches a few hundred
rows at most. ``select`` and ``row_lines`` may touch all rows: call them in a thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any

from tui.core.editing import edit_request
from tui.core.filtering import ALL_ROWS, INPUT_ORDER, RowFilter, RowSelection, RowSort
from tui.core.jobs import Batch, ErrorGroup, Job, Strays, TimelineEntry
from tui.core.rows import Row, RowDetail, RowLine
from tui.core.status import BatchStatus
from tui.errors import UnknownJobError
from tui.paths import Paths
from tui.store.batches import rows_of
from tui.store.chains import changes_before
from tui.store.checking import AnswerSearch
from tui.store.database import Database
from tui.store.documents import job_document
from tui.store.groups import read_groups
from tui.store.guarding import guarded
from tui.store.inputs import InputColumns
from tui.store.jobs import job_pk, read_batches, read_jobs
from tui.store.lines import RowReader
from tui.store.searching import TextSearch
from tui.store.selecting import Partial, Search, select_rows
from tui.store.terms import Terms

_PAGE = 500


@guarded
class History:
    """What was asked for, sent and answered.

    Args:
        paths: Where it is kept; the folders are made.
    """

    def __init__(self, paths: Paths) -> None:
        self.paths = paths.ensure()
        self.database = Database(paths.history_db)
        self._terms = Terms()

    def close(self) -> None:
        """Close the database."""
        self.database.close()

    def jobs(
        self,
        *,
        search: str = "",
        status: BatchStatus | None = None,
        account: str | None = None,
        tag: str | None = None,
        limit: int | None = None,
    ) -> list[Job]:
        """Jobs, newest first.

        Args:
            search: Words in the name, model, provider, account, id, tags or note, in any case.
            status: Only jobs with this status.
            account: Only jobs of this account.
            tag: Only jobs with this tag, in any case.
            limit: At most so many.
        """
        where = ["1"]
        values: list[Any] = []
        for word in search.split():
            where.append(
                "(instr(fold(name), ?) OR instr(fold(model), ?) OR instr(fold(provider), ?)"
                " OR instr(fold(account), ?) OR instr(id, ?) OR instr(fold(note), ?)"
                # The # of a tag may be typed or not.
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
        condition = " AND ".join(where)
        if limit is not None:
            condition = (
                f"pk IN (SELECT pk FROM jobs WHERE {condition}"
                " ORDER BY created_at DESC, pk DESC LIMIT ?)"
            )
            values.append(limit)
        return read_jobs(self.database.read, condition, tuple(values))

    def job(self, job_id: str) -> Job:
        """One job.

        Raises:
            UnknownJobError: There is none with this id.
        """
        found = read_jobs(self.database.read, "id=?", (job_id,))
        if not found:
            raise UnknownJobError(f"there is no job {job_id!r}")
        return found[0]

    def find_job(self, reference: str) -> Job:
        """The job with this id, with an id that begins so, or with this name.

        Raises:
            UnknownJobError: None fits, or several do.
        """
        read = self.database.read
        for where in ("id=?", "name=?", "instr(id, ?)=1"):
            found = read_jobs(read, where, (reference,)) if reference else []
            if len(found) == 1:
                return found[0]
            if found:
                ids = ", ".join(job.id for job in found[:5])
                raise UnknownJobError(
                    f"{reference!r} fits {len(found)} jobs: {ids}", "Name it by its whole id."
                )
        raise UnknownJobError(
            f"there is no job {reference!r}", "`batchdeck list` shows the jobs and their ids."
        )

    def batches(self, job_id: str) -> list[Batch]:
        """The batches of a job, by attempt and part."""
        return read_batches(self.database.read, "j.id=?", (job_id,))

    def batch(self, batch_id: str) -> Batch:
        """One batch by its own id.

        Raises:
            UnknownJobError: It is gone, with its job.
        """
        batch = self.find_batch(batch_id)
        if batch is None:
            raise UnknownJobError(f"there is no batch {batch_id!r} any more")
        return batch

    def find_batch(self, batch_id: str) -> Batch | None:
        """One batch by its own id; ``None`` when its job was deleted."""
        found = read_batches(self.database.read, "b.id=?", (batch_id,))
        return found[0] if found else None

    def rows_of(self, batch_id: str) -> list[int]:
        """The rows of a retry, in the order of the input."""
        return rows_of(self.database.read, batch_id)

    def unfinished(self) -> list[Batch]:
        """Batches on their way, running, or ended with results that are not collected."""
        return read_batches(
            self.database.read,
            "b.submission IN ('uploading', 'uploaded', 'creating', 'waiting')"
            " OR (b.submission='running' AND b.collected=0)",
        )

    def expiring(self) -> dict[str, float]:
        """Jobs with results that are still to be collected, and when the first of them go."""
        rows = self.database.read.execute(
            "SELECT j.id, min(b.results_expire_at) FROM batches b JOIN jobs j ON j.pk=b.job"
            " WHERE b.submission='running' AND b.collected=0 AND b.results_expire_at IS NOT NULL"
            " GROUP BY j.pk"
        )
        return dict(rows.fetchall())

    def job_of_remote(self, account: str, remote_id: str) -> str | None:
        """The job that a batch of the provider belongs to; ``None`` when it is not known here."""
        found = self.database.read.execute(
            "SELECT j.id FROM batches b JOIN jobs j ON j.pk=b.job"
            " WHERE b.account=? AND b.remote_id=?",
            (account, remote_id),
        ).fetchone()
        return None if found is None else str(found[0])

    def set_model(self, job_id: str, model: str) -> None:
        """Name the model of a job whose requests told it only while they were read."""
        with self.database.write() as connection:
            connection.execute("UPDATE jobs SET model=? WHERE id=?", (model, job_id))

    def error_groups(self, job_id: str) -> list[ErrorGroup]:
        """Why rows failed, the largest group first."""
        return read_groups(self.database.read, self._pk(job_id))

    def timeline(self, job_id: str) -> list[TimelineEntry]:
        """What happened to a job, oldest first."""
        rows = self.database.read.execute(
            "SELECT at, batch, what FROM timeline WHERE job=? ORDER BY pk", (self._pk(job_id),)
        )
        return [TimelineEntry(at=at, batch_id=batch, what=what) for at, batch, what in rows]

    def strays(self, job_id: str) -> Strays:
        """Result lines that belong to no row."""
        rows = self.database.read.execute(
            "SELECT s.kind, count(*) FROM batches b JOIN files f ON f.batch=b.pk"
            " JOIN strays s ON s.file=f.pk WHERE b.job=? GROUP BY s.kind",
            (self._pk(job_id),),
        )
        return Strays(**dict(rows.fetchall()))

    def rows(self, job_id: str, seqs: Sequence[int]) -> list[Row]:
        """Some hundred rows at the most, in the order asked."""
        reader = self._reader(job_id)
        return reader.rows(seqs)

    def row(self, job_id: str, seq: int) -> RowDetail:
        """A row with the bytes of its request and of its attempts.

        Raises:
            UnknownJobError: The job has no such row.
        """
        reader = self._reader(job_id)
        try:
            detail = reader.detail(seq)
        finally:
            reader.close()
        if detail is None:
            raise UnknownJobError(f"job {job_id!r} has no row {seq}")
        return detail

    def inputs(self, job_id: str) -> InputColumns:
        """The columns of the table that a job was composed of; to be closed, for one thread."""
        return InputColumns(self.paths, job_id)

    def row_lines(self, job_id: str, selection: RowSelection) -> Iterator[RowLine]:
        """Rows as scripts get them, page by page; in a thread for many."""
        reader = self._reader(job_id)
        try:
            for start in range(0, len(selection), _PAGE):
                yield from reader.lines(selection.seqs[start : start + _PAGE])
        finally:
            reader.close()

    def requests(self, job_id: str, seqs: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        """Sequence numbers with their request lines, page by page; in a thread for many."""
        reader = self._reader(job_id)
        try:
            for start in range(0, len(seqs), _PAGE):
                yield from reader.requests(seqs[start : start + _PAGE])
        finally:
            reader.close()

    def newest_requests(self, job_id: str, seqs: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        """The same as each row was sent last, with the changes of its retries; in a thread.

        Raises:
            HistoryError: ``requests.jsonl`` is not what it was.
        """
        pk = self._pk(job_id)
        for start in range(0, len(seqs), _PAGE):
            page = seqs[start : start + _PAGE]
            changes = changes_before(self.database.read, pk, page)
            for seq, line in self.requests(job_id, page):
                yield seq, edit_request(line, changes.get(seq, {}))

    def select(
        self,
        job_id: str,
        rows: RowFilter = ALL_ROWS,
        order: RowSort = INPUT_ORDER,
        *,
        stop: Callable[[], bool] | None = None,
        partial: Partial | None = None,
    ) -> RowSelection:
        """The rows that a filter lets through; in a thread for large jobs.

        Args:
            job_id: The job.
            rows: The conditions.
            order: The order.
            stop: Asked now and then; what was found so far is the answer.
            partial: Told, in this thread, the rows found so far while a text is looked for.
        """
        job = self.job(job_id)
        pk = self._pk(job_id)
        read = self.database.read
        with ExitStack() as stack:
            searches: list[Search] = [
                stack.enter_context(TextSearch(read, self.paths, (pk, job_id), needle))
                for needle in rows.needles
            ]
            searches += [AnswerSearch(self, job_id, word) for word in sorted(rows.checks)]
            return select_rows(
                read,
                pk,
                job.counts.total,
                rows,
                order,
                searches=searches,
                stop=stop,
                partial=partial,
            )

    def document(self, job_id: str) -> dict[str, Any]:
        """The job document of the contracts, ready for JSON."""
        return job_document(
            self.job(job_id),
            self.batches(job_id),
            self.error_groups(job_id),
            self.strays(job_id),
        )

    def _pk(self, job_id: str) -> int:
        pk = job_pk(self.database.read, job_id)
        if pk is None:
            raise UnknownJobError(f"there is no job {job_id!r}")
        return pk

    def _reader(self, job_id: str) -> RowReader:
        return RowReader(self.database.read, self.paths, (self._pk(job_id), job_id), self._terms)
