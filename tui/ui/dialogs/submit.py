"""The question before requests are sent: what, where to, what it may cost, and the budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Button, Static

from tui.core.text import one_line
from tui.ui.dialogs.confirm import ConfirmDialog
from tui.ui.tones import Part, content


@dataclass(frozen=True)
class SubmitFacts:
    """What the dialog tells; of all rows, or of the few that are sent first.

    ``stop`` is why a budget does not allow it, empty when it does.
    """

    rows: str
    input: str
    cost: str
    stop: str = ""


class SubmitDialog(ConfirmDialog):
    """A confirmation that a budget can stop, and in which a few rows can be chosen to go first.

    Args:
        title: The question.
        facts: What holds either way: name and value, a line each.
        whole: Rows, tokens and cost of everything.
        few: Those of a sample; ``None`` where there are too few rows for one.
        note: A sentence below.
        sample: Is the sample chosen at first?
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("s", "sample", show=False)]
    DEFAULT_CSS = """
    SubmitDialog > .dialog { width: 72; }
    SubmitDialog #submit-sample { height: 1; margin-bottom: 1; }
    """

    def __init__(
        self,
        title: str,
        facts: Sequence[tuple[str, str]],
        whole: SubmitFacts,
        few: SubmitFacts | None,
        note: str = "",
        *,
        sample: bool = False,
    ) -> None:
        super().__init__(title, facts, "Submit", note)
        self._whole = whole
        self._few = few
        self.sample = sample and few is not None

    def compose_inside(self) -> ComposeResult:
        """Facts, the choice of a sample, buttons."""
        inside = iter(super().compose_inside())
        yield next(inside)
        if self._few is not None:
            yield Static("", id="submit-sample", markup=False)
        yield from inside

    def on_mount(self) -> None:
        """Show what is chosen."""
        super().on_mount()
        self._draw()

    @property
    def stop(self) -> str:
        """Why it cannot be sent as chosen."""
        return self._chosen.stop

    @property
    def _chosen(self) -> SubmitFacts:
        return self._few if self.sample and self._few is not None else self._whole

    def _draw(self) -> None:
        chosen = self._chosen
        parts: list[Part] = []
        facts = [
            ("requests", chosen.rows),
            *self._facts,
            ("input", chosen.input),
            ("cost", chosen.cost),
        ]
        for name, value in facts:
            parts += [(f"{name:<10}", "muted"), (value + "\n", "strong" if name == "cost" else "")]
        if chosen.stop:
            parts.append((f"\n✗ Stopped by the budget: {one_line(chosen.stop, 300)}", "bad"))
        elif self._note:
            parts.append((f"\n{self._note}", "muted"))
        self.query_one(".dialog-text", Static).update(content(parts).rstrip())
        for line in self.query("#submit-sample").results(Static):
            mark = "●" if self.sample else "○"
            words = f"{mark} send a sample first; the other rows wait as a draft"
            line.update(content([("s  ", "accent"), (words, "")]))
        self.query_one("#yes", Button).disabled = bool(chosen.stop)

    @on(events.Click, "#submit-sample")
    def _sample_clicked(self) -> None:
        self.action_sample()

    def action_sample(self) -> None:
        """Send a few first, or all."""
        if self._few is not None:
            self.sample = not self.sample
            self._draw()

    def action_confirm(self) -> None:
        """Yes, unless a budget stops it."""
        if self.stop:
            self.app.bell()
        else:
            super().action_confirm()
