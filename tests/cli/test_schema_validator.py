"""The schema validator of these tests finds violations."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cli.schema import violations

ROW: dict[str, Any] = {
    "custom_id": "a",
    "outcome": "failed",
    "attempt": 1,
    "http_status": 429,
    "error": {"code": "rate_limit_exceeded", "message": "slow down", "retryable": True},
    "finish_reason": None,
    "model": None,
    "text": "",
    "data": None,
    "usage": {"input_tokens": None, "output_tokens": 3, "cached_tokens": None},
    "cost": None,
}


def test_a_good_row_has_no_violations() -> None:
    assert violations(ROW, "row") == []


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"outcome": "lost"}, "$.outcome:"),
        ({"attempt": 0}, "$.attempt:"),
        ({"attempt": True}, "$.attempt:"),
        ({"error": {"code": None, "message": "x"}}, "$.error:"),
        (
            {"usage": {"input_tokens": "3", "output_tokens": 3, "cached_tokens": 0}},
            "$.usage.input_tokens:",
        ),
        ({"mood": "good"}, "$: Additional properties"),
    ],
)
def test_a_violation_is_reported_with_its_path(change: dict[str, Any], place: str) -> None:
    (found,) = violations({**ROW, **change}, "row")
    assert found.startswith(place)


def test_a_missing_key_is_reported() -> None:
    row = {key: value for key, value in ROW.items() if key != "cost"}
    assert violations(row, "row") == ['$: "cost" is a required property']


def test_an_embedded_schema_is_used() -> None:
    (found,) = violations([{"name": "a", "path": "b", "trouble": None}], "templates")
    assert found == '$.0: "template" is a required property'
