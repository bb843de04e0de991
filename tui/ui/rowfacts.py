"""What is said of a row above its texts: figures, attempts, and whether its form is right."""

from __future__ import annotations

from collections.abc import Callable

from tui.core.editing import describe_edits
from tui.core.rows import RowDetail
from tui.core.text import one_line, visible
from tui.core.verdicts import Judgement, Verdict
from tui.ui import formatting
from tui.ui.status import outcome_parts
from tui.ui.tones import Part, Tone

_VERDICTS: dict[Verdict, tuple[str, Tone]] = {
    Verdict.FITS: ("fits the schema", "good"),
    Verdict.MISFITS: ("misses the schema", "bad"),
    Verdict.NOT_JSON: ("no JSON", "bad"),
    Verdict.UNUSABLE: ("schema unusable", "warn"),
}

MOST_ATTEMPTS = 4
"""Lines that tell of attempts; the shown one is always among them."""


def describe_row(detail: RowDetail, shown: int, judgement: Judgement | None = None) -> list[Part]:
    """The line above a row, after its id and outcome."""
    attempts = detail.attempts
    row = attempts[shown].row if shown < len(attempts) else detail.row
    facts: list[Part] = []

    def add(text: str, tone: Tone = "") -> None:
        facts.extend([(" · ", "muted"), (text, tone)])

    if judgement is not None and judgement.verdict in _VERDICTS:
        add(*_VERDICTS[judgement.verdict])
    if row.usage.input_tokens is not None:
        add(f"{row.usage.input_tokens:,} in")
    if row.usage.output_tokens is not None:
        add(f"{row.usage.output_tokens:,} out")
    if row.usage.cached_tokens:
        add(f"{row.usage.cached_tokens:,} cached")
    if row.finish_reason and row.finish_reason != "stop":
        add(visible(row.finish_reason))
    if row.cost is not None:
        add(formatting.money(row.cost))
    if row.model:
        add(visible(row.model))
    return facts


def describe_attempts(detail: RowDetail, shown: int, moment: Callable[[float], str]) -> list[Part]:
    """A line for each attempt: number, outcome, time, and what was changed for it.

    Args:
        detail: The row.
        shown: The place of the attempt that is read.
        moment: Says a time in Unix seconds.
    """
    attempts = detail.attempts
    if len(attempts) < 2 and not detail.edits:
        return []
    first = max(0, min(shown - MOST_ATTEMPTS + 1, len(attempts) - MOST_ATTEMPTS))
    parts: list[Part] = []
    for place, attempt in list(enumerate(attempts))[first : first + MOST_ATTEMPTS]:
        row = attempt.row
        parts.append(("\n" if parts else "", ""))
        parts.append(("▸ " if place == shown else "  ", "accent"))
        parts.append((f"attempt {row.attempt}  ", "strong" if place == shown else "muted"))
        parts += outcome_parts(row.outcome)
        told = [] if attempt.at is None else [moment(attempt.at)]
        if row.error is not None:
            told.append(one_line(row.error.code or row.error.message, 24))
        told += describe_edits(attempt.edits)
        if told:
            parts.append(("  " + one_line(" · ".join(told), 160), "muted"))
    if len(attempts) > MOST_ATTEMPTS:
        parts.append((f"  ({len(attempts)} in all, a)", "muted"))
    return parts
