"""The two dialogs of a retry: one confirms it and its cost, one edits the requests first.

The second has a form, whose fields become edits, and a live preview of the first rows as a diff.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import msgspec
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Grid, Horizontal, Vertical, VerticalScroll
from textual.timer import Timer
from textual.widgets import Checkbox, Input, Label, Static, TextArea

from tui.core import formatting
from tui.core.analysis.comparison import Change, text_changes
from tui.core.json_path import parse_value
from tui.core.requests import MAX_TOKENS, SYSTEM, check_edits, describe_edits, parse_max_tokens
from tui.core.text import one_line, visible
from tui.engine.retries import RetryPreview, RetryPreviewRow
from tui.errors import BatchdeckError
from tui.ui.dialogs.base import FormDialog
from tui.ui.dialogs.confirm import Confirmation, ConfirmDialog, KeySwitch
from tui.ui.text.tones import Part, Tone, content, fact_parts
from tui.ui.widgets.basics import Field


@dataclass(frozen=True)
class RetryFacts:
    """What the retry dialogs show.

    ``rows`` may succeed unchanged; another ``permanent`` rows would fail again. ``asks``:
    whether the account also offers direct mode.
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
    """The user's choice.

    ``edits`` change the request bodies; ``include_permanent`` includes rows that would fail again;
    ``direct`` sends rows one by one to the synchronous endpoint instead of as a batch.
    """

    edits: dict[str, Any] = field(default_factory=dict)
    include_permanent: bool = False
    direct: bool = False


DIRECT_LABEL = "send now, one by one, while Batchdeck is open"


def retry_switches(facts: RetryFacts, *, also: bool, keys: bool) -> list[KeySwitch]:
    """The options that apply: ``a`` includes rows that would fail again, ``d`` is direct mode.

    Args:
        facts: The rows and where they go.
        also: Whether rows that would fail again are included initially.
        keys: Whether letters toggle the options, and are shown in the labels.
    """
    rows = formatting.counted(facts.permanent, "row")
    words = f"include {rows} that would fail again"
    switches = [KeySwitch("a", words, also, show_key=keys)] if facts.permanent else []
    if facts.asks:
        switches.append(KeySwitch("d", DIRECT_LABEL, show_key=keys))
    return switches


class RetryDialog(Confirmation[RetryAnswer]):
    """Facts of a retry; ``y`` confirms, Cancel has the focus.

    Args:
        facts: The rows and where they go.
        price: Returns the estimated cost as text. Takes whether rows that would fail again are
            included, and whether rows are sent directly.
    """

    DEFAULT_CSS = "RetryDialog > .dialog { width: 68; }"

    def __init__(
        self, facts: RetryFacts, price: Callable[[bool, bool], Awaitable[str]] | None = None
    ) -> None:
        super().__init__("Retry rows?", "Retry", retry_switches(facts, also=False, keys=True))
        self._facts = facts
        self._price = price
        self._cost = ""
        self._priced: tuple[bool, bool] | None = None

    def draw(self) -> None:
        """Show the facts, and estimate the cost if it depends on an option that changed."""
        options = (self.is_on("a"), self.is_on("d"))
        if self._price is not None and options != self._priced:
            self._priced, self._cost = options, "…"
            work = self._fetch_cost(self._price, *options)
            self.run_worker(work, group="price", exclusive=True, exit_on_error=False)
        super().draw()

    async def _fetch_cost(
        self, price: Callable[[bool, bool], Awaitable[str]], also: bool, direct: bool
    ) -> None:
        try:
            self._cost = await price(also, direct)
        except BatchdeckError as error:
            self._cost = f"unknown: {one_line(error.message, 40)}"
        self.draw()

    def text(self) -> list[Part]:
        """The rows, where they go and what they cost."""
        facts = self._facts
        also = self.is_on("a")
        rows = facts.rows + facts.permanent * also
        if not rows:
            return [
                (f"All {formatting.counted(facts.permanent, 'row')} ", "strong"),
                (f"({facts.subject}) would fail again unchanged.\n\n", ""),
                ("esc, then R edits them first; a includes them anyway.", "muted"),
            ]
        where = f"{visible(facts.provider)} (account {visible(facts.account)})"
        parts = fact_parts(
            [
                ("rows", ((f"{rows:,}", "strong"), (f"  {facts.subject}", ""))),
                ("provider", where),
                ("model", visible(facts.model) or "-"),
                *([("cost", self._cost)] if self._cost else []),
            ],
            width=12,
        )
        if facts.permanent:
            fate = "included" if also else "skipped"
            verb = "is" if facts.permanent == 1 else "are"
            left = formatting.counted(facts.permanent, "row")
            parts.append((f"\n{left} would fail again and {verb} {fate}", "warn"))
            parts.append(("\nR edits them first; a includes them anyway.", "muted"))
        return parts

    def action_confirm(self) -> None:
        """Confirm the retry, if there are rows to send."""
        if not self._facts.rows and not self.is_on("a"):
            self.app.bell()
            return
        self.dismiss(RetryAnswer({}, self.is_on("a"), self.is_on("d")))


