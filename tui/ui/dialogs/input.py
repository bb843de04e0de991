"""Questions that one line answers: a text, a path, an API key."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Grid
from textual.widgets import Button, Input, Label, Static

from tui.core.formatting import counted
from tui.core.text import one_line, quoted, visible
from tui.paths import is_file, is_folder
from tui.ui.dialogs.base import Answer, Dialog, FormDialog
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


DEADLINE_HINT = (
    "18:00, +6h, +2d or 2026-12-01T18:00 (local time). What is not done then is cancelled, and the"
    " rest is sent one by one, at the price of single requests, while Batchdeck runs. Empty: none."
)
"""What can be typed for a deadline."""


class InputDialog(Question[str]):
    """A title, a hint and a field; enter saves the text.

    Args:
        title: The title of the dialog.
        hint: What can be typed, and what an empty line means.
        value: The current value.
        verb: The label of the confirming button.
        help_id: Names the help of the field.
    """

    def __init__(
        self, title: str, hint: str, value: str = "", verb: str = "Save", help_id: str = "ask"
    ) -> None:
        self._text = TextInput(value, id=help_id, compact=True, select_on_focus=False)
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

    DEFAULT_CSS = """
    KeyDialog > .dialog { width: 76; }
    KeyDialog .dialog-buttons Button { margin-left: 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+k", "keep", "Save to keyring", priority=True),
        Binding("ctrl+n", "add_account", "Another account", priority=True),
    ]

    def __init__(self, account: str, trouble: str, hint: str) -> None:
        words: list[Part] = [
            (visible(trouble) + "\n", ""),
            (visible(hint) + "\n\n", "muted"),
            (f"API key for account {visible(account)} (sent only to its own host). ", ""),
            ("ctrl+k saves it in the keyring, too.", "muted"),
        ]
        field = Field(password=True, placeholder="Paste or type the key", id="key", compact=True)
        other = Button("Add account  ^n", id="add_account", compact=True)
        keep = Button("Save  ^k", id="keep", compact=True)
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


@dataclass(frozen=True)
class SampleAnswer:
    """A random sample: how many rows, its number, and a column for equal shares, or none."""

    rows: int
    seed: int = 0
    by: str = ""


class SampleDialog(FormDialog[SampleAnswer]):
    """Asks for the sample that is sent first; enter in any field goes on.

    Args:
        rows: The rows to begin with.
        total: The rows of the file.
        columns: The input columns that can have equal shares; empty if there are none.
    """

    DEFAULT_CSS = """
    SampleDialog > .dialog { width: 68; }
    SampleDialog Grid {
        grid-size: 2; grid-columns: 17 1fr; grid-rows: 1; height: 3; margin-bottom: 1;
    }
    """

    def __init__(self, rows: int, total: int, columns: Sequence[str]) -> None:
        super().__init__("Send a random sample first")
        self._rows, self._total, self._columns = rows, total, columns

    def compose_content(self) -> ComposeResult:
        """The fields, what is wrong with them, and the buttons."""
        names = ", ".join(self._columns)
        hint = f"none; or {names}" if names else "none: the file has no input columns"
        with Grid():
            for name, label, value, placeholder in (
                ("rows", "rows", str(self._rows), "how many of them"),
                ("by", "equal shares of", "", one_line(hint, 44)),
                ("seed", "number (seed)", "", "0; another number gives other rows"),
            ):
                yield Label(label)
                yield Field(value, placeholder=placeholder, compact=True, id=f"sample-{name}")
        yield self.note()
        yield from self.buttons("Go on  enter")

    def on_mount(self) -> None:
        """Focus the number of rows."""
        self.query_one("#sample-rows").focus()
        self._explain()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._explain()

    def _text(self, name: str) -> str:
        return self.query_one(f"#sample-{name}", Input).value.strip()

    def _explain(self) -> bool:
        """Say what is wrong, or what becomes of the other rows; returns whether it is valid."""
        problem = ""
        for name, what in (("seed", "The sample number"), ("rows", "The number of rows")):
            text = self._text(name)
            if text and not (text.isascii() and text.isdigit() and len(text) <= 9):
                problem = f"{what} must be a whole number."
        rows = self._text("rows")
        if not problem and not 0 < int(rows or 0) < self._total:
            problem = f"A sample has 1 to {self._total - 1:,} of the {self._total:,} rows."
        by = self._text("by")
        if not problem and by and by not in self._columns:
            problem = f"No input column {quoted(by)}."
        if problem:
            self.say(problem, "warn")
            return False
        left = counted(self._total - int(rows), "row")
        self.say(f"The other {left} wait as a draft, and are sent with S.")
        return True

    def entered(self) -> None:
        """Go on after ``enter`` in a field."""
        self.action_confirm()

    def action_confirm(self) -> None:
        """Close with the sample, if it is valid."""
        if not self._explain():
            self.app.bell()
            return
        seed = int(self._text("seed") or 0)
        self.dismiss(SampleAnswer(int(self._text("rows")), seed, self._text("by")))
