"""A dialog to choose the fixes for a corrected copy of a requests file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Grid
from textual.validation import Integer
from textual.widgets import Input, Label

from tui.compose.checks.fixes import Fixes
from tui.compose.requests.report import CheckReport
from tui.core import formatting
from tui.core.json_path import is_path, parse_settings
from tui.core.text import one_line, quoted, visible
from tui.errors import UsageError
from tui.ui.dialogs.base import FormDialog
from tui.ui.widgets.basics import DotCheckbox, Field

_BAD_IDS = ("no_custom_id", "duplicate_custom_id", "bad_custom_id")
_NO_MODEL = ("no_model", "mixed_models")
_REMOVE = re.compile(r'Remove "([^"]+)"').match
"""Matches the fix text of a report that names the field to remove."""


@dataclass(frozen=True)
class FixAnswer:
    """The chosen fixes; ``split_rows`` splits the copy into files of that many rows."""

    fixes: Fixes
    split_rows: int | None = None


class FixesDialog(FormDialog[FixAnswer]):
    """A list of fixes; those that the report calls for are preselected.

    Args:
        report: The report of the check.
    """

    DEFAULT_CSS = """
    FixesDialog > .dialog { width: 76; }
    FixesDialog Grid {
        grid-size: 2; grid-columns: 26 1fr; grid-rows: 1; height: 6; margin: 1 0;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+r", "confirm", show=False),
    ]

    def __init__(self, report: CheckReport) -> None:
        super().__init__("Write a fixed copy")
        self._report = report

    def compose_content(self) -> ComposeResult:
        """The fixes and the buttons."""
        found = self._report.found
        bad_ids = sum(found.get(code, 0) for code in _BAD_IDS)
        repeated = found.get("duplicate_custom_id", 0)
        empty = found.get("empty_prompt", 0)
        for name, words, rows in (
            ("bad", "Replace invalid or duplicate ids", bad_ids),
            ("all", "Renumber all ids: row-1, row-2 …", 0),
            ("drop", "Drop rows with a duplicate id", repeated),
            ("empty", "Drop rows with an empty prompt", empty),
        ):
            count = f"  ({formatting.counted(rows, 'row')})" if rows else ""
            yield DotCheckbox(words + count, name == "bad" and bool(rows), id=f"fix-{name}")
        with Grid():
            yield Label("Model for all rows")
            hint = "unchanged"
            if any(code in found for code in _NO_MODEL):
                hint = "missing or different in some rows"
            yield Field(placeholder=hint, compact=True, id="fix-model")
            yield Label("Minimum max_tokens")
            yield self._number("fix-least")
            yield Label("Maximum max_tokens")
            yield self._number("fix-most")
            yield Label("Set body fields")
            yield Field(placeholder="path=value; path=value", compact=True, id="fix-settings")
            yield Label("Remove body fields")
            refused = dict.fromkeys(
                named[1]
                for problem in self._report.problems
                if problem.code in ("refused_field", "stream") and (named := _REMOVE(problem.fix))
            )
            hint = "path; path"
            yield Field(visible("; ".join(refused)), placeholder=hint, compact=True, id="fix-unset")
            yield Label("Rows per file")
            yield self._number("fix-split", "one file, unless it is too large")
        yield self.note()
        yield from self.buttons("Write the copy  ^r")

    def _number(self, id: str, hint: str = "unchanged") -> Input:
        return Field(
            placeholder=hint,
            compact=True,
            type="integer",
            validators=[Integer(minimum=1)],
            valid_empty=True,
            id=id,
        )

    def on_mount(self) -> None:
        """Show that the original is not changed, and suggest the most frequent model."""
        self.say("Blank lines, byte order marks and CRs are removed. Your file is not changed.")
        models = self._report.models
        if any(code in self._report.found for code in _NO_MODEL) and len(models) > 0:
            most = max(models, key=models.__getitem__)
            self.query_one("#fix-model", Input).value = visible(most)

    def action_confirm(self) -> None:
        """Return the chosen fixes if all fields are valid."""
        for field in self.query(Input):
            if field.value and not field.is_valid:
                self.say("Enter a whole number above 0.", "bad")
                field.focus()
                return
        try:
            settings = parse_settings(self._pieces("fix-settings"))
            unset = self._paths("fix-unset")
        except UsageError as error:
            self.say(one_line(f"{error.message}. {error.hint}", 140), "bad")
            return
        bad, every, drop, empty = (
            self.query_one(f"#fix-{name}", DotCheckbox).value
            for name in ("bad", "all", "drop", "empty")
        )
        fixes = Fixes(
            ids="all" if every else "bad" if bad else "keep",
            drop_duplicates=drop,
            model=self.query_one("#fix-model", Input).value.strip(),
            max_tokens_at_least=self._integer("fix-least"),
            max_tokens_at_most=self._integer("fix-most"),
            settings=settings,
            drop_empty=empty,
            unset=unset,
        )
        least, most = fixes.max_tokens_at_least, fixes.max_tokens_at_most
        if least is not None and most is not None and least > most:
            self.say("The minimum max_tokens is above the maximum.", "bad")
            return
        self.dismiss(FixAnswer(fixes, self._integer("fix-split")))

    def _pieces(self, id: str) -> list[str]:
        typed = self.query_one(f"#{id}", Input).value
        return [piece.strip() for piece in typed.split(";") if piece.strip()]

    def _paths(self, id: str) -> tuple[str, ...]:
        for path in (paths := self._pieces(id)):
            if not is_path(path):
                raise UsageError(f"{quoted(path)} is not a field path", "Example: temperature.")
        return tuple(paths)

    def _integer(self, id: str) -> int | None:
        value = self.query_one(f"#{id}", Input).value
        return int(value) if value else None
