"""The matrix of an experiment: the figures of several jobs over the same rows, side by side."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from tui.core.analysis.comparison import Agreement
from tui.core.analysis.evaluation import Interval


class VariantReport(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of one job; ``None`` is "unknown".

    Attributes:
        job_id: Id of the job.
        name: Its name.
        model: Its model.
        account: The account that sent it.
        status: Its status.
        rows: Its rows.
        answered: Rows with an answer; truncated answers are included.
        failed: Rows that ended without an answer.
        pending: Rows without a result so far.
        agreement: Share of equal answers among all pairs with an answer of another job, 0 to 1.
        valid: Share of answers that match the schema of their requests, 0 to 1.
        accuracy: Share of answers that are the true value, 0 to 1.
        interval: Its 95 % Wilson score interval.
        macro_f1: Mean F1 of all classes.
        evaluated: Rows with an answer and a true value.
        judge: The column of the judge's scores.
        score: Mean score.
        scored: Rows with a score.
        cost: What it cost, or the estimate.
        cost_per_thousand: The cost of 1,000 rows that have a result.
        is_estimated: Whether the cost is an estimate.
        currency: Currency of the costs.
        input_tokens: Mean input tokens of a row.
        output_tokens: Mean output tokens of a row.
        note: What could not be measured, and why.
    """

    job_id: str
    name: str
    model: str
    account: str
    status: str
    rows: int
    answered: int
    failed: int
    pending: int
    agreement: float | None = None
    valid: float | None = None
    accuracy: float | None = None
    interval: Interval | None = None
    macro_f1: float | None = None
    evaluated: int = 0
    judge: str = ""
    score: float | None = None
    scored: int = 0
    cost: float | None = None
    cost_per_thousand: float | None = None
    is_estimated: bool = False
    currency: str = "USD"
    input_tokens: float | None = None
    output_tokens: float | None = None
    note: str = ""


class ExperimentReport(msgspec.Struct, frozen=True, kw_only=True):
    """Several jobs over the same rows.

    ``ids`` = ``same`` + ``different`` + ``unanswered`` + ``not_in_all``.

    Attributes:
        column: The column that was compared; empty for whole answers.
        gold: The column with the true values; empty for none.
        ids: Different ids in all jobs.
        in_common: Ids that all jobs have.
        same: Ids with the same answer in all jobs.
        different: Ids with at least two different answers.
        unanswered: Ids that all jobs have, of which at least one has no answer.
        not_in_all: Ids that at least one job does not have.
        variants: The figures of each job.
        agreement: For each job a list with its agreement with each job; ``None`` with itself.
        is_whole: Whether all rows were read.
    """

    column: str = ""
    gold: str = ""
    ids: int = 0
    in_common: int = 0
    same: int = 0
    different: int = 0
    unanswered: int = 0
    not_in_all: int = 0
    variants: tuple[VariantReport, ...] = ()
    agreement: tuple[tuple[Agreement | None, ...], ...] = ()
    is_whole: bool = True


def short_names(experiment: str, names: Sequence[str]) -> list[str]:
    """The names of jobs without that of their experiment."""
    return [name.removeprefix(f"{experiment}-") or name for name in names]
