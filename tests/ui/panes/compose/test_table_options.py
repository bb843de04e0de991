"""How a table is read, columns by the mouse, and texts in the person's own editor."""

from __future__ import annotations

import contextlib
import stat
from pathlib import Path

import pytest
from textual.widgets import Input, Select

from tests.ui.conftest import BatchdeckPilot, notes, real_app, running, screen_text, until
from tui.paths import Paths
from tui.ui.app import BatchdeckApp
from tui.ui.panes.compose.template import TemplateStep
from tui.ui.widgets.compose_inputs import PlainTextArea, TableOptions


async def opened(app: BatchdeckApp, pilot: BatchdeckPilot) -> TemplateStep:
    pane = app.main.compose_pane
    await until(pilot, lambda: isinstance(pane.step, TemplateStep))
    await until(pilot, lambda: "prompt is empty" in screen_text(app))
    assert isinstance(pane.step, TemplateStep)
    return pane.step


async def test_a_table_is_read_as_a_person_says(paths: Paths, tmp_path: Path) -> None:
    file = tmp_path / "odd.csv"
    file.write_bytes("Schön|a,b\nGrün|c,d\n".encode("cp1252"))
    app = real_app(paths, open_file=file)
    async with running(app, (120, 40)) as pilot:
        step = await opened(app, pilot)
        options = step.query_one(TableOptions)
        options.query_one("#table-delimiter", Select).value = "|"
        options.query_one("#table-header", Select).value = False
        await until(pilot, lambda: step.columns == ("column_1", "column_2"))
        await until(pilot, lambda: "bar-separated · no" in screen_text(app))
        assert "column_2" in screen_text(app)
        step.query_one("#field-model", Input).value = "m"
        step.query_one("#field-user", PlainTextArea).text = "{column_1}: {column_2}"
        await until(pilot, lambda: step.sketch is not None)
        assert step.sketch is not None and step.sketch.count == 2
        encoding = options.query_one("#table-encoding", Input)
        encoding.focus()
        await pilot.press(*"no-such", "enter")
        await until(pilot, lambda: "no-such" in screen_text(app) and step.sketch is None)
        await pilot.press("f8")
        await until(pilot, lambda: any("not valid yet" in note for note in notes(app)))
        encoding.value = "cp1252"
        encoding.focus()
        await pilot.press("enter")
        await until(pilot, lambda: "Schön: a,b" in screen_text(app))


async def test_a_text_has_no_cells_to_ask_for(paths: Paths, tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("one\ntwo\n", "utf-8")
    app = real_app(paths, open_file=file)
    async with running(app) as pilot:
        step = await opened(app, pilot)
        assert not step.query(TableOptions)


async def test_a_click_puts_a_column_in(paths: Paths, tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text("name,price\nLamp,3\n", "utf-8")
    app = real_app(paths, open_file=file)
    async with running(app, (120, 36)) as pilot:
        step = await opened(app, pilot)
        await pilot.press(*"For:")
        await pilot.click("#form-columns", offset=(2, 1))
        area = step.query_one("#field-user", PlainTextArea)
        await until(pilot, lambda: area.text == "For:{price}")
        assert app.focused is area


async def test_a_prompt_is_written_in_the_editor(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor = tmp_path / "editor"
    seen = tmp_path / "editor.seen"
    editor.write_text('#!/bin/sh\ncat "$1" > "$0.seen"\nprintf "Sum up {text}" > "$1"\n', "utf-8")
    editor.chmod(editor.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("EDITOR", str(editor))
    monkeypatch.setenv("VISUAL", str(editor))
    file = tmp_path / "t.csv"
    file.write_text("text,n\nLamp,3\n", "utf-8")
    app = real_app(paths, open_file=file)
    async with running(app) as pilot:
        step = await opened(app, pilot)
        monkeypatch.setattr(app, "suspend", contextlib.nullcontext)
        await pilot.press(*"Old")
        await pilot.press("ctrl+o")
        area = step.query_one("#field-user", PlainTextArea)
        await until(pilot, lambda: area.text == "Sum up {text}")
        assert seen.read_text("utf-8") == "Old"
        step.query_one("#do-submit").focus()
        await pilot.press("ctrl+o")
        await until(pilot, lambda: any("Focus a text field first" in note for note in notes(app)))
