from __future__ import annotations

import itertools

import pytest

from tui.core.counts import Counts, RemoteCounts
from tui.core.outcome import ANSWERED, NOT_GOOD, OUTCOME_CODES, OUTCOMES, UNANSWERED, Outcome, rank
from tui.core.status import TERMINAL, BatchStatus, is_terminal, job_status, status_words

S = BatchStatus


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ([], S.DRAFT),
        ([S.COMPLETED, S.COMPLETED], S.COMPLETED),
        ([S.COMPLETED, S.FAILED], S.COMPLETED),
        ([S.COMPLETED, S.EXPIRED, S.CANCELLED], S.COMPLETED),
        ([S.EXPIRED, S.FAILED], S.EXPIRED),
        ([S.FAILED], S.FAILED),
        ([S.COMPLETED, S.IN_PROGRESS], S.IN_PROGRESS),
        ([S.VALIDATING, S.IN_PROGRESS, S.FINALIZING], S.IN_PROGRESS),
        ([S.IN_PROGRESS, S.CANCELLING], S.CANCELLING),
        ([S.SUBMITTING, S.VALIDATING], S.SUBMITTING),
        ([S.COMPLETED, S.UNKNOWN], S.UNKNOWN),
        ([S.FINALIZING, S.COMPLETED], S.FINALIZING),
    ],
)
def test_the_status_of_a_job(statuses: list[S], expected: S) -> None:
    for order in itertools.permutations(statuses):
        assert job_status(order) is expected


def test_a_job_has_ended_only_when_all_its_batches_have() -> None:
    for pair in itertools.product(S, repeat=2):
        assert is_terminal(job_status(pair)) == all(status in TERMINAL for status in pair)


def test_every_outcome_has_its_place() -> None:
    assert {Outcome.PENDING} | ANSWERED | UNANSWERED == set(Outcome)
    assert NOT_GOOD | {Outcome.PENDING, Outcome.SUCCEEDED} == set(Outcome)
    assert [OUTCOMES[OUTCOME_CODES[outcome]] for outcome in Outcome] == list(Outcome)
    # The history stores these numbers; its queries rely on the first two.
    assert [OUTCOME_CODES[o] for o in (Outcome.PENDING, Outcome.SUCCEEDED)] == [0, 1]
    for good, bad in itertools.product(ANSWERED, UNANSWERED):
        assert rank(good) > rank(bad) > rank(Outcome.PENDING)
    assert max(Outcome, key=rank) is Outcome.SUCCEEDED


def test_counts_add_up() -> None:
    counts = Counts.of(10, {Outcome.SUCCEEDED: 3, Outcome.FAILED: 2, Outcome.PENDING: 99})
    assert (counts.pending, counts.ended, counts.answered, counts.unanswered) == (5, 5, 3, 2)
    assert counts.get(Outcome.FAILED) == 2
    assert not counts.all_good
    assert Counts.of(1, {Outcome.SUCCEEDED: 1}).all_good
    assert sum(counts.get(outcome) for outcome in Outcome) == counts.total


def test_remote_counts_that_are_not_told() -> None:
    assert RemoteCounts().ended is None
    assert RemoteCounts(total=5).ended is None
    assert RemoteCounts(completed=2, failed=None, expired=1).ended == 3
    assert RemoteCounts(failed=0).ended == 0


@pytest.mark.parametrize(
    ("status", "raw", "words"),
    [
        (BatchStatus.IN_PROGRESS, "in_progress", "in progress"),
        (BatchStatus.COMPLETED, "Completed", "completed"),
        (BatchStatus.COMPLETED, "ended", "completed (ended)"),
        (BatchStatus.QUEUED, "", "queued"),
        (BatchStatus.UNKNOWN, "resting", "unknown (resting)"),
    ],
)
def test_the_providers_word_is_told_where_it_is_another_one(
    status: BatchStatus, raw: str, words: str
) -> None:
    assert status_words(status, raw) == words
