"""The settings as a list: name, value, and what the one under the cursor does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from tui.core.text import one_line
from tui.ui import formatting
from tui.ui.dialogs.dialog import Dialog
from tui.ui.tones import Part, content

_TITLE = 22


@dataclass(frozen=True)
class SettingsRow:
    """A setting as it is shown."""

    title: str
    value: str
    help: str


class SettingsDialog(Dialog[int]):
    """Enter changes the setting under the cursor; the answer is its place.

    Args:
        rows: The settings.
        at: Where the cursor is.
        file: Where they are written.
    """

    TITLE_TEXT = "Settings"
    DEFAULT_CSS = """
    SettingsDialog > .dialog { width: 76; padding: 1 1 0 1; }
    SettingsDialog OptionList { height: auto; max-height: 16; border: none; }
    SettingsDialog #settings-help { height: 3; padding: 1 1 0 1; }
    SettingsDialog #settings-help, SettingsDialog .dialog-keys {
        text-wrap: nowrap; text-overflow: ellipsis;
    }
    SettingsDialog .dialog-keys { height: 1; padding: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "step(1)", show=False),
        Binding("k", "step(-1)", show=False),
        Binding("q,comma", "leave", show=False),
        Binding("space", "take", show=False),
    ]

    def __init__(self, rows: Sequence[SettingsRow], at: int, file: Path) -> None:
        super().__init__()
        self._rows = rows
        self._at = at
        self._file = file

    def compose_inside(self) -> ComposeResult:
        """The list, what the setting does, the keys."""
        yield OptionList(
            *(
                Option(
                    content([(f" {row.title:<{_TITLE}}", ""), (one_line(row.value, 44), "accent")])
                )
                for row in self._rows
            ),
            compact=True,
        )
        yield Static("", id="settings-help", markup=False)
        keys: list[Part] = [("enter", "accent"), (" changes   ", "muted")]
        keys += [
            ("esc", "accent"),
            (" leaves   ", "muted"),
            (formatting.path(self._file, 36), "muted"),
        ]
        yield Static(content(keys), classes="dialog-keys", markup=False)

    def on_mount(self) -> None:
        """Where the cursor was."""
        options = self.query_one(OptionList)
        options.highlighted = self._at
        options.focus()

    def action_step(self, step: int) -> None:
        """One down or up."""
        options = self.query_one(OptionList)
        if step > 0:
            options.action_cursor_down()
        else:
            options.action_cursor_up()

    def action_take(self) -> None:
        """Change the setting under the cursor."""
        self.query_one(OptionList).action_select()

    @on(OptionList.OptionHighlighted)
    def _highlighted(self, event: OptionList.OptionHighlighted) -> None:
        event.stop()
        words = self._rows[event.option_index].help
        self.query_one("#settings-help", Static).update(content([(words, "muted")]))

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.dismiss(event.option_index)
