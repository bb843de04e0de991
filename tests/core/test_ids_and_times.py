from __future__ import annotations

from tui.core.ids import new_batch_id, new_job_id
from tui.core.times import rfc3339


def test_ids_are_short_lower_case_and_different() -> None:
    ids = {new_job_id() for _ in range(500)}
    assert len(ids) == 500
    assert all(len(i) == 10 and i.isalnum() and i == i.lower() for i in ids)
    assert len(new_batch_id()) == 20


def test_times_are_utc() -> None:
    assert rfc3339(None) is None
    assert rfc3339(0.0) == "1970-01-01T00:00:00Z"
    assert rfc3339(1_795_251_780.75) == "2026-11-21T09:03:00Z"
