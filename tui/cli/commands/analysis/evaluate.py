"""``evaluate``: the answers of a job compared with known true values."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tui.cli.options import (
    Settings,
    complete_columns,
    job_argument,
    row_filter,
    row_options,
    shared,
)
from tui.cli.output import Cell, Colour, pairs, print_result, say, table
from tui.cli.progress import file_progress
from tui.cli.session import run
from tui.core.formatting import counted, precise_percent
from tui.errors import UsageError

if TYPE_CHECKING:
    from tui.core.analysis.evaluation import Evaluation
    from tui.engine.engine import Engine

_NAME_CELLS = 24
_HEADING_CELLS = 12
_LONGEST_MATRIX = 12
"""Most classes in the matrix of the text output."""


@click.command(short_help="Compare answers with known true values.")
@job_argument
@click.option("--answer", default="answer", show_default=True, metavar="COLUMN",
              shell_complete=complete_columns,
              help="The column to evaluate, such as @label.")  # fmt: skip
@click.option("--gold", default="", metavar="COLUMN", shell_complete=complete_columns,
              help="The column with the true values, such as in.label; with --gold-file a column"
              " of that file.")  # fmt: skip
@click.option("--gold-file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="A table with the true values, and the ids in a column custom_id.")  # fmt: skip
@click.option("--normalise", is_flag=True,
              help="Ignore case, surrounding space and quotation marks.")  # fmt: skip
@click.option("--classes", type=click.IntRange(min=1, max=1000), default=20, show_default=True,
              metavar="N", help="List the N most frequent classes.")  # fmt: skip
@row_options
@shared
def evaluate(
    settings: Settings,
    job: str,
    answer: str,
    gold: str,
    gold_file: Path | None,
    normalise: bool,
    classes: int,
    **selection: Any,
) -> None:
    """Compare a column of a JOB with true values: accuracy, scores of each class, confusion matrix.

    Values are compared as they are, unless --normalise is given. The interval of the accuracy is
    the 95 % Wilson score interval. Rows without a true value or without an answer are counted
    separately.
    """
    if not gold and gold_file is None:
        raise UsageError("no true values given", "Add --gold in.COLUMN, or --gold-file FILE.")

    async def work(engine: Engine) -> None:
        from tui.store.history import EvaluationOptions

        found = engine.history.jobs.find(job)
        options = EvaluationOptions(normalise=normalise, most=classes)
        with file_progress("evaluating", plural_of="row") as progress:
            report = await engine.results.evaluate(
                found.id, answer, gold, row_filter(**selection), gold_file=gold_file,
                options=options, progress=progress,
            )  # fmt: skip
        facts = {"job": found.id, "gold": gold, "answer": answer}
        facts["gold_file"] = "" if gold_file is None else str(gold_file)
        print_result(
            settings,
            lambda: _document(facts, report),
            lambda: _lines(facts, report),
        )
        if report.spellings and not settings.json:
            share = precise_percent((report.agree + report.spellings) / report.compared)
            say(f"With --normalise {counted(report.spellings, 'more row')} would agree ({share}).")

    run(settings, work)


def _document(facts: dict[str, str], report: Evaluation) -> dict[str, Any]:
    import msgspec

    document: dict[str, Any] = msgspec.to_builtins(report)
    document["confusion"]["headings"] = list(report.confusion.headings)
    return {**facts, "gold_file": facts["gold_file"] or None, **document}


def _lines(facts: dict[str, str], report: Evaluation) -> list[str]:
    interval = report.interval
    apart = {
        "without a true value": report.without_gold,
        "without answer": report.without_answer,
        "without value": report.without_value,
        "without both": report.without_both,
        "unknown ids": report.unknown_ids,
        "repeated ids": report.repeated_ids,
    }
    source = facts["gold_file"] and f"{facts['gold_file']} {facts['gold']}".strip()
    shown: dict[str, Cell | str] = {
        "job": Cell(facts["job"], "bold"),
        "true values": source or facts["gold"],
        "answer": facts["answer"] + (", normalised" if report.normalised else ""),
        "rows": f"{report.compared:,} compared of {report.rows:,}",
        **{name: f"{count:,}" for name, count in apart.items() if count},
        "accuracy": "-"
        if report.accuracy is None or interval is None
        else f"{precise_percent(report.accuracy)}  {report.agree:,} of {report.compared:,}"
        f"  (95%: {precise_percent(interval.low)} to {precise_percent(interval.high)})",
        "macro F1": _number(report.macro_f1),
        "weighted F1": _number(report.weighted_f1),
        "kappa": _number(report.kappa),
    }
    lines = pairs(shown)
    if not report.exact:
        lines += ["", f"{report.distinct:,} classes and more: are these labels?"]
    lines += _class_table(report) + _matrix(report)
    if report.examples:
        rows: list[list[Cell | str]] = [
            [_quoted(one.gold), _quoted(one.answer), f"{one.rows:,}"] for one in report.examples
        ]
        lines += [
            "",
            *table(("TRUE VALUE", "ALMOST THE SAME ANSWER", "ROWS"), rows, right=frozenset({2})),
        ]
    return lines


def _class_table(report: Evaluation) -> list[str]:
    if not report.classes:
        return []
    rows: list[Sequence[Cell | str]] = [
        [
            _name(score.name),
            f"{score.support:,}",
            f"{score.answered:,}",
            f"{score.right:,}",
            _number(score.precision),
            _number(score.recall),
            _number(score.f1),
        ]
        for score in report.classes
    ]
    titles = ("CLASS", "TRUE", "ANSWERED", "RIGHT", "PRECISION", "RECALL", "F1")
    lines = ["", *table(titles, rows, right=frozenset(range(1, 7)))]
    more = report.distinct - len(report.classes)
    return [*lines, f"and {more:,} more classes"] if more > 0 else lines


def _matrix(report: Evaluation) -> list[str]:
    confusion = report.confusion
    if not confusion.cells or len(confusion.classes) > _LONGEST_MATRIX:
        return []
    rows: list[list[Cell | str]] = []
    for place, (name, counts) in enumerate(zip(confusion.headings, confusion.cells, strict=True)):
        cells = [Cell(f"{n:,}", _colour(n, column == place)) for column, n in enumerate(counts)]
        rows.append([_name(name), *cells])
    titles = ("TRUE \\ ANSWER", *(_name(name, _HEADING_CELLS) for name in confusion.headings))
    return ["", *table(titles, rows, right=frozenset(range(1, len(titles))))]


def _colour(count: int, is_right: bool) -> Colour:
    if not count:
        return "dim"
    return "green" if is_right else "yellow"


def _name(name: str, most: int = _NAME_CELLS) -> str:
    from tui.core.text import value_label

    return value_label(name, most)


def _quoted(text: str) -> str:
    from tui.core.text import quoted

    return quoted(text, _NAME_CELLS)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
