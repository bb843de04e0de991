"""What the experiment screen shows: the table of the jobs, and what stands above it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tui.core.analysis.comparison import Agreement
from tui.core.analysis.experiment import ExperimentReport, VariantReport
from tui.core.formatting import counted, money, percent, plain_number
from tui.core.text import one_line
from tui.ui.text.tones import Part, Tone

_NAME_CELLS = 30
_NOTHING: Part = ("-", "muted")


@dataclass(frozen=True)
class Figure:
    """A column of the table: a heading, its cells, and what it means."""

    heading: str
    cell: Callable[[VariantReport], Part]
    meaning: str


def _count(value: int, tone: Tone) -> Part:
    return (f"{value:,}", tone if value else "muted")


def _share(share: float | None) -> Part:
    return _NOTHING if share is None else (percent(share), "")


def _number(value: float | None) -> Part:
    return _NOTHING if value is None else (plain_number(round(value, 1)), "")


def _cost(one: VariantReport) -> Part:
    if one.cost_per_thousand is None:
        return _NOTHING
    about = "~" if one.is_estimated else ""
    return (about + money(one.cost_per_thousand, one.currency), "")


FIGURES = (
    Figure("rows", lambda one: (f"{one.rows:,}", ""), "rows of the job"),
    Figure("pending", lambda one: _count(one.pending, "live"), "rows without a result so far"),
    Figure("failed", lambda one: _count(one.failed, "bad"), "rows that ended without an answer"),
    Figure("accuracy", lambda one: _share(one.accuracy), "answers that are the true value"),
    Figure("score", lambda one: _number(one.score), "mean score of the judge"),
    Figure("valid", lambda one: _share(one.valid), "answers that match the schema"),
    Figure("per 1,000", _cost, "cost of 1,000 rows"),
    Figure("in tok", lambda one: _number(one.input_tokens), "mean input tokens of a row"),
    Figure("out tok", lambda one: _number(one.output_tokens), "mean output tokens of a row"),
    Figure("agrees", lambda one: _share(one.agreement), "same answers as the other jobs"),
)
"""The columns between the names and the agreement with each job."""


def shown_figures(made: ExperimentReport) -> list[Figure]:
    """The columns that at least one job has a figure for."""
    empty = {"-", "0"}
    return [
        figure
        for figure in FIGURES
        if figure.heading == "rows"
        or any(figure.cell(one)[0] not in empty for one in made.variants)
    ]


def headings(figures: Sequence[Figure], jobs: int) -> list[str]:
    """The headings of the table: the name, the figures, then a number for each job."""
    return ["job", *(figure.heading for figure in figures), *map(str, range(1, jobs + 1))]


def table_rows(
    made: ExperimentReport, names: Sequence[str], figures: Sequence[Figure]
) -> list[list[Part]]:
    """A line for each job: name, figures, and how often it agrees with each job."""
    return [
        [
            (f"{number} {one_line(name, _NAME_CELLS)}", ""),
            *(figure.cell(one) for figure in figures),
            *map(_agreement, agreement),
        ]
        for number, (name, one, agreement) in enumerate(
            zip(names, made.variants, made.agreement, strict=True), 1
        )
    ]


def _agreement(pair: Agreement | None) -> Part:
    return ("·", "muted") if pair is None else _share(pair.share)


def head_parts(made: ExperimentReport) -> list[Part]:
    """How many rows agree, and what was not compared."""
    parts: list[Part] = [(counted(made.in_common, "row"), "strong"), (" in common", "muted")]
    if made.in_common < made.ids:
        parts.append((f" of {made.ids:,}", "warn"))
    parts += [
        (f" · {percent(made.same, made.ids)} same", "muted"),
        (f" · {made.different:,} different", "warn" if made.different else "muted"),
    ]
    if made.unanswered:
        what = "without a value" if made.column else "unanswered"
        parts.append((f" · {made.unanswered:,} {what}", "muted"))
    if not made.is_whole:
        parts.append((" · stopped: not all rows were read", "warn"))
    return parts


def cell_parts(
    made: ExperimentReport,
    names: Sequence[str],
    figures: Sequence[Figure],
    row: int,
    column: int,
) -> list[Part]:
    """What the cell under the cursor means, and what ``enter`` does."""
    one = made.variants[row]
    place = column - 1 - len(figures)
    if place >= 0:
        pair = made.agreement[row][place]
        if pair is not None:
            other = one_line(names[place], _NAME_CELLS)
            words = f"{pair.same:,} of {pair.compared:,} answers are the same as of {other}"
            return [("enter", "accent"), (" compare the two  ", "strong"), (words, "muted")]
        place = -1
    parts: list[Part] = [("enter", "accent"), (" rows of ", "strong"), (one_line(one.name, 40), "")]
    if one.note:
        parts.append((f"  {one_line(one.note, 80)}", "warn"))
    elif 0 < column <= len(figures):
        figure = figures[column - 1]
        parts.append((f"  {figure.heading}{_more(one, figure)}: {figure.meaning}", "muted"))
    else:
        parts.append((f"  {one_line(one.model, 30)}, {one.status}", "muted"))
    return parts


def _more(one: VariantReport, figure: Figure) -> str:
    if figure.heading == "accuracy" and one.interval is not None:
        low, high = percent(one.interval.low), percent(one.interval.high)
        return f" of {one.evaluated:,} rows (95%: {low} to {high})"
    if figure.heading == "score" and one.scored:
        return f" of {one.scored:,} rows by {one_line(one.judge, 24)}"
    if figure.heading == "per 1,000" and one.cost is not None:
        return f" ({money(one.cost, one.currency)} in all)"
    return ""
