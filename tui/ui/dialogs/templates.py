"""The templates in their folder."""

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
from tui.compose.templates.model import Template
from tui.compose.templates.saved import SavedTemplate, list_templates, template_file_name
from tui.core.text import one_line, visible
from tui.ui.dialogs.base import Dialog
from tui.ui.dialogs.confirm import ConfirmDialog, overwrite_dialog
from tui.ui.text.tones import Part, content, in_cells, key_hints
from tui.ui.widgets.basics import Field, PlainList


@dataclass(frozen=True)
class TemplateAnswer:
    """The user's choice: a template to load, or a name to save under."""

    template: Template | None = None
    save_name: str = ""


class TemplatesDialog(Dialog[TemplateAnswer]):
    """A list of templates above an input for the name of the current one.

    Args:
        folder: The folder of the saved templates.
        name: The suggested name.
    """

    DEFAULT_CSS = """
    TemplatesDialog > .dialog { width: 78; height: 80%; max-height: 24; }
    TemplatesDialog PlainList { height: 1fr; }
    TemplatesDialog #templates-note { height: 2; margin-top: 1; }
    TemplatesDialog .templates-save { height: 1; margin-bottom: 1; }
    TemplatesDialog .templates-save Label { width: 9; }
    TemplatesDialog .templates-save Input { width: 1fr; margin-right: 2; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("D,delete", "remove", show=False),
    ]

    def __init__(self, folder: Path, name: str = "") -> None:
        super().__init__("Templates")
        self._folder = folder
        self._proposed = name
        self._entries: list[SavedTemplate] = []
        self._list = PlainList(id="templates-list")

    def compose_content(self) -> ComposeResult:
        """The list, the key hints and the name."""
        yield self._list
        yield Static("", id="templates-note", markup=False)
        with Horizontal(classes="templates-save"):
            yield Label("Save as")
            yield Field(visible(self._proposed), compact=True, id="templates-name")
            yield Button("Save", id="save", compact=True)

    def on_mount(self) -> None:
        """Read the folder."""
        self._list.focus()
        self._explain()
        self._load()

    @work(group="templates", exclusive=True, exit_on_error=False)
    async def _load(self) -> None:
        saved = await asyncio.to_thread(list_templates, self._folder)
        packaged = await asyncio.to_thread(list_templates, samples.FOLDER)
        self._entries = [*saved, *packaged]
        self._list.fill(
            [
                Option(_prompt(entry, entry in packaged), disabled=entry.template is None)
                for entry in self._entries
            ]
        )

    def _explain(self, question: str = "") -> None:
        parts: list[Part] = [(question, "warn")] if question else []
        if not question:
            parts = key_hints(("enter", "load"), ("D", "delete"), ("tab", "save"), ("esc", "close"))
        self.query_one("#templates-note", Static).update(content(parts))

    @property
    def _chosen(self) -> SavedTemplate | None:
        index = self._list.highlighted
        return self._entries[index] if index is not None and index < len(self._entries) else None

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        chosen = self._entries[event.option_index]
        if chosen.template is not None:
            self.dismiss(TemplateAnswer(template=chosen.template))

    def action_remove(self) -> None:
        """Delete the saved template under the cursor, after a yes."""
        chosen = self._chosen
        if chosen is None or chosen.path.parent != self._folder:
            self.app.bell()
            return

        async def delete(yes: bool | None) -> None:
            if yes:
                await asyncio.to_thread(chosen.path.unlink, missing_ok=True)
                self._load()

        facts = [("template", one_line(chosen.name, 40))]
        question = ConfirmDialog("Delete the template?", facts, "Delete", dangerous=True)
        self.app.push_screen(question, delete)

    @on(Input.Submitted)
    def action_save(self) -> None:
        """Save the current template under the typed name."""
        name = self.query_one("#templates-name", Input).value.strip()
        if not template_file_name(name):
            self._explain("Enter a name of letters and digits.")
            return

        def save(yes: bool | None = True) -> None:
            if yes:
                self.dismiss(TemplateAnswer(save_name=name))

        own = (entry for entry in self._entries if entry.path.parent == self._folder)
        existing = next((one for one in own if one.path.stem == template_file_name(name)), None)
        if existing is None:
            save()
        else:
            self.app.push_screen(overwrite_dialog("template", one_line(existing.name, 40)), save)


def _prompt(entry: SavedTemplate, packaged: bool) -> Content:
    name = in_cells(entry.name, 18) + "  "
    if entry.template is None:
        return content([(name, "bad"), (one_line(entry.trouble, 46), "muted")])
    template = entry.template
    words = template.description or template.user
    parts: list[Part] = [(name, ""), (f"{template.kind:<11}", "live")]
    parts.append((one_line(("sample: " if packaged else "") + words, 34), "muted"))
    return content(parts)
