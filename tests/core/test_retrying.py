from __future__ import annotations

import pytest

from tui.core.retrying import RETRYABLE_CODES, retryable


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
