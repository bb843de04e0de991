"""Retry: plan the rows, preview and price the edits, confirm, send."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from tui.core import formatting
from tui.core.query import RowFilter
from tui.core.send_plans import RetryPlan
from tui.engine.costs.budget import cost_text
from tui.engine.engine import Engine
from tui.ui.dialogs.retry import (
    EditPreview,
    RetryAnswer,
    RetryCost,
    RetryDialog,
    RetryEditDialog,
    RetryFacts,
)
from tui.ui.tasks.context import TaskContext
from tui.ui.tasks.jobs import short_name


async def retry(
    context: TaskContext,
    job_id: str,
    rows: RowFilter | Sequence[int] | None = None,
    *,
    edit: bool = False,
    subject: str = "all failed rows",
) -> None:
    """Plan, confirm and start a retry."""
    engine = context.engine
    job = engine.history.jobs.get(job_id)
    await context.with_key(job.account, lambda: engine.look_for_late_answers(job_id))
    planner = RetryPlanner(engine, job.id, rows, subject)
    facts = await planner.facts()
    dialog: RetryDialog | RetryEditDialog
    if edit:
        dialog = RetryEditDialog(facts, await planner.proposed(), planner.rehearse, planner.price)
    else:
        dialog = RetryDialog(facts, planner.price_unchanged)
    answer = await context.ask(dialog)
    if answer is None:
        return
    plan = await planner.agreed(answer)
    context.main.results.clear_marks()
    await context.with_key(plan.account, lambda: engine.retry(plan))
    text = f"Retrying {formatting.counted(plan.rows, 'row')} of {short_name(job)}"
    if plan.left_out:
        text += f"; {plan.left_out:,} cannot take this change and are skipped"
    context.say(text, warn=bool(plan.left_out))


class RetryPlanner:
    """The rows of one retry while its dialog is open.

    The rows are selected when the dialog opens, and these are the ones retried; rows that
    another retry takes in the meantime are left out.

    Args:
        engine: The engine.
        job_id: The id of the job.
        rows: The selected rows; ``None`` for all failed rows.
        subject: What the rows are, in words.
    """

    def __init__(
        self, engine: Engine, job_id: str, rows: RowFilter | Sequence[int] | None, subject: str
    ) -> None:
        self._engine = engine
        self._job_id = job_id
        self._selected = rows
        self._subject = subject
        self._plans: dict[tuple[bool, bool], RetryPlan] = {}
        self._fitted: tuple[tuple[dict[str, Any], bool, bool], RetryPlan] | None = None
        self._shown: tuple[RetryPlan, float | None] | None = None

    async def facts(self) -> RetryFacts:
        """The facts that the dialog shows about the rows.

        Raises:
            UsageError: There are no rows to retry.
        """
        whole = await self._rows(also=True)
        account = self._engine.account(whole.account)
        return RetryFacts(
            subject=self._subject,
            rows=whole.rows - whole.permanent,
            permanent=whole.permanent,
            provider=whole.provider_name,
            account=whole.account,
            model=whole.model,
            asks=account.asks and not account.direct,
        )

    async def proposed(self) -> dict[str, Any]:
        """The edits suggested by the errors of the rows."""
        return await self._engine.retries.default_edits(await self._rows(also=True))

    async def plan(
        self, edits: Mapping[str, Any], also: bool, *, direct: bool = False
    ) -> RetryPlan:
        """The plan of the retry, as a batch or with direct requests.

        Args:
            edits: The edits of the requests.
            also: Include rows with a permanent error.
            direct: Send the rows one by one instead of as a batch.

        Raises:
            UsageError: No rows remain without those that have a permanent error.
        """
        return (await self._rows(also=also, direct=direct)).changed(edits)

    async def fitted(
        self, edits: Mapping[str, Any], also: bool, *, direct: bool = False
    ) -> RetryPlan:
        """The plan without the rows that the edits do not apply to.

        Raises:
            UsageError: No rows remain.
        """
        key = (dict(edits), also, direct)
        if self._fitted is None or self._fitted[0] != key:
            plan = await self._engine.retries.fit(await self.plan(edits, also, direct=direct))
            self._fitted = (key, plan)
        return self._fitted[1]

    async def rehearse(self, edits: Mapping[str, Any], also: bool, direct: bool) -> EditPreview:
        """Preview the edits on a few rows."""
        plan = await self.plan(edits, also, direct=direct)
        return EditPreview(plan.rows, await self._engine.retries.preview(plan, edits))

    async def price(self, edits: Mapping[str, Any], also: bool, direct: bool) -> RetryCost:
        """The estimated cost of the retry, and the number of rows left out."""
        plan = await self.fitted(edits, also, direct=direct)
        if self._engine.account(plan.account).is_free:
            return RetryCost("free", plan.left_out)
        estimate = await self._engine.costs.estimate(plan)
        self._shown = (plan, estimate.high)
        return RetryCost(cost_text(estimate), plan.left_out)

    async def agreed(self, answer: RetryAnswer) -> RetryPlan:
        """The plan that the user has agreed to, with the most that it may cost if that was shown.

        Raises:
            UsageError: No rows remain.
        """
        plan = await self.fitted(answer.edits, answer.include_permanent, direct=answer.direct)
        shown, most = self._shown or (None, None)
        return msgspec.structs.replace(plan, most_cost=most if shown is plan else None)

    async def price_unchanged(self, also: bool, direct: bool) -> str:
        """The estimated cost of a retry without edits."""
        whole = await self._rows(also=True)
        if not also and whole.permanent == whole.rows:
            return "-"
        return (await self.price({}, also, direct)).words

    async def _rows(self, *, also: bool, direct: bool = False) -> RetryPlan:
        if (also, direct) not in self._plans:
            self._plans[also, direct] = await self._engine.retries.plan(
                self._job_id, self._selected, include_permanent=also, direct=direct
            )
        return self._plans[also, direct]
