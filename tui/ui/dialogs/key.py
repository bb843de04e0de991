"""Asking for a key: typed unseen, used for this session or kept in the keyring."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Button, Input, Static

from tui.core.text import visible
from tui.ui.dialogs.dialog import Dialog
from tui.ui.tones import Part, content


@dataclass(frozen=True)
class KeyAnswer:
    """A key that was typed; its ``repr`` does not show it."""

    value: str = field(repr=False)
    keep: bool


class KeyDialog(Dialog[KeyAnswer]):
    """What is wrong, a masked line, and where the key is to live.

    Args:
        account: The account's name.
        trouble: Why it is asked, one sentence.
        hint: The other ways to give the key.
    """

    TITLE_TEXT = "A key is needed"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+k", "keep", "Keep in the keyring", priority=True),
    ]

    def __init__(self, account: str, trouble: str, hint: str) -> None:
        super().__init__()
        self._account = account
        self._trouble = trouble
        self._hint = hint

    def compose_inside(self) -> ComposeResult:
        """Words, the line, buttons."""
        parts: list[Part] = [
            (visible(self._trouble) + "\n", ""),
            (visible(self._hint) + "\n\n", "muted"),
            (f"Key of account {visible(self._account)}, sent to its own host alone:", ""),
        ]
        yield Static(content(parts), classes="dialog-text", markup=False)
        yield Input(password=True, placeholder="paste or type it", id="key", compact=True)
        yield Static("", classes="dialog-text", markup=False)
        with Horizontal(classes="dialog-buttons"):
            yield Button("Cancel  esc", id="no", compact=True)
            yield Button("Keep in keyring  ^k", id="keep", compact=True)
            yield Button("Use now  enter", id="use", variant="primary", compact=True)

    def on_mount(self) -> None:
        """Ready to be typed into."""
        self.query_one("#key", Input).focus()

    def action_keep(self) -> None:
        """Use it, and put it into the keyring."""
        self._answer(keep=True)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._answer(keep=False)

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        event.stop()
        if event.button.id == "no":
            self.dismiss(None)
        else:
            self._answer(keep=event.button.id == "keep")

    def _answer(self, *, keep: bool) -> None:
        value = self.query_one("#key", Input).value.strip()
        if value:
            self.dismiss(KeyAnswer(value, keep))