_MAX_VALUE = 600


def parse_retry_form(
    *, model: str, tokens: str, temperature: str, system: str, lines: str
) -> dict[str, Any]:
    r"""The edits of a filled form; empty fields change nothing.

    Args:
        model: The new model.
        tokens: The new ``max_tokens``: a number, or a factor such as ``x2``.
        temperature: The new temperature, a number.
        system: Text to append to the system prompt; ``\n`` stands for a newline.
        lines: Other fields, one per line: ``path=value`` sets one, ``-path`` removes it.

    Raises:
        ValueError: A field is invalid; the message names it.
    """
    edits: dict[str, Any] = {}
    if model.strip():
        edits["model"] = model.strip()
    if tokens.strip():
        edits[MAX_TOKENS] = parse_max_tokens(tokens)
    if temperature.strip():
        value = parse_value(temperature.strip())
        if type(value) not in (int, float):
            raise ValueError("temperature must be a number")
        edits["temperature"] = value
    for line in lines.splitlines():
        line = line.strip()
        if line.startswith("-") and "=" not in line:
            edits[line[1:].strip()] = None
        elif line:
            path, equals, text = line.partition("=")
            if not equals:
                raise ValueError(f"{one_line(line, 30)}: write path=value, or -path")
            edits[path.strip()] = parse_value(text.strip())
    if system.strip():
        edits[SYSTEM] = system.strip().replace("\\n", "\n")
    check_edits(edits)
    return edits


def diff_parts(rows: Iterable[RetryPreviewRow]) -> list[Part]:
    """A few rows as a diff, with only the text around each change."""
    parts: list[Part] = []
    for row in rows:
        if parts:
            parts.append(("\n", ""))
        parts.append((one_line(row.custom_id or f"row {row.seq}", 60) + "\n", "strong"))
        if row.problem:
            parts.append((f"! {one_line(row.problem, 200)}\n", "bad"))
        elif not row.changes:
            parts.append(("  no change\n", "muted"))
        for change in row.changes:
            parts += _change_parts(change)
    return parts


def _change_parts(change: Change) -> list[Part]:
    before, after = change.before, change.after
    if isinstance(before, str) and isinstance(after, str):
        pieces = text_changes(before, after)
        removed = any(side == "removed" for side, _ in pieces)
        parts: list[Part] = []
        for sign, other, tone in (("-", "added", "removed"), ("+", "removed", "added")):
            if sign == "-" and not removed:
                continue
            parts.append((f"{sign} {visible(change.path)}  ", _sign_tone(sign)))
            for side, text in pieces:
                if side != other:
                    parts.append((_cut(text), tone if side != "same" else "muted"))  # type: ignore[arg-type]
            parts.append(("\n", ""))
        return parts
    parts = []
    for sign, value in (("-", before), ("+", after)):
        if value is not msgspec.UNSET:
            text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
            line = f"{sign} {visible(change.path)}  {_cut(text)}\n"
            parts.append((line, _sign_tone(sign)))
    return parts


def _sign_tone(sign: str) -> Tone:
    return "bad" if sign == "-" else "good"


def _cut(text: str) -> str:
    shown = text if len(text) <= _MAX_VALUE else text[:_MAX_VALUE] + "…"
    # Show newlines as a symbol to keep the diff of one value on one line.
    return visible(shown.replace("\r\n", "\n").replace("\n", "⏎"))


PREVIEW_DELAY = 0.15
"""Seconds without a key before the preview is updated."""

SIDE_BY_SIDE_WIDTH = 112
"""Terminal width in cells from which form and diff are side by side."""


@dataclass(frozen=True)
class EditPreview:
    """What the edits would do."""

    rows: int
    rehearsal: RetryPreview


