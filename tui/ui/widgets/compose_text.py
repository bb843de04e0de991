"""Text areas of Compose: prompts, and JSON with its colours."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from rich.style import Style
from rich.text import Text
from textual import events
from textual.color import Color
from textual.content import Content
from textual.message import Message
from textual.widgets import TextArea

from tui.core.text import visible

PASTE_CAP = 200_000
"""Characters of one text that can be edited here; a TextArea with more holds up every key."""

_STAND_IN = "\ufffd"
_TOKEN = re.compile(
    r'(?P<name>"(?:[^"\\]|\\.)*"(?=\s*:))|(?P<text>"(?:[^"\\]|\\.)*"?)'
    r"|(?P<number>-?\d[\d.eE+-]*)|(?P<word>true|false|null)"
)
_COLOURS = {"name": "primary", "text": "success", "number": "warning", "word": "accent"}


def _shown(character: str) -> str:
    """One cell for a character that acts on a terminal, so that columns stay where they are."""
    if character.isprintable() or character == "\t":
        return character
    code = ord(character)
    return chr(0x2400 + code) if code < 0x20 else _STAND_IN


class PlainArea(TextArea):
    """A text of several lines; tab leaves it, and what acts on a terminal is only drawn."""

    DEFAULT_CSS = """
    PlainArea { padding: 0 1; height: 3; scrollbar-size-vertical: 1; }
    """

    class TooLong(Message):
        """Posted when a paste was cut."""

    def __init__(self, text: str = "", **more: Any) -> None:
        super().__init__(
            text[:PASTE_CAP],
            soft_wrap=True,
            compact=True,
            tab_behavior="focus",
            highlight_cursor_line=False,
            **more,
        )

    def get_line(self, line_index: int) -> Text:
        """A line as it is drawn."""
        text = self.document.get_line(line_index)
        if visible(text) != text:
            text = "".join(c if visible(c) == c else _shown(c) for c in text)
        return Text(text, end="", no_wrap=True)

    async def _on_paste(self, event: events.Paste) -> None:
        room = max(0, PASTE_CAP - len(self.text) + len(self.selected_text))
        if len(event.text) > room:
            event.stop()
            event.prevent_default()
            self.replace(event.text[:room], *self.selection)
            self.post_message(self.TooLong())


class JsonArea(PlainArea):
    """JSON while it is written: the colours come line by line, as no string crosses a line."""

    COLOURED: ClassVar[int] = 4_000
    """Characters of one line that are coloured."""

    def get_line(self, line_index: int) -> Text:
        """A line with the colours of its names and values."""
        line = super().get_line(line_index)
        variables = self.app.theme_variables
        for found in _TOKEN.finditer(line.plain[: self.COLOURED]):
            colour = variables.get(_COLOURS[found.lastgroup or "text"])
            if colour:
                line.stylize(_style(colour), found.start(), found.end())
        return line


def _style(colour: str) -> Style:
    return Style.from_color(Color.parse(colour).rich_color)


def too_long_note() -> Content:
    """What is said when a paste was cut."""
    return Content(f"Cut at {PASTE_CAP:,} characters: keep longer texts in a file")
