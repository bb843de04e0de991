"""Attempts of a row: set aside, shown, given up, abandoned."""

from __future__ import annotations

import itertools

import pytest

from tests.store.bench import Desk, line
from tui.core.jobs import Batch, BatchStatus, Submission, new_batch_id
from tui.core.rows import Outcome, RowError, outcome_rank
from tui.errors import UsageError
from tui.store.batches import NewBatch
from tui.store.indexing.indexer import ResultIndexer
from tui.store.job_records import update_batch

GONE = RowError(code="missing", message="No result line for this row", retryable=True)


def retry(desk: Desk, job_id: str, seqs: list[int], attempt: int = 2) -> Batch:
    batch = Batch(
        id=new_batch_id(),
        job_id=job_id,
        account="sandbox",
        attempt=attempt,
        rows=len(seqs),
        created_at=200.0,
    )
    desk.history.batches.begin_retry([NewBatch(batch, seqs)], 200.0)
    return desk.history.batches.get(batch.id)


@pytest.fixture
def job(desk: Desk) -> str:
    """Four rows: one good, two failed, one truncated."""
    job = desk.job(["a", "b", "c", "d"])
    outcomes = (Outcome.SUCCEEDED, Outcome.FAILED, Outcome.FAILED, Outcome.TRUNCATED)
    desk.results(
        desk.batch(job), (line(i, o, "one") for i, o in zip("abcd", outcomes, strict=True))
    )
    return job


def test_a_retry_makes_its_rows_pending(desk: Desk, job: str) -> None:
    batch = retry(desk, job, [1, 3])
    assert desk.outcomes(job) == {
        "a": Outcome.SUCCEEDED,
        "b": Outcome.PENDING,
        "c": Outcome.FAILED,
        "d": Outcome.PENDING,
    }
    assert desk.adds_up(job).pending == 2
    assert desk.history.batches.rows_of(batch.id) == [1, 3]
    detail = desk.history.rows.get(job, 1)
    assert [attempt.row.attempt for attempt in detail.attempts] == [1]


@pytest.mark.parametrize(
    "second", [o for o in Outcome if o not in (Outcome.PENDING, Outcome.MISSING)]
)
@pytest.mark.parametrize("seq", [1, 3])
def test_the_better_answer_is_shown_and_the_newer_among_equals(
    desk: Desk, job: str, second: Outcome, seq: int
) -> None:
    first = desk.rows(job)[seq].outcome
    batch = retry(desk, job, [seq])
    desk.results(batch, [line("abcd"[seq], second, "two")])
    row = desk.rows(job)[seq]
    newer = outcome_rank(second) >= outcome_rank(first)
    assert (row.outcome, row.attempt) == ((second, 2) if newer else (first, 1))
    desk.adds_up(job)
    attempts = desk.history.rows.get(job, seq).attempts
    assert sorted(attempt.row.attempt for attempt in attempts) == [1, 2]
    assert attempts[0].row == row
    assert all(attempt.line for attempt in attempts)


def test_rows_that_are_on_their_way_are_not_sent_twice(desk: Desk, job: str) -> None:
    """A plan may be older than another retry of the same rows."""
    first = retry(desk, job, [1, 2])
    second = retry(desk, job, [2, 3], attempt=3)
    assert desk.history.batches.rows_of(first.id) == [1, 2]
    assert desk.history.batches.rows_of(second.id) == [3]
    assert second.rows == 1
    with pytest.raises(UsageError):
        retry(desk, job, [1, 2, 3], attempt=4)
    assert len(desk.history.batches.of_job(job)) == 3
    desk.adds_up(job)


def test_rows_of_a_running_job_are_not_sent_twice(desk: Desk) -> None:
    job = desk.job(["a"])
    desk.batch(job)
    with pytest.raises(UsageError):
        retry(desk, job, [0])


def test_an_abandoned_retry_gives_its_rows_back(desk: Desk, job: str) -> None:
    before = desk.rows(job)
    batch = retry(desk, job, [1, 2, 3])
    desk.history.batches.abandon_retry(batch.id, "refused", 300.0)
    assert desk.rows(job) == before
    desk.adds_up(job)
    after = desk.history.batches.get(batch.id)
    assert (after.submission, after.collected) == (Submission.REFUSED, True)
    assert desk.history.jobs.get(job).counts.pending == 0


