from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.core.formatting import format_rate, rfc3339
from tui.core.jobs import (
    MAX_TAG_LENGTH,
    MAX_TAGS,
    TERMINAL,
    BatchStatus,
    Counts,
    RemoteCounts,
    format_tags,
    is_terminal,
    job_status,
    moment_text,
    new_batch_id,
    new_job_id,
    parse_moment,
    parse_tags,
)
from tui.core.rows import (
    ANSWERED,
    NOT_SUCCEEDED,
    OUTCOME_CODES,
    OUTCOMES,
    UNANSWERED,
    Outcome,
    outcome_rank,
)
from tui.core.text import visible

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


def test_what_a_retry_replaced_does_not_name_the_job() -> None:
    both = [S.CANCELLED, S.FAILED]
    assert job_status(both, [Outcome.FAILED]) is S.FAILED
    assert job_status(both, [Outcome.FAILED, Outcome.CANCELLED]) is S.CANCELLED
    assert job_status([S.CANCELLED], [Outcome.FAILED]) is S.CANCELLED
    assert job_status([S.EXPIRED, S.FAILED], [Outcome.FAILED, Outcome.SUCCEEDED]) is S.FAILED
    assert job_status([S.CANCELLED, S.COMPLETED], [Outcome.FAILED]) is S.COMPLETED


def test_a_job_has_ended_only_when_all_its_batches_have() -> None:
    for pair in itertools.product(S, repeat=2):
        assert is_terminal(job_status(pair)) == all(status in TERMINAL for status in pair)


def test_every_outcome_has_its_place() -> None:
    assert {Outcome.PENDING} | ANSWERED | UNANSWERED == set(Outcome)
    assert NOT_SUCCEEDED | {Outcome.PENDING, Outcome.SUCCEEDED} == set(Outcome)
    assert [OUTCOMES[OUTCOME_CODES[outcome]] for outcome in Outcome] == list(Outcome)
    # The history stores these numbers; its queries rely on the first two.
    assert [OUTCOME_CODES[o] for o in (Outcome.PENDING, Outcome.SUCCEEDED)] == [0, 1]
    for good, bad in itertools.product(ANSWERED, UNANSWERED):
        assert outcome_rank(good) > outcome_rank(bad) > outcome_rank(Outcome.PENDING)
    assert max(Outcome, key=outcome_rank) is Outcome.SUCCEEDED


def test_counts_add_up() -> None:
    counts = Counts.of(10, {Outcome.SUCCEEDED: 3, Outcome.FAILED: 2, Outcome.PENDING: 99})
    assert (counts.pending, counts.ended, counts.answered, counts.unanswered) == (5, 5, 3, 2)
    assert counts.get(Outcome.FAILED) == 2
    assert not counts.all_succeeded
    assert Counts.of(1, {Outcome.SUCCEEDED: 1}).all_succeeded
    assert sum(counts.get(outcome) for outcome in Outcome) == counts.total


def test_remote_counts_that_are_not_told() -> None:
    assert RemoteCounts().ended is None
    assert RemoteCounts(total=5).ended is None
    assert RemoteCounts(completed=2, failed=None, expired=1).ended == 3
    assert RemoteCounts(failed=0).ended == 0


def test_tags_are_words_each_once() -> None:
    assert parse_tags("#weekly reviews, Weekly;  nl\n") == ("weekly", "reviews", "nl")
    assert parse_tags(" # ,, ") == ()
    assert format_tags(("a", "b")) == "#a #b"


@given(st.text())
def test_any_text_gives_tags_that_can_be_kept_and_shown(text: str) -> None:
    tags = parse_tags(text)
    assert len(tags) <= MAX_TAGS
    assert all(0 < len(tag) <= MAX_TAG_LENGTH and visible(tag) == tag for tag in tags)
    assert parse_tags(" ".join(tags)) == tags


def test_ids_are_short_lower_case_and_different() -> None:
    ids = {new_job_id() for _ in range(500)}
    assert len(ids) == 500
    assert all(len(i) == 10 and i.isalnum() and i == i.lower() for i in ids)
    assert len(new_batch_id()) == 20


def test_times_are_utc() -> None:
    assert rfc3339(None) is None
    assert rfc3339(0.0) == "1970-01-01T00:00:00Z"
    assert rfc3339(1_795_251_780.75) == "2026-11-21T09:03:00Z"


def test_a_pace_is_told_in_the_unit_in_which_rows_can_be_counted() -> None:
    words = [format_rate(rate) for rate in (2500.0, 256.4, 2.5, 25 / 2100, 0.0001, 0.0)]
    assert words == [
        "2,500 rows/s", "256 rows/s", "2.5 rows/s", "43 rows/h", "0.4 rows/h", "0.0 rows/h",
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["1h", "12h", "7d", "2026-11-20"])
def test_a_moment_is_written_as_it_is_read(text: str) -> None:
    now = 1_796_000_000.0
    moment = parse_moment(text, now)
    assert moment is not None
    written = moment_text(moment, now + 1)
    assert parse_moment(written, now + 1) == pytest.approx(moment, abs=2)
    # Typed an hour later it is no earlier time.
    assert (parse_moment(written, now + 3600) or 0) >= moment
