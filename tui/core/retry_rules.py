"""Errors of rows: which form a group, their class and advice, and whether a retry can help."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Mapping
from enum import StrEnum

from tui.core.rows import Outcome

_LONGEST = 400

MAY_BE_PAID = frozenset({"no_answer", "unreadable_answer", "given_up", "answer_lost"})
"""Codes of errors of rows that the provider may have answered, and billed."""

# The patterns are compiled when they are first used: most commands read no errors.
_IDS_AND_NUMBERS = r"""(?xi)
      [0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}   # a UUID
    | \b(?:req|batch|file|msg|org|chatcmpl|call|run)[-_][\w-]+       # an id with a prefix
    | \b(?=[0-9a-f]*[0-9])[0-9a-f]{12,}\b                            # a hash
    | \d+(?:[.,:]\d+)*                                               # a number, a time
    """


def message_pattern(message: str) -> str:
    """The message with all ids and numbers replaced by ``#``, at most 400 characters."""
    return re.sub(_IDS_AND_NUMBERS, "#", message[:_LONGEST])


def group_key(http_status: int | None, code: str, pattern: str) -> str:
    """A stable key of an error group: eight hexadecimal digits.

    Unlike the group's id in the history, it survives reindexing, so it can be used in saved
    filters and scripts.
    """
    text = f"{http_status}\n{code}\n{pattern}"
    return f"{zlib.crc32(text.encode('utf-8', 'replace')):08x}"


class ErrorClass(StrEnum):
    """The class of an error group; the value is the text for display."""

    TRANSIENT = "transient"
    REQUEST = "fix the request"
    CREDIT = "out of credit"
    KEY = "key refused"
    TRUNCATED = "truncated"
    REFUSED = "refused"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    MISSING = "missing"
    UNCLEAR = "unclear"


ADVICE: dict[ErrorClass, str] = {
    ErrorClass.TRANSIENT: "Temporary: retry these rows.",
    ErrorClass.REQUEST: "Will fail again as is: edit and retry.",
    ErrorClass.CREDIT: "Top up the account or raise its limit, then retry these rows.",
    ErrorClass.KEY: "Check the API key and its permissions, then retry these rows.",
    ErrorClass.TRUNCATED: "Cut off: retry with a larger max_tokens.",
    ErrorClass.REFUSED: "The model refused: change the prompt or the model.",
    ErrorClass.EXPIRED: "The window ended: retry these rows, perhaps with a longer window.",
    ErrorClass.CANCELLED: "The batch was cancelled: retry these rows.",
    ErrorClass.MISSING: "No result in the provider's files: retry these rows.",
    ErrorClass.UNCLEAR: "Cause unclear: read one of the errors, then retry these rows.",
}
"""Suggested fix for each class, one sentence."""

_BY_OUTCOME = {
    Outcome.TRUNCATED: ErrorClass.TRUNCATED,
    Outcome.REFUSED: ErrorClass.REFUSED,
    Outcome.EXPIRED: ErrorClass.EXPIRED,
    Outcome.CANCELLED: ErrorClass.CANCELLED,
    Outcome.MISSING: ErrorClass.MISSING,
}

_CREDIT_CODES = (
    "insufficient_quota", "billing_error", "billing_hard_limit_reached", "insufficient_credits",
    "insufficient_balance", "insufficient_funds", "payment_required", "credit_balance_exhausted",
    "credit_balance_too_low", "insufficient_user_quota", "pre_consume_token_quota_failed",
    "exceeded_current_quota_error", "Arrearage",
)  # fmt: skip
"""The codes of OpenAI and of most servers; of new-api (``…user_quota``, ``pre_consume…``), Moonshot
(``exceeded…``), which sends it with status 429, and DashScope."""

