"""The line that says which rows are shown, and takes a text to look for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Input, Static

from tui.core.text import one_line
from tui.ui.tones import Part, content

TYPING_PAUSE = 0.15
"""Seconds without a key before the rows are looked through."""


class FilterField(Input):
    """The words that are typed; the footer tells the keys that are no text."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "Keep", tooltip="Keep the words, and go to the rows."),
        Binding("escape", "screen.back", "Clear", tooltip="Show all rows again."),
    ]

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """Is a key text here? The framework knows no character by the name of ``slash``."""
        return key == "slash" or super().check_consume_key(key, character)


class FilterLine(Horizontal):
    """One line: what is filtered for on the left, ``1,204 of 50,000`` on the right."""

    DEFAULT_CSS = """
    FilterLine {
        height: 1;
        Input { width: 1fr; height: 1; border: none; padding: 0 1; }
        #filter-slash { width: 2; }
        #filter-what { width: 1fr; height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
        #filter-count { width: 26; height: 1; text-align: right; }
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

    def __init__(
        self, placeholder: str, *, field: FilterField | None = None, id: str | None = None
    ) -> None:
        super().__init__(id=id)
        self._timer: Timer | None = None
        self._text = ""
        self._slash = Static("/", id="filter-slash")
        self._field = field or FilterField(placeholder=placeholder, compact=True, id="filter-input")
        self._what = Static("", id="filter-what", markup=False)
        self._count = Static("", id="filter-count", markup=False)
        self._set_editing(False)

    def compose(self) -> ComposeResult:
        """The words, the input that takes their place, and the count."""
        yield self._slash
        yield self._field
        yield self._what
        yield self._count

    def on_click(self) -> None:
        """A click is as good as the key."""
        if not self.is_editing:
            self.edit()

    @property
    def text(self) -> str:
        """What is looked for."""
        return self._text

    @property
    def is_editing(self) -> bool:
        """Is a text being typed?"""
        return self._field.display

    def edit(self) -> None:
        """Let a text be typed."""
        self._set_editing(True)
        # At once: keys that follow in the same breath are text, not commands.
        self.screen.set_focus(self._field)

    def may_leave(self, text: str) -> bool:
        """Is the text one that can be kept?"""
        return True

    def restore(self, text: str) -> None:
        """Look for a text that was looked for before, without telling it."""
        self._text = text
        with self._field.prevent(Input.Changed):
            self._field.value = text

    def clear(self) -> None:
        """Look for nothing, and say so if that is new."""
        with self._field.prevent(Input.Changed):
            self._field.value = ""
        self._set_editing(False)
        self._look_for("")

    def show(
        self,
        conditions: list[Part],
        shown: int,
        total: int,
        noun: str,
        escape: str = "shows all",
    ) -> None:
        """Say what is shown: conditions other than the text, and how many of how many."""
        parts: list[Part] = []
        for text, tone in conditions:
            parts += [("  ", ""), (one_line(text, 60), tone)]
        if self._text:
            parts += [("  ", ""), (f"contains {one_line(self._text, 40)!r}", "accent")]
        if parts:
            parts += [("   esc ", "accent"), (escape, "muted")]
        else:
            parts = [(f" All {noun}", "muted")]
        self._what.update(content(parts), layout=False)
        count: list[Part] = [(f"{shown:,}", "strong"), (f" of {total:,} ", "muted")]
        self._count.update(content(count), layout=False)

    def _set_editing(self, editing: bool) -> None:
        # Set at once rather than by a class: only what is displayed can take the focus.
        self._slash.display = self._field.display = editing
        self._what.display = not editing

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
        if not self.may_leave(event.value):
            self.app.bell()
            return
        self._set_editing(False)
        self.post_message(self.Left(self))

    def _look_for(self, text: str) -> None:
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
        text = text.strip()
        if text != self._text:
            self._text = text
            self.post_message(self.Changed(self, text))
