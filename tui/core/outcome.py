"""What became of a row."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """The newest outcome of a row.

    ``truncated`` and ``refused`` are successes on the wire that a person wants to find.
    ``missing`` means that the batch ended and the provider's files do not speak of the row.
    """

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    TRUNCATED = "truncated"
    REFUSED = "refused"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    MISSING = "missing"


OUTCOME_CODES: dict[Outcome, int] = {outcome: code for code, outcome in enumerate(Outcome)}
"""Outcome to the small integer that the history stores."""

OUTCOMES: tuple[Outcome, ...] = tuple(Outcome)
"""Small integer to outcome: ``OUTCOMES[code]``."""

ANSWERED = frozenset({Outcome.SUCCEEDED, Outcome.TRUNCATED, Outcome.REFUSED})
"""Outcomes that came with an answer of the model."""

UNANSWERED = frozenset({Outcome.FAILED, Outcome.EXPIRED, Outcome.CANCELLED, Outcome.MISSING})
"""Outcomes without an answer: what ``e`` shows and ``r`` sends again."""

NOT_GOOD = UNANSWERED | {Outcome.TRUNCATED, Outcome.REFUSED}
"""Everything that ended and that a person may want to look at."""


def rank(outcome: Outcome) -> int:
    """How good an outcome is when attempts are merged; the higher one wins.

    A full answer beats a truncated or refused one, which beats a failure, which beats silence.
    """
    return _RANKS[outcome]


_RANKS = {
    Outcome.SUCCEEDED: 4,
    Outcome.TRUNCATED: 3,
    Outcome.REFUSED: 3,
    Outcome.FAILED: 2,
    Outcome.EXPIRED: 2,
    Outcome.CANCELLED: 2,
    Outcome.MISSING: 1,
    Outcome.PENDING: 0,
}
