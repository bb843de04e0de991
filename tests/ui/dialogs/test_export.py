"""The export dialog: rows, formats, switches, progress."""

from __future__ import annotations

import csv
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from textual.widgets import Checkbox, Input, RadioSet

from tests.ui.conftest import BatchdeckPilot, notes, real_app, running, screen_text, until
from tests.ui.jobs_with_answers import files_of, gate, two_jobs
from tui.paths import Paths
from tui.ui.app import BatchdeckApp
from tui.ui.dialogs.export import ProgressDialog


async def opened(app: BatchdeckApp, pilot: BatchdeckPilot, path: Path) -> None:
    """Open the dialog, and type another path."""
    await pilot.press("x")
    await until(pilot, lambda: app.screen.query("#export-path"))
    app.screen.query_one(Input).value = str(path)
    await pilot.pause()


def switch(app: BatchdeckApp, name: str) -> Checkbox:
    return app.screen.query_one(f"#export-{name}", Checkbox)


async def test_the_end_of_the_name_decides(paths: Paths, tmp_path: Path) -> None:
    two_jobs(paths)
    app = real_app(paths)
    async with running(app) as pilot:
        await opened(app, pilot, tmp_path / "o.pdf")
        assert ".parquet" in screen_text(app)
        await pilot.press("enter")
        assert app.screen.query("#export-path")
        app.screen.query_one(Input).value = str(tmp_path / "o.sqlite")
        await until(pilot, lambda: "an SQLite database" in screen_text(app))
        assert switch(app, "raw").disabled and switch(app, "join").disabled
        assert not switch(app, "attempts").disabled
        await pilot.press("enter")
        await until(pilot, lambda: notes(app))
        assert notes(app)[0].startswith("40 rows written to ")
    with closing(sqlite3.connect(tmp_path / "o.sqlite")) as connection:
        assert connection.execute("SELECT count(*) FROM rows").fetchone() == (40,)


async def test_a_filter_without_rows_is_no_choice(paths: Paths, tmp_path: Path) -> None:
    two_jobs(paths)
    app = real_app(paths)
    async with running(app) as pilot:
        await pilot.press("enter")
        await until(pilot, lambda: app.main.results.rows_table.row_count == 40)
        app.main.results.show_where("no such words anywhere")
        await until(pilot, lambda: app.main.results.rows_table.row_count == 0)
        await opened(app, pilot, tmp_path / "o.csv")
        assert "all rows: 40" in screen_text(app) and "filtered" not in screen_text(app)
        await pilot.press("enter")
        await until(pilot, lambda: notes(app))
        assert notes(app)[0].startswith("40 rows written to ")


