"""``compare``: the answers of two jobs, row by row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from tui.cli.errors import EXIT_OK
from tui.cli.options import Settings, complete_jobs, shared
from tui.cli.output import Cell, Colour, print_result, table
from tui.cli.progress import file_progress
from tui.cli.session import run
from tui.core.formatting import money, number

if TYPE_CHECKING:
    from tui.core.analysis.comparison import JobTotals, RowComparison
    from tui.core.rows import RowLine
    from tui.engine.engine import Engine
    from tui.store.history import Comparison

EXIT_DIFFERENT = 1
"""The exit code when answers differ, as with ``diff``."""

_KINDS = ("same", "different", "unanswered", "only-left", "only-right")
_COLOURS: dict[str, Colour] = {
    "same": "green",
    "different": "yellow",
    "unanswered": "red",
    "only left": "blue",
    "only right": "blue",
}


@click.command(short_help="Compare two jobs row by row.")
@click.argument("left", metavar="LEFT", shell_complete=complete_jobs)
@click.argument("right", metavar="RIGHT", shell_complete=complete_jobs)
@click.option("--limit", type=click.IntRange(min=0), default=20, show_default=True, metavar="N",
              help="List at most N rows.")  # fmt: skip
@click.option("--kind", "kinds", type=click.Choice(_KINDS), multiple=True,
              help="List rows of this kind; default: all but `same`. Can be repeated.")  # fmt: skip
@click.option("--ignore-space", is_flag=True, help="Ignore differences in white space.")
@click.option("--exact", is_flag=True, help="Compare JSON answers as text, not as data.")
@shared
def compare(
    settings: Settings,
    left: str,
    right: str,
    limit: int,
    kinds: tuple[str, ...],
    ignore_space: bool,
    exact: bool,
) -> int:
    """Compare the answers of two jobs; rows are matched by custom_id.

    The exit code is 0 if all answers are the same, else 1. JSON answers are compared as data
    unless --exact is given.
    """

    async def work(engine: Engine) -> int:
        from tui.core.analysis.comparison import CompareOptions, RowComparison

        history = engine.history
        left_job, right_job = history.jobs.find(left), history.jobs.find(right)
        options = CompareOptions(ignore_space=ignore_space, as_data=not exact)
        with file_progress("comparing", plural_of="row") as progress:
            found = await engine.results.compare(
                [left_job.id, right_job.id], options, progress=progress
            )
        wanted = [RowComparison(kind.replace("-", " ")) for kind in kinds]
        rows = _rows(engine, found, wanted, limit)
        print_result(settings, lambda: _document(found, rows), lambda: _report(found, rows))
        return EXIT_OK if found.is_same else EXIT_DIFFERENT

    return run(settings, work)


Pair = tuple[str, "RowLine | None", "RowLine | None"]


def _rows(
    engine: Engine, found: Comparison, wanted: Sequence[RowComparison], limit: int
) -> list[Pair]:
    """The first rows of the wanted kinds, with both answers."""
    from tui.core.analysis.comparison import ROW_COMPARISONS, RowComparison

    kinds = set(wanted) or set(ROW_COMPARISONS) - {RowComparison.SAME}
    positions: list[int] = []
    for position, code in enumerate(found.kinds):
        if len(positions) == limit:
            break
        if ROW_COMPARISONS[code] in kinds:
            positions.append(position)
    lefts = _lines(engine, found.left.job_id, [found.seqs[0][at] for at in positions])
    rights = _lines(engine, found.right.job_id, [found.seqs[1][at] for at in positions])
    return [
        (ROW_COMPARISONS[found.kinds[at]].value, left, right)
        for at, left, right in zip(positions, lefts, rights, strict=True)
    ]


def _lines(engine: Engine, job_id: str, seqs: Sequence[int]) -> list[RowLine | None]:
    from tui.core.query import RowSelection

    existing = [seq for seq in seqs if seq >= 0]
    selection = RowSelection(seqs=existing, total=len(existing))
    found = dict(zip(existing, engine.history.rows.lines(job_id, selection), strict=False))
    return [found.get(seq) for seq in seqs]


def _document(found: Comparison, rows: Sequence[Pair]) -> dict[str, Any]:
    import msgspec

    from tui.core.analysis.comparison import kinds_of

    sides = {}
    for name, side in (("left", found.left), ("right", found.right)):
        sides[name] = {**msgspec.to_builtins(side), "pass_rate": side.pass_rate}
    return {
        **sides,
        "same": found.is_same,
        "counts": {kind.value.replace(" ", "_"): found.count(kind) for kind in kinds_of(2)},
        "rows": [
            {
                "custom_id": _id(left, right),
                "kind": kind.replace(" ", "_"),
                "left": None if left is None else left.text,
                "right": None if right is None else right.text,
                "outcomes": [_outcome(left), _outcome(right)],
            }
            for kind, left, right in rows
        ],
    }


def _report(found: Comparison, rows: Sequence[Pair]) -> list[str]:
    from tui.core.analysis.comparison import kinds_of

    sides = (found.left, found.right)
    has_schema = any(side.has_schema for side in sides)
    figures: list[list[Cell | str]] = [
        ["job", *(side.job_id for side in sides)],
        ["name", *(side.name for side in sides)],
        ["model", *(side.model or "-" for side in sides)],
        ["rows", *(f"{side.rows:,}" for side in sides)],
        ["answered", *(f"{side.answered:,}" for side in sides)],
        ["input tokens", *(number(side.input_tokens) for side in sides)],
        ["output tokens", *(number(side.output_tokens) for side in sides)],
        ["cost", *(money(side.cost, side.currency) for side in sides)],
        ["match the schema" if has_schema else "JSON answers", *map(_rate, sides)],
    ]
    lines = table(("", "LEFT", "RIGHT"), figures)
    total = len(found)
    counts: list[list[Cell | str]] = [
        [Cell(kind.value, _COLOURS[kind.value]), f"{found.count(kind):,}",
         f"{100 * found.count(kind) / total:.1f}%" if total else "-"]
        for kind in kinds_of(2)
    ]  # fmt: skip
    lines += ["", *table(("ANSWERS", "ROWS", "SHARE"), counts, right=frozenset({1, 2}))]
    if rows:
        cells: list[list[Cell | str]] = [
            [Cell(kind, _COLOURS[kind]), _id(left, right), _answer(left), _answer(right)]
            for kind, left, right in rows
        ]
        lines += ["", *table(("", "ID", "LEFT", "RIGHT"), cells, elastic=3)]
    return lines


def _id(left: RowLine | None, right: RowLine | None) -> str:
    line = left or right
    return "" if line is None else line.custom_id


def _answer(line: RowLine | None) -> str:
    from tui.core.text import one_line

    if line is None:
        return "-"
    return one_line(line.text, 40) or line.outcome.value


def _outcome(line: RowLine | None) -> str | None:
    return None if line is None else line.outcome.value


def _rate(side: JobTotals) -> str:
    rate = side.pass_rate
    return "-" if rate is None else f"{100 * rate:.1f}%"
