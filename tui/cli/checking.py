"""``check``: what is wrong with a file of requests, before anything is sent."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tui.cli import words
from tui.cli.failures import GOOD
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


@click.command(short_help="Check a file of requests; nothing is sent.")
@click.argument("file", type=click.Path(path_type=Path))
@account_option
@shared
def check(settings: Settings, file: Path, account: str | None) -> int:
    """Check a FILE of requests against the limits of an account; nothing is sent."""

    async def work(engine: Engine) -> CheckReport:
        with stop_at_exit() as stop:
            return await engine.check(
                file, account=account, stop=stop, progress=Meter("checking").show
            )

    report = run(settings, work)
    if settings.json:
        print_json(_document(report))
    else:
        print_lines(_story(report))
    if report.ok:
        return GOOD
    raise _refusal(file, report)


def _refusal(file: Path, report: CheckReport) -> InputError:
    if report.ok_when_fixed:
        hint = f"`batchdeck submit --fix {file}` mends that and changes no request."
        return InputError(f"{file} needs small fixes first", hint, path=file)
    problems = words.plural(report.stops + report.fixable, "problem")
    return InputError(f"{file} cannot be submitted: {problems}", "Mend the file.", path=file)


def _document(report: CheckReport) -> dict[str, object]:
    import msgspec

    document: dict[str, object] = msgspec.to_builtins(report)
    return {"ok": report.ok, "ok_when_fixed": report.ok_when_fixed, **document}


def _story(report: CheckReport) -> list[str]:
    counted = {
        "file": report.path,
        "size": words.size_words(report.size),
        "requests": f"{report.rows:,}",
        "endpoint": _with_counts(report.endpoints),
        "model": _with_counts(report.models),
        "input tokens": f"about {report.input_tokens:,}",
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
