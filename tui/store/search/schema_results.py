"""Check answers against their JSON schemas; the results are cached in a file per schema."""

from __future__ import annotations

import errno
import mmap
import os
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from tui.core.results.schema import AnswerChecker, Schema, SchemaResult
from tui.core.rows import OUTCOMES
from tui.errors import HistoryError
from tui.paths import open_private
from tui.progress import NO_PROGRESS, Progress
from tui.store.database import chunked
from tui.store.job_folder import schema_of
from tui.store.job_records import JobData
from tui.store.rows.reader import LineReader

_FIELDS = (
    b'"response_format"', b'"format"', b'"output_config"', b'"output_format"', b'"guided_json"',
    b'"tools"',
)  # fmt: skip
"""Fields that ask for structured output, of all dialects; see ``tui.core.results.schema``."""

_WINDOW = 4 << 20
"""Bytes scanned at a time; takes a few milliseconds."""

_OVERLAP = max(map(len, _FIELDS)) - 1


def any_request_has_schema(data: JobData, progress: Progress = NO_PROGRESS) -> bool:
    """Whether requests may ask for structured output, in the file or by the edits of a retry.

    ``False`` is certain; ``True`` means that the requests have to be read to know.

    Args:
        data: The job.
        progress: Can stop the scan, which then returns ``True``.
    """
    edited = data.connection.execute(
        "SELECT 1 FROM batches WHERE job=? AND edits<>'{}' LIMIT 1", (data.pk,)
    ).fetchone()
    return edited is not None or _contains_any(data.requests, _FIELDS, progress)


def _contains_any(path: Path, needles: tuple[bytes, ...], progress: Progress) -> bool:
    try:
        with (
            path.open("rb") as stream,
            mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
        ):
            # In pieces: other threads cannot run during a search.
            for start in range(0, len(mapped), _WINDOW):
                if progress.stopped:
                    return True
                end = start + _WINDOW + _OVERLAP
                if any(mapped.find(needle, start, end) >= 0 for needle in needles):
                    return True
    except (OSError, ValueError):
        # An empty or unreadable file is left to the code that reads its lines.
        return True
    return False


_PAGE = 500
_MANY_ROWS = 2000
"""From this many rows on, first find out whether any request has a schema at all."""

_CELL_BYTES = 8
_OFFSET_BITS = 40
_VERDICT_BITS = 3

_SQL = (
    "SELECT q.seq, q.offset, q.length, r.outcome, r.file, r.offset, r.length, b.style, b.edits"
    " FROM requests q JOIN results r ON r.job=q.job AND r.seq=q.seq JOIN batches b ON b.pk=r.batch"
    " WHERE q.job=? AND q.seq IN ({marks})"
)


class SchemaResults(msgspec.Struct, frozen=True, kw_only=True):
    """Result of a schema check.

    ``each`` holds one byte per requested row, in that order, with its verdict; ``bad`` are the
    numbers of rows whose answer is not JSON or does not fit. ``stopped``: not all rows were
    checked.
    """

    each: bytes
    bad: Sequence[int]
    counts: Mapping[SchemaResult, int]
    stopped: bool = False

    @property
    def checked(self) -> int:
        """Number of answers that were checked against a schema."""
        return sum(
            self.counts.get(v, 0)
            for v in (SchemaResult.FITS, SchemaResult.MISFITS, SchemaResult.NOT_JSON)
        )

    @property
    def pass_rate(self) -> float | None:
        """Share of checked answers that fit, 0 to 1; ``None`` if none was checked."""
        return self.counts.get(SchemaResult.FITS, 0) / self.checked if self.checked else None


