"""The fixes that write a mended copy of a file: which of them, a person chooses."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Grid, Horizontal
from textual.validation import Integer
from textual.widgets import Button, Checkbox, Input, Label, Static

from tui.compose.fixes import Fixes
from tui.compose.report import CheckReport
from tui.compose.settings import parse_settings
from tui.core.refusals import is_path
from tui.core.text import one_line, quoted, visible
from tui.errors import UsageError
from tui.ui import formatting
from tui.ui.dialogs.dialog import Dialog
from tui.ui.tones import content

_BAD_IDS = ("no_custom_id", "duplicate_custom_id", "bad_custom_id")
_NO_MODEL = ("no_model", "mixed_models")
_REMOVE = re.compile(r'Remove "([^"]+)"').match
"""How a report says which field is not to be there."""


@dataclass(frozen=True)
class FixAnswer:
    """What a person chose; with ``split_rows`` the copy is cut into files of so many rows."""

    fixes: Fixes
    split_rows: int | None = None


class Tick(Checkbox):
    """A choice whose mark differs by its shape, not only by its colour."""

    BUTTON_LEFT = BUTTON_RIGHT = ""
    DEFAULT_CSS = """
    Tick > .toggle--button, Tick.-on > .toggle--button { color: $foreground; background: $surface; }
    Tick:focus > .toggle--label { background: $accent; color: $background; }
    """

    def __init__(self, label: str, value: bool = False, *, id: str) -> None:
        self.BUTTON_INNER = "● " if value else "○ "
        super().__init__(label, value, compact=True, id=id)

    def watch_value(self) -> None:
        """Show the other mark."""
        self.BUTTON_INNER = "● " if self.value else "○ "
        super().watch_value()


class FixesDialog(Dialog[FixAnswer | None]):
    """Fixes to choose from; those that the report calls for are chosen already.

    Args:
        report: What the check found.
        settings: Fields of the body to set at first, as ``path=value`` lines.
    """

    TITLE_TEXT = "Write a mended copy"
    DEFAULT_CSS = """
    FixesDialog > .dialog { width: 76; }
    FixesDialog Tick { width: 1fr; height: 1; }
    FixesDialog Grid {
        grid-size: 2; grid-columns: 26 1fr; grid-rows: 1; height: 6; margin: 1 0;
    }
    FixesDialog #fixes-note { height: auto; min-height: 1; margin-bottom: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+r", "write", show=False),
        Binding("down", "app.focus_next", show=False),
        Binding("up", "app.focus_previous", show=False),
    ]

    def __init__(self, report: CheckReport) -> None:
        super().__init__()
        self._report = report

    def compose_inside(self) -> ComposeResult:
        """What can be chosen, and the buttons."""
        found = self._report.found
        bad_ids = sum(found.get(code, 0) for code in _BAD_IDS)
        words = "Give bad or repeated ids another"
        if bad_ids:
            words += f"  ({formatting.counted(bad_ids, 'row')})"
        yield Tick(words, bool(bad_ids), id="fix-bad")
        yield Tick("Number all ids anew: row-1, row-2 …", id="fix-all")
        repeated = found.get("duplicate_custom_id", 0)
        words = "Drop rows whose id was there before"
        if repeated:
            words += f"  ({formatting.counted(repeated, 'row')})"
        yield Tick(words, id="fix-drop")
        empty = found.get("empty_prompt", 0)
        words = "Drop rows whose prompt says nothing"
        if empty:
            words += f"  ({formatting.counted(empty, 'row')})"
        yield Tick(words, id="fix-empty")
        with Grid():
            yield Label("Model of every row")
            hint = "as it is"
            if any(code in found for code in _NO_MODEL):
                hint = "rows lack one, or differ"
            yield Input(placeholder=hint, compact=True, id="fix-model")
            yield Label("Lift max_tokens to")
            yield self._number("fix-least")
            yield Label("Lower max_tokens to")
            yield self._number("fix-most")
            yield Label("Set fields of the body")
            yield Input(placeholder="path=value; path=value", compact=True, id="fix-settings")
            yield Label("Take fields out of it")
            refused = dict.fromkeys(
                named[1]
                for problem in self._report.problems
                if problem.code in ("refused_field", "stream") and (named := _REMOVE(problem.fix))
            )
            hint = "path; path"
            yield Input("; ".join(refused), placeholder=hint, compact=True, id="fix-unset")
            yield Label("Split into files of rows")
            yield self._number("fix-split", "one file; what is too large is split anyway")
        yield Static("", id="fixes-note", markup=False)
        with Horizontal(classes="dialog-buttons"):
            yield Button("Cancel  esc", id="no", compact=True)
            yield Button("Write the copy  ^r", id="yes", variant="primary", compact=True)

    def _number(self, id: str, hint: str = "as it is") -> Input:
        return Input(
            placeholder=hint,
            compact=True,
            type="integer",
            validators=[Integer(minimum=1)],
            valid_empty=True,
            id=id,
        )

    def on_mount(self) -> None:
        """The file is not touched, and that is said."""
        self._say("Blank lines, byte order marks and CRs are left out. Your file stays as it is.")
        models = self._report.models
        if any(code in self._report.found for code in _NO_MODEL) and len(models) > 0:
            most = max(models, key=models.__getitem__)
            self.query_one("#fix-model", Input).value = visible(most)

    def _say(self, text: str, *, bad: bool = False) -> None:
        note = self.query_one("#fixes-note", Static)
        note.update(content([(text, "bad" if bad else "muted")]))

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        self.focus_next()

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        event.stop()
        if event.button.id == "yes":
            self.action_write()
        else:
            self.dismiss(None)

    def action_write(self) -> None:
        """Take what is chosen, if it can be."""
        for field in self.query(Input):
            if field.value and not field.is_valid:
                self._say("That is no whole number above 0.", bad=True)
                field.focus()
                return
        try:
            settings = parse_settings(self._pieces("fix-settings"))
            unset = self._paths("fix-unset")
        except UsageError as error:
            self._say(one_line(f"{error.message}. {error.hint}", 140), bad=True)
            return
        whole = self.query_one("#fix-all", Tick).value
        bad = self.query_one("#fix-bad", Tick).value
        fixes = Fixes(
            ids="all" if whole else "bad" if bad else "keep",
            drop_repeated=self.query_one("#fix-drop", Tick).value,
            model=self.query_one("#fix-model", Input).value.strip(),
            max_tokens_least=self._whole("fix-least"),
            max_tokens_most=self._whole("fix-most"),
            settings=settings,
            drop_empty=self.query_one("#fix-empty", Tick).value,
            unset=unset,
        )
        least, most = fixes.max_tokens_least, fixes.max_tokens_most
        if least is not None and most is not None and least > most:
            self._say("max_tokens cannot be lifted above where it is lowered to.", bad=True)
            return
        self.dismiss(FixAnswer(fixes, self._whole("fix-split")))

    def _pieces(self, id: str) -> list[str]:
        typed = self.query_one(f"#{id}", Input).value
        return [piece.strip() for piece in typed.split(";") if piece.strip()]

    def _paths(self, id: str) -> tuple[str, ...]:
        for path in (paths := self._pieces(id)):
            if not is_path(path):
                raise UsageError(f"{quoted(path)} names no field", "Such as temperature.")
        return tuple(paths)

    def _whole(self, id: str) -> int | None:
        value = self.query_one(f"#{id}", Input).value
        return int(value) if value else None