_CREDIT_WORDS = r"""(?ix)
      \b (?:insufficient | exhausted | not\ enough | (?:run\ )?out\ of | no\ more) \s+ (?:\w+\s+)?
      (?:credits? | balance | funds) \b
    | \b (?:insufficient | not\ enough) \s+ (?:\w+\s+)? quota \b
    | \b (?:credits? | credit\ (?:balance|limit) | balance | funds | (?:user|token)\ quota) \s+
      (?:(?:is|are|was|were|has\ been|have\ been) \s+)?
      (?:too\ low | insufficient | exhausted | depleted | used\ up | not\ enough) \b
    | (?:余额|额度) (?:\w{0,4}) 不足 | 欠费
    """
"""Limits of rate say "exceeded your quota" as well, Gemini's with "check your plan and billing"."""

_KEY_CODES = frozenset(
    {"authentication_error", "permission_error", "invalid_api_key", "permission_denied",
     "AuthenticationError", "PermissionDeniedError"}
)  # fmt: skip


def is_out_of_credit(code: str | None, message: str) -> bool:
    """Whether an error says that the account has no money left, by its code or its words."""
    return code in _CREDIT_CODES or re.search(_CREDIT_WORDS, message[:_LONGEST]) is not None


def classify_error(
    outcome: Outcome,
    http_status: int | None,
    code: str | None,
    message: str,
    retryable: bool | None,
) -> ErrorClass:
    """Classify an error group.

    Args:
        outcome: The outcome of the rows.
        http_status: HTTP status of the rows, if their requests got a response.
        code: The provider's error code.
        message: The provider's error message.
        retryable: As in ``RowError``.
    """
    if outcome in _BY_OUTCOME:
        return _BY_OUTCOME[outcome]
    if http_status == 402 or is_out_of_credit(code, message):
        return ErrorClass.CREDIT
    if http_status in (401, 403) or code in _KEY_CODES:
        return ErrorClass.KEY
    if retryable is None:
        return ErrorClass.UNCLEAR
    return ErrorClass.TRANSIENT if retryable else ErrorClass.REQUEST


_STATUS_NAMES = (
    "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND",
    "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED",
    "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
)  # fmt: skip
"""The status codes of gRPC by number (google/rpc/code.proto)."""


def status_name(code: object) -> str | None:
    """The name of a gRPC status code that is given as a number; ``None`` for anything else."""
    if isinstance(code, str) and code.isascii() and code.isdigit() and len(code) <= 2:
        code = int(code)
    if type(code) is not int or not 0 < code < len(_STATUS_NAMES):
        return None
    return _STATUS_NAMES[code]


