"""The question before a job is deleted: here alone, or at the provider as well."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.events import Click
from textual.widgets import Button, Static

from tui.ui.dialogs.dialog import Dialog
from tui.ui.tones import Part, content


class DeleteDialog(Dialog[bool | None]):
    """Facts of a job; the answer is whether the provider is asked too, ``None`` for "no".

    Args:
        facts: Name and value, a line each.
        there: What can be deleted at the provider, as in "its files at OpenAI"; may be empty.
        why_not: Why nothing can, where nothing can.
    """

    TITLE_TEXT = "Delete from the history?"
    DEFAULT_CSS = "DeleteDialog #delete-there { height: auto; margin-bottom: 1; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "confirm", "Yes"),
        Binding("n", "leave", "No"),
        Binding("p", "there", show=False),
        Binding("left,right,up,down,h,l", "other_button", show=False),
    ]

    def __init__(self, facts: Sequence[tuple[str, str]], there: str, why_not: str = "") -> None:
        super().__init__()
        self._facts = facts
        self._there = there
        self._why_not = why_not
        self._also = False

    def compose_inside(self) -> ComposeResult:
        """Facts, what is lost, the choice, buttons."""
        width = max(len(name) for name, _ in self._facts) + 2
        parts: list[Part] = []
        for name, value in self._facts:
            parts += [(f"{name:<{width}}", "muted"), (value + "\n", "")]
        parts.append(("\nIts requests and answers on this machine are lost.", "muted"))
        yield Static(content(parts), classes="dialog-text", markup=False)
        yield Static("", id="delete-there", markup=False)
        with Horizontal(classes="dialog-buttons"):
            yield Button("Cancel  esc", id="no", compact=True)
            yield Button("Delete  y", id="yes", variant="error", compact=True)

    def on_mount(self) -> None:
        """The harmless answer has the focus."""
        self._draw()
        self.query_one("#no", Button).focus()

    def _draw(self) -> None:
        line = self.query_one("#delete-there", Static)
        if not self._there:
            line.update(content([(self._why_not, "muted")]))
            return
        mark = "●" if self._also else "○"
        line.update(content([("p  ", "accent"), (f"{mark} also {self._there}", "")]))

    def action_there(self) -> None:
        """Ask the provider too, or not."""
        if self._there:
            self._also = not self._also
            self._draw()

    def action_other_button(self) -> None:
        """To the other button."""
        self.focus_next(Button)

    def action_confirm(self) -> None:
        """Delete."""
        self.dismiss(self._also)

    @on(Click, "#delete-there")
    def _choice_clicked(self) -> None:
        self.action_there()

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        event.stop()
        self.dismiss(self._also if event.button.id == "yes" else None)
