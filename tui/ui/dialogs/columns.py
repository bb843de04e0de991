"""Which columns a table has, and in which order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Button, OptionList, Static
from textual.widgets.option_list import Option

from tui.ui.dialogs.dialog import Dialog
from tui.ui.tones import Part, content

Offer = tuple[str, str, str]
"""Key, name and help of a column."""


class ColumnList(OptionList):
    """The columns, each with a check; keys are those of the dialog."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "select", show=False),
        Binding("enter", "screen.apply", show=False),
        Binding("j", "cursor_down", show=False),
        Binding("k", "cursor_up", show=False),
    ]


class ColumnsDialog(Dialog[list[str] | None]):
    """Checked columns are shown in the order of the list; no key but ``enter`` changes the table.

    Args:
        offered: Every column that there is.
        shown: The keys of those that are shown, in order.
        usual: The keys of those that are shown at first.
    """

    TITLE_TEXT = "Columns"
    DEFAULT_CSS = """
    ColumnsDialog > .dialog { width: 58; }
    ColumnsDialog OptionList { height: auto; max-height: 16; border: none; margin-bottom: 1; }
    ColumnsDialog OptionList:focus { border: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("J,shift+down", "move(1)", show=False),
        Binding("K,shift+up", "move(-1)", show=False),
        Binding("r", "reset", show=False),
    ]

    def __init__(
        self, offered: Sequence[Offer], shown: Sequence[str], usual: Sequence[str]
    ) -> None:
        super().__init__()
        self._names = {key: (name, help) for key, name, help in offered}
        self._usual = list(usual)
        self._checked: set[str] = set()
        self._order: list[str] = []
        self._take(shown)
        self._list = ColumnList(id="columns")

    def compose_inside(self) -> ComposeResult:
        """The list, its keys, buttons."""
        yield self._list
        keys: list[Part] = []
        for key, what in (("space", "shows or hides"), ("J K", "move it"), ("r", "as at first")):
            keys += [(key, "accent"), (f" {what}   ", "muted")]
        yield Static(content(keys), classes="dialog-text", markup=False)
        with Horizontal(classes="dialog-buttons"):
            yield Button("Cancel  esc", id="no", compact=True)
            yield Button("Use  enter", id="yes", variant="primary", compact=True)

    def on_mount(self) -> None:
        """Fill the list."""
        self._fill(0)
        self._list.focus()

    def _take(self, shown: Sequence[str]) -> None:
        known = [key for key in shown if key in self._names]
        self._checked = set(known)
        self._order = known + [key for key in self._names if key not in self._checked]

    def _fill(self, highlighted: int) -> None:
        self._list.clear_options()
        self._list.add_options([Option(content(self._line(key))) for key in self._order])
        self._list.highlighted = highlighted

    def _line(self, key: str) -> list[Part]:
        name, help = self._names[key]
        on = key in self._checked
        sign: Part = ("● ", "accent") if on else ("○ ", "muted")
        return [sign, (f"{name:<14.24}", "" if on else "muted"), (f" {help}", "muted")]

    @on(OptionList.OptionSelected)
    def _toggled(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        key = self._order[event.option_index]
        self._checked.symmetric_difference_update((key,))
        self._list.replace_option_prompt_at_index(event.option_index, content(self._line(key)))

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        event.stop()
        if event.button.id == "yes":
            self.action_apply()
        else:
            self.dismiss(None)

    def action_move(self, step: int) -> None:
        """Move the column up or down."""
        at = self._list.highlighted
        if at is None or not 0 <= at + step < len(self._order):
            return
        self._order[at], self._order[at + step] = self._order[at + step], self._order[at]
        self._fill(at + step)

    def action_reset(self) -> None:
        """The columns as they come."""
        self._take(self._usual)
        self._fill(0)

    def action_apply(self) -> None:
        """Use them; a table without a column is none."""
        shown = [key for key in self._order if key in self._checked]
        if not shown:
            self.app.bell()
            return
        self.dismiss(shown)
