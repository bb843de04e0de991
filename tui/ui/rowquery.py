"""Which rows are looked at, and in which order: what the keys of the Results pane change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import cast

import msgspec

from tui.core.filtering import RowFilter, RowSort, SortColumn
from tui.core.outcome import UNANSWERED
from tui.core.querying import Query, Term, read_query, term_of, written
from tui.core.text import one_line

_ERRORS = "unanswered"

_SAID_BY_GROUP = frozenset({"group", "outcome", "code", "status", "error"})

_read = lru_cache(maxsize=64)(read_query)


@dataclass(frozen=True)
class RowQuery:
    """The conditions that are on, as words of the filter language; every method gives another.

    Everything that a key or a click changes is in ``where``, so that what is on the screen can
    be edited, kept by a name, and given to a script.
    """

    where: str = ""
    sort: RowSort = field(default_factory=RowSort)

    @property
    def query(self) -> Query:
        """The words, read."""
        return _read(self.where)

    @property
    def terms(self) -> tuple[Term, ...]:
        """The conditions."""
        return self.query.terms

    @property
    def rows(self) -> RowFilter:
        """The filter for the store."""
        return self.query.rows

    @property
    def names_its_rows(self) -> bool:
        """Does it say which rows are meant, whether they have an answer or not?"""
        rows = self.rows
        return bool(rows.outcomes or rows.groups or rows.checks)

    @property
    def unanswered(self) -> RowFilter:
        """Those of the rows that a retry is about."""
        if self.names_its_rows:
            return self.rows
        return msgspec.structs.replace(self.rows, outcomes=UNANSWERED)

    @property
    def is_filtered(self) -> bool:
        """Is any row left out?"""
        return not self.rows.is_empty

    @property
    def is_plain(self) -> bool:
        """Are all rows shown, in the order of the input?"""
        return not self.is_filtered and self.sort == RowSort()

    @property
    def errors_only(self) -> bool:
        """Is ``e`` on?"""
        return any(_is_errors(term) for term in self.terms)

    @property
    def group(self) -> str:
        """The key of the group of errors that is shown alone; empty for none."""
        return next((term.value for term in self.terms if term.key == "group"), "")

    def asking(self, where: str) -> RowQuery:
        """Other words, in the same order of rows."""
        return replace(self, where=where.strip())

    def unfiltered(self) -> RowQuery:
        """All rows, in the same order."""
        return RowQuery(sort=self.sort)

    def without(self, index: int) -> RowQuery:
        """One condition less."""
        return self._of([term for place, term in enumerate(self.terms) if place != index])

    def toggled_errors(self) -> RowQuery:
        """Errors only, or all again."""
        others = [term for term in self.terms if term.key != "outcome"]
        return self._of(others if self.errors_only else [term_of("outcome", _ERRORS), *others])

    def toggled_group(self, key: str) -> RowQuery:
        """Only one group of errors, or all again if it is that one already.

        Other words about outcomes and codes give way: the group says it more exactly.
        """
        others = [term for term in self.terms if term.key not in _SAID_BY_GROUP]
        return self._of(others if key == self.group else [term_of("group", key), *others])

    def sorted_by(self, column: str) -> RowQuery:
        """Sorted by a column, or the other way round if it is that one already."""
        down = column == self.sort.column and not self.sort.descending
        return replace(self, sort=RowSort(column=cast(SortColumn, column), descending=down))

    def labels(self, group_words: Callable[[str], str]) -> list[str]:
        """Each condition in a few words, for people.

        Args:
            group_words: Tells what a group's key stands for.
        """
        return [_label(term, group_words) for term in self.terms]

    def _of(self, terms: list[Term]) -> RowQuery:
        return replace(self, where=written(terms))


def _is_errors(term: Term) -> bool:
    return term.key == "outcome" and term.value == _ERRORS


def _label(term: Term, group_words: Callable[[str], str]) -> str:
    if _is_errors(term):
        return "errors only"
    if term.key == "group":
        return f"error {group_words(term.value)}"
    if not term.key:
        return f"contains {one_line(term.value, 40)!r}"
    return one_line(term.written, 40)
