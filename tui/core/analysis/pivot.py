"""Pivot tables: the rows of a job counted by the values of two columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

MOST_ROWS = 100
MOST_COLUMNS = 20
"""Values with a line or a column of their own; the rarer ones share one."""

OTHER = "other values"


class PivotCell(msgspec.Struct, frozen=True):
    """The rows of a job with two values; ``mean`` is that of their numbers, if one is wanted."""

    rows: int = 0
    mean: float | None = None


class PivotLine(msgspec.Struct, frozen=True):
    """A line or a column of a pivot table.

    Attributes:
        value: The value; ``None`` for rows without one.
        is_rest: It stands for all rarer values.
        total: Its cells together.
    """

    value: str | None
    total: PivotCell
    is_rest: bool = False


class Pivot(msgspec.Struct, frozen=True, kw_only=True):
    """The rows of a selection by the values of two columns.

    Attributes:
        down: The column whose values are the lines.
        across: The column whose values are the columns.
        value: The column whose numbers are averaged; empty to count rows.
        lines: The lines, the most frequent first; rarer values and missing ones come last.
        columns: The columns, in the same order.
        cells: ``cells[line][column]``.
        total: All cells together.
    """

    down: str
    across: str
    value: str = ""
    lines: tuple[PivotLine, ...]
    columns: tuple[PivotLine, ...]
    cells: tuple[tuple[PivotCell, ...], ...]
    total: PivotCell


class Sums:
    """Rows, and the sum of their numbers, of one cell."""

    __slots__ = ("numbers", "rows", "total")

    def __init__(self) -> None:
        self.rows = 0
        self.numbers = 0
        self.total = 0.0

    def add(self, rows: int, numbers: int = 0, total: float = 0.0) -> None:
        """Add rows, and as many numbers with this sum."""
        self.rows += rows
        self.numbers += numbers
        self.total += total

    def cell(self) -> PivotCell:
        """The cell that they make."""
        return PivotCell(self.rows, self.total / self.numbers if self.numbers else None)


Key = tuple[str | None, bool]
"""A value, and whether it stands for values that were not told apart."""


def make_pivot(down: str, across: str, value: str, sums: Mapping[tuple[Key, Key], Sums]) -> Pivot:
    """Arrange counted cells as a table.

    Args:
        down: Name of the column whose values are the lines.
        across: Name of the column whose values are the columns.
        value: Name of the column that is averaged, or empty.
        sums: What was counted for each pair of values.
    """
    lines = _order((pair[0], one.rows) for pair, one in sums.items())
    columns = _order((pair[1], one.rows) for pair, one in sums.items())
    place_down = _places(lines, MOST_ROWS)
    place_across = _places(columns, MOST_COLUMNS)
    cells: dict[tuple[Key, Key], Sums] = {}
    down_totals: dict[Key, Sums] = {}
    across_totals: dict[Key, Sums] = {}
    whole = Sums()
    for (first, second), one in sums.items():
        pair = (place_down[first], place_across[second])
        for into in (
            cells.setdefault(pair, Sums()),
            down_totals.setdefault(pair[0], Sums()),
            across_totals.setdefault(pair[1], Sums()),
            whole,
        ):
            into.add(one.rows, one.numbers, one.total)
    shown_down = list(dict.fromkeys(place_down[key] for key in lines))
    shown_across = list(dict.fromkeys(place_across[key] for key in columns))
    return Pivot(
        down=down,
        across=across,
        value=value,
        lines=tuple(PivotLine(k[0], down_totals[k].cell(), k[1]) for k in shown_down),
        columns=tuple(PivotLine(k[0], across_totals[k].cell(), k[1]) for k in shown_across),
        cells=tuple(
            tuple(cells.get((one, other), Sums()).cell() for other in shown_across)
            for one in shown_down
        ),
        total=whole.cell(),
    )


_REST: Key = (OTHER, True)


def _order(pairs: Iterable[tuple[Key, int]]) -> list[Key]:
    """The keys, the most frequent first; the rest and missing values last."""
    counts: Counter[Key] = Counter()
    for key, rows in pairs:
        counts[key] += rows
    return sorted(counts, key=lambda key: (key[0] is None, key[1], -counts[key], key[0] or ""))


def _places(ordered: list[Key], most: int) -> dict[Key, Key]:
    """The key under which each value is shown: its own, or that of the rest."""
    named = [key for key in ordered if key[0] is not None and not key[1]]
    own = set(named[:most])
    return {key: key if key in own or key[0] is None else _REST for key in ordered}
