"""What stands between the dialogs of a retry and the engine: plans, previews and prices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tui.engine.budgeting import cost_range
from tui.engine.engine import Engine
from tui.engine.retrier import RetryPlan
from tui.ui.dialogs.retry_choices import RetryFacts
from tui.ui.dialogs.retry_edit import RetryPreview, RetryPrice
from tui.ui.messages import RetryRequested


class RetryDesk:
    """The rows of one retry, while a person decides.

    The rows are found when the dialog opens, and are the ones that are sent: what another
    retry sends meanwhile is left out of it.

    Args:
        engine: Which does the work.
        asked: Which rows.
    """

    def __init__(self, engine: Engine, asked: RetryRequested) -> None:
        self._engine = engine
        self._asked = asked
        self._plans: dict[tuple[bool, bool], RetryPlan] = {}
        self._fitted: tuple[tuple[dict[str, Any], bool, bool], RetryPlan] | None = None

    async def facts(self) -> RetryFacts:
        """What the dialog tells of the rows.

        Raises:
            UsageError: There is nothing to send.
        """
        whole = await self._rows(also=True)
        account = self._engine.account(whole.account)
        return RetryFacts(
            subject=self._asked.subject,
            rows=whole.rows - whole.permanent,
            permanent=whole.permanent,
            provider=whole.provider_name,
            account=whole.account,
            model=whole.model,
            asks=account.asks and not account.direct,
        )

    async def proposed(self) -> dict[str, Any]:
        """The changes that the rows call for."""
        return await self._engine.propose_edits(await self._rows(also=True))

    async def plan(
        self, edits: Mapping[str, Any], also: bool, *, direct: bool = False
    ) -> RetryPlan:
        """What is to be sent, as a batch or one by one.

        Raises:
            UsageError: Without the hopeless rows there is nothing to send.
        """
        return (await self._rows(also=also, direct=direct)).changed(edits)

    async def fitted(
        self, edits: Mapping[str, Any], also: bool, *, direct: bool = False
    ) -> RetryPlan:
        """The same without the rows that cannot be changed so.

        Raises:
            UsageError: There is nothing left.
        """
        wanted = (dict(edits), also, direct)
        if self._fitted is None or self._fitted[0] != wanted:
            plan = await self._engine.fit_retry(await self.plan(edits, also, direct=direct))
            self._fitted = (wanted, plan)
        return self._fitted[1]

    async def rehearse(self, edits: Mapping[str, Any], also: bool, direct: bool) -> RetryPreview:
        """A few rows, changed."""
        plan = await self.plan(edits, also, direct=direct)
        return RetryPreview(plan.rows, await self._engine.rehearse_retry(plan, edits))

    async def price(self, edits: Mapping[str, Any], also: bool, direct: bool) -> RetryPrice:
        """What all rows may cost, and how many stay out."""
        plan = await self.fitted(edits, also, direct=direct)
        free = self._engine.account(plan.account).provider == "sandbox"
        words = "free" if free else cost_range(await self._engine.estimate(plan))
        return RetryPrice(words, plan.left_out, plan.why_left)

    async def price_unchanged(self, also: bool, direct: bool) -> str:
        """What the rows may cost as they are."""
        if (
            not also
            and (await self._rows(also=True)).permanent == (await self._rows(also=True)).rows
        ):
            return "-"
        return (await self.price({}, also, direct)).words

    async def _rows(self, *, also: bool, direct: bool = False) -> RetryPlan:
        if (also, direct) not in self._plans:
            self._plans[also, direct] = await self._engine.plan_retry(
                self._asked.job_id, self._asked.rows, permanent_too=also, direct=direct
            )
        return self._plans[also, direct]
