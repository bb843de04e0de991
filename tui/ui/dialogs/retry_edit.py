"""Sending rows again with changes: a form, and what becomes of three rows while one types."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Grid, Horizontal, Vertical, VerticalScroll
from textual.timer import Timer
from textual.widgets import Button, Input, Label, Static, TextArea

from tui.core.editing import describe_edits
from tui.core.text import one_line, visible
from tui.engine.rehearsal import Rehearsal
from tui.errors import BatchdeckError
from tui.ui import formatting
from tui.ui.dialogs.confirm import ConfirmDialog
from tui.ui.dialogs.dialog import Dialog
from tui.ui.dialogs.retry_choices import RetryAnswer, RetryChoices, RetryFacts
from tui.ui.retryform import diff_parts, edits_of_form
from tui.ui.tones import Part, content

PAUSE = 0.15
"""Seconds after the last key until the rows are looked at again."""

BESIDE_WIDTH = 112
"""Cells of the terminal from which on form and diff stand side by side."""


@dataclass(frozen=True)
class RetryPreview:
    """What the changes would do."""

    rows: int
    rehearsal: Rehearsal


Rehearse = Callable[[Mapping[str, Any], bool, bool], Awaitable[RetryPreview]]
"""Takes the changes, whether hopeless rows go along, and whether rows are sent one by one; looks
at a few rows."""


@dataclass(frozen=True)
class RetryPrice:
    """What all rows may cost, in words, and how many cannot be changed so and stay out."""

    words: str
    left_out: int = 0
    why_left: str = ""


Price = Callable[[Mapping[str, Any], bool, bool], Awaitable[RetryPrice]]
"""Takes the same; changes all rows, and says what they may cost."""


class RetryEditDialog(Dialog[RetryAnswer | None]):
    """The form of a retry. ``ctrl+s`` asks for confirmation, ``escape`` leaves.

    Args:
        facts: What would be sent.
        proposed: Changes that the rows call for, written into the form.
        rehearse: Looks at a few rows.
        price: Reckons what all of them may cost.
    """

    TITLE_TEXT = "Send rows again, changed"
    DEFAULT_CSS = """
    RetryEditDialog > .dialog { width: 76; height: 23; }
    RetryEditDialog #retry-facts { height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
    RetryEditDialog #retry-halves { height: 1fr; layout: vertical; }
    RetryEditDialog #retry-form { height: auto; }
    RetryEditDialog Grid {
        grid-size: 2; grid-columns: 13 1fr; grid-rows: 1; height: 4;
    }
    RetryEditDialog TextArea { height: 3; border: none; padding: 0; }
    RetryEditDialog #retry-more { height: 3; }
    RetryEditDialog #retry-more Label { width: 13; height: 3; }
    RetryEditDialog #retry-diff { height: 1fr; border-top: solid $border-blurred; }
    RetryEditDialog #retry-diff Static { width: 1fr; height: auto; }
    RetryEditDialog #retry-sum { height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
    RetryEditDialog.-wide > .dialog { width: 96%; max-width: 150; height: 28; }
    RetryEditDialog.-wide #retry-halves { layout: horizontal; }
    RetryEditDialog.-wide #retry-form { width: 52; height: 1fr; }
    RetryEditDialog.-wide #retry-more { height: 1fr; }
    RetryEditDialog.-wide TextArea { height: 1fr; }
    RetryEditDialog.-wide #retry-diff {
        width: 1fr; height: 1fr; border-top: none; border-left: solid $border-blurred;
        padding-left: 1; margin-left: 1;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "go_on", "Go on", priority=True),
    ]

    def __init__(
        self,
        facts: RetryFacts,
        proposed: Mapping[str, Any],
        rehearse: Rehearse,
        price: Price,
    ) -> None:
        super().__init__()
        self._facts = facts
        self._proposed = proposed
        self._rehearse = rehearse
        self._price = price
        self._choices = RetryChoices(facts, also=True, keys=False)
        self._pause: Timer | None = None
        self._generation = 0
        self._preview: RetryPreview | None = None
        self._edits: dict[str, Any] = {}
        self._cost: RetryPrice | None = None

    def compose_inside(self) -> ComposeResult:
        """Facts, form, diff, sum, buttons."""
        yield Static("", id="retry-facts", markup=False)
        tokens = str(self._proposed.get("@max_tokens", ""))
        with Vertical(id="retry-halves"):
            with Vertical(id="retry-form"):
                with Grid():
                    yield Label("model")
                    yield Input(
                        placeholder=visible(self._facts.model) or "as it was",
                        compact=True,
                        id="retry-model",
                    )
                    yield Label("max_tokens")
                    yield Input(
                        tokens,
                        placeholder="as it was; x2 is twice each row's own",
                        compact=True,
                        id="retry-tokens",
                    )
                    yield Label("temperature")
                    yield Input(placeholder="as it was", compact=True, id="retry-temperature")
                    yield Label("system, more")
                    yield Input(
                        placeholder="appended to the system text",
                        compact=True,
                        id="retry-system",
                    )
                with Horizontal(id="retry-more"):
                    yield Label("other fields")
                    yield TextArea(
                        compact=True,
                        tab_behavior="focus",
                        placeholder="path=value sets a field\n-path takes one away\na line each",
                        id="retry-lines",
                    )
                yield self._choices
            with VerticalScroll(id="retry-diff"):
                yield Static("", id="retry-rows", markup=False)
        yield Static("", id="retry-sum", markup=False)
        with Horizontal(classes="dialog-buttons"):
            yield Button("Cancel  esc", id="no", compact=True)
            yield Button("Go on  ctrl+s", id="yes", variant="primary", compact=True)

    def on_mount(self) -> None:
        """The first field has the focus: nothing is sent from here without a question."""
        facts = self._facts
        self.query_one("#retry-facts", Static).update(
            content(
                [
                    (f"{facts.rows + facts.permanent:,}", "strong"),
                    (f" rows: {facts.subject} · {visible(facts.provider)}", ""),
                    (f" (account {visible(facts.account)})", "muted"),
                ]
            )
        )
        self.query_one("#retry-model").focus()
        self._look()

    def on_resize(self, event: events.Resize) -> None:
        """Side by side where there is room."""
        self.set_class(event.size.width >= BESIDE_WIDTH, "-wide")

    @on(Input.Changed)
    @on(TextArea.Changed)
    @on(RetryChoices.Changed)
    def _typed(self, event: Input.Changed | TextArea.Changed | RetryChoices.Changed) -> None:
        event.stop()
        self._generation += 1
        if self._pause is not None:
            self._pause.stop()
        self._pause = self.set_timer(PAUSE, self._look)

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        self.focus_next()

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        event.stop()
        if event.button.id == "yes":
            self.action_go_on()
        else:
            self.dismiss(None)

    def _form(self) -> dict[str, Any]:
        """The changes as they are written now.

        Raises:
            ValueError: A field cannot be understood.
        """

        def value(name: str) -> str:
            return self.query_one(f"#retry-{name}", Input).value

        return edits_of_form(
            model=value("model"),
            tokens=value("tokens"),
            temperature=value("temperature"),
            system=value("system"),
            lines=self.query_one("#retry-lines", TextArea).text,
        )

    def _look(self) -> None:
        self._generation += 1
        self._preview = None
        try:
            edits = self._form()
        except ValueError as error:
            self._say([(visible(str(error)), "bad")])
            return
        self.run_worker(
            self._look_at(self._generation, edits, self._choices.also, self._choices.direct),
            group="rehearse",
            exclusive=True,
            exit_on_error=False,
        )

    async def _look_at(
        self, generation: int, edits: dict[str, Any], also: bool, direct: bool
    ) -> None:
        """Look at a few rows, then reckon the cost of all; what was typed meanwhile wins."""
        try:
            preview = await self._rehearse(edits, also, direct)
            if generation != self._generation:
                return
            self._preview, self._edits, self._cost = preview, edits, None
            self.query_one("#retry-rows", Static).update(
                content(diff_parts(preview.rehearsal.rows))
            )
            self._say(self._sum(preview))
            price = await self._price(edits, also, direct)
        except BatchdeckError as error:
            if generation == self._generation:
                self._preview = None
                self._say([(visible(error.message), "bad")])
            return
        if generation == self._generation:
            self._cost = price
            self._say(self._sum(preview))

    @property
    def _left_out(self) -> int:
        return 0 if self._cost is None else self._cost.left_out

    def _sum(self, preview: RetryPreview) -> list[Part]:
        count = formatting.counted(preview.rows - self._left_out, "row")
        number, _, word = count.partition(" ")
        parts: list[Part] = [(number, "strong"), (f" {word} · cost ", "muted")]
        parts.append(("…" if self._cost is None else self._cost.words, ""))
        rehearsal = preview.rehearsal
        if self._cost is not None and self._left_out:
            left = formatting.counted(self._left_out, "row")
            parts.append((f" · {left} cannot be changed so and stay out", "warn"))
        elif rehearsal.unchanged and self._edits:
            part = f"{rehearsal.unchanged:,} of {rehearsal.looked_at:,} looked at stay as they are"
            parts += [(" · ", "muted"), (part, "warn")]
        return parts

    def _say(self, parts: list[Part]) -> None:
        self.query_one("#retry-sum", Static).update(content(parts))

    def action_go_on(self) -> None:
        """Ask whether to send, once the rows were looked at as they are written now."""
        preview = self._preview
        if preview is None or self._is_hopeless(preview) or self._pending():
            self.app.bell()
            return
        left = self._left_out
        rows = preview.rows - left
        words = ", ".join(describe_edits(self._edits)) or "none"
        facts = [
            ("rows", f"{rows:,}" + (f", {left:,} stay out" if left else "")),
            ("provider", f"{one_line(self._facts.provider, 30)}"),
            *([("way", RetryChoices.WAY)] if self._choices.direct else []),
            ("changes", one_line(words, 44)),
            ("cost", "not reckoned yet" if self._cost is None else self._cost.words),
        ]
        title = f"Send {formatting.counted(rows, 'row')} again?"
        self.app.push_screen(ConfirmDialog(title, facts, "Send"), self._answered)

    def _is_hopeless(self, preview: RetryPreview) -> bool:
        """Can none of the first rows be changed so, and is nothing known of the others?"""
        return bool(preview.rehearsal.problem) and self._cost is None

    def _pending(self) -> bool:
        """Was something typed that was not looked at yet?"""
        try:
            return self._form() != self._edits
        except ValueError:
            return True

    def _answered(self, yes: bool | None) -> None:
        if yes:
            self.dismiss(RetryAnswer(self._edits, self._choices.also, self._choices.direct))
