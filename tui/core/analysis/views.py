"""Views: the filter, order and columns of a table of rows, kept under a name for all jobs."""

from __future__ import annotations

import re

import msgspec

from tui.core.analysis.columns import parse_column
from tui.core.query import INPUT_ORDER, RowSort, query_filter
from tui.core.text import quoted
from tui.errors import UsageError

MOST_VIEWS = 200
"""Views that are kept."""

ROW_NUMBER = "seq"
"""The position in the input, as a column of a view and in sort orders."""

_LONGEST_NAME = 60
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class View(msgspec.Struct, frozen=True, kw_only=True):
    """How rows are looked at.

    Attributes:
        where: The filter, in the query language; empty for all rows.
        sort: The columns that the rows are sorted by, the most important first, and whether each
            is descending; empty for the order of the input.
        columns: The names of the columns, in order, as in queries (``@label``), or ``seq`` for the
            row number; empty for those that are shown already.
        facet: The column whose values were counted last; may be empty.
        job: The id of the job that it was saved from; may be empty.
    """

    where: str = ""
    sort: tuple[tuple[str, bool], ...] = ()
    columns: tuple[str, ...] = ()
    facet: str = ""
    job: str = ""

    @property
    def order(self) -> RowSort:
        """The order of the rows."""
        if not self.sort:
            return INPUT_ORDER
        (column, descending), *more = self.sort
        return RowSort(column=column, descending=descending, more=tuple(more))

    @property
    def exported(self) -> tuple[str, ...]:
        """The columns that an export can write."""
        return tuple(name for name in self.columns if name != ROW_NUMBER)

    def check(self) -> None:
        """Check the filter and the columns that it is sorted by.

        Raises:
            UsageError: One of them is not valid.
        """
        query_filter(self.where)
        for column, _ in self.sort:
            if column != ROW_NUMBER:
                parse_column(column)


def sort_keys(order: RowSort) -> tuple[tuple[str, bool], ...]:
    """The ``sort`` of a view with this order."""
    return () if order == INPUT_ORDER else order.keys


def parse_sort(text: str) -> tuple[tuple[str, bool], ...]:
    """Read ``@score,-cost``: columns to sort by, with ``-`` before those that are descending."""
    keys = []
    for part in filter(None, map(str.strip, text.split(","))):
        keys.append((part.removeprefix("-"), part.startswith("-")))
    return tuple(keys)


def write_sort(keys: tuple[tuple[str, bool], ...]) -> str:
    """Write a sort order so that ``parse_sort`` reads it."""
    return ",".join(f"-{column}" if descending else column for column, descending in keys)


def check_name(name: str) -> str:
    """The name of a view, without space around it.

    Raises:
        UsageError: It is empty, too long, or has control characters.
    """
    name = name.strip()
    if not name or len(name) > _LONGEST_NAME or _UNPRINTABLE.search(name):
        raise UsageError(
            f"{quoted(name)} cannot be the name of a view",
            f"Use 1 to {_LONGEST_NAME} printable characters.",
        )
    return name
