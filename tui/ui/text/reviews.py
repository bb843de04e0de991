"""Reviews as styled text: in the table of rows, above an answer, and on the Review screen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tui.core.formatting import percent
from tui.core.reviews.agreement import Agreement, is_disagreement
from tui.core.reviews.review import RIGHT, WRONG, Review, ReviewMark
from tui.core.text import one_line
from tui.ui.text.paged import Piece
from tui.ui.text.tones import Part, Parts, Tone

_STYLES: dict[str, tuple[str, Tone]] = {RIGHT: ("✓ ", "good"), WRONG: ("✗ ", "bad")}
_WIDTH = 24


def label_parts(label: str) -> Parts:
    """A label, with the sign of ``right`` and ``wrong``."""
    sign, tone = _STYLES.get(label, ("", "accent"))
    return ((sign + one_line(label, _WIDTH), tone),)


def mark_parts(marks: Sequence[ReviewMark]) -> Parts:
    """The reviews of a row as a cell of a table; empty without one."""
    if not marks:
        return ()
    current = [mark for mark in marks if mark.is_current]
    if not current:
        return (("earlier attempt", "muted"),)
    labels = list(dict.fromkeys(mark.label for mark in current if mark.label))
    extras = "" if not any(mark.has_correction for mark in current) else " +answer"
    if not any(mark.has_note for mark in current):
        tail: Parts = ((extras, "muted"),) if extras else ()
    else:
        tail = ((f"{extras} +note", "muted"),)
    if is_disagreement(labels):
        return (("≠ " + one_line(", ".join(labels), 60), "warn"), *tail)
    return (*(label_parts(labels[0]) if labels else ()), *tail)


def review_facts(reviews: Iterable[Review], batch_id: str | None) -> list[Part]:
    """What reviewers said about an answer, for the line of facts above it.

    Args:
        reviews: The reviews of the row.
        batch_id: The batch with the answer that is shown.
    """
    parts: list[Part] = []
    for review in reviews:
        name = one_line(review.reviewer, _WIDTH)
        if not review.is_of(batch_id):
            parts += [(" · ", "muted"), (f"{name} reviewed an earlier attempt", "muted")]
        elif review.label:
            parts += [(" · ", "muted"), *label_parts(review.label), (f" ({name})", "muted")]
    return parts


def review_pieces(reviews: Iterable[Review], batch_id: str | None) -> list[Piece]:
    """Corrections and notes, to be read above the answer; see ``review_facts``."""
    pieces: list[Piece] = []
    for review in reviews:
        if not review.is_of(batch_id):
            continue
        name = one_line(review.reviewer, _WIDTH)
        texts = (("Note", review.note), ("Corrected", review.correction))
        for title, text in texts:
            if text is not None and (text or title == "Corrected"):
                pieces.append(Piece(f"{title} by {name}\n", "accent", is_remark=True))
                shown = text or "(no text)"
                pieces.append(Piece(f"{shown}\n\n", "" if text else "muted", is_remark=True))
    return pieces


def agreement_text(agreement: Agreement, reviewer: str, *, short: bool) -> str:
    """The agreement of a reviewer with another one, as one phrase."""
    other = next(name for name in agreement.reviewers if name != reviewer)
    name = one_line(other, 12 if short else _WIDTH)
    share = percent(agreement.same, agreement.rows)
    kappa = "" if agreement.kappa is None else f", kappa {agreement.kappa:.2f}"
    if short:
        return f"{share} as {name}{kappa}"
    return f"{share} of {agreement.rows:,} as {name}{kappa}"
