"""The model of a virtual table: columns, row sources, page cache and marks."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Generic, Literal, Protocol, TypeVar

from tui.ui.text.tones import Parts

Cell = str | Parts
"""A cell: plain text, or parts with tones. Never markup."""

Cells = tuple[Cell, ...]
"""One cell for each column of the table, hidden ones included."""

Item = TypeVar("Item")

PAGE_ROWS = 100
"""Rows read from the source at a time."""

PAGES_KEPT = 24
"""Maximum number of cached pages: a few screens above and below the visible rows."""


@dataclass(frozen=True)
class Column:
    """A column of a table.

    ``width`` is in cells; a column with ``flex`` gets a share of the remaining width. When the
    table is too narrow, columns with the highest ``drop`` are hidden first; 0 is never hidden.
    A column with ``from_width`` is hidden in tables that are narrower, so that the flexible ones
    keep room for their text.
    """

    key: str
    label: str
    width: int
    flex: int = 0
    align: Literal["left", "right"] = "left"
    drop: int = 0
    sortable: bool = False
    from_width: int = 0


MIN_COLUMN_WIDTH, MAX_COLUMN_WIDTH = 3, 200
"""Minimum and maximum width of a column in cells."""


class TableSource(Protocol):
    """A source of table rows; every call must be fast, since it runs on the UI thread."""

    def row_count(self) -> int:
        """The number of rows."""
        ...

    def fetch(self, start: int, stop: int) -> Sequence[Cells]:
        """The cells of rows ``start`` to ``stop`` (exclusive)."""
        ...

    def row_id(self, index: int) -> Hashable:
        """An id that stays the same while rows are added, removed and sorted."""
        ...

    def index_of(self, row_id: Hashable) -> int | None:
        """The current index of a row; ``None`` if it is not shown."""
        ...


class ListSource(Generic[Item]):
    """A source whose rows are the items of a sequence.

    Args:
        items: The items, in order.
        cells: Returns the cells of an item.
        key: Returns the id of an item; without it, the item is its own id.
    """

    def __init__(
        self,
        items: Sequence[Item] = (),
        cells: Callable[[Item], Cells] = lambda item: (),
        key: Callable[[Item], Hashable] = lambda item: item,
    ) -> None:
        self.items = items
        self._cells = cells
        self._key = key

    def row_count(self) -> int:
        """The number of items."""
        return len(self.items)

    def fetch(self, start: int, stop: int) -> Sequence[Cells]:
        """The cells of a range of items."""
        return [self._cells(item) for item in self.items[start:stop]]

    def row_id(self, index: int) -> Hashable:
        """The id of an item."""
        return self._key(self.items[index])

    def index_of(self, row_id: Hashable) -> int | None:
        """The index of an item."""
        return self._indexes.get(row_id)

    @cached_property
    def _indexes(self) -> dict[Hashable, int]:
        return {self._key(item): index for index, item in enumerate(self.items)}


class EmptySource(ListSource[str]):
    """A source without rows."""


class PageCache:
    """A cache of the most recently used pages of a source."""

    def __init__(self, source: TableSource) -> None:
        self._source = source
        self._pages: OrderedDict[int, Sequence[Cells]] = OrderedDict()

    def row(self, index: int) -> Cells | None:
        """The cells of a row; ``None`` if the source returned fewer rows than it reported."""
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
        """Drop all pages, because the rows have changed."""
        self._pages.clear()


@dataclass
class Marks:
    """The marked rows: those in ``named``, or all others if ``inverted``."""

    inverted: bool = False
    named: set[Hashable] = field(default_factory=set)

    def __contains__(self, row_id: Hashable) -> bool:
        return (row_id in self.named) != self.inverted

    def toggle(self, row_id: Hashable) -> None:
        """Mark or unmark a row."""
        self.named.symmetric_difference_update((row_id,))

    def add(self, row_ids: Sequence[Hashable]) -> None:
        """Mark rows."""
        if self.inverted:
            self.named.difference_update(row_ids)
        else:
            self.named.update(row_ids)

    def invert(self) -> None:
        """Invert the marks."""
        self.inverted = not self.inverted

    def clear(self) -> None:
        """Remove all marks."""
        self.inverted = False
        self.named.clear()

    def count(self, total: int) -> int:
        """How many of ``total`` rows are marked."""
        return total - len(self.named) if self.inverted else len(self.named)


def fit_columns(columns: Sequence[Column], width: int, gap: int) -> list[tuple[int, Column, int]]:
    """Fit columns into ``width`` cells; returns index, column and width of each.

    Columns are hidden by their ``drop``; the remaining width goes to the flexible ones.
    """
    kept = [(index, column) for index, column in enumerate(columns) if column.from_width <= width]

    def needed() -> int:
        return sum(column.width + gap for _, column in kept) - gap if kept else 0

    while needed() > width and any(column.drop for _, column in kept):
        # The last one of those with the same value.
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
