"""The one door of text to the terminal: nothing that a terminal would obey passes it.

Widgets show control characters written out (``tui.core.text.visible``). Whatever a widget forgets
is stopped here, in every line of every widget, also in inputs, dialogs and toasts.
"""

from __future__ import annotations

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from tui.core.text import is_safe, without_unsafe


class TerminalDoor(LineFilter):
    """Replaces characters that a terminal would obey, without changing the width of the line."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Give the segments back, with unsafe characters replaced."""
        if all(is_safe(segment.text) for segment in segments):
            return segments
        return [
            segment
            if segment.control or is_safe(segment.text)
            else Segment(_cleaned(segment.text), segment.style)
            for segment in segments
        ]


def _cleaned(text: str) -> str:
    clean = without_unsafe(text)
    # The layout has counted the cells of the original.
    return clean + " " * (cell_len(text) - cell_len(clean))
