"""The commands of all tables: open, mark, sort and move."""

from __future__ import annotations

from tui.ui.command import Command, Scope

_T = Scope.TABLE

TABLE_COMMANDS: tuple[Command, ...] = (
    Command(
        "open",
        "Open",
        "enter",
        "Open the job, or the row, under the cursor.",
        (_T,),
        (_T,),
        action="open_row",
    ),
    Command(
        "mark",
        "Mark",
        "space",
        "Mark the row, or take its mark away.",
        (_T,),
        (_T,),
        action="toggle_mark",
    ),
    Command(
        "mark_range", "Mark range", "M", "Mark all rows from the last mark to the cursor.", (_T,)
    ),
    Command("mark_all", "Mark all", "A", "Mark all rows that are shown, or none.", (_T,)),
    Command(
        "invert_marks",
        "Invert marks",
        "I",
        "Mark what is not marked, and the other way round.",
        (_T,),
    ),
    Command(
        "sort", "Sort", "s", "Sort by the chosen column; again for the other way round.", (_T,)
    ),
    Command(
        "next_column",
        "Next column",
        "right,l",
        "Choose the next column to sort by.",
        (_T,),
        action="column(1)",
        in_palette=False,
    ),
    Command(
        "previous_column",
        "Previous column",
        "left,h",
        "Choose the previous column to sort by.",
        (_T,),
        action="column(-1)",
        in_palette=False,
    ),
    Command(
        "down", "Down", "down,j", "One row down.", (_T,), action="cursor_down", in_palette=False
    ),
    Command("up", "Up", "up,k", "One row up.", (_T,), action="cursor_up", in_palette=False),
    Command(
        "page_down",
        "Page down",
        "pagedown,ctrl+f",
        "One page down.",
        (_T,),
        action="page(1)",
        in_palette=False,
    ),
    Command(
        "page_up",
        "Page up",
        "pageup,ctrl+b",
        "One page up.",
        (_T,),
        action="page(-1)",
        in_palette=False,
    ),
    Command(
        "half_down",
        "Half a page down",
        "ctrl+d",
        "Half a page down.",
        (_T,),
        action="page(0.5)",
        in_palette=False,
    ),
    Command(
        "half_up",
        "Half a page up",
        "ctrl+u",
        "Half a page up.",
        (_T,),
        action="page(-0.5)",
        in_palette=False,
    ),
    Command(
        "top",
        "First row",
        "home,g",
        "To the first row.",
        (_T,),
        action="cursor_top",
        in_palette=False,
    ),
    Command(
        "bottom",
        "Last row",
        "end,G",
        "To the last row.",
        (_T,),
        action="cursor_bottom",
        in_palette=False,
    ),
)
"""In the order of footer and help."""