def test_an_abandoned_part_gives_back_its_own_rows_only(desk: Desk, job: str) -> None:
    one, _ = retry(desk, job, [1]), retry(desk, job, [2])
    desk.history.batches.abandon_retry(one.id, "refused", 300.0)
    assert desk.outcomes(job)["b"] is Outcome.FAILED
    assert desk.outcomes(job)["c"] is Outcome.PENDING
    desk.adds_up(job)


def test_rows_without_a_line_are_given_up(desk: Desk) -> None:
    job = desk.job(["a", "b", "c"])
    batch = desk.batch(job)
    desk.results(batch, [line("b")])
    assert desk.history.batches.finish_remaining(batch, Outcome.MISSING, GONE, GONE.message) == 2
    assert desk.history.batches.finish_remaining(batch, Outcome.MISSING, GONE, GONE.message) == 0
    assert desk.outcomes(job) == {
        "a": Outcome.MISSING,
        "b": Outcome.SUCCEEDED,
        "c": Outcome.MISSING,
    }
    assert desk.adds_up(job).missing == 2
    row = desk.rows(job)[0]
    assert row.error == GONE
    (group,) = desk.history.rows.error_groups(job)
    assert (group.count, group.code, group.http_status, group.retryable) == (
        2,
        "missing",
        None,
        True,
    )


def test_a_line_that_comes_after_all_replaces_what_was_given_up(desk: Desk) -> None:
    job = desk.job(["a", "b"])
    batch = desk.batch(job)
    desk.history.batches.finish_remaining(batch, Outcome.MISSING, GONE, "")
    desk.results(batch, [line("b", Outcome.FAILED), line("b"), line("a")])
    assert set(desk.outcomes(job).values()) == {Outcome.SUCCEEDED}
    assert desk.adds_up(job).missing == 0
    assert desk.history.rows.orphan_lines(job).duplicate == 1
    assert len(desk.history.rows.get(job, 0).attempts) == 1


def test_only_the_rows_of_a_retry_are_given_up(desk: Desk, job: str) -> None:
    batch = retry(desk, job, [1, 3])
    assert desk.history.batches.finish_remaining(batch, Outcome.EXPIRED, GONE, "") == 2
    # An expired attempt is as bad as a failed one and newer; a truncated answer is better.
    assert desk.outcomes(job) == {
        "a": Outcome.SUCCEEDED,
        "b": Outcome.EXPIRED,
        "c": Outcome.FAILED,
        "d": Outcome.TRUNCATED,
    }
    desk.adds_up(job)


def test_only_the_part_of_a_job_is_given_up(desk: Desk) -> None:
    job = desk.job(["a", "b", "c", "d"])
    batch = desk.batch(job)
    with desk.database.write() as connection:
        connection.execute("UPDATE batches SET first_seq=1, last_seq=2")
    desk.history.batches.finish_remaining(
        desk.history.batches.get(batch.id), Outcome.MISSING, GONE, ""
    )
    assert [row.outcome for row in desk.rows(job)] == [
        Outcome.PENDING,
        Outcome.MISSING,
        Outcome.MISSING,
        Outcome.PENDING,
    ]
    desk.adds_up(job)


def test_a_late_line_of_the_first_attempt_leaves_a_retried_row_waiting(desk: Desk) -> None:
    job = desk.job(["a"])
    first = desk.batch(job)
    desk.results(first, [line("a", Outcome.FAILED)])
    second = retry(desk, job, [0])
    desk.results(first, [line("a", Outcome.FAILED)], "errors")
    assert desk.outcomes(job) == {"a": Outcome.PENDING}
    assert desk.history.rows.orphan_lines(job).duplicate == 1
    desk.results(second, [line("a")])
    assert desk.outcomes(job) == {"a": Outcome.SUCCEEDED}
    desk.adds_up(job)


def test_a_file_fetched_again_leaves_a_retried_row_waiting(desk: Desk) -> None:
    job = desk.job(["a", "b"])
    first = desk.batch(job)
    desk.results(first, [line("a", Outcome.FAILED), line("b")])
    second = retry(desk, job, [0])
    desk.history.files.start_over(desk.file(first))
    desk.file(first).path.unlink()
    assert desk.adds_up(job).pending == 2
    desk.results(first, [line("b"), line("a", Outcome.FAILED, "again")])
    assert desk.outcomes(job) == {"a": Outcome.PENDING, "b": Outcome.SUCCEEDED}
    assert desk.history.rows.orphan_lines(job).duplicate == 0
    desk.results(second, [line("a", Outcome.FAILED, "two")])
    attempts = desk.history.rows.get(job, 0).attempts
    assert [attempt.row.preview for attempt in attempts] == ["two", "again"]
    assert b"again" in attempts[1].line
    desk.adds_up(job)


