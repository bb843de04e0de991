"""``compose``: make requests from a table or text, or preview them."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tui.cli.commands.check import check_error
from tui.cli.commands.templates import template_document
from tui.cli.commands.try_request import confirm_and_try, trial_document, trial_lines
from tui.cli.formatting import cost_document, cost_pairs
from tui.cli.input_file import open_source
from tui.cli.options import (
    Settings,
    account_option,
    combined,
    complete_query,
    complete_sources,
    max_size_option,
    parse_pairs,
    set_option,
    shared,
    yes_option,
)
from tui.cli.output import Cell, glyph, is_terminal, pairs, print_json, print_result, say, table
from tui.cli.progress import file_progress
from tui.cli.session import confirm, run
from tui.core.formatting import size
from tui.errors import InputError, UsageError
from tui.paths import split_part

if TYPE_CHECKING:
    from tui.compose.build import BuildReport
    from tui.compose.estimate import Estimate
    from tui.compose.preview import ComposePreview
    from tui.compose.requests.report import CheckReport
    from tui.compose.templates.model import Template
    from tui.compose.templates.saved import SavedTemplate
    from tui.engine.accounts import AccountInfo
    from tui.engine.engine import Engine
    from tui.engine.try_request import TryResult


KINDS = (
    "chat", "responses", "messages", "completions", "embeddings", "moderations",
    "summarize", "extract", "classify",
)  # fmt: skip
"""The values of ``tui.compose.templates.model.Kind``, repeated to keep --help free of imports."""


def _parse_named(
    context: click.Context, parameter: click.Parameter, values: Sequence[str]
) -> dict[str, str] | None:
    """Parse the values of a repeatable ``NAME=TEXT`` option."""
    found: dict[str, str] = {}
    for name, text in parse_pairs(context, parameter, values):
        if not text.strip():
            raise click.BadParameter(f"{name!r} has no text after the =")
        if name in found:
            raise click.BadParameter(f"{name!r} is given twice")
        found[name] = text.strip()
    return found or None


def _parse_schema(
    context: click.Context, parameter: click.Parameter, path: Path | None
) -> dict[str, Any] | None:
    """Read the file of a JSON schema."""
    if path is None:
        return None
    try:
        value = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} is not a valid JSON schema: {error}", "Fix the file.") from None
    if not isinstance(value, dict):
        raise InputError(f"{path} is not a JSON schema", "A schema is a JSON object.")
    return value


_template_options = combined(
    click.option("--kind", type=click.Choice(KINDS), metavar="KIND",
                 help=f"Kind of request: {', '.join(KINDS)}; default: the template's, or chat."),
    click.option("--system", metavar="TEXT",
                 help="System message (for ScaleDown: the instructions)."),
    click.option("--max-tokens", type=click.IntRange(min=1), metavar="N",
                 help="Maximum output tokens, in the field that the kind uses for it."),
    click.option("--schema", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
                 callback=_parse_schema, help="JSON schema that the answers must match."),
    click.option("--image", "images", multiple=True, metavar="TEXT",
                 help="Path or URL of an image; may contain {columns}."),
    click.option("--entity", "entities", multiple=True, callback=_parse_named, metavar="NAME=WHAT",
                 help="For extract: an entity to find and its description."),
    click.option("--label", "labels", multiple=True, callback=_parse_named, metavar="NAME=QUESTION",
                 help="For classify: a label and the yes/no question that decides it."),
)  # fmt: skip
"""The options that override fields of a template, named as the fields."""


def _with_options(
    settings: Settings, template: str | None, options: dict[str, Any]
) -> str | Template | None:
    """The template with the options applied; without options, ``template`` itself.

    Raises:
        UsageError: No template is given to apply the options to.
        InputError: The template is not valid.
    """
    changes = {name: value for name, value in options.items() if value is not None and value != ()}
    if not changes:
        return template
    if template is None:
        raise UsageError(
            f"--{next(iter(changes)).replace('_', '-')} needs a template", "Add --template."
        )
    import msgspec

    from tui.compose.requests.scaledown import Label
    from tui.compose.templates.saved import find_template

    if "labels" in changes:
        labels = changes["labels"].items()
        changes["labels"] = tuple(Label(name=name, rubric=text) for name, text in labels)
    found = find_template(template, settings.paths.templates)
    return msgspec.structs.replace(found, **changes)


def _preview_document(preview: ComposePreview) -> dict[str, Any]:
    import msgspec

    document: dict[str, Any] = msgspec.to_builtins(preview)
    del document["estimate"]
    cost = cost_document(preview.estimate)
    return {**document, "trouble": preview.trouble or None, "cost": cost}


def _preview_lines(preview: ComposePreview, account: AccountInfo) -> list[str]:
    """The previewed requests, then row count, tokens and cost."""
    import msgspec

    from tui.core.text import visible

    lines: list[str] = []
    for row in preview.rows:
        request = msgspec.json.format(msgspec.json.encode(row.request), indent=2).decode()
        lines += [f"{row.why} row ({row.number:,}), {row.size:,} bytes"]
        lines += [f"  {visible(line)}" for line in request.split("\n")] + [""]
    facts: dict[str, Cell | str] = {
        "source": preview.source,
        "detected": ", ".join(preview.notes),
        "check": Cell("; ".join(preview.doubts), "yellow"),
        "columns": ", ".join(preview.columns),
        "rows": "unknown"
        if preview.count is None
        else f"{'' if preview.exact else 'about '}{preview.count:,}",
        **cost_pairs(preview.estimate, account),
        "problem": Cell(preview.trouble, "red"),
    }
    return [*lines, *pairs(facts)]


def _print_samples(settings: Settings) -> None:
    """Print the included samples, with a command to compose each."""
    from tui.compose.samples import DOCUMENTS, MARKETING, PRODUCTS, SUMMARIZE

    samples = [
        ("documents", "five short documents to summarize", f"{DOCUMENTS}::paragraphs", SUMMARIZE),
        ("products", "ten products to write copy for", str(PRODUCTS), MARKETING),
    ]
    documents = [
        {"name": name, "what": what, "source": source, "template": str(template)}
        for name, what, source, template in samples
    ]
    lines = table(("NAME", "DESCRIPTION"), [[name, what] for name, what, _, _ in samples])
    for name, _, source, template in samples:
        lines += ["", f"batchdeck compose {source} -t {template} -m MODEL -o {name}.jsonl"]
    print_result(settings, lambda: documents, lambda: lines)


def _save(
    settings: Settings, template: str | Template | None, name: str, change: dict[str, Any]
) -> SavedTemplate:
    """Save a template under a name, with the changes that the options make to it."""
    import msgspec

    from tui.compose.templates.model import with_overrides
    from tui.compose.templates.saved import SavedTemplate, find_template, save_template

    if template is None:
        raise UsageError("no template to save", "Add --template.")
    folder = settings.paths.templates
    found = find_template(template, folder) if isinstance(template, str) else template
    changed = with_overrides(
        found, model=change["model"], id=change["custom_id"], settings=change["settings"]
    )
    named = msgspec.structs.replace(changed, name=name)
    path = save_template(named, folder)
    say(f"Saved the template to {path}.")
    return SavedTemplate(name=name, path=path, template=named)


_SOURCES = """\
\b
SOURCE is one of
  products.csv  .tsv            a table; delimiter, encoding and header are detected
  rows.jsonl  rows.json         JSON objects, or finished requests (no template needed);
                                rows.json::data for the rows under a key
  rows.yaml  rows.toml          a list, or an object with rows inside; YAML needs the extra `tables`
  notes.txt                     one document per line; add ::paragraphs or ::whole
  folder  'docs/*.md'           one document per file
  shop.db::products             an SQLite table; or shop.db::SELECT …
  builder.py                    requests() or build() of a program that you trust
  x.parquet  x.xlsx::Sheet      needs the extra `tables`
  rows.csv.gz                   any of these, packed with gzip
  job:reviews                   the answered rows of a job: {custom_id} {prompt} {answer}
                                {@label} {in.text} {outcome} {model}; job:reviews::QUERY for
                                some; job:reviews+other for {other.answer}, {other.@label}
  https://host/products.csv     any of these at an address; an unchanged file is not fetched
                                again, a broken fetch goes on; up to --max-size
  hf://datasets/OWNER/NAME/FILE a file of a dataset of Hugging Face; NAME@REVISION; HF_TOKEN
  s3://bucket/key  gs://…       a file in a bucket, with this machine's credentials
  -                             standard input

