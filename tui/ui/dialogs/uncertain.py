"""The question about a batch of which nobody here knows whether the provider has it."""

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
from tui.ui.dialogs.confirm import ConfirmDialog
from tui.ui.dialogs.dialog import Dialog
from tui.ui.tones import Part, content

UncertainAnswer = Literal["attached", "resend"]
"""What was decided: its id was given and it is watched, or it is to be sent once more."""

Attach = Callable[[str], Awaitable[object]]
"""Takes the provider's id of the batch and checks it there; raises ``BatchdeckError``."""

_WORDS = (
    "The answer of the provider was lost, and it cannot tell whether it has this batch. "
    "Look at the provider's own page."
)
_TWICE = "If the provider has the first one after all, it runs both, and both are paid."


class UncertainDialog(Dialog[UncertainAnswer | None]):
    """Three ways: give the provider's id, send again after a second question, or leave it.

    Args:
        facts: Name and value of what it is about, a line each.
        attach: Takes the id that was typed.
    """

    TITLE_TEXT = "Did the provider take it?"
    DEFAULT_CSS = """
    UncertainDialog > .dialog { width: 76; }
    UncertainDialog #uncertain-given { height: 1; margin-bottom: 1; }
    UncertainDialog #uncertain-given Static { width: 20; }
    UncertainDialog #uncertain-given Input { width: 1fr; }
    UncertainDialog #uncertain-note { height: auto; min-height: 2; margin-bottom: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "send_again", "Send again", priority=True),
    ]

    def __init__(self, facts: Sequence[tuple[str, str]], attach: Attach) -> None:
        super().__init__()
        self._facts = facts
        self._give_id = attach
        self._asking = False

    def compose_inside(self) -> ComposeResult:
        """Facts, the line for an id, what came of it, buttons."""
        width = max(len(name) for name, _ in self._facts) + 2
        parts: list[Part] = []
        for name, value in self._facts:
            parts += [(f"{name:<{width}}", "muted"), (value + "\n", "")]
        parts.append((f"\n{_WORDS}", ""))
        yield Static(content(parts), classes="dialog-text", markup=False)
        with Horizontal(id="uncertain-given"):
            yield Static("It is there; its id", markup=False)
            yield Input(placeholder="batch_…", compact=True, id="uncertain-id")
        yield Static("", id="uncertain-note", markup=False)
        with Horizontal(classes="dialog-buttons"):
            yield Button("Leave it  esc", id="no", compact=True)
            yield Button("Send again  ctrl+s", id="again", variant="error", compact=True)
            yield Button("Attach  enter", id="yes", variant="primary", compact=True)

    def on_mount(self) -> None:
        """Ready for the id: what is typed by mistake sends nothing."""
        self.query_one(Input).focus()
        self._say([("It is watched from then on, and nothing is sent.", "muted")])

    def _say(self, parts: list[Part]) -> None:
        self.query_one("#uncertain-note", Static).update(content(parts))

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        self._begin(event.value.strip())

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        event.stop()
        if event.button.id == "yes":
            self._begin(self.query_one(Input).value.strip())
        elif event.button.id == "again":
            self.action_send_again()
        else:
            self.dismiss(None)

    def _begin(self, remote_id: str) -> None:
        if self._asking:
            return
        if not remote_id:
            self.app.bell()
            self._say([("Type the id that the provider's page shows.", "warn")])
            return
        self._asking = True
        self._say([(f"Asking the provider for {one_line(remote_id, 44)} …", "live")])
        # The app's worker: an attaching that is under way does not end with the dialog.
        self.app.run_worker(self._attached(remote_id), group="attach", exit_on_error=False)

    async def _attached(self, remote_id: str) -> None:
        try:
            await self._give_id(remote_id)
        except BatchdeckError as error:
            if not self.is_attached:
                self.app.notify(visible(error.message), severity="error", markup=False)
                return
            parts: list[Part] = [(visible(error.message), "bad")]
            if error.hint:
                parts.append((f"\n{visible(error.hint)}", "muted"))
            self._say(parts)
        else:
            if self.is_attached:
                self.dismiss("attached")
        finally:
            self._asking = False

    def action_send_again(self) -> None:
        """Ask once more: this is the way that may cost money twice."""
        if self._asking:
            self.app.bell()
            return
        question = ConfirmDialog(
            "Send it again?", self._facts, "Send again", _TWICE, dangerous=True
        )
        self.app.push_screen(question, self._answered)

    def _answered(self, yes: bool | None) -> None:
        if yes:
            self.dismiss("resend")
