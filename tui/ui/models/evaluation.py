"""What the evaluation screen shows: which columns to compare, the table, and the rows of a cell."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from tui.core import formatting
from tui.core.analysis.columns import ANSWER, ColumnKind, write_value
from tui.core.analysis.evaluation import ClassScore, Evaluation
from tui.core.analysis.facets import ColumnInfo
from tui.core.query import make_column_term
from tui.core.text import value_label
from tui.ui.text.tones import Part, Tone

_GOLD_NAMES = ("gold", "truth", "label", "expected", "target", "category", "class", "sentiment")
GOLD_COLUMN = "calc.gold"
"""The column with the true values of a file."""

_SHORTENED = re.compile(r"… \([\d,]+ characters, [0-9a-f]{12}\)$")
_HEADING_CELLS = 14
_NAME_CELLS = 22

SCORES = ("true", "ans.", "prec.", "rec.", "F1")
"""Headings of the columns between the name of a class and the counts by answer."""


@dataclass(frozen=True)
class Comparison:
    """What is compared: two columns of a job, in the rows of a filter."""

    gold: str = ""
    answer: str = ANSWER
    where: str = ""
    normalise: bool = False

    def with_columns(self, *, gold: str = "", answer: str = "") -> Comparison:
        """The same comparison of other columns."""
        return replace(self, gold=gold or self.gold, answer=answer or self.answer)


def likely_columns(columns: Iterable[ColumnInfo]) -> tuple[str, str]:
    """The columns that are most likely gold and answer; gold is empty if none is likely."""
    inputs: list[str] = []
    fields: list[str] = []
    derived: list[str] = []
    for info in columns:
        if info.kind is ColumnKind.INPUT:
            inputs.append(info.column)
        elif info.kind is ColumnKind.FIELD:
            fields.append(info.column)
        elif info.kind is ColumnKind.DERIVED:
            derived.append(info.column)
    gold = GOLD_COLUMN if GOLD_COLUMN in derived else _named(inputs)
    last = gold.rpartition(".")[2].casefold()
    same = next((each for each in fields if each.lstrip("@").casefold() == last), "")
    return gold, same or _named(fields) or ANSWER


def _named(columns: Sequence[str]) -> str:
    """The first column with a usual name of a label."""
    for name in _GOLD_NAMES:
        for column in columns:
            if name in re.split(r"\W+", column.casefold()):
                return column
    return ""


def cell_query(compared: Comparison, made: Evaluation, gold: int | None, answer: int | None) -> str:
    """The filter for the rows of a class or a cell; empty if it cannot be written.

    Args:
        compared: What was compared.
        made: The evaluation.
        gold: The row of the confusion matrix; ``None`` for any gold.
        answer: Its column; ``None`` for any answer.
    """
    terms = [compared.where] if compared.where else []
    for column, place in ((compared.gold, gold), (compared.answer, answer)):
        if place is None:
            terms.append(f"{column}:any")
            continue
        names = made.confusion.classes
        wanted = names[place : place + 1] or names
        if made.normalised or any(map(_SHORTENED.search, wanted)):
            return ""
        if place < len(names):
            terms.append(make_column_term(column, [names[place]]).written)
        else:
            others = ",".join(map(write_value, names))
            terms += [f"{column}:any", f"-{column}:{others}"]
    return " ".join(terms)


def wrong_query(compared: Comparison) -> str:
    """The filter for the rows whose answer differs from gold."""
    return f"{compared.where} differs:{compared.gold},{compared.answer}".strip()


def head_parts(compared: Comparison, made: Evaluation) -> list[Part]:
    """The scores of the whole, and what could not be compared; two lines."""
    parts: list[Part] = []
    if made.accuracy is None or made.interval is None:
        parts.append(("No row has both values", "warn"))
    else:
        low, high = map(formatting.precise_percent, (made.interval.low, made.interval.high))
        parts += [
            ("accuracy ", "muted"),
            (formatting.precise_percent(made.accuracy), "strong"),
            (f" ({low} to {high})", ""),
            (f"  {made.agree:,} of {made.compared:,}", "muted"),
            ("  kappa ", "muted"),
            (_score(made.kappa), ""),
            ("  macro F1 ", "muted"),
            (_score(made.macro_f1), ""),
        ]
    parts.append(("\n", ""))
    apart = (
        (made.without_gold, "without a true value"),
        (made.without_answer, "without answer"),
        (made.without_value, "without value"),
        (made.without_both, "without both"),
    )
    notes = [f"{count:,} {what}" for count, what in apart if count]
    if not made.exact:
        notes.append(f"more than {made.distinct:,} classes: are these labels?")
    parts.append((" · ".join(notes), "muted"))
    if made.spellings:
        parts += [(" · " if notes else "", "muted"), (f"{made.spellings:,} more agree ", "warn")]
        parts += [("if normalised ", "muted"), ("w", "accent")]
    elif compared.normalise:
        parts += [(" · " if notes else "", "muted"), ("case, space and quotes ignored", "warn")]
    return parts


def _score(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def headings(made: Evaluation) -> list[str]:
    """The headings of the table: name, scores, then the answers."""
    answers = [heading(name) for name in made.confusion.headings]
    return ["true ╲ answer", *SCORES, *answers]


def heading(name: str, most: int = _HEADING_CELLS) -> str:
    """The name of a class, on one line."""
    return value_label(name, most)


def table_rows(made: Evaluation) -> list[list[Part]]:
    """The lines of the table: each class with its scores and its counts by answer."""
    confusion = made.confusion
    lines: list[list[Part]] = []
    for place, counts in enumerate(confusion.cells):
        score = made.classes[place] if place < len(made.classes) else None
        name = confusion.headings[place]
        line: list[Part] = [(heading(name, _NAME_CELLS), "muted" if score is None else "")]
        line += _score_parts(score, counts, [row[place] for row in confusion.cells])
        line += [(f"{n:,}" if n else "·", _tone(n, at == place)) for at, n in enumerate(counts)]
        lines.append(line)
    return lines


def _score_parts(
    score: ClassScore | None, given: Sequence[int], answered: Sequence[int]
) -> list[Part]:
    if score is None:
        nothing: Part = ("", "")
        totals: list[Part] = [(f"{sum(given):,}", "muted"), (f"{sum(answered):,}", "muted")]
        return [*totals, nothing, nothing, nothing]
    return [
        (f"{score.support:,}", ""),
        (f"{score.answered:,}", ""),
        (_score(score.precision), ""),
        (_score(score.recall), ""),
        (_score(score.f1), "strong"),
    ]


def _tone(count: int, is_right: bool) -> Tone:
    if not count:
        return "muted"
    return "good" if is_right else "warn"