TEMPLATE is the name of a saved template, a .toml file, a text file with the prompt, or the
prompt itself with at least one {column}.
"""


@click.command(short_help="Make a requests file from a table or text.", epilog=_SOURCES)
@click.argument("source", required=False, shell_complete=complete_sources)
@click.option("-t", "--template", metavar="TEMPLATE", help="Template for the requests; see below.")
@click.option(
    "-o", "--output", "out", type=click.Path(path_type=Path), metavar="FILE",
    help="Requests file to write."
)  # fmt: skip
@click.option("-m", "--model", metavar="MODEL", help="Model; default: the one in the template.")
@click.option("--id", "custom_id", metavar="COLUMN",
              help="Source of custom_id: a column, text with {columns}, or # for a hash of the"
              " row; default: a hash of the prompt.")  # fmt: skip
@_template_options
@set_option
@click.option("--header/--no-header", default=None,
              help="Whether the first row has the column names; default: detected.")  # fmt: skip
@click.option(
    "--delimiter",
    metavar="CHAR",
    # A tab character is hard to type in a shell.
    callback=lambda _context, _option, value: "\t" if value in ("tab", "\\t") else value,
    help="Cell delimiter, such as ';' or tab; default: detected.",
)
@click.option(
    "--encoding", metavar="NAME", help="Text encoding, such as latin-1; default: detected."
)
@click.option(
    "--quoting", type=click.Choice(
        ("double", "lenient", "backslash", "spaced", "single", "escapes", "none")), default=None,
    help="How quotation marks are read: as Excel does, the same with stray marks as text, escaped"
         " by \\, after spaces, as apostrophes, as text beside the escapes \\n and \\t, or all as"
         " text; default: detected.",
)  # fmt: skip
@click.option(
    "--long-rows", type=click.Choice(("refuse", "join", "widen")), default=None,
    help="Cells beyond the last column: refuse the row, join them to the last cell, or add columns"
         " for them; default: refuse.",
)  # fmt: skip
@click.option(
    "--where", default="", metavar="QUERY", shell_complete=complete_query,
    help="Only the rows of job:NAME that match a query, as in `results --where`."
)  # fmt: skip
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Use only the first N rows.")
@click.option("--trust", is_flag=True, help="Allow running the Python source file.")
@click.option("--preview", is_flag=True, help="Show three sample requests; write nothing.")
@click.option("--try", "tried", type=click.IntRange(min=1), metavar="N",
              help="Send request N after composing and show the answer.")  # fmt: skip
@click.option("--save-template", metavar="NAME", help="Save the template under NAME.")
@click.option("--samples", is_flag=True, help="List the included samples.")
@max_size_option
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
    quoting: Any,
    long_rows: Any,
    where: str,
    limit: int | None,
    trust: bool,
    preview: bool,
    tried: int | None,
    save_template: str | None,
    samples: bool,
    account: str | None,
    **options: Any,
) -> None:
    """Make a requests file from a SOURCE and a template; nothing is submitted.

    The file is checked against the limits of the account, and its cost is estimated.
    """
    if samples:
        _print_samples(settings)
        return
    chosen = _with_options(settings, template, options)
    change: dict[str, Any] = {"model": model, "custom_id": custom_id, "settings": dict(edits)}
    if save_template is not None:
        saved = _save(settings, chosen, save_template, change)
        if source is None:
            if settings.json:
                print_json(template_document(saved))
            return
    if source is None:
        raise UsageError(
            "no source given",
            "Give a table, a text file or job:NAME; see `batchdeck compose --help`.",
        )
    if out is None and not preview:
        raise UsageError("no output file given", "Add -o FILE, or use --preview.")
    if out is not None and _is_source(source, out):
        raise UsageError(f"{out} is also the source", "Write to another file.")

    async def work(engine: Engine) -> None:
        sender = engine.account(account or engine.accounts.default)
        trusted = await _confirm_program(settings, source, trust=trust)
        with _stdout_to_stderr(trusted):
            opened = await open_source(
                engine,
                source,
                trusted=trusted,
                delimiter=delimiter,
                encoding=encoding,
                header=header,
                quoting=quoting,
                long_rows=long_rows,
                where=where,
            )
            if out is None or preview:
                shown = await engine.requests.preview(
                    opened, chosen, account=account, whole=True, **change
                )
                print_result(
                    settings,
                    lambda: _preview_document(shown),
                    lambda: _preview_lines(shown, sender),
                )
                return
            with file_progress("composing", plural_of="row") as progress:
                report = await engine.requests.compose(
                    opened, chosen, out, limit=limit, progress=progress, **change
                )
        check = await engine.requests.check(out, account=account)
        estimate = await engine.costs.estimate(out, account)
        trial = None
        if tried is not None and check.ok:
            trial = await confirm_and_try(engine, settings, out, tried, account)
        print_result(
            settings,
            lambda: _document(report, check, estimate, trial),
            lambda: _lines(report, check, estimate, trial, sender, named=account is not None),
        )
        if not check.ok:
            raise check_error(out, check)

    run(settings, work)


async def _confirm_program(settings: Settings, source: str, *, trust: bool) -> bool:
    """Confirm that a source may be run if it is a Python program; shows its full path.

    On a terminal the user is asked, unless both ``--trust`` and ``--yes`` are given; elsewhere
    ``--trust`` is enough.

    Returns:
        False if the source is not a program, else true.

    Raises:
        InputError: There is no terminal for a question, and ``--trust`` is missing.
        DeclinedError: The user said no.
    """
    from tui.compose.sources.open import runs_code
    from tui.core.jobs import is_job_source

    if is_job_source(source) or not runs_code(source):
        return False
    path = _program_path(source)
    if is_terminal(sys.stdin) and not (trust and settings.yes):
        await confirm(Settings(), f"Run {path} with your permissions?")
        return True
    if not trust:
        raise InputError(f"{path} is a program and was not run", "Read it first, then add --trust.")
    return True


@contextlib.contextmanager
def _stdout_to_stderr(runs_program: bool) -> Iterator[None]:
    """Redirect stdout to stderr while a user's program runs; stdout is for the result."""
    if runs_program:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    else:
        yield