PreviewEdits = Callable[[Mapping[str, Any], bool, bool], Awaitable[EditPreview]]
"""Takes the edits, whether rows that would fail again are included, and whether rows are sent
directly; previews a few rows."""


@dataclass(frozen=True)
class RetryCost:
    """The estimated cost of all rows as text, and how many cannot take the edits (skipped)."""

    words: str
    left_out: int = 0


EstimateRetry = Callable[[Mapping[str, Any], bool, bool], Awaitable[RetryCost]]
"""Takes the same arguments; applies the edits to all rows and estimates the cost."""


class RetryEditDialog(FormDialog[RetryAnswer]):
    """The form of a retry. ``ctrl+s`` asks for confirmation, ``escape`` cancels.

    Args:
        facts: The rows and where they go.
        proposed: Suggested edits, filled into the form.
        rehearse: Previews a few rows.
        price: Estimates the cost of all rows.
    """

    DEFAULT_CSS = """
    RetryEditDialog > .dialog { width: 76; height: 23; }
    RetryEditDialog #retry-facts { height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
    RetryEditDialog #retry-halves { height: 1fr; layout: vertical; }
    RetryEditDialog #retry-form { height: auto; }
    RetryEditDialog Grid {
        grid-size: 2; grid-columns: 15 1fr; grid-rows: 1; height: 4;
    }
    RetryEditDialog TextArea { height: 3; border: none; padding: 0; }
    RetryEditDialog #retry-more { height: 3; }
    RetryEditDialog #retry-more Label { width: 15; height: 3; }
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
        Binding("ctrl+s", "confirm", "Continue", priority=True),
    ]

    def __init__(
        self,
        facts: RetryFacts,
        proposed: Mapping[str, Any],
        rehearse: PreviewEdits,
        price: EstimateRetry,
    ) -> None:
        super().__init__("Edit and retry")
        self._facts = facts
        self._proposed = proposed
        self._rehearse = rehearse
        self._price = price
        self._switches = retry_switches(facts, also=True, keys=False)
        self._preview_timer: Timer | None = None
        self._generation = 0
        self._preview: EditPreview | None = None
        self._edits: dict[str, Any] = {}
        self._cost: RetryCost | None = None

    def compose_content(self) -> ComposeResult:
        """The facts, the form, the diff, the summary and the buttons."""
        yield Static("", id="retry-facts", markup=False)
        tokens = str(self._proposed.get(MAX_TOKENS, ""))
        with Vertical(id="retry-halves"):
            with Vertical(id="retry-form"):
                with Grid():
                    for name, label, hint in (
                        ("model", "model", visible(self._facts.model) or "unchanged"),
                        ("tokens", "max_tokens", "unchanged; x2 doubles each row's own"),
                        ("temperature", "temperature", "unchanged"),
                        ("system", "add to system", "appended to the system prompt"),
                    ):
                        yield Label(label)
                        value = tokens if name == "tokens" else ""
                        yield Field(
                            visible(value), placeholder=hint, compact=True, id=f"retry-{name}"
                        )
                with Horizontal(id="retry-more"):
                    yield Label("other fields")
                    yield TextArea(
                        compact=True,
                        tab_behavior="focus",
                        placeholder="path=value sets a field,\n-path removes it;\none per line",
                        id="retry-lines",
                    )
                yield from self._switches
            with VerticalScroll(id="retry-diff"):
                yield Static("", id="retry-rows", markup=False)
        yield Static("", id="retry-sum", markup=False)
        yield from self.buttons("Continue  ctrl+s")

    def on_mount(self) -> None:
        """Focus the first field; nothing is sent without a confirmation."""
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
        self._start_preview()

    def on_resize(self, event: events.Resize) -> None:
        """Lay out form and diff side by side if the terminal is wide enough."""
        self.set_class(event.size.width >= SIDE_BY_SIDE_WIDTH, "-wide")

    @on(Input.Changed)
    @on(TextArea.Changed)
    @on(Checkbox.Changed)
    def _typed(self, event: Input.Changed | TextArea.Changed | Checkbox.Changed) -> None:
        event.stop()
        self._generation += 1
        if self._preview_timer is not None:
            self._preview_timer.stop()
        self._preview_timer = self.set_timer(PREVIEW_DELAY, self._start_preview)

    def _is_on(self, key: str) -> bool:
        return any(switch.value for switch in self._switches if switch.key == key)

    def _form(self) -> dict[str, Any]:
        """The edits in the form.

        Raises:
            ValueError: A field is invalid.
        """

        def value(name: str) -> str:
            return self.query_one(f"#retry-{name}", Input).value

        return parse_retry_form(
            model=value("model"),
            tokens=value("tokens"),
            temperature=value("temperature"),
            system=value("system"),
            lines=self.query_one("#retry-lines", TextArea).text,
        )

    def _start_preview(self) -> None:
        self._generation += 1
        self._preview = None
        try:
            edits = self._form()
        except ValueError as error:
            self._show_summary([(visible(str(error)), "bad")])
            return
        self.run_worker(
            self._update_preview(self._generation, edits, self._is_on("a"), self._is_on("d")),
            group="rehearse",
            exclusive=True,
            exit_on_error=False,
        )

    async def _update_preview(
        self, generation: int, edits: dict[str, Any], also: bool, direct: bool
    ) -> None:
        """Preview a few rows, then estimate the cost of all; drop stale results."""
        try:
            preview = await self._rehearse(edits, also, direct)
            if generation != self._generation:
                return
            self._preview, self._edits, self._cost = preview, edits, None
            self.query_one("#retry-rows", Static).update(
                content(diff_parts(preview.rehearsal.rows))
            )
            self._show_summary(self._summary(preview))
            price = await self._price(edits, also, direct)
        except BatchdeckError as error:
            if generation == self._generation:
                self._preview = None
                self._show_summary([(visible(error.message), "bad")])
            return
        if generation == self._generation:
            self._cost = price
            self._show_summary(self._summary(preview))

    @property
    def _left_out(self) -> int:
        return 0 if self._cost is None else self._cost.left_out

    def _summary(self, preview: EditPreview) -> list[Part]:
        count = formatting.counted(preview.rows - self._left_out, "row")
        number, _, word = count.partition(" ")
        parts: list[Part] = [(number, "strong"), (f" {word} · cost ", "muted")]
        parts.append(("…" if self._cost is None else self._cost.words, ""))
        rehearsal = preview.rehearsal
        if self._cost is not None and self._left_out:
            left = formatting.counted(self._left_out, "row")
            verb = "is" if self._left_out == 1 else "are"
            parts.append((f" · {left} cannot take this change and {verb} skipped", "warn"))
        elif rehearsal.unchanged and self._edits:
            unchanged, sampled = rehearsal.unchanged, rehearsal.sampled
            part = f"{unchanged:,} of the {sampled:,} sampled rows do not change"
            if unchanged == sampled:
                part = f"none of the {sampled:,} sampled rows changes"
            parts += [(" · ", "muted"), (part, "warn")]
        return parts

    def _show_summary(self, parts: list[Part]) -> None:
        self.query_one("#retry-sum", Static).update(content(parts))

    def action_confirm(self) -> None:
        """Ask for confirmation, if the preview is up to date."""
        preview = self._preview
        if preview is None or self._has_only_problems(preview) or self._pending():
            self.app.bell()
            return
        if not self._edits and not self._is_on("d"):
            self._show_summary([("Nothing is changed yet: fill in a field first", "warn")])
            self.app.bell()
            return
        left = self._left_out
        rows = preview.rows - left
        words = ", ".join(describe_edits(self._edits)) or "none"
        facts = [
            ("rows", f"{rows:,}" + (f", {left:,} skipped" if left else "")),
            ("provider", f"{one_line(self._facts.provider, 30)}"),
            *([("mode", DIRECT_LABEL)] if self._is_on("d") else []),
            ("changes", one_line(words, 44)),
            ("cost", "not calculated yet" if self._cost is None else self._cost.words),
        ]
        title = f"Retry {formatting.counted(rows, 'row')}?"
        self.app.push_screen(ConfirmDialog(title, facts, "Retry"), self._answered)

    def _has_only_problems(self, preview: EditPreview) -> bool:
        """Whether no sampled row can take the edits, and the others are not checked yet."""
        return bool(preview.rehearsal.problem) and self._cost is None

    def _pending(self) -> bool:
        """Whether the form has changed since the last preview."""
        try:
            return self._form() != self._edits
        except ValueError:
            return True

    def _answered(self, yes: bool | None) -> None:
        if yes:
            self.dismiss(RetryAnswer(self._edits, self._is_on("a"), self._is_on("d")))
