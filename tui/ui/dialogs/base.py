"""The base classes of all dialogs: a titled box in the middle of the screen, and a form in it."""

from __future__ import annotations

from typing import ClassVar, TypeVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Static

from tui.ui.commands.dispatch import ShowsWorkerErrors
from tui.ui.text.tones import Tone, content

Answer = TypeVar("Answer")


class Dialog(ShowsWorkerErrors, ModalScreen[Answer]):
    """A modal box; ``escape`` closes it without a result.

    A button runs the action that its id names; ``no`` leaves and ``yes`` confirms.

    Args:
        title: The title of the box, without control characters.
    """

    DEFAULT_CSS = """
    Dialog { align: center middle; }
    Dialog > .dialog {
        width: 64; max-width: 96%; height: auto; max-height: 96%; padding: 1 2 0 2;
    }
    Dialog .dialog-text { height: auto; width: 1fr; margin-bottom: 1; }
    Dialog .dialog-keys { height: 1; margin: 1 0; }
    Dialog .dialog-buttons { height: 1; width: 1fr; margin-bottom: 1; align-horizontal: right; }
    Dialog .dialog-buttons Button { margin-left: 2; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        ("escape", "leave"),
        Binding("f1", "app.help", show=False),
    ]

    def __init__(self, title: str) -> None:
        super().__init__()
        self._title = title

    def compose(self) -> ComposeResult:
        """The box around the content."""
        box = Vertical(classes="dialog")
        # Content rather than text: a title may contain a name, and text is parsed as markup.
        box.border_title = content([(self._title, "")])
        with box:
            yield from self.compose_content()

    def compose_content(self) -> ComposeResult:
        """The content of the box."""
        yield from ()

    def buttons(
        self, confirm: str, *others: Button, cancel: str = "Cancel  esc", dangerous: bool = False
    ) -> ComposeResult:
        """The line of buttons: one that leaves, any others, and one that confirms."""
        with Horizontal(classes="dialog-buttons"):
            yield Button(cancel, id="no", compact=True)
            yield from others
            yield Button(
                confirm, id="yes", variant="error" if dangerous else "primary", compact=True
            )

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        event.stop()
        name = {"no": "leave", "yes": "confirm"}.get(event.button.id or "no", event.button.id)
        getattr(self, f"action_{name}")()

    def action_leave(self) -> None:
        """Close without a result."""
        self.dismiss(None)

    def action_confirm(self) -> None:
        """Close with the result."""
        self.dismiss(None)


class FormDialog(Dialog[Answer]):
    """Fields with a line that says what is wrong; ``up`` and ``down`` go through them."""

    DEFAULT_CSS = """
    FormDialog .form-note { height: auto; min-height: 1; margin-bottom: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "app.focus_next", show=False),
        Binding("up", "app.focus_previous", show=False),
    ]

    def note(self) -> Static:
        """The line for ``say``; to be yielded once by ``compose_content``."""
        return Static("", classes="form-note", markup=False)

    def say(self, text: str, tone: Tone = "muted") -> None:
        """Show a sentence in the line for notes."""
        self.query_one(".form-note", Static).update(content([(text, tone)]))

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        self.entered()

    def entered(self) -> None:
        """Go on after ``enter`` in a field: to the next one."""
        self.focus_next()
