"""The dialogs of an export: file, format and rows; then its progress, which can be stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from textual import on
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Checkbox, Input, ProgressBar, RadioSet, Static

from tui.addresses import is_address
from tui.core import formatting
from tui.core.text import visible
from tui.engine.transfers.target import check_target
from tui.errors import UsageError
from tui.paths import is_folder, path_exists
from tui.progress import Progress
from tui.store.export.options import FORMATS, ExportOptions, Format, format_of, option_applies
from tui.ui.dialogs.base import Dialog, FormDialog
from tui.ui.dialogs.confirm import overwrite_dialog
from tui.ui.dialogs.pick_file import PathInput, expand_path, free_path
from tui.ui.text.tones import Part, content
from tui.ui.widgets.basics import DotCheckbox, DotRadioButton

T = TypeVar("T")

SHOW_AFTER_SECONDS = 0.4
"""Work that finishes sooner shows no dialog."""

REDRAW_SECONDS = 0.1

FORMAT_LABELS: dict[Format, str] = {
    "jsonl": "JSON lines",
    "csv": "CSV, for spreadsheets",
    "tsv": "tab-separated values (TSV)",
    "sqlite": "an SQLite database",
    "parquet": "a Parquet file",
    "html": "an HTML report with plots and error groups",
    "archive": "one file with the whole job and its reviews, to open elsewhere",
}
"""Descriptions of the formats."""

_CHOICES: dict[str, str] = {
    ".jsonl": "JSONL",
    ".csv": "Excel-safe CSV",
    ".parquet": "Parquet",
    ".sqlite": "SQLite",
    ".html": "report",
    ".tsv": "TSV",
    ".batchdeck": "whole job",
}
"""The formats to choose from, by extension."""

_SWITCHES = {
    "join": "add input columns",
    "expand": "JSON answers as columns",
    "attempts": "all attempts",
    "raw": "raw provider output",
    "reviewed": "corrections as answers",
    "raw_cells": "keep formulas (unsafe in Excel)",
}

_EXCLUSIVE = (("raw", "join"), ("raw", "reviewed"), ("attempts", "reviewed"))
"""Options that cannot be combined: raw lines and attempts are written as they came."""


@dataclass(frozen=True)
class ExportAnswer:
    """The user's choice; ``rows`` is an index into the ``sets`` of the dialog.

    ``address`` is that of a file in a bucket, in place of a ``path``.
    """

    path: Path
    rows: int
    options: ExportOptions
    address: str = ""


class ExportDialog(FormDialog[ExportAnswer]):
    """A path, whose extension sets the format, and what to write.

    Args:
        path: The suggested path; a number is appended if something is there.
        sets: What can be exported: name and row count of each set, the default first.
        has_input_columns: Whether the job has input columns from a table.
    """

    DEFAULT_CSS = """
    ExportDialog > .dialog { width: 76; }
    ExportDialog Input { margin-bottom: 1; }
    ExportDialog RadioSet { width: 1fr; margin-bottom: 1; border: none; padding: 0; }
    ExportDialog #export-format { layout: grid; grid-size: 4; grid-rows: 1; height: 2; }
    ExportDialog .switches {
        height: auto; margin-bottom: 1; layout: grid; grid-size: 2; grid-rows: 1;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "confirm", show=False),
    ]

    def __init__(
        self, path: Path, sets: Sequence[tuple[str, int]], *, has_input_columns: bool
    ) -> None:
        super().__init__("Export")
        self._wanted = path
        self._path = free_path(path)
        self._sets = sets
        self._has_input_columns = has_input_columns

    def compose_content(self) -> ComposeResult:
        """Path, format, rows, switches, buttons."""
        yield PathInput(visible(str(self._path)), id="export-path")
        with RadioSet(compact=True, id="export-format"):
            for ending, label in _CHOICES.items():
                chosen = self._path.suffix == ending
                yield DotRadioButton(label, value=chosen, compact=True)
        yield Static("", id="export-note", classes="dialog-text", markup=False)
        if len(self._sets) > 1:
            with RadioSet(compact=True, id="export-rows"):
                for place, (name, count) in enumerate(self._sets):
                    yield DotRadioButton(_label(name, count), value=not place, compact=True)
        else:
            (only,) = self._sets
            yield Static(_label(*only), classes="dialog-text", markup=False)
        with Horizontal(classes="switches"):
            for name, words in _SWITCHES.items():
                yield DotCheckbox(words, id=f"export-{name.replace('_', '-')}")
        yield from self.buttons("Export  enter")

    def on_mount(self) -> None:
        """Put the cursor before the extension."""
        field = self.query_one(Input)
        field.focus()
        field.cursor_position = len(field.value) - len(self._path.suffix)
        self._explain(field.value)

    @property
    def _format(self) -> Format | None:
        try:
            return format_of(expand_path(self.query_one(Input).value))[0]
        except UsageError:
            return None

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._explain(event.value)

    def _explain(self, typed: str) -> None:
        path = expand_path(typed)
        format = self._format
        note: list[Part]
        if format is None:
            note = [
                (
                    "The file extension sets the format: .jsonl .csv .tsv .sqlite .parquet .html"
                    " .batchdeck, or .csv.gz",
                    "warn",
                )
            ]
        elif is_address(typed.strip()):
            note = _about_address(typed.strip(), format)
        elif not is_folder(path.parent):
            note = [("The folder does not exist", "warn")]
        else:
            note = [(f"as {FORMAT_LABELS[format]}", "muted")]
        self.query_one("#export-note", Static).update(content(note))
        self._show_format(format)
        for rows in self.query("#export-rows").results(RadioSet):
            if format == "archive":
                rows.query(DotRadioButton).last().value = True
            rows.disabled = format == "archive"
        for name in _SWITCHES:
            switch = self._switch(name)
            fits = format is not None and option_applies(format, name)
            if name == "join" and not self._has_input_columns:
                fits = False
            switch.disabled = not fits

    def _switch(self, name: str) -> DotCheckbox:
        return self.query_one(f"#export-{name.replace('_', '-')}", DotCheckbox)

    @on(RadioSet.Changed, "#export-format")
    def _format_chosen(self, event: RadioSet.Changed) -> None:
        event.stop()
        ending = list(_CHOICES)[event.index]
        field = self.query_one(PathInput)
        path = field.value
        if FORMATS.get(ending) == self._format:
            return
        if expand_path(path) == self._path:
            self._path = free_path(self._wanted.with_suffix(ending))
            field.value = visible(str(self._path))
            field.cursor_position = len(field.value) - len(ending)
            return
        stem, known, _ = path.rpartition(".")
        has_ending = known and "/" not in path[len(stem) :]
        field.value = (stem if has_ending else path).removesuffix(".csv") + ending
        field.cursor_position = len(field.value) - len(ending)

    def _show_format(self, format: Format | None) -> None:
        """Mark the format of the typed extension."""
        for button, ending in zip(
            self.query_one("#export-format", RadioSet).query(DotRadioButton), _CHOICES, strict=True
        ):
            if FORMATS[ending] == format and not button.value:
                button.value = True

    @on(Checkbox.Changed)
    def _switched(self, event: Checkbox.Changed) -> None:
        event.stop()
        if not event.value:
            return
        for pair in _EXCLUSIVE:
            for name, other in (pair, pair[::-1]):
                if event.checkbox is self._switch(name):
                    self._switch(other).value = False

    def entered(self) -> None:
        """Export after ``enter`` in the path."""
        self.action_confirm()

    def action_confirm(self) -> None:
        """Export, whichever widget has the focus; an existing file must be confirmed."""
        typed = self.query_one(Input).value.strip()
        path = expand_path(typed)
        address = typed if is_address(typed) else ""
        fits = not _target_problem(address) if address else is_folder(path.parent)
        if self._format is None or not fits:
            self.app.bell()
        elif not address and path_exists(path):
            self.app.push_screen(overwrite_dialog("file", visible(str(path))), self._overwrite)
        else:
            self._answer(path, address)

    def _overwrite(self, yes: bool | None) -> None:
        if yes:
            self._answer(expand_path(self.query_one(Input).value.strip()))

    def _answer(self, path: Path, address: str = "") -> None:
        chosen = 0
        for radio in self.query("#export-rows").results(RadioSet):
            # The last set has all rows.
            last = len(self._sets) - 1
            chosen = last if radio.disabled else max(0, radio.pressed_index)
        on: dict[str, Any] = {
            name: switch.value and not switch.disabled
            for name in _SWITCHES
            if (switch := self._switch(name))
        }
        self.dismiss(ExportAnswer(path, chosen, ExportOptions(**on), address))


