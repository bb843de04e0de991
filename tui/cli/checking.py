"""``check``: what is wrong with a file of requests, before anything is sent."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tui.cli import words
from tui.cli.costs import cost_document, cost_pairs, is_free
from tui.cli.failures import GOOD
from tui.cli.mending import Mending, fix_words, mending_options, part_lines, written_document
from tui.cli.meter import Meter
from tui.cli.options import account_option, shared
from tui.cli.output import (
    Cell,
    glyph,
    pairs,
    print_json,
    print_lines,
    table,
)
from tui.cli.session import run, stop_at_exit
from tui.cli.settings import Settings
from tui.errors import InputError

if TYPE_CHECKING:
    from tui.compose.report import CheckReport
    from tui.engine.engine import Engine


@click.command(short_help="Check a file of requests, and mend or split it; nothing is sent.")
@click.argument("file", type=click.Path(path_type=Path))
@account_option
@click.option(
    "--count-tokens",
    is_flag=True,
    help="Let the provider count the input tokens of some rows, for free (Anthropic).",
)
@mending_options
@shared
def check(
    settings: Settings, file: Path, account: str | None, count_tokens: bool, **options: Any
) -> int:
    """Check a FILE of requests against the limits of an account; nothing is sent.

    Tells the problems with their lines, the tokens and the cost. With --fix-to the copy is
    what is checked.
    """
    mending = Mending(**options)

    async def work(engine: Engine) -> CheckReport:
        fixed = await mending.fix(engine, file)
        target = mending.fix_to or file
        with stop_at_exit() as stop:
            report = await engine.check(
                target, account=account, stop=stop, progress=Meter("checking").show
            )
            estimate = await engine.estimate(target, account, stop=stop)
        counted = None
        if count_tokens and report.ok:
            counted = await engine.count_tokens(target, report.rows, account=account)
        parts = await mending.split(engine, target, account) if report.ok else []
        if settings.json:
            document = {**_document(report), "cost": cost_document(estimate)}
            if counted is not None:
                document["counted"] = {
                    "rows": counted.counted,
                    "tokens": counted.tokens,
                    "all_tokens": counted.all_tokens,
                }
            print_json({**document, **written_document(fixed, parts)})
        else:
            costs = cost_pairs(estimate, free=is_free(engine, account))
            if counted is not None:
                costs["counted"] = (
                    f"about {counted.all_tokens:,} input tokens, by the provider's own count of"
                    f" {words.plural(counted.counted, 'row')}"
                )
            written = {"mended": "" if fixed is None else fix_words(fixed)}
            print_lines([*_story(report, {**costs, **written}), *part_lines(parts)])
        return report

    report = run(settings, work)
    if report.ok:
        return GOOD
    raise refusal(mending.fix_to or file, report)


def refusal(file: Path, report: CheckReport) -> InputError:
    """The error for a file that may not be submitted."""
    if report.ok_when_fixed:
        hint = f"`batchdeck submit --fix {file}` mends that and changes no request."
        return InputError(f"{file} needs small fixes first", hint, path=file)
    problems = words.plural(report.stops + report.fixable, "problem")
    hint = "Mend the file; `batchdeck check --fix-to FILE` mends ids, blank and repeated rows."
    return InputError(f"{file} cannot be submitted: {problems}", hint, path=file)


def _document(report: CheckReport) -> dict[str, object]:
    import msgspec

    document: dict[str, object] = msgspec.to_builtins(report)
    return {"ok": report.ok, "ok_when_fixed": report.ok_when_fixed, **document}


def _story(report: CheckReport, costs: dict[str, Cell | str]) -> list[str]:
    counted: dict[str, Cell | str] = {
        "file": report.path,
        "size": words.size_words(report.size),
        "requests": f"{report.rows:,}",
        "endpoint": _with_counts(report.endpoints),
        "model": _with_counts(report.models),
        **costs,
    }
    lines = pairs(counted)
    if report.problems:
        cells: list[list[Cell | str]] = [
            [
                "" if problem.line is None else f"{problem.line:,}",
                _SEVERITIES[problem.severity],
                problem.what,
                problem.fix,
            ]
            for problem in report.problems
        ]
        headers = ("LINE", "KIND", "PROBLEM", "WHAT TO DO")
        lines += ["", *table(headers, cells, right=frozenset({0}), elastic=3)]
        lines += _hidden(report)
    if report.ok:
        lines += ["", f"{glyph('✓', '+', sys.stdout)} ready to be submitted"]
    return lines


_SEVERITIES = {
    "error": Cell("error", "red"),
    "fixable": Cell("fixable", "yellow"),
    "warning": Cell("warning", "blue"),
}


def _with_counts(names: dict[str, int]) -> str:
    if len(names) == 1:
        return next(iter(names))
    return ", ".join(f"{name} ({count:,})" for name, count in names.items())


def _hidden(report: CheckReport) -> list[str]:
    hidden = sum(report.found.values()) - len(report.problems)
    return [f"and {hidden:,} more of the same kinds"] if hidden > 0 else []
