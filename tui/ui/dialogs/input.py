"""Questions that one line answers: a text, a path, an API key."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Button, Input, Static

from tui.core.text import visible
from tui.paths import is_file, is_folder
from tui.ui.dialogs.base import Answer, Dialog
from tui.ui.dialogs.pick_file import PathInput, expand_path
from tui.ui.text.tones import Part, content
from tui.ui.widgets.basics import Field, TextInput


class Question(Dialog[Answer]):
    """A text, a field and buttons; enter answers.

    Args:
        title: The title of the dialog.
        words: The text above the field.
        field: The field.
        verb: The label of the answering button.
        *others: Further buttons.
    """

    def __init__(
        self, title: str, words: list[Part], field: Input, verb: str, *others: Button
    ) -> None:
        super().__init__(title)
        self._words = words
        self._field = field
        self._verb = verb
        self._others = others

    def compose_content(self) -> ComposeResult:
        """The text, the field, a line for what is wrong, and the buttons."""
        yield Static(content(self._words), classes="dialog-text", markup=False)
        yield self._field
        yield Static("", id="input-note", classes="dialog-text", markup=False)
        yield from self.buttons(f"{self._verb}  enter", *self._others)

    def on_mount(self) -> None:
        """Focus the field."""
        self._field.focus()

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_confirm()


class InputDialog(Question[str]):
    """A title, a hint and a field; enter saves the text.

    Args:
        title: The title of the dialog.
        hint: What can be typed, and what an empty line means.
        value: The current value.
        verb: The label of the confirming button.
    """

    def __init__(self, title: str, hint: str, value: str = "", verb: str = "Save") -> None:
        self._text = TextInput(value, id="ask", compact=True, select_on_focus=False)
        super().__init__(title, [(visible(hint, newlines=True), "muted")], self._text, verb)

    def action_confirm(self) -> None:
        """Return the text."""
        self.dismiss(self._text.text.strip())


@dataclass(frozen=True)
class KeyAnswer:
    """The key; its ``repr`` does not contain it."""

    value: str = field(repr=False)
    keep: bool


class KeyDialog(Question[KeyAnswer]):
    """A problem, a masked field, and where to store the key.

    Args:
        account: The account's name.
        trouble: Why the key is needed, one sentence.
        hint: Other ways to provide the key.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+k", "keep", "Save to keyring", priority=True),
        Binding("ctrl+n", "add_account", "Another account", priority=True),
    ]

    def __init__(self, account: str, trouble: str, hint: str) -> None:
        words: list[Part] = [
            (visible(trouble) + "\n", ""),
            (visible(hint) + "\n\n", "muted"),
            (f"API key for account {visible(account)} (sent only to its own host):", ""),
        ]
        field = Field(password=True, placeholder="Paste or type the key", id="key", compact=True)
        other = Button("Add account  ^n", id="add_account", compact=True)
        keep = Button("Save to keyring  ^k", id="keep", compact=True)
        super().__init__("API key needed", words, field, "Use now", other, keep)

    def action_confirm(self) -> None:
        """Use the key in this session only."""
        self._answer(keep=False)

    def action_keep(self) -> None:
        """Use the key and save it in the keyring."""
        self._answer(keep=True)

    def action_add_account(self) -> None:
        """Leave, and open the form for another account."""
        self.dismiss(None)
        self.app.call_later(self.app.run_action, "app.add_account")

    def _answer(self, *, keep: bool) -> None:
        value = self._field.value.strip()
        if value:
            self.dismiss(KeyAnswer(value, keep))


PathValidator = Callable[[str], str]
"""Takes the typed path and returns what is wrong with it; empty when it is valid."""


class PathDialog(Question[str]):
    """A text and a path that ``tab`` completes; the result is the path as typed.

    Args:
        title: The title of the dialog.
        words: The text above the field.
        value: The suggested path.
        verb: The label of the confirming button.
        validator: Validates a path.
    """

    DEFAULT_CSS = "PathDialog > .dialog { width: 76; }"

    def __init__(
        self, title: str, words: list[Part], value: str, verb: str, validator: PathValidator
    ) -> None:
        super().__init__(title, words, PathInput(visible(value), id="path"), verb)
        self._validator = validator

    def on_mount(self) -> None:
        """Say what is wrong with the suggested path."""
        self._explain()

    @on(Input.Changed)
    def _explain(self) -> None:
        problem = self._validator(self._field.value)
        self.query_one("#input-note", Static).update(content([(problem, "warn")]))

    def action_confirm(self) -> None:
        """Return the path if it is valid."""
        if self._validator(self._field.value):
            self.app.bell()
        else:
            self.dismiss(self._field.value)


def save_media_dialog(folder: Path, kinds: str) -> PathDialog:
    """Return the dialog that asks where to save the files of an answer."""
    words: list[Part] = [(kinds, "strong"), (" in this answer. Save to folder:", "")]
    return PathDialog("Save files", words, f"{folder}/", "Save", _folder_problem)


def schema_file_dialog(has_given: bool) -> PathDialog:
    """Return the dialog that asks for the JSON schema of a job's answers."""
    words: list[Part] = [("A JSON schema file to check the answers of this job with.\n", "")]
    own = "Leave empty to use the schema of each request."
    if has_given:
        own += " (This removes the current schema file.)"
    words.append((own, "muted"))
    return PathDialog("Check answers", words, "", "Check", _file_problem)


def _folder_problem(typed: str) -> str:
    return "" if is_folder(expand_path(typed)) else "The folder does not exist"


def _file_problem(typed: str) -> str:
    return "" if not typed.strip() or is_file(expand_path(typed)) else "The file does not exist"
