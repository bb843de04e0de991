"""What a retry would send, before it is sent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Button, Static

from tui.core.text import one_line, visible
from tui.errors import BatchdeckError
from tui.ui import formatting
from tui.ui.dialogs.dialog import Dialog
from tui.ui.dialogs.retry_choices import RetryAnswer, RetryChoices, RetryFacts
from tui.ui.tones import Part, content


class RetryDialog(Dialog[RetryAnswer | None]):
    """Facts of a retry; ``y`` sends, Cancel has the focus.

    Args:
        facts: What would be sent.
        price: Reckons, for hopeless rows going along or not and for rows that are sent one by
            one or not, what it may cost.
    """

    TITLE_TEXT = "Send rows again?"
    DEFAULT_CSS = """
    RetryDialog > .dialog { width: 68; }
    RetryDialog RetryChoices { margin-bottom: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "confirm", "Yes"),
        Binding("n", "leave", "No"),
        Binding(RetryChoices.ALSO, "choose('a')", show=False),
        Binding(RetryChoices.DIRECT, "choose('d')", show=False),
    ]

    def __init__(
        self, facts: RetryFacts, price: Callable[[bool, bool], Awaitable[str]] | None = None
    ) -> None:
        super().__init__()
        self._facts = facts
        self._price = price
        self._cost = "…" if price is not None else ""
        self._choices = RetryChoices(facts, also=False, keys=True)

    def compose_inside(self) -> ComposeResult:
        """Facts, what can be chosen, buttons."""
        yield Static("", classes="dialog-text", id="retry-facts", markup=False)
        yield self._choices
        with Horizontal(classes="dialog-buttons"):
            yield Button("Cancel  esc", id="no", compact=True)
            yield Button("Send  y", id="yes", variant="primary", compact=True)

    def on_mount(self) -> None:
        """The harmless answer has the focus."""
        self._draw()
        self.query_one("#no").focus()
        self._reckon()

    def _reckon(self) -> None:
        if self._price is not None:
            self._cost = "…"
            self.run_worker(
                self._reckoned(self._price), group="price", exclusive=True, exit_on_error=False
            )

    async def _reckoned(self, price: Callable[[bool, bool], Awaitable[str]]) -> None:
        try:
            self._cost = await price(self._choices.also, self._choices.direct)
        except BatchdeckError as error:
            self._cost = f"not known: {one_line(error.message, 40)}"
        self._draw()

    def _draw(self) -> None:
        self.query_one("#retry-facts", Static).update(content(self._words()))

    def _words(self) -> list[Part]:
        facts = self._facts
        also = self._choices.also
        rows = facts.rows + facts.permanent * also
        parts: list[Part] = [
            ("rows        ", "muted"),
            (f"{rows:,}", "strong"),
            (f"  {facts.subject}\n", ""),
            ("provider    ", "muted"),
            (f"{visible(facts.provider)} (account {visible(facts.account)})", ""),
        ]
        parts += [("\nmodel       ", "muted"), (visible(facts.model) or "-", "")]
        if self._cost:
            parts += [("\ncost        ", "muted"), (self._cost, "")]
        if facts.permanent:
            fate = "go along" if also else "stay out"
            left = formatting.counted(facts.permanent, "row")
            parts.append((f"\n\n{left} will fail again unchanged and {fate}", "warn"))
            parts.append(("\nR changes them before they are sent; a lets them go along.", "muted"))
        return parts

    def action_choose(self, key: str) -> None:
        """Choose otherwise which rows go along, or on which way."""
        self._choices.toggle(key)

    @on(RetryChoices.Changed)
    def _chosen(self, event: RetryChoices.Changed) -> None:
        event.stop()
        self._draw()
        self._reckon()

    def action_confirm(self) -> None:
        """Send."""
        self._send()

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        event.stop()
        if event.button.id == "yes":
            self._send()
        else:
            self.dismiss(None)

    def _send(self) -> None:
        if not self._facts.rows and not self._choices.also:
            self.app.bell()
            return
        self.dismiss(RetryAnswer({}, self._choices.also, self._choices.direct))
