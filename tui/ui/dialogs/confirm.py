"""The question before money is spent or something is lost: Cancel has the focus."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Button, Static

from tui.ui.dialogs.dialog import Dialog
from tui.ui.tones import Part, content


class ConfirmDialog(Dialog[bool]):
    """Facts, and two answers: ``y`` does it, enter and escape do not.

    Args:
        title: The question.
        facts: Name and value of what it is about, a line each.
        verb: What the confirming button says.
        note: A sentence below the facts.
        dangerous: Is something lost?
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "confirm", "Yes"),
        Binding("n", "leave", "No"),
        Binding("left,right,up,down,h,l", "other_button", show=False),
    ]

    def __init__(
        self,
        title: str,
        facts: Sequence[tuple[str, str]],
        verb: str,
        note: str = "",
        *,
        dangerous: bool = False,
    ) -> None:
        super().__init__()
        self.TITLE_TEXT = title
        self._facts = facts
        self._verb = verb
        self._note = note
        self._dangerous = dangerous

    def compose_inside(self) -> ComposeResult:
        """Facts, note, buttons."""
        width = max((len(name) for name, _ in self._facts), default=0) + 2
        parts: list[Part] = []
        for name, value in self._facts:
            parts += [(f"{name:<{width}}", "muted"), (value + "\n", "")]
        if self._note:
            parts += [("\n" if self._facts else "", ""), (self._note, "muted")]
        text = content(parts).rstrip()
        yield Static(text, classes="dialog-text", markup=False)
        with Horizontal(classes="dialog-buttons"):
            yield Button("Cancel  esc", id="no", compact=True)
            yield Button(
                f"{self._verb}  y",
                id="yes",
                variant="error" if self._dangerous else "primary",
                compact=True,
            )

    def on_mount(self) -> None:
        """The harmless answer has the focus."""
        self.query_one("#no", Button).focus()

    def action_other_button(self) -> None:
        """To the other button."""
        self.focus_next(Button)

    def action_confirm(self) -> None:
        """Yes."""
        self.dismiss(True)

    def action_leave(self) -> None:
        """No."""
        self.dismiss(False)

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        event.stop()
        self.dismiss(event.button.id == "yes")
