from __future__ import annotations

import time

import pytest

from tui.core.keeping import DAY, keeping_flag, keeping_words, kept_until

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
    assert keeping_words(NOW + 29 * DAY, NOW) == "results are kept until 17 Dec"
    assert keeping_words(NOW + 60 * DAY, NOW) == "results are kept until 17 Jan 2027"
    assert keeping_words(NOW - DAY, NOW) == "results were kept until 17 Nov"


@pytest.mark.parametrize(
    ("left", "flag"),
    [
        (8 * DAY, ""),
        (3.5 * DAY, "results are deleted at the provider in 3 days: not downloaded"),
        (1.5 * DAY, "results are deleted at the provider in 1 day: not downloaded"),
        (7200.0, "results are deleted at the provider in 2 hours: not downloaded"),
        (30.0, "results are deleted at the provider in a minute: not downloaded"),
        (-DAY, "results were deleted at the provider on 17 Nov: not downloaded"),
    ],
)
def test_what_is_not_here_is_flagged(left: float, flag: str) -> None:
    assert keeping_flag(NOW + left, NOW, collected=False) == flag
    assert keeping_flag(NOW + left, NOW, collected=True) == ""
    assert keeping_flag(None, NOW, collected=False) == ""