def check_schemas(
    data: JobData,
    seqs: Sequence[int],
    schema: bytes | None = None,
    *,
    own: bool = False,
    progress: Progress = NO_PROGRESS,
) -> SchemaResults:
    """Check the answers of rows against a JSON schema; call it in a thread.

    Answers that were checked before and have not changed are not read again.

    Args:
        data: The job.
        seqs: The row numbers; bad rows are returned in this order.
        schema: The schema as JSON; if ``None``, the one attached to the job, else each
            request's own.
        own: Use each request's own schema, even if one is attached to the job.
        progress: Told the rows checked and their total; can stop the check, which then returns
            the rows checked so far.

    Raises:
        SchemaError: The schema is not valid.
        HistoryError: A file of the history is missing.
    """
    if schema is None and not own:
        schema = schema_of(data.paths, data.id) or None
    if schema is None and len(seqs) >= _MANY_ROWS and not any_request_has_schema(data, progress):
        none_checked = {SchemaResult.NOTHING: len(seqs)}
        return SchemaResults(
            each=bytes([SchemaResult.NOTHING]) * len(seqs), bad=array("q"), counts=none_checked
        )
    judge = AnswerChecker(None if schema is None else Schema(schema))
    each = bytearray()
    bad = array("q")
    cache = data.requests.with_name(schema_cache_file(schema))
    reader = LineReader(data)
    stopped = False
    try:
        with _cells(cache, data.job.counts.total) as cells:
            for start in range(0, len(seqs), _PAGE):
                if progress.stopped:
                    stopped = True
                    break
                page = seqs[start : start + _PAGE]
                ((marks, part),) = chunked(page)
                sql = _SQL.format(marks=marks)
                rows = {row[0]: row for row in data.connection.execute(sql, (data.pk, *part))}
                for seq in page:
                    verdict = _verdict(rows.get(seq), judge, reader, cells)
                    each.append(verdict)
                    if verdict.is_bad:
                        bad.append(seq)
                progress.update(min(start + _PAGE, len(seqs)), len(seqs))
    finally:
        reader.close()
    counts = {SchemaResult(code): count for code, count in sorted(Counter(each).items())}
    return SchemaResults(each=bytes(each), bad=bad, counts=counts, stopped=stopped)


def schema_cache_file(schema: bytes | None) -> str:
    """Name of the cache file for a schema, or for the requests' own if it is ``None``."""
    # Loading it takes a while.
    from hashlib import blake2b

    name = "own" if schema is None else blake2b(schema, digest_size=6).hexdigest()
    return f"verdicts-{name}.bin"


def _verdict(
    row: tuple[Any, ...] | None, judge: AnswerChecker, reader: LineReader, cells: memoryview
) -> SchemaResult:
    if row is None or row[4] is None:
        return SchemaResult.NOTHING
    seq, offset, length, outcome, file, result_offset, result_length, style, edits = row
    stamp = (file << _OFFSET_BITS | result_offset) << _VERDICT_BITS & (2**64 - 1)
    cached = cells[seq]
    if cached & ~7 == stamp and cached & 7:
        return SchemaResult(cached & 7)
    verdict = judge.verdict(
        OUTCOMES[outcome],
        reader.read(0, offset, length),
        reader.read(file, result_offset, result_length),
        style,
        None if edits == "{}" else msgspec.json.decode(edits),
    )
    cells[seq] = stamp | verdict
    return verdict


@contextmanager
def _cells(path: Path, total: int) -> Iterator[memoryview]:
    """Map the cache file, one 64-bit cell per row; a file that is too short is extended.

    It is never made shorter: another thread or program may have it mapped, and would die.
    """
    size = max(total, 1) * _CELL_BYTES
    flags = os.O_RDWR
    try:
        descriptor = os.open(path, flags)
    except FileNotFoundError:
        os.close(open_private(path))
        descriptor = os.open(path, flags)
    try:
        if os.fstat(descriptor).st_size < size:
            _extend(descriptor, size)
        with mmap.mmap(descriptor, size) as mapped, memoryview(mapped) as whole:
            with whole.cast("Q") as cells:
                yield cells
            mapped.flush()
    except OSError as error:
        raise HistoryError(f"cannot use {path}: {error.strerror}") from error
    finally:
        os.close(descriptor)


def _extend(descriptor: int, size: int) -> None:
    """Make a file longer, by bytes of zero that the disk has room for.

    A page of a mapped file for which there is none ends the program when it is written to.
    """
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(descriptor, 0, size)
            return
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
                raise
    # This file system, or this system, cannot say.
    os.ftruncate(descriptor, size)
