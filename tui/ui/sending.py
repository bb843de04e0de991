"""Sending a checked file: the question with cost and budget, the import, the submit."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from tui.core.jobs import Job
from tui.core.text import one_line
from tui.errors import BudgetError
from tui.ui import formatting
from tui.ui.dialogs.submit import SubmitDialog, SubmitFacts
from tui.ui.messages import SubmitRequested

if TYPE_CHECKING:
    from tui.compose.estimate import Estimate
    from tui.engine.engine import Engine
    from tui.ui.app import BatchdeckApp

SAMPLE = 20
"""So many rows are sent first where a sample is wanted."""

Keyed = Callable[[str, Callable[[], Awaitable[Job]]], Awaitable[Job]]
"""Does something for an account, and asks for its key where that is missing."""


class Sending:
    """One file on its way to the provider.

    Args:
        app: Where the question is asked.
        engine: What sends.
        asked: What is to be sent.
    """

    def __init__(self, app: BatchdeckApp, engine: Engine, asked: SubmitRequested) -> None:
        self._app = app
        self._engine = engine
        self._asked = asked
        self._rows = asked.sample or SAMPLE

    async def confirmed(self) -> int | None:
        """Ask; the answer is how many rows go first, 0 for all, ``None`` for nothing."""
        asked = self._asked
        account = self._engine.account(asked.account)
        estimate = asked.estimate or await self._engine.estimate(
            asked.path, asked.account, window=asked.window or None
        )
        facts = [
            ("provider", f"{one_line(account.provider_name, 30)}"
                         f" (account {one_line(asked.account, 20)})"),
            ("model", one_line(asked.model, 44) or "-"),
            *([] if account.direct else [("window", asked.window or "-")]),
        ]  # fmt: skip
        free = account.provider == "sandbox"
        note = "Runs on this machine: free." if free else await self._budget_note()
        if account.direct:
            note = f"Rows are sent one by one, as long as Batchdeck runs. {note}"
        few = None
        if asked.rows > self._rows:
            part = estimate.times(self._rows / asked.rows)
            tokens = asked.input_tokens * self._rows // asked.rows
            few = await self._facts(part, f"{self._rows} of {asked.rows:,}", tokens, free=free)
        whole = await self._facts(estimate, f"{asked.rows:,}", asked.input_tokens, free=free)
        title = f"Submit {one_line(asked.name, 36)}?"
        dialog = SubmitDialog(title, facts, whole, few, note, sample=bool(asked.sample))
        if not await self._app.push_screen_wait(dialog):
            return None
        return self._rows if dialog.sample else 0

    async def _facts(
        self, estimate: Estimate, rows: str, tokens: int, *, free: bool
    ) -> SubmitFacts:
        from tui.engine.budgeting import cost_range

        stop = ""
        try:
            await asyncio.to_thread(self._engine.check_budget, estimate, self._asked.account)
        except BudgetError as error:
            stop = f"{error.message}. {error.hint}"
        words = f"about {formatting.short_number(tokens)} tokens"
        return SubmitFacts(rows, words, "free" if free else cost_range(estimate), stop)

    async def _budget_note(self) -> str:
        """What the budgets say, in a sentence."""
        from tui.core.money import money

        budget = self._engine.config.budget
        if budget.per_submit is None and budget.per_month is None:
            return "No budget is set: [budget] in config.toml stops what is too dear."
        words = []
        if budget.per_submit is not None:
            words.append(f"of a submit {money(budget.per_submit, budget.currency)}")
        if budget.per_month is not None:
            spent = await asyncio.to_thread(self._engine.spending)
            left = money(max(0.0, budget.per_month - spent.amount), budget.currency)
            words.append(f"left this month {left}")
        return f"Budget: {', '.join(words)}."

    async def imported(self, sample: int) -> list[Job]:
        """Make a job of the file, or two with the one to be sent first in front."""
        asked = self._asked
        with self._app.main.top_bar.meter("Importing", formatting.size) as seen:
            if sample:
                return list(
                    await self._engine.import_sample(
                        asked.path,
                        sample,
                        account=asked.account,
                        name=asked.name,
                        fix=asked.fix,
                        window=asked.window or None,
                        progress=seen,
                    )
                )
            job = await self._engine.import_file(
                asked.path,
                account=asked.account,
                name=asked.name,
                fix=asked.fix,
                window=asked.window or None,
                progress=seen,
            )
            return [job]

    async def sent(self, jobs: list[Job], keyed: Keyed) -> str:
        """Send the first job; the answer is what to say.

        Raises:
            BudgetError: A budget does not allow it after all; nothing is kept.
        """
        first = jobs[0]
        try:
            await keyed(first.account, lambda: self._engine.submit(first.id, patient=True))
        except BudgetError:
            # What is too dear is not to stand in the list.
            for job in jobs:
                await self._engine.delete(job.id)
            raise
        told = f"{one_line(first.name, 40)} is on its way"
        if len(jobs) > 1:
            rest = formatting.counted(jobs[1].counts.total, "row")
            told += f"; the other {rest} wait as {one_line(jobs[1].name, 40)}: S sends them"
        return told
