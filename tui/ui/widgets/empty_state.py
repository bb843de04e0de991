"""What stands where there is nothing yet: a sentence, and the keys that change that."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Container
from textual.widgets import Static

from tui.ui.tones import Part, content


class EmptyState(Container):
    """A heading and a few keys, in the middle of a pane.

    Args:
        heading: What there is not.
        keys: Key and what it does.
    """

    DEFAULT_CSS = """
    EmptyState { align: center middle; height: 1fr; }
    EmptyState Static { width: auto; height: auto; }
    """

    def __init__(self, heading: str, keys: Sequence[tuple[str, str]]) -> None:
        super().__init__(classes="empty-state")
        parts: list[Part] = [(heading, "strong"), ("\n", "")]
        for key, what in keys:
            parts += [(f"\n{key:<7}", "accent"), (what, "muted")]
        self._text = content(parts)

    def compose(self) -> ComposeResult:
        """The words."""
        yield Static(self._text)