RETRYABLE_CODES: Mapping[str, bool] = {
    "batch_expired": True,
    "batch_cancelled": True,
    "batch_canceled": True,
    "expired": True,
    "request_expired": True,
    "cancelled": True,
    "canceled": True,
    "request_cancelled": True,
    "request_canceled": True,
    "abort": True,
    "aborted": True,
    "network_error": True,
    "timed_out": True,
    "interrupted": True,
    "preempted": True,
    "load": True,
    "unload": True,
    "insufficient_system_resource": True,
    "rate_limit_exceeded": True,
    "rate_limit_error": True,
    "overloaded_error": True,
    "api_error": True,
    "server_error": True,
    "timeout_error": True,
    "timeout": True,
    **dict.fromkeys(_CREDIT_CODES, False),
    "invalid_request_error": False,
    "authentication_error": False,
    "permission_error": False,
    "not_found_error": False,
    "context_length_exceeded": False,
    "content_filter": False,
    "model_not_found": False,
    "internal_error": True,
    "internal_server_error": True,
    "service_unavailable": True,
    "engine_overloaded": True,
    "token_limit_exceeded": True,
    "request_limit_exceeded": True,
    # Errors of a whole batch or of a line of its file.
    "invalid_json_line": False,
    "invalid_json": False,
    "invalid_line": False,
    "invalid_request": False,
    "invalid_value": False,
    "invalid_type": False,
    "invalid_file": False,
    "invalid_file_format": False,
    "invalid_method": False,
    "invalid_url": False,
    "invalid_endpoint": False,
    "invalid_custom_id": False,
    "duplicate_custom_id": False,
    "missing_custom_id": False,
    "missing_required_parameter": False,
    "mismatched_model": False,
    "multiple_models": False,
    "model_mismatch": False,
    "model_not_available": False,
    "model_not_supported": False,
    "unsupported_model": False,
    "unsupported_parameter": False,
    "unsupported_value": False,
    "empty_file": False,
    "empty_batch": False,
    "too_many_requests_in_batch": False,
    "file_too_large": False,
    "request_too_large": False,
    "too_many_tasks": False,
    # Azure, and Google's words.
    "BadRequest": False,
    "DeploymentNotFound": False,
    "ResponsibleAIPolicyViolation": False,
    "InternalServerError": True,
    "ServiceUnavailable": True,
    "TooManyRequests": True,
    "RESOURCE_EXHAUSTED": True,
    "UNAVAILABLE": True,
    "DEADLINE_EXCEEDED": True,
    "INTERNAL": True,
    "ABORTED": True,
    "CANCELLED": True,
    "INVALID_ARGUMENT": False,
    "FAILED_PRECONDITION": False,
    "OUT_OF_RANGE": False,
    "UNIMPLEMENTED": False,
    "PERMISSION_DENIED": False,
    "UNAUTHENTICATED": False,
    "NOT_FOUND": False,
    # The exceptions of the official clients and of LiteLLM.
    "RateLimitError": True,
    "APIConnectionError": True,
    "APITimeoutError": True,
    "ServiceUnavailableError": True,
    "BadRequestError": False,
    "NotFoundError": False,
    "AuthenticationError": False,
    "PermissionDeniedError": False,
    "UnprocessableEntityError": False,
    "ContextWindowExceededError": False,
    "ContentPolicyViolationError": False,
    # Doubleword's row errors; the server itself retries the first one until the deadline.
    "RetriableHttpStatus": True,
    "NetworkError": True,
    "Timeout": True,
    "TaskTerminated": True,
    "BatchTerminated": True,
    "NonRetriableHttpStatus": False,
    "RequestBuilderError": False,
}
"""Error codes with the same meaning at every provider, and whether they are retryable."""

_PERMANENT = frozenset({400, 401, 402, 403, 404, 405, 410, 413, 415, 422})
_TEMPORARY = frozenset({0, 408, 409, 425, 429})


def retryable(
    http_status: int | None, code: str | None, rules: Mapping[str, bool] | None = None
) -> bool | None:
    """Whether retrying the row unchanged can help; ``None`` if unknown.

    Args:
        http_status: HTTP status of the row, if its request got a response.
        code: The provider's error code.
        rules: The profile's codes, which take precedence over the common ones.
    """
    if code is not None:
        if rules is not None and code in rules:
            return rules[code]
        if code in RETRYABLE_CODES:
            return RETRYABLE_CODES[code]
    if http_status is None:
        return None
    if http_status in _TEMPORARY or http_status >= 500:
        return True
    if http_status in _PERMANENT:
        return False
    return None


class RetryRules(Mapping[str, bool]):
    """A mapping from error codes to retryable, with prefixes: ``"SYSTEM_9*"``.

    An exact code takes precedence over a prefix, a longer prefix over a shorter one.
    """

    def __init__(self, rules: Mapping[str, bool]) -> None:
        self._exact = {
            code: retryable for code, retryable in rules.items() if not code.endswith("*")
        }
        prefixes = (
            (code[:-1], retryable) for code, retryable in rules.items() if code.endswith("*")
        )
        self._prefixes = sorted(prefixes, key=lambda item: -len(item[0]))
        self._length = len(rules)

    def __getitem__(self, code: str) -> bool:
        if code in self._exact:
            return self._exact[code]
        for prefix, retryable in self._prefixes:
            if code.startswith(prefix):
                return retryable
        raise KeyError(code)

    def __iter__(self) -> Iterator[str]:
        yield from self._exact
        yield from (f"{prefix}*" for prefix, _ in self._prefixes)

    def __len__(self) -> int:
        return self._length

    def __repr__(self) -> str:
        return f"RetryRules({dict(self)!r})"
