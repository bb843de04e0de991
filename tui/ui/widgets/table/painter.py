"""Draws the lines of a table: cells truncated and padded to their columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tui.ui.widgets.table.model import Cell, Cells, Column

GAP = 2
"""Cells between two columns."""

GUTTER = 2
"""Cells before the first column, for the cursor and the mark."""

Layout = Sequence[tuple[int, Column, int]]
"""Index, column and width of the visible columns, from left to right."""

ToneStyle = Callable[[str], Style]
"""Returns the style that a tone adds to that of the line."""


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
    """Draw one row; without cells only the gutter."""
    bar = "▌" if cursor else " "
    if base.reverse:
        # With terminal colours the cursor is reversed; tones would break it up.
        tone, bar = (lambda name: Style.null()), " "
    accent = base + tone("accent")
    segments = [Segment(bar, accent), Segment("●" if marked else " ", accent)]
    if cells is not None:
        for position, (index, column, cells_wide) in enumerate(layout):
            if position:
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
    """Draw the header.

    Args:
        layout: The columns.
        width: The total width in cells.
        style: The style of the names.
        chosen_style: The style of the column that ``s`` would sort by.
        arrow: Returns the text after a name: an arrow for the sort column.
        chosen: The index of that column.
        hidden: The number of columns that do not fit.
    """
    segments = [Segment(" " * GUTTER, style)]
    for position, (index, column, cells) in enumerate(layout):
        if position:
            segments.append(Segment(" " * GAP, style))
        label = column.label + arrow(column)
        label = label.rjust(cells) if column.align == "right" else label.ljust(cells)
        name_style = chosen_style if index == chosen else style
        segments.append(Segment(set_cell_size(label, cells), name_style))
    strip = Strip(segments).adjust_cell_length(width, style)
    if not hidden:
        return strip
    suffix = Strip([Segment(f" +{hidden}", style)])
    return Strip.join([strip.crop(0, width - suffix.cell_length), suffix])


def column_at(layout: Layout, x: int) -> Column | None:
    """The column at an x coordinate."""
    left = GUTTER
    for _, column, cells in layout:
        if left <= x < left + cells + GAP:
            return column
        left += cells + GAP
    return None


def edge_at(layout: Layout, x: int) -> Column | None:
    """The column whose right edge (the gap after it) is at an x coordinate."""
    left = GUTTER
    for _, column, cells in layout:
        left += cells + GAP
        if left - GAP <= x < left:
            return column
    return None


def _paint_cell(
    cell: Cell, column: Column, width: int, base: Style, tone: ToneStyle
) -> list[Segment]:
    parts = ((cell, ""),) if isinstance(cell, str) else cell
    total = sum(cell_len(text) for text, _ in parts)
    padding = Segment(" " * max(0, width - total), base)
    segments: list[Segment] = []
    space = width
    for text, name in parts:
        style = base + tone(name) if name else base
        length = cell_len(text)
        # Reserve the last cell for the ellipsis if more follows.
        if length > space or (total > width and length == space):
            if space > 0:
                segments.append(Segment(set_cell_size(text, space - 1) + "…", style))
            break
        segments.append(Segment(text, style))
        space -= length
    return [padding, *segments] if column.align == "right" else [*segments, padding]
