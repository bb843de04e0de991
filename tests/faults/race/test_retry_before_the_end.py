"""Rows that are sent again before their first batch is settled belong to the retry alone."""

from __future__ import annotations

from tests.store.bench import Desk, line
from tui.core.ids import new_batch_id
from tui.core.jobs import Batch
from tui.core.outcome import Outcome
from tui.core.rows import RowError
from tui.paths import Paths
from tui.store.batches import begin_retry, give_up_rows, pending_in


def test_the_end_of_the_first_batch_leaves_rows_that_were_sent_again(paths: Paths) -> None:
    desk = Desk(paths)
    job = desk.job(["a", "b", "c"])
    first = desk.batch(job)
    desk.results(first, [line("a"), line("b", Outcome.FAILED)])
    again = Batch(id=new_batch_id(), job_id=job, account="sandbox", attempt=2, created_at=1.0)
    begin_retry(desk.database, [(again, [1])], 1.0)
    error = RowError(code="missing", message="No result line speaks of this row", retryable=True)
    # Row b is on its way in the retry; only of c the first batch said nothing.
    assert pending_in(desk.database, first) == 1
    assert give_up_rows(desk.database, first, Outcome.MISSING, error, "missing") == 1
    assert desk.outcomes(job) == {
        "a": Outcome.SUCCEEDED,
        "b": Outcome.PENDING,
        "c": Outcome.MISSING,
    }
    desk.adds_up(job)
    desk.history.close()
