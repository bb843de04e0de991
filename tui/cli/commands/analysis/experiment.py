"""``experiment``: several models and templates over one table, sent and compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tui.cli.commands.submit import deadline_option
from tui.cli.errors import EXIT_OK, EXIT_ROWS_FAILED
from tui.cli.input_file import open_source
from tui.cli.options import (
    Settings,
    account_option,
    budget_option,
    complete_columns,
    complete_jobs,
    complete_sources,
    max_size_option,
    set_option,
    shared,
    wait_option,
    wait_timeout,
    yes_option,
)
from tui.cli.output import Cell, pairs, print_json, print_lines, print_result, say, table
from tui.cli.progress import JobProgress, file_progress
from tui.cli.session import asks_before_sending, confirm, read_history, run
from tui.core.formatting import counted, local_time, money, percent, plain_number, precise_percent
from tui.errors import BatchdeckError, UsageError

if TYPE_CHECKING:
    from tui.core.analysis.comparison import Agreement
    from tui.core.analysis.experiment import ExperimentReport, VariantReport
    from tui.core.jobs import Deadline, Job
    from tui.core.rows import RowLine
    from tui.engine.engine import Engine
    from tui.engine.experiments.service import ExperimentFacts
    from tui.store.history import Comparison, History


@click.group(short_help="Send several models and templates, and compare their answers.")
def experiment() -> None:
    """Try several models and templates on one table, and compare what they answer.

    An experiment is a name that jobs carry; every job has the same rows.
    """


@experiment.command("run", short_help="Send each template with each model as a job.")
@click.argument("source", shell_complete=complete_sources)
@click.option("--name", required=True, metavar="NAME",
              help="Name of the experiment; its jobs are called NAME-MODEL-TEMPLATE.")  # fmt: skip
@click.option("-t", "--template", "templates", multiple=True, metavar="TEMPLATE",
              help="Template, as in `compose`. Can be repeated.")  # fmt: skip
@click.option("-m", "--model", "models", multiple=True, metavar="MODEL[@ACCOUNT]",
              help="Model; default: the one in the template. Can be repeated.")  # fmt: skip
@click.option("--id", "custom_id", metavar="COLUMN",
              help="Source of custom_id: a column, text with {columns}, or # for a hash of the row;"
              " default: the template's, else #.")  # fmt: skip
@set_option
@click.option("--where", default="", metavar="QUERY",
              help="Only the rows of job:NAME that match a query.")  # fmt: skip
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Use only the first N rows.")
@max_size_option
@account_option
@click.option("--window", metavar="24h", help="Completion window: how long the provider may take.")
@budget_option
@deadline_option
@wait_option
@yes_option
@shared
def run_experiment(
    settings: Settings,
    source: str,
    name: str,
    templates: tuple[str, ...],
    models: tuple[str, ...],
    custom_id: str | None,
    edits: tuple[tuple[str, Any], ...],
    where: str,
    limit: int | None,
    account: str | None,
    window: str | None,
    budget: float | None,
    deadline: float | None,
    wait: bool,
) -> int:
    """Send each TEMPLATE with each MODEL over the rows of SOURCE, as one job each.

    The cost of all jobs together is shown and asked for once, and compared with the budgets:
    either all fit, or nothing is sent. Jobs of this experiment that were sent before are not sent
    again, so that the command can be repeated, also with one more model. With --deadline, each job
    has the deadline, and a budget is divided among them.
    """

    async def work(engine: Engine) -> int:
        from tui.engine.experiments.service import plan_deadlines

        asks = asks_before_sending(settings)
        until: Mapping[str, Deadline] = {}

        async def ask(facts: ExperimentFacts) -> bool:
            nonlocal until
            _say_all(_cost_lines(facts))
            if deadline is not None:
                until = plan_deadlines(engine.deadlines, facts, deadline, budget)
                for one in facts.variants:
                    words = engine.deadlines.describe(until[one.name], one.account.name)
                    say(f"{one.name}: {words}")
            if asks and not facts.price.is_free:
                await confirm(settings, _question(facts))
            return True

        opened = await open_source(engine, source, where=where)
        with file_progress("composing", plural_of="row") as progress:
            made = await engine.experiments.make(
                name, opened, templates, models, account=account, ask=ask, budget=budget,
                progress=progress, custom_id=custom_id, settings=dict(edits), limit=limit,
                window=window,
            )  # fmt: skip
        for job in made.sent:
            say(f"{job.name} was sent before; it is not sent again.")
        ids = [job.id for job in made.jobs]
        async with JobProgress(engine, ids):
            errors = await engine.submit_experiment(made.jobs, budget=budget, deadlines=until)
            if wait:
                accepted = [job_id for job_id in ids if job_id not in errors]
                await engine.wait(accepted, timeout_seconds=wait_timeout())
        jobs = engine.experiments.jobs(name)
        new = [job for job in jobs if job.id in ids]
        print_result(
            settings,
            lambda: _run_document(name, jobs, ids, errors),
            lambda: [*_job_lines(jobs, errors), "", _next(name, waited=wait)],
        )
        if errors:
            raise _not_accepted(new, errors)
        if not wait or all(job.counts.all_succeeded for job in new):
            return EXIT_OK
        return EXIT_ROWS_FAILED

    return run(settings, work)


def _say_all(lines: Sequence[str]) -> None:
    for line in lines:
        say(line)


def _cost_lines(facts: ExperimentFacts) -> list[str]:
    from tui.engine.costs.budget import cost_text

    lines = [
        f"{one.name}: {counted(one.rows, 'request')},"
        f" {'free' if one.account.is_free else cost_text(one.estimate)}"
        for one in facts.variants
    ]
    return [*lines, f"Cost of {counted(len(facts.variants), 'job')}: {facts.price.text}."]


def _question(facts: ExperimentFacts) -> str:
    requests = sum(variant.rows for variant in facts.variants)
    jobs = counted(len(facts.variants), "job")
    accounts = dict.fromkeys(variant.account.name for variant in facts.variants)
    return f"Send {jobs} ({counted(requests, 'request')}) with account {', '.join(accounts)}?"


def _not_accepted(jobs: Sequence[Job], errors: Mapping[str, BatchdeckError]) -> BatchdeckError:
    """The first error, with what became of the other jobs."""
    first = next(job for job in jobs if job.id in errors)
    error = errors[first.id]
    sent = len(jobs) - len(errors)
    error.message = f"{sent} of {len(jobs)} jobs were sent; {first.name} was not: {error.message}"
    again = "The same command sends what is missing, and nothing twice."
    error.hint = f"{error.hint} {again}".lstrip()
    return error


def _run_document(
    name: str, jobs: Sequence[Job], new: Sequence[str], errors: Mapping[str, BatchdeckError]
) -> dict[str, Any]:
    return {
        "experiment": name,
        "jobs": [
            {
                "id": job.id,
                "name": job.name,
                "account": job.account,
                "model": job.model,
                "status": job.status.value,
                "rows": job.counts.total,
                "is_new": job.id in new,
                "error": errors[job.id].message if job.id in errors else None,
            }
            for job in jobs
        ],
    }


def _job_lines(jobs: Sequence[Job], errors: Mapping[str, BatchdeckError]) -> list[str]:
    from tui.cli.formatting import status_cell

    rows: list[Sequence[Cell | str]] = [
        [
            Cell("not sent", "red") if job.id in errors else status_cell(job.status),
            job.id,
            job.name,
            job.model,
            f"{job.counts.total:,}",
        ]
        for job in jobs
    ]
    return table(("STATUS", "ID", "NAME", "MODEL", "ROWS"), rows, right=frozenset({4}), elastic=2)


def _next(name: str, *, waited: bool) -> str:
    watch = "" if waited else "batchdeck watch, then "
    return f"To compare the answers: {watch}batchdeck experiment show {name}"


@experiment.command("list", short_help="List the experiments.")
@shared
def list_experiments(settings: Settings) -> None:
    """List the experiments, the newest first."""

    def work(history: History) -> None:
        found = history.jobs.experiments()
        if settings.json:
            print_json(
                [
                    {"experiment": name, "jobs": [job.id for job in jobs]}
                    for name, jobs in found.items()
                ]
            )
            return
        rows = [
            [name, str(len(jobs)), local_time(jobs[0].created_at)] for name, jobs in found.items()
        ]
        print_lines(table(("NAME", "JOBS", "CREATED"), rows, right=frozenset({1})))

    read_history(settings, work)


@experiment.command("show", short_help="Compare the jobs of an experiment.")
@click.argument("refs", metavar="NAME | JOB JOB…", nargs=-1, required=True,
                shell_complete=complete_jobs)  # fmt: skip
@click.option("--answer", "column", default="", metavar="COLUMN", shell_complete=complete_columns,
              help="Compare this column, such as @label; default: the whole answer.")  # fmt: skip
@click.option("--gold", default="", metavar="COLUMN", shell_complete=complete_columns,
              help="Column with the true values, such as in.label; with --gold-file a column of"
              " that file.")  # fmt: skip
@click.option("--gold-file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="A table with the true values, and the ids in a column custom_id.")  # fmt: skip
@click.option("--normalise", is_flag=True,
              help="Ignore case, space around and quotes in true values.")  # fmt: skip
@click.option("--judge", default="", metavar="@FIELD",
              help="Field with the scores in the answers of judges; default: @score.")  # fmt: skip
@click.option("--ignore-space", is_flag=True, help="Ignore differences in white space.")
@click.option("--exact", is_flag=True, help="Compare JSON answers as text, not as data.")
@click.option("--limit", type=click.IntRange(min=0), default=5, show_default=True, metavar="N",
              help="List at most N rows with different answers.")  # fmt: skip
@shared
def show_experiment(
    settings: Settings,
    refs: tuple[str, ...],
    column: str,
    gold: str,
    gold_file: Path | None,
    normalise: bool,
    judge: str,
    ignore_space: bool,
    exact: bool,
    limit: int,
) -> None:
    """Compare the jobs of the experiment NAME, or the given JOBs, row by row.

    Prints for each job its failures, agreement with the other jobs, accuracy, the mean score of
    its judge, cost and tokens; then the agreement of each two jobs, and rows that differ.
    """

    async def work(engine: Engine) -> None:
        from tui.core.analysis.comparison import CompareOptions
        from tui.engine.experiments.matrix import MatrixOptions

        name = refs[0] if len(refs) == 1 else ""
        if name:
            jobs = engine.experiments.jobs(name)
        else:
            jobs = [engine.history.jobs.find(ref) for ref in refs]
        if len(jobs) == 1:
            raise UsageError(
                f"experiment {name} has only one job",
                "Add a model with `batchdeck experiment run`.",
            )
        options = MatrixOptions(
            compare=CompareOptions(ignore_space=ignore_space, as_data=not exact, column=column),
            gold=gold,
            gold_file=gold_file,
            normalise=normalise,
            judge=judge,
        )
        with file_progress("comparing", plural_of="row") as progress:
            report, compared = await engine.experiments.compare(
                [job.id for job in jobs], options, progress=progress
            )
        rows = _rows(engine, compared, limit)
        print_result(
            settings,
            lambda: _document(name, report, rows),
            lambda: _report(name, report, rows),
        )

    run(settings, work)


Answers = tuple[str, "list[RowLine | None]"]
"""An id, and its row in each job."""


def _rows(engine: Engine, compared: Comparison, limit: int) -> list[Answers]:
    """The first rows with different answers."""
    from tui.core.analysis.comparison import RowComparison

    places = compared.places[RowComparison.DIFFERENT][:limit]
    columns = [
        job_lines(engine.history, totals.job_id, [seqs[place] for place in places])
        for totals, seqs in zip(compared.jobs, compared.seqs, strict=True)
    ]
    found = [list(lines) for lines in zip(*columns, strict=True)]
    return [(next(line.custom_id for line in lines if line), lines) for lines in found]


def job_lines(history: History, job_id: str, seqs: Sequence[int]) -> list[RowLine | None]:
    """Some rows of a job; ``None`` where it has none."""
    from tui.core.query import RowSelection

    existing = [seq for seq in seqs if seq >= 0]
    selection = RowSelection(seqs=existing, total=len(existing))
    found = dict(zip(existing, history.rows.lines(job_id, selection), strict=False))
    return [found.get(seq) for seq in seqs]


def _document(name: str, report: ExperimentReport, rows: Sequence[Answers]) -> dict[str, Any]:
    import msgspec

    document: dict[str, Any] = msgspec.to_builtins(report)
    for found, pairs_of_job in zip(document["agreement"], report.agreement, strict=True):
        for place, pair in enumerate(pairs_of_job):
            if pair is not None:
                found[place]["share"] = pair.share
    for variant in document["variants"]:
        variant["note"] = variant["note"] or None
        variant["judge"] = variant["judge"] or None
    document["column"], document["gold"] = report.column or None, report.gold or None
    answers = [
        {
            "custom_id": custom_id,
            "answers": [None if line is None else line.text for line in lines],
            "outcomes": [None if line is None else line.outcome.value for line in lines],
        }
        for custom_id, lines in rows
    ]
    return {"experiment": name or None, **document, "rows": answers}


def _report(name: str, report: ExperimentReport, rows: Sequence[Answers]) -> list[str]:
    from tui.core.analysis.experiment import short_names

    without = "without a value" if report.column else "unanswered"
    shown: dict[str, Cell | str] = {
        "experiment": Cell(name, "bold"),
        "compared": report.column or "answers",
        "rows": f"{report.in_common:,} in common"
        + (f" of {report.ids:,}" if report.in_common < report.ids else ""),
        "same": f"{report.same:,} ({percent(report.same, report.ids)})",
        "different": f"{report.different:,} ({percent(report.different, report.ids)})",
        without: f"{report.unanswered:,}" if report.unanswered else "",
        "note": Cell("" if report.is_whole else "stopped: not all rows were read", "yellow"),
    }
    labels = short_names(name, [variant.name for variant in report.variants])
    lines = [*pairs(shown), "", *_matrix(report, labels), "", *_agreement(report, labels)]
    for label, variant in zip(labels, report.variants, strict=True):
        if variant.note:
            lines.append(f"{label}: {variant.note}")
    if rows:
        lines += ["", *table(("DIFFERENT ANSWERS",), [])]
    for custom_id, found in rows:
        lines.append(custom_id)
        cells = [[f"  {label}", _answer(line)] for label, line in zip(labels, found, strict=True)]
        lines += table(("", ""), cells, elastic=1)[1:]
    return lines


def _matrix(report: ExperimentReport, labels: Sequence[str]) -> list[str]:
    """One line for each job; figures that no job has are left out."""
    variants = report.variants
    columns: list[tuple[str, list[Cell | str]]] = [
        ("JOB", list(labels)),
        ("ROWS", [f"{one.rows:,}" for one in variants]),
        ("PENDING", [f"{one.pending:,}" if one.pending else "" for one in variants]),
        ("FAILED", [Cell(f"{one.failed:,}", "red" if one.failed else "dim") for one in variants]),
        ("AGREES", [_share(one.agreement) for one in variants]),
        ("ACCURACY", [_accuracy(one) for one in variants]),
        ("SCORE", [_number(one.score) for one in variants]),
        ("VALID", [_share(one.valid) for one in variants]),
        ("COST/1000", [_cost(one) for one in variants]),
        ("IN", [_number(one.input_tokens) for one in variants]),
        ("OUT", [_number(one.output_tokens) for one in variants]),
    ]
    kept = [
        (title, cells) for title, cells in columns if any(cell not in ("", "-") for cell in cells)
    ]
    rows = list(zip(*(cells for _, cells in kept), strict=True))
    return table([title for title, _ in kept], rows, right=frozenset(range(1, len(kept))))


def _agreement(report: ExperimentReport, labels: Sequence[str]) -> list[str]:
    numbers = [str(number) for number in range(1, len(labels) + 1)]
    rows: list[Sequence[Cell | str]] = [
        [f"{number} {label}", *map(_pair, pairs_of_job)]
        for number, label, pairs_of_job in zip(numbers, labels, report.agreement, strict=True)
    ]
    return table(("SAME ANSWERS", *numbers), rows, right=frozenset(range(1, len(labels) + 1)))


def _pair(pair: Agreement | None) -> str:
    return "" if pair is None else _share(pair.share)


def _share(share: float | None) -> str:
    return "-" if share is None else precise_percent(share)


def _number(value: float | None) -> str:
    return "-" if value is None else plain_number(round(value, 2))


def _accuracy(one: VariantReport) -> str:
    if one.accuracy is None or one.interval is None:
        return "-"
    low, high = one.interval.low, one.interval.high
    return f"{precise_percent(one.accuracy)} ({percent(low)}-{percent(high)})"


def _cost(one: VariantReport) -> str:
    cost = money(one.cost_per_thousand, one.currency)
    return f"~{cost}" if one.is_estimated and one.cost_per_thousand is not None else cost


def _answer(line: RowLine | None) -> str:
    from tui.core.text import one_line

    if line is None:
        return "-"
    return one_line(line.text, 200) or line.outcome.value
