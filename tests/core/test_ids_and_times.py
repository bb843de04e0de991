from __future__ import annotations

from tui.core.ids import new_batch_id, new_job_id
from tui.core.times import pace_words, rfc3339


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
    words = [pace_words(rate) for rate in (2500.0, 256.4, 2.5, 25 / 2100, 0.0001, 0.0)]
    assert words == [
        "2,500 rows/s", "256 rows/s", "2.5 rows/s", "43 rows/h", "0.4 rows/h", "0.0 rows/h",
    ]  # fmt: skip
