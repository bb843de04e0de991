"""How long a batch is likely to take: what earlier batches of the account and model took."""

from __future__ import annotations

import msgspec

from tui.core.formatting import counted, span
from tui.engine.context import Context

FEWEST_BATCHES = 3
"""With fewer earlier batches nothing is said."""

MOST_BATCHES = 12
"""The newest batches that are looked at."""


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """What the last batches of an account, a model and a completion window took, in seconds.

    Attributes:
        batches: How many have completed.
        shortest: The shortest of them.
        median: The one in the middle.
        longest: The longest of them.
        expired: How many more were not completed within their window.
    """

    batches: int
    shortest: float
    median: float
    longest: float
    expired: int = 0

    @property
    def text(self) -> str:
        """As a phrase: ``40 min to 3 h in your last 12 batches with this model``."""
        shortest, longest = span(self.shortest), span(self.longest, exact=True)
        took = longest if span(self.longest) == shortest else f"{shortest} to {longest}"
        words = f"{took} in your last {self.batches} batches with this model"
        more = f"; {counted(self.expired, 'more expired', 'more expired')}" if self.expired else ""
        return words + more


def forecast(context: Context, account: str, model: str, window: str) -> Forecast | None:
    """What to expect of a batch; ``None`` with too few earlier ones. Blocking, but quick.

    Args:
        context: The engine context.
        account: The account that will send it.
        model: The model of most requests.
        window: The completion window; empty if rows are sent one by one, which says nothing.
    """
    if not window or not model:
        return None
    found = context.history.batches.durations(account, model, window, MOST_BATCHES)
    took = sorted(seconds for seconds, expired in found if not expired)
    if len(took) < FEWEST_BATCHES:
        return None
    return Forecast(
        batches=len(took),
        shortest=took[0],
        median=took[(len(took) - 1) // 2],
        longest=took[-1],
        expired=len(found) - len(took),
    )
