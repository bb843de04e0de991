"""One line of text to be typed: tags, a note, a setting."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.widgets import Button, Input, Static

from tui.core.text import visible
from tui.ui.dialogs.dialog import Dialog
from tui.ui.tones import content


class AskDialog(Dialog[str]):
    """A title, a sentence and a line with what there is now; enter keeps what is typed.

    Args:
        title: What is asked for.
        hint: What may be typed, and what an empty line means.
        value: What there is now.
        verb: What the button says.
    """

    BINDINGS: ClassVar[list[BindingType]] = []

    def __init__(self, title: str, hint: str, value: str = "", verb: str = "Keep") -> None:
        super().__init__()
        self.TITLE_TEXT = title
        self._hint = hint
        self._value = value
        self._verb = verb

    def compose_inside(self) -> ComposeResult:
        """Sentence, line, buttons."""
        yield Static(content([(visible(self._hint, newlines=True), "muted")]), markup=False)
        yield Static("", markup=False)
        yield Input(self._value, id="ask", compact=True, select_on_focus=False)
        yield Static("", classes="dialog-text", markup=False)
        with Horizontal(classes="dialog-buttons"):
            yield Button("Cancel  esc", id="no", compact=True)
            yield Button(f"{self._verb}  enter", id="yes", variant="primary", compact=True)

    def on_mount(self) -> None:
        """Ready to be typed into."""
        self.query_one("#ask", Input).focus()

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.dismiss(event.value.strip())

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        event.stop()
        self.dismiss(
            self.query_one("#ask", Input).value.strip() if event.button.id == "yes" else None
        )
