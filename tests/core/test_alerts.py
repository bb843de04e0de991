"""What hangs or runs out is flagged, at the right moment and not before."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.core.alerts import (
    DAY,
    HOUR,
    MINUTE,
    Flag,
    expiry_warning,
    kept_until,
    most_urgent,
    retention_text,
    retention_warning,
    stuck_flags,
)
from tui.core.formatting import span
from tui.core.jobs import Batch, BatchStatus, Submission

SENT = 1_000_000.0


def batch(status: BatchStatus = BatchStatus.IN_PROGRESS, **changes: Any) -> Batch:
    values: dict[str, Any] = {
        "id": "b",
        "job_id": "j",
        "account": "a",
        "submission": Submission.RUNNING,
        "status": status,
        "submitted_at": SENT,
        "progressed_at": SENT,
        "expires_at": SENT + DAY,
    }
    return Batch(**(values | changes))


def test_what_the_provider_may_have_is_a_persons_to_decide() -> None:
    unsure = batch(BatchStatus.SUBMITTING, submission=Submission.UNCERTAIN)
    assert texts(batch(), unsure, after=DAY) == [
        "window ended 0 s ago",
        "unconfirmed (the provider may have it)",
        "no progress for 1 day",
    ]


def texts(*batches: Batch, after: float) -> list[str]:
    return [flag.text for flag in stuck_flags(batches, SENT + after)]


@pytest.mark.parametrize(
    ("status", "after", "words"),
    [
        (BatchStatus.VALIDATING, 29 * MINUTE, []),
        (BatchStatus.VALIDATING, 40 * MINUTE, ["validating for 40 min"]),
        (BatchStatus.IN_PROGRESS, 119 * MINUTE, []),
        (BatchStatus.IN_PROGRESS, 2 * HOUR, ["no progress for 2 h"]),
        (BatchStatus.QUEUED, 3 * HOUR, ["no progress for 3 h"]),
        (BatchStatus.FINALIZING, 59 * MINUTE, []),
        (BatchStatus.FINALIZING, HOUR, ["finalizing for 1 h"]),
        (BatchStatus.CANCELLING, 2 * HOUR, ["cancelling for 2 h"]),
        (BatchStatus.COMPLETED, 50 * HOUR, []),
        (BatchStatus.FAILED, 50 * HOUR, []),
    ],
)
def test_a_status_that_lasts_too_long(status: BatchStatus, after: float, words: list[str]) -> None:
    assert texts(batch(status), after=after) == words


def test_progress_starts_the_clock_again() -> None:
    moving = batch(progressed_at=SENT + 5 * HOUR)
    assert texts(moving, after=6 * HOUR) == []
    assert texts(moving, after=8 * HOUR) == ["no progress for 3 h"]


def test_the_end_of_the_window_comes_first() -> None:
    assert texts(batch(progressed_at=SENT + 22.9 * HOUR), after=22.9 * HOUR) == []
    assert texts(batch(), after=23.5 * HOUR) == ["window ends in 30 min", "no progress for 23 h"]
    assert texts(batch(), after=26 * HOUR)[0] == "window ended 2 h ago"


def test_a_short_window_is_not_flagged_from_the_start() -> None:
    hour = batch(expires_at=SENT + HOUR)
    assert texts(hour, after=1) == []
    assert texts(hour, after=14 * MINUTE) == []
    assert texts(hour, after=15 * MINUTE) == ["no progress for 15 min"]
    assert "window ends in 5 min" in texts(hour, after=55 * MINUTE)


def test_what_is_not_known_makes_no_flag() -> None:
    unknown = batch(submitted_at=None, progressed_at=None, expires_at=None)
    assert texts(unknown, after=100 * DAY) == []
    assert texts(batch(submission=Submission.CREATING), after=100 * DAY) == []
    # A clock that was set back.
    assert texts(batch(), after=-DAY) == []


def test_of_several_batches_each_kind_is_told_once_and_the_late_ones_first() -> None:
    slow, late = batch(), batch(expires_at=SENT + HOUR)
    told = texts(slow, slow, late, after=3 * HOUR)
    assert told == ["window ended 2 h ago", "no progress for 3 h"]


def test_other_rules_can_join() -> None:
    kept = Flag("retention", "results are deleted in 3 days: not downloaded", "kept 3d", "soon")
    still = stuck_flags([batch()], SENT + 3 * HOUR)
    assert [flag.kind for flag in most_urgent([*still, kept])] == ["retention", "still"]


@given(
    st.sampled_from(list(BatchStatus)),
    st.floats(-1e9, 1e9),
    st.none() | st.floats(0, 2e9),
    st.none() | st.floats(0, 2e9),
)
def test_any_times_give_flags_that_fit(
    status: BatchStatus, after: float, submitted: float | None, expires: float | None
) -> None:
    flags = stuck_flags([batch(status, submitted_at=submitted, expires_at=expires)], SENT + after)
    assert all(len(flag.short) <= 8 and flag.text for flag in flags)
    assert len({flag.kind for flag in flags}) == len(flags)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-1, "0 s"), (59.9, "59 s"), (60, "1 min"), (7199, "1 h"), (86400, "1 day"), (2e5, "2 days")],
)
def test_spans_in_words(seconds: float, words: str) -> None:
    assert span(seconds) == words


NOW = 1_795_000_000.0
"""2026-11-18 11:06:40 UTC."""


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


@pytest.mark.parametrize(("days", "until"), [(29, NOW + 29 * DAY), (None, None), (0, None)])
def test_results_are_kept_from_the_creation(days: int | None, until: float | None) -> None:
    assert kept_until(NOW, days) == until
    assert kept_until(None, days) is None


def test_the_day_is_told_with_the_year_when_it_is_another_one() -> None:
    assert retention_text(NOW + 29 * DAY, NOW) == "results are kept until 17 Dec"
    assert retention_text(NOW + 60 * DAY, NOW) == "results are kept until 17 Jan 2027"
    assert retention_text(NOW - DAY, NOW) == "results were kept until 17 Nov"


@pytest.mark.parametrize(
    ("left", "flag"),
    [
        (8 * DAY, ""),
        (3.5 * DAY, "the provider deletes the results in 3 days: not downloaded"),
        (1.5 * DAY, "the provider deletes the results in 1 day: not downloaded"),
        (7200.0, "the provider deletes the results in 2 h: not downloaded"),
        (30.0, "the provider deletes the results in 30 s: not downloaded"),
        (-DAY, "the provider deleted the results on 17 Nov: not downloaded"),
    ],
)
def test_what_is_not_here_is_flagged(left: float, flag: str) -> None:
    assert retention_warning(NOW + left, NOW, collected=False) == flag
    assert retention_warning(NOW + left, NOW, collected=True) == ""
    assert retention_warning(None, NOW, collected=False) == ""


@pytest.mark.parametrize(
    ("created", "hours", "after", "words"),
    [
        (1000.0, 48, 23 * HOUR, ""),
        (1000.0, 48, 25 * HOUR, "not done after 1 day 1 h: in 23 h, at 48 hours"),
        (1000.0, 48, 49 * HOUR, "soon, at 48 hours, it ends without any result"),
        (1000.0, 0, 99 * HOUR, ""),
        (None, 48, 99 * HOUR, ""),
    ],
)
def test_a_batch_that_will_end_without_results(
    created: float | None, hours: int, after: float, words: str
) -> None:
    found = expiry_warning(created, hours, 1000.0 + after)
    assert words in found and bool(words) is bool(found)


def test_a_batch_that_waits_or_runs_for_long() -> None:
    assert expiry_warning(0.0, 72, 35 * HOUR, of="queue") == ""
    assert expiry_warning(0.0, 72, 40 * HOUR, of="queue") == (
        "not begun after 1 day 16 h: in 1 day 8 h, at 72 hours, it expires without any result."
        " To send it in smaller parts, set limits.rows of the provider, cancel, and retry"
    )
    assert expiry_warning(0.0, 24, 11 * HOUR, of="run") == ""
    assert "not done after 13 h of running: in 11 h, at 24 hours, it ends, and" in expiry_warning(
        0.0, 24, 13 * HOUR, of="run"
    )
