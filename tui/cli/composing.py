"""``compose``: from a table, a text, a database or a program to a checked file of requests."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tui.cli.checking import refusal
from tui.cli.costs import cost_document, cost_pairs, is_free
from tui.cli.drafting import (
    changed_template,
    print_samples,
    print_sketch,
    save,
    template_options,
)
from tui.cli.meter import Meter
from tui.cli.options import account_option, edits_of, set_option, shared, yes_option
from tui.cli.output import Cell, glyph, is_terminal, pairs, print_json, print_lines
from tui.cli.session import ask, run, stop_at_exit
from tui.cli.settings import Settings
from tui.cli.templates import template_document
from tui.cli.trying import trial_document, trial_story, try_asked
from tui.cli.words import size_words
from tui.errors import InputError, UsageError

if TYPE_CHECKING:
    from tui.compose.build import BuildReport
    from tui.compose.estimate import Estimate
    from tui.compose.report import CheckReport
    from tui.compose.sources.source import Source
    from tui.compose.template import Template
    from tui.engine.engine import Engine
    from tui.engine.trying import Trial

_SOURCES = """\
\b
SOURCE is one of
  products.csv  .tsv            a table; delimiter, encoding and header are found out
  rows.jsonl  rows.json         JSON objects, or ready-made requests (no template needed)
  notes.txt                     a document a line; ::paragraphs or ::whole behind it
  folder  'docs/*.md'           a document a file
  shop.db::products             an SQLite table; or shop.db::SELECT …
  builder.py                    requests() or build() of a program that you trust
  x.parquet  x.xlsx::Sheet      with the extra `tables`
  -                             standard input

