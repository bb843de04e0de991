"""A short text that scrolls, shown whole."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static


class TextPage(VerticalScroll):
    """Content under a title; for texts of unknown length there is ``Page``."""

    DEFAULT_CSS = """
    TextPage { height: 1fr; width: 1fr; padding: 0 1; }
    TextPage Static { width: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        ("j", "scroll_down"),
        ("k", "scroll_up"),
        ("ctrl+d", "page_down"),
        ("ctrl+u", "page_up"),
        ("G", "scroll_end"),
        ("g", "scroll_home"),
    ]

    def __init__(self, title: str, id: str) -> None:
        super().__init__(id=id)
        self.border_title = title
        self._body = Static("", markup=False)

    def compose(self) -> ComposeResult:
        """The text."""
        yield self._body

    def show_content(self, shown: Content) -> None:
        """Show another text, from its top."""
        self._body.update(shown)
        self.scroll_home(animate=False)
