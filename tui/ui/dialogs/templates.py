"""Saved templates: load one, save what is in the form under a name, delete one."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Button, Input, Label, OptionList, Static
from textual.widgets.option_list import Option

from tui.compose import samples
from tui.compose.saved import SavedTemplate, file_name, list_templates
from tui.compose.template import Template
from tui.core.text import one_line, visible
from tui.ui.dialogs.dialog import Dialog
from tui.ui.tones import Part, content


@dataclass(frozen=True)
class TemplateAnswer:
    """What was chosen: a template to load, or a name to save under."""

    template: Template | None = None
    save_as: str = ""


class TemplatesDialog(Dialog[TemplateAnswer | None]):
    """A list of templates, and below it a name for the one in the form.

    Args:
        folder: Where the saved ones are.
        name: Proposed for saving.
        can_save: Is there anything to save?
    """

    TITLE_TEXT = "Templates"
    DEFAULT_CSS = """
    TemplatesDialog > .dialog { width: 78; height: 80%; max-height: 24; }
    TemplatesDialog OptionList { height: 1fr; border: none; padding: 0; }
    TemplatesDialog #templates-note { height: 2; margin-top: 1; }
    TemplatesDialog .templates-save { height: 1; margin-bottom: 1; }
    TemplatesDialog .templates-save Label { width: 9; }
    TemplatesDialog .templates-save Input { width: 1fr; margin-right: 2; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("D,delete", "remove", show=False),
        Binding("j", "move(1)", show=False),
        Binding("k", "move(-1)", show=False),
    ]

    def __init__(self, folder: Path, name: str = "", *, can_save: bool = True) -> None:
        super().__init__()
        self._folder = folder
        self._proposed = name
        self._can_save = can_save
        self._entries: list[SavedTemplate] = []
        self._asked: Path | None = None

    def compose_inside(self) -> ComposeResult:
        """The list, what can be done, the name."""
        yield OptionList(compact=True, markup=False, id="templates-list")
        yield Static("", id="templates-note", markup=False)
        if self._can_save:
            with Horizontal(classes="templates-save"):
                yield Label("Save as")
                yield Input(visible(self._proposed), compact=True, id="templates-name")
                yield Button("Save", id="templates-save", compact=True)

    def on_mount(self) -> None:
        """Read the folder."""
        self.query_one(OptionList).focus()
        self._explain()
        self._list()

    @work(group="templates", exclusive=True, exit_on_error=False)
    async def _list(self) -> None:
        saved = await asyncio.to_thread(list_templates, self._folder)
        packaged = await asyncio.to_thread(list_templates, samples.FOLDER)
        self._entries = [*saved, *packaged]
        entries = self.query_one(OptionList)
        entries.clear_options()
        for entry in self._entries:
            disabled = entry.template is None
            entries.add_option(Option(_prompt(entry, entry in packaged), disabled=disabled))
        if self._entries:
            entries.highlighted = 0

    def _explain(self, question: str = "") -> None:
        parts: list[Part] = [(question, "warn")] if question else []
        if not question:
            for key, words in (
                ("enter", "loads"),
                ("D", "deletes it"),
                ("tab", "to save"),
            ):
                if key != "tab" or self._can_save:
                    parts += [(key, "accent"), (f" {words}   ", "muted")]
            parts += [("esc", "accent"), (" leaves", "muted")]
        self.query_one("#templates-note", Static).update(content(parts))

    @property
    def _chosen(self) -> SavedTemplate | None:
        place = self.query_one(OptionList).highlighted
        return self._entries[place] if place is not None and place < len(self._entries) else None

    @on(OptionList.OptionHighlighted)
    def _moved(self) -> None:
        if self._asked is not None:
            self._asked = None
            self._explain()

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        chosen = self._entries[event.option_index]
        if chosen.template is not None:
            self.dismiss(TemplateAnswer(template=chosen.template))

    def action_move(self, step: int) -> None:
        """To another entry."""
        entries = self.query_one(OptionList)
        (entries.action_cursor_down if step > 0 else entries.action_cursor_up)()

    async def action_remove(self) -> None:
        """Delete the saved template under the cursor; the key is asked for twice."""
        chosen = self._chosen
        if chosen is None or chosen.path.parent != self._folder:
            self.app.bell()
        elif self._asked != chosen.path:
            self._asked = chosen.path
            self._explain(f"Delete {one_line(chosen.name, 40)} for good? Press D again.")
        else:
            self._asked = None
            await asyncio.to_thread(chosen.path.unlink, missing_ok=True)
            self._explain()
            self._list()

    @on(Input.Submitted)
    @on(Button.Pressed, "#templates-save")
    def _save(self) -> None:
        name = self.query_one("#templates-name", Input).value.strip()
        if not file_name(name):
            self._explain("Give it a name of letters and digits.")
            return
        taken = next((e for e in self._entries if e.path.stem == file_name(name)), None)
        if taken is not None and taken.path.parent == self._folder and self._asked != taken.path:
            self._asked = taken.path
            self._explain(f"{one_line(taken.name, 40)} is there already: enter again replaces it.")
            return
        self.dismiss(TemplateAnswer(save_as=name))


def _prompt(entry: SavedTemplate, packaged: bool) -> Content:
    name = one_line(entry.name, 18)
    if entry.template is None:
        return content([(f"{name:<20}", "bad"), (one_line(entry.trouble, 46), "muted")])
    template = entry.template
    words = template.description or template.user
    parts: list[Part] = [(f"{name:<20}", ""), (f"{template.kind:<11}", "live")]
    parts.append((one_line(("sample: " if packaged else "") + words, 34), "muted"))
    return content(parts)
