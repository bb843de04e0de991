"""``Review``: what a reviewer said about an answer, and the words that may be labels."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from tui.core.text import is_safe, quoted
from tui.errors import UsageError

RIGHT = "right"
WRONG = "wrong"
VERDICTS = (RIGHT, WRONG)
"""The labels of reviewers who have not configured their own."""

ANY = "any"
NONE = "none"
DISAGREE = "disagree"
EARLIER = "earlier"
CORRECTED = "corrected"
NOTED = "noted"

STATES = (ANY, NONE, DISAGREE, CORRECTED, NOTED, EARLIER)
"""Words of the filter ``review:`` that are not labels.

``any`` and ``none``: the answer has a label, or none. ``disagree``: reviewers gave it different
labels. ``corrected``, ``noted``: it has a correction, a note. ``earlier``: only an earlier attempt
of the row was reviewed.
"""

MAX_LABELS = 9
"""Most labels that can be configured: one for each digit key."""

MAX_WORD = 60
"""Longest label or name of a reviewer, in characters."""

_FORBIDDEN = re.compile(r'[,"\n\r\t]')
"""A comma separates the values of a filter, quotes enclose them."""


class Review(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one reviewer says about one answer; also a line of the log.

    A line holds the whole review, and replaces the reviewer's earlier one of the row. A review
    without label, correction and note says that there is none any more.

    Attributes:
        custom_id: The id of the row.
        reviewer: Who reviewed it.
        at: When, in Unix seconds.
        label: ``right``, ``wrong``, or a label of the reviewer's own; empty without a verdict.
        correction: The answer as it should be; ``None`` if it was not edited.
        note: A remark.
        batch_id: The batch with the answer that was seen; ``None`` if any answer of the row is
            meant, as for labels from a file that were given without seeing one.
        attempt: The number of the attempt that was seen.
        undo: The line undoes the reviewer's last act on the row: it holds the review before.
    """

    custom_id: str
    reviewer: str
    at: float
    label: str = ""
    correction: str | None = None
    note: str = ""
    batch_id: str | None = None
    attempt: int | None = None
    undo: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether it says nothing."""
        return not self.label and self.correction is None and not self.note

    def is_of(self, batch_id: str | None) -> bool:
        """Whether it is about the answer of a batch, not about an earlier attempt."""
        return self.batch_id is None or self.batch_id == batch_id

    def says_the_same(self, other: Review | None) -> bool:
        """Whether another review has the same content about the same answer."""
        return other is not None and (
            (self.label, self.correction, self.note, self.batch_id)
            == (other.label, other.correction, other.note, other.batch_id)
        )


class ReviewMark(msgspec.Struct, frozen=True, kw_only=True):
    """A review as a list of rows shows it: without the texts of correction and note.

    ``is_current`` is false if only an earlier attempt of the row was reviewed.
    """

    reviewer: str
    label: str
    at: float
    is_current: bool = True
    has_correction: bool = False
    has_note: bool = False


def newest_first(reviews: Iterable[Review]) -> list[Review]:
    """The reviews of a row, the newest first."""
    return sorted(reviews, key=lambda review: (-review.at, review.reviewer))


def check_label(label: str) -> str:
    """A label without surrounding spaces.

    Raises:
        UsageError: It cannot be a label.
    """
    word = _checked(label, "label")
    if word.casefold() in STATES:
        raise UsageError(
            f"{quoted(word)} cannot be a label: the filter review:{word.casefold()} has a meaning",
            "Choose another word.",
        )
    return word


def check_reviewer(name: str) -> str:
    """The name of a reviewer without surrounding spaces.

    Raises:
        UsageError: It cannot be a name.
    """
    return _checked(name, "reviewer's name")


def _checked(word: str, what: str) -> str:
    word = word.strip()
    if not word or len(word) > MAX_WORD or _FORBIDDEN.search(word) or not is_safe(word):
        raise UsageError(
            f"{quoted(word)} cannot be a {what}",
            f"Use 1 to {MAX_WORD} characters on one line, without commas and quotes.",
        )
    return word


def known_label(label: str, known: Iterable[str]) -> str:
    """A label in the spelling of the known one that differs from it by case alone."""
    folded = label.casefold()
    return next((word for word in (*known, *VERDICTS) if word.casefold() == folded), label)
