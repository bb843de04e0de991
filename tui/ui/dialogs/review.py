"""The dialogs of a review: which rows, and the answer as it should be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Grid
from textual.widgets import Input, Label, RadioSet, Static, TextArea

from tui.core.text import one_line
from tui.ui.dialogs.base import FormDialog
from tui.ui.text.tones import Part, content
from tui.ui.widgets.basics import DotRadioButton, Field
from tui.ui.widgets.compose_inputs import JsonTextArea, PlainTextArea


@dataclass(frozen=True)
class ReviewAnswer:
    """The user's choice.

    Attributes:
        rows: Index of the chosen set.
        sample: How many rows of it; ``None`` for all.
        by: The column whose values get equal shares of the sample; empty for none.
        seed: The seed of the sample.
    """

    rows: int
    sample: int | None = None
    by: str = ""
    seed: int = 0


class ReviewDialog(FormDialog[ReviewAnswer]):
    """Chooses the rows of a review; enter in any field starts it.

    Args:
        sets: What can be reviewed: name and number of rows, the default first.
        reviewer: The name of the reviewer.
        problem: Returns what is wrong with a column; empty if it can be used.
    """

    DEFAULT_CSS = """
    ReviewDialog > .dialog { width: 68; }
    ReviewDialog RadioSet { width: 1fr; margin-bottom: 1; border: none; padding: 0; }
    ReviewDialog Grid {
        grid-size: 2; grid-columns: 17 1fr; grid-rows: 1; height: 3; margin-bottom: 1;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+s", "confirm", show=False)]

    def __init__(
        self, sets: Sequence[tuple[str, int]], reviewer: str, problem: Callable[[str], str]
    ) -> None:
        super().__init__("Review answers")
        self._sets = sets
        self._reviewer = reviewer
        self._problem = problem

    def compose_content(self) -> ComposeResult:
        """The rows, the sample, who reviews, and the buttons."""
        labels = [f"{name}: {count:,}" for name, count in self._sets]
        if len(labels) > 1:
            with RadioSet(compact=True, id="review-rows"):
                for place, label in enumerate(labels):
                    yield DotRadioButton(label, value=not place, compact=True)
        else:
            yield Static(labels[0], classes="dialog-text", markup=False)
        with Grid():
            for name, label, hint in (
                ("sample", "random sample of", "all of them"),
                ("by", "equal shares of", "a column such as @label, in.lang or model"),
                ("seed", "sample number", "0; another number gives other rows"),
            ):
                yield Label(label)
                yield Field(placeholder=hint, compact=True, id=f"review-{name}")
        yield self.note()
        yield from self.buttons("Review  enter")

    def on_mount(self) -> None:
        """Focus the size of the sample."""
        self.query_one("#review-sample").focus()
        self._explain()

    def _text(self, name: str) -> str:
        return self.query_one(f"#review-{name}", Input).value.strip()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._explain()

    def _explain(self) -> bool:
        """Say what is wrong, or who reviews; returns whether the form is valid."""
        problem = ""
        for name, what in (("sample", "The sample"), ("seed", "The sample number")):
            text = self._text(name)
            if text and (not (text.isascii() and text.isdigit()) or len(text) > 9):
                problem = f"{what} must be a whole number."
        if not problem and self._text("sample").strip("0") == "" != self._text("sample"):
            problem = "A sample needs at least one row."
        if not problem and (by := self._text("by")):
            problem = self._problem(by)
            if not self._text("sample"):
                problem = problem or "Equal shares need the size of the sample."
        if problem:
            self.say(problem, "warn")
            return False
        name = one_line(self._reviewer, 30)
        note = f"Reviewer: {name} ([review] name in config.toml)."
        self.say(f"{note} Rows that are reviewed are passed over.")
        return True

    def entered(self) -> None:
        """Start after ``enter`` in a field."""
        self.action_confirm()

    def action_confirm(self) -> None:
        """Start the review, if the form is valid."""
        if not self._explain():
            self.app.bell()
            return
        chosen = 0
        for radio in self.query("#review-rows").results(RadioSet):
            chosen = max(0, radio.pressed_index)
        sample = self._text("sample")
        self.dismiss(
            ReviewAnswer(
                chosen,
                int(sample) if sample else None,
                self._text("by"),
                int(self._text("seed") or 0),
            )
        )


class CorrectionDialog(FormDialog[str]):
    """Edits an answer; ``ctrl+s`` saves the text beside the original, which stays as it is.

    Args:
        text: The answer, or the correction of before.
        remark: What saving does.
        is_json: Whether the answer is JSON.
        check: Returns what is wrong with a text, at most a few sentences; empty if nothing.
    """

    DEFAULT_CSS = """
    CorrectionDialog > .dialog { width: 96%; max-width: 120; height: 90%; }
    CorrectionDialog TextArea { height: 1fr; }
    CorrectionDialog .form-note { margin-top: 1; max-height: 4; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "confirm", "Save", priority=True),
    ]

    def __init__(
        self, text: str, remark: str, *, is_json: bool, check: Callable[[str], Sequence[str]]
    ) -> None:
        super().__init__("Correct the answer")
        self._remark = remark
        kind = JsonTextArea if is_json else PlainTextArea
        self._area = kind(text, id="correction")
        self._check = check
        self._confirmed: str | None = None

    def compose_content(self) -> ComposeResult:
        """The text, what is wrong with it, and the buttons."""
        yield self._area
        yield self.note()
        yield from self.buttons("Save  ctrl+s")

    def on_mount(self) -> None:
        """Focus the text."""
        self._area.focus()
        self._explain()

    @on(TextArea.Changed)
    def _typed(self, event: TextArea.Changed) -> None:
        event.stop()
        self._confirmed = None
        self._explain()

    def _explain(self, *, again: bool = False) -> bool:
        problems = self._check(self._area.text)
        parts: list[Part] = [(self._remark, "muted")]
        if problems:
            parts = [(one_line(problem, 200) + "\n", "warn") for problem in problems[:2]]
            if again:
                parts += [("ctrl+s", "accent"), (" again saves it anyway", "muted")]
        self.query_one(".form-note", Static).update(content(parts))
        return not problems

    def action_confirm(self) -> None:
        """Save the text; one that does not match the schema has to be confirmed."""
        text = self._area.text
        if not self._explain(again=True) and self._confirmed != text:
            self._confirmed = text
            self.app.bell()
            return
        self.dismiss(text)
