"""The list of settings."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Static

from tui.core import formatting
from tui.core.text import one_line
from tui.ui.dialogs.choose import ListDialog
from tui.ui.text.tones import content, key_hints

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
