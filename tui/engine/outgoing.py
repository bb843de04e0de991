"""The file that a batch is sent as: the job's own where it can go as it is, else one for it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tui.core.editing import edit_request
from tui.core.jobs import Batch, Job
from tui.engine.context import Context
from tui.errors import HistoryError, UsageError
from tui.providers.base import Dialect
from tui.store.batches import rows_of
from tui.store.importing import REQUESTS
from tui.store.outgoing import write_input

_LOOK_OVER = "Nothing was sent. `batchdeck doctor` looks over the whole history."


async def file_to_send(context: Context, dialect: Dialect, job: Job, batch: Batch) -> Path:
    """The file of a batch in the form that the dialect sends; written where it is not there yet.

    Raises:
        HistoryError: The job's requests are not what was checked and confirmed.
        UsageError: A request cannot be said in the dialect.
    """
    folder = context.paths.job_folder(job.id)
    whole = batch.attempt == 1 and batch.rows == job.counts.total and not batch.edits
    if dialect.capabilities.runs_here or (whole and dialect.passes_through):
        return await asyncio.to_thread(_unchanged, folder / REQUESTS, job.size)
    path = folder / f"{batch.id}.input.jsonl"
    if not path.exists():
        await asyncio.to_thread(_write, context, dialect, job, batch, path)
    return path


def _write(context: Context, dialect: Dialect, job: Job, batch: Batch, path: Path) -> None:
    history = context.history
    if batch.first_seq is not None and batch.last_seq is not None:
        seqs: range | list[int] = range(batch.first_seq, batch.last_seq + 1)
    else:
        seqs = rows_of(history.database.read, batch.id)
    lines = (edit_request(line, batch.edits) for _, line in history.requests(job.id, seqs))
    try:
        write_input(path, lines, dialect.encode_line)
    except ValueError as error:
        raise UsageError(str(error), "Nothing was sent.") from None


def _unchanged(path: Path, size: int) -> Path:
    """The job's requests, if they are still what was checked and confirmed.

    Raises:
        HistoryError: They are not.
    """
    try:
        there = path.stat().st_size
    except OSError as error:
        raise HistoryError(f"{path} cannot be read: {error.strerror}", _LOOK_OVER) from error
    if there != size:
        raise HistoryError(f"{path} has {there:,} bytes and not {size:,} any more", _LOOK_OVER)
    return path
