"""The list of settings, and the checklist of table columns."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import OptionList, Static

from tui.core import formatting
from tui.core.text import one_line
from tui.ui.dialogs.base import Dialog
from tui.ui.dialogs.choose import ListDialog
from tui.ui.text.tones import Part, content, key_hints
from tui.ui.widgets.basics import PlainList

_TITLE = 25


@dataclass(frozen=True)
class SettingsRow:
    """A setting as shown in the list."""

    title: str
    value: str
    help: str


class SettingsDialog(ListDialog[None]):
    """The settings; the dialog stays open below the one that changes a setting.

    So ``escape`` twice closes both: there is no moment without the list, in which the second
    one would go to the screen below.

    Args:
        rows: The settings.
        file: The config file.
    """

    DEFAULT_CSS = """
    SettingsDialog > .dialog { width: 76; }
    SettingsDialog PlainList { max-height: 16; }
    SettingsDialog #settings-help { height: 3; padding: 1 1 0 1; }
    SettingsDialog #settings-help, SettingsDialog .dialog-keys {
        text-wrap: nowrap; text-overflow: ellipsis;
    }
    SettingsDialog .dialog-keys { margin: 0; padding: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("comma", "leave", show=False),
        Binding("space", "take", show=False),
    ]

    def __init__(self, rows: Sequence[SettingsRow], file: Path) -> None:
        super().__init__("Settings", [_prompt(row) for row in rows], 0)
        self._rows = rows
        self._file = file
        self._chosen: asyncio.Queue[int | None] = asyncio.Queue()

    async def choice(self) -> int | None:
        """Wait for the index of the next setting to change; ``None`` once the dialog is closed."""
        return await self._chosen.get()

    def show_rows(self, rows: Sequence[SettingsRow]) -> None:
        """Show the settings again after a change."""
        self._rows = rows
        for index, row in enumerate(rows):
            self.list.replace_option_prompt_at_index(index, _prompt(row))

    def compose_content(self) -> ComposeResult:
        """The list, the help text and the key hints."""
        yield self.list
        yield Static("", id="settings-help", markup=False)
        keys = key_hints(("enter", "change"), ("esc", "close"))
        keys.append((formatting.short_path(self._file, 36), "muted"))
        yield Static(content(keys), classes="dialog-keys", markup=False)

    def action_take(self) -> None:
        """Change the setting under the cursor."""
        self.list.action_select()

    def highlighted(self, index: int) -> None:
        """Show what the setting under the cursor does."""
        help = self._rows[index].help
        self.query_one("#settings-help", Static).update(content([(help, "muted")]))

    def selected(self, index: int) -> None:
        """Answer ``choice``."""
        self._chosen.put_nowait(index)

    def on_unmount(self) -> None:
        """Answer ``choice``: the dialog was closed."""
        self._chosen.put_nowait(None)


def _prompt(row: SettingsRow) -> Content:
    return content([(f" {row.title:<{_TITLE}}", ""), (one_line(row.value, 44), "accent")])


ColumnOffer = tuple[str, str, str]
"""Key, name and help of a column."""


class ColumnList(PlainList):
    """The list of columns; enter applies the dialog rather than toggling an entry."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "select", show=False),
        Binding("enter", "screen.confirm", show=False),
    ]


class ColumnsDialog(Dialog[list[str]]):
    """A checklist of columns, in display order; nothing changes until ``enter``.

    Args:
        offered: Every available column.
        shown: The keys of the visible columns, in order.
        usual: The keys of the default columns.
    """

    DEFAULT_CSS = """
    ColumnsDialog > .dialog { width: 58; }
    ColumnsDialog #columns { max-height: 16; padding: 0 1; margin-bottom: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("J,shift+down", "move(1)", show=False),
        Binding("K,shift+up", "move(-1)", show=False),
        Binding("r", "reset", show=False),
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

    def action_confirm(self) -> None:
        """Apply the choice; at least one column must be checked."""
        shown = [key for key in self._order if key in self._checked]
        if not shown:
            self.app.bell()
            return
        self.dismiss(shown)
