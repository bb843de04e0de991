"""The result files of batches: their records, and what indexes them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tui.core.jobs import Batch
from tui.core.remote_batches import FileState, FileVerdict, ResultSource
from tui.errors import HistoryError
from tui.paths import Paths
from tui.store.batches import Batches
from tui.store.database import Database, maps_sqlite_errors
from tui.store.indexing import formats
from tui.store.indexing.child_process import FileIndexer, Task
from tui.store.indexing.shared_answers import SHARED, append_copies, unshared_lines
from tui.store.job_folder import ResultFile, result_file
from tui.store.job_records import JobData, add_counts, batch_pk
from tui.store.rows.reader import LineReader


@maps_sqlite_errors
class ResultFiles:
    """The result files of all batches; ``history.files``."""

    def __init__(self, database: Database, paths: Paths) -> None:
        self._database = database
        self._paths = paths

    def get(self, batch_id: str, kind: str) -> ResultFile:
        """The record of a result file (``output`` or ``errors``), created on the first call.

        Raises:
            UnknownJobError: The batch was deleted with its job.
        """
        return result_file(self._database, self._paths, batch_id, kind)

    def indexer(
        self, batch: Batch, file: ResultFile, style: str, rules: Mapping[str, bool]
    ) -> FileIndexer:
        """What stores the lines of a result file as rows.

        Args:
            batch: The batch that the file belongs to.
            file: The record of the file.
            style: How the dialect writes its result lines; a key of ``READERS``.
            rules: Whether each error code of the profile can be retried.
        """
        # The file of a batch that was retried in place also holds rows that were not retried.
        only = None if batch.native_of is None else Batches(self._database).rows_of(batch.id)
        task = Task(
            database=str(self._database.path),
            batch=batch.id,
            pk=file.pk,
            path=str(file.path),
            style=style,
            rules=dict(rules),
            only=only,
        )
        return FileIndexer(self._database, task)

    def share_answers(self, batch: Batch, rules: Mapping[str, bool]) -> int:
        """Give the repeats of a batch the results that their rows have by now. Blocking.

        It may be called at any time and any number of times; only what is lacking is added.

        Args:
            batch: The batch.
            rules: Whether each error code of the profile can be retried.

        Returns:
            The number of repeats that got a result.

        Raises:
            HistoryError: A result cannot be read or stored.
        """
        if not batch.repeats:
            return 0
        file = self.get(batch.id, SHARED)
        data = JobData(self._database.read, self._paths, batch.job_id)
        pk, _ = batch_pk(self._database.read, batch.id)
        reader = LineReader(data)
        try:
            lines = unshared_lines(self._database.read, pk, data.pk)
            append_copies(file.path, file.indexed, lines, reader, self.style(batch.id))
        except OSError as error:
            raise HistoryError(
                f"{file.path} cannot be written: {error.strerror}", "Free some disk space."
            ) from error
        finally:
            reader.close()
        return self.index_copies(batch, file, rules)

    def index_copies(self, batch: Batch, file: ResultFile, rules: Mapping[str, bool]) -> int:
        """Index a file of copied lines, which was written here, to its end. Blocking.

        Returns:
            The number of lines that were not indexed yet.

        Raises:
            HistoryError: The rows cannot be stored.
        """
        indexer = self.indexer(batch, file, self.style(batch.id), rules)
        try:
            lines = indexer.run(complete=True)
        finally:
            indexer.close()
        self.mark_received(file, file.path.stat().st_size, complete=True)
        return lines

    def style(self, batch_id: str) -> str:
        """How the result lines of a batch are written."""
        (style,) = self._database.read.execute(
            "SELECT style FROM batches WHERE id=?", (batch_id,)
        ).fetchone()
        return str(style)

    def index_new(self, file: ResultFile, indexer: FileIndexer) -> None:
        """Index the lines that were received so far of a file that is still being received.

        A file in another format than lines is left for ``finish``.
        """
        if indexer.indexed or formats.is_lines(file.path):
            indexer.run(complete=False)

    def finish(
        self,
        file: ResultFile,
        indexer: FileIndexer,
        source: ResultSource,
        *,
        growing: bool,
        earlier: int = 0,
    ) -> FileVerdict:
        """Index the rest of a file of which everything was received, and say what it is.

        A file in another known format is rewritten as lines. Only a whole file is stored as
        complete. An unreadable one is set aside as ``NAME.unreadable``, and its record is empty
        again, so that it is fetched anew from its start. Blocking.

        Args:
            file: The record of the file.
            indexer: What indexed the file so far.
            source: The file at the provider.
            growing: The provider will add more lines.
            earlier: Bytes that the fetch before this one received.

        Raises:
            HistoryError: The rows cannot be stored.
        """
        path = file.path
        received = path.stat().st_size
        as_lines = indexer.indexed > 0 or formats.is_lines(path)
        problem = ""
        if growing:
            if as_lines:
                indexer.run(complete=False)
            self.mark_received(file, received, complete=False, ref=source.ref)
            return self._verdict(file, source, FileState.GROWING)
        if as_lines:
            indexer.run(complete=False)
            # A file that ends twice at the same byte is not cut: that is how it was written.
            if earlier != received and formats.is_cut(path, indexer.indexed):
                self.mark_received(file, received, complete=False, ref=source.ref)
                return self._verdict(file, source, FileState.CUT, "cut off in the middle of a line")
            indexer.run(complete=True)
        if not as_lines or self._nothing_readable(file):
            converted = formats.convert_to_lines(path)
            if converted.cut:
                self.start_over(file)
                return self._verdict(file, source, FileState.CUT, converted.problem)
            problem = converted.problem
            if converted.rows:
                self.start_over(file)
                indexer.start_over()
                indexer.run(complete=True)
        if problem:
            self.start_over(file)
            with suppress(OSError):
                path.replace(unreadable_path(path))
            return self._verdict(file, source, FileState.UNREADABLE, problem)
        self.mark_received(file, path.stat().st_size, complete=True, ref=source.ref)
        return self._verdict(file, source, FileState.WHOLE)

    def keep(
        self, file: ResultFile, indexer: FileIndexer, source: ResultSource, reason: str
    ) -> FileVerdict:
        """Index what arrived of a file whose download broke off. Blocking.

        Args:
            file: The record of the file.
            indexer: What indexed the file so far.
            source: The file at the provider.
            reason: Why it is not whole.

        Raises:
            HistoryError: The rows cannot be stored.
        """
        if indexer.indexed or formats.is_lines(file.path):
            indexer.run(complete=False)
            is_left = file.path.stat().st_size > indexer.indexed
            if is_left and not formats.is_cut(file.path, indexer.indexed):
                # A last line that is a whole object needs no line end.
                indexer.run(complete=True)
        self.mark_received(file, file.path.stat().st_size, complete=False, ref=source.ref)
        return self._verdict(file, source, FileState.CUT, reason)

    def verdict(self, file: ResultFile, source: ResultSource) -> FileVerdict:
        """What is known of a complete file, which is not fetched again."""
        return self._verdict(file, source, FileState.WHOLE)

    def _verdict(
        self, file: ResultFile, source: ResultSource, state: FileState, reason: str = ""
    ) -> FileVerdict:
        lines, unreadable, unknown = self._tally(file)
        return FileVerdict(
            kind=source.kind,
            ref=source.ref,
            state=state,
            reason=reason,
            lines=lines,
            unreadable=unreadable,
            unknown=unknown,
        )

    def _tally(self, file: ResultFile) -> tuple[int, int, int]:
        """The lines of a file that are indexed; among them those that no row has."""
        (lines,) = self._database.read.execute(
            "SELECT lines FROM files WHERE pk=?", (file.pk,)
        ).fetchone()
        (unreadable, unknown) = self._database.read.execute(
            "SELECT count(*) FILTER (WHERE kind='unreadable'),"
            " count(*) FILTER (WHERE kind='unknown') FROM strays WHERE file=?",
            (file.pk,),
        ).fetchone()
        return lines, unreadable, unknown

    def _nothing_readable(self, file: ResultFile) -> bool:
        lines, unreadable, _ = self._tally(file)
        return 0 < lines == unreadable

    def mark_received(
        self, file: ResultFile, received: int, *, complete: bool, ref: str | None = None
    ) -> None:
        """Store how many bytes of a file are on the disk, whether that is all, and its remote id.

        Args:
            file: The file.
            received: Its size in bytes.
            complete: It will not grow.
            ref: Its id at the provider; ``None`` keeps the stored one.
        """
        with self._database.write() as connection:
            connection.execute(
                "UPDATE files SET received=?, complete=?, ref=coalesce(?, ref) WHERE pk=?",
                (received, complete, ref, file.pk),
            )

    def start_over(self, file: ResultFile) -> ResultFile:
        """Discard what was indexed of a file, before it is downloaded again from the start."""
        with self._database.write() as connection:
            for job_pk, outcome, count in connection.execute(
                "SELECT r.job, r.outcome, count(*) FROM results r WHERE r.job="
                "(SELECT b.job FROM files f JOIN batches b ON b.pk=f.batch WHERE f.pk=?)"
                " AND r.file=? GROUP BY r.outcome",
                (file.pk, file.pk),
            ).fetchall():
                add_counts(connection, job_pk, {outcome: -count})
                connection.execute("DELETE FROM results WHERE job=? AND file=?", (job_pk, file.pk))
            # Attempts that are not shown are kept, without their lines, which will be downloaded
            # again: otherwise a row that is being retried would no longer count as pending.
            connection.execute(
                "UPDATE attempts SET file=NULL, offset=NULL, length=NULL WHERE file=? AND job="
                "(SELECT b.job FROM files f JOIN batches b ON b.pk=f.batch WHERE f.pk=?)",
                (file.pk, file.pk),
            )
            connection.execute("DELETE FROM strays WHERE file=?", (file.pk,))
            connection.execute(
                "UPDATE files SET received=0, indexed=0, lines=0, complete=0 WHERE pk=?", (file.pk,)
            )
        return ResultFile(file.pk, file.path)


def unreadable_path(path: Path) -> Path:
    """Where an unreadable result file is set aside."""
    return path.with_suffix(".unreadable")
