"""Plans and reads that another program has overtaken."""

from __future__ import annotations

import pytest

from tests.store.bench import Desk, line
from tui.core.jobs import Batch, new_batch_id
from tui.core.rows import Outcome
from tui.errors import HistoryError, UsageError
from tui.paths import Paths
from tui.store.batches import NewBatch
from tui.store.indexing.indexer import ResultIndexer


def retry(job: str, attempt: int = 2) -> Batch:
    return Batch(id=new_batch_id(), job_id=job, account="sandbox", attempt=attempt, created_at=1.0)


def test_a_plan_made_before_another_retry_ended_sends_nothing_twice(paths: Paths) -> None:
    desk = Desk(paths)
    job = desk.job(["a", "b", "c"])
    desk.results(desk.batch(job), [line(i, Outcome.FAILED) for i in "abc"])
    faster, late = retry(job), retry(job)
    desk.history.batches.begin_retry([NewBatch(faster, [0, 1])], 1.0)
    desk.results(desk.history.batches.get(faster.id), [line("a"), line("b", Outcome.FAILED)])
    # Planned for all three when all had failed; a is good by now, b has just been tried.
    desk.history.batches.begin_retry([NewBatch(late, [0, 1, 2])], 1.0)
    assert desk.history.batches.rows_of(late.id) == [2]
    with pytest.raises(UsageError, match="already been retried"):
        desk.history.batches.begin_retry([NewBatch(retry(job), [0, 1])], 1.0)
    # Planned after it, the same rows may be sent.
    desk.history.batches.begin_retry([NewBatch(retry(job, 3), [1])], 1.0)
    desk.history.close()


def test_two_readers_of_one_file_count_its_lines_once(paths: Paths) -> None:
    desk = Desk(paths)
    job = desk.job(["a", "b"])
    batch = desk.batch(job)
    file = desk.write(batch, line("a") + b"\n")
    slow = ResultIndexer(desk.database, batch.id, file)
    assert ResultIndexer(desk.database, batch.id, file).run(complete=False) == 1
    with pytest.raises(HistoryError, match="at the same time"):
        slow.run(complete=False)
    assert desk.history.rows.orphan_lines(job).duplicate == 0
    assert desk.file(batch).lines == 1
    assert desk.adds_up(job).succeeded == 1
    desk.history.close()