def _program_path(source: str) -> Path:
    """The absolute path with links resolved, so that the user sees what will be run."""
    return Path(split_part(source)[0]).resolve()


def _is_source(source: str, out: Path) -> bool:
    try:
        return Path(split_part(source)[0]).samefile(out)
    except (OSError, ValueError):
        return False


def _document(
    report: BuildReport, check: CheckReport, estimate: Estimate, trial: TryResult | None
) -> dict[str, Any]:
    import msgspec

    document: dict[str, Any] = msgspec.to_builtins(report)
    problems = msgspec.to_builtins(check.problems)
    document |= {"ok": check.ok, "problems": problems, "cost": cost_document(estimate)}
    return document if trial is None else document | {"trial": trial_document(trial)}


def _lines(
    report: BuildReport,
    check: CheckReport,
    estimate: Estimate,
    trial: TryResult | None,
    account: AccountInfo,
    *,
    named: bool,
) -> list[str]:
    ids = report.ids
    changed = ", ".join(
        f"{count:,} {what}"
        for count, what in (
            (ids.illegal, "with characters replaced"),
            (ids.repeated, "repeated and numbered"),
            (ids.empty, "empty and numbered"),
        )
        if count
    )
    example = f"; {ids.examples[0][0]!r} is now {ids.examples[0][1]!r}" if ids.examples else ""
    values: dict[str, Cell | str] = {
        "file": report.path,
        "requests": f"{report.rows:,} ({size(report.size)})",
        "read as": ", ".join(report.notes),
        "check": Cell("; ".join(report.doubts), "yellow"),
        "inputs": f"{report.inputs} (the source columns, for export --join)"
        if report.inputs
        else "",
        "ids": Cell(changed + example, "yellow"),
        **cost_pairs(estimate, account),
    }
    lines = pairs(values)
    lines += [f"{problem.line or ''}: {problem.what}" for problem in check.problems[:5]]
    if check.ok:
        send = f"batchdeck submit {report.path}" + (f" --account {account.name}" if named else "")
        lines += ["", f"{glyph('✓', '+', sys.stdout)} checked; to submit: {send}"]
    if trial is not None:
        lines += ["", *trial_lines(trial)]
    return lines
