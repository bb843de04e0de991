"""Statuses, outcomes and counts in words."""

from __future__ import annotations

import msgspec
import pytest

from tui.core.jobs import Batch, BatchStatus, Counts, ErrorGroup, OrphanLines, Submission
from tui.core.rows import Outcome
from tui.core.status_words import (
    OUTCOME_SIGNS,
    STATUS_SIGNS,
    batch_name,
    batch_rows,
    counts_text,
    error_code_text,
    nonzero_counts,
    orphan_text,
    status_text,
    submission_text,
)


def test_every_status_and_outcome_has_a_sign_of_its_own() -> None:
    assert set(STATUS_SIGNS) == set(BatchStatus)
    assert set(OUTCOME_SIGNS) == set(Outcome)
    for signs in (STATUS_SIGNS, OUTCOME_SIGNS):
        assert len({sign.glyph for sign in signs.values()}) == len(signs)
        assert all(sign.ascii.isascii() and len(sign.ascii) == 1 for sign in signs.values())


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
    assert status_text(status, raw) == words


def test_counts_name_only_what_there_is() -> None:
    counts = Counts(total=1207, succeeded=1204, failed=2, pending=1)
    assert counts_text(counts) == "1,204 succeeded, 2 failed, 1 pending"
    assert counts_text(Counts()) == "no rows"
    assert nonzero_counts(Counts(total=1, missing=1)) == {"missing": 1}


def test_a_batch_has_a_name_and_a_submission_state() -> None:
    batch = Batch(id="b", job_id="j", account="a", part=2, submission=Submission.WAITING)
    assert batch_name(batch) == "attempt 1 part 2"
    assert submission_text(batch) == "waiting for space in the provider's queue"
    assert submission_text(Batch(id="b", job_id="j", account="a")) == ""


def test_orphan_lines_are_counted_by_kind() -> None:
    assert orphan_text(OrphanLines()) == ""
    assert orphan_text(OrphanLines(unknown=2, unreadable=1)) == "2 with an unknown id, 1 unreadable"


@pytest.mark.parametrize(
    ("http_status", "code", "words"),
    [(429, "slow", "429 slow"), (None, "x", "x"), (500, None, "500")],
)
def test_the_code_of_an_error_group(http_status: int | None, code: str | None, words: str) -> None:
    group = ErrorGroup(
        id=1, http_status=http_status, code=code, message="m", count=1, retryable=None,
        example_custom_id="a",
    )  # fmt: skip
    assert error_code_text(group) == words


def test_the_rows_of_a_batch_name_those_that_share_its_results() -> None:
    batch = Batch(id="b", job_id="j", account="a", rows=1200, created_at=0.0)
    assert batch_rows(batch) == "1,200"
    assert batch_rows(msgspec.structs.replace(batch, repeats=3)) == "1,200 of 1,203"
