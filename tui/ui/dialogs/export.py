"""Where to write rows, and as what."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.widgets import Button, Input, Static

from tui.core.text import visible
from tui.ui import formatting
from tui.ui.dialogs.dialog import Dialog
from tui.ui.tones import Part, content
from tui.ui.widgets.path_list import choices, completed, expand

FORMATS = {".jsonl": "JSON lines", ".csv": "a table (CSV)"}
"""What can be written, by the end of the name."""


class ExportDialog(Dialog[Path | None]):
    """A path; its end decides the format, and a file that is there is asked about.

    Args:
        path: What is proposed.
        rows: How many rows will be written.
        subject: Which ones, in words.
    """

    TITLE_TEXT = "Export"
    DEFAULT_CSS = """
    ExportDialog > .dialog { width: 76; }
    ExportDialog Input { margin-bottom: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [("tab", "complete")]

    def __init__(self, path: Path, rows: int, subject: str) -> None:
        super().__init__()
        self._path = path
        self._rows = rows
        self._subject = subject
        self._asked: Path | None = None

    def compose_inside(self) -> ComposeResult:
        """Words, path, format, buttons."""
        head: list[Part] = [(f"{formatting.counted(self._rows, 'row')}", "strong")]
        head.append((f", {self._subject}, with answers and errors\n", ""))
        yield Static(content(head), markup=False)
        yield Input(value=str(self._path), compact=True, select_on_focus=False, id="export-path")
        yield Static("", id="export-note", classes="dialog-text", markup=False)
        with Horizontal(classes="dialog-buttons"):
            yield Button("Cancel  esc", id="no", compact=True)
            yield Button("Write  enter", id="yes", variant="primary", compact=True)

    def on_mount(self) -> None:
        """Put the cursor before the suffix."""
        field = self.query_one(Input)
        field.focus()
        self._explain(field.value)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._asked = None
        self._explain(event.value)

    def _explain(self, typed: str) -> None:
        path = expand(typed)
        note: list[Part]
        if path.suffix not in FORMATS:
            note = [("The name must end in .jsonl or .csv", "warn")]
        elif self._asked == path:
            note = [(f"{visible(path.name)} is there already: ", "warn")]
            note += [("enter", "accent"), (" again overwrites it", "warn")]
        elif not path.parent.is_dir():
            note = [("There is no such folder", "warn")]
        else:
            note = [(f"as {FORMATS[path.suffix]}", "muted")]
        self.query_one("#export-note", Static).update(content(note))

    def action_complete(self) -> None:
        """Carry on with the path as far as it is clear."""
        field = self.query_one(Input)
        if field.has_focus:
            field.value = completed(field.value, choices(field.value))
            field.cursor_position = len(field.value)
        else:
            self.focus_next()

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

    def _write(self) -> None:
        path = expand(self.query_one(Input).value)
        if path.suffix not in FORMATS or not path.parent.is_dir():
            self.app.bell()
        elif path.exists() and self._asked != path:
            self._asked = path
            self._explain(str(path))
        else:
            self.dismiss(path)
