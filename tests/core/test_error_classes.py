"""What kind of trouble an error is."""

from __future__ import annotations

import pytest

from tui.core.grouping import ADVICE, ErrorClass, class_of, group_key, pattern_of
from tui.core.outcome import Outcome

F = Outcome.FAILED


@pytest.mark.parametrize(
    ("outcome", "status", "code", "message", "again", "kind"),
    [
        (F, 429, "rate_limit_exceeded", "Slow down", True, ErrorClass.TRANSIENT),
        (F, 400, "invalid_request_error", "Bad temperature", False, ErrorClass.REQUEST),
        (F, 429, "insufficient_quota", "You exceeded your quota", False, ErrorClass.CREDIT),
        (F, 402, None, "Payment required", False, ErrorClass.CREDIT),
        (F, 403, None, "Insufficient credits to run", False, ErrorClass.CREDIT),
        (F, 401, "authentication_error", "Bad key", False, ErrorClass.KEY),
        (F, None, None, "Something", None, ErrorClass.UNCLEAR),
        (Outcome.TRUNCATED, None, "length", "", False, ErrorClass.TRUNCATED),
        (Outcome.REFUSED, None, "refusal", "", False, ErrorClass.REFUSED),
        (Outcome.EXPIRED, None, "batch_expired", "Out of time", True, ErrorClass.EXPIRED),
        (Outcome.CANCELLED, None, "batch_cancelled", "", True, ErrorClass.CANCELLED),
        (Outcome.MISSING, None, "missing", "", True, ErrorClass.MISSING),
    ],
)
def test_errors_have_a_class(
    outcome: Outcome, status: int | None, code: str | None, message: str, again: bool | None,
    kind: ErrorClass,
) -> None:  # fmt: skip
    assert class_of(outcome, status, code, message, again) is kind


def test_every_class_has_advice() -> None:
    assert set(ADVICE) == set(ErrorClass)


def test_a_key_is_the_same_for_the_same_error() -> None:
    first = group_key(429, "rate", pattern_of("Try again in 20ms, req_abc"))
    assert first == group_key(429, "rate", pattern_of("Try again in 7ms, req_xyz"))
    assert first != group_key(400, "rate", pattern_of("Try again in 7ms, req_xyz"))
    assert len(first) == 8
