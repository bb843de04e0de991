"""``costs``: what was estimated, billed, reserved and saved, by month, tag, account or model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from tui.cli.options import MOMENT, Settings, shared
from tui.cli.output import Cell, pairs, print_result, say, table
from tui.cli.session import run
from tui.core.formatting import money, rfc3339
from tui.core.text import one_line

if TYPE_CHECKING:
    from tui.engine.costs.spent import SpentGroup, SpentReport
    from tui.engine.engine import Engine

_AMOUNTS = (
    "estimated", "billed", "reserved", "saved_by_batch", "saved_by_cache", "saved_by_reuse",
)  # fmt: skip


@click.command(short_help="Show where the money went, and what is left of the budget.")
@click.option(
    "--by",
    default="month",
    metavar="GROUPS",
    show_default=True,
    help="One or several of month, account, provider, model, tag, job, separated by commas.",
)
@click.option(
    "--since",
    type=MOMENT,
    metavar="WHEN",
    help="Only batches sent since WHEN: a date such as 2026-11-20, or 12h, 7d, 3w ago.",
)
@click.option("--before", type=MOMENT, metavar="WHEN", help="Only batches sent before WHEN.")
@shared
def costs(settings: Settings, by: str, since: float | None, before: float | None) -> None:
    """Show what batches cost, by month, account, provider, model, tag or job.

    Deleted jobs are counted: they were paid for. RESERVED is the most that batches without a bill
    may cost. BATCH SAVED is what single requests would have cost more, CACHE SAVED what prompts
    read from a cache saved, less what writing them cost, REUSE SAVED what answers cost that were
    used again for equal requests (--dedupe, --reuse). A sum marked with * leaves out amounts
    that are not known; a - means that none is. Months are those of UTC, as in the budget.
    """
    names = [name.strip() for name in by.split(",") if name.strip()]

    async def work(engine: Engine) -> None:
        report = await engine.costs.spent(names, since=since, before=before)
        print_result(settings, lambda: _document(report, since, before), lambda: _lines(report))
        if not report.groups and not settings.json:
            say("Nothing was spent: the sandbox is free.")

    run(settings, work)


def _document(report: SpentReport, since: float | None, before: float | None) -> dict[str, Any]:
    return {
        "by": list(report.by),
        "since": rfc3339(since),
        "before": rfc3339(before),
        "groups": [
            {**dict(zip(report.by, group.keys, strict=True)), **_figures(group)}
            for group in report.groups
        ],
        "totals": [_figures(group) for group in report.totals],
        "budget": None
        if report.budget is None
        else {
            "per_month": report.budget,
            "left": report.left,
            "currency": report.budget_currency,
        },
    }


def _figures(group: SpentGroup) -> dict[str, Any]:
    sums = {name: getattr(group, name) for name in _AMOUNTS}
    figures = {name: {"amount": of.amount, "unknown": of.unknown} for name, of in sums.items()}
    return {"currency": group.currency, "jobs": group.jobs, "rows": group.rows, **figures}


def _lines(report: SpentReport) -> list[str]:
    if not report.groups:
        return _budget(report)
    rows: list[list[Cell | str]] = [
        [*(one_line(key, 60) or "-" for key in group.keys), *_cells(group)]
        for group in report.groups
    ]
    if len(rows) > 1:
        blanks = [""] * (len(report.by) - 1)
        rows += [["total", *blanks, *_cells(group)] for group in report.totals]
    titles = [
        *(name.upper() for name in report.by),
        "JOBS", "ROWS", "ESTIMATED", "BILLED", "RESERVED", "BATCH SAVED", "CACHE SAVED",
        "REUSE SAVED",
    ]  # fmt: skip
    width = len(report.by)
    lines = table(titles, rows, right=frozenset(range(width, len(titles))), elastic=width - 1)
    return [*lines, *_remarks(report), *_budget(report)]


def _cells(group: SpentGroup) -> list[Cell | str]:
    from tui.engine.costs.spent import sum_text

    amounts = [sum_text(getattr(group, name), group.currency) for name in _AMOUNTS]
    return [f"{group.jobs:,}", f"{group.rows:,}", *amounts]


def _remarks(report: SpentReport) -> list[str]:
    from tui.engine.costs.spent import unknown_text

    found = [text for group in report.totals if (text := unknown_text(group))]
    if "tag" in report.by and len(report.groups) > 1:
        found.append("A job with several tags counts in each of them, and once in the total.")
    return ["", *found] if found else []


def _budget(report: SpentReport) -> list[str]:
    if report.budget is None:
        return []
    left, budget = (money(each, report.budget_currency) for each in (report.left, report.budget))
    return ["", *pairs({"budget": f"{left} left this month, of {budget}"})]
