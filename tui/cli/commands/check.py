"""``check``: problems, tokens and cost of a requests file; a fixed copy; a split into parts."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tui.cli.errors import EXIT_OK
from tui.cli.formatting import cost_document, cost_pairs
from tui.cli.input_file import InputFile, local_file
from tui.cli.options import Settings, account_option, combined, max_size_option, set_option, shared
from tui.cli.output import Cell, glyph, pairs, print_result, table
from tui.cli.progress import file_progress
from tui.cli.session import run
from tui.core.formatting import counted, size
from tui.errors import InputError, UsageError

if TYPE_CHECKING:
    from tui.compose.checks.fixes import FixReport
    from tui.compose.checks.split import PartFile
    from tui.compose.estimate import Estimate
    from tui.compose.requests.report import CheckReport
    from tui.engine.accounts import AccountInfo
    from tui.engine.costs.forecast import Forecast
    from tui.engine.engine import Engine


_fix_options = combined(
    click.option("--fix-to", type=click.Path(path_type=Path), metavar="FILE",
                 help="Write a fixed copy: no BOM, CR or blank lines; valid and unique ids."),
    click.option("--renumber", is_flag=True, help="In the copy: renumber ids as row-1, row-2, …"),
    click.option("--drop-repeated", "drop_duplicates", is_flag=True,
                 help="In the copy: drop rows with an id that occurred before."),
    click.option("--drop-empty", is_flag=True,
                 help="In the copy: drop rows with an empty prompt."),
    click.option("--unset", multiple=True, metavar="PATH",
                 help="In the copy: remove a field from every body, such as temperature."),
    click.option("-m", "--model", default="", metavar="MODEL",
                 help="In the copy: set the model of every row."),
    click.option("--lift-max-tokens", "max_tokens_at_least", type=click.IntRange(min=1),
                 metavar="N", help="In the copy: raise max_tokens to at least N."),
    click.option("--clamp-max-tokens", "max_tokens_at_most", type=click.IntRange(min=1),
                 metavar="N", help="In the copy: cap max_tokens at N."),
    set_option,
)  # fmt: skip
"""``--fix-to`` and the changes to the copy, named as the fields of ``Fixes``."""

_split_options = combined(
    click.option("--split-to", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
                 help="Split into parts within the provider's limits and write them to DIR."),
    click.option("--rows", type=click.IntRange(min=1), metavar="N", help="Maximum rows per part."),
    click.option("--bytes", "size", type=click.IntRange(min=1), metavar="N",
                 help="Maximum bytes per part."),
)  # fmt: skip


@click.command(short_help="Check a requests file, write a fixed copy, or split it.")
@click.argument("file", type=InputFile())
@account_option
@click.option(
    "--exact",
    is_flag=True,
    help="Let the provider count the input tokens if that is free (Anthropic).",
)
@_fix_options
@_split_options
@max_size_option
@shared
def check(
    settings: Settings,
    file: str,
    account: str | None,
    exact: bool,
    fix_to: Path | None,
    split_to: Path | None,
    rows: int | None,
    size: int | None,
    **changes: Any,
) -> int:
    """Check a FILE of requests (- for standard input) against an account; nothing is submitted.

    Prints the problems with their line numbers, the tokens and the cost. With --fix-to the fixed
    copy is checked. With --exact the prompts are sent to the provider's token counter: all of
    them, or an even sample of 500 from a larger file.
    """
    if fix_to is None and any(changes.values()):
        raise UsageError(
            "these options change a copy of the file", "Name the copy with --fix-to FILE."
        )
    if split_to is None and (rows or size):
        raise UsageError(
            "--rows and --bytes split the file", "Name a folder for the parts with --split-to DIR."
        )

    async def work(engine: Engine) -> tuple[CheckReport, str]:
        import msgspec

        source = await local_file(engine, file)
        target, shown = fix_to or source.path, str(fix_to or source.shown)
        sender = engine.account(account or engine.accounts.default)
        fixed = None
        if fix_to is not None:
            fixed = await _fix(engine, source.path, fix_to, **changes)
        with file_progress("checking") as progress:
            scan = await engine.requests.scan(target, account=account, progress=progress)
        report = msgspec.structs.replace(scan.report, path=shown)
        if exact and report.ok_when_fixed:
            estimate = await engine.costs.estimate(target, account, exact=True)
        else:
            estimate = await engine.costs.estimate(scan, account)
        repeated = await engine.costs.price_repeated(scan, target, account)
        parts: list[PartFile] = []
        if split_to is not None and report.ok:
            limits = engine.accounts.profile(sender.name).limits
            if not (rows or size or limits.rows or limits.bytes):
                raise UsageError(
                    "this provider has no limits to split by", "Add --rows or --bytes."
                )
            parts = await engine.requests.split_file(
                target, split_to, account=account, rows=rows, size=size
            )
        expected = await engine.requests.forecast(report, account=account)
        priming = await engine.costs.priming_of(target, estimate, account)
        costs = {**cost_pairs(estimate, sender), "repeats": _repeats(report, repeated, sender)}
        if expected is not None:
            costs["time"] = expected.text
        if priming is not None:
            costs["cache"] = f"{priming.text}; `submit --prime` sends the first row alone"
        print_result(
            settings,
            lambda: {
                **_document(report, fixed, parts),
                "cost": cost_document(estimate),
                "cost_of_repeats": None
                if repeated is None or sender.is_free
                else cost_document(repeated),
                "forecast": _forecast(expected),
                "priming": None if priming is None else msgspec.to_builtins(priming),
            },
            lambda: _lines(report, fixed, parts, costs),
        )
        return report, shown

    report, shown = run(settings, work)
    if report.ok:
        return EXIT_OK
    raise check_error(shown, report)


async def _fix(
    engine: Engine, file: Path, out: Path, *, renumber: bool, edits: Iterable[Any], **changes: Any
) -> FixReport:
    from tui.compose.checks.fixes import Fixes

    fixes = Fixes(ids="all" if renumber else "bad", settings=dict(edits), **changes)
    return await engine.requests.fix_file(file, out, fixes)


def check_error(file: Path | str, report: CheckReport) -> InputError:
    """The error for a file that cannot be submitted; it may be shown as an address."""
    path = Path(file)
    if report.ok_when_fixed:
        hint = f"`batchdeck submit --fix {file}` fixes them; no request is changed."
        return InputError(f"{file} needs small fixes first", hint, path=path)
    if report.form:
        (problem,) = report.problems
        return InputError(f"{file} cannot be submitted: {problem.what}", problem.fix, path=path)
    problems = counted(report.stops + report.fixable, "problem")
    hint = (
        "Fix the file; `batchdeck check --fix-to FILE` fixes ids, blank and repeated rows,"
        " --unset and --set fix fields."
    )
    return InputError(f"{file} cannot be submitted: {problems}", hint, path=path)


def _forecast(expected: Forecast | None) -> dict[str, Any] | None:
    import msgspec

    return None if expected is None else dict(msgspec.structs.asdict(expected))


def _document(
    report: CheckReport, fixed: FixReport | None, parts: list[PartFile]
) -> dict[str, Any]:
    import msgspec

    document = msgspec.to_builtins(report)
    document |= {"ok": report.ok, "ok_when_fixed": report.ok_when_fixed}
    if fixed is not None:
        document["fixed"] = msgspec.to_builtins(fixed)
    if parts:
        document["parts"] = [
            {"path": str(p.path), "first_row": p.first_row, "rows": p.rows, "size": p.size}
            for p in parts
        ]
    return dict(document)


def _lines(
    report: CheckReport,
    fixed: FixReport | None,
    parts: list[PartFile],
    costs: dict[str, Cell | str],
) -> list[str]:
    facts: dict[str, Cell | str] = {
        "file": report.path,
        "size": size(report.size),
        "requests": "" if report.form else f"{report.rows:,}",
        "endpoint": _with_counts(report.endpoints),
        "model": _with_counts(report.models),
        **({} if report.form else costs),
        "fixed": "" if fixed is None else _fix_summary(fixed),
    }
    lines = pairs(facts)
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
        hidden = sum(report.found.values()) - len(report.problems)
        lines += [f"and {hidden:,} more of the same kinds"] if hidden > 0 else []
    if report.ok:
        lines += ["", f"{glyph('✓', '+', sys.stdout)} ready to submit"]
    return lines + [
        f"{part.path}  {counted(part.rows, 'row')} from {part.first_row:,}" for part in parts
    ]


def _repeats(report: CheckReport, repeated: Estimate | None, account: AccountInfo) -> str:
    from tui.engine.submit_facts import repeats_text

    text = repeats_text(report, repeated, free=account.is_free)
    return f"{text}; `submit --dedupe` sends each request once" if text else ""


def _fix_summary(report: FixReport) -> str:
    parts = (
        (report.blank_dropped, "blank lines dropped"),
        (report.repeated_dropped, "repeated rows dropped"),
        (report.empty_dropped, "rows with an empty prompt dropped"),
        (report.ids_changed, "ids changed"),
        (report.bodies_changed, "bodies changed"),
    )
    return ", ".join(f"{count:,} {what}" for count, what in parts if count) or "nothing to fix"


_SEVERITIES = {
    "error": Cell("error", "red"),
    "fixable": Cell("fixable", "yellow"),
    "warning": Cell("warning", "blue"),
}


def _with_counts(names: dict[str, int]) -> str:
    if len(names) == 1:
        return next(iter(names))
    return ", ".join(f"{name} ({count:,})" for name, count in names.items())
