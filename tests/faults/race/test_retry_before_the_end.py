"""Rows that are retried before their first batch is settled belong to the retry."""

from __future__ import annotations

from tests.store.bench import Desk, line
from tui.core.jobs import Batch, new_batch_id
from tui.core.rows import Outcome, RowError
from tui.paths import Paths
from tui.store.batches import NewBatch


def test_the_end_of_the_first_batch_does_not_change_retried_rows(paths: Paths) -> None:
    desk = Desk(paths)
    job = desk.job(["a", "b", "c"])
    first = desk.batch(job)
    desk.results(first, [line("a"), line("b", Outcome.FAILED)])
    again = Batch(id=new_batch_id(), job_id=job, account="sandbox", attempt=2, created_at=1.0)
    desk.history.batches.begin_retry([NewBatch(again, [1])], 1.0)
    error = RowError(code="missing", message="No result line for this row", retryable=True)
    # Row b is on its way in the retry; only of c the first batch said nothing.
    assert len(desk.history.batches.pending_rows(first)) == 1
    assert desk.history.batches.finish_remaining(first, Outcome.MISSING, error, "missing") == 1
    assert desk.outcomes(job) == {
        "a": Outcome.SUCCEEDED,
        "b": Outcome.PENDING,
        "c": Outcome.MISSING,
    }
    desk.adds_up(job)
    desk.history.close()
