"""A history on a desk: jobs without a provider, result files written by hand."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from tui.core.jobs import (
    Batch,
    BatchStatus,
    Counts,
    ErrorGroup,
    Job,
    Submission,
    new_batch_id,
    new_job_id,
)
from tui.core.rows import NOT_SUCCEEDED, OUTCOME_CODES, Outcome, Row
from tui.paths import Paths
from tui.store.history import History
from tui.store.indexing.indexer import ResultIndexer
from tui.store.job_folder import ResultFile
from tui.store.job_records import JobData, insert_batch, job_pk, refresh_job, update_batch


def request(custom_id: str, text: str = "hello") -> bytes:
    body = {"model": "m", "messages": [{"role": "user", "content": text}]}
    return json.dumps(
        {"custom_id": custom_id, "method": "POST", "url": "/v1/chat/completions", "body": body}
    ).encode()


def line(
    custom_id: str, outcome: Outcome = Outcome.SUCCEEDED, text: str = "", **usage: int
) -> bytes:
    """A result line with an outcome; ``text`` is the answer, or the message of the error."""
    value: dict[str, Any] = {"id": "r", "custom_id": custom_id, "response": None, "error": None}
    codes = {Outcome.EXPIRED: "batch_expired", Outcome.CANCELLED: "batch_cancelled"}
    if outcome in codes:
        value["error"] = {"code": codes[outcome], "message": text}
    elif outcome is Outcome.FAILED:
        error = {"code": "server_error", "message": text or "boom"}
        value["response"] = {"status_code": 500, "body": {"error": error}}
    else:
        finish = {Outcome.TRUNCATED: "length", Outcome.REFUSED: "content_filter"}
        choice = {"message": {"content": text}, "finish_reason": finish.get(outcome, "stop")}
        body = {"model": "m", "choices": [choice], "usage": usage or None}
        value["response"] = {"status_code": 200, "body": body}
    return json.dumps(value).encode()


def belongs(row: Row, group: ErrorGroup) -> bool:
    """Is a row in a group: by its error, or by its outcome when it has none?"""
    if group.id >= 0:
        return row.error_group == group.id
    return row.error is None and OUTCOME_CODES[row.outcome] == -group.id


class Desk:
    """A history and short ways to fill it."""

    def __init__(self, paths: Paths) -> None:
        self.paths = paths
        self.history = History(paths)
        self.database = self.history._database

    def job(self, ids: Sequence[str], *, name: str = "job", text: str = "hello") -> str:
        job = Job(
            id=new_job_id(),
            name=name,
            account="sandbox",
            provider="sandbox",
            endpoint="/v1/chat/completions",
            model="m",
            status=BatchStatus.DRAFT,
            counts=Counts(),
            created_at=100.0,
        )
        lines = ((custom_id, request(custom_id, text)) for custom_id in ids)
        assert self.history.jobs.add(job, lines) is not None
        return job.id

    def batch(self, job_id: str, seqs: Iterable[int] | None = None, *, attempt: int = 1) -> Batch:
        """A running batch of a span of rows, or of the rows that are named."""
        total = self.history.jobs.get(job_id).counts.total
        named = None if seqs is None else sorted(seqs)
        batch = Batch(
            id=new_batch_id(),
            job_id=job_id,
            account="sandbox",
            attempt=attempt,
            rows=total if named is None else len(named),
            first_seq=0 if named is None else None,
            last_seq=total - 1 if named is None else None,
            created_at=100.0,
        )
        with self.database.write() as connection:
            pk = job_pk(connection, job_id)
            number = insert_batch(connection, batch, pk)
            for seq in named or ():
                connection.execute("INSERT INTO batch_rows VALUES (?,?)", (number, seq))
            update_batch(
                connection,
                batch.id,
                {"submission": Submission.RUNNING, "status": BatchStatus.IN_PROGRESS},
            )
            refresh_job(connection, pk)
        return self.history.batches.get(batch.id)

    def data(self, job_id: str) -> JobData:
        return JobData(self.database.read, self.paths, job_id)

    def file(self, batch: Batch, kind: str = "output") -> ResultFile:
        return self.history.files.get(batch.id, kind)

    def write(self, batch: Batch, data: bytes, kind: str = "output") -> ResultFile:
        """Append bytes to a result file."""
        file = self.file(batch, kind)
        with file.path.open("ab") as stream:
            stream.write(data)
        return file

    def index(self, batch: Batch, kind: str = "output", *, complete: bool = False) -> int:
        return ResultIndexer(self.database, batch.id, self.file(batch, kind)).run(complete=complete)

    def results(self, batch: Batch, lines: Iterable[bytes], kind: str = "output") -> None:
        """Write and index whole lines."""
        self.write(batch, b"".join(one + b"\n" for one in lines), kind)
        self.index(batch, kind, complete=True)

    def rows(self, job_id: str) -> list[Row]:
        return self.history.rows.page(job_id, range(self.history.jobs.get(job_id).counts.total))

    def outcomes(self, job_id: str) -> dict[str, Outcome]:
        return {row.custom_id: row.outcome for row in self.rows(job_id)}

    def adds_up(self, job_id: str) -> Counts:
        """The counts of a job, after comparing them with its rows and its groups."""
        counts = self.history.jobs.get(job_id).counts
        rows = self.rows(job_id)
        assert len(rows) == counts.total
        for outcome in Outcome:
            assert counts.get(outcome) == sum(row.outcome is outcome for row in rows), outcome
        assert sum(counts.get(outcome) for outcome in Outcome) == counts.total
        groups = self.history.rows.error_groups(job_id)
        for group in groups:
            members = [row for row in rows if belongs(row, group)]
            assert group.count == len(members) > 0
            assert group.example_custom_id == members[0].custom_id
        assert sum(group.count for group in groups) == sum(
            row.outcome in NOT_SUCCEEDED for row in rows
        )
        return counts
