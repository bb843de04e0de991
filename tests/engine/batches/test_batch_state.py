"""What is true of a batch, from what its provider says and what its files are."""

from __future__ import annotations

from typing import Any

import pytest

from tui.core.jobs import BatchStatus, RemoteCounts
from tui.core.remote_batches import BatchIssue, FileState, FileVerdict, RemoteBatch, ResultSource
from tui.engine.batches.batch_state import (
    BatchEvidence,
    BatchState,
    believed_status,
    judge,
)

OUTPUT = ResultSource(kind="output", ref="out")
ERRORS = ResultSource(kind="errors", ref="err")


def remote(status: BatchStatus = BatchStatus.COMPLETED, **values: Any) -> RemoteBatch:
    return RemoteBatch(id="b", status=status, raw_status=status.value, **values)


def counts(total: int, completed: int | None, failed: int | None = 0) -> RemoteCounts:
    return RemoteCounts(total=total, completed=completed, failed=failed)


def file(state: FileState, kind: Any = "output", **values: Any) -> FileVerdict:
    return FileVerdict(kind=kind, ref="out" if kind == "output" else "err", state=state, **values)


WHOLE = file(FileState.WHOLE)


@pytest.mark.parametrize(
    ("evidence", "state"),
    [
        (BatchEvidence(remote(BatchStatus.IN_PROGRESS), 4, 0), BatchState.RUNNING),
        (BatchEvidence(remote(counts=counts(4, 4)), 4, 0), BatchState.LATE),
        (BatchEvidence(remote(counts=counts(4, 4)), 4, 0, looks=99), BatchState.LATE),
        (BatchEvidence(remote(counts=counts(4, 0, 4)), 4, 0, looks=5), BatchState.ENDED),
        (BatchEvidence(remote(), 4, 0), BatchState.LATE),
        (BatchEvidence(remote(), 4, 0, looks=8), BatchState.ENDED),
        (BatchEvidence(remote(BatchStatus.FAILED), 4, 0), BatchState.LATE),
        (BatchEvidence(remote(BatchStatus.FAILED), 4, 0, looks=2), BatchState.ENDED),
        (
            BatchEvidence(remote(BatchStatus.FAILED, issues=(BatchIssue(message="bad"),)), 4, 0),
            BatchState.ENDED,
        ),
        (BatchEvidence(remote(BatchStatus.EXPIRED, counts=counts(4, 2)), 4, 0), BatchState.LATE),
        (BatchEvidence(remote(results=(OUTPUT,)), 4, 0), BatchState.ENDED),
        (BatchEvidence(remote(results=(OUTPUT,)), 4, 3, [WHOLE]), BatchState.LATE),
        (BatchEvidence(remote(results=(OUTPUT,)), 4, 3, [WHOLE], looks=4), BatchState.ENDED),
        (
            BatchEvidence(remote(results=(OUTPUT,), counts=counts(4, 2)), 4, 2, [WHOLE]),
            BatchState.LATE,
        ),
        (
            BatchEvidence(remote(results=(OUTPUT,), counts=counts(4, 3, 1)), 4, 4, [WHOLE]),
            BatchState.ENDED,
        ),
        (
            BatchEvidence(remote(results=(OUTPUT,), counts=counts(4, 4)), 4, 3, [WHOLE]),
            BatchState.LATE,
        ),
        (
            BatchEvidence(remote(results=(OUTPUT,)), 4, 0, [file(FileState.UNREADABLE)], looks=99),
            BatchState.UNREADABLE,
        ),
        (
            BatchEvidence(remote(results=(OUTPUT,)), 4, 0, [file(FileState.CUT)], looks=99),
            BatchState.LATE,
        ),
        (
            BatchEvidence(remote(results=(OUTPUT,)), 4, 0, [file(FileState.ABSENT)], looks=99),
            BatchState.LATE,
        ),
        (
            BatchEvidence(
                remote(results=(OUTPUT, ERRORS)),
                4,
                4,
                [WHOLE, file(FileState.ABSENT, "errors")],
            ),
            BatchState.ENDED,
        ),
        (
            BatchEvidence(
                remote(results=(OUTPUT, ERRORS), counts=counts(4, 3, 1)),
                4,
                3,
                [WHOLE, file(FileState.ABSENT, "errors")],
                looks=1,
            ),
            BatchState.LATE,
        ),
        (
            BatchEvidence(
                remote(results=(OUTPUT,)),
                4,
                0,
                [file(FileState.ABSENT)],
                results_deleted=True,
            ),
            BatchState.ENDED,
        ),
    ],
)
def test_a_verdict(evidence: BatchEvidence, state: BatchState) -> None:
    assert judge(evidence).state is state


