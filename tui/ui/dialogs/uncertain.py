"""A dialog to resolve a batch whose creation is unconfirmed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar, Literal

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Button, Input, Static

from tui.core.text import one_line, visible
from tui.errors import BatchdeckError
from tui.ui.dialogs.base import Dialog
from tui.ui.dialogs.confirm import ConfirmDialog
from tui.ui.text.tones import Part, content, error_parts, fact_parts
from tui.ui.widgets.basics import Field

UncertainAnswer = Literal["attached", "resend"]
"""The user's choice: the batch was attached by its id, or is to be sent again."""

Attach = Callable[[str], Awaitable[object]]
"""Takes the provider's batch id and verifies it there; raises ``BatchdeckError``."""

_WORDS = (
    "The provider's response was lost, so this batch may or may not exist there. "
    "Check the provider's dashboard."
)
_TWICE = "If the provider received the first one after all, both run and you pay for both."


class UncertainDialog(Dialog[UncertainAnswer | None]):
    """Three options: enter the provider's id, send again after a confirmation, or decide later.

    Args:
        facts: Name and value, one per line.
        attach: Attaches the batch with the typed id.
    """

    DEFAULT_CSS = """
    UncertainDialog > .dialog { width: 76; }
    UncertainDialog #uncertain-given { height: 1; margin-bottom: 1; }
    UncertainDialog #uncertain-given Static { width: 20; }
    UncertainDialog #uncertain-given Input { width: 1fr; }
    UncertainDialog #uncertain-note { height: auto; min-height: 2; margin-bottom: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "send_again", "Resend", priority=True),
    ]

    def __init__(self, facts: Sequence[tuple[str, str]], attach: Attach) -> None:
        super().__init__("Did the provider receive this batch?")
        self._facts = facts
        self._give_id = attach
        self._asking = False

    def compose_content(self) -> ComposeResult:
        """The facts, the id input, the status line and the buttons."""
        parts = [*fact_parts(self._facts), (f"\n{_WORDS}", "")]
        yield Static(content(parts), classes="dialog-text", markup=False)
        with Horizontal(id="uncertain-given"):
            yield Static("It exists, with id", markup=False)
            yield Field(placeholder="batch_…", compact=True, id="uncertain-id")
        yield Static("", id="uncertain-note", markup=False)
        again = Button("Resend  ctrl+s", id="send_again", variant="error", compact=True)
        yield from self.buttons("Attach  enter", again, cancel="Decide later  esc")

    def on_mount(self) -> None:
        """Focus the id input, so that a stray key sends nothing."""
        self.query_one(Input).focus()
        self._show_status([("The batch is then tracked; nothing is sent.", "muted")])

    def _show_status(self, parts: list[Part]) -> None:
        self.query_one("#uncertain-note", Static).update(content(parts))

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_confirm()

    def action_confirm(self) -> None:
        """Attach the batch with the typed id."""
        remote_id = self.query_one(Input).value.strip()
        if self._asking:
            return
        if not remote_id:
            self.app.bell()
            self._show_status([("Enter the batch id shown on the provider's dashboard.", "warn")])
            return
        self._asking = True
        self._show_status([(f"Asking the provider for {one_line(remote_id, 44)} …", "live")])
        # A worker of the app, so that closing the dialog does not stop it.
        self.app.run_worker(self._attach_batch(remote_id), group="attach", exit_on_error=False)

    async def _attach_batch(self, remote_id: str) -> None:
        try:
            await self._give_id(remote_id)
        except BatchdeckError as error:
            if not self.is_attached:
                self.app.notify(visible(error.message), severity="error", markup=False)
                return
            self._show_status(error_parts(error))
        else:
            if self.is_attached:
                self.dismiss("attached")
        finally:
            self._asking = False

    def action_send_again(self) -> None:
        """Ask for confirmation, since sending again may cost twice."""
        if self._asking:
            self.app.bell()
            return
        question = ConfirmDialog(
            "Resend this batch?", self._facts, "Resend", _TWICE, dangerous=True
        )
        self.app.push_screen(question, self._answered)

    def _answered(self, yes: bool | None) -> None:
        if yes:
            self.dismiss("resend")
