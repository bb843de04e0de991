"""Which rows are looked at, and in which order: what the keys of the Results pane change."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import cast

import msgspec

from tui.core.filtering import RowFilter, RowSort, SortColumn
from tui.core.outcome import UNANSWERED


@dataclass(frozen=True)
class RowQuery:
    """The conditions that are on; every method gives another query."""

    errors_only: bool = False
    group: int | None = None
    text: str = ""
    sort: RowSort = field(default_factory=RowSort)

    @property
    def rows(self) -> RowFilter:
        """The filter for the store."""
        return RowFilter(
            outcomes=UNANSWERED if self.errors_only else frozenset(),
            error_group=self.group,
            text=self.text,
        )

    @property
    def unanswered(self) -> RowFilter:
        """Those of the rows that a retry is about."""
        rows = self.rows
        return msgspec.structs.replace(rows, outcomes=rows.outcomes or UNANSWERED)

    @property
    def is_filtered(self) -> bool:
        """Is any row left out?"""
        return not self.rows.is_empty

    @property
    def is_plain(self) -> bool:
        """Are all rows shown, in the order of the input?"""
        return not self.is_filtered and self.sort == RowSort()

    def unfiltered(self) -> RowQuery:
        """All rows, in the same order."""
        return RowQuery(sort=self.sort)

    def toggled_errors(self) -> RowQuery:
        """Errors only, or all again."""
        return replace(self, errors_only=not self.errors_only)

    def toggled_group(self, group: int | None) -> RowQuery:
        """Only one group of errors, or all again if it is that one already."""
        return replace(self, group=None if group == self.group else group)

    def containing(self, text: str) -> RowQuery:
        """Only rows with a text in them."""
        return replace(self, text=text)

    def sorted_by(self, column: str) -> RowQuery:
        """Sorted by a column, or the other way round if it is that one already."""
        down = column == self.sort.column and not self.sort.descending
        return replace(self, sort=RowSort(column=cast(SortColumn, column), descending=down))