def test_answers_that_the_provider_counts_and_no_file_has_are_told() -> None:
    batch = remote(results=(OUTPUT,), counts=counts(20, 20))
    seen = [judge(BatchEvidence(batch, 20, 8, [WHOLE], looks=looks)) for looks in range(6)]
    assert [verdict.state for verdict in seen].index(BatchState.ENDED) == 4
    assert seen[-1].answers_lost == 12
    assert "lack 12 rows" in seen[0].reason


def test_rows_that_the_provider_failed_without_a_line_are_no_lost_answers() -> None:
    batch = remote(results=(OUTPUT,), counts=counts(20, 18, 2))
    verdict = judge(BatchEvidence(batch, 20, 18, [WHOLE], looks=9))
    assert (verdict.state, verdict.answers_lost) == (BatchState.ENDED, 0)


def test_a_page_is_no_sign_that_the_results_are_deleted() -> None:
    batch = remote(results=(OUTPUT,), counts=counts(4, 4))
    page = FileVerdict(kind="output", ref="f", state=FileState.UNREADABLE, reason="a web page")
    gone = FileVerdict(kind="output", ref="f", state=FileState.ABSENT, status=404)
    for file, state in ((page, BatchState.UNREADABLE), (gone, BatchState.ENDED)):
        assert judge(BatchEvidence(batch, 4, 0, [file], results_deleted=True)).state is state


def test_lines_with_ids_that_were_not_sent_are_told() -> None:
    others = FileVerdict(kind="output", ref="f", state=FileState.WHOLE, lines=20, unknown=20)
    batch = remote(results=(OUTPUT,), counts=counts(20, 20))
    assert (
        "20 lines with ids that were not sent"
        in judge(BatchEvidence(batch, 20, 0, [others])).reason
    )


@pytest.mark.parametrize("word", [BatchStatus.IN_PROGRESS, BatchStatus.VALIDATING])
def test_a_word_that_says_that_it_runs_may_be_stale(word: BatchStatus) -> None:
    values: dict[str, Any] = {"results": (OUTPUT,), "counts": counts(4, 3, 1)}
    assert believed_status(remote(word, **values)).status is word
    assert believed_status(remote(word, **values, ended_at=5.0)).status is BatchStatus.COMPLETED
    few = {**values, "counts": counts(4, 3)}
    assert believed_status(remote(word, **few, ended_at=5.0)).status is word


@pytest.mark.parametrize(
    ("values", "believed"),
    [
        ({"results": (OUTPUT,), "counts": counts(4, 3, 1)}, BatchStatus.COMPLETED),
        ({"results": (OUTPUT,), "ended_at": 5.0}, BatchStatus.COMPLETED),
        ({"results": (OUTPUT,), "counts": counts(4, 2), "ended_at": 5.0}, BatchStatus.UNKNOWN),
        ({"counts": counts(4, 4)}, BatchStatus.UNKNOWN),
        ({"issues": (BatchIssue(message="bad file"),)}, BatchStatus.FAILED),
        (
            {"issues": (BatchIssue(message="a warning"),), "counts": counts(4, 1)},
            BatchStatus.UNKNOWN,
        ),
        ({}, BatchStatus.UNKNOWN),
    ],
)
def test_an_unknown_word_ends_when_everything_else_says_so(
    values: dict[str, Any], believed: BatchStatus
) -> None:
    batch = believed_status(remote(BatchStatus.UNKNOWN, **values))
    assert batch.status is believed
    assert batch.raw_status == "unknown"
    assert not any(source.growing for source in batch.results)


def test_completed_with_nothing_finished_is_looked_at_again() -> None:
    """The two contradict each other: the counts, or the files, come later."""
    remote_batch = remote(counts=counts(4, 0))
    states = [judge(BatchEvidence(remote_batch, 4, 0, looks=looks)).state for looks in range(6)]
    assert states == [BatchState.LATE] * 5 + [BatchState.ENDED]
