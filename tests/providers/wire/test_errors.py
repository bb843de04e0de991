from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tui.core.retry_rules import RetryRules
from tui.errors import (
    BatchdeckError,
    KeyRejectedError,
    LimitError,
    ProviderError,
    QuotaError,
    RequestRejectedError,
    ResponseLostError,
    UnreachableError,
)
from tui.providers.profiles.model import Quota
from tui.providers.wire.errors import (
    ErrorContext,
    RawResponse,
    may_have_acted,
    parse_error_body,
)

KEY = "sk-test-0123456789abcdefghijkl"


def error_for(
    status: int,
    body: Any = "",
    *,
    idempotent: bool = True,
    rules: dict[str, bool] | None = None,
    quota: Quota | None = None,
    **headers: str,
) -> BatchdeckError:
    text = body if isinstance(body, str) else json.dumps(body)
    named = httpx.Headers({name.replace("_", "-"): value for name, value in headers.items()})
    context = ErrorContext(
        "Corner", "corner.example", KEY, quota or Quota(), RetryRules(rules or {}), lambda: 0.0
    )
    answer = RawResponse(status, named, text.encode())
    return context.response_error(answer, "make the batch", idempotent=idempotent)


@pytest.mark.parametrize(
    ("status", "kind", "retryable"),
    [
        (400, RequestRejectedError, False),
        (401, KeyRejectedError, False),
        (402, LimitError, False),
        (403, KeyRejectedError, False),
        (404, RequestRejectedError, False),
        (405, RequestRejectedError, False),
        (408, ProviderError, True),
        (409, RequestRejectedError, False),
        (410, RequestRejectedError, False),
        (413, RequestRejectedError, False),
        (418, RequestRejectedError, False),
        (422, RequestRejectedError, False),
        (425, ProviderError, True),
        (429, ProviderError, True),
        (500, ProviderError, True),
        (503, ProviderError, True),
        (529, ProviderError, True),
    ],
)
def test_each_status_has_its_error(
    status: int, kind: type[BatchdeckError], retryable: bool
) -> None:
    error = error_for(status, {"error": {"message": "because", "code": "some_code"}})
    assert type(error) is kind
    assert error.retryable is retryable
    assert "because" in error.message
    assert "Corner" in error.message


def test_what_the_provider_said_is_kept() -> None:
    error = error_for(
        429,
        {"error": {"message": "slow down", "code": "rate_limit_exceeded"}},
        retry_after="7",
        x_request_id="req_1",
    )
    assert isinstance(error, ProviderError)
    assert (error.status, error.code) == (429, "rate_limit_exceeded")
    assert (error.retry_after, error.request_id) == (7.0, "req_1")
    assert "slow down" in error.body
    long = error_for(500, "x" * 10_000)
    assert isinstance(long, ProviderError)
    assert len(long.body) == 4096
    assert len(long.message) < 400


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ({"error": {"message": "m", "type": "t", "code": None}}, "t", "m"),
        ({"error": {"message": "m", "type": "t", "code": "c"}}, "c", "m"),
        ({"error": {"message": "m", "type": "invalid_request_error", "code": 401}},
         "invalid_request_error", "m"),
        ({"error": "text only"}, None, "text only"),
        ({"error": "too_many_requests", "message": "m"}, "too_many_requests", "m"),
        ({"type": "error", "error": {"type": "overloaded_error", "message": "m"}},
         "overloaded_error", "m"),
        ({"error": {"type": "rate_limit_error", "message": "m",
                    "details": {"error_code": "enforced_spend_limit_reached"}}},
         "enforced_spend_limit_reached", "m"),
        ({"error": {"code": "INFERENCE_3104", "message": "m"}}, "INFERENCE_3104", "m"),
        ({"detail": "Not Found"}, None, "Not Found"),
        ({"detail": [{"loc": ["body", "model"], "msg": "Field required", "type": "missing"}]},
         "missing", "body.model: Field required"),
        ({"code": 20012, "message": "m", "data": None}, "20012", "m"),
        ({"message": "m"}, None, "m"),
        ({"errors": [{"message": "m1"}, {"message": "m2"}]}, None, "m1; m2"),
        (["m"], None, "m"),
        ("Line 3: not JSON", None, "Line 3: not JSON"),
        ("", None, ""),
        (17, None, "17"),
    ],
)  # fmt: skip
def test_error_bodies_in_all_shapes(body: Any, code: str | None, message: str) -> None:
    text = body if isinstance(body, str) else json.dumps(body)
    assert parse_error_body(text) == (code, message)


def test_a_web_page_is_called_one() -> None:
    page = "<!DOCTYPE html><html><body>Bad gateway of somebody</body></html>"
    error = error_for(502, page, content_type="text/html; charset=utf-8")
    assert "returned a web page (status 502)" in error.message
    assert "base_url" in error.hint
    assert error.retryable
    assert isinstance(error_for(404, page), RequestRejectedError)
    assert "split" in error_for(413, page).hint.lower()
    assert isinstance(error_for(403, page), KeyRejectedError)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (429, {"error": {"message": "Enqueued token limit reached for gpt-5 in organization o"}}),
        (400, {"error": {"message": "m", "code": "token_limit_exceeded"}}),
    ],
)
def test_a_full_queue_is_a_quota_that_passes(status: int, body: Any) -> None:
    error = error_for(status, body, idempotent=False)
    assert isinstance(error, QuotaError)
    assert error.retryable


def test_an_empty_purse_is_a_limit_even_as_429() -> None:
    error = error_for(429, {"error": {"message": "m", "code": "insufficient_quota"}})
    assert type(error) is LimitError
    assert error.exit_code == 5
    quota = Quota(limit_text=("unverified account",))
    assert type(error_for(429, "Unverified Account volume", quota=quota)) is LimitError


def test_codes_decide_before_statuses() -> None:
    rules = {"INFERENCE_3103": True, "INFERENCE_3104": False, "SYSTEM_9*": True, "conflict": True}
    fits = {"error": {"code": "INFERENCE_3104", "message": "no provider fits"}}
    fails = {"error": {"code": "INFERENCE_3103", "message": "all failed"}}
    assert type(error_for(503, fits, rules=rules)) is RequestRejectedError
    assert type(error_for(502, fails, rules=rules)) is ProviderError
    assert error_for(400, {"error": {"code": "SYSTEM_9001"}}, rules=rules).retryable
    assert error_for(409, {"error": {"code": "conflict"}}, rules=rules).retryable


@pytest.mark.parametrize("status", [408, 499, 502, 504, 520, 524])
def test_a_gateway_that_loses_a_create_leaves_it_open(status: int) -> None:
    error = error_for(status, "upstream timed out", idempotent=False)
    assert isinstance(error, ResponseLostError)
    assert error.status == status
    assert not isinstance(error_for(status, "upstream timed out"), UnreachableError)


def test_when_a_create_may_have_happened() -> None:
    assert may_have_acted(error_for(504, idempotent=False))
    assert may_have_acted(error_for(500, idempotent=False))
    assert may_have_acted(ResponseLostError("lost"))
    assert not may_have_acted(error_for(400, idempotent=False))
    assert not may_have_acted(error_for(429, idempotent=False))
    assert not may_have_acted(error_for(402, idempotent=False))
    assert not may_have_acted(UnreachableError("no network"))


def test_the_key_is_in_no_part_of_an_error() -> None:
    for status in (400, 401, 402, 429, 500):
        error = error_for(status, f"you sent {KEY}, which is wrong")
        shown = f"{error!r} {error} {error.hint} {getattr(error, 'body', '')}"
        assert KEY not in shown
        assert "[key]" in shown
