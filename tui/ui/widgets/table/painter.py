"""Drawing the lines of a table: parts in columns, cut and padded to the cell."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tui.ui.widgets.table_model import Cell, Cells, Column

GAP = 2
"""Cells between two columns."""

GUTTER = 2
"""Cells before the first column: the cursor's bar and the mark."""

Layout = Sequence[tuple[int, Column, int]]
"""Index, column and width of the columns that are drawn, from left to right."""

ToneStyle = Callable[[str], Style]
"""What a tone adds to the style of a line."""


def paint_row(
    cells: Cells | None,
    layout: Layout,
    width: int,
    base: Style,
    tone: ToneStyle,
    *,
    cursor: bool,
    marked: bool,
) -> Strip:
    """One row; without cells only its gutter is drawn."""
    bar = "▌" if cursor else " "
    if base.reverse:
        # The cursor of terminal colours: tones would make a patchwork of it.
        tone, bar = _without_tones, " "
    accent = base + tone("accent")
    segments = [Segment(bar, accent), Segment("●" if marked else " ", accent)]
    if cells is not None:
        for place, (index, column, cells_wide) in enumerate(layout):
            if place:
                segments.append(Segment(" " * GAP, base))
            segments.extend(_paint_cell(cells[index], column, cells_wide, base, tone))
    return Strip(segments).adjust_cell_length(width, base)


def paint_header(
    layout: Layout,
    width: int,
    style: Style,
    chosen_style: Style,
    *,
    arrow: Callable[[Column], str],
    chosen: int | None,
    hidden: int = 0,
) -> Strip:
    """The line of column names.

    Args:
        layout: The columns.
        width: Cells in all.
        style: How names look.
        chosen_style: How the name looks that ``s`` would sort by.
        arrow: What follows the name of the sort column.
        chosen: The index of that column.
        hidden: How many columns there was no room for.
    """
    segments = [Segment(" " * GUTTER, style)]
    for place, (index, column, cells) in enumerate(layout):
        if place:
            segments.append(Segment(" " * GAP, style))
        label = column.label + arrow(column)
        label = label.rjust(cells) if column.align == "right" else label.ljust(cells)
        look = chosen_style if index == chosen else style
        segments.append(Segment(set_cell_size(label, cells), look))
    strip = Strip(segments).adjust_cell_length(width, style)
    if not hidden:
        return strip
    told = Strip([Segment(f" +{hidden}", style)])
    return Strip.join([strip.crop(0, width - told.cell_length), told])


def column_at(layout: Layout, x: int) -> Column | None:
    """The column that a cell of the screen belongs to."""
    left = GUTTER
    for _, column, cells in layout:
        if left <= x < left + cells + GAP:
            return column
        left += cells + GAP
    return None


def edge_at(layout: Layout, x: int) -> Column | None:
    """The column whose right edge is at a cell of the screen: the gap behind it."""
    left = GUTTER
    for _, column, cells in layout:
        left += cells + GAP
        if left - GAP <= x < left:
            return column
    return None


def _without_tones(name: str) -> Style:
    return Style.null()


def _paint_cell(
    cell: Cell, column: Column, width: int, base: Style, tone: ToneStyle
) -> list[Segment]:
    parts = ((cell, ""),) if isinstance(cell, str) else cell
    total = sum(cell_len(text) for text, _ in parts)
    padding = Segment(" " * max(0, width - total), base)
    segments: list[Segment] = []
    room = width
    for text, name in parts:
        style = base + tone(name) if name else base
        length = cell_len(text)
        # The last cell is kept for the ellipsis when more follows.
        if length > room or (total > width and length == room):
            if room > 0:
                segments.append(Segment(set_cell_size(text, room - 1) + "…", style))
            break
        segments.append(Segment(text, style))
        room -= length
    return [padding, *segments] if column.align == "right" else [*segments, padding]
