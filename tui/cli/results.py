"""``results``: the rows of a job, as JSON lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tui.cli.options import job_argument, row_filter, row_options, shared
from tui.cli.output import json_bytes, print_bytes
from tui.cli.schemas import Checked, check
from tui.cli.session import run, stop_at_exit
from tui.cli.settings import Settings

if TYPE_CHECKING:
    from tui.core.filtering import RowSelection
    from tui.engine.engine import Engine

_WRITE_BYTES = 1 << 16


@click.command(short_help="Print the rows of a job as JSON lines.")
@job_argument
@row_options
@click.option("--limit", type=click.IntRange(min=0), metavar="N", help="Only the first N rows.")
@click.option(
    "--schema",
    metavar="FILE|own",
    help="Check the answers against a JSON schema, or against that of each request (own).",
)
@click.option("--misfits", is_flag=True, help="Only rows whose answer is not JSON or does not fit.")
@shared
def results(
    settings: Settings,
    job: str,
    outcomes: tuple[str, ...],
    code: str,
    search: str,
    where: str,
    limit: int | None,
    schema: str | None,
    misfits: bool,
) -> None:
    """Print the rows of a JOB, normalised, as JSON lines in the order of the requests.

    A query (--where) is what the dashboard's filter line takes. Conditions are separated by
    spaces and must all be met; a comma means "or"; words without a key are looked for in id,
    request and answer.

    \b
      outcome:failed,expired   what became of the row; also answered, unanswered, bad
      code:429                 error code or HTTP status
      group:1f0c2a7b           error group by its key (`batchdeck show --json`)
      attempt:>1               number of the attempt shown
      tokens: in: out:         tokens: >500  <=20  5-9  >4k
      length:<20               characters of the answer
      cost:>0.01               what the row cost
      finish:length            why the model stopped
      model:gpt-5-mini         the model that answered
      id:review-00*            a part of the id, or a pattern
      json:bad schema:bad      answers that are no JSON, or not of the schema asked for
      re:refund.*              a regular expression

    With --schema each line has a field "schema": {"fits": true, false or null, "problems"}.
    """  # noqa: D301 - the backspace tells click to keep the lines as they are

    async def work(engine: Engine) -> None:
        found = engine.history.find_job(job)
        chosen = row_filter(outcomes, code, search, where)
        with stop_at_exit() as stop:
            selection = await engine.select(found.id, chosen, stop=stop)
            if schema is None and not misfits:
                await _print_rows(engine, found.id, _first(selection, limit))
                return
            checked = await check(engine, found.id, selection, schema or "own", stop=stop)
        if misfits:
            checked = checked.misfits()
        await _print_rows(engine, found.id, _first(checked.selection, limit), checked)

    run(settings, work)


def _first(selection: RowSelection, limit: int | None) -> RowSelection:
    from tui.core.filtering import RowSelection

    return RowSelection(seqs=selection.seqs[:limit], total=selection.total)


async def _print_rows(
    engine: Engine, job_id: str, selection: RowSelection, checked: Checked | None = None
) -> None:
    import asyncio

    waiting = bytearray()
    for place, line in enumerate(engine.history.row_lines(job_id, selection)):
        told = line if checked is None else checked.document(engine, place, line)
        waiting += json_bytes(told) + b"\n"
        if len(waiting) >= _WRITE_BYTES:
            print_bytes(bytes(waiting))
            waiting.clear()
            # Lets Ctrl-C through between two pieces.
            await asyncio.sleep(0)
    print_bytes(bytes(waiting))
