"""Read an archive of a job, which may be damaged, cut, or made to do harm.

Nothing of an entry's name becomes a path unless it is one of a few known names. What is unpacked
is bounded by what the manifest says and by the room on the disk, and compared with its checksum.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, LargeZipFile, ZipFile, ZipInfo

import msgspec

from tui.core.formatting import size as size_text
from tui.core.jobs import Batch, Job
from tui.core.results.readers import READERS
from tui.core.text import quoted
from tui.errors import InputError
from tui.paths import open_private
from tui.progress import NO_PROGRESS, Progress
from tui.store.archive import contents
from tui.store.archive.contents import ArchiveEntry, ArchiveManifest, Mark, is_job_file
from tui.store.job_folder import REQUESTS
from tui.store.manifests import BATCH_ENDING, JOB_FILE, BatchManifest, JobManifest, batch_file

_BLOCK = 1 << 20
_ENCRYPTED = 1
_MOST_RATIO = 400
"""Requests that share a long prompt are packed to about a hundredth."""

_FREE_BYTES = 256 << 20
"""Archives that unpack to less are not suspected, whatever their ratio is."""

_HINT = "Copy or download it again, or ask for a new one."
_ID = re.compile(r"[0-9a-z]{4,40}")
LAST_SECOND = 32_503_680_000
"""The year 3000, in Unix seconds."""


class ArchiveReader:
    """Reads an archive; a context manager.

    Args:
        path: The archive.

    Attributes:
        path: The archive.
        manifest: What it says about its entries.

    Raises:
        InputError: It is not a whole archive of a job, or of a newer format.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._name = quoted(path.name)
        with self._mapped():
            self._zip = ZipFile(path)
        try:
            self._infos = self._checked_infos()
            mark = self._json(contents.MARK, Mark)
            if mark.format != contents.FORMAT:
                raise self._error("is not an archive of a job", "")
            if mark.version > contents.VERSION:
                raise self._error(
                    f"was written by a newer version of Batchdeck (format {mark.version})",
                    "Update Batchdeck.",
                )
            self.manifest: ArchiveManifest = self._json(contents.MANIFEST, ArchiveManifest)
            self._check_manifest()
        except BaseException:
            self._zip.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._zip.close()

    def records(self) -> tuple[Job, list[BatchManifest]]:
        """The job and its batches.

        Raises:
            InputError: They are damaged, or do not belong together.
        """
        job = self._json(JOB_FILE, JobManifest).job
        if job.id != self.manifest.job or not _ID.fullmatch(job.id):
            raise self._damaged(JOB_FILE, "it is the record of another job")
        self._check_times(JOB_FILE, job)
        batches: list[BatchManifest] = []
        for batch_id in self.manifest.batches:
            name = batch_file(batch_id)
            found: BatchManifest = self._json(name, BatchManifest)
            self._check_batch(name, found.batch, job, batch_id)
            self._check_times(name, found.batch)
            if found.style not in READERS:
                raise self._damaged(name, f"{quoted(found.style)} is not a form of results")
            last = -1
            for begin, end in found.rows:
                if not last < begin <= end < job.counts.total:
                    raise self._damaged(name, "it names rows that the job does not have")
                last = end
            batches.append(found)
        return job, batches

    def _check_batch(self, name: str, batch: Batch, job: Job, batch_id: str) -> None:
        if batch.id != batch_id or batch.job_id != job.id:
            raise self._damaged(name, "it is the record of another batch")
        if batch.is_watched or batch.is_unsent:
            raise self._damaged(name, "it is the record of a batch that has not ended")

    def _check_times(self, name: str, record: Job | Batch) -> None:
        for field in record.__struct_fields__:
            at = getattr(record, field) if field.endswith("_at") else None
            if at is not None and not 0 <= at < LAST_SECOND:
                raise self._damaged(name, f"{field} is not a time")

    def read(self, name: str, kind: Any) -> Any:
        """The content of a small entry of JSON; ``None`` if there is none.

        Raises:
            InputError: It is damaged.
        """
        return self._json(name, kind) if name in self._infos else None

    def lines(self, name: str, kind: Any) -> Iterator[Any]:
        """The JSON lines of an entry, which may have any number of them.

        Raises:
            InputError: One is damaged.
        """
        if name not in self._infos:
            return
        decode = msgspec.json.Decoder(kind).decode
        with self._mapped(name), self._zip.open(self._infos[name]) as stream:
            for line in _bounded_lines(stream):
                yield decode(line)

    def unpack(self, folder: Path, progress: Progress = NO_PROGRESS) -> bool:
        """Write the files of the job into a folder, each compared with its checksum.

        Args:
            folder: An empty folder.
            progress: Told the bytes that were written; can stop the work.

        Returns:
            ``False`` if it was stopped.

        Raises:
            InputError: A file is damaged, or there is no room for them.
        """
        free = shutil.disk_usage(folder).free
        if self.manifest.size > free:
            raise self._error(
                f"unpacks to {size_text(self.manifest.size)}, and {size_text(free)} are free",
                "Free some disk space.",
            )
        done = 0
        for entry in self.manifest.files:
            digest = hashlib.sha256()
            size = 0
            target = None
            if is_job_file(entry.name):
                target = open(open_private(folder / entry.name), "wb")  # noqa: SIM115, PTH123
            try:
                with self._mapped(entry.name), self._zip.open(self._infos[entry.name]) as stream:
                    while block := stream.read(_BLOCK):
                        size += len(block)
                        if size > entry.bytes:
                            raise self._damaged(entry.name, "it is longer than it should be")
                        digest.update(block)
                        if target is not None:
                            target.write(block)
                        progress.update(done + size, self.manifest.size)
                        if progress.stopped:
                            return False
            finally:
                if target is not None:
                    target.close()
            if size != entry.bytes or digest.hexdigest() != entry.sha256:
                raise self._damaged(entry.name, "its checksum is another one")
            done += size
        return True

    def _checked_infos(self) -> dict[str, ZipInfo]:
        infos: dict[str, ZipInfo] = {}
        found = self._zip.infolist()
        if len(found) > contents.MOST_ENTRIES:
            raise self._error(f"has {len(found):,} entries, which no archive of a job has", "")
        for info in found:
            name = info.filename
            if name not in contents.RECORDS and not is_job_file(name):
                what = "does not belong into an archive of a job"
                raise self._error(f"has an entry {quoted(name, 60)}, which {what}", "")
            if name in infos:
                raise self._error(f"has two entries {quoted(name, 60)}", "")
            if info.flag_bits & _ENCRYPTED or info.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
                raise self._error("is encrypted, or packed in a way that is not supported", "")
            infos[name] = info
        if contents.MARK not in infos:
            what = "is a ZIP archive, but not one of a job"
            raise self._error(what, "`batchdeck export JOB -o FILE.batchdeck` writes those.")
        if contents.MANIFEST not in infos:
            raise self._error("has no manifest", _HINT)
        packed = sum(info.compress_size for info in found)
        unpacked = sum(info.file_size for info in found)
        length = self.path.stat().st_size
        if packed > length or unpacked > max(_FREE_BYTES, _MOST_RATIO * length):
            raise self._error(
                f"has {size_text(length)} and would unpack to {size_text(unpacked)}, as no archive"
                " of a job does",
                "Do not open it, unless you know who made it.",
            )
        return infos

    def _check_manifest(self) -> None:
        listed: dict[str, ArchiveEntry] = {entry.name: entry for entry in self.manifest.files}
        names = self._infos.keys() - {contents.MARK, contents.MANIFEST}
        if listed.keys() != names or len(listed) != len(self.manifest.files):
            other = sorted(listed.keys() ^ names)
            what = quoted(other[0], 60) if other else "an entry"
            raise self._error(f"does not agree with its manifest about {what}", _HINT)
        for entry in self.manifest.files:
            if self._infos[entry.name].file_size != entry.bytes:
                raise self._damaged(entry.name, "its size is another one")
        batches = {name.removesuffix(BATCH_ENDING) for name in names if BATCH_ENDING in name}
        if (
            not {REQUESTS, JOB_FILE} <= names
            or batches != set(self.manifest.batches)
            or len(batches) != len(self.manifest.batches)
        ):
            raise self._error("lacks a record of its job, its requests or a batch", _HINT)

    def _json(self, name: str, kind: Any) -> Any:
        with self._mapped(name):
            info = self._infos[name]
            if info.file_size > contents.MOST_RECORD_BYTES:
                raise self._damaged(name, "it is too large")
            with self._zip.open(info) as stream:
                data = stream.read(contents.MOST_RECORD_BYTES + 1)
            return msgspec.json.decode(data, type=kind)

    def _error(self, what: str, hint: str) -> InputError:
        return InputError(f"{self._name} {what}", hint, path=self.path)

    def _damaged(self, name: str, why: str) -> InputError:
        return self._error(f"is damaged: {quoted(name, 60)}: {why}", _HINT)

    @contextmanager
    def _mapped(self, name: str = "") -> Iterator[None]:
        """Errors of the parts of Python that read archives, as errors of this file."""
        try:
            yield
        except FileNotFoundError as error:
            raise self._error("does not exist", "") from error
        except (BadZipFile, LargeZipFile, EOFError, zlib.error, NotImplementedError) as error:
            if not name:
                what = "is not a whole archive: its end is missing or damaged"
                raise self._error(what, _HINT) from error
            raise self._damaged(name, str(error) or "it ends too early") from error
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise self._damaged(name, str(error)) from error
        except OSError as error:
            raise self._error(f"cannot be read: {error.strerror or error}", "") from error


def _bounded_lines(stream: IO[bytes]) -> Iterator[bytes]:
    while line := stream.readline(_BLOCK):
        if line.strip():
            yield line
