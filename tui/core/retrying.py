"""Whether sending a failed row again, as it is, can help.

The table follows the wire facts of the providers: trouble at their side (408, 409, 429, 5xx,
status 0, expired, cancelled) passes; a wrong request (400, 404, 413, 422), a missing right
(401, 403) or an empty account (402) does not. A code decides before a status.
"""

from __future__ import annotations

from collections.abc import Mapping

RETRYABLE_CODES: Mapping[str, bool] = {
    "batch_expired": True,
    "batch_cancelled": True,
    "batch_canceled": True,
    "rate_limit_exceeded": True,
    "rate_limit_error": True,
    "overloaded_error": True,
    "api_error": True,
    "server_error": True,
    "timeout_error": True,
    "timeout": True,
    "insufficient_quota": False,
    "invalid_request_error": False,
    "authentication_error": False,
    "permission_error": False,
    "not_found_error": False,
    "billing_error": False,
    "context_length_exceeded": False,
    "content_filter": False,
    "model_not_found": False,
    # Doubleword's row errors: the server has repeated the first kind up to the deadline.
    "RetriableHttpStatus": True,
    "NetworkError": True,
    "Timeout": True,
    "TaskTerminated": True,
    "BatchTerminated": True,
    "NonRetriableHttpStatus": False,
    "RequestBuilderError": False,
}
"""Codes that mean the same wherever they are seen."""

_PERMANENT = frozenset({400, 401, 402, 403, 404, 405, 410, 413, 415, 422})
_PASSING = frozenset({0, 408, 409, 425, 429})


def retryable(
    http_status: int | None, code: str | None, rules: Mapping[str, bool] | None = None
) -> bool | None:
    """Can the row be sent again unchanged? ``None`` where nothing tells.

    Args:
        http_status: The row's own status, where its request was answered.
        code: The provider's code.
        rules: The profile's codes, which win over the common ones.
    """
    if code is not None:
        if rules is not None and code in rules:
            return rules[code]
        if code in RETRYABLE_CODES:
            return RETRYABLE_CODES[code]
    if http_status is None:
        return None
    if http_status in _PASSING or http_status >= 500:
        return True
    if http_status in _PERMANENT:
        return False
    return None
