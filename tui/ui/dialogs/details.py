"""Everything about a job as text: to read, and to post where help is asked for."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Static

from tui.ui.dialogs.dialog import Dialog
from tui.ui.messages import ExternalRequested
from tui.ui.signals import CopyRequested
from tui.ui.tones import Part, content


class DetailsDialog(Dialog[None]):
    """A long text; ``y`` copies all of it, ``v`` shows it in the pager.

    Args:
        title: Whose text it is.
        text: Safe to show.
    """

    DEFAULT_CSS = """
    DetailsDialog > .dialog { width: 100; height: 92%; padding: 0 1; }
    DetailsDialog VerticalScroll { height: 1fr; margin: 1 0; }
    DetailsDialog .dialog-keys { height: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,i", "leave", show=False),
        Binding("y", "copy", show=False),
        Binding("v", "pager", show=False),
        Binding("j", "scroll(1)", show=False),
        Binding("k", "scroll(-1)", show=False),
    ]

    def __init__(self, title: str, text: str) -> None:
        super().__init__()
        self.TITLE_TEXT = title
        self._text = text

    def compose_inside(self) -> ComposeResult:
        """The text, and the keys."""
        with VerticalScroll(can_focus=True):
            yield Static(content([(self._text, "")]), markup=False)
        keys: list[Part] = [("y", "accent"), (" copies all of it   ", "muted")]
        keys += [("v", "accent"), (" pager   ", "muted"), ("esc", "accent"), (" leaves", "muted")]
        yield Static(content(keys), classes="dialog-keys")

    def action_copy(self) -> None:
        """Copy the text."""
        self.post_message(CopyRequested(self._text, "the details"))

    def action_pager(self) -> None:
        """Show the text in the pager."""
        self.post_message(ExternalRequested("pager", self._text))

    def action_scroll(self, step: int) -> None:
        """Scroll by a few lines."""
        self.query_one(VerticalScroll).scroll_relative(y=3 * step, animate=False)
