"""Open the rows of a job as the source of the next job: ``job:reviews``."""

from __future__ import annotations

from tui.compose.sources.base import Source
from tui.core.formatting import counted
from tui.core.jobs import JOB_PREFIX, Job
from tui.core.query import RowFilter, RowSelection, query_filter
from tui.core.rows import ANSWERED, RowOrigin
from tui.core.text import quoted
from tui.errors import InputError, UnknownJobError
from tui.progress import NO_PROGRESS, Progress
from tui.store.history import History

_ANSWERED_ROWS = RowFilter(outcomes=ANSWERED)


def open_job_spec(
    history: History, spec: str, where: str = "", progress: Progress = NO_PROGRESS
) -> Source:
    """Open the rows of a job as a source; call it in a thread.

    Args:
        history: The jobs.
        spec: ``job:`` and the name or id of a job; after ``::`` a query. ``+`` and another job
            join the answers of that job by ``custom_id``.
        where: One more query.
        progress: Stops the search for the rows.

    Raises:
        UnknownJobError: There is no such job.
        UsageError: The query is not valid.
        InputError: No row is left.
    """
    reference, _, query = spec.removeprefix(JOB_PREFIX).partition("::")
    query = f"{query.strip()} {where.strip()}".strip()
    job, other = _jobs(history, reference.strip())
    rows = query_filter(query) if query else _ANSWERED_ROWS
    selection = history.rows.select(job.id, rows, progress=progress)
    return open_rows(history, job, selection, where=query, other=other)


def open_rows(
    history: History,
    job: Job,
    selection: RowSelection,
    *,
    where: str = "",
    other: Job | None = None,
) -> Source:
    """Rows of a job as a source; see ``JobTable`` for the columns.

    Args:
        history: The jobs.
        job: The job.
        selection: The rows, in order.
        where: The query that selected them, or words for it; empty for all answered rows.
        other: The job whose answers are joined.

    Raises:
        InputError: There are no rows.
    """
    if not selection.seqs:
        raise InputError(
            f"job {quoted(job.name)} has no {'such rows' if where else 'answers'}",
            "Use another query." if where else "Wait for its results, or add a query.",
        )
    table = history.rows.table(job.id, selection.seqs, None if other is None else other.id)
    left_out = selection.total - len(selection)
    notes = [f"rows of job {job.id}"]
    if other is not None:
        notes.append(f"joined with job {other.id}")
    if left_out:
        why = "not selected" if where else "without an answer"
        notes.append(f"{counted(left_out, 'row')} {why}")
    return Source(
        name=f"{JOB_PREFIX}{job.name}" + (f"+{other.name}" if other is not None else ""),
        kind="table",
        columns=table.columns,
        open_rows=table.rows,
        count=len(selection),
        exact=True,
        notes=tuple(notes),
        ids="custom_id",
        origin=RowOrigin(
            job=job.id, name=job.name, where=where, other="" if other is None else other.id
        ),
    )


def _jobs(history: History, reference: str) -> tuple[Job, Job | None]:
    """The job of a reference, and the one after a ``+``."""
    try:
        return history.jobs.find(reference), None
    except UnknownJobError:
        for place, character in enumerate(reference):
            if character == "+":
                try:
                    first = history.jobs.find(reference[:place].strip())
                    return first, history.jobs.find(reference[place + 1 :].strip())
                except UnknownJobError:
                    continue
        raise
