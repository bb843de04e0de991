"""What a retry would send, before it is sent."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Grid, Horizontal
from textual.validation import Integer
from textual.widgets import Button, Input, Label, Static

from tui.core.text import visible
from tui.ui import formatting
from tui.ui.dialogs.dialog import Dialog
from tui.ui.tones import Part, content


@dataclass(frozen=True)
class RetryFacts:
    """What the dialog tells of a retry.

    ``rows`` can succeed as they are; ``permanent`` more would fail again unchanged.
    """

    subject: str
    rows: int
    permanent: int
    provider: str
    account: str
    model: str


@dataclass(frozen=True)
class RetryAnswer:
    """What a person decided: changes to the bodies, and whether hopeless rows go along."""

    edits: dict[str, Any] = field(default_factory=dict)
    with_permanent: bool = False


class RetryDialog(Dialog[RetryAnswer | None]):
    """Facts of a retry; ``y`` sends, Cancel has the focus.

    Args:
        facts: What would be sent.
        edit: Can model and ``max_tokens`` be changed?
    """

    TITLE_TEXT = "Send rows again?"
    DEFAULT_CSS = """
    RetryDialog > .dialog { width: 68; }
    RetryDialog #retry-also { height: 1; margin-bottom: 1; }
    RetryDialog Grid {
        grid-size: 2; grid-columns: 12 1fr; grid-rows: 1; height: 2; margin-bottom: 1;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "confirm", "Yes"),
        Binding("n", "leave", "No"),
        Binding("a", "also", show=False),
    ]

    def __init__(self, facts: RetryFacts, *, edit: bool = False) -> None:
        super().__init__()
        self._facts = facts
        self._edit = edit
        # With an edit even a hopeless row may succeed.
        self._also = edit

    def compose_inside(self) -> ComposeResult:
        """Facts, what can be chosen, buttons."""
        yield Static("", classes="dialog-text", id="retry-facts", markup=False)
        if self._edit:
            with Grid():
                yield Label("model")
                yield Input(placeholder=visible(self._facts.model), compact=True, id="retry-model")
                yield Label("max_tokens")
                yield Input(
                    placeholder="as it was",
                    compact=True,
                    type="integer",
                    validators=[Integer(minimum=1)],
                    valid_empty=True,
                    id="retry-tokens",
                )
        elif self._facts.permanent:
            yield Static("", id="retry-also")
        with Horizontal(classes="dialog-buttons"):
            yield Button("Cancel  esc", id="no", compact=True)
            yield Button("Send  y", id="yes", variant="primary", compact=True)

    def on_mount(self) -> None:
        """The harmless answer has the focus, or the first thing to edit."""
        self._draw()
        self.query_one("#retry-model" if self._edit else "#no").focus()

    def _draw(self) -> None:
        self.query_one("#retry-facts", Static).update(content(self._words()))
        for line in self.query("#retry-also").results(Static):
            mark = "●" if self._also else "○"
            line.update(
                content(
                    [("a  ", "accent"), (f"{mark} also those that will fail again unchanged", "")]
                )
            )

    def _words(self) -> list[Part]:
        facts = self._facts
        rows = facts.rows + facts.permanent * self._also
        parts: list[Part] = [
            ("rows        ", "muted"),
            (f"{rows:,}", "strong"),
            (f"  {facts.subject}\n", ""),
            ("provider    ", "muted"),
            (f"{visible(facts.provider)} (account {visible(facts.account)})", ""),
        ]
        if self._edit:
            return parts
        parts += [("\nmodel       ", "muted"), (visible(facts.model) or "-", "")]
        if facts.permanent:
            fate = "go along" if self._also else "stay out"
            left = formatting.counted(facts.permanent, "row")
            parts.append((f"\n\n{left} will fail again unchanged and {fate}", "warn"))
            parts.append(
                ("\nMend those in the file, or change the model or max_tokens with R.", "muted")
            )
        return parts

    @on(events.Click, "#retry-also")
    def _also_clicked(self) -> None:
        self.action_also()

    def action_also(self) -> None:
        """Let hopeless rows go along, or not."""
        if not self._edit and self._facts.permanent:
            self._also = not self._also
            self._draw()

    def action_confirm(self) -> None:
        """Send."""
        self._send()

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        self.focus_next()

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        event.stop()
        if event.button.id == "yes":
            self._send()
        else:
            self.dismiss(None)

    def _send(self) -> None:
        edits: dict[str, Any] = {}
        if self._edit:
            tokens = self.query_one("#retry-tokens", Input)
            if tokens.value and not tokens.is_valid:
                self.app.bell()
                tokens.focus()
                return
            model = self.query_one("#retry-model", Input).value.strip()
            if model:
                edits["model"] = model
            if tokens.value:
                edits["max_tokens"] = int(tokens.value)
        if not self._facts.rows and not self._also:
            self.app.bell()
            return
        self.dismiss(RetryAnswer(edits, self._also))
