"""Saved things: the filters of the rows by name, and the templates in their folder."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
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
from tui.ui.text.tones import Part, content, key_hints
from tui.ui.widgets.basics import Field, PlainList


@dataclass(frozen=True)
class FiltersAnswer:
    """All saved queries by name, and the query to apply (``None``: keep the current one)."""

    kept: dict[str, str]
    use: str | None = None


class FiltersDialog(Dialog[FiltersAnswer]):
    """Type a name to save the current query; ``enter`` on a name loads it.

    Args:
        kept: Saved queries by name.
        current: The current query; empty for none.
    """

    DEFAULT_CSS = """
    FiltersDialog > .dialog { width: 76; }
    FiltersDialog Input { margin-bottom: 1; }
    FiltersDialog #filters { max-height: 12; padding: 0 1; margin-bottom: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("d,delete", "forget", show=False)]

    def __init__(self, kept: Mapping[str, str], current: str) -> None:
        super().__init__("Filters")
        self._kept = dict(kept)
        self._current = current
        self._list = PlainList(id="filters")

    def compose_content(self) -> ComposeResult:
        """The current query with an input for its name, and the saved ones."""
        if self._current:
            head: list[Part] = [("Save ", "muted"), (one_line(self._current, 60), "accent")]
            yield Static(content(head), markup=False)
            yield Field(placeholder="Enter a name to save it", compact=True, id="filter-name")
        yield self._list
        yield Static("", id="filters-keys", classes="dialog-text", markup=False)

    def on_mount(self) -> None:
        """Focus the saved queries, or the name when there are none."""
        self._fill()
        if self._kept or not self._current:
            self._list.focus()
        else:
            self.query_one(Input).focus()

    def _fill(self) -> None:
        width = max((len(name) for name in self._kept), default=0)
        lines = []
        for name, query in self._kept.items():
            shown = one_line(name, 30).ljust(min(width, 30))
            lines.append(content([(shown, "strong"), (f"  {one_line(query, 60)}", "muted")]))
        self._list.fill(lines)
        self._list.display = bool(self._kept)
        keys: list[Part] = []
        actions = [("enter", "load"), ("d", "delete")] if self._kept else []
        if not self._kept and not self._current:
            keys.append(
                ("No saved filters. Filter rows with / first, then save the filter here.\n", "")
            )
        keys += key_hints(*actions, ("tab", "name or list"), ("esc", "close"))
        self.query_one("#filters-keys", Static).update(content(keys))

    @on(OptionList.OptionSelected)
    def _used(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        query = list(self._kept.values())[event.option_index]
        self.dismiss(FiltersAnswer(self._kept, query))

    @on(Input.Submitted)
    def _named(self, event: Input.Submitted) -> None:
        event.stop()
        name = event.value.strip()
        if not name:
            self.app.bell()
            return
        self._kept[name] = self._current
        self.dismiss(FiltersAnswer(self._kept))

    def action_forget(self) -> None:
        """Delete the saved query under the cursor."""
        at = self._list.highlighted
        if at is not None and at < len(self._kept):
            del self._kept[list(self._kept)[at]]
            self._fill()

    def action_leave(self) -> None:
        """Close; deleted queries stay deleted."""
        self.dismiss(FiltersAnswer(self._kept))


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
        self._asked: Path | None = None
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

    async def action_remove(self) -> None:
        """Delete the saved template under the cursor, when pressed twice."""
        chosen = self._chosen
        if chosen is None or chosen.path.parent != self._folder:
            self.app.bell()
        elif self._asked != chosen.path:
            self._asked = chosen.path
            self._explain(f"Delete {one_line(chosen.name, 40)}? Press D again to confirm.")
        else:
            self._asked = None
            await asyncio.to_thread(chosen.path.unlink, missing_ok=True)
            self._explain()
            self._load()

    @on(Input.Submitted)
    def action_save(self) -> None:
        """Save the current template under the typed name."""
        name = self.query_one("#templates-name", Input).value.strip()
        if not template_file_name(name):
            self._explain("Enter a name of letters and digits.")
            return
        existing = next((e for e in self._entries if e.path.stem == template_file_name(name)), None)
        if (
            existing is not None
            and existing.path.parent == self._folder
            and self._asked != existing.path
        ):
            self._asked = existing.path
            self._explain(
                f"{one_line(existing.name, 40)} already exists; press enter again to replace it."
            )
            return
        self.dismiss(TemplateAnswer(save_name=name))


def _prompt(entry: SavedTemplate, packaged: bool) -> Content:
    name = one_line(entry.name, 18)
    if entry.template is None:
        return content([(f"{name:<20}", "bad"), (one_line(entry.trouble, 46), "muted")])
    template = entry.template
    words = template.description or template.user
    parts: list[Part] = [(f"{name:<20}", ""), (f"{template.kind:<11}", "live")]
    parts.append((one_line(("sample: " if packaged else "") + words, 34), "muted"))
    return content(parts)
