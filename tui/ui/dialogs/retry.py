"""What a retry would send, before it is sent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Button, Static

from tui.core.text import one_line, visible
from tui.errors import BatchdeckError
from tui.ui import formatting
from tui.ui.dialogs.dialog import Dialog
from tui.ui.tones import Part, content


@dataclass(frozen=True)
class RetryFacts:
    """What the dialog tells of a retry.

    ``rows`` can succeed as they are; ``permanent`` more would fail again unchanged. ``asks``:
    they may also be sent one by one.
    """

    subject: str
    rows: int
    permanent: int
    provider: str
    account: str
    model: str
    asks: bool = False


@dataclass(frozen=True)
class RetryAnswer:
    """What a person decided: changes to the bodies, whether hopeless rows go along, and the way.

    ``direct``: one by one, to the synchronous endpoint, instead of as a batch.
    """

    edits: dict[str, Any] = field(default_factory=dict)
    with_permanent: bool = False
    direct: bool = False


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
    RetryDialog #retry-also, RetryDialog #retry-direct { height: 1; margin-bottom: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "confirm", "Yes"),
        Binding("n", "leave", "No"),
        Binding("a", "also", show=False),
        Binding("d", "direct", show=False),
    ]

    def __init__(
        self, facts: RetryFacts, price: Callable[[bool, bool], Awaitable[str]] | None = None
    ) -> None:
        super().__init__()
        self._facts = facts
        self._price = price
        self._cost = "…" if price is not None else ""
        self._also = False
        self._direct = False

    def compose_inside(self) -> ComposeResult:
        """Facts, what can be chosen, buttons."""
        yield Static("", classes="dialog-text", id="retry-facts", markup=False)
        if self._facts.permanent:
            yield Static("", id="retry-also")
        if self._facts.asks:
            yield Static("", id="retry-direct")
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
            self._cost = await price(self._also, self._direct)
        except BatchdeckError as error:
            self._cost = f"not known: {one_line(error.message, 40)}"
        self._draw()

    def _draw(self) -> None:
        self.query_one("#retry-facts", Static).update(content(self._words()))
        choices = (
            ("also", "a", self._also, "also those that will fail again unchanged"),
            ("direct", "d", self._direct, "one by one (direct), as long as Batchdeck runs"),
        )
        for name, key, chosen, words in choices:
            for line in self.query(f"#retry-{name}").results(Static):
                mark = "●" if chosen else "○"
                line.update(content([(f"{key}  ", "accent"), (f"{mark} {words}", "")]))

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
        parts += [("\nmodel       ", "muted"), (visible(facts.model) or "-", "")]
        if self._cost:
            parts += [("\ncost        ", "muted"), (self._cost, "")]
        if facts.permanent:
            fate = "go along" if self._also else "stay out"
            left = formatting.counted(facts.permanent, "row")
            parts.append((f"\n\n{left} will fail again unchanged and {fate}", "warn"))
            parts.append(("\nR changes them before they are sent; a lets them go along.", "muted"))
        return parts

    @on(events.Click, "#retry-also")
    def _also_clicked(self) -> None:
        self.action_also()

    def action_also(self) -> None:
        """Let hopeless rows go along, or not."""
        if self._facts.permanent:
            self._also = not self._also
            self._draw()
            self._reckon()

    @on(events.Click, "#retry-direct")
    def _direct_clicked(self) -> None:
        self.action_direct()

    def action_direct(self) -> None:
        """Send one by one, or as a batch."""
        if self._facts.asks:
            self._direct = not self._direct
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
        if not self._facts.rows and not self._also:
            self.app.bell()
            return
        self.dismiss(RetryAnswer({}, self._also, self._direct))
