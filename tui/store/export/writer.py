"""Export rows to a file: write a temporary file, then move it into place."""

from __future__ import annotations

import gzip
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Protocol

from tui.core.analysis.derived import CompileExpression
from tui.core.query import RowSelection
from tui.errors import UsageError
from tui.files import atomic_path
from tui.progress import NO_PROGRESS, Progress
from tui.store.columns.expressions import no_expressions
from tui.store.export.chosen_columns import (
    ChosenColumns,
    ChosenLinesWriter,
    ChosenTableWriter,
)
from tui.store.export.delimited import TableWriter
from tui.store.export.jsonl import LinesWriter
from tui.store.export.options import ExportOptions, Format, check_options, format_of
from tui.store.export.rows import AnswerFields, ExportRow, ExportRows
from tui.store.job_records import JobData

_GZIP_LEVEL = 6
_MERGED_ROWS = ExportOptions()


class _StoppedError(Exception):
    """The user stopped the export."""


class Writer(Protocol):
    """Writes records in one format."""

    def add(self, page: Sequence[ExportRow]) -> None:
        """Write some records."""
        ...

    def finish(self) -> None:
        """Write buffered records and complete the file."""
        ...


def export_rows(
    data: JobData,
    selection: RowSelection,
    path: Path,
    options: ExportOptions = ExportOptions(),  # noqa: B008 - frozen
    compile_expression: CompileExpression = no_expressions,
    *,
    progress: Progress = NO_PROGRESS,
) -> int | None:
    """Write rows to a file; call it in a thread.

    Args:
        data: The job.
        selection: Row numbers in the order to write.
        path: The file; its extension sets the format. An existing file is replaced when the
            export is complete.
        options: What to write for each row.
        compile_expression: Compiles the expressions of derived columns.
        progress: Told the rows written and their total; can stop the export, which then writes
            no file.

    Returns:
        Number of rows, attempts or raw lines written, for a report the number of rows it
        covers; ``None`` if it was stopped.

    Raises:
        UsageError: The extension is unknown, an option does not apply to the format, or the
            file cannot be written.
        HistoryError: A result file was changed or is missing.
    """
    check_options(path, options)
    format, compressed = format_of(path)
    try:
        with (
            ExportRows(data, selection, options, compile_expression) as rows,
            atomic_path(path, UsageError) as temporary,
        ):
            return _Run(rows, progress).write(temporary, format, compressed)
    except _StoppedError:
        return None


class _Run:
    """Runs one export, which reads the rows once or twice."""

    def __init__(self, records: ExportRows, progress: Progress) -> None:
        self._records = records
        self._progress = progress
        self._passes = 1
        self._done = 0

    def write(self, path: Path, format: Format, compressed: bool) -> int:
        if format == "html":
            return self._write_report(path)
        fields = self._collect_fields() if self._records.options.expand else None
        if format == "sqlite":
            return self._write_database(path)
        if format == "parquet":
            from tui.store.export.parquet import ParquetWriter

            frames = ParquetWriter(path, self._records, fields)
            try:
                return self._write_all(frames)
            finally:
                frames.close()
        chosen = self._records.options.columns
        with _stream(path, compressed) as stream:
            delimiter = "\t" if format == "tsv" else ","
            if chosen:
                records = self._records
                columns = ChosenColumns(chosen, records.columns, records.derived, records.joined)
                if format == "jsonl":
                    return self._write_all(ChosenLinesWriter(stream, columns))
                return self._write_all(ChosenTableWriter(stream, self._records, columns, delimiter))
            if format == "jsonl":
                return self._write_all(LinesWriter(stream, self._records))
            table = TableWriter(stream, self._records, delimiter, fields)
            return self._write_all(table)

    def _write_report(self, path: Path) -> int:
        from tui.store.export.html_report import write_report

        with _stream(path, False) as stream:
            return write_report(stream, self._records, self._pages(None))

    def _write_database(self, path: Path) -> int:
        from tui.store.export.sqlite import DatabaseWriter

        writer: DatabaseWriter | None = None
        try:
            writer = DatabaseWriter(path, self._records)
            if self._records.options.attempts:
                self._passes += 1
                for page in self._pages(_MERGED_ROWS):
                    writer.add_rows(page)
            return self._write_all(writer)
        except sqlite3.Error as error:
            full = "full" in str(error) or "disk I/O" in str(error)
            raise UsageError(
                f"cannot write the database: {error}",
                "Free some space, or write to another disk." if full else "",
            ) from error
        finally:
            if writer is not None:
                writer.close()

    def _collect_fields(self) -> AnswerFields:
        fields = AnswerFields()
        self._passes += 1
        for page in self._pages(_MERGED_ROWS if not self._records.options.attempts else None):
            fields.add(record.line.data for record in page)
        return fields

    def _write_all(self, writer: Writer) -> int:
        written = 0
        try:
            for page in self._pages(None):
                writer.add(page)
                written += len(page)
        except BaseException:
            if isinstance(writer, TableWriter):
                # Detach the stream; otherwise the text wrapper closes it when it is deleted.
                with suppress(OSError):
                    writer.finish()
            raise
        writer.finish()
        self._progress.update(len(self._records), len(self._records))
        return written

    def _pages(self, options: ExportOptions | None) -> Iterator[list[ExportRow]]:
        total = len(self._records)
        before = self._done
        for rows, page in self._records.pages(options):
            yield page
            self._done = before + rows
            if rows < total:
                if self._progress.stopped:
                    raise _StoppedError
                self._progress.update(self._done // self._passes, total)


@contextmanager
def _stream(path: Path, compressed: bool) -> Iterator[BinaryIO]:
    with path.open("wb", buffering=1 << 20) as stream:
        if not compressed:
            yield stream
            return
        with gzip.GzipFile("", "wb", _GZIP_LEVEL, stream, mtime=0) as gzip_stream:
            yield gzip_stream  # type: ignore[misc]
