"""How a status, an outcome and a bar of counts look: glyph, word and tone together."""

from __future__ import annotations

from tui.core.counts import Counts
from tui.core.jobs import Strays
from tui.core.outcome import Outcome
from tui.core.status import BatchStatus
from tui.ui.tones import Part, Parts, Tone

STATUS_LOOKS: dict[BatchStatus, tuple[str, str, Tone]] = {
    BatchStatus.DRAFT: ("○", "draft", "muted"),
    BatchStatus.SUBMITTING: ("↑", "submitting", "live"),
    BatchStatus.VALIDATING: ("◔", "validating", "live"),
    BatchStatus.QUEUED: ("◌", "queued", "live"),
    BatchStatus.IN_PROGRESS: ("◑", "in progress", "live"),
    BatchStatus.FINALIZING: ("◕", "finalizing", "live"),
    BatchStatus.COMPLETED: ("✓", "completed", "good"),
    BatchStatus.FAILED: ("✗", "failed", "bad"),
    BatchStatus.EXPIRED: ("◷", "expired", "warn"),
    BatchStatus.CANCELLING: ("⊖", "cancelling", "warn"),
    BatchStatus.CANCELLED: ("⊘", "cancelled", "warn"),
    BatchStatus.UNKNOWN: ("?", "unknown", "warn"),
}

OUTCOME_LOOKS: dict[Outcome, tuple[str, Tone]] = {
    Outcome.PENDING: ("·", "muted"),
    Outcome.SUCCEEDED: ("✓", "good"),
    Outcome.TRUNCATED: ("◐", "warn"),
    Outcome.REFUSED: ("⊗", "warn"),
    Outcome.FAILED: ("✗", "bad"),
    Outcome.EXPIRED: ("◷", "bad"),
    Outcome.CANCELLED: ("⊘", "bad"),
    Outcome.MISSING: ("∅", "bad"),
}

_GOOD, _BAD, _WARN, _OPEN = "━", "╍", "━", "─"


def status_parts(status: BatchStatus, raw: str = "") -> Parts:
    """Glyph and word of a status; an unknown one in the provider's own word."""
    glyph, word, tone = STATUS_LOOKS[status]
    if status == BatchStatus.UNKNOWN and raw:
        word = raw
    return ((f"{glyph} {word}", tone),)


def outcome_parts(outcome: Outcome) -> Parts:
    """Glyph and word of an outcome."""
    glyph, tone = OUTCOME_LOOKS[outcome]
    return ((f"{glyph} {outcome.value}", tone),)


def bar_parts(counts: Counts, width: int, done: int | None = None) -> Parts:
    """Counts as a bar of ``width`` cells: answered, in part answered, without answer, open.

    Args:
        counts: Rows per outcome.
        width: Cells.
        done: Rows that the provider is done with, where it is ahead of what was collected.
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
    """Cells for each share; what is not nothing gets at least one, what is open too."""
    cells = [share * width // total for share in shares]
    for index, share in enumerate(shares):
        if share and not cells[index]:
            cells[index] = 1
    room = width - (1 if sum(shares) < total else 0)
    while sum(cells) > room:
        largest = max(range(len(cells)), key=cells.__getitem__)
        if cells[largest] <= 1:
            break
        cells[largest] -= 1
    if sum(shares) >= total and sum(cells) < width and any(cells):
        largest = max(range(len(cells)), key=cells.__getitem__)
        cells[largest] += width - sum(cells)
    return cells


def counts_parts(counts: Counts, done: int = 0) -> Parts:
    """Counts in words, without those that are nothing: ``✓ 49,020 succeeded  ✗ 980 failed``.

    Args:
        counts: Rows per outcome.
        done: Rows that the provider is done with; those that are not here are told apart
            from the pending ones.
    """
    parts: list[Part] = []
    waiting = max(0, min(done, counts.total) - counts.ended)
    for outcome in (
        Outcome.SUCCEEDED,
        Outcome.TRUNCATED,
        Outcome.REFUSED,
        Outcome.FAILED,
        Outcome.EXPIRED,
        Outcome.CANCELLED,
        Outcome.MISSING,
        Outcome.PENDING,
    ):
        count = counts.get(outcome)
        if outcome is Outcome.PENDING and waiting:
            parts += [("  ", "")] if parts else []
            parts.append((f"◕ {waiting:,} done, not here yet", "live"))
            count -= waiting
        if count > 0:
            glyph, tone = OUTCOME_LOOKS[outcome]
            if parts:
                parts.append(("  ", ""))
            parts.append((f"{glyph} {count:,} {outcome.value}", tone))
    return tuple(parts)


def folded_counts_parts(counts: Counts, done: int = 0) -> Parts:
    """Counts in words where there is little room: what is alike in one figure.

    Args:
        counts: Rows per outcome.
        done: Rows that the provider is done with, as for ``counts_parts``.
    """
    partly = counts.truncated + counts.refused
    waiting = max(0, min(done, counts.total) - counts.ended)
    kinds: tuple[tuple[int, str, str, Tone], ...] = (
        (counts.succeeded, "✓", "succeeded", "good"),
        (partly, "◐", "cut or refused", "warn"),
        (counts.unanswered, "✗", "unanswered", "bad"),
        (waiting, "◕", "not here yet", "live"),
        (counts.pending - waiting, "·", "pending", "muted"),
    )
    told: list[Part] = []
    for count, glyph, word, tone in kinds:
        if count > 0:
            told += [("  ", ""), (f"{glyph} {count:,} {word}", tone)]
    return tuple(told[1:])


def strays_parts(strays: Strays, *, short: bool = False) -> Parts:
    """Result lines that belong to no row, when there are any; ``short`` gives only their sum."""
    kinds = (
        (strays.unknown, "with an unknown id"),
        (strays.duplicate, "duplicate"),
        (strays.unreadable, "unreadable"),
    )
    told = [f"{count:,} {what}" for count, what in kinds if count]
    if not told:
        return ()
    total = strays.unknown + strays.duplicate + strays.unreadable
    words = f"{total:,} stray " + ("line" if total == 1 else "lines")
    return ((words if short else f"{words}: {', '.join(told)}", "warn"),)
