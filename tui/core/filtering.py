"""Which rows to show, and in which order: built by the screen, carried out by the store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from tui.core.outcome import UNANSWERED, Outcome

SortColumn = Literal[
    "seq",
    "custom_id",
    "outcome",
    "status",
    "code",
    "attempt",
    "input_tokens",
    "output_tokens",
    "finish",
    "model",
    "cost",
    "length",
]


class Span(msgspec.Struct, frozen=True):
    """Numbers from ``least`` to ``most``, both inclusive; ``None`` is no bound.

    What is not known lies in no span.
    """

    least: float | None = None
    most: float | None = None

    def meet(self, other: Span) -> Span:
        """The numbers that lie in both."""
        least = [bound for bound in (self.least, other.least) if bound is not None]
        most = [bound for bound in (self.most, other.most) if bound is not None]
        return Span(max(least, default=None), min(most, default=None))


ANY = Span()
"""Every number, and what is not known."""


class RowFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Conditions that a row must all meet; an unset one lets every row through.

    Attributes:
        outcomes: Any of these.
        error_group: The id of a group of this job.
        groups: Any of the groups with these keys (``ErrorGroup.key``).
        code: A provider's error code, or an HTTP status in digits.
        codes: Any of these codes; beside ``code``.
        finish: Any of these finish reasons.
        models: Answered by any of these models.
        attempt: The number of the attempt that is shown.
        input_tokens: Of the prompt.
        output_tokens: Of the answer.
        tokens: Of both together.
        length: Characters of the answer.
        cost: In the account's currency, where the provider bills row by row.
        custom_id: A part of the id; with ``*`` or ``?`` a pattern for the whole of it.
        text: A text looked for in the ``custom_id``, the request and the result line
            (case-insensitive); after ``re:`` it is a regular expression.
        texts: Further texts, each of which must be there.
        checks: Properties of the answer that ``tui.store.checking`` knows: ``json:bad``.
    """

    outcomes: frozenset[Outcome] = frozenset()
    error_group: int | None = None
    groups: frozenset[str] = frozenset()
    code: str = ""
    codes: frozenset[str] = frozenset()
    finish: frozenset[str] = frozenset()
    models: frozenset[str] = frozenset()
    attempt: Span = ANY
    input_tokens: Span = ANY
    output_tokens: Span = ANY
    tokens: Span = ANY
    length: Span = ANY
    cost: Span = ANY
    custom_id: str = ""
    text: str = ""
    texts: tuple[str, ...] = ()
    checks: frozenset[str] = frozenset()

    @property
    def is_empty(self) -> bool:
        """Does it let every row through?"""
        return self == ALL_ROWS

    @property
    def needles(self) -> tuple[str, ...]:
        """All texts that are looked for."""
        return tuple(text for text in (self.text, *self.texts) if text)

    @classmethod
    def errors_only(cls) -> RowFilter:
        """The rows that ended without an answer."""
        return cls(outcomes=UNANSWERED)


class RowSort(msgspec.Struct, frozen=True, kw_only=True):
    """The order of the rows; rows that are alike keep the order of the input."""

    column: SortColumn = "seq"
    descending: bool = False


class RowSelection(msgspec.Struct, frozen=True, kw_only=True):
    """The rows that a filter lets through, in order, as sequence numbers.

    ``seqs`` is a ``range`` or an ``array('q')``: eight bytes a row, at the most. ``total``
    is the number of rows in the job.
    """

    seqs: Sequence[int]
    total: int

    def __len__(self) -> int:
        return len(self.seqs)


ALL_ROWS = RowFilter()
"""Lets every row through."""

INPUT_ORDER = RowSort()
"""The order of ``requests.jsonl``."""