async def test_switches_are_taken(paths: Paths, tmp_path: Path) -> None:
    two_jobs(paths)
    app = real_app(paths)
    async with running(app) as pilot:
        await opened(app, pilot, tmp_path / "o.csv")
        switch(app, "expand").toggle()
        await pilot.press("enter")
        await until(pilot, lambda: notes(app))
    with (tmp_path / "o.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert rows[0]["data.label"] == "positive"


async def test_marked_shown_or_all(paths: Paths, tmp_path: Path) -> None:
    two_jobs(paths)
    app = real_app(paths)
    async with running(app) as pilot:
        await pilot.press("enter")
        await until(pilot, lambda: app.main.results.rows_table.row_count == 40)
        await pilot.press("slash", *"angry")
        await until(pilot, lambda: app.main.results.rows_table.row_count == 1)
        await pilot.press("enter", "space")
        await opened(app, pilot, tmp_path / "o.jsonl")
        for words in ("marked rows: 1", "filtered rows: 1", "all rows: 40"):
            assert words in screen_text(app)
        await pilot.press("enter")
        await until(pilot, lambda: notes(app))
        assert [json.loads(one)["custom_id"] for one in (tmp_path / "o.jsonl").open()] == ["r0002"]

        await opened(app, pilot, tmp_path / "all.jsonl")
        radios = app.screen.query_one("#export-rows", RadioSet)
        radios.focus()
        await pilot.press("down", "down", "space")
        await until(pilot, lambda: radios.pressed_index == 2)
        await pilot.press("ctrl+s")
        await until(pilot, (tmp_path / "all.jsonl").exists)
        assert len((tmp_path / "all.jsonl").read_bytes().splitlines()) == 40


async def test_what_is_there_is_asked_about(paths: Paths, tmp_path: Path) -> None:
    two_jobs(paths)
    (tmp_path / "o.html").write_text("old")
    app = real_app(paths)
    async with running(app) as pilot:
        await opened(app, pilot, tmp_path / "o.html")
        await pilot.press("enter", "enter")
        await until(pilot, lambda: app.screen.query("#export-path"))
        assert (tmp_path / "o.html").read_text() == "old"
        await pilot.press("enter")
        await until(pilot, lambda: "Overwrite the file?" in screen_text(app))
        await pilot.press("y")
        await until(pilot, lambda: notes(app))
        assert "<!doctype html>" in (tmp_path / "o.html").read_text()


async def test_the_proposed_file_does_not_exist(paths: Paths, tmp_path: Path) -> None:
    two_jobs(paths)
    stem = "large-model-results"
    for taken in ("", "-2"):
        (tmp_path / f"{stem}{taken}.jsonl").touch()
    (tmp_path / f"{stem}.csv").touch()
    app = real_app(paths)
    async with running(app) as pilot:
        app.session.state.export_folder = str(tmp_path)
        await pilot.press("x")
        await until(pilot, lambda: app.screen.query("#export-path"))
        field = app.screen.query_one(Input)
        assert field.value == str(tmp_path / f"{stem}-3.jsonl")
        formats = app.screen.query_one("#export-format", RadioSet)
        formats.focus()
        await pilot.press("right", "space")
        await until(pilot, lambda: field.value == str(tmp_path / f"{stem}-2.csv"))
        await pilot.press("right", "space")
        await until(pilot, lambda: field.value == str(tmp_path / f"{stem}.parquet"))


async def test_writing_can_be_stopped(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    two_jobs(paths, 1500)
    _, begun = gate(monkeypatch, "tui.store.export.writer.export_rows")
    app = real_app(paths)
    async with running(app) as pilot:
        await opened(app, pilot, tmp_path / "o.jsonl")
        await pilot.press("enter")
        await until(pilot, lambda: begun and isinstance(app.screen, ProgressDialog))
        assert "esc stop" in screen_text(app)
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.main)
        await until(pilot, lambda: notes(app))
        assert notes(app) == ["Stopped: no file was written"]
    assert files_of(tmp_path) == []


async def test_a_job_is_shared_and_opened_again(paths: Paths, tmp_path: Path) -> None:
    two_jobs(paths)
    app = real_app(paths)
    target = tmp_path / "shared.batchdeck"
    async with running(app) as pilot:
        await pilot.press("enter")
        await until(pilot, lambda: app.main.results.rows_table.row_count == 40)
        job_id = app.main.results.job_id
        await pilot.press("slash", *"angry")
        await until(pilot, lambda: app.main.results.rows_table.row_count == 1)
        await pilot.press("enter")
        await opened(app, pilot, target)
        await until(pilot, lambda: "one file with the whole job" in screen_text(app))
        assert switch(app, "join").disabled
        # The filter does not apply: an archive has all rows.
        chosen = app.screen.query_one("#export-rows", RadioSet)
        await until(pilot, lambda: chosen.disabled and chosen.pressed_index == 1)
        await pilot.press("enter")
        await until(pilot, lambda: notes(app))
        assert notes(app)[0].startswith("40 rows written to ")
        engine = app.session.engine
        await engine.remote.delete(job_id, forget=True)
        app.main.open_file(target)
        await until(pilot, lambda: len(notes(app)) > 1 and app.main.pane == "batches")
        assert notes(app)[-1].endswith("imported with 40 rows; it ran elsewhere")
        assert engine.history.jobs.get(job_id).archive
