"""A derived column: its name, and the expression or pattern that gives its values."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Grid
from textual.widgets import Input, Label, RadioSet, Static

from tui.core import formatting
from tui.core.analysis.derived import VARIABLES, Computed, DerivedColumn
from tui.core.text import one_line
from tui.errors import BatchdeckError
from tui.ui.dialogs.base import FormDialog
from tui.ui.text.tones import Part, content
from tui.ui.widgets.basics import DotRadioButton, Field

TryColumn = Callable[[DerivedColumn], Awaitable[Sequence[Computed]]]
"""Computes a column for the first rows; raises ``BatchdeckError`` if it is not valid."""

_SHOWN = 5


class DerivedColumnDialog(FormDialog[DerivedColumn]):
    """Asks for a derived column; enter shows its first values, and enter again adds it.

    Args:
        try_column: Computes the first values.
    """

    DEFAULT_CSS = """
    DerivedColumnDialog > .dialog { width: 76; }
    DerivedColumnDialog RadioSet { width: 1fr; margin-bottom: 1; border: none; padding: 0; }
    DerivedColumnDialog Grid {
        grid-size: 2; grid-columns: 12 1fr; grid-rows: 1; height: auto; margin-bottom: 1;
    }
    DerivedColumnDialog #derived-help { height: auto; margin-bottom: 1; }
    DerivedColumnDialog .form-note { min-height: 2; max-height: 4; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+s", "confirm", show=False)]

    def __init__(self, try_column: TryColumn) -> None:
        super().__init__("New column")
        self._try = try_column
        self._tried: DerivedColumn | None = None

    def compose_content(self) -> ComposeResult:
        """How it is made, its name, the expression or pattern, help, and its first values."""
        with RadioSet(compact=True, id="derived-kind"):
            yield DotRadioButton("an expression (Jinja)", value=True, compact=True)
            yield DotRadioButton("a part of another column (regular expression)", compact=True)
        with Grid():
            yield Label("Name")
            yield Field(placeholder="level; in filters calc.level", compact=True, id="derived-name")
            yield Label("Values", id="derived-label")
            yield Field(compact=True, id="derived-text")
            yield Label("Column", classes="derived-of")
            yield Field("answer", compact=True, id="derived-of", classes="derived-of")
        yield Static("", id="derived-help", markup=False)
        yield self.note()
        yield from self.buttons("Try  enter")

    def on_mount(self) -> None:
        """Focus the name."""
        self._show_kind()
        self.query_one("#derived-name").focus()

    @property
    def _is_expression(self) -> bool:
        return self.query_one("#derived-kind", RadioSet).pressed_index <= 0

    @on(RadioSet.Changed)
    def _show_kind(self) -> None:
        is_expression = self._is_expression
        for widget in self.query(".derived-of"):
            widget.display = not is_expression
        examples = ("'high' if score > 3 else 'low'", r"Stars: (\d)")
        self.query_one("#derived-text", Input).placeholder = examples[not is_expression]
        if is_expression:
            parts: list[Part] = [
                ("Variables: the fields of the answer by name (label, score), and\n", "muted")
            ]
            for name, help in VARIABLES.items():
                parts += [(f"{name:<10}", "accent"), (f" {help}\n", "muted")]
            parts.append(("Rows for which it fails have no value; they are counted.", "muted"))
        else:
            help = "The first group is the value, or the whole match without a group."
            parts = [(f"{help}\nRows that do not match have no value.", "muted")]
        self.query_one("#derived-help", Static).update(content(parts))
        self._changed()

    @on(Input.Changed)
    def _changed(self) -> None:
        self._tried = None
        self.say("")

    def _column(self) -> DerivedColumn:
        def text(name: str) -> str:
            return self.query_one(f"#derived-{name}", Input).value.strip()

        if self._is_expression:
            return DerivedColumn(text("name"), expression=text("text"))
        return DerivedColumn(text("name"), text("of"), text("text"))

    def entered(self) -> None:
        """Try the column after ``enter`` in a field; add it after the second one."""
        self.action_confirm()

    def action_confirm(self) -> None:
        """Show the first values; add the column if they were shown."""
        column = self._column()
        if column == self._tried:
            self.dismiss(column)
        elif not column.name:
            self.say("Enter a name of letters, digits and underscores.", "warn")
            self.query_one("#derived-name").focus()
        elif not (column.expression or column.pattern):
            self.query_one("#derived-text").focus()
        else:
            self._show_values(column)

    @work(group="try", exclusive=True, exit_on_error=False)
    async def _show_values(self, column: DerivedColumn) -> None:
        try:
            values = await self._try(column)
        except BatchdeckError as error:
            self.say(one_line(f"{error.message}. {error.hint}", 240), "warn")
            return
        if column != self._column():
            return
        self._tried = column
        found = [one_line(one.value, 24) for one in values if one.value is not None]
        failed = [one.problem for one in values if one.problem]
        parts: list[Part] = []
        if found:
            parts += [("First values: ", "muted"), (" · ".join(found[:_SHOWN]), "")]
        else:
            parts.append(("None of the first rows has a value", "warn"))
        if failed:
            rows = formatting.counted(len(failed), "row")
            parts.append((f"\n{rows} of {len(values)} failed: {one_line(failed[0], 90)}", "warn"))
        parts += [("\nenter", "accent"), (" again adds the column", "muted")]
        self.query_one(".form-note", Static).update(content(parts))
