"""From rows to a file: beside its place first, then into it."""

from __future__ import annotations

import errno
import gzip
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Protocol

from tui.core.filtering import RowSelection
from tui.errors import UsageError
from tui.paths import open_private
from tui.store.export.beside import beside, sweep
from tui.store.export.fields import Fields
from tui.store.export.lines import LinesWriter
from tui.store.export.options import ExportOptions, Format, check_options, format_of
from tui.store.export.reading import PAGE, Record, Records
from tui.store.export.tables import TableWriter
from tui.store.history import History

Stop = Callable[[], bool]
Progress = Callable[[int, int], None]

_GZIP_LEVEL = 6
_MERGED = ExportOptions()

_HINTS = {
    errno.ENOSPC: "Free some space, or write to another disk.",
    errno.EACCES: "Choose a folder that you may write to.",
    errno.EROFS: "Choose a folder that you may write to.",
    errno.ENOENT: "Make the folder first.",
}


class _StoppedError(Exception):
    """The person stopped the export."""


class Writer(Protocol):
    """Takes records and makes a file of them."""

    def add(self, page: Sequence[Record]) -> None:
        """Write some records."""
        ...

    def finish(self) -> None:
        """Write what is left."""
        ...


def export_rows(
    history: History,
    job_id: str,
    selection: RowSelection,
    path: Path,
    options: ExportOptions = ExportOptions(),  # noqa: B008 - frozen
    *,
    stop: Stop | None = None,
    progress: Progress | None = None,
) -> int | None:
    """Write rows to a file; call it in a thread.

    Args:
        history: Where the rows are.
        job_id: Whose rows.
        selection: Which rows, in which order.
        path: Where to; the ending decides the format, an existing file is replaced at the end.
        options: What is written of each row.
        stop: Asked now and then; ``True`` ends it, nothing is left, ``None`` is returned.
        progress: Called with rows done and rows in all.

    Returns:
        The number of rows written, or of attempts, or of raw lines; for a report that of the
        rows it speaks of.

    Raises:
        UsageError: The ending or an option is not known, or the file cannot be written.
        HistoryError: A result file is not what it was.
    """
    check_options(path, options)
    format, packed = format_of(path)
    temporary = beside(path)
    sweep(path.parent)
    made = False
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "it is a folder")
        os.close(open_private(temporary))
        made = True
        with Records(history, job_id, selection, options) as records:
            run = _Run(records, stop, progress)
            written = run.write(temporary, format, packed)
        _flush(temporary)
        temporary.replace(path)
        return written
    except _StoppedError:
        return None
    except OSError as error:
        hint = _HINTS.get(error.errno or 0, "")
        raise UsageError(f"{path} cannot be written: {error.strerror or error}", hint) from error
    finally:
        if made:
            temporary.unlink(missing_ok=True)


class _Run:
    """One export: what is read, who may stop it, who is told."""

    def __init__(self, records: Records, stop: Stop | None, progress: Progress | None) -> None:
        self._records = records
        self._stop = stop
        self._progress = progress
        self._passes = 1
        self._done = 0

    def write(self, path: Path, format: Format, packed: bool) -> int:
        if format == "html":
            return self._report(path)
        fields = self._fields() if self._records.options.expand else None
        if format == "sqlite":
            return self._database(path)
        if format == "parquet":
            from tui.store.export.frames import FrameWriter

            frames = FrameWriter(path, self._records, fields)
            try:
                return self._through(frames)
            finally:
                frames.close()
        with _stream(path, packed) as stream:
            if format == "jsonl":
                return self._through(LinesWriter(stream, self._records))
            delimiter = "\t" if format == "tsv" else ","
            table = TableWriter(stream, self._records, delimiter, fields)
            return self._through(table)

    def _report(self, path: Path) -> int:
        from tui.store.export.report import write_report

        def told(done: int) -> None:
            self._done = done
            self._tell()

        with _stream(path, False) as stream:
            if not write_report(stream, self._records, stop=self._stop, progress=told):
                raise _StoppedError
        return len(self._records)

    def _database(self, path: Path) -> int:
        from tui.store.export.database import DatabaseWriter

        writer: DatabaseWriter | None = None
        try:
            writer = DatabaseWriter(path, self._records)
            if self._records.options.attempts:
                self._passes += 1
                for page in self._pages(_MERGED):
                    writer.add_rows(page)
            return self._through(writer)
        except sqlite3.Error as error:
            full = "full" in str(error) or "disk I/O" in str(error)
            raise UsageError(
                f"the database cannot be written: {error}", _HINTS[errno.ENOSPC] if full else ""
            ) from error
        finally:
            if writer is not None:
                writer.close()

    def _fields(self) -> Fields:
        fields = Fields()
        self._passes += 1
        for page in self._pages(_MERGED if not self._records.options.attempts else None):
            fields.look_at(record.line.data for record in page)
        return fields

    def _through(self, writer: Writer) -> int:
        written = 0
        try:
            for page in self._pages(None):
                writer.add(page)
                written += len(page)
        except BaseException:
            if isinstance(writer, TableWriter):
                # Left attached, it would close the stream under the one who owns it.
                with suppress(OSError):
                    writer.finish()
            raise
        writer.finish()
        if self._progress is not None:
            self._progress(len(self._records), len(self._records))
        return written

    def _pages(self, options: ExportOptions | None) -> Iterator[list[Record]]:
        total = len(self._records)
        before = self._done
        rows = 0
        for page in self._records.pages(options):
            yield page
            rows = min(rows + PAGE, total)
            self._done = before + rows
            if rows < total:
                if self._stop is not None and self._stop():
                    raise _StoppedError
                self._tell()

    def _tell(self) -> None:
        if self._progress is not None:
            self._progress(self._done // self._passes, len(self._records))


@contextmanager
def _stream(path: Path, packed: bool) -> Iterator[BinaryIO]:
    with path.open("wb", buffering=1 << 20) as stream:
        if not packed:
            yield stream
            return
        with gzip.GzipFile("", "wb", _GZIP_LEVEL, stream, mtime=0) as packer:
            yield packer  # type: ignore[misc]


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
