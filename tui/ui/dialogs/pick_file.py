"""Choosing a file by typing, completing and walking, without leaving the keyboard."""

from __future__ import annotations

import glob
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from tui.core.text import one_line
from tui.ui import formatting
from tui.ui.dialogs.dialog import Dialog
from tui.ui.tones import Part, content
from tui.ui.widgets.path_list import (
    PathChoice,
    choices,
    completed,
    expand,
    is_typeable,
    shown,
)


class PickFileDialog(Dialog[Path | None]):
    """A path to type, and below it what it can become.

    Args:
        start: The folder to begin in.
    """

    TITLE_TEXT = "Choose a file: a table, a text or requests"
    DEFAULT_CSS = """
    PickFileDialog > .dialog { width: 84; height: 80%; max-height: 26; }
    PickFileDialog Input { margin-bottom: 1; }
    PickFileDialog OptionList { height: 1fr; border: none; padding: 0; }
    PickFileDialog .dialog-keys { height: 1; margin: 1 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,ctrl+n", "move(1)", show=False, priority=True),
        Binding("up,ctrl+p", "move(-1)", show=False, priority=True),
        Binding("tab", "complete", show=False, priority=True),
    ]

    def __init__(self, start: Path) -> None:
        super().__init__()
        self._start = start
        self._found: list[PathChoice] = []

    def compose_inside(self) -> ComposeResult:
        """Input, list, keys."""
        value = shown(PathChoice(self._start, is_folder=True))
        yield Input(value=value, compact=True, select_on_focus=False, id="pick-path")
        files = OptionList(compact=True, markup=False, id="pick-list")
        files.can_focus = False
        yield files
        keys: list[Part] = []
        for key, words in (("tab", "completes"), ("↑↓", "choose"), ("enter", "takes it")):
            keys += [(key, "accent"), (f" {words}   ", "muted")]
        keys += [("esc", "accent"), (" leaves", "muted")]
        yield Static(content(keys), classes="dialog-keys")

    def on_mount(self) -> None:
        """Show the folder to begin in."""
        field = self.query_one(Input)
        field.cursor_position = len(field.value)
        field.focus()
        self._list(field.value)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._list(event.value)

    def _list(self, typed: str) -> None:
        self._found = choices(typed)
        files = self.query_one(OptionList)
        files.clear_options()
        if self._found:
            files.add_options(Option(_prompt(choice)) for choice in self._found)
            files.highlighted = 0
        else:
            files.add_option(Option("Nothing here begins like that", disabled=True))

    def action_move(self, step: int) -> None:
        """To another entry of the list."""
        files = self.query_one(OptionList)
        if self._found:
            place = (files.highlighted or 0) + step
            files.highlighted = max(0, min(place, len(self._found) - 1))

    def action_complete(self) -> None:
        """Carry on with what is typed as far as it is clear."""
        field = self.query_one(Input)
        longer = completed(field.value, self._found)
        chosen = self._chosen
        if longer == field.value and chosen is not None and is_typeable(chosen.path.name):
            longer = shown(chosen)
        self._type(longer)

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        path = expand(event.value)
        if event.value and not event.value.endswith("/") and path.is_file():
            self.dismiss(path)
        elif glob.has_magic(event.value) and not path.exists():
            # Every file that fits is a document.
            self.dismiss(path)
        elif self._chosen is not None:
            self._take(self._chosen)

    @on(OptionList.OptionSelected)
    def _clicked(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        if event.option_index < len(self._found):
            self._take(self._found[event.option_index])

    @property
    def _chosen(self) -> PathChoice | None:
        place = self.query_one(OptionList).highlighted
        return self._found[place] if place is not None and place < len(self._found) else None

    def _take(self, choice: PathChoice) -> None:
        if choice.is_folder:
            self._type(shown(choice))
        else:
            self.dismiss(choice.path)

    def _type(self, text: str) -> None:
        field = self.query_one(Input)
        field.value = text
        field.cursor_position = len(text)
        field.focus()


def _prompt(choice: PathChoice) -> Content:
    name = one_line(choice.path.name, 56)
    if choice.is_folder:
        return content([(name + "/", "live")])
    size = f"  {formatting.size(choice.size)}"
    return content([(name, "" if choice.fits else "muted"), (size, "muted")])
