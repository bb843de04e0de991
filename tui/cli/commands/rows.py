"""``results``, ``export``, ``action``: rows printed, written to a file, or given to a program."""

from __future__ import annotations

import re
import shlex
from array import array
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tui.addresses import is_address
from tui.cli.errors import EXIT_OK
from tui.cli.options import (
    Settings,
    complete_jobs,
    job_argument,
    named_view,
    row_filter,
    row_options,
    shared,
    yes_option,
)
from tui.cli.output import (
    Cell,
    clean,
    json_bytes,
    print_bytes,
    print_done,
    print_json,
    print_lines,
    say,
    table,
)
from tui.cli.progress import file_progress
from tui.cli.session import confirm, run
from tui.core.formatting import counted
from tui.core.text import quoted
from tui.errors import InputError, UsageError

if TYPE_CHECKING:
    from tui.core.query import RowFilter
    from tui.core.rows import RowLine
    from tui.engine.engine import Engine


_FORMATS = """\
\b
The extension of FILE sets the format:
  .jsonl           one JSON object per line; with --raw the provider's result lines
  .csv  .tsv       a table; cells that look like formulas are prefixed with a quote
  .sqlite  .db     tables rows, errors, meta (and attempts, inputs); works with Datasette
  .parquet         needs the extra `tables`
  .html            a report with plots, error groups and a table, in one file
  .batchdeck       the whole job as one file, for `import-results` elsewhere
Add .gz to .jsonl, .csv or .tsv to compress.
"""


EXIT_FAILED = 1
"""The command of an action did not end with exit code 0."""

_COLUMN_NAME = re.compile(r'(?:"[^"]*"|[^,"])+')


def split_columns(text: str) -> tuple[str, ...]:
    """The names of columns in a list with commas; quotation marks keep those in a name."""
    return tuple(name.strip() for name in _COLUMN_NAME.findall(text))


def _parse_columns(
    context: click.Context, parameter: click.Parameter, value: str
) -> tuple[str, ...]:
    return split_columns(value)


@click.command(short_help="Write the rows of a job to a file.", epilog=_FORMATS)
@job_argument
@click.option("-o", "--output", "file", required=True,
              type=click.Path(dir_okay=False), metavar="FILE",
              help="Output file, or s3://… or gs://…; the extension sets the format.")  # fmt: skip
@row_options
@click.option(
    "--join", is_flag=True, help="Add the source columns from which the requests were composed."
)
@click.option(
    "--attempts", is_flag=True, help="Export every attempt of a row, not only the newest outcome."
)
@click.option(
    "--raw", is_flag=True, help="Export the provider's result lines, byte for byte (.jsonl)."
)
@click.option("--expand", is_flag=True, help="Export the fields of JSON answers as columns.")
@click.option(
    "--columns",
    default="",
    metavar="COLUMN,...",
    callback=_parse_columns,
    help="Write only these columns, as in `batchdeck describe`: custom_id,@label,in.lang;"
    " also review, reviewer, correction, note.",
)
@click.option("--reviewed", is_flag=True,
              help="Export the reviewers' corrections in place of the answers.")  # fmt: skip
@click.option(
    "--raw-cells", is_flag=True, help="Keep cells that look like formulas (unsafe in Excel)."
)
@yes_option
@shared
def export(
    settings: Settings,
    job: str,
    file: str,
    join: bool,
    attempts: bool,
    raw: bool,
    expand: bool,
    columns: tuple[str, ...],
    reviewed: bool,
    raw_cells: bool,
    **selection: Any,
) -> None:
    """Write the rows of a JOB to a file. An interrupted export leaves no partial file.

    With --view NAME the rows are those of the view, in its order and with its columns; --columns
    names others.

    A FILE in a bucket (s3://BUCKET/KEY, gs://BUCKET/KEY) is written here first, then uploaded with
    the credentials of this machine.
    """
    exists = not is_address(file) and Path(file).exists()

    async def work(engine: Engine) -> None:
        from tui.store.export.options import ExportOptions, check_options

        found = engine.history.jobs.find(job)
        chosen, view = row_filter(**selection), named_view(selection["view"])
        options = ExportOptions(
            join=join,
            attempts=attempts,
            raw=raw,
            raw_cells=raw_cells,
            expand=expand,
            columns=columns or view.exported,
            reviewed=reviewed,
        )
        check_options(Path(file), options)

        async def write(path: Path, *, exists: bool) -> int:
            if exists:
                await confirm(settings, f"{file} already exists. Overwrite it?")
            with file_progress("writing", plural_of="row") as progress:
                selected = await engine.results.select(
                    found.id, chosen, view.order, progress=progress
                )
                rows = await engine.results.export(
                    found.id, path, selected, options, progress=progress
                )
            assert rows is not None, "an export that is stopped is cancelled before this line"
            return rows

        if is_address(file):
            async with engine.results.open_target(file) as target:
                rows = await write(target.path, exists=await target.exists())
                with file_progress("uploading") as progress:
                    await target.upload(progress)
        else:
            rows = await write(Path(file), exists=exists)
        document = {"job": found.id, "path": file, "rows": rows}
        noun = "line" if raw else "attempt" if attempts else "row"
        print_done(settings, document, f"Wrote {counted(rows, noun)} to {file}.")

    run(settings, work)


