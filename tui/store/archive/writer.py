"""Write a job as an archive: its files as they are, its records without what is only of here."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Container, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

import msgspec

from tui import __version__
from tui.core.analysis.views import View
from tui.core.jobs import Batch, Job
from tui.core.rows import read_header
from tui.errors import HistoryError, UsageError
from tui.files import atomic_path
from tui.paths import Paths
from tui.progress import NO_PROGRESS, Progress
from tui.store.archive import contents
from tui.store.archive.contents import ArchiveEntry, ArchiveManifest, Mark, is_job_file
from tui.store.archive.provenance import (
    archived_batches,
    provenance_document,
    public_address,
    without_homes,
)
from tui.store.indexing.rebuild import recorded_outcome
from tui.store.job_records import JobData
from tui.store.manifests import (
    BATCH_ENDING,
    JOB_FILE,
    JobManifest,
    batch_file,
    batch_manifest,
)
from tui.store.rows.inputs import INPUTS

_BLOCK = 1 << 20
_LEVEL = 5
_DATE = (1980, 1, 1, 0, 0, 0)
_ROWS = 1000
_MODE = 0o600 << 16


def write_archive(
    data: JobData,
    path: Path,
    views: Mapping[str, View],
    progress: Progress = NO_PROGRESS,
) -> int | None:
    """Write a job as an archive; call it in a thread.

    Args:
        data: The job.
        path: The file; an existing one is replaced when the archive is complete.
        views: The views of the home.
        progress: Told the bytes that were read; can stop the work, which then writes no file.

    Returns:
        The number of rows; ``None`` if it was stopped.

    Raises:
        UsageError: A batch of the job is under way, or the file cannot be written.
        HistoryError: A file of the job cannot be read.
    """
    batches = archived_batches(data)
    if any(batch.is_watched for batch in batches):
        raise UsageError(
            "a batch of this job is still under way, and an archive holds what a job came to",
            f"Wait until it has ended (`batchdeck watch {data.id}`), or export the rows that are"
            " there as .jsonl.",
        )
    try:
        with (
            atomic_path(path, UsageError) as temporary,
            temporary.open("r+b") as stream,
            ZipFile(stream, "w", ZIP_DEFLATED, compresslevel=_LEVEL) as archive,
        ):
            _Writer(data, batches, archive, progress).write(views)
    except _StoppedError:
        return None
    except OSError as error:
        # Errors of the file itself are raised as what they are.
        raise HistoryError(
            f"a file of job {data.id} cannot be read: {error}", "Run `batchdeck doctor`."
        ) from error
    return data.job.counts.total


class _StoppedError(Exception):
    """The user stopped the work."""


class _Writer:
    def __init__(
        self, data: JobData, batches: list[Batch], archive: ZipFile, progress: Progress
    ) -> None:
        self._data = data
        self._batches = batches
        self._archive = archive
        self._progress = progress
        self._entries: list[ArchiveEntry] = []
        self._done = 0
        folder = data.paths.job_folder(data.id)
        known = {batch.id for batch in batches}
        self._files = sorted(
            entry.name
            for entry in os.scandir(folder)
            if entry.is_file(follow_symlinks=False) and _is_copied(entry.name, known)
        )
        self._folder = folder
        # Once for the provenance, and once for the archive.
        self._total = 2 * sum((folder / name).stat().st_size for name in self._files)

    def write(self, views: Mapping[str, View]) -> None:
        data = self._data
        self._add_json(contents.MARK, Mark(format=contents.FORMAT, version=contents.VERSION))
        reading = Progress(self._report_reading, seconds=0.0)
        document = provenance_document(data, reading)
        self._add_json(contents.PROVENANCE, document)
        self._add_json(JOB_FILE, JobManifest(job=_public_job(data.job)))
        for batch in self._batches:
            record = batch_manifest(data.connection, _public_batch(batch, data.paths))
            self._add_json(batch_file(batch.id), record)
        outcomes = {
            batch.id: found
            for batch in self._batches
            if (found := recorded_outcome(data.connection, batch)) is not None
        }
        self._add_json(contents.OUTCOMES, outcomes)
        own = {name: view for name, view in views.items() if view.job == data.id}
        self._add_json(contents.VIEWS, own)
        self._add(contents.TIMELINE, _lines(self._timeline()))
        self._add(contents.COSTS, _lines(self._costs()))
        self._add(contents.PACE, _lines(self._pace()))
        for name in self._files:
            self._add(name, self._file(name))
        manifest = ArchiveManifest(
            batchdeck=__version__,
            job=data.id,
            batches=tuple(batch.id for batch in self._batches),
            files=tuple(self._entries[1:]),
        )
        self._add_json(contents.MANIFEST, manifest)

    def _report_reading(self, done: int, total: int | None) -> None:
        self._step(done - self._done)

    def _step(self, size: int) -> None:
        self._done += size
        self._progress.update(min(self._done, self._total), self._total)
        if self._progress.stopped:
            raise _StoppedError

    def _add_json(self, name: str, value: Any) -> None:
        self._add(name, [msgspec.json.encode(value, order="deterministic") + b"\n"])

    def _add(self, name: str, blocks: Iterable[bytes]) -> None:
        info = ZipInfo(name, _DATE)
        # The mark is to be seen by whoever looks at the first bytes.
        info.compress_type = ZIP_STORED if name == contents.MARK else ZIP_DEFLATED
        info.external_attr = _MODE
        digest = hashlib.sha256()
        size = 0
        with self._archive.open(info, "w", force_zip64=name != contents.MARK) as entry:
            for block in blocks:
                entry.write(block)
                digest.update(block)
                size += len(block)
        self._entries.append(ArchiveEntry(name=name, bytes=size, sha256=digest.hexdigest()))

    def _file(self, name: str) -> Iterator[bytes]:
        with (self._folder / name).open("rb") as stream:
            # A review may be added meanwhile: it is left out as a whole.
            left = os.fstat(stream.fileno()).st_size
            if name == INPUTS:
                head = stream.readline()
                left -= len(head)
                yield _public_head(head, self._data.paths)
            while left and (block := stream.read(min(left, _BLOCK))):
                left -= len(block)
                yield block
                self._step(len(block))

    def _timeline(self) -> Iterator[tuple[float, str | None, str]]:
        found = self._data.connection.execute(
            "SELECT at, batch, what FROM timeline WHERE job=? ORDER BY pk", (self._data.pk,)
        )
        for at, batch, what in found:
            yield at, batch, without_homes(what, self._data.paths)

    def _places(self) -> dict[str, int]:
        return {batch.id: place for place, batch in enumerate(self._batches)}

    def _pace(self) -> Iterator[tuple[int, float, int]]:
        places = self._places()
        rows = self._data.connection.execute(
            "SELECT b.id, s.at, s.done FROM samples s JOIN batches b ON b.pk=s.batch"
            " WHERE b.job=? ORDER BY s.at, b.id",
            (self._data.pk,),
        )
        for batch, at, done in rows:
            if batch in places:
                yield places[batch], at, done

    def _costs(self) -> Iterator[tuple[int, int, float]]:
        places = self._places()
        for table, order in (("results", "r.seq"), ("attempts", "r.seq, r.attempt, b.id")):
            rows = self._data.connection.execute(
                f"SELECT b.id, r.seq, r.cost FROM {table} r JOIN batches b ON b.pk=r.batch"
                f" WHERE r.job=? AND r.cost IS NOT NULL ORDER BY {order}",
                (self._data.pk,),
            )
            for batch, seq, cost in rows:
                if batch in places:
                    yield places[batch], seq, cost


def _is_copied(name: str, batches: Container[str]) -> bool:
    """Whether a file of the job goes into the archive as it is; the records are written anew."""
    if not is_job_file(name) or name == JOB_FILE or name.endswith(BATCH_ENDING):
        return False
    batch, _, rest = name.partition(".")
    return batch in batches or not rest.startswith(("output.", "errors.", "repeats."))


def _lines(values: Iterable[Any]) -> Iterator[bytes]:
    """Values as JSON lines, in blocks."""
    block = bytearray()
    for number, value in enumerate(values, 1):
        block += msgspec.json.encode(value) + b"\n"
        if not number % _ROWS:
            yield bytes(block)
            block.clear()
    yield bytes(block)


def _public_job(job: Job) -> Job:
    """The record of a job without what is of this machine."""
    source = job.source if job.source.startswith("job:") else Path(job.source).name
    return msgspec.structs.replace(job, source=source, archive="")


def _public_batch(batch: Batch, paths: Paths) -> Batch:
    return msgspec.structs.replace(
        batch,
        raw={},
        next_poll_at=None,
        input_file_id=None,
        address=public_address(batch.address),
        trouble=without_homes(batch.trouble, paths),
    )


def _public_head(line: bytes, paths: Paths) -> bytes:
    """The head of the input columns without paths of this machine, of the same length."""
    head = read_header(line)
    if head is None:
        return line
    head = msgspec.structs.replace(
        head,
        source=Path(head.source).name,
        table=head.table if head.table.startswith("job:") else "",
        template=without_homes(head.template, paths),
    )
    # The index counts bytes from the beginning of the file.
    return head.line().rstrip().ljust(len(line) - 1) + b"\n"