def _target_problem(address: str) -> str:
    """Why an export cannot be written to an address; empty if it can."""
    try:
        check_target(address)
    except UsageError as error:
        return f"{visible(error.message)}. {error.hint}"
    return ""


def _about_address(address: str, format: Format) -> list[Part]:
    """What is said of an address: how it will be written, or why it cannot be."""
    if problem := _target_problem(address):
        return [(problem, "warn")]
    return [(f"as {FORMAT_LABELS[format]}, put in the bucket", "muted")]


def _label(name: str, count: int) -> str:
    return f"{name}: {count:,}"


class ProgressDialog(Dialog[None]):
    """A progress bar with a count; ``escape`` stops the work.

    Args:
        title: The title of the dialog.
        progress: The progress to show.
        octets: It counts bytes, not rows.
    """

    DEFAULT_CSS = """
    ProgressDialog > .dialog { width: 60; }
    ProgressDialog ProgressBar { width: 1fr; margin-bottom: 1; }
    ProgressDialog Bar { width: 1fr; }
    """

    def __init__(self, title: str, progress: Progress, *, octets: bool = False) -> None:
        super().__init__(title)
        self._progress = progress
        self._octets = octets

    def compose_content(self) -> ComposeResult:
        """The text and the bar."""
        yield Static("", classes="dialog-text", id="progress-words", markup=False)
        yield ProgressBar(show_eta=False, show_percentage=False)

    def on_mount(self) -> None:
        """Start the redraw timer."""
        self._draw()
        self.set_interval(REDRAW_SECONDS, self._draw)

    def _draw(self) -> None:
        done, total = self._progress.done, self._progress.total
        words = f"{done:,} of {formatting.counted(total, 'row')}" if total else "Starting"
        if self._octets and done:
            of_total = f" of {formatting.size(total)}" if total else ""
            words = f"{formatting.size(done)}{of_total}"
        if self._progress.stopped:
            words = "Stopping…"
        parts = content([(words, ""), ("    ", ""), ("esc", "accent"), (" stop", "muted")])
        self.query_one("#progress-words", Static).update(parts)
        self.query_one(ProgressBar).update(total=total or None, progress=done)

    def action_leave(self) -> None:
        """Stop the work; the dialog closes when it has ended."""
        self._progress.stop()


async def with_progress(
    app: App[Any],
    title: str,
    start: Callable[[Progress], Awaitable[T]],
    *,
    octets: bool = False,
) -> T:
    """Run work; if it takes longer than ``SHOW_AFTER_SECONDS``, show a progress dialog."""
    progress = Progress()
    work = asyncio.ensure_future(start(progress))
    done, _ = await asyncio.wait({work}, timeout=SHOW_AFTER_SECONDS)
    if not done:
        dialog = ProgressDialog(title, progress, octets=octets)
        await app.push_screen(dialog)
        try:
            await asyncio.wait({work})
        finally:
            dialog.dismiss(None)
    return await work
