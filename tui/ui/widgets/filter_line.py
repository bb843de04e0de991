"""The line that says which rows are shown, and takes a text to look for."""

from __future__ import annotations

from dataclasses import dataclass

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Input, Static

from tui.core.text import one_line
from tui.ui.tones import Part, content

TYPING_PAUSE = 0.15
"""Seconds without a key before the rows are looked through."""


class FilterLine(Horizontal):
    """One line: what is filtered for on the left, ``1,204 of 50,000`` on the right."""

    DEFAULT_CSS = """
    FilterLine {
        height: 1;
        Input { width: 1fr; height: 1; border: none; padding: 0 1; display: none; }
        #filter-slash { width: 2; display: none; }
        #filter-what { width: 1fr; height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
        #filter-count { width: 26; height: 1; text-align: right; }
        &.-editing Input { display: block; }
        &.-editing #filter-slash { display: block; }
        &.-editing #filter-what { display: none; }
    }
    """

    @dataclass
    class Changed(Message):
        """Posted when another text is to be looked for."""

        line: FilterLine
        text: str

        @property
        def control(self) -> FilterLine:
            """The filter line."""
            return self.line

    @dataclass
    class Left(Message):
        """Posted when the keys should go to the rows again."""

        line: FilterLine

        @property
        def control(self) -> FilterLine:
            """The filter line."""
            return self.line

    def __init__(self, placeholder: str, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._placeholder = placeholder
        self._timer: Timer | None = None
        self._text = ""

    def compose(self) -> ComposeResult:
        """The words, the input that takes their place, and the count."""
        yield Static("/", id="filter-slash")
        yield Input(placeholder=self._placeholder, compact=True, id="filter-input")
        yield Static("", id="filter-what")
        yield Static("", id="filter-count")

    @property
    def text(self) -> str:
        """What is looked for."""
        return self._text

    @property
    def is_editing(self) -> bool:
        """Is a text being typed?"""
        return self.has_class("-editing")

    def edit(self) -> None:
        """Let a text be typed."""
        self.add_class("-editing")
        self.query_one(Input).focus()

    def clear(self) -> None:
        """Look for nothing, and say so if that is new."""
        field = self.query_one(Input)
        with field.prevent(Input.Changed):
            field.value = ""
        self.remove_class("-editing")
        self._look_for("")

    def show(self, conditions: list[Part], shown: int, total: int, noun: str) -> None:
        """Say what is shown: conditions other than the text, and how many of how many."""
        parts: list[Part] = []
        for text, tone in conditions:
            parts += [("  ", ""), (one_line(text, 60), tone)]
        if self._text:
            parts += [("  ", ""), (f"contains {one_line(self._text, 40)!r}", "accent")]
        if parts:
            parts += [("   esc ", "accent"), ("shows all", "muted")]
        else:
            parts = [(f" All {noun}", "muted")]
        self.query_one("#filter-what", Static).update(content(parts), layout=False)
        count: list[Part] = [(f"{shown:,}", "strong"), (f" of {total:,} ", "muted")]
        self.query_one("#filter-count", Static).update(content(count), layout=False)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        if self._timer is not None:
            self._timer.stop()
        value = event.value
        self._timer = self.set_timer(TYPING_PAUSE, lambda: self._look_for(value))

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        self._look_for(event.value)
        self.remove_class("-editing")
        self.post_message(self.Left(self))

    def _look_for(self, text: str) -> None:
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
        text = text.strip()
        if text != self._text:
            self._text = text
            self.post_message(self.Changed(self, text))
