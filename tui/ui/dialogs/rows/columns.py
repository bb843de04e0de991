"""The checklist of table columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import OptionList, Static

from tui.core.analysis.columns import DERIVED_PREFIX
from tui.ui.dialogs.base import Dialog
from tui.ui.text.tones import Part, content, key_hints
from tui.ui.widgets.basics import PlainList

ColumnOffer = tuple[str, str, str]
"""Key, name and help of a column."""


class ColumnList(PlainList):
    """The list of columns; enter applies the dialog rather than toggling an entry."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "select", show=False),
        Binding("enter", "screen.confirm", show=False),
    ]


@dataclass(frozen=True)
class ColumnsAnswer:
    """What was chosen.

    Attributes:
        shown: The keys of the columns to show, in order.
        derive: Whether a derived column is to be added to them.
        remove: The key of a derived column to remove; may be empty.
    """

    shown: list[str]
    derive: bool = False
    remove: str = ""


class ColumnsDialog(Dialog[ColumnsAnswer]):
    """A checklist of columns, in display order; nothing changes until ``enter``.

    Args:
        offered: Every available column.
        shown: The keys of the visible columns, in order.
        usual: The keys of the default columns.
    """

    DEFAULT_CSS = """
    ColumnsDialog > .dialog { width: 74; }
    ColumnsDialog #columns { max-height: 16; padding: 0 1; margin-bottom: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("J,shift+down", "move(1)", show=False),
        Binding("K,shift+up", "move(-1)", show=False),
        Binding("r", "reset", show=False),
        Binding("a", "derive", show=False),
        Binding("d,delete", "remove", show=False),
    ]

    def __init__(
        self, offered: Sequence[ColumnOffer], shown: Sequence[str], usual: Sequence[str]
    ) -> None:
        super().__init__("Columns")
        self._names = {key: (name, help) for key, name, help in offered}
        self._usual = list(usual)
        self._checked: set[str] = set()
        self._order: list[str] = []
        self._set_columns(shown)
        self._list = ColumnList(id="columns")

    def compose_content(self) -> ComposeResult:
        """The list, its keys, buttons."""
        yield self._list
        keys = key_hints(("space", "show or hide"), ("J K", "move"), ("r", "reset"))
        keys += key_hints(("a", "new column"), ("d", "remove it"))
        yield Static(content(keys), classes="dialog-text", markup=False)
        yield from self.buttons("Apply  enter")

    def on_mount(self) -> None:
        """Fill the list."""
        self._fill(0)
        self._list.focus()

    def _set_columns(self, shown: Sequence[str]) -> None:
        known = [key for key in shown if key in self._names]
        self._checked = set(known)
        self._order = known + [key for key in self._names if key not in self._checked]

    def _fill(self, highlighted: int) -> None:
        self._list.fill([content(self._line(key)) for key in self._order], highlighted)

    def _line(self, key: str) -> list[Part]:
        name, help = self._names[key]
        on = key in self._checked
        mark: Part = ("● ", "accent") if on else ("○ ", "muted")
        return [mark, (f"{name:<14.24}", "" if on else "muted"), (f" {help}", "muted")]

    @on(OptionList.OptionSelected)
    def _toggled(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        key = self._order[event.option_index]
        self._checked.symmetric_difference_update((key,))
        self._list.replace_option_prompt_at_index(event.option_index, content(self._line(key)))

    def action_move(self, step: int) -> None:
        """Move the column up or down."""
        at = self._list.highlighted
        if at is None or not 0 <= at + step < len(self._order):
            return
        self._order[at], self._order[at + step] = self._order[at + step], self._order[at]
        self._fill(at + step)

    def action_reset(self) -> None:
        """Restore the default columns."""
        self._set_columns(self._usual)
        self._fill(0)

    @property
    def _shown(self) -> list[str]:
        return [key for key in self._order if key in self._checked]

    def action_confirm(self) -> None:
        """Apply the choice; at least one column must be checked."""
        if not self._shown:
            self.app.bell()
            return
        self.dismiss(ColumnsAnswer(self._shown))

    def action_derive(self) -> None:
        """Apply the choice, and add a column that is computed from others."""
        self.dismiss(ColumnsAnswer(self._shown, derive=True))

    def action_remove(self) -> None:
        """Remove the derived column under the cursor."""
        at = self._list.highlighted
        key = "" if at is None else self._order[at]
        if not key.startswith(DERIVED_PREFIX):
            self.app.bell()
            return
        shown = [each for each in self._shown if each != key]
        self.dismiss(ColumnsAnswer(shown, remove=key))
