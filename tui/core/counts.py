"""How many rows had which outcome."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from tui.core.outcome import Outcome


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Rows per outcome; ``total`` is the number of requests and the others add up to it."""

    total: int = 0
    pending: int = 0
    succeeded: int = 0
    truncated: int = 0
    refused: int = 0
    failed: int = 0
    expired: int = 0
    cancelled: int = 0
    missing: int = 0

    @classmethod
    def of(cls, total: int, ended: Mapping[Outcome, int]) -> Counts:
        """Counts from the rows that have ended; the rest of ``total`` is pending."""
        named = {outcome.value: n for outcome, n in ended.items() if outcome != Outcome.PENDING}
        return cls(total=total, pending=total - sum(named.values()), **named)

    @property
    def answered(self) -> int:
        """Rows with an answer, truncated and refused ones included."""
        return self.succeeded + self.truncated + self.refused

    @property
    def unanswered(self) -> int:
        """Rows that ended without an answer: what a retry sends again."""
        return self.failed + self.expired + self.cancelled + self.missing

    @property
    def ended(self) -> int:
        """Rows of which the outcome is known."""
        return self.total - self.pending

    @property
    def all_good(self) -> bool:
        """Did every row succeed, none truncated, refused, failed or missing?"""
        return self.succeeded == self.total

    def get(self, outcome: Outcome) -> int:
        """The number of rows with one outcome."""
        count: int = getattr(self, outcome.value)
        return count


class RemoteCounts(msgspec.Struct, frozen=True, kw_only=True):
    """What the provider says of its batch; a figure that it does not give is ``None``."""

    total: int | None = None
    completed: int | None = None
    failed: int | None = None
    cancelled: int | None = None
    expired: int | None = None

    @property
    def ended(self) -> int | None:
        """Rows that the provider is done with; ``None`` where it does not say."""
        if self.completed is None and self.failed is None:
            return None
        parts = (self.completed, self.failed, self.cancelled, self.expired)
        return sum(part or 0 for part in parts)
