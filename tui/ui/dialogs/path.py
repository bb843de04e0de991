"""A question whose answer is a path: where to save files, which schema to check with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.widgets import Button, Input, Static

from tui.ui.dialogs.dialog import Dialog
from tui.ui.tones import Part, content
from tui.ui.widgets.path_list import choices, completed, expand

Judge = Callable[[str], str]
"""Takes what is typed and says what is wrong with it; empty when it will do."""


class PathDialog(Dialog[str | None]):
    """Words, and a path that ``tab`` completes; the answer is what was typed.

    Args:
        title: The question.
        words: What it is about.
        value: What is proposed.
        verb: What the button says.
        judge: Says what is wrong with a path.
    """

    DEFAULT_CSS = """
    PathDialog > .dialog { width: 76; }
    PathDialog Input { margin-bottom: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [("tab", "complete")]

    def __init__(self, title: str, words: list[Part], value: str, verb: str, judge: Judge) -> None:
        super().__init__()
        self.TITLE_TEXT = title
        self._words = words
        self._value = value
        self._verb = verb
        self._judge = judge

    def compose_inside(self) -> ComposeResult:
        """Words, path, what is wrong, buttons."""
        yield Static(content(self._words), classes="dialog-text", markup=False)
        yield Input(value=self._value, compact=True, select_on_focus=False, id="path")
        yield Static("", id="path-note", classes="dialog-text", markup=False)
        with Horizontal(classes="dialog-buttons"):
            yield Button("Cancel  esc", id="no", compact=True)
            yield Button(f"{self._verb}  enter", id="yes", variant="primary", compact=True)

    def on_mount(self) -> None:
        """The path has the focus."""
        self.query_one(Input).focus()
        self._explain(self._value)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._explain(event.value)

    def _explain(self, typed: str) -> None:
        self.query_one("#path-note", Static).update(content([(self._judge(typed), "warn")]))

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
        self._done()

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        event.stop()
        if event.button.id == "yes":
            self._done()
        else:
            self.dismiss(None)

    def _done(self) -> None:
        typed = self.query_one(Input).value
        if self._judge(typed):
            self.app.bell()
        else:
            self.dismiss(typed)


def media_dialog(folder: Path, kinds: str) -> PathDialog:
    """Where to save the files of an answer."""
    words: list[Part] = [(kinds, "strong"), (" of this answer; into which folder?", "")]
    return PathDialog("Save files", words, f"{folder}/", "Save", _no_folder)


def schema_dialog(path: str, has_given: bool) -> PathDialog:
    """By which schema the answers of a job are checked."""
    words: list[Part] = [("A file with a JSON schema for the answers of this job.\n", "")]
    own = "Empty: the schema that each request asks with."
    if has_given:
        own += " (One was given before.)"
    words.append((own, "muted"))
    return PathDialog("Check the answers", words, path, "Check", _no_file)


def _no_folder(typed: str) -> str:
    return "" if expand(typed).is_dir() else "There is no such folder"


def _no_file(typed: str) -> str:
    return "" if not typed.strip() or expand(typed).is_file() else "There is no such file"
