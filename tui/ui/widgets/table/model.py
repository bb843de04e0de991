"""What a virtual table shows: columns, where rows come from, pages of them, and marks."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from tui.ui.tones import Parts

Cell = str | Parts
"""A cell: plain text, or parts with tones. Never markup."""

Cells = tuple[Cell, ...]
"""One cell for each column of the table, hidden ones included."""

PAGE_ROWS = 100
"""Rows read from the source at a time."""

PAGES_KEPT = 24
"""Pages held at a time: some screens above and below, whatever the number of rows."""


@dataclass(frozen=True)
class Column:
    """A column of a table.

    ``width`` is in cells; a column with a ``flex`` gets a share of what is left above it.
    Where room is short, the columns with the highest ``drop`` go first; 0 never goes.
    """

    key: str
    label: str
    width: int
    flex: int = 0
    align: Literal["left", "right"] = "left"
    drop: int = 0
    sortable: bool = False


NARROWEST, WIDEST = 3, 200
"""Cells to which a column can be resized."""


class TableSource(Protocol):
    """Where a table gets its rows from; every call must be quick, it is made on the UI thread."""

    def row_count(self) -> int:
        """How many rows there are."""
        ...

    def fetch(self, start: int, stop: int) -> Sequence[Cells]:
        """The cells of rows ``start`` to ``stop`` (exclusive)."""
        ...

    def row_id(self, index: int) -> Hashable:
        """What stays the same about a row while rows come, go and are sorted."""
        ...

    def index_of(self, row_id: Hashable) -> int | None:
        """Where a row stands now; ``None`` when it is not shown."""
        ...


class EmptySource:
    """A source without rows."""

    def row_count(self) -> int:
        """Nothing."""
        return 0

    def fetch(self, start: int, stop: int) -> Sequence[Cells]:
        """Nothing."""
        return ()

    def row_id(self, index: int) -> Hashable:
        """Never asked for a row that is not there."""
        raise IndexError(index)

    def index_of(self, row_id: Hashable) -> int | None:
        """Nowhere."""
        return None


class PageCache:
    """The pages of a source that were looked at last."""

    def __init__(self, source: TableSource) -> None:
        self._source = source
        self._pages: OrderedDict[int, Sequence[Cells]] = OrderedDict()

    def row(self, index: int) -> Cells | None:
        """The cells of one row; ``None`` if the source has fewer than it said."""
        number, within = divmod(index, PAGE_ROWS)
        page = self._pages.get(number)
        if page is None:
            start = number * PAGE_ROWS
            stop = min(start + PAGE_ROWS, self._source.row_count())
            page = self._pages[number] = self._source.fetch(start, stop)
            if len(self._pages) > PAGES_KEPT:
                self._pages.popitem(last=False)
        else:
            self._pages.move_to_end(number)
        return page[within] if within < len(page) else None

    def clear(self) -> None:
        """Forget all pages: the rows have other contents now."""
        self._pages.clear()


@dataclass
class Marks:
    """Which rows are marked: named ones, or all but named ones (one bit for a million rows)."""

    inverted: bool = False
    named: set[Hashable] = field(default_factory=set)

    def __contains__(self, row_id: Hashable) -> bool:
        return (row_id in self.named) != self.inverted

    def toggle(self, row_id: Hashable) -> None:
        """Mark a row, or take its mark away."""
        self.named.symmetric_difference_update((row_id,))

    def add(self, row_ids: Sequence[Hashable]) -> None:
        """Mark rows."""
        if self.inverted:
            self.named.difference_update(row_ids)
        else:
            self.named.update(row_ids)

    def invert(self) -> None:
        """Mark what is not marked, and the other way round."""
        self.inverted = not self.inverted

    def clear(self) -> None:
        """Take all marks away."""
        self.inverted = False
        self.named.clear()

    def count(self, total: int) -> int:
        """How many of ``total`` rows are marked."""
        return total - len(self.named) if self.inverted else len(self.named)


def lay_out(columns: Sequence[Column], width: int, gap: int) -> list[tuple[int, Column, int]]:
    """The columns that fit into ``width`` cells: index, column, width of each.

    Columns are dropped by their ``drop``; what is left over goes to the flexible ones.
    """
    kept = list(enumerate(columns))

    def needed() -> int:
        return sum(column.width + gap for _, column in kept) - gap if kept else 0

    while needed() > width and any(column.drop for _, column in kept):
        # Among equals the last one.
        worst = max(reversed(kept), key=lambda entry: entry[1].drop)
        kept.remove(worst)
    spare = width - needed()
    flexible = sum(column.flex for _, column in kept)
    laid: list[tuple[int, Column, int]] = []
    for index, column in kept:
        cells = column.width
        if column.flex and flexible:
            extra = spare * column.flex // flexible
            spare -= extra
            flexible -= column.flex
            cells = max(1, cells + extra)
        laid.append((index, column, cells))
    return laid
