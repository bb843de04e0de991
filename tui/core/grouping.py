"""Which errors are the same, what kind of trouble they are, and what helps against it."""

from __future__ import annotations

import re
import zlib
from enum import StrEnum

from tui.core.outcome import Outcome

_LONGEST = 400

_PARTS = re.compile(
    r"""
      [0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}   # a UUID
    | \b(?:req|batch|file|msg|org|chatcmpl|call|run)[-_][\w-]+       # an id with a prefix
    | \b(?=[0-9a-f]*[0-9])[0-9a-f]{12,}\b                            # a hash
    | \d+(?:[.,:]\d+)*                                               # a number, a time
    """,
    re.VERBOSE | re.IGNORECASE,
)


def pattern_of(message: str) -> str:
    """The message with every id and number replaced by ``#``, cut at 400 characters."""
    return _PARTS.sub("#", message[:_LONGEST])


def group_key(http_status: int | None, code: str, pattern: str) -> str:
    """Eight hexadecimal digits that name a group wherever and whenever it is seen.

    Unlike its number in the history it survives a reindexing, so that it can stand in a
    saved filter or a script.
    """
    told = f"{http_status}\n{code}\n{pattern}"
    return f"{zlib.crc32(told.encode('utf-8', 'replace')):08x}"


class ErrorClass(StrEnum):
    """What kind of trouble a group of rows has; the value is the word on the screen."""

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
    ErrorClass.TRANSIENT: "It passes: send these rows again.",
    ErrorClass.REQUEST: "It fails again unchanged: send these rows with an edit.",
    ErrorClass.CREDIT: "Top up the account or raise its limit, then send these rows again.",
    ErrorClass.KEY: "Check the key and what it may do, then send these rows again.",
    ErrorClass.TRUNCATED: "The answer was cut: send these rows with a larger max_tokens.",
    ErrorClass.REFUSED: "The model declined: change the prompt or the model.",
    ErrorClass.EXPIRED: "The time ran out: send these rows again, perhaps in a longer window.",
    ErrorClass.CANCELLED: "The batch was stopped: send these rows again.",
    ErrorClass.MISSING: "The provider's files do not speak of these rows: send them again.",
    ErrorClass.UNCLEAR: "Nothing tells whether it passes: read one, then send these rows again.",
}
"""What to do about each class, as one sentence."""

_BY_OUTCOME = {
    Outcome.TRUNCATED: ErrorClass.TRUNCATED,
    Outcome.REFUSED: ErrorClass.REFUSED,
    Outcome.EXPIRED: ErrorClass.EXPIRED,
    Outcome.CANCELLED: ErrorClass.CANCELLED,
    Outcome.MISSING: ErrorClass.MISSING,
}

_CREDIT_CODES = frozenset(
    {"insufficient_quota", "billing_error", "billing_hard_limit_reached", "insufficient_credits",
     "insufficient_balance", "insufficient_funds", "payment_required"}
)  # fmt: skip
_CREDIT_WORDS = re.compile(
    r"\b(?:insufficient|exhausted|not enough|out of|no more|run out of)\s+(?:\w+\s+)?"
    r"(?:credits?|balance|funds|quota)\b",
    re.IGNORECASE,
)
_KEY_CODES = frozenset(
    {"authentication_error", "permission_error", "invalid_api_key", "permission_denied"}
)


def class_of(
    outcome: Outcome,
    http_status: int | None,
    code: str | None,
    message: str,
    retryable: bool | None,
) -> ErrorClass:
    """The kind of trouble.

    Args:
        outcome: What the rows ended with.
        http_status: The rows' own status, where their requests were answered.
        code: The provider's code.
        message: Its words.
        retryable: As in ``RowError``.
    """
    if outcome in _BY_OUTCOME:
        return _BY_OUTCOME[outcome]
    if http_status == 402 or code in _CREDIT_CODES or _CREDIT_WORDS.search(message[:_LONGEST]):
        return ErrorClass.CREDIT
    if http_status in (401, 403) or code in _KEY_CODES:
        return ErrorClass.KEY
    if retryable is None:
        return ErrorClass.UNCLEAR
    return ErrorClass.TRANSIENT if retryable else ErrorClass.REQUEST
