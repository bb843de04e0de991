"""What the user should know before a file is submitted, and the answers to that."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from tui.compose.checks.scan import scan_lines
from tui.compose.estimate import Estimate
from tui.compose.requests.report import CheckReport
from tui.config.settings import BudgetConfig
from tui.core.formatting import percent
from tui.core.jobs import SamplePart
from tui.core.send_plans import ReuseOptions
from tui.engine.accounts import AccountInfo
from tui.engine.batches.reuse import split_reusable
from tui.engine.context import Context
from tui.engine.costs.budget import cost_text, require_no_more
from tui.engine.costs.estimates import Costs
from tui.engine.costs.forecast import Forecast
from tui.engine.costs.priming import PrimingEstimate
from tui.engine.import_job import FileImport, file_was_changed
from tui.errors import BudgetError
from tui.progress import NO_PROGRESS, Progress

SAMPLE_ROWS = 20
"""Rows of a sample, unless the user chose another number."""

SubmitAnswer = Literal["yes", "sample", "no"]
"""The user's answer: submit all rows, a sample of them (the rest stays a draft), or nothing."""


class CheckedFile(NamedTuple):
    """A requests file that was checked and priced before the user asked to submit it.

    ``repeated`` is the price of the rows that repeat another one; ``None`` if there are none.
    """

    report: CheckReport
    estimate: Estimate
    repeated: Estimate | None = None


def require_no_dearer(path: Path, told: Estimate, now: Estimate) -> None:
    """Check that requests cost no more than what the user was told and has agreed to.

    Prompts of the same size do not say it: a limit of the answers, or a price of the
    configuration, may have been changed since.

    Args:
        path: The file.
        told: The estimate that the user saw.
        now: The estimate of what the file holds now, by the prices of now.

    Raises:
        UsageError: They may cost more.
    """
    limit, before = now.output_tokens_high, told.output_tokens_high
    if before is not None and (limit is None or limit > before):
        raise file_was_changed(path)
    if not told.exact_tokens:
        require_no_more(told.high, now, path.name)


@dataclass(frozen=True)
class SubmitCost:
    """What one answer would send.

    Attributes:
        rows: The number of rows.
        input_tokens: The estimated tokens of their prompts.
        estimate: The estimated cost.
        over_budget: Why the budgets do not allow it; empty if they do.
    """

    rows: int
    input_tokens: int
    estimate: Estimate
    over_budget: str = ""


@dataclass(frozen=True)
class SubmitFacts:
    """What the user should know before a file is submitted.

    Attributes:
        name: The name of the new job.
        account: The account that will send it.
        model: The model of most requests, after the edits.
        window: The completion window; empty if the rows are sent one by one.
        whole: What the whole file would send.
        sample: What a sample of it would send; ``None`` if the file has no more rows than that.
        budget: The configured budgets.
        left_this_month: What is left of the budget per month; ``None`` if there is none.
        forecast: How long earlier batches took; ``None`` if there are too few.
        distinct: What would be sent if each distinct request were sent once; ``None`` if no row
            repeats another one.
        repeats: How many rows repeat another one, and what they cost, as a text.
        priming: What the prompt cache costs and saves in both ways; ``None`` where none is marked.
        reused: How many rows have an answer in the history, as a text, if they may be reused;
            ``whole`` then does not count them, and ``repeats`` is empty.
    """

    name: str
    account: AccountInfo
    model: str
    window: str
    whole: SubmitCost
    sample: SubmitCost | None
    budget: BudgetConfig
    left_this_month: float | None
    forecast: Forecast | None = None
    distinct: SubmitCost | None = None
    repeats: str = ""
    reused: str = ""
    priming: PrimingEstimate | None = None


def repeats_text(report: CheckReport, repeated: Estimate | None, *, free: bool = False) -> str:
    """How many rows repeat another one: ``12,400 of 40,000 rows repeat another: 31%, $4.10``.

    Args:
        report: The check of the file, with its repeats counted.
        repeated: The price of these rows, if it is known.
        free: They cost nothing.

    Returns:
        The text; empty if no row repeats another one.
    """
    if not report.repeats:
        return ""
    repeat = "repeats" if report.repeats == 1 else "repeat"
    share = percent(report.repeats / report.rows)
    cost = "" if free or repeated is None or repeated.low is None else f", {cost_text(repeated)}"
    return f"{report.repeats:,} of {report.rows:,} rows {repeat} another: {share}{cost}"


Ask = Callable[[SubmitFacts], Awaitable[SubmitAnswer]]
"""Shows the user what will be sent, and returns the answer."""


def submit_facts(
    costs: Costs,
    file: FileImport,
    checked: CheckedFile,
    sample: SamplePart,
    budget: float | None,
) -> SubmitFacts:
    """The facts about a checked file; blocking.

    Args:
        costs: Knows the budgets.
        file: The file.
        checked: The result of its check, and its estimated cost.
        sample: The sample that the user may choose; it is priced by its own rows.
        budget: A cost limit, in addition to the configured budgets.
    """
    report, estimate, repeated = checked
    total = report.rows

    def sampled() -> SubmitCost | None:
        if total <= sample.rows:
            return None
        if file.info.is_free:
            return cost(sample.rows, estimate.times(sample.rows / total))
        # Of the whole file: which of its rows may be reused is not known to the sample.
        lines = file.sampled_requests(report, sample)
        return cost(sample.rows, costs.price_lines(lines, file.info.name, window=file.window))

    def cost(rows: int, part: Estimate) -> SubmitCost:
        over_budget = ""
        try:
            costs.check_budget(part, file.info.name, budget)
        except BudgetError as error:
            over_budget = f"{error.message}. {error.hint}"
        return SubmitCost(rows, report.input_tokens * rows // max(1, total), part, over_budget)

    return SubmitFacts(
        name=file.name,
        account=file.info,
        model=file.model(report),
        window=file.window,
        whole=cost(total, estimate),
        sample=sampled(),
        budget=costs.budgets.config,
        left_this_month=costs.left_this_month(),
        forecast=file.forecast(report),
        distinct=None
        if repeated is None
        else cost(total - report.repeats, estimate.without(repeated)),
        repeats=repeats_text(report, repeated, free=file.info.is_free),
        priming=costs.price_priming(
            estimate, (line for _, line in file.requests()), file.info.name, file.window
        ),
    )


def without_reused(
    context: Context,
    costs: Costs,
    file: FileImport,
    report: CheckReport,
    reuse: ReuseOptions,
    progress: Progress = NO_PROGRESS,
) -> tuple[CheckedFile, str]:
    """A check of the rows of a file that have no answer yet, and how many have one; blocking.

    The repeats among them are not counted.
    """
    lines = (line for _, line in file.requests())
    found, others = split_reusable(context, lines, file.info.name, reuse, progress)
    rest = scan_lines(others)
    estimate = costs.price(rest, file.info.name, file.window)
    rows, tokens = report.rows - found.rows, math.ceil(rest.tokens)
    left = msgspec.structs.replace(report, rows=rows, repeats=0, input_tokens=tokens)
    return CheckedFile(left, estimate), found.text
