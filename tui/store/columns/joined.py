"""Columns of another job with the same ids: the scores of a judge, answers of another model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tui.core.analysis.columns import Column, ColumnKind, fields_of
from tui.core.jobs import Job
from tui.store.columns.answers import read_some
from tui.store.database import chunked
from tui.store.job_records import JobData, find_job, read_jobs
from tui.store.rows.inputs import InputColumns
from tui.store.rows.lookup import find_row_numbers
from tui.store.rows.reader import RowReader

_PAGE = 500
_MOST_LATER = 200
"""Newest jobs that are asked whether they were made of the rows of a job."""

_MOST_JOBS = 5
_SAMPLE = 20
_MOST_FIELDS = 20


def joined_job(data: JobData, column: Column) -> JobData:
    """The other job of a joined column, for the thread of ``data``.

    Raises:
        UnknownJobError: There is no such job, or several have its name.
    """
    return JobData(data.connection, data.paths, find_job(data.connection, column.job).id)


def read_joined(data: JobData, column: Column, seqs: Sequence[int]) -> Iterator[tuple[int, Any]]:
    """The answers, or fields of them, that another job gives to rows with the same id."""
    other = joined_job(data, column)
    for start in range(0, len(seqs), _PAGE):
        page = seqs[start : start + _PAGE]
        ids = _ids(data, page)
        rows = find_row_numbers(other.connection, other.pk, list(ids.values()))
        numbers = [rows.get(ids.get(seq, ""), -1) for seq in page]
        yield from zip(page, read_some(other, numbers, column.name), strict=True)


def _ids(data: JobData, seqs: Sequence[int]) -> dict[int, str]:
    found: dict[int, str] = {}
    for marks, part in chunked(seqs):
        sql = f"SELECT seq, custom_id FROM requests WHERE job=? AND seq IN ({marks})"
        found.update(data.connection.execute(sql, (data.pk, *part)).fetchall())
    return found


def joined_columns(data: JobData) -> list[Column]:
    """Columns of the jobs that were made of the rows of this one, such as judges; newest first."""
    found: list[Column] = []
    jobs = [job for job in _later_jobs(data) if _is_made_of(data, job)]
    for job in jobs[:_MOST_JOBS]:
        name = job.name if sum(job.name == other.name for other in jobs) == 1 else job.id
        paths: dict[str, None] = {}
        with RowReader(JobData(data.connection, data.paths, job.id)) as reader:
            for line in reader.lines(range(min(_SAMPLE, job.counts.total))):
                paths.update(dict.fromkeys(fields_of(line.data, _MOST_FIELDS)))
        for path in list(paths)[:_MOST_FIELDS] or [""]:
            found.append(Column(ColumnKind.JOINED, path, name))
    return found


def _later_jobs(data: JobData) -> list[Job]:
    newest = "pk IN (SELECT pk FROM jobs WHERE pk>? ORDER BY pk DESC LIMIT ?)"
    return read_jobs(data.connection, newest, (data.pk, _MOST_LATER))


def _is_made_of(data: JobData, job: Job) -> bool:
    with InputColumns(data.paths, job.id) as inputs:
        return inputs.origin is not None and inputs.origin.job == data.id
