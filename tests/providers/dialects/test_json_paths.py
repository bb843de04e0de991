from __future__ import annotations

from typing import Any

import pytest

from tui.core.jobs import BatchStatus
from tui.providers.dialects.batch_responses import as_number, as_time, number_at, text_at, value_at
from tui.providers.profiles.statuses import normalise_status


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1_795_000_000, 1_795_000_000.0),
        (1_795_000_000.5, 1_795_000_000.5),
        ("1795000000", 1_795_000_000.0),
        (1_795_000_000_000, 1_795_000_000.0),
        ("1795000000000", 1_795_000_000.0),
        ("2026-11-18T10:26:40Z", 1_794_997_600.0),
        ("2026-11-18T10:26:40+00:00", 1_794_997_600.0),
        ("2026-11-18T11:26:40.000+01:00", 1_794_997_600.0),
        ("2026-11-18T10:26:40.123456789Z", 1_794_997_600.123456),
        ("2026-11-18T10:26:40", 1_794_997_600.0),
        ("2026-11-18 10:26:40 +0000", 1_794_997_600.0),
        ("2026-11-18 10:26:40 UTC", 1_794_997_600.0),
        ("2026-11-18", 1_794_960_000.0),
        (0, None),
        ("0", None),
        (-1, None),
        (True, None),
        (None, None),
        ("", None),
        ("tomorrow", None),
        ("0001-01-01T00:00:00Z", None),
        ("nan", None),
        ("inf", None),
        ({}, None),
    ],
)
def test_times_in_every_form(value: Any, expected: float | None) -> None:
    assert as_time(value) == expected


def test_places_are_tried_in_turn() -> None:
    value = {"a": {"b": None, "c": [{"d": 5}]}, "e": "7", "f": 0}
    assert value_at(value, ("a.b", "a.c.0.d")) == 5
    assert value_at(value, "a.c.9.d") is None
    assert value_at(value, "e.x") is None
    assert value_at(value, "") is None
    assert number_at(value, ("a.b", "e")) == 7
    assert number_at(value, "f") == 0
    assert number_at({"n": -1}, "n") is None
    assert text_at({"n": 12}, ("t", "n")) == "12"
    assert text_at({"t": ""}, "t") is None
    assert text_at({"b": True}, "b") is None
    assert as_number(float("nan")) is None


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("completed", BatchStatus.COMPLETED),
        ("Completed", BatchStatus.COMPLETED),
        ("COMPLETED", BatchStatus.COMPLETED),
        ("In Progress", BatchStatus.IN_PROGRESS),
        ("in-progress", BatchStatus.IN_PROGRESS),
        ("canceled", BatchStatus.CANCELLED),
        ("JOB_STATE_RUNNING", BatchStatus.IN_PROGRESS),
        ("baked", BatchStatus.COMPLETED),
        ("Queued", BatchStatus.VALIDATING),
        ("meditating", BatchStatus.UNKNOWN),
        ("", BatchStatus.UNKNOWN),
        (None, BatchStatus.UNKNOWN),
    ],
)
def test_status_words(word: str | None, status: BatchStatus) -> None:
    own = {"BAKED": BatchStatus.COMPLETED, "queued": BatchStatus.VALIDATING}
    assert normalise_status(word, own) is status
