"""The answer to one request that was tried, beside the request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Container, Horizontal
from textual.widgets import Button

from tui.core.text import one_line
from tui.ui.composetext import trial_words
from tui.ui.dialogs.dialog import Dialog
from tui.ui.rowtext import read_request
from tui.ui.widgets.text_page import TextPage

if TYPE_CHECKING:
    from tui.engine.trying import Trial


class TrialDialog(Dialog[None]):
    """Request and answer.

    Args:
        trial: What came back.
    """

    DEFAULT_CSS = """
    TrialDialog > .dialog { width: 96%; height: 90%; padding: 1 1 0 1; }
    TrialDialog #trial-pages { height: 1fr; layout: horizontal; }
    TrialDialog .dialog-buttons { margin-top: 1; }
    """

    def __init__(self, trial: Trial) -> None:
        super().__init__()
        name = one_line(trial.provider_name, 24)
        self.TITLE_TEXT = f"{one_line(trial.custom_id, 40)} tried at {name}"
        self._trial = trial
        self._request = TextPage("Request", "trial-request")
        self._answer = TextPage("Answer", "trial-answer")

    def compose_inside(self) -> ComposeResult:
        """Both pages, and a way out."""
        with Container(id="trial-pages"):
            yield self._request
            yield self._answer
        with Horizontal(classes="dialog-buttons"):
            yield Button("Close  esc", compact=True)

    def on_mount(self) -> None:
        """Fill the pages."""
        self._request.show_content(read_request(self._trial.request, as_json=False).shown)
        self._answer.show_content(trial_words(self._trial))
        self._answer.focus()

    def on_button_pressed(self) -> None:
        """Leave."""
        self.dismiss(None)
