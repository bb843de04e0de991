"""Things to switch on and off, drawn as the rest of the program draws them."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Checkbox, RadioButton

_ON, _OFF = "●", "○"


class Switch(Checkbox):
    """A word with a dot before it: full when it is on."""

    BUTTON_LEFT = BUTTON_RIGHT = ""
    DEFAULT_CSS = """
    Switch { width: 1fr; height: 1; border: none; padding: 0; }
    """

    def render(self) -> Content:
        """Dot and word."""
        self.BUTTON_INNER = _ON if self.value else _OFF
        return super().render()


class Option(RadioButton):
    """One of several, of which one is chosen."""

    BUTTON_LEFT = BUTTON_RIGHT = ""

    def render(self) -> Content:
        """Dot and word."""
        self.BUTTON_INNER = _ON if self.value else _OFF
        return super().render()
