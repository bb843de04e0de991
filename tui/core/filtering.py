"""Which rows to show, and in which order: built by the screen, carried out by the store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from tui.core.outcome import UNANSWERED, Outcome

SortColumn = Literal[
    "seq", "custom_id", "outcome", "code", "attempt", "input_tokens", "output_tokens", "cost"
]


class RowFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Conditions that a row must all meet; an unset one lets every row through.

    ``outcomes`` is a set of any size, ``error_group`` the id of a group of this job, ``code``
    a provider's error code or an HTTP status in digits, ``text`` a literal looked for in the
    ``custom_id``, the request and the result line (case-insensitive).
    """

    outcomes: frozenset[Outcome] = frozenset()
    error_group: int | None = None
    code: str = ""
    text: str = ""

    @property
    def is_empty(self) -> bool:
        """Does it let every row through?"""
        return self == RowFilter()

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
