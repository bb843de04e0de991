"""Where the money went: what was billed, reserved, estimated and saved, by groups of batches."""

from __future__ import annotations

from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widgets import Static

from tui.core.formatting import counted, money
from tui.core.text import one_line
from tui.engine.costs.spent import (
    DIMENSIONS,
    KnownSum,
    SpentGroup,
    SpentReport,
    sum_text,
    unknown_text,
)
from tui.progress import Progress
from tui.ui.commands.command_table import Scope, bindings
from tui.ui.dialogs.choose import Choice, ChooseDialog
from tui.ui.screens.report import ReportReader, ReportScreen
from tui.ui.session import Session
from tui.ui.text.tones import Part, Tone, content
from tui.ui.widgets.cell_table import CellTable
from tui.ui.widgets.key_footer import SteadyFooter

_LONGEST_NAME = 40

_COLUMNS = (
    ("billed", "billed", "billed for the batches that have ended"),
    ("reserved", "reserved", "the most that batches without a bill may cost"),
    ("estimated", "estimated", "estimated before these batches were sent"),
    ("batch saved", "saved_by_batch", "saved by the batch discount: single requests cost more"),
    ("cache saved", "saved_by_cache", "saved by prompts read from a cache, less what writing cost"),
    ("reuse saved", "saved_by_reuse", "cost of answers that were used again for equal requests"),
)
"""Heading, attribute of a group, and what it is."""

_HELP = {
    "month": "calendar months (UTC)",
    "account": "accounts",
    "provider": "providers",
    "model": "models that the requests name",
    "tag": "a job with several counts in each",
    "job": "jobs, deleted ones too",
}


class CostsScreen(ReportScreen[SpentReport, None]):
    """A table of costs, by month or by another group, and what is left of the budget.

    Args:
        session: The session.
    """

    DEFAULT_CSS = """
    CostsScreen #costs-unknown { height: auto; max-height: 2; padding: 0 1; }
    """
    SCOPE = Scope.COSTS
    BINDINGS: ClassVar[list[BindingType]] = bindings(Scope.COSTS)

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._by: tuple[str, ...] = ("month",)
        self._head = Static("", id="costs-head", classes="report-line", markup=False)
        self._table = CellTable(id="costs-table", opens=False)
        self._cell = Static("", id="costs-cell", classes="report-line", markup=False)
        self._unknown = Static("", id="costs-unknown", markup=False)
        self.reader = ReportReader(self, self._load, self._draw_head, self._show)

    def compose(self) -> ComposeResult:
        """The head, the table, what its cell is, what is not known, and the footer."""
        yield self._head
        yield self._table
        yield self._cell
        yield self._unknown
        yield SteadyFooter()

    def on_mount(self) -> None:
        """Read the ledger."""
        self._table.focus()
        self.reader.read()

    async def _load(self, progress: Progress) -> SpentReport:
        return await self._session.engine.costs.spent(self._by)

    def _draw_head(self) -> None:
        parts: list[Part] = [("Costs", "strong"), (f" · by {' and '.join(self._by)}", "")]
        made = self.reader.report
        if made is not None and made.budget is not None:
            left, budget = (money(one, made.budget_currency) for one in (made.left, made.budget))
            parts.append((f" · {left} left of {budget} this month", "accent"))
        self._head.update(content(parts), layout=False)

    async def _show(self, made: SpentReport) -> None:
        """Show a line for each group, and the totals last."""
        if not made.groups:
            nothing: Part = ("Nothing was spent: the sandbox is free.", "muted")
            self._table.show(["", ""], [[nothing, ("", "")]])
            return
        headings = ["", *(heading for heading, _, _ in _COLUMNS), "jobs", "rows"]
        rows = [[(_name(group), ""), *_cells(group)] for group in made.groups]
        if len(made.groups) > 1:
            rows += [[("total", "strong"), *_cells(total)] for total in made.totals]
        _align(rows)
        self._table.show(headings, rows)
        texts = filter(None, map(unknown_text, made.totals))
        self._unknown.update(content([(" ".join(texts), "muted")]))

    @on(CellTable.Moved)
    def _moved(self, event: CellTable.Moved) -> None:
        made = self.reader.report
        if made is None or not made.groups:
            return
        lines = [*made.groups, *(made.totals if len(made.groups) > 1 else ())]
        group = lines[min(event.row, len(lines) - 1)]
        name = _name(group) or "all"
        parts: list[Part] = [(f"{name}: ", "")]
        if 0 < event.column <= len(_COLUMNS):
            _, attribute, words = _COLUMNS[event.column - 1]
            amounts: KnownSum = getattr(group, attribute)
            parts += [(sum_text(amounts, group.currency) or "nothing", "strong"), (f" {words}", "")]
        else:
            what = f"{counted(group.jobs, 'job')}, {counted(group.rows, 'request')} sent"
            parts.append((what, "strong"))
        self._cell.update(content(parts), layout=False)

    # Commands

    def action_leave(self) -> None:
        """Go back."""
        self.dismiss(None)

    def action_months(self) -> None:
        """Show each month by itself, or all together."""
        if self._by == ("month",):
            self.app.notify("Choose a group first (g).", markup=False, timeout=3)
            return
        self._by = self._by[1:] if self._by[0] == "month" else ("month", *self._by)
        self.reader.read()

    def action_reload_costs(self) -> None:
        """Read the ledger again."""
        self.reader.read()

    @work(group="choose", exit_on_error=False)
    async def action_group_by(self) -> None:
        """Choose what costs are grouped by."""
        choices = [Choice(name, name, _HELP[name]) for name in DIMENSIONS]
        chosen = await self.app.push_screen_wait(
            ChooseDialog("Group costs by", choices, self._by[-1])
        )
        if chosen is not None:
            self._by = (chosen,)
            self.reader.read()


def _name(group: SpentGroup) -> str:
    return " · ".join(one_line(key, _LONGEST_NAME) or "(none)" for key in group.keys)


def _cells(group: SpentGroup) -> list[Part]:
    amounts: list[Part] = []
    for _, attribute, _ in _COLUMNS:
        amount: KnownSum = getattr(group, attribute)
        text = sum_text(amount, group.currency)
        lost = amount.amount is not None and amount.amount < 0
        tone: Tone = "warn" if lost else "muted" if not amount.amount else ""
        amounts.append((text, "strong" if attribute == "billed" and amount.amount else tone))
    return [*amounts, (f"{group.jobs:,}", "muted"), (f"{group.rows:,}", "muted")]


def _align(rows: list[list[Part]]) -> None:
    """Let the digits of a column stand below each other, where some amounts have a star."""
    for column in range(1, 1 + len(_COLUMNS)):
        if any(row[column][0].endswith("*") for row in rows):
            for row in rows:
                text, tone = row[column]
                row[column] = (text if text.endswith("*") else f"{text} ", tone)
