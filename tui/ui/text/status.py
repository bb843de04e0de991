"""Statuses, outcomes and counts as styled text: the signs and words of both faces, with tones."""

from __future__ import annotations

from tui.core import status_words
from tui.core.formatting import counted
from tui.core.jobs import BatchStatus, Counts, OrphanLines
from tui.core.rows import Outcome
from tui.ui.text.tones import Part, Parts, Tone

OUTCOME_STYLES: dict[Outcome, tuple[str, Tone]] = {
    outcome: (status_words.OUTCOME_SIGNS[outcome].glyph, status_words.OUTCOME_SIGNS[outcome].tone)
    for outcome in Outcome
}
"""Outcome to its glyph and tone."""

_GOOD, _BAD, _WARN, _OPEN = "━", "╍", "━", "─"


def status_parts(status: BatchStatus, raw: str = "") -> Parts:
    """Glyph and word of a status; for an unknown status, the provider's own word."""
    sign = status_words.STATUS_SIGNS[status]
    word = raw if status == BatchStatus.UNKNOWN and raw else status_words.status_text(status)
    return ((f"{sign.glyph} {word}", sign.tone),)


def outcome_parts(outcome: Outcome) -> Parts:
    """Glyph and word of an outcome."""
    glyph, tone = OUTCOME_STYLES[outcome]
    return ((f"{glyph} {outcome.value}", tone),)


def bar_parts(counts: Counts, width: int, done: int | None = None) -> Parts:
    """Counts as a bar: succeeded, truncated or refused, failed, done but not collected, open.

    Args:
        counts: Rows per outcome.
        width: Width of the bar in cells.
        done: Rows that the provider has finished, if more than the collected ones.
    """
    total = max(1, counts.total)
    running = max(0, (done or 0) - counts.ended)
    shares: list[tuple[int, str, Tone]] = [
        (counts.succeeded, _GOOD, "good"),
        (counts.truncated + counts.refused, _WARN, "warn"),
        (counts.unanswered, _BAD, "bad"),
        (running, _GOOD, "live"),
    ]
    cells = _cells([share for share, _, _ in shares], total, width)
    parts: list[Part] = [
        (glyph * count, tone) for count, (_, glyph, tone) in zip(cells, shares, strict=True)
    ]
    parts.append((_OPEN * (width - sum(cells)), "muted"))
    return tuple(part for part in parts if part[0])


def _cells(shares: list[int], total: int, width: int) -> list[int]:
    """Cells per share; every share above 0 gets at least one cell, and so do open rows."""
    cells = [share * width // total for share in shares]
    for index, share in enumerate(shares):
        if share and not cells[index]:
            cells[index] = 1
    available = width - (1 if sum(shares) < total else 0)
    while sum(cells) > available:
        largest = max(range(len(cells)), key=cells.__getitem__)
        if cells[largest] <= 1:
            break
        cells[largest] -= 1
    if sum(shares) >= total and sum(cells) < width and any(cells):
        largest = max(range(len(cells)), key=cells.__getitem__)
        cells[largest] += width - sum(cells)
    return cells


def counts_parts(counts: Counts, done: int = 0) -> Parts:
    """Counts above 0 in words: ``✓ 49,020 succeeded  ✗ 980 failed``.

    Args:
        counts: Rows per outcome.
        done: Rows that the provider has finished; those not downloaded yet are listed
            separately from the pending ones.
    """
    waiting = max(0, min(done, counts.total) - counts.ended)
    kinds = [
        (count, status_words.OUTCOME_SIGNS[word].glyph, word, status_words.OUTCOME_SIGNS[word].tone)
        for word, count in status_words.nonzero_counts(counts).items()
        if word != Outcome.PENDING
    ]
    return _counted(
        [
            *kinds,
            (waiting, "◕", "done, not downloaded yet", "live"),
            (counts.pending - waiting, "·", "pending", "muted"),
        ]
    )


def compact_counts_parts(counts: Counts, done: int = 0) -> Parts:
    """Counts in words for narrow screens, with similar outcomes combined.

    Args:
        counts: Rows per outcome.
        done: Rows that the provider has finished, as for ``counts_parts``.
    """
    partly = counts.truncated + counts.refused
    waiting = max(0, min(done, counts.total) - counts.ended)
    return _counted(
        [
            (counts.succeeded, "✓", "succeeded", "good"),
            (partly, "◐", "truncated/refused", "warn"),
            (counts.unanswered, "✗", "failed", "bad"),
            (waiting, "◕", "not downloaded", "live"),
            (counts.pending - waiting, "·", "pending", "muted"),
        ]
    )


def _counted(kinds: list[tuple[int, str, str, Tone]]) -> Parts:
    parts: list[Part] = []
    for count, glyph, word, tone in kinds:
        if count > 0:
            parts += [("  ", ""), (f"{glyph} {count:,} {word}", tone)]
    return tuple(parts[1:])


def orphan_parts(strays: OrphanLines, *, short: bool = False) -> Parts:
    """Result lines without a matching row, if any; ``short`` gives only their number."""
    details = status_words.orphan_text(strays)
    if not details:
        return ()
    total = strays.unknown + strays.duplicate + strays.unreadable
    words = counted(total, "unmatched line")
    return ((words if short else f"{words}: {details}", "warn"),)
