"""The frame of all dialogs: a titled box in the middle, above everything else."""

from __future__ import annotations

from typing import ClassVar, TypeVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from tui.ui.failures import TellsFailures
from tui.ui.tones import content

Answer = TypeVar("Answer")


class Dialog(TellsFailures, ModalScreen[Answer]):
    """A modal box; ``escape`` leaves it without an answer."""

    DEFAULT_CSS = """
    Dialog { align: center middle; }
    Dialog > .dialog {
        width: 64; max-width: 96%; height: auto; max-height: 96%; padding: 1 2 0 2;
    }
    Dialog .dialog-text { height: auto; width: 1fr; margin-bottom: 1; }
    Dialog .dialog-buttons { height: 1; width: 1fr; margin-bottom: 1; align-horizontal: right; }
    Dialog .dialog-buttons Button { margin-left: 2; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [("escape", "leave")]
    TITLE_TEXT = ""

    def compose(self) -> ComposeResult:
        """The box with what the dialog holds."""
        box = Vertical(classes="dialog")
        # As content, not as text: a title may hold a name, and text would be read as markup.
        box.border_title = content([(self.TITLE_TEXT, "")])
        with box:
            yield from self.compose_inside()

    def compose_inside(self) -> ComposeResult:
        """What the box holds."""
        raise NotImplementedError

    def action_leave(self) -> None:
        """Leave without an answer."""
        self.dismiss(None)
