"""Verdicts on the form of answers: found in the background, kept in a narrow file per job.

The file holds eight bytes for each row of the job: the verdict, and from which bytes of which
file it was found, so that an answer that came later is looked at again. It can be thrown away
at any time; the next check makes it anew.
"""

from __future__ import annotations

import mmap
import os
import sqlite3
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from tui.core.outcome import OUTCOMES
from tui.core.schemas import Schema
from tui.core.verdicts import Judge, Verdict
from tui.errors import HistoryError
from tui.paths import open_private
from tui.store.files import file_path
from tui.store.forms import may_ask_for_a_form
from tui.store.given import given_schema
from tui.store.history import History
from tui.store.importing import REQUESTS
from tui.store.jobs import job_pk

_PAGE = 500
_MANY = 2000
"""Rows from which on it is first asked whether there is anything to check."""

_CELL = 8
_OFFSET_BITS = 40
_VERDICT_BITS = 3

Stop = Callable[[], bool]
Progress = Callable[[int, int], None]

_SQL = (
    "SELECT q.seq, q.offset, q.length, r.outcome, r.file, r.offset, r.length, b.style, b.edits"
    " FROM requests q JOIN results r ON r.job=q.job AND r.seq=q.seq JOIN batches b ON b.pk=r.batch"
    " WHERE q.job=? AND q.seq IN ({marks})"
)


class Verdicts(msgspec.Struct, frozen=True, kw_only=True):
    """What a check found.

    ``each`` holds a byte for each row that was asked for, in that order, with its verdict;
    ``bad`` are the rows among them whose answer is not JSON or does not fit. ``stopped``: not
    all rows were looked at.
    """

    each: bytes
    bad: Sequence[int]
    counts: Mapping[Verdict, int]
    stopped: bool = False

    @property
    def checked(self) -> int:
        """Answers of which it is known whether they fit."""
        return sum(self.counts.get(v, 0) for v in (Verdict.FITS, Verdict.MISFITS, Verdict.NOT_JSON))

    @property
    def pass_rate(self) -> float | None:
        """The share of answers that fit; ``None`` when none was checked."""
        return self.counts.get(Verdict.FITS, 0) / self.checked if self.checked else None


def schema_verdicts(
    history: History,
    job_id: str,
    seqs: Sequence[int],
    schema: bytes | None = None,
    *,
    own: bool = False,
    stop: Stop | None = None,
    progress: Progress | None = None,
) -> Verdicts:
    """Check the answers of rows; call it in a thread.

    Answers that were checked before, and are the same still, are not read again.

    Args:
        history: Where the job is.
        job_id: The job.
        seqs: The rows, in the order in which bad ones are to be named.
        schema: The schema as JSON; without it the one that was given for the job, else each
            request's own.
        own: Each request's own counts, even if one was given for the job.
        stop: Asked between pages; what was found so far is the answer.
        progress: Called between pages with rows looked at and rows in all.

    Raises:
        SchemaError: The given schema cannot be used.
        HistoryError: A file of the history is not there any more.
    """
    if schema is None and not own:
        schema = given_schema(history.paths, job_id) or None
    if schema is None and len(seqs) >= _MANY and not may_ask_for_a_form(history, job_id, stop):
        nothing = {Verdict.NOTHING: len(seqs)}
        return Verdicts(each=bytes([Verdict.NOTHING]) * len(seqs), bad=array("q"), counts=nothing)
    judge = Judge(None if schema is None else Schema(schema))
    total = history.job(job_id).counts.total
    connection = history.database.read
    pk = job_pk(connection, job_id)
    each = bytearray()
    bad = array("q")
    folder = history.paths.job_folder(job_id)
    reader = _Lines(connection, history, job_id)
    stopped = False
    try:
        with _cells(folder / verdict_file(schema), total) as cells:
            for start in range(0, len(seqs), _PAGE):
                if stop is not None and stop():
                    stopped = True
                    break
                page = seqs[start : start + _PAGE]
                sql = _SQL.format(marks=",".join("?" * len(page)))
                rows = {row[0]: row for row in connection.execute(sql, (pk, *page))}
                for seq in page:
                    verdict = _verdict(rows.get(seq), judge, reader, cells)
                    each.append(verdict)
                    if verdict.is_bad:
                        bad.append(seq)
                if progress is not None:
                    progress(min(start + _PAGE, len(seqs)), len(seqs))
    finally:
        reader.close()
    counts = {Verdict(code): count for code, count in sorted(Counter(each).items())}
    return Verdicts(each=bytes(each), bad=bad, counts=counts, stopped=stopped)


def verdict_file(schema: bytes | None) -> str:
    """The name of the file that keeps the verdicts, for a given schema or the requests' own."""
    name = "own" if schema is None else blake2b(schema, digest_size=6).hexdigest()
    return f"verdicts-{name}.bin"


def _verdict(
    row: tuple[Any, ...] | None, judge: Judge, reader: _Lines, cells: memoryview
) -> Verdict:
    if row is None or row[4] is None:
        return Verdict.NOTHING
    seq, offset, length, outcome, file, result_offset, result_length, style, edits = row
    stamp = (file << _OFFSET_BITS | result_offset) << _VERDICT_BITS & (2**64 - 1)
    kept = cells[seq]
    if kept & ~7 == stamp and kept & 7:
        return Verdict(kept & 7)
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
    """The cells of a job's rows, in the file; a file of another size is made anew."""
    size = max(total, 1) * _CELL
    flags = os.O_RDWR
    try:
        descriptor = os.open(path, flags)
    except FileNotFoundError:
        os.close(open_private(path))
        descriptor = os.open(path, flags)
    try:
        if os.fstat(descriptor).st_size != size:
            os.ftruncate(descriptor, 0)
            os.ftruncate(descriptor, size)
        with mmap.mmap(descriptor, size) as mapped, memoryview(mapped) as whole:
            with whole.cast("Q") as cells:
                yield cells
            mapped.flush()
    except OSError as error:
        raise HistoryError(f"{path} cannot be used: {error.strerror}") from error
    finally:
        os.close(descriptor)


class _Lines:
    """Reads lines of a job's files by place."""

    def __init__(self, connection: sqlite3.Connection, history: History, job_id: str) -> None:
        self._connection = connection
        self._paths = history.paths
        self._job_id = job_id
        self._files: dict[int, BinaryIO] = {}

    def read(self, file: int, offset: int, length: int) -> bytes:
        stream = self._files.get(file)
        if stream is None:
            path = self._paths.job_folder(self._job_id) / REQUESTS
            if file:
                path = file_path(self._connection, self._paths, file)
            try:
                stream = path.open("rb", buffering=0)
            except OSError as error:
                raise HistoryError(f"{path} cannot be read: {error.strerror}") from error
            self._files[file] = stream
        stream.seek(offset)
        return stream.read(length)

    def close(self) -> None:
        for stream in self._files.values():
            stream.close()
