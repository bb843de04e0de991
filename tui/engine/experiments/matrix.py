"""Measure the jobs of an experiment: agreement, truth, judges, cost, tokens, failures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from tui.core.analysis.columns import ColumnKind, parse_column
from tui.core.analysis.comparison import Agreement, CompareOptions, JobTotals, RowComparison
from tui.core.analysis.evaluation import Evaluation
from tui.core.analysis.experiment import ExperimentReport, VariantReport
from tui.core.jobs import Job
from tui.engine.results import Results
from tui.errors import UsageError
from tui.progress import NO_PROGRESS, Progress
from tui.store.history import Comparison, EvaluationOptions, History

_SCORE = "@score"
"""The field of a judge's answers that is used if it is not said which."""


class MatrixOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What is measured.

    Attributes:
        compare: When two answers count as the same, and the column that is compared.
        gold: The column with the true values, such as ``in.label``; empty for none.
        gold_file: A table with the true values; ``gold`` is a column of it then.
        normalise: Ignore case, surrounding space and quotation marks in comparisons with gold.
        judge: The field of a judge's answers with its scores; by default ``@score``, where there
            is one. A judge is a job that was made of the rows of the measured job.
    """

    compare: CompareOptions = CompareOptions()
    gold: str = ""
    gold_file: Path | None = None
    normalise: bool = False
    judge: str = ""


async def measure(
    history: History,
    results: Results,
    job_ids: Sequence[str],
    options: MatrixOptions,
    progress: Progress = NO_PROGRESS,
) -> tuple[ExperimentReport, Comparison]:
    """The figures of jobs, and the comparison of their rows.

    Args:
        history: The jobs.
        results: Reads their rows.
        job_ids: The jobs.
        options: What is measured.
        progress: Told the rows that are compared; if it is stopped, those read so far count.

    Raises:
        UsageError: A job is given twice, or no job has a column that was asked for.
    """
    compared = await results.compare(job_ids, options.compare, progress=progress)
    jobs = [history.jobs.get(job_id) for job_id in job_ids]
    variants: list[VariantReport] = []
    missing: list[UsageError] = []
    for place, (job, totals) in enumerate(zip(jobs, compared.jobs, strict=True)):
        variant = _figures(job, totals, compared, place)
        if not compared.stopped:
            variant = await _judged(results, variant, options.judge)
            try:
                variant = await _evaluated(results, variant, options, progress)
            except UsageError as error:
                missing.append(error)
                variant = msgspec.structs.replace(variant, note=error.message)
        variants.append(variant)
    if missing and len(missing) == len(jobs):
        raise missing[0]
    count = compared.count
    report = ExperimentReport(
        column=options.compare.column,
        gold=options.gold,
        ids=len(compared),
        in_common=compared.in_common,
        same=count(RowComparison.SAME),
        different=count(RowComparison.DIFFERENT),
        unanswered=count(RowComparison.UNANSWERED),
        not_in_all=len(compared)
        - sum(map(count, (RowComparison.SAME, RowComparison.DIFFERENT, RowComparison.UNANSWERED))),
        variants=tuple(variants),
        agreement=tuple(
            tuple(_agreement(compared, one, other) for other in range(len(jobs)))
            for one in range(len(jobs))
        ),
        is_whole=not compared.stopped,
    )
    return report, compared


def _agreement(compared: Comparison, one: int, other: int) -> Agreement | None:
    return compared.agreement.get((min(one, other), max(one, other)))


def _figures(job: Job, totals: JobTotals, compared: Comparison, place: int) -> VariantReport:
    """What is known of a job from its record and the comparison."""
    pairs = [found for both, found in compared.agreement.items() if place in both]
    together = Agreement(
        same=sum(pair.same for pair in pairs), compared=sum(pair.compared for pair in pairs)
    )
    counts, cost = job.counts, job.cost
    is_estimated = cost.actual is None
    amount, rows = (cost.estimated, counts.total) if is_estimated else (cost.actual, counts.ended)
    return VariantReport(
        job_id=job.id,
        name=job.name,
        model=job.model,
        account=job.account,
        status=job.status.value,
        rows=counts.total,
        answered=counts.answered,
        failed=counts.unanswered,
        pending=counts.pending,
        agreement=together.share,
        valid=totals.pass_rate if totals.has_schema else None,
        cost=amount,
        cost_per_thousand=None if amount is None or not rows else 1000 * amount / rows,
        is_estimated=is_estimated,
        currency=cost.currency,
        input_tokens=_mean(totals.input_tokens, totals.metered),
        output_tokens=_mean(totals.output_tokens, totals.metered),
    )


def _mean(total: int | None, rows: int) -> float | None:
    return None if total is None or not rows else total / rows


async def _judged(results: Results, variant: VariantReport, judge: str) -> VariantReport:
    """Add the mean score of the newest judge, if there is one."""
    wanted = parse_column(judge or _SCORE)
    for info in await results.columns(variant.job_id):
        if info.kind is ColumnKind.JOINED and parse_column(info.column).name == wanted.name:
            facet = (await results.facets(variant.job_id, [info.column]))[0]
            if facet.numbers is not None:
                return msgspec.structs.replace(
                    variant,
                    judge=info.column,
                    score=facet.numbers.mean,
                    scored=facet.numbers.count,
                )
    return variant


async def _evaluated(
    results: Results, variant: VariantReport, options: MatrixOptions, progress: Progress
) -> VariantReport:
    """Add the comparison with the true values, if there are any.

    Raises:
        UsageError: The job does not have the column.
    """
    if not options.gold and options.gold_file is None:
        return variant
    found: Evaluation = await results.evaluate(
        variant.job_id,
        options.compare.column or "answer",
        options.gold,
        gold_file=options.gold_file,
        options=EvaluationOptions(normalise=options.normalise),
        progress=Progress(stop=lambda: progress.stopped),
    )
    return msgspec.structs.replace(
        variant,
        accuracy=found.accuracy,
        interval=found.interval,
        macro_f1=found.macro_f1,
        evaluated=found.compared,
    )
