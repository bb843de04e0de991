"""What kind of trouble an error is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.core.retry_rules import (
    ADVICE,
    RETRYABLE_CODES,
    ErrorClass,
    classify_error,
    group_key,
    message_pattern,
    retryable,
)
from tui.core.rows import Outcome

F = Outcome.FAILED


@pytest.mark.parametrize(
    ("outcome", "status", "code", "message", "again", "kind"),
    [
        (F, 429, "rate_limit_exceeded", "Slow down", True, ErrorClass.TRANSIENT),
        (F, 400, "invalid_request_error", "Bad temperature", False, ErrorClass.REQUEST),
        (F, 429, "insufficient_quota", "You exceeded your quota", False, ErrorClass.CREDIT),
        (F, 402, None, "Payment required", False, ErrorClass.CREDIT),
        (F, 403, None, "Insufficient credits to run", False, ErrorClass.CREDIT),
        (
            F,
            400,
            "invalid_request_error",
            "Your credit balance is too low to access the Anthropic API.",
            False,
            ErrorClass.CREDIT,
        ),
        (
            F,
            403,
            None,
            "User's credit limit is insufficient, remaining: $0",
            False,
            ErrorClass.CREDIT,
        ),
        (F, 403, None, "Sorry, your account balance is insufficient", False, ErrorClass.CREDIT),
        (F, 403, None, "预扣费额度失败, 用户剩余额度不足", False, ErrorClass.CREDIT),
        (F, 429, "exceeded_current_quota_error", "Suspended", False, ErrorClass.CREDIT),
        (F, 429, "credit_balance_exhausted", "No credits", False, ErrorClass.CREDIT),
        (
            F,
            429,
            "RESOURCE_EXHAUSTED",
            "You exceeded your current quota, please check your plan and billing details.",
            True,
            ErrorClass.TRANSIENT,
        ),
        (
            F,
            429,
            "RESOURCE_EXHAUSTED",
            "Resource has been exhausted (e.g. check quota).",
            True,
            ErrorClass.TRANSIENT,
        ),
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
    assert classify_error(outcome, status, code, message, again) is kind


def test_every_class_has_advice() -> None:
    assert set(ADVICE) == set(ErrorClass)


def test_a_key_is_the_same_for_the_same_error() -> None:
    first = group_key(429, "rate", message_pattern("Try again in 20ms, req_abc"))
    assert first == group_key(429, "rate", message_pattern("Try again in 7ms, req_xyz"))
    assert first != group_key(400, "rate", message_pattern("Try again in 7ms, req_xyz"))
    assert len(first) == 8


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Limit 20000, used 19,500. Try again in 1.2s", "Limit 30, used 7. Try again in 600s"),
        ("Request req_011CSHo failed", "Request req_9XYZ-a failed"),
        ("row 6ba7b810-9dad-11d1-80b4-00c04fd430c8", "row 00000000-0000-0000-0000-000000000000"),
        ("hash 0123456789abcdef", "hash fedcba98765432100"),
        ("at 12:03:44", "at 7"),
    ],
)
def test_numbers_and_ids_do_not_part_messages(one: str, other: str) -> None:
    assert message_pattern(one) == message_pattern(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("max_tokens is required", "messages is required"),
        ("defaced facade", "defaced decade"),
        ("The model `a` does not exist", "The model `b` does not exist"),
    ],
)
def test_words_part_messages(one: str, other: str) -> None:
    assert message_pattern(one) != message_pattern(other)


def test_long_messages_are_compared_by_their_beginning() -> None:
    assert message_pattern("x" * 400 + "a") == message_pattern("x" * 400 + "b")


@given(st.text(max_size=600))
def test_any_message_has_a_short_pattern(message: str) -> None:
    assert len(message_pattern(message)) <= 400


def test_hostile_messages_take_no_time() -> None:
    for message in ("a" * 100_000, "1" * 100_000, "req_" * 30_000, "0a" * 50_000, "-" * 100_000):
        assert len(message_pattern(message)) <= 400


@pytest.mark.parametrize("status", [0, 408, 409, 425, 429, 500, 502, 503, 504, 529, 599])
def test_trouble_at_their_side_passes(status: int) -> None:
    assert retryable(status, None) is True


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 410, 413, 415, 422])
def test_a_wrong_request_does_not(status: int) -> None:
    assert retryable(status, None) is False


@pytest.mark.parametrize("status", [None, 100, 200, 302, 418])
def test_of_the_rest_nothing_is_known(status: int | None) -> None:
    assert retryable(status, None) is None


@pytest.mark.parametrize("code", RETRYABLE_CODES)
def test_a_code_decides_before_a_status(code: str) -> None:
    for status in (None, 400, 500):
        assert retryable(status, code) is RETRYABLE_CODES[code]


def test_a_profile_decides_before_the_common_codes() -> None:
    assert retryable(400, "api_error", {"api_error": False}) is False
    assert retryable(400, "api_error", {"other": False}) is True
    assert retryable(503, "3104", {"3104": False}) is False


def test_an_unknown_code_leaves_it_to_the_status() -> None:
    assert retryable(429, "who_knows") is True
    assert retryable(400, "who_knows") is False