_WRITE_BYTES = 1 << 16

_FITS = {1: True, 2: False, 3: False}
"""Whether an answer matches its schema, by ``SchemaResult``; ``None`` if it was not checked."""


@click.command(short_help="Print the rows of a job as JSON lines.")
@job_argument
@row_options
@click.option("--limit", type=click.IntRange(min=0), metavar="N", help="Only the first N rows.")
@click.option(
    "--schema",
    metavar="FILE|own",
    help="Check the answers against a JSON schema file, or the schema in each request (own).",
)
@click.option("--misfits", is_flag=True,
              help="Only rows whose answer is not JSON or does not match the schema.")  # fmt: skip
@click.option("--strays", is_flag=True,
              help="Print the result lines that belong to no row instead: unreadable lines, ids"
              " that were not sent, duplicates.")  # fmt: skip
@shared
def results(
    settings: Settings,
    job: str,
    limit: int | None,
    schema: str | None,
    misfits: bool,
    strays: bool,
    **selection: Any,
) -> None:
    """Print the rows of a JOB, normalised, as JSON lines in the order of the requests.

    With --view NAME in the order of the view; `batchdeck export` writes its columns.

    A query (--where) has the syntax of the dashboard's filter. Conditions are separated by
    spaces and must all be met; a comma means "or"; words without a key are searched for in id,
    request and answer.

    \b
      outcome:failed,expired   outcome of the row; also answered, unanswered, bad
      code:429                 error code or HTTP status
      group:1f0c2a7b           key of an error group (see `batchdeck show --json`)
      attempt:>1               attempt number; 1 is the first send
      tokens: in: out:         token counts: >500  <=20  5-9  >4k
      length:<20               length of the answer in characters
      cost:>0.01               cost of the row
      finish:length            finish reason
      model:gpt-5-mini         the model that answered
      id:review-00*            part of the id, or a pattern
      json:bad schema:bad      answers that are not JSON, or do not match their schema
      review:wrong             what reviewers said: a label, or any, none, disagree, corrected,
                               noted, earlier (only an earlier attempt was reviewed)
      reviewer:anna            who reviewed the answer
      differs:in.label,@label  two columns with different values
      re:refund.*              a regular expression

    With --strays each line has a kind (unreadable, unknown, duplicate), custom_id, batch_id, file,
    offset, and the raw line.

    With --schema each line has the field "schema": {"fits": true, false or null, "problems"}.
    """  # noqa: D301 - the backspace stops click from wrapping the lines
    import msgspec

    async def work(engine: Engine) -> None:
        found = engine.history.jobs.find(job)
        if strays:
            if schema is not None or misfits or any(selection.values()):
                raise UsageError("--strays takes no conditions on rows", "Leave them out.")
            for stray in islice(engine.history.rows.stray_lines(found.id), limit):
                document = msgspec.structs.asdict(stray)
                document["line"] = stray.line.decode("utf-8", "replace")
                print_bytes(json_bytes(document) + b"\n")
            return
        order = named_view(selection["view"]).order
        rows = await engine.results.select(found.id, row_filter(**selection), order)
        if schema is None and not misfits:
            await _print_rows(engine, found.id, rows.seqs[:limit])
            return
        given = None if schema in (None, "own") else _read(Path(str(schema)))
        checker = engine.results.judge(given)
        with file_progress("checking", plural_of="row") as progress:
            checked = await engine.results.check_schema(
                found.id, rows.seqs, given, own=given is None, progress=progress
            )
        kept = [
            at for at, code in enumerate(checked.each) if not misfits or _FITS.get(code) is False
        ]
        seqs = array("q", (rows.seqs[at] for at in kept[:limit]))

        def with_schema_result(position: int, line: RowLine) -> dict[str, Any]:
            fits = _FITS.get(checked.each[kept[position]])
            problems: Sequence[str] = ()
            if fits is False:
                # Only these rows are validated again, for the details.
                problems = engine.results.check_row_schema(
                    found.id, seqs[position], checker
                ).problems
            document: dict[str, Any] = msgspec.to_builtins(line)
            return {**document, "schema": {"fits": fits, "problems": list(problems)}}

        await _print_rows(engine, found.id, seqs, with_schema_result)

    run(settings, work)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", path=path) from error


