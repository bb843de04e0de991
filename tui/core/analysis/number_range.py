"""A range of numbers, as a condition on tokens, lengths and costs."""

from __future__ import annotations

import msgspec


class NumberRange(msgspec.Struct, frozen=True):
    """A range of numbers, both bounds inclusive; ``None`` is unbounded.

    An unknown value is in no bounded range.
    """

    least: float | None = None
    most: float | None = None

    def meet(self, other: NumberRange) -> NumberRange:
        """The intersection with another range."""
        least = [bound for bound in (self.least, other.least) if bound is not None]
        most = [bound for bound in (self.most, other.most) if bound is not None]
        return NumberRange(max(least, default=None), min(most, default=None))


ANY = NumberRange()
"""Every number, and unknown values."""
