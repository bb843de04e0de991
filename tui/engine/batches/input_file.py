"""The input file of a batch: the job's requests file, or one of its own."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

from tui.core.jobs import Batch, Job
from tui.core.requests import edit_request
from tui.engine.context import Context
from tui.errors import HistoryError, UsageError
from tui.files import atomic_file
from tui.providers.dialect import Dialect

_DOCTOR_HINT = "Nothing was sent. Run `batchdeck doctor` to check the history."
_BLANKS = (b" ", b"\t")
_COPY_BYTES = 1 << 20


async def input_file(context: Context, dialect: Dialect, job: Job, batch: Batch) -> Path:
    """The input file of a batch in the dialect's format; written if it does not exist.

    Raises:
        HistoryError: The job's requests file changed after it was checked.
        UsageError: A request cannot be expressed in the dialect.
    """
    requests = context.history.jobs.requests_file(job.id)
    whole = batch.attempt == 1 and batch.rows == job.counts.total and not batch.edits
    if dialect.capabilities.runs_locally or (whole and dialect.passes_through):
        return await asyncio.to_thread(_unchanged, requests, job.size)
    path = requests.with_name(f"{batch.id}.input.jsonl")
    if not path.exists():
        await asyncio.to_thread(_write_input, context, dialect, job, batch, path)
    return path


def _write_input(context: Context, dialect: Dialect, job: Job, batch: Batch, path: Path) -> None:
    history = context.history
    seqs = history.batches.rows_in(batch)
    lines = (edit_request(line, batch.edits) for _, line in history.rows.requests(job.id, seqs))
    try:
        with atomic_file(path, HistoryError) as stream:
            for line in lines:
                stream.write(dialect.encode_line(line))
                stream.write(b"\n")
    except ValueError as error:
        raise UsageError(str(error), "Nothing was sent.") from None


def _unchanged(path: Path, size: int) -> Path:
    """The job's requests file, if it still has the size that was checked.

    Raises:
        HistoryError: It has another size, or cannot be read.
    """
    try:
        actual = path.stat().st_size
    except OSError as error:
        raise HistoryError(f"{path} cannot be read: {error.strerror}", _DOCTOR_HINT) from error
    if actual != size:
        raise HistoryError(
            f"{path} was changed: {actual:,} bytes instead of {size:,}", _DOCTOR_HINT
        )
    return path


def with_mark(path: Path, batch_id: str) -> Path:
    """A copy of an input file whose bytes no other batch has: blanks behind its first line.

    The blanks spell the batch's id; JSON allows them between a value and the end of the line.
    """
    bits = "".join(f"{byte:08b}" for byte in batch_id.encode())
    mark = b"".join(_BLANKS[int(bit)] for bit in bits)
    marked = path.with_name(f"{batch_id}.input.jsonl")
    with path.open("rb") as source, atomic_file(marked, HistoryError) as copy:
        copy.write(source.readline().rstrip(b"\r\n") + mark + b"\n")
        shutil.copyfileobj(source, copy, _COPY_BYTES)
    return marked