def test_of_equal_lines_of_a_row_the_first_counts(desk: Desk) -> None:
    """Also where lines that are alike in other ways are stored together."""
    job = desk.job(["a", "b"])
    batch = desk.batch(job)
    other = line("b", text="first").replace(b'"model": "m"', b'"model": "k"')
    desk.results(batch, [line("a"), other, line("b", text="second")])
    row = desk.rows(job)[1]
    assert (row.preview, row.model) == ("first", "k")
    assert desk.history.rows.orphan_lines(job).duplicate == 1
    desk.adds_up(job)


def test_a_file_that_repeats_rows_of_others_speaks_only_of_its_own(desk: Desk) -> None:
    """A provider that runs rows again in place sends the file of the whole batch once more."""
    job = desk.job(["a", "b"])
    first = [line("a"), line("b", Outcome.FAILED)]
    desk.results(desk.batch(job), first)
    second = retry(desk, job, [1])
    file = desk.write(second, line("a", text="repeated") + b"\n" + line("b") + b"\n")
    only = frozenset(desk.history.batches.rows_of(second.id))
    ResultIndexer(desk.database, second.id, file, only=only).run(complete=True)
    assert [len(desk.history.rows.get(job, seq).attempts) for seq in (0, 1)] == [1, 2]
    assert set(desk.outcomes(job).values()) == {Outcome.SUCCEEDED}
    desk.adds_up(job)


def test_a_row_that_moves_from_the_errors_to_the_output(desk: Desk) -> None:
    """Doubleword repeats rows in place: the output grows, the errors shrink."""
    job = desk.job(["a", "b"])
    batch = desk.batch(job)
    desk.results(batch, [line("b")])
    desk.results(batch, [line("a", Outcome.FAILED)], "errors")
    desk.results(batch, [line("a")])
    assert desk.outcomes(job) == {"a": Outcome.SUCCEEDED, "b": Outcome.SUCCEEDED}
    desk.history.files.start_over(desk.file(batch, "errors"))
    desk.file(batch, "errors").path.write_bytes(b"")
    desk.index(batch, "errors", complete=True)
    assert desk.outcomes(job) == {"a": Outcome.SUCCEEDED, "b": Outcome.SUCCEEDED}
    assert desk.history.rows.orphan_lines(job).duplicate == 0
    desk.adds_up(job)


@pytest.mark.parametrize("order", itertools.permutations([0, 1, 2]))
def test_three_attempts_in_any_order(desk: Desk, order: tuple[int, ...]) -> None:
    job = desk.job(["a"])
    batches = [desk.batch(job, None if n == 0 else [0], attempt=n + 1) for n in range(3)]
    outcomes = [Outcome.FAILED, Outcome.SUCCEEDED, Outcome.SUCCEEDED]
    for number in order:
        desk.results(batches[number], [line("a", outcomes[number])])
        desk.adds_up(job)
    assert desk.rows(job)[0].attempt == 3
    assert len(desk.history.rows.get(job, 0).attempts) == 3


def test_the_status_of_a_job_follows_its_batches(desk: Desk) -> None:
    job = desk.job(["a", "b"])
    one, two = desk.batch(job), desk.batch(job, [1], attempt=2)

    def set_to(batch: Batch, status: BatchStatus, ended: float | None = None) -> None:
        with desk.database.write() as connection:
            update_batch(connection, batch.id, {"status": status, "ended_at": ended})

    assert desk.history.jobs.get(job).status is BatchStatus.IN_PROGRESS
    set_to(one, BatchStatus.COMPLETED, 7.0)
    assert desk.history.jobs.get(job).status is BatchStatus.IN_PROGRESS
    assert desk.history.jobs.get(job).ended_at is None
    set_to(two, BatchStatus.FAILED, 9.0)
    assert desk.history.jobs.get(job).status is BatchStatus.COMPLETED
    assert desk.history.jobs.get(job).ended_at == 9.0
