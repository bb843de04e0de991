"""What an agent may spend in one session."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tui.core.formatting import money
from tui.engine.engine import Engine
from tui.errors import BudgetError, UsageError


class SessionBudget:
    """The budget of a session: what its submits and retries may cost together.

    It is in addition to the budgets of ``config.toml``, never in place of them. Counted is what the
    ledger has for the batches: at first what they may cost at most, then what was billed.

    Args:
        engine: The engine.
        amount: The budget; ``None`` for no limit but those of the single calls.
    """

    def __init__(self, engine: Engine, amount: float | None) -> None:
        self._engine = engine
        self.amount = amount
        # What was reserved before is not the session's. No time: the clock may be set.
        self._begun = engine.history.ledger.position()
        self._jobs: set[str] = set()
        # What is left is read, spent and noted by one call at a time.
        self._lock = asyncio.Lock()

    @property
    def spent(self) -> float:
        """What the session has spent or reserved. Blocking, but quick."""
        ledger = self._engine.history.ledger
        entries = (e for job in self._jobs for e in ledger.reserved_after(self._begun, job))
        counted = [entry for entry in entries if entry.kind != "released"]
        if self.amount is not None and any(entry.amount is None for entry in counted):
            # What has no known price may have taken everything.
            return self.amount
        return sum(entry.amount or 0.0 for entry in counted)

    @property
    def left(self) -> float | None:
        """What is left; ``None`` if there is no limit."""
        return None if self.amount is None else max(0.0, self.amount - self.spent)

    @asynccontextmanager
    async def allowed(self, budget: float) -> AsyncIterator[float]:
        """Hold back other calls that cost money, and give the limit of this one.

        Args:
            budget: The limit that the agent asks for.

        Raises:
            BudgetError: This is over what is left of the session.
            UsageError: It is no amount.
        """
        if not 0 <= budget < float("inf"):
            raise UsageError(f"invalid budget {budget}", "Use an amount of 0 or more.")
        async with self._lock:
            left = self.left
            try:
                yield budget if left is None else min(budget, left)
            except BudgetError as error:
                if left is not None and left < budget:
                    currency = self._engine.config.budget.currency
                    error.hint = (
                        f"The session has {money(left, currency)} of"
                        f" {money(self.amount, currency)} left. {error.hint}"
                    )
                raise

    def note(self, job_id: str) -> None:
        """Count what is spent on a job from now on."""
        self._jobs.add(job_id)
