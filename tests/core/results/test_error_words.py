"""Status, code and message of an error are found one or two levels deeper than documented."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tui.core.results.error_words import is_error, read_error

OPENAI = {"message": "The model `x` does not exist", "type": "invalid_request_error",
          "param": None, "code": "model_not_found"}  # fmt: skip

ERRORS: dict[str, tuple[Any, tuple[int | None, str | None, str, bool | None]]] = {
    "plain": (OPENAI, (None, "model_not_found", OPENAI["message"], False)),  # type: ignore[dict-item]
    "Azure: JSON as the message": (
        {"message": json.dumps({"error": {"code": "BadRequest", "message": "Bad field."}})},
        (None, "BadRequest", "Bad field.", False),
    ),
    "Azure: an inner error": (
        {"code": "content_filter", "message": "Filtered.", "status": 400,
         "innererror": {"code": "ResponsibleAIPolicyViolation"}},
        (400, "content_filter", "Filtered.", False),
    ),
    "OpenRouter": (
        {"code": 429, "message": "Provider returned error", "metadata": {"raw": json.dumps(
            {"error": {"message": "Too many tokens", "type": "rate_limit_error"}}),
            "provider_name": "P"}},
        (429, "rate_limit_error", "Provider returned error: Too many tokens", True),
    ),
    "FastAPI": (
        {"detail": [{"loc": ["body", "n"], "msg": "too small", "type": "int"},
                    {"loc": ["body"], "msg": "odd"}]},
        (None, "int", "body.n: too small; body: odd", None),
    ),
    "FastAPI with an object": (
        {"detail": {"error": {"message": "busy", "code": 503}}}, (503, "503", "busy", True)
    ),
    "Python": (
        f"Error code: 404 - {{'error': {OPENAI!r}}}",
        (404, "model_not_found", OPENAI["message"], False),  # type: ignore[dict-item]
    ),
    "Python in a message": (
        {"message": "Error code: 429 - {'detail': 'slow down'}"}, (429, None, "slow down", True)
    ),
    "LiteLLM": (
        {"message": "litellm.RateLimitError: RateLimitError: OpenAIException - limit reached"},
        (None, "RateLimitError",
         "litellm.RateLimitError: RateLimitError: OpenAIException - limit reached", True),
    ),
    "a status in the text": (
        "all endpoints failed status=429 after 3 tries",
        (429, None, "all endpoints failed status=429 after 3 tries", True),
    ),
    "requests": (
        "503 Server Error: Service Unavailable for url: http://x/",
        (503, None, "503 Server Error: Service Unavailable for url: http://x/", True),
    ),
    "httpx": (
        "Client error '422 Unprocessable' for url 'http://x/'",
        (422, None, "Client error '422 Unprocessable' for url 'http://x/'", False),
    ),
    "code as a number": ({"code": 503, "message": "away"}, (503, "503", "away", True)),
    "code as digits": ({"code": "429", "message": "slow"}, (429, "429", "slow", True)),
    "status as digits": ({"status_code": "400", "msg": "bad"}, (400, None, "bad", False)),
    "Google": (
        {"code": 429, "message": "Quota", "status": "RESOURCE_EXHAUSTED"},
        (429, "429", "Quota", True),
    ),
    "a year is no status": ("made in 2026, 404 rows", (None, None, "made in 2026, 404 rows", None)),
    "nothing": (None, (None, None, "", None)),
}  # fmt: skip


@pytest.mark.parametrize(("error", "facts"), ERRORS.values(), ids=ERRORS)
def test_an_error_is_read(error: Any, facts: tuple[Any, ...]) -> None:
    assert read_error(error) == facts


def test_the_status_of_the_row_and_that_of_the_cause() -> None:
    # A gateway's 500 around a 400: it will fail again.
    wrapped = {"message": "Error code: 400 - {'message': 'Bad field'}"}
    assert read_error(wrapped, status=500)[::3] == (500, False)
    # A 200 around a 503 is a 503.
    assert read_error({"error": {"code": 503, "message": "x"}}, status=200)[::3] == (503, True)
    assert read_error({"message": "x"}, status=200)[::3] == (200, None)
    assert read_error({"message": "x"}, status=429)[::3] == (429, True)


def test_the_codes_of_a_profile_come_first() -> None:
    error = {"code": "outer", "message": "m", "details": {"code": "E7", "message": "n"}}
    assert read_error(error, rules={"E7": False})[1::2] == ("E7", False)
    assert read_error(error)[1::2] == ("outer", None)


@pytest.mark.parametrize(
    "value",
    [None, "", " None ", "null", [], {}, 0, False, {"code": 0, "message": "success"}, {"a": [{}]},
     {"code": "200", "message": "OK"}, {"code": None, "message": None, "param": None}],
)  # fmt: skip
def test_what_says_nothing_is_no_error(value: Any) -> None:
    assert not is_error(value)


@pytest.mark.parametrize(
    "value", ["x", True, {"code": 0, "message": "x"}, {"code": "E"}, [{"a": 1}]]
)
def test_what_says_something_is_one(value: Any) -> None:
    assert is_error(value)
