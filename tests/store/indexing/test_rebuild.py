"""Records that are built anew: large files in a process of their own, with the same result."""

from __future__ import annotations

import pytest

from tests.store.bench import Desk, line
from tui.core.jobs import BatchStatus
from tui.core.rows import Outcome
from tui.store.indexing import child_process as process
from tui.store.indexing.child_process import FileIndexer
from tui.store.indexing.rebuild import ReindexResult
from tui.store.job_records import update_batch

ROWS = 30
OUTCOMES = (Outcome.SUCCEEDED, Outcome.FAILED, Outcome.TRUNCATED)


@pytest.fixture
def aided(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """For each file that was indexed, whether a process of its own did it."""
    seen: list[bool] = []
    close = FileIndexer.close

    def noted(indexer: FileIndexer) -> None:
        seen.append(indexer.has_child)
        close(indexer)

    monkeypatch.setattr(FileIndexer, "close", noted)
    return seen


def done_job(desk: Desk) -> str:
    """A job that has ended, with three outcomes, a line too many and a row without any."""
    job = desk.job([f"r{number}" for number in range(ROWS)])
    batch = desk.batch(job)
    told = [line(f"r{n}", OUTCOMES[n % 3], f"text {n}") for n in range(ROWS - 1)]
    desk.results(batch, [*told, b"no line"])
    with desk.database.write() as connection:
        update_batch(connection, batch.id, {"status": BatchStatus.COMPLETED, "collected": True})
    return job


def rebuilt(desk: Desk, job: str) -> ReindexResult:
    return desk.history.jobs.reindex(job, rules_of=lambda _: {"server_error": True}, now=200.0)


@pytest.mark.parametrize("large", [False, True], ids=["small", "large"])
def test_records_are_built_anew(
    desk: Desk, aided: list[bool], monkeypatch: pytest.MonkeyPatch, large: bool
) -> None:
    if large:
        monkeypatch.setattr(process, "_LARGE_BYTES", 1)
    job = done_job(desk)
    before = desk.rows(job)[: ROWS - 1]
    with desk.database.write() as connection:
        connection.execute("DELETE FROM results WHERE seq % 2")
        connection.execute("UPDATE results SET preview='damaged'")
    done = rebuilt(desk, job)
    assert aided == [large]
    assert (done.lines, done.without_result, done.missing) == (ROWS, 1, [])
    after = desk.rows(job)
    assert [(row.outcome, row.preview, row.length) for row in after[: ROWS - 1]] == [
        (row.outcome, row.preview, row.length) for row in before
    ]
    assert after[-1].outcome is Outcome.MISSING
    # The rules of the account reach the process as well.
    assert {row.error.retryable for row in after if row.error and row.error.code} == {True}
    assert desk.history.rows.orphan_lines(job).unreadable == 1
    desk.adds_up(job)


@pytest.mark.parametrize("is_priced", [False, True], ids=["no costs", "costs"])
def test_the_work_grows_with_the_rows(desk: Desk, is_priced: bool) -> None:
    """Counted by SQLite's own steps."""

    def steps(rows: int) -> int:
        job = desk.job([f"r{rows}-{number}" for number in range(rows)])
        batch = desk.batch(job)
        desk.results(batch, [line(f"r{rows}-{n}", Outcome.SUCCEEDED, "text") for n in range(rows)])
        with desk.database.write() as connection:
            update_batch(connection, batch.id, {"status": BatchStatus.COMPLETED, "collected": True})
            if is_priced:
                connection.execute("UPDATE results SET cost=0.001")
        taken = 0

        def count() -> None:
            nonlocal taken
            taken += 1

        with desk.database.write() as connection:
            connection.set_progress_handler(count, 100)
        rebuilt(desk, job)
        with desk.database.write() as connection:
            connection.set_progress_handler(None, 0)
            priced = connection.execute("SELECT count(*) FROM results WHERE cost=0.001").fetchone()
            connection.execute("DELETE FROM results")
        assert priced[0] == (rows if is_priced else 0)
        return taken

    assert steps(2000) < 5 * steps(500)