async def _print_rows(
    engine: Engine,
    job_id: str,
    seqs: Sequence[int],
    document: Callable[[int, RowLine], Any] = lambda position, line: line,
) -> None:
    """Print the rows of these numbers as JSON lines; ``document`` makes what is printed."""
    import asyncio

    from tui.core.query import RowSelection

    selection = RowSelection(seqs=seqs, total=len(seqs))
    buffer = bytearray()
    for position, line in enumerate(engine.history.rows.lines(job_id, selection)):
        buffer += json_bytes(document(position, line)) + b"\n"
        if len(buffer) >= _WRITE_BYTES:
            print_bytes(bytes(buffer))
            buffer.clear()
            # Give the event loop a chance to handle Ctrl-C.
            await asyncio.sleep(0)
    print_bytes(bytes(buffer))


@click.command(short_help="Run a command of yours on a job or its rows.")
@click.argument("name", required=False)
@click.argument("job", required=False, shell_complete=complete_jobs)
@row_options
@click.option("--id", "custom_id", metavar="ID", help="The row, for an action on one row.")
@yes_option
@shared
def action(
    settings: Settings, name: str | None, job: str | None, custom_id: str | None, **selection: Any
) -> int:
    """Run the action NAME of config.toml on a JOB; without NAME, list the actions.

    The command gets the job, the row or the rows as JSON on its standard input; a table
    [actions.NAME] says which, and has the key for the dashboard:

    \b
      [actions.push]
      command = ["curl", "-sd", "{name} has ended", "ntfy.sh/my-topic"]
      key = "K"

    The exit code is 0 if that of the command is, else 1.
    """  # noqa: D301 - the backspace stops click from wrapping the lines

    async def work(engine: Engine) -> int:
        if name is None or job is None:
            if name is not None:
                engine.actions.get(name)
                raise UsageError("no job is named", f"`batchdeck action {name} JOB`")
            _list_actions(engine, settings)
            return EXIT_OK
        found = engine.history.jobs.find(job)
        chosen = engine.actions.get(name)
        rows: RowFilter | list[int] = row_filter(**selection)
        if chosen.where == "row":
            rows = [_number_of(engine, found.id, custom_id)]
        if chosen.confirm:
            await confirm(settings, f"Run {name} on {found.name} ({found.id})?")
        if chosen.terminal:
            async with engine.actions.prepared(name, found.id, rows) as ready:
                return EXIT_OK if engine.actions.run_with_terminal(ready) == 0 else EXIT_FAILED
        result = await engine.actions.run(name, found.id, rows, captured=settings.json)
        if settings.json:
            document = {"action": name, "job": found.id, "exit_code": result.code}
            print_json({**document, "output": result.output, "cut": result.is_cut})
        elif result.code is None:
            say(f"{name} was stopped after {chosen.timeout:g} s.")
        elif result.code:
            say(f"{name} ended with exit code {result.code}.")
        return EXIT_OK if result.good else EXIT_FAILED

    return run(settings, work)


def _number_of(engine: Engine, job_id: str, custom_id: str | None) -> int:
    if custom_id is None:
        raise UsageError("this action gets one row", "Name it with --id.")
    number = engine.history.rows.numbers(job_id, [custom_id]).get(custom_id)
    if number is None:
        raise UsageError(f"the job has no row {quoted(custom_id)}", "`batchdeck results` has ids.")
    return number


def _list_actions(engine: Engine, settings: Settings) -> None:
    actions = engine.config.actions
    if settings.json:
        document = [
            {
                "name": name,
                "where": each.where,
                "key": each.key or None,
                "title": each.title or name,
                "command": each.words,
                "terminal": each.terminal,
            }
            for name, each in actions.items()
        ]
        print_json(document)
    elif actions:
        rows: list[list[Cell | str]] = [
            [name, each.where, each.key or "-", clean(shlex.join(each.words))]
            for name, each in actions.items()
        ]
        print_lines(table(("ACTION", "GETS", "KEY", "COMMAND"), rows, elastic=3))
    else:
        say(f"No actions: add a table [actions.NAME] to {engine.paths.config_file}.")
