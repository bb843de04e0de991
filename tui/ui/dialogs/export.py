"""Where to write rows, as what, and which of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Button, Checkbox, Input, RadioSet, Static

from tui.core.text import visible
from tui.errors import UsageError
from tui.store.export.options import ExportOptions, Format, format_of, takes
from tui.ui.dialogs.dialog import Dialog
from tui.ui.tones import Part, content
from tui.ui.widgets.path_list import choices, completed, expand
from tui.ui.widgets.switches import Option, Switch

WORDS: dict[Format, str] = {
    "jsonl": "JSON lines",
    "csv": "a table for spreadsheets (CSV)",
    "tsv": "a table with tabs (TSV)",
    "sqlite": "an SQLite database",
    "parquet": "a Parquet file",
    "html": "a report with plots and error groups",
}
"""What can be written."""

_SWITCHES = {
    "join": "input columns",
    "expand": "JSON answers as columns",
    "attempts": "every attempt",
    "raw": "the provider's own lines",
    "raw_cells": "formulas as they are",
}


@dataclass(frozen=True)
class ExportFacts:
    """What can be exported: name and number of rows of each set, the proposed one first.

    ``has_inputs``: does the job keep the columns of a table?
    """

    sets: Sequence[tuple[str, int]]
    has_inputs: bool = False


@dataclass(frozen=True)
class ExportAnswer:
    """What a person decided; ``rows`` is the place in ``ExportFacts.sets``."""

    path: Path
    rows: int
    options: ExportOptions


class ExportDialog(Dialog[ExportAnswer | None]):
    """A path, whose end decides the format, and what goes into it.

    Args:
        path: What is proposed.
        facts: What there is to write.
    """

    TITLE_TEXT = "Export"
    DEFAULT_CSS = """
    ExportDialog > .dialog { width: 76; }
    ExportDialog Input { margin-bottom: 1; }
    ExportDialog RadioSet { width: 1fr; margin-bottom: 1; border: none; padding: 0; }
    ExportDialog .switches {
        height: auto; margin-bottom: 1; layout: grid; grid-size: 2; grid-rows: 1;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "complete", show=False, priority=True),
        Binding("down", "step(1)", show=False),
        Binding("up", "step(-1)", show=False),
        Binding("ctrl+s", "write", show=False),
    ]

    def __init__(self, path: Path, facts: ExportFacts) -> None:
        super().__init__()
        self._path = path
        self._facts = facts
        self._asked: Path | None = None

    def compose_inside(self) -> ComposeResult:
        """Path, format, rows, switches, buttons."""
        yield Input(value=str(self._path), compact=True, select_on_focus=False, id="export-path")
        yield Static("", id="export-note", classes="dialog-text", markup=False)
        if len(self._facts.sets) > 1:
            with RadioSet(compact=True, id="export-rows"):
                for place, (name, count) in enumerate(self._facts.sets):
                    yield Option(_label(name, count), value=not place, compact=True)
        else:
            (only,) = self._facts.sets
            yield Static(_label(*only), classes="dialog-text", markup=False)
        with Horizontal(classes="switches"):
            for name, words in _SWITCHES.items():
                yield Switch(words, compact=True, id=f"export-{name.replace('_', '-')}")
        with Horizontal(classes="dialog-buttons"):
            yield Button("Cancel  esc", id="no", compact=True)
            yield Button("Write  enter", id="yes", variant="primary", compact=True)

    def on_mount(self) -> None:
        """Put the cursor before the suffix."""
        field = self.query_one(Input)
        field.focus()
        field.cursor_position = len(field.value) - len(self._path.suffix)
        self._explain(field.value)

    @property
    def _format(self) -> Format | None:
        try:
            return format_of(expand(self.query_one(Input).value))[0]
        except UsageError:
            return None

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._asked = None
        self._explain(event.value)

    def _explain(self, typed: str) -> None:
        path = expand(typed)
        format = self._format
        note: list[Part]
        if format is None:
            note = [
                ("The end decides: .jsonl .csv .tsv .sqlite .parquet .html, or .csv.gz", "warn")
            ]
        elif self._asked == path:
            note = [(f"{visible(path.name)} is there already: ", "warn")]
            note += [("enter", "accent"), (" again overwrites it", "warn")]
        elif not path.parent.is_dir():
            note = [("There is no such folder", "warn")]
        else:
            note = [(f"as {WORDS[format]}", "muted")]
        self.query_one("#export-note", Static).update(content(note))
        for name in _SWITCHES:
            switch = self._switch(name)
            fits = format is not None and takes(format, name)
            if name == "join" and not self._facts.has_inputs:
                fits = False
            switch.disabled = not fits

    def _switch(self, name: str) -> Switch:
        return self.query_one(f"#export-{name.replace('_', '-')}", Switch)

    @on(Checkbox.Changed)
    def _switched(self, event: Checkbox.Changed) -> None:
        event.stop()
        # Raw lines are the provider's own: nothing can be joined to them.
        if event.value and event.checkbox.id == "export-raw":
            self._switch("join").value = False
        elif event.value and event.checkbox.id == "export-join":
            self._switch("raw").value = False

    def action_complete(self) -> None:
        """Carry on with the path as far as it is clear; else to the next thing."""
        field = self.query_one(Input)
        longer = completed(field.value, choices(field.value)) if field.has_focus else field.value
        if longer != field.value:
            field.value = longer
            field.cursor_position = len(field.value)
        else:
            self.focus_next()

    def action_step(self, step: int) -> None:
        """To the next thing, or the one before."""
        if step > 0:
            self.focus_next()
        else:
            self.focus_previous()

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        self._write()

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        event.stop()
        if event.button.id == "yes":
            self._write()
        else:
            self.dismiss(None)

    def action_write(self) -> None:
        """Write, wherever the keys are."""
        self._write()

    def _write(self) -> None:
        path = expand(self.query_one(Input).value)
        if self._format is None or not path.parent.is_dir():
            self.app.bell()
        elif path.exists() and self._asked != path:
            self._asked = path
            self._explain(str(path))
        else:
            chosen = 0
            for radio in self.query(RadioSet):
                chosen = max(0, radio.pressed_index)
            on = {
                name: switch.value and not switch.disabled
                for name in _SWITCHES
                if (switch := self._switch(name))
            }
            self.dismiss(ExportAnswer(path, chosen, ExportOptions(**on)))


def _label(name: str, count: int) -> str:
    return f"{name}: {count:,}"