TEMPLATE is a saved name, a .toml file, a text file with the prompt, or the prompt itself with
at least one {column}.
"""


@click.command(short_help="Make requests of a table or a text.", epilog=_SOURCES)
@click.argument("source", required=False)
@click.option("-t", "--template", metavar="TEMPLATE", help="What to make of a row; see below.")
@click.option(
    "-o", "--output", "out", type=click.Path(path_type=Path), metavar="FILE",
    help="The file of requests to write.",
)  # fmt: skip
@click.option("-m", "--model", metavar="MODEL", help="The model, in place of the template's.")
@click.option("--id", "custom_id", metavar="COLUMN", help="A column, or a text with {columns}.")
@template_options
@set_option
@click.option("--header/--no-header", default=None, help="Does the first row name the columns?")
@click.option("--delimiter", metavar="CHAR", help="Between the cells of a table, such as ';'.")
@click.option("--encoding", metavar="NAME", help="Of a table or text, such as latin-1.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Take only N rows.")
@click.option("--trust", is_flag=True, help="The Python file may be run.")
@click.option("--preview", is_flag=True, help="Show three requests; write nothing.")
@click.option("--try", "tried", type=click.IntRange(min=1), metavar="N",
              help="Then send request N at once, and show the answer.")  # fmt: skip
@click.option("--save-template", metavar="NAME", help="Save the template under a name.")
@click.option("--samples", is_flag=True, help="List the samples that come with the program.")
@account_option
@yes_option
@shared
def compose(
    settings: Settings,
    source: str | None,
    template: str | None,
    out: Path | None,
    model: str | None,
    custom_id: str | None,
    edits: tuple[tuple[str, Any], ...],
    header: bool | None,
    delimiter: str | None,
    encoding: str | None,
    limit: int | None,
    trust: bool,
    preview: bool,
    tried: int | None,
    save_template: str | None,
    samples: bool,
    account: str | None,
    **options: Any,
) -> None:
    """Make a file of requests of a SOURCE and a template; nothing is sent.

    The file is checked against the limits of the account, and its cost is estimated.
    """
    if samples:
        print_samples(settings)
        return
    body = edits_of(edits)
    chosen = changed_template(settings, template, **options)
    change: dict[str, Any] = {"model": model, "custom_id": custom_id, "settings": body}
    if save_template is not None:
        saved = save(settings, chosen, save_template, model=model, custom_id=custom_id, body=body)
        if source is None:
            if settings.json:
                print_json(template_document(saved))
            return
    if source is None:
        raise UsageError("there is no source", "Name a table or a text; see --help.")
    if out is None and not preview:
        raise UsageError("there is no file to write to", "Name one with -o, or use --preview.")
    if out is not None and _same(source, out):
        raise UsageError(f"{out} is the source itself", "Write to another file.")

    async def work(engine: Engine) -> None:
        trusted = await may_run(settings, source, trust=trust)
        with _prints_aside(trusted):
            opened = await engine.open_source(
                source, trusted=trusted, delimiter=_character(delimiter),
                encoding=encoding, header=header,
            )  # fmt: skip
            if out is None or preview:
                with stop_at_exit() as stop:
                    drawn = await engine.preview(
                        opened, chosen, account=account, stop=stop, **change
                    )
                print_sketch(settings, drawn, free=is_free(engine, account))
                return
            report = await _written(engine, opened, chosen, out, limit, change)
        check = await engine.check(out, account=account)
        estimate = await engine.estimate(out, account)
        trial = None
        if tried is not None and check.ok:
            trial = await try_asked(engine, settings, out, tried, account)
        free = is_free(engine, account)
        if settings.json:
            print_json(_document(report, check, estimate, trial))
        else:
            print_lines(_story(report, check, estimate, trial, free=free, account=account))
        if not check.ok:
            raise refusal(out, check)

    run(settings, work)


async def may_run(settings: Settings, source: str, *, trust: bool) -> bool:
    """May a source be run, if it is a program? A person says so, and sees which file it is.

    With ``--trust`` nobody is asked where nobody can be asked, or with ``--yes``.

    Raises:
        InputError: Nobody said so.
        DeclinedError: The person said no.
    """
    from tui.compose.sources import runs_code

    if not runs_code(source):
        return False
    path = _place(source)
    if is_terminal(sys.stdin) and not (trust and settings.yes):
        await ask(Settings(), f"Run {path} with all your rights?")
        return True
    if not trust:
        raise InputError(f"{path} is a program and was not run", "Read it, and add --trust.")
    return True


async def _written(
    engine: Engine,
    source: Source,
    template: str | Template | None,
    out: Path,
    limit: int | None,
    change: dict[str, Any],
) -> BuildReport:
    meter = Meter("composing", plural_of="row")
    with stop_at_exit() as stop:
        return await engine.compose(
            source, template, out, limit=limit, stop=stop, progress=meter.show, **change
        )


@contextlib.contextmanager
def _prints_aside(runs_program: bool) -> Iterator[None]:
    """Let what a program prints go to stderr: stdout is for our answer."""
    if runs_program:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    else:
        yield


def _place(source: str) -> Path:
    """The whole path, links followed: what the person is asked about is what runs."""
    return Path(source.partition("::")[0]).resolve()


def _same(source: str, out: Path) -> bool:
    try:
        return Path(source.partition("::")[0]).samefile(out)
    except (OSError, ValueError):
        return False


def _character(delimiter: str | None) -> str | None:
    """A tab is hard to type in a shell."""
    return "\t" if delimiter in ("tab", "\\t") else delimiter


def _document(
    report: BuildReport, check: CheckReport, estimate: Estimate, trial: Trial | None
) -> dict[str, Any]:
    import msgspec

    document: dict[str, Any] = msgspec.to_builtins(report)
    problems = msgspec.to_builtins(check.problems)
    document |= {"ok": check.ok, "problems": problems, "cost": cost_document(estimate)}
    return document if trial is None else document | {"trial": trial_document(trial)}


def _story(
    report: BuildReport,
    check: CheckReport,
    estimate: Estimate,
    trial: Trial | None,
    *,
    free: bool,
    account: str | None,
) -> list[str]:
    ids = report.ids
    changed = ", ".join(
        f"{count:,} {what}"
        for count, what in (
            (ids.illegal, "with characters replaced"),
            (ids.repeated, "repeated, numbered"),
            (ids.empty, "empty, numbered"),
        )
        if count
    )
    example = f"; {ids.examples[0][0]!r} is now {ids.examples[0][1]!r}" if ids.examples else ""
    values: dict[str, Cell | str] = {
        "file": report.path,
        "requests": f"{report.rows:,} ({size_words(report.size)})",
        "inputs": f"{report.inputs} (the columns, for export --join)" if report.inputs else "",
        "ids": Cell(changed + example, "yellow"),
        **cost_pairs(estimate, free=free),
    }
    lines = pairs(values)
    lines += [f"{problem.line or ''}: {problem.what}" for problem in check.problems[:5]]
    if check.ok:
        where = f" --account {account}" if account else ""
        send = f"batchdeck submit {report.path}{where}"
        lines += ["", f"{glyph('✓', '+', sys.stdout)} checked; send with: {send}"]
    if trial is not None:
        lines += ["", *trial_story(trial)]
    return lines
