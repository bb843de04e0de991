"""``compare``: two jobs row by row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from tui.cli.completion import complete_jobs
from tui.cli.failures import GOOD
from tui.cli.meter import Meter
from tui.cli.options import shared
from tui.cli.output import Cell, Colour, print_json, print_lines, table
from tui.cli.session import run, stop_at_exit
from tui.cli.settings import Settings
from tui.core.money import money

if TYPE_CHECKING:
    from tui.core.comparing import Kind, Side
    from tui.core.rows import RowLine
    from tui.engine.engine import Engine
    from tui.store.comparing import Comparison

DIFFERENCES = 1
"""The exit code when not all answers are the same, as with ``diff``."""

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
              help="List N rows at the most.")  # fmt: skip
@click.option("--kind", "kinds", type=click.Choice(_KINDS), multiple=True,
              help="List rows of this kind; else all that are not the same.")  # fmt: skip
@click.option("--ignore-space", is_flag=True, help="White space alone makes no difference.")
@click.option("--exact", is_flag=True, help="JSON answers are compared as text, not as data.")
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
    """Compare the answers of two jobs, row by row on custom_id.

    The exit code is 0 when all answers are the same, else 1. JSON answers are compared as data
    unless --exact is given.
    """

    async def work(engine: Engine) -> int:
        from tui.core.comparing import CompareOptions, Kind

        history = engine.history
        ours, theirs = history.find_job(left), history.find_job(right)
        options = CompareOptions(ignore_space=ignore_space, as_data=not exact)
        meter = Meter("comparing", plural_of="row")
        with stop_at_exit() as stop:
            found = await engine.compare(
                ours.id, theirs.id, options, stop=stop, progress=meter.show
            )
        wanted = [Kind(kind.replace("-", " ")) for kind in kinds]
        rows = _rows(engine, found, wanted, limit)
        if settings.json:
            print_json(_document(found, rows))
        else:
            print_lines(_story(found, rows))
        return GOOD if found.is_same else DIFFERENCES

    return run(settings, work)


Pair = tuple[str, "RowLine | None", "RowLine | None"]


def _rows(engine: Engine, found: Comparison, wanted: Sequence[Kind], limit: int) -> list[Pair]:
    """The first rows of the kinds asked for, with both answers."""
    from tui.core.comparing import KINDS, Kind

    kinds = set(wanted) or set(KINDS) - {Kind.SAME}
    places: list[int] = []
    for place, code in enumerate(found.kinds):
        if len(places) == limit:
            break
        if KINDS[code] in kinds:
            places.append(place)
    lefts = _lines(engine, found.left.job_id, [found.left_seqs[place] for place in places])
    rights = _lines(engine, found.right.job_id, [found.right_seqs[place] for place in places])
    return [
        (KINDS[found.kinds[place]].value, left, right)
        for place, left, right in zip(places, lefts, rights, strict=True)
    ]


def _lines(engine: Engine, job_id: str, seqs: Sequence[int]) -> list[RowLine | None]:
    from tui.core.filtering import RowSelection

    there = [seq for seq in seqs if seq >= 0]
    selection = RowSelection(seqs=there, total=len(there))
    found = dict(zip(there, engine.history.row_lines(job_id, selection), strict=False))
    return [found.get(seq) for seq in seqs]


def _document(found: Comparison, rows: Sequence[Pair]) -> dict[str, Any]:
    import msgspec

    from tui.core.comparing import KINDS

    sides = {}
    for name, side in (("left", found.left), ("right", found.right)):
        sides[name] = {**msgspec.to_builtins(side), "pass_rate": side.pass_rate}
    return {
        **sides,
        "same": found.is_same,
        "counts": {kind.value.replace(" ", "_"): found.count(kind) for kind in KINDS},
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


def _story(found: Comparison, rows: Sequence[Pair]) -> list[str]:
    from tui.core.comparing import KINDS

    sides = (found.left, found.right)
    figures: list[list[Cell | str]] = [
        ["job", *(side.job_id for side in sides)],
        ["name", *(side.name for side in sides)],
        ["model", *(side.model or "-" for side in sides)],
        ["rows", *(f"{side.rows:,}" for side in sides)],
        ["answered", *(f"{side.answered:,}" for side in sides)],
        ["input tokens", *(_known(side.input_tokens) for side in sides)],
        ["output tokens", *(_known(side.output_tokens) for side in sides)],
        ["cost", *(_money(side) for side in sides)],
        ["fit the schema" if _has_schema(found) else "JSON answers", *map(_rate, sides)],
    ]
    lines = table(("", "LEFT", "RIGHT"), figures)
    total = len(found)
    counts: list[list[Cell | str]] = [
        [Cell(kind.value, _COLOURS[kind.value]), f"{found.count(kind):,}",
         f"{100 * found.count(kind) / total:.1f}%" if total else "-"]
        for kind in KINDS
    ]  # fmt: skip
    lines += ["", *table(("ANSWERS", "ROWS", "SHARE"), counts, right=frozenset({1, 2}))]
    if rows:
        cells: list[list[Cell | str]] = [
            [
                Cell(kind, _COLOURS[kind]),
                _id(left, right),
                _said(left),
                _said(right),
            ]
            for kind, left, right in rows
        ]
        lines += ["", *table(("", "ID", "LEFT", "RIGHT"), cells, elastic=3)]
    return lines


def _has_schema(found: Comparison) -> bool:
    return found.left.has_schema or found.right.has_schema


def _id(left: RowLine | None, right: RowLine | None) -> str:
    line = left or right
    return "" if line is None else line.custom_id


def _said(line: RowLine | None) -> str:
    from tui.core.text import one_line

    if line is None:
        return "-"
    return one_line(line.text, 40) or line.outcome.value


def _outcome(line: RowLine | None) -> str | None:
    return None if line is None else line.outcome.value


def _known(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def _money(side: Side) -> str:
    return money(side.cost, side.currency)


def _rate(side: Side) -> str:
    rate = side.pass_rate
    return "-" if rate is None else f"{100 * rate:.1f}%"
